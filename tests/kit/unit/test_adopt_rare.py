"""adopt writes a threshold where one of two classes is rare, and says why."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from ml_template.registry import versioning
from ml_template.settings.config import Config
from ml_template.settings.learning import Threshold

from .test_adopt_hold_out import adopted


@pytest.fixture(autouse=True)
def _untracked(in_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versioning, "add", lambda path: None)


def with_rare(rows: int, of: int = 1000, rare: str = "yes", other: str = "no") -> Config:
    Path("data/table.csv").unlink(missing_ok=True)
    size = np.random.default_rng(0).normal(size=of)
    labels = [rare if at < rows else other for at in range(of)]
    return adopted({"size": [f"{value:.4f}" for value in size], "y": labels})


@pytest.mark.parametrize(
    ("rare", "other"), [("yes", "no"), ("betrügerisch, alt", "ok"), ("1", "0")]
)
def test_a_rare_positive_class_is_answered_where_f1_is_highest(
    rare: str, other: str, capsys: pytest.CaptureFixture[str]
) -> None:
    config = with_rare(10, 2000, f'"{rare}"', other)
    assert config.data.positive == rare
    assert config.model.threshold == Threshold(best="f1")
    why = f"0.5 % of the rows are {rare}: at 0.5 it would hardly be answered"
    assert f"threshold: f1  # {why}" in Path("model_config.yaml").read_text(encoding="utf-8")
    assert f"threshold: f1: {why}" in capsys.readouterr().out


def test_where_the_positive_class_is_the_frequent_one_f1_would_always_answer_it() -> None:
    config = with_rare(50, rare="bad_no", other="yes")
    assert config.data.positive == "yes"
    assert config.model.threshold == Threshold(best="balanced_accuracy")


def test_classes_of_a_fifth_or_more_have_none_and_no_word_of_it() -> None:
    assert with_rare(200).model.threshold is None
    assert "threshold" not in Path("model_config.yaml").read_text()
    assert with_rare(199).model.threshold is not None


def test_too_few_rows_to_choose_one_on_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert with_rare(9, 200).model.threshold is None
    assert "threshold: none: 4.5 % of the rows are yes" in capsys.readouterr().out
    assert "# none is: 4.5 % of the rows" in Path("model_config.yaml").read_text()
    assert with_rare(10, 200).model.threshold is not None


def test_several_classes_have_none() -> None:
    size = np.random.default_rng(0).normal(size=300)
    labels = ["rare" if at < 10 else "a" if at % 2 else "b" for at in range(300)]
    config = adopted({"size": [f"{value:.4f}" for value in size], "y": labels})
    assert config.data.task == "multiclass"
    assert config.model.threshold is None


def test_the_file_says_which_keys_it_lacks_and_they_are_some() -> None:
    with_rare(300)
    text = Path("model_config.yaml").read_text(encoding="utf-8")
    (named,) = re.findall(r"(?m)^# Yours to add: (.+) and others: docs/data.md$", text)
    for key in named.split(", "):
        block, _, field = key.partition(".")
        annotation = Config.model_fields[block].annotation
        assert annotation is not None
        assert field in annotation.model_fields, key
    assert "  # class_weight: balanced = " in text
    assert "quantile" not in text


def test_of_a_number_no_class_weight_is_named() -> None:
    size = np.random.default_rng(0).normal(size=(2, 300))
    adopted({"size": [f"{v:.4f}" for v in size[0]], "y": [f"{v:.4f}" for v in size[1]]})
    text = Path("model_config.yaml").read_text(encoding="utf-8")
    assert "class_weight" not in text
    assert "  # target: log = its logarithm is learned;  quantile: " in text
