"""A project with an evaluated candidate, for the tests of gate, register and release."""

from __future__ import annotations

import contextlib
import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from ml_template.operations import join, notify
from ml_template.pipeline.evaluation import evaluate
from ml_template.pipeline.judgement import measure
from ml_template.registry import tracking
from ml_template.storage.files import digest_json

from ..conftest import ROOT, Trained

NAMES = (
    *("performance", "champion", "slices", "fairness", "calibration", "latency", "size"),
    *("lineage", "sensitive_features", "determinism"),
)
LOOSE = {"size": "{max_mb: 1000.0, max_load_seconds: 100.0, max_memory_mb: 8000.0}"}


def write_gates(**rules: str) -> None:
    """Write gates.yaml with these gates and all others switched off."""
    lines = [f"{name}: {rules.get(name, 'false')}\n" for name in NAMES]
    Path("gates.yaml").write_text("".join(lines))


def joined(given: list[str]) -> list[float]:
    """The labels `given` of a regression as `join` reads them, of one logged prediction each."""
    entry = {"row": 0, "time": "2026-01-01T10:00:00+00:00", "model": "m", "output": {"value": 1.0}}
    Path("log").mkdir()
    lines = [json.dumps(entry | {"id": str(at)}) + "\n" for at in range(len(given))]
    Path("log/1.jsonl").write_text("".join(lines))
    with Path("labels.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("id", "label"), *enumerate(given)])
    join.run({"LABELS": "labels.csv", "LOG": "log"})
    with join.LABELLED.open(newline="") as file:
        return [float(row["label"]) for row in csv.DictReader(file)]


@pytest.fixture(scope="session")
def evaluated(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The trained project with the reports of its evaluation, and gates that any table passes."""
    folder = tmp_path_factory.mktemp("evaluated") / "project"
    shutil.copytree(trained.folder, folder)
    shutil.copy(ROOT / "pyproject.toml", folder)
    with contextlib.chdir(folder):
        evaluate.run()
        write_gates(**LOOSE)
    return folder


@pytest.fixture(scope="session")
def figures(evaluated: Path) -> dict[str, float]:
    """What the process that measures the candidate answers."""
    return measure.measure(evaluated / "models/candidate")


@pytest.fixture
def project(
    evaluated: Path, figures: dict[str, float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A copy of the evaluated project as working folder; no CI, no MLflow, measured once."""
    folder = tmp_path / "project"
    shutil.copytree(evaluated, folder)
    monkeypatch.chdir(folder)
    for name in ("CI", "JENKINS_JOB", "GITHUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(measure, "measure", lambda _: figures)
    monkeypatch.setattr(tracking, "mirror", lambda *_: {})
    return folder


@pytest.fixture
def new_candidate(project: Path) -> Callable[[int], str]:
    """Make a candidate of another digest, with the reports of the first; returns the digest."""

    def make(number: int) -> str:
        path = project / "models/candidate/model.json"
        manifest = json.loads(path.read_text())
        manifest["identity"]["seed"] = number
        manifest["digest"] = digest_json(manifest["identity"])
        path.write_text(json.dumps(manifest))
        report = project / "reports/evaluation.json"
        report.write_text(
            json.dumps(json.loads(report.read_text()) | {"model": manifest["digest"]})
        )
        return str(manifest["digest"])

    return make


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What people were told."""
    texts: list[str] = []
    monkeypatch.setattr(notify, "send", texts.append)
    return texts
