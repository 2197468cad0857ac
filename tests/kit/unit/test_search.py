"""A search has two parts that can be made on two machines; the result is that of one."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ml_template import InputError
from ml_template.pipeline.training import search
from ml_template.settings.config import Config, load_config
from ml_template.settings.learning import Threshold

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


@pytest.mark.parametrize("rule", [None, "f1"])
def test_a_fold_without_a_class_says_nothing_and_where_none_does_the_search_is_refused(
    trained: Trained, monkeypatch: pytest.MonkeyPatch, rule: str | None
) -> None:
    """Whole groups may hold every row of a class: such folds ended in an IndexError, or as NaN."""
    monkeypatch.chdir(trained.folder)
    target = trained.config.data.target
    columns = {name: values[:400].copy() for name, values in trained.train.items()}
    columns[target][:] = "no"
    columns[target][:60] = "yes"
    first, last = np.arange(400) < 200, np.arange(400) >= 200
    even = np.arange(400) % 2 == 0
    threshold = Threshold.model_validate(rule) if rule else None
    spec = load_config().model.model_copy(update={"threshold": threshold})
    config = load_config().model_copy(update={"model": spec})
    both = search._score(config, columns, [(first, last), (even, ~even)], "roc_auc", {})
    assert both == search._score(config, columns, [(even, ~even)], "roc_auc", {})
    with pytest.raises(InputError, match="roc_auc cannot be computed on any of 3 folds"):
        search._score(config, columns, [(first, last)], "roc_auc", {})


def test_nothing_is_tried_where_a_class_is_only_in_the_rows_to_judge_by(trained: Trained) -> None:
    regions = trained.train["region"]
    north = np.where(regions == "north", "yes", "no").astype(object)
    columns = trained.train | {trained.config.data.target: north}
    rule = trained.config.split.model_copy(update={"group": "region"})
    config = trained.config.model_copy(update={"split": rule})
    wanted = config.search.model_copy(update={"folds": 8})
    found = search.folds(config.model_copy(update={"search": wanted}), columns)
    assert 0 < len(found) < 8
    for learn, _ in found:
        assert {*columns[config.data.target][learn]} == {"yes", "no"}
