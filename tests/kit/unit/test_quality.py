"""Labels that came late: the model that is tried next to stable, on labels of the same time."""

from __future__ import annotations

import csv
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from ml_template.operations import quality
from ml_template.settings.config import InputError, Metrics, ModelSpec

USUAL, TRIED = "1" * 64, "2" * 64


@pytest.fixture
def labelled(in_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where labelled answers stand, of a model with two classes."""
    data = SimpleNamespace(task="binary", labels=("no", "yes"), positive="yes", weight=None)
    monitoring = SimpleNamespace(min_rows=500, max_drop=0.02)
    parts = {"data": data, "metrics": Metrics(), "monitoring": monitoring, "model": ModelSpec()}
    config = SimpleNamespace(**parts, seed=7)
    monkeypatch.setattr(quality, "load_config", lambda: config)
    quality.LABELLED.parent.mkdir()
    return quality.LABELLED


def write(path: Path, *answers: tuple[str, str, int, float]) -> None:
    """Labelled answers of (model, day, rows, share of noise in the probability)."""
    random = np.random.default_rng(7)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        names = ["predicted_probability_no", "predicted_probability_yes"]
        writer.writerow(["id", "row", "time", "model", *names, "label"])
        for model, day, rows, noise in answers:
            for number in range(rows):
                truth = number % 2
                chance = (1 - noise) * truth + noise * random.random()
                fixed = [number, 0, f"2026-01-{day}T00:00:00Z", model]
                writer.writerow([*fixed, 1 - chance, chance, ("no", "yes")[truth]])


def test_a_worse_model_lies_below_stable(labelled: Path) -> None:
    write(labelled, (USUAL, "02", 600, 0.6), (TRIED, "02", 600, 1.0))
    usual, tried = quality.compare(USUAL, TRIED)
    assert usual
    assert tried
    assert tried[1] < usual[0]


def test_a_model_as_good_as_stable_does_not(labelled: Path) -> None:
    write(labelled, (USUAL, "02", 600, 0.8), (TRIED, "02", 600, 0.8))
    usual, tried = quality.compare(USUAL, TRIED)
    assert usual
    assert tried
    assert tried[1] >= usual[0]


def test_labels_from_before_the_rollout_are_not_judged(labelled: Path) -> None:
    write(labelled, (USUAL, "01", 600, 0.5), (TRIED, "02", 600, 1.0), (USUAL, "03", 600, 1.0))
    usual, tried = quality.compare(USUAL, TRIED)
    assert usual
    assert tried
    assert tried[1] >= usual[0]
    write(labelled, (USUAL, "01", 600, 0.5), (TRIED, "02", 600, 1.0))
    assert quality.compare(USUAL, TRIED) == (None, None)


def test_too_few_labels_are_none(labelled: Path) -> None:
    assert quality.compare(USUAL, TRIED) == (None, None)
    write(labelled, (USUAL, "02", 600, 0.6), (TRIED, "02", 60, 1.0))
    assert quality.compare(USUAL, TRIED) == (None, None)


@pytest.mark.parametrize(
    "line",
    [
        b"\xff\xfe\0",
        b"x,0,2026-01-02T00:00:00Z," + TRIED.encode() + b",0.5,,yes",
        b"x,0,2026-01-02T00:00:00Z," + TRIED.encode() + b",0.5,nan,yes",
        b"x,0,2026-01-02T00:00:00Z," + TRIED.encode() + b",0.5,0.5,maybe",
        b"x,0,," + TRIED.encode() + b",0.5,0.5,yes",
        b'"x,0,2026',
        b"x" * 200_000,
    ],
)
def test_a_damaged_line_is_left_out_and_named(
    line: bytes, labelled: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(labelled, (USUAL, "02", 600, 0.6), (TRIED, "02", 600, 1.0))
    whole = quality.compare(USUAL, TRIED)
    head, rest = labelled.read_bytes().split(b"\r\n", 1)
    labelled.write_bytes(head + b"\r\n" + line + b"\r\n" + rest)
    assert quality.compare(USUAL, TRIED) == whole
    if TRIED.encode() in line or len(line) < 10:
        assert "1 of 1,201 lines were left out, the first is " in capsys.readouterr().out


def test_labels_of_other_models_only_are_said_to_be(labelled: Path) -> None:
    write(labelled, (USUAL, "02", 600, 0.6))
    model = SimpleNamespace(digest=TRIED)
    with pytest.raises(InputError, match="nor of any model that is kept here: run `make join`"):
        quality.measure(model, {"metrics": {}}, quality.load_config())
    before = Path("models") / USUAL[:16]  # an earlier champion: the new one has no labels yet
    before.mkdir(parents=True)
    (before / "model.json").touch()
    found = quality.measure(model, {"metrics": {}}, quality.load_config())
    assert found["verdict"] == "not enough data"
    assert "labels, none of an answer of this champion" in found["reason"]


def test_a_damaged_file_is_refused_with_the_remedy(labelled: Path) -> None:
    labelled.write_text("id,label\n1,yes\n")
    with pytest.raises(InputError, match="run `make join`"):
        quality.compare(USUAL, TRIED)


def test_quality_over_time_has_parts_of_enough_labels_in_their_order(labelled: Path) -> None:
    write(labelled, (TRIED, "03", 600, 1.0), (TRIED, "02", 600, 0.3), (TRIED, "04", 599, 1.0))
    config = quality.load_config()
    answered = quality._read(labelled, TRIED, ("no", "yes"))[0]
    found = quality._over(answered, config)
    assert [part["rows"] for part in found] == [600, 600, 599]
    assert [part["from"][8:10] for part in found] == ["02", "03", "04"]
    assert found[0]["value"] > found[1]["high"]
    assert quality._over(answered.since("2026-01-04"), config) == []


def test_each_model_is_judged_by_what_it_answered_not_by_a_half(labelled: Path) -> None:
    chosen: Any = quality.load_config()
    chosen.metrics = Metrics(headline="accuracy")
    names = ["predicted_label", "predicted_probability_no", "predicted_probability_yes"]
    with labelled.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "row", "time", "model", *names, "label"])
        for model, threshold in ((USUAL, 0.5), (TRIED, 0.2)):
            for number in range(600):
                chance, label = (0.3, "yes") if number % 2 else (0.1, "no")
                said = "yes" if chance >= threshold else "no"
                answer = [said, 1 - chance, chance, label]
                writer.writerow([number, 0, "2026-01-02T00:00:00Z", model, *answer])
    usual, tried = quality.compare(USUAL, TRIED)
    assert tried == (1.0, 1.0)
    assert usual
    assert usual[1] < 0.6


@pytest.mark.parametrize("weight", [None, "cases"])
def test_a_figure_of_rows_that_counted_otherwise_than_labels_is_said_to_be_one(
    labelled: Path, weight: str | None
) -> None:
    write(labelled, (TRIED, "02", 600, 0.6))
    config: Any = quality.load_config()
    config.data.weight = weight
    kept: Any = {"metrics": {"roc_auc": {"value": 0.9, "low": 0.8, "high": 1.0}}}
    found = quality.measure(SimpleNamespace(digest=TRIED), kept, config)  # type: ignore[arg-type]
    said = "0.9 on the hold-out, by data.weight, which labels have not"
    assert (said in found["reason"], found["verdict"]) == (bool(weight), "kept")
