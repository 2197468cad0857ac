"""DVC in this process: it works before `git init` too, and a fault is one message."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ..settings.config import InputError

if TYPE_CHECKING:
    from dvc.repo import Repo

LOCKED = (
    "DVC is locked here: wait for the `make` that runs; where none does, "
    "`rm -rf .dvc/tmp/rwlock* .dvc/tmp/lock`"
)
_UNSAVED = "Use `--force` to force.\n"  # DVC ends so before the paths that a checkout would remove


def unfit() -> str:
    """Why DVC cannot work in this folder; empty where it can."""
    here = str(Path.cwd())
    if not {"{", "}"} & set(here):
        return ""
    return f"{here}: DVC cannot work where a path has a curly bracket: move the project elsewhere"


def dvc() -> ModuleType:
    """DVC, without colorama in the place of stdout: it would read what we print as orders.

    Raises InputError where it cannot work in this folder.
    """
    if fault := unfit():
        raise InputError(fault)
    with redirect_stdout(sys.stdout), redirect_stderr(sys.stderr):
        import dvc.repo
        import dvc.stage.exceptions
    _take_absent_keys()
    return dvc


@cache
def _take_absent_keys() -> None:
    """Have a key that model_config.yaml does not name count as null: DVC would go no further."""
    from dvc.dependency.param import ParamsDependency

    read = ParamsDependency.read_params

    def read_params(asked: Any, *words: Any, **settings: Any) -> dict[str, Any]:
        return dict.fromkeys(asked.params) | read(asked, *words, **settings)

    ParamsDependency.read_params = read_params


@contextmanager
def repository(what: str) -> Iterator[Repo]:
    """The DVC repository of the working folder; without git it keeps no history.

    Raises InputError for what DVC cannot do to `what`, such as a login that is refused.
    """
    module = dvc()
    try:
        try:
            found: Repo = module.repo.Repo()
            found.scm_context.quiet = True
        except module.scm.SCMError:
            found = module.repo.Repo(config={"core": {"no_scm": True}})
        with found:
            yield found
    except module.exceptions.DvcException as error:
        raise explained(what, error) from error


def add(path: Path) -> None:
    """Track the data file `path` with DVC; raises InputError where DVC refuses."""
    with repository(str(path)) as found:
        found.add(str(path))


def exchange(word: str, exchanged: Callable[[Repo, Any], tuple[int, int]]) -> None:
    """Have `exchanged` copy files of DVC and of models/, where there is a remote; say how many."""
    with repository(word) as found:
        name = found.config["core"].get("remote")
        if not name:
            print(f"{word}: no DVC remote: everything stays on this machine")
            return
        files, kept = exchanged(found, found.cloud.get_remote(name))
    print(f"{word}: {files} files, {kept} of models/, remote {name}")


def explained(what: str, error: BaseException) -> InputError:
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
