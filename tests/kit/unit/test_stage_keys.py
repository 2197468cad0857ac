"""A stage runs again when a key of model_config.yaml changes that decides its result; only then."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from ml_template.model import lineage
from ml_template.pipeline.data import prepare, sample, validate
from ml_template.pipeline.evaluation import evaluate
from ml_template.registry import reproduce
from ml_template.settings.config import Config, load_config

from ..conftest import TREE, Trained

FULL = {
    "left_out": {"note": "free text"},
    "slices": ["region"],
    "metrics": {"headline": "roc_auc"},
    "split": {"test": 0.2, "draw": 1},
}
READ: set[str] = set()


class Recorded(Config):
    """A configuration that notes in READ which of its keys are read."""

    def __getattribute__(self, name: str) -> Any:
        if name in Config.model_fields:
            READ.add(name)
        return super().__getattribute__(name)

    def model_dump(self, **how: Any) -> dict[str, Any]:
        left = {key for key, out in (how.get("exclude") or {}).items() if out is True}
        READ.update(how.get("include") or Config.model_fields.keys() - left)
        return super().model_dump(**how)


def named(stage: str) -> set[str]:
    """The keys of model_config.yaml that dvc.yaml names for a stage."""
    text = (TREE / "dvc.yaml").read_text(encoding="utf-8")
    (params,) = yaml.safe_load(text)["stages"][stage]["params"]
    return set(params["model_config.yaml"] or Config.model_fields)


def parts(keys: set[str]) -> set[str]:
    return {key.partition(".")[0] for key in keys}


@pytest.fixture
def full(trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The trained project as working folder; its configuration names every key a stage can read."""
    folder = Path(shutil.copytree(trained.folder, tmp_path / "full"))
    monkeypatch.chdir(folder)
    content = yaml.safe_load(Path("model_config.yaml").read_text(encoding="utf-8")) | FULL
    Path("model_config.yaml").write_text(json.dumps(content), encoding="utf-8")
    yield folder


@pytest.mark.parametrize("stage", [sample, prepare, validate])
def test_a_stage_names_the_keys_that_it_reads_and_no_other(
    stage: ModuleType, full: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if stage is validate:
        prepare.run()
    config = Recorded.checked(Path("model_config.yaml"), load_config().model_dump(mode="json"))
    monkeypatch.setattr(stage, "load_config", lambda: config)
    READ.clear()
    stage.run()
    assert parts(named(stage.__name__.rpartition(".")[2])) == READ


def test_train_names_every_key_that_is_in_the_digest_of_a_configuration() -> None:
    """A new key decides a model unless lineage.py says that it does not."""
    wanted = {key for key in Config.model_fields if lineage.NO_PART.get(key) is not True}
    inside = {key: set(lineage.NO_PART[key]) for key in wanted & lineage.NO_PART.keys()}
    kept = Config.model_fields["compute"].default.model_dump().keys() - inside.pop("compute")
    assert named("train") == wanted - {"compute"} | {f"compute.{key}" for key in kept}
    assert inside == {"data": {"memory_gb"}}  # beside what prepare reads again anyway


def test_evaluate_names_the_keys_that_it_reads_beside_those_of_the_model(
    full: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare.run()
    config = Recorded.checked(Path("model_config.yaml"), load_config().model_dump(mode="json"))
    monkeypatch.setattr(evaluate, "load_config", lambda: config)
    monkeypatch.setattr(evaluate, "check_model", lambda *_: None)
    READ.clear()
    evaluate.run()
    assert READ - parts(named("train")) == named("evaluate")


STAGES = {
    "train": {
        "cmd": "echo t >> ran; cp model_config.yaml model",
        "params": [{"model_config.yaml": ["model", "slices", "compute.threads"]}],
        "outs": ["model"],
    },
    "evaluate": {
        "cmd": "echo e >> ran; cp model measured",
        "deps": ["model"],
        "params": [{"model_config.yaml": ["report"]}],
        "outs": ["measured"],
    },
}


@pytest.mark.filterwarnings("ignore:_NoneStep")
def test_a_key_that_is_not_in_the_file_counts_and_stops_nothing(full: Path) -> None:
    Path(".dvc/tmp").mkdir(parents=True)
    Path(".dvc/config").write_text("[core]\n    no_scm = true\n    analytics = false\n")
    Path("dvc.yaml").write_text(json.dumps({"stages": STAGES}), encoding="utf-8")
    content = json.loads(Path("model_config.yaml").read_text(encoding="utf-8"))
    content["data"]["path"] = "data/starter.csv"

    def ran(**changes: Any) -> str:
        content.update(changes)
        kept = {key: value for key, value in content.items() if value is not None}
        Path("model_config.yaml").write_text(json.dumps(kept), encoding="utf-8")
        Path("ran").write_text("")
        reproduce.run({"STAGE": "evaluate"})
        return Path("ran").read_text().replace("\n", "")

    assert ran(slices=None, report=None, compute=None) == "te"
    assert ran() == ""
    assert ran(checks={"min_rows": 20}, monitoring={"window": 900}) == ""
    assert ran(report={"min_cell": 5}) == "e"
    assert ran(compute={"threads": 1, "runner": "mine"}) == "te"
    assert ran(compute={"threads": 1, "runner": "other"}) == ""
    assert ran(slices=["region"]) == "te"
