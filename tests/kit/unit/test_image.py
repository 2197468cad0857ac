"""make image: the bases a release is built on have digests; jobs get the commit of their code."""

from __future__ import annotations

import stat
import subprocess
from pathlib import Path

import pytest
from ml_template.operations import image
from ml_template.settings.config import InputError

from ..conftest import Trained

DIGEST = "python@sha256:" + "5" * 64
ENGINE = """#!/bin/sh
echo "$@" >> calls
case "$1" in
  image) echo '[{"RepoDigests": DIGESTS}]' ;;
esac
"""


@pytest.fixture
def calls(trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a model and a container engine that knows the digest of every base."""
    model = tmp_path / "models" / "candidate"
    model.mkdir(parents=True)
    for path in (trained.folder / "models" / "candidate").iterdir():
        (model / path.name).write_bytes(path.read_bytes())
    bases = "ARG PYTHON_IMAGE=python:3-slim\nARG KUBECTL_IMAGE=kubectl:1\n"
    (tmp_path / "Dockerfile").write_text(bases)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    engine(tmp_path, f'["{DIGEST}"]')
    return tmp_path / "calls"


def engine(folder: Path, digests: str) -> None:
    path = folder / "docker"
    path.write_text(ENGINE.replace("DIGESTS", digests))
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def build(**settings: str) -> None:
    image.run({"MODEL": "models/candidate"} | settings)


def test_in_ci_the_base_is_resolved_to_its_digest(
    calls: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    build()
    said = calls.read_text().splitlines()
    assert said[0] == "pull --quiet python:3-slim"
    assert f"--build-arg=PYTHON_IMAGE={DIGEST}" in said[-1].split()


def test_in_ci_a_base_without_a_digest_is_refused(
    calls: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    engine(calls.parent, "[]")
    with pytest.raises(InputError, match="python:3-slim has no digest"):
        build()
    assert "build" not in calls.read_text()


def test_a_base_that_was_named_by_digest_is_taken(
    calls: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    build(PYTHON_IMAGE="other@sha256:" + "6" * 64)
    assert "PYTHON_IMAGE=other@sha256:666" in calls.read_text()
    assert "pull" not in calls.read_text()


def test_on_a_laptop_a_tag_will_do(calls: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    build()
    assert "--build-arg=PYTHON_IMAGE=python:3-slim" in calls.read_text().split()


def test_a_model_that_was_changed_gets_into_no_image(calls: Path) -> None:
    path = Path("models/candidate/encoder.json")
    path.write_text(path.read_text() + " ")
    with pytest.raises(InputError, match="encoder"):
        build()
    assert not calls.exists()


def test_in_ci_the_image_of_jobs_has_both_bases_by_digest(
    calls: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    build(FOR="work", KUBECTL_IMAGE="mine:2")
    said = calls.read_text().splitlines()
    assert [line for line in said if line.startswith("pull")] == [
        "pull --quiet python:3-slim",
        "pull --quiet mine:2",
    ]
    assert f"--build-arg=KUBECTL_IMAGE={DIGEST}" in said[-1].split()


def test_jobs_may_train_the_first_model_and_the_service_needs_one(
    calls: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CI", raising=False)
    build(FOR="work", MODEL="")
    said = calls.read_text().split()
    assert {"--build-arg=MODEL_DIGEST=", "--build-arg=KUBECTL_IMAGE=kubectl:1"} <= set(said)
    with pytest.raises(InputError, match="there is no champion"):
        build(MODEL="")


def test_the_image_of_jobs_says_its_commit_only_where_git_has_all_of_its_code(
    calls: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CI", raising=False)
    for name in ("model_config.yaml", "gates.yaml"):
        Path(name).write_text("a: 1\n")
    author = ("-c", "user.name=Test", "-c", "user.email=test@example.com")
    for words in (("init",), ("add", "--all"), ("commit", "--message", "All")):
        subprocess.run(["git", *author, *words], check=True, capture_output=True)
    head = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True).stdout
    build(FOR="work")
    assert f"--build-arg=REVISION={head.strip()}" in calls.read_text().split()
    Path("gates.yaml").write_text("a: 2\n")
    build(FOR="work")
    assert "--build-arg=REVISION=" in calls.read_text().splitlines()[-1].split()
