"""A search has two parts that can be made on two machines; the result is that of one."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from ml_template.pipeline.training import search
from ml_template.settings.config import Config

from ..conftest import Trained


@pytest.fixture
def asked(trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    """A search of three trials, each scored by its one parameter."""
    shutil.copytree(trained.folder, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    settings = {"trials": 3, "folds": 2, "space": {"depth": [1, 1000]}}
    wanted = trained.config.search.model_copy(update=settings)
    config = trained.config.model_copy(update={"search": wanted})
    monkeypatch.setattr(search, "load_config", lambda: config)
    monkeypatch.setattr(search, "_score", lambda *given: given[-1].get("depth", 0) / 1000)
    return config


def test_parts_made_elsewhere_give_the_same_search(asked: Config, trained: Trained) -> None:
    whole = search.search(asked, trained.train)
    shutil.rmtree(search.kept(1).parent)
    search.run({"PART": 1})
    assert search.kept(1).exists()
    assert not search.kept(2).exists()
    search.run({"PART": 2})
    assert search.search(asked, trained.train) == whole
    assert len(whole["trials"]) == 3
    assert whole["params"] == max(whole["trials"], key=lambda trial: trial["value"])["params"]


def test_kept_trials_are_used_and_those_of_other_code_are_not(
    asked: Config, trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Any] = []
    study = search._study
    monkeypatch.setattr(search, "_study", lambda *given: made.append(given[-1]) or study(*given))
    search.tries(asked, trained.train, 1)
    search.tries(asked, trained.train, 1)
    assert made == [1]
    monkeypatch.setattr(search.lineage, "package", lambda: "other code")
    search.tries(asked, trained.train, 1)
    assert made == [1, 1]
