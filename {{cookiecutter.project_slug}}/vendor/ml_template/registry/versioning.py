"""DVC in this process: it works before `git init` too, and a fault is one message."""

from __future__ import annotations

import importlib
import os
import sys
import threading
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ..settings.config import InputError, load_config
from ..storage import pins
from ..storage.places import STARTER
from . import sharing

if TYPE_CHECKING:
    from dvc.repo import Repo

LOCKED = (
    "DVC is locked here: wait for the `make` that runs; where none does, "
    "`rm -rf .dvc/tmp/rwlock* .dvc/tmp/lock`"
)
_UNSAVED = "Use `--force` to force.\n"  # DVC ends so before the paths that a checkout would remove
_INTERRUPTED = ("exited with 130", "exited with -2")  # the second before `main` could hear it
_AHEAD = 3.0  # seconds
_STORE = "mlflow.store.tracking.sqlalchemy_store"


def unfit() -> str:
    """Why DVC cannot work in this folder; empty where it can."""
    here = str(Path.cwd())
    if not {"{", "}"} & set(here):
        return ""
    return f"{here}: DVC cannot work where a path has a curly bracket: move the project elsewhere"


def _dvc() -> ModuleType:
    """DVC, without colorama in the place of stdout: it would read what we print as orders.

    Raises InputError where it cannot work in this folder.
    """
    if fault := unfit():
        raise InputError(fault)
    with redirect_stdout(sys.stdout), redirect_stderr(sys.stderr):
        import dvc.repo
        import dvc.stage.exceptions
    return dvc


def _repository() -> Repo:
    """The DVC repository of the working folder; without git it keeps no history."""
    dvc = _dvc()
    try:
        repository: Repo = dvc.repo.Repo()
        repository.scm_context.quiet = True
    except dvc.scm.SCMError:
        repository = dvc.repo.Repo(config={"core": {"no_scm": True}})
    return repository


def reproduce(settings: dict[str, str]) -> None:
    """Run the stage named by STAGE= in dvc.yaml and what must come before it, where it changed.

    Raises InputError for what DVC cannot do; ends the process where a stage has said its fault,
    with 130 where it was interrupted.
    """
    config = load_config()
    if Path(config.data.path) != STARTER:
        pins.check(config.data_file())
    dvc = _dvc()
    # Stages run in processes of their own while this one waits: time to read what register needs.
    # When nothing has changed this is over before it starts.
    ahead = threading.Timer(_AHEAD, importlib.import_module, [_STORE])
    ahead.daemon = True
    if "STAGE" not in settings:
        ahead.start()
    try:
        with _repository() as repository:
            pins.distrust(repository.cache.local)
            repository.reproduce(targets=[settings.get("STAGE", "evaluate")])
    except dvc.exceptions.ReproductionError as error:
        if isinstance(error.__cause__, dvc.stage.exceptions.StageCmdFailedError):
            raise SystemExit(130 if str(error.__cause__).endswith(_INTERRUPTED) else 1) from None
        raise _explained(str(error), error.__cause__ or error) from error
    except dvc.exceptions.DvcException as error:
        raise _explained("DVC", error) from error
    finally:
        ahead.cancel()


def add(path: Path) -> None:
    """Track the data file `path` with DVC; raises InputError where DVC refuses."""
    dvc = _dvc()
    try:
        with _repository() as repository:
            repository.add(str(path))
    except dvc.exceptions.DvcException as error:
        raise _explained(str(path), error) from error


def pull() -> None:
    """Fetch data, results and models/ from the remote, where there is one; what it lacks stays.

    Raises InputError for what is not what git pins, and for a name that leads elsewhere: of
    neither anything is used.
    """
    _exchange("pull", _fetched)


def push() -> None:
    """Send data, results and models/ to the remote, where there is one."""
    _exchange("push", lambda repository, remote: (repository.push(), sharing.give(remote)))


def _fetched(repository: Repo, remote: Any) -> tuple[int, int]:
    kept, store = sharing.take(remote), pins.Store(repository)
    lacked = store.clean()
    count = repository.fetch()
    store.check(lacked)
    repository.checkout(allow_missing=True)
    return count, kept


def _exchange(word: str, exchanged: Callable[[Repo, Any], tuple[int, int]]) -> None:
    """Raises InputError for what DVC cannot do, such as a login that is refused."""
    dvc = _dvc()
    try:
        with _repository() as repository:
            remote = repository.config["core"].get("remote")
            if not remote:
                print(f"{word}: no DVC remote: everything stays on this machine")
                return
            files, kept = exchanged(repository, repository.cloud.get_remote(remote))
    except dvc.exceptions.DvcException as error:
        raise _explained(word, error) from error
    print(f"{word}: {files} files, {kept} of models/, remote {remote}")


def _explained(what: str, error: Exception) -> InputError:
    """What DVC could not do; of a lock the remedy: its process may be gone."""
    from dvc import lock, rwlock

    kinds = (lock.LockError, rwlock.RWLockFileCorruptedError, rwlock.RWLockFileFormatError)
    if isinstance(error, kinds):
        return InputError(f"{what}: {LOCKED}")
    _, unsaved, paths = str(error).partition(_UNSAVED)
    if unsaved:
        shown = ", ".join(os.path.relpath(path) for path in paths.splitlines())
        return InputError(
            f"{what}: dvc.lock does not know {shown}, and it would be lost: move it elsewhere, or "
            f"take the dvc.lock that knows it, and do it again"
        )
    return InputError(f"{what}: {error}")
