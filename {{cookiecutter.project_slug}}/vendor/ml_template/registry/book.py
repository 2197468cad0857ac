"""MLflow's book of this project: its experiment, the runs in it, versions of its model, aliases."""

from __future__ import annotations

import logging
import os
import tempfile
import tomllib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from ..model.manifest import FILE
from ..model.shapes import Verdict
from ..settings.config import InputError
from ..storage.files import read_json
from . import entries
from .champion import Record, verify

LOCAL = "sqlite:///mlflow.db"
_CLIENT = {  # the environment has the last word
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}


def address() -> str:
    """The address of MLflow: as it is set, else a file here."""
    return os.environ.get("MLFLOW_TRACKING_URI") or LOCAL


def unfit(server: str) -> str:
    """Why a local MLflow cannot be made in this folder; empty where it can."""
    here = str(Path.cwd())
    if not server.startswith("sqlite") or not {"'", '"'} <= set(here):
        return ""
    return f"{here}: MLflow takes no path with both kinds of quotes: move the project elsewhere"


def without_user(server: str) -> str:
    """The address of a server for people: without who logs in."""
    parts = urlsplit(server)
    return server.replace(parts.netloc, parts.netloc.rpartition("@")[2]) if parts.netloc else server


def move_away(server: str) -> str:
    """The remedy where a local MLflow is of no use: another one is made."""
    path = server.removeprefix("sqlite:///")
    return f"move {path} away (`mv {path} {path}.old`), and `make register` makes it anew"


def _stays(server: str, location: str) -> None:
    """Raise InputError where the files of a local MLflow lay in a folder that is not there now.

    Addresses in it are absolute: what is written next would make that folder anew.
    """
    if not server.startswith("sqlite") or not location.startswith(("file:", "/")):
        return
    folder = Path(unquote(urlsplit(location).path))
    if not folder.exists() and not folder.is_relative_to(Path.cwd()):
        raise InputError(
            f"MLflow ({server}) keeps its files in {folder}, which is not there: was the project "
            f"moved? Move it back, or {move_away(server)}"
        )


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
    """One experiment and one registered model of an MLflow server, both named like the project.

    `made`: what it did not have. Raises InputError where the experiment was deleted, which keeps
    its name, and only a person can restore it; where its files lay in a folder that is gone; and
    where MLflow cannot work in this folder.
    """

    def __init__(self, server: str) -> None:
        if fault := unfit(server):
            raise InputError(fault)
        for name, value in _CLIENT.items():
            os.environ.setdefault(name, value)
        from mlflow import MlflowClient

        for noisy in ("alembic", "mlflow"):
            logging.getLogger(noisy).setLevel(logging.ERROR)
        if not server.startswith("http"):
            _take_any_path()
        self.client = MlflowClient(server, server)
        self.name = tomllib.loads(Path("pyproject.toml").read_text("utf-8"))["project"]["name"]
        self.made: list[str] = []
        experiment = self.client.get_experiment_by_name(self.name)
        if experiment is None:
            place = Path("mlartifacts").absolute().as_uri() if server.startswith("sqlite") else None
            self.experiment = self.client.create_experiment(self.name, place)
            self.made.append(f"experiment {self.name}")
        elif experiment.lifecycle_stage == "deleted":
            raise InputError(
                f"MLflow: experiment {self.name} was deleted: restore it, and `make register`: "
                f"MLFLOW_TRACKING_URI={without_user(server)} .venv/bin/mlflow experiments restore "
                f"--experiment-id {experiment.experiment_id}"
            )
        else:
            self.experiment = experiment.experiment_id
            _stays(server, experiment.artifact_location)
        model = _found(self.client.get_registered_model, self.name)
        if model is None:
            model = self.client.create_registered_model(self.name)
            self.made.append(f"registered model {self.name}")
        self.aliases = {name: str(version) for name, version in model.aliases.items()}

    def alias(self, name: str, version: str) -> None:
        """Have the alias point to that version."""
        before = self.aliases.get(name, "nothing")
        if before != version:
            self.client.set_registered_model_alias(self.name, name, version)
            self.made.append(f"alias {name} (version {version}, was at {before})")

    def version(self, record: Record) -> str:
        """Version number of the kept model `record` points to, made when it is not there.

        One whose run and files are gone for good counts as none.
        """
        chosen = f"name = '{self.name}' and tags.digest = '{record['digest']}'"
        for found in self.client.search_model_versions(chosen):
            if run := _found(self.client.get_run, found.run_id):
                self._whole(run, Path(record["model"]))
                return str(found.version)
        verdict = verify(record)
        run = self.run(verdict, Path(record["model"]))
        tags = {"digest": record["digest"], "verdict_digest": verdict["digest"]}
        made = self.client.create_model_version(
            self.name, f"{run.info.artifact_uri}/model", run.info.run_id, tags
        )
        self.made.append(f"version {made.version} of model {record['digest'][:16]}")
        return str(made.version)

    def _whole(self, run: Any, folder: Path | None) -> None:
        """Restore the run where it was deleted or not ended, and the files of `folder`."""
        name = run.info.run_id
        if run.info.lifecycle_stage == "deleted":
            self.client.restore_run(name)
            self.made.append(f"run {name}")
        if folder and not self._holds(name, folder):
            self.client.log_artifacts(name, str(folder), "model")
            self.made.append(f"files of run {name}")
        if run.info.status != "FINISHED":  # a version is made of a finished run only
            self.client.set_terminated(name, "FINISHED")
            self.made.append(f"end of run {name}, which was {run.info.status}")

    def _holds(self, run: str, folder: Path) -> bool:
        """Whether the run has the files of `folder`, of their sizes, and what makes the model."""
        identity = read_json(folder / FILE, "run `make register`")["identity"]
        sizes = {file.path: file.file_size for file in self.client.list_artifacts(run, "model")}
        wanted = {f"model/{name}": facts["bytes"] for name, facts in identity["files"].items()}
        if f"model/{FILE}" not in sizes or any(
            sizes.get(name, -1) not in (size, None) for name, size in wanted.items()
        ):
            return False
        with tempfile.TemporaryDirectory() as place:  # another machine's has other times in it
            try:
                path = Path(self.client.download_artifacts(run, f"model/{FILE}", place))
                return bool(read_json(path, "")["identity"] == identity)
            except (InputError, KeyError, TypeError):
                return False

    def run(self, verdict: Verdict, folder: Path) -> Any:
        """The finished run of `verdict`; one that was cut short is deleted and made again."""
        from mlflow.entities import ViewType

        chosen = f"tags.verdict_digest = '{verdict['digest']}'"
        passed = verdict["verdict"] == "passed"
        for found in self.client.search_runs([self.experiment], chosen, ViewType.ALL):
            if found.info.status == "FINISHED":
                self._whole(found, folder if passed else None)
                return found
            if found.info.lifecycle_stage == "active":
                self.client.delete_run(found.info.run_id)
        identity = read_json(folder / "model.json", "run `make run`")["identity"]
        run = self.client.create_run(self.experiment, tags=entries.tags(verdict, identity))
        name = run.info.run_id
        self.client.log_batch(name, *entries.logged(verdict, identity))
        for figures in entries.epochs(folder):
            self.client.log_batch(name, figures)
        if passed:
            self.client.log_artifacts(name, str(folder), "model")
        self.client.log_dict(name, verdict, "verdict.json")
        for path, place in entries.reports(verdict):
            self.client.log_artifact(name, str(path), place)
        self.client.set_terminated(name, "FINISHED")
        self.made.append(f"run {name}")
        return run


def _found(get: Callable[[str], Any], name: str) -> Any:
    """What `get` has of that name; None where there is none."""
    from mlflow.exceptions import MlflowException

    try:
        return get(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return None
