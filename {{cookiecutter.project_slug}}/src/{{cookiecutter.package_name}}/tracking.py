"""MLflow as a mirror of models/: runs, versions and aliases. No decision is read from it.

`mirror` compares what MLflow was last told with what is true, and imports MLflow only when the
two differ. It may be repeated: runs and versions are found again by the digests in their tags.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from .champion import CHALLENGER, CHAMPION, MODELS, Record, read, verify
from .config import InputError
from .files import read_json, write_json

MIRRORED = MODELS / "mlflow.json"
LOCAL = "sqlite:///mlflow.db"
DEADLINE = 120  # seconds for all that is written in one go
_CLIENT = {  # the environment has the last word
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}


def mirror(verdict: Record | None = None, folder: Path | None = None) -> Record:
    """Tell MLflow of `verdict` on the model in `folder`, and of champion and challenger.

    Returns {server, versions: {digest: version}, ...}. Raises InputError when MLflow does not take
    it: nothing else depends on it, and the next call tells it all.
    """
    server = _server()
    pointers = {path.stem: record for path in (CHAMPION, CHALLENGER) if (record := read(path))}
    told = _told(server)
    wanted = {
        "server": _without_user(server),
        "verdict": verdict["digest"] if verdict else told.get("verdict"),
        "aliases": {alias: record["digest"] for alias, record in pointers.items()},
    }
    if all(told.get(key) == value for key, value in wanted.items()):
        return told
    try:
        with _deadline(DEADLINE):
            book = Book(server)
            if verdict and folder and verdict["verdict"] == "refused":
                book.run(verdict, folder)
            versions = {r["digest"]: book.version(r) for r in pointers.values()}
            for alias, record in pointers.items():
                book.client.set_registered_model_alias(book.name, alias, versions[record["digest"]])
    except InputError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split()).replace(server, _without_user(server))[:300]
        reason = reason or type(error).__name__
        raise InputError(
            f"MLflow ({_without_user(server)}) was not written: {reason}\n"
            f"{MODELS} is complete, serving is not affected; the next `make register` tells MLflow"
        ) from error
    write_json(MIRRORED, wanted | {"versions": versions})
    return wanted | {"versions": versions}


def version(digest: str) -> str | None:
    """Number of the version in MLflow, as far as it was told."""
    found = _told(_server()).get("versions", {}).get(digest)
    return None if found is None else str(found)


def _told(server: str) -> Record:
    """What the last complete call told this server; empty when it may have lost it."""
    local = server.removeprefix("sqlite:///")
    if not MIRRORED.exists() or (local != server and not Path(local).exists()):
        return {}
    told = read_json(MIRRORED, "remove it: MLflow is told again")
    return dict(told) if told.get("server") == _without_user(server) else {}


def _server() -> str:
    return os.environ.get("MLFLOW_TRACKING_URI") or LOCAL


def _without_user(server: str) -> str:
    parts = urlsplit(server)
    return server.replace(parts.netloc, parts.netloc.rpartition("@")[2]) if parts.netloc else server


@contextmanager
def _deadline(seconds: int) -> Iterator[None]:
    """Raise TimeoutError when the block takes longer; only the main thread can be interrupted."""

    def late(*_: Any) -> None:
        raise TimeoutError(f"no end within {seconds} s")

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@cache
def _take_any_path() -> None:
    """Let a % stand in the path of .venv: MLflow hands it on as it is, and alembic expands %."""
    from alembic import config

    class AnyPath(config.Config):
        def set_main_option(self, name: str, value: str) -> None:
            escaped = value.replace("%", "%%") if name == "script_location" else value
            super().set_main_option(name, escaped)

    config.Config = AnyPath  # type: ignore[misc]


class Book:
    """One experiment and one registered model of an MLflow server, both named like the project."""

    def __init__(self, server: str) -> None:
        for name, value in _CLIENT.items():
            os.environ.setdefault(name, value)
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException

        for noisy in ("alembic", "mlflow"):
            logging.getLogger(noisy).setLevel(logging.ERROR)
        if not server.startswith("http"):
            _take_any_path()
        self.client = MlflowClient(server, server)
        self.name = tomllib.loads(Path("pyproject.toml").read_text("utf-8"))["project"]["name"]
        experiment = self.client.get_experiment_by_name(self.name)
        if experiment is None:
            place = Path("mlartifacts").absolute().as_uri() if server.startswith("sqlite") else None
            self.experiment = self.client.create_experiment(self.name, place)
        else:
            self.experiment = experiment.experiment_id
        try:
            self.client.get_registered_model(self.name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            self.client.create_registered_model(self.name)

    def version(self, record: Record) -> str:
        """Version number of the kept model `record` points to, made when it is not there."""
        chosen = f"name = '{self.name}' and tags.digest = '{record['digest']}'"
        for found in self.client.search_model_versions(chosen):
            return str(found.version)
        verdict = verify(record)
        run = self.run(verdict, Path(record["model"]))
        tags = {"digest": record["digest"], "verdict_digest": verdict["digest"]}
        made = self.client.create_model_version(
            self.name, f"{run.info.artifact_uri}/model", run.info.run_id, tags
        )
        return str(made.version)

    def run(self, verdict: Record, folder: Path) -> Any:
        """The finished run of `verdict`; one that was cut short is deleted and made again."""
        chosen = f"tags.verdict_digest = '{verdict['digest']}'"
        for found in self.client.search_runs([self.experiment], chosen):
            if found.info.status == "FINISHED":
                return found
            self.client.delete_run(found.info.run_id)
        identity = read_json(folder / "model.json", "run `make run`")["identity"]
        run = self.client.create_run(self.experiment, tags=_tags(verdict, identity))
        self._log(run.info.run_id, verdict, identity)
        if verdict["verdict"] == "passed":
            self.client.log_artifacts(run.info.run_id, str(folder), "model")
        self.client.log_dict(run.info.run_id, verdict, "verdict.json")
        self.client.set_terminated(run.info.run_id, "FINISHED")
        return run

    def _log(self, run: str, verdict: Record, identity: Record) -> None:
        from mlflow.entities import Metric, Param

        now = int(time.time() * 1000)
        metrics = [Metric(key, value, now, 0) for key, value in _metrics(verdict).items()]
        params = {key: identity[key] for key in ("estimator", "task", "target", "seed", "threads")}
        params |= {f"params.{key}": value for key, value in identity["params"].items()}
        self.client.log_batch(run, metrics, [Param(k, str(v)[:6000]) for k, v in params.items()])


def _metrics(verdict: Record) -> dict[str, float]:
    flat = dict(verdict["measured"])
    for name, estimate in verdict["metrics"].items():
        flat |= {name: estimate["value"]}
        flat |= {f"{name}_{end}": estimate[end] for end in ("low", "high")}
    return flat


def _tags(verdict: Record, identity: Record) -> dict[str, str]:
    lineage = verdict["lineage"]
    tags = {
        "digest": verdict["model"],
        "verdict": verdict["verdict"],
        "verdict_digest": verdict["digest"],
        "data.path": lineage["data"]["path"],
        "data.sha256": lineage["data"]["sha256"],
        "data.md5": lineage["data"]["md5"],
        "mlflow.runName": verdict["model"][:16],
        "mlflow.source.git.commit": lineage["commit"] or "",
    }
    return tags | {key: identity[key] for key in ("code", "config", "lock", "schema")}
