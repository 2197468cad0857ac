"""Projects with a DVC remote or an MLflow server, all on this machine (slow)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import bake
import pytest
from life import champion, make, twin
from service import free_port

pytestmark = pytest.mark.slow
KEYS = {"AWS_ACCESS_KEY_ID": "example", "AWS_SECRET_ACCESS_KEY": "example"}


@contextmanager
def server(command: list[str], url: str, folder: Path) -> Iterator[None]:
    """A server on loopback, from its first answer to the end of the block."""
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
        try:
            wait(url, process, folder / "server.log")
            yield
        finally:
            process.terminate()
            process.wait(30)


def wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.3)
    raise AssertionError(log.read_text())


def dvc(project: Path, *words: str, **environment: str) -> None:
    done = bake.run(project / ".venv/bin/python", "-m", "dvc", *words, cwd=project, **environment)
    assert done.returncode == 0, done.stderr


def pushed_and_pulled(lived: Path, folder: Path, url: str, **environment: str) -> None:
    """Push from one project, pull into a clone, where nothing is left to do."""
    origin = twin(lived, folder / "origin")
    dvc(origin, "remote", "add", "--default", "storage", url)
    if endpoint := environment.pop("ENDPOINT", ""):
        dvc(origin, "remote", "modify", "storage", "endpointurl", endpoint)
    bake.commit(origin, "A run, and where its data is")
    dvc(origin, "push", **environment)
    bake.git(folder, "clone", "--quiet", str(origin), "clone")
    clone = folder / "clone"
    (clone / ".venv").symlink_to(lived / ".venv")
    dvc(clone, "pull", **environment)
    assert (clone / "data/starter.csv").read_bytes() == (lived / "data/starter.csv").read_bytes()
    assert "Running stage" not in make(clone, "run", **environment)
    assert champion(clone)["digest"] == champion(lived)["digest"]


def test_data_and_models_travel_through_a_folder(lived: Path, tmp_path: Path) -> None:
    pushed_and_pulled(lived, tmp_path, str(tmp_path / "storage"))


def test_data_and_models_travel_through_s3(lived: Path, tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with server(command, url, tmp_path):
        request = urllib.request.Request(f"{url}/storage", method="PUT")
        with urllib.request.urlopen(request, timeout=10):
            pass
        pushed_and_pulled(lived, tmp_path, "s3://storage/model", ENDPOINT=url, **KEYS)


def test_a_table_of_your_own_travels_with_make_push_and_pull(lived: Path, tmp_path: Path) -> None:
    origin = twin(lived, tmp_path / "origin")
    own = tmp_path / "own.csv"
    own.write_bytes((lived / "data/starter.csv").read_bytes())
    make(origin, "adopt", f"DATA={own}", "TARGET=defaulted", "SENSITIVE=gender")
    dvc(origin, "remote", "add", "--default", "storage", str(tmp_path / "storage"))
    bake.commit(origin, "A table, and where it is")
    make(origin, "push")
    bake.git(tmp_path, "clone", "--quiet", str(origin), "clone")
    clone = tmp_path / "clone"
    (clone / ".venv").symlink_to(lived / ".venv")
    make(clone, "pull")
    assert (clone / "data/own.csv").read_bytes() == own.read_bytes()


def test_the_remote_of_the_answers_is_the_default_remote(template: Path, tmp_path: Path) -> None:
    born = bake.by_cookiecutter(template, tmp_path, {"dvc_remote": "s3://bucket/models"})
    text = (born / ".dvc/config").read_text(encoding="utf-8")
    assert "remote = storage" in text
    assert "url = s3://bucket/models" in text


def test_an_mlflow_server_mirrors_the_champion(lived: Path, tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [
        *(str(lived / ".venv/bin/python"), "-m", "mlflow", "server", "--workers", "1"),
        *("--backend-store-uri", f"sqlite:///{tmp_path}/mlflow.db", "--host", "127.0.0.1"),
        *("--artifacts-destination", str(tmp_path / "artifacts"), "--port", str(port)),
    ]
    os.environ["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"
    try:
        with server(command, f"{url}/health", tmp_path):
            project = twin(lived, tmp_path / "project")
            make(project, "register", MLFLOW_TRACKING_URI=url)
            ask = f"{url}/api/2.0/mlflow/registered-models/alias?name=example-credit-model"
            with urllib.request.urlopen(f"{ask}&alias=champion", timeout=10) as answer:
                version = json.load(answer)["model_version"]
    finally:
        del os.environ["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"]
    assert {"key": "digest", "value": champion(project)["digest"]} in version["tags"]
