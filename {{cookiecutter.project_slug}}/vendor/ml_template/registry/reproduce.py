"""reproduce: run a stage of dvc.yaml, and what must come before it, where it changed."""

from __future__ import annotations

import importlib
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from ..outside.progress import working
from ..project import function, handed
from ..settings.config import Config, load_config
from ..storage import pins
from ..storage.files import read_json, write_text
from ..storage.places import PREPARED, STARTER
from . import versioning

if TYPE_CHECKING:
    from dvc.repo import Repo

_INTERRUPTED = ("exited with 130", "exited with -2")  # the second before `main` could hear it
_AHEAD = 3.0  # seconds
_LOCK = Path("dvc.lock")
_STORE = "mlflow.store.tracking.sqlalchemy_store"


def run(settings: dict[str, str]) -> None:
    """Run the stage named by STAGE= in dvc.yaml and what must come before it, where it changed.

    Raises InputError for what DVC cannot do; ends the process where a stage has said its fault,
    with 130 where it was interrupted.
    """
    config, stage = load_config(), settings.get("STAGE", "evaluate")
    if Path(config.data.path) != STARTER:
        pins.check(config.data_file())
    # Stages run in processes of their own while this one waits: time to read what register needs.
    # When nothing has changed this is over before it starts.
    ahead = threading.Timer(_AHEAD, importlib.import_module, [_STORE])
    ahead.daemon = True
    with working("run: what has changed ..."):
        dvc = versioning.dvc()
    if "STAGE" not in settings:
        ahead.start()
    before = _LOCK.read_bytes() if _LOCK.exists() else b""
    try:
        with versioning.repository("DVC") as repository:
            pins.distrust(repository.cache.local)
            try:
                if stage != "sample":
                    _read_again(repository, config)
                repository.reproduce(targets=[stage])
            except dvc.exceptions.ReproductionError as error:
                reason = error.__cause__
                if isinstance(reason, dvc.stage.exceptions.StageCmdFailedError):
                    raise SystemExit(130 if str(reason).endswith(_INTERRUPTED) else 1) from None
                raise versioning.explained(str(error), reason or error) from error
    finally:
        ahead.cancel()
        if (
            before and _LOCK.exists() and not _LOCK.read_bytes().strip()
        ):  # cut off where DVC writes it anew
            write_text(_LOCK, before.decode())


def _read_again(repository: Repo, config: Config) -> None:
    """Have prepare read a table that lies where DVC does not look, where it may have changed.

    Without `state` of load.py only reading it tells; where it gives the same rows, nothing after
    prepare runs again.
    """
    if handed().state:
        repository.reproduce(targets=["prepare"])
        known = read_json(PREPARED / "data.json", "run `make clean run`").get("state")
        if known == function("state")(config):
            return
    elif not config.data.is_query:
        return
    repository.reproduce(targets=["prepare"], force=True, single_item=True)
