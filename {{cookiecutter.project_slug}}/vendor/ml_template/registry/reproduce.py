"""reproduce: run a stage of dvc.yaml, and what must come before it, where it changed."""

from __future__ import annotations

import importlib
import threading
from pathlib import Path

from ..settings.config import load_config
from ..storage import pins
from ..storage.places import STARTER
from . import versioning

_INTERRUPTED = ("exited with 130", "exited with -2")  # the second before `main` could hear it
_AHEAD = 3.0  # seconds
_STORE = "mlflow.store.tracking.sqlalchemy_store"


def run(settings: dict[str, str]) -> None:
    """Run the stage named by STAGE= in dvc.yaml and what must come before it, where it changed.

    Raises InputError for what DVC cannot do; ends the process where a stage has said its fault,
    with 130 where it was interrupted.
    """
    config = load_config()
    if Path(config.data.path) != STARTER:
        pins.check(config.data_file())
    # Stages run in processes of their own while this one waits: time to read what register needs.
    # When nothing has changed this is over before it starts.
    ahead = threading.Timer(_AHEAD, importlib.import_module, [_STORE])
    ahead.daemon = True
    dvc = versioning.dvc()
    if "STAGE" not in settings:
        ahead.start()
    try:
        with versioning.repository("DVC") as repository:
            pins.distrust(repository.cache.local)
            try:
                repository.reproduce(targets=[settings.get("STAGE", "evaluate")])
            except dvc.exceptions.ReproductionError as error:
                reason = error.__cause__
                if isinstance(reason, dvc.stage.exceptions.StageCmdFailedError):
                    raise SystemExit(130 if str(reason).endswith(_INTERRUPTED) else 1) from None
                raise versioning.explained(str(error), reason or error) from error
    finally:
        ahead.cancel()
