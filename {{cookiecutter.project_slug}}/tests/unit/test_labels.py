"""Labels are put to every answer of their request; a line that no service writes is named."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest

from {{ cookiecutter.package_name }}.config import InputError, load_config
from {{ cookiecutter.package_name }}.operations import labels, window

from ..conftest import ROOT

STABLE, SHADOW = "1" * 64, "2" * 64
ENTRY = {
    "id": "x",
    "row": 0,
    "time": "2026-01-01T10:00:00.000+00:00",
    "model": STABLE,
    "milliseconds": 1.5,
    "output": {"probability_no": 0.75, "probability_yes": 0.25, "label": "no"},
    "features": {"age": 31, "member": True, "city": None, "name": "Zoë", "ratio": float("nan")},
}


def log(lines: list[Any], end: bytes = b"\n") -> Path:
    folder = Path("log")
    folder.mkdir(exist_ok=True)
    texts = [json.dumps(line, ensure_ascii=False).encode() for line in lines]
    (folder / "1.jsonl").write_bytes(b"\n".join(texts) + end)
    return folder


def test_a_label_counts_for_every_model_that_answered_the_request(
    in_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = load_config(ROOT / "model_config.yaml")
    monkeypatch.setattr(labels, "load_config", lambda: config)
    label = config.data.labels[0] if config.data.labels else "1.5"
    answers = [ENTRY | {"id": f"r{n}", "model": m} for n in range(3) for m in (SHADOW, STABLE)]
    folder = log([*answers, answers[0]])
    Path("labels.csv").write_text(f"id,label\nr0,{label}\nr2,{label}\nnever,{label}\n")
    labels.join({"LABELS": "labels.csv", "LOG": str(folder)})
    with labels.LABELLED.open(newline="") as file:
        joined = [(row["model"], row["id"]) for row in csv.DictReader(file)]
    assert joined == [(SHADOW, "r0"), (STABLE, "r0"), (SHADOW, "r2"), (STABLE, "r2")]
    said = capsys.readouterr().out
    assert "4 predictions of 2 models have their label now" in said
    assert "1 have no logged prediction; 1 predictions share an id" in said
    assert "replaced" not in said
    labels.join({"LABELS": "labels.csv", "LOG": str(folder)})
    assert "those joined before are replaced" in capsys.readouterr().out


def test_a_feature_takes_the_place_of_no_other_column(
    in_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = load_config(ROOT / "model_config.yaml")
    monkeypatch.setattr(labels, "load_config", lambda: config)
    label = config.data.labels[0] if config.data.labels else "1.5"
    features = {"label": "of the record", "time": "noon", "predicted_label": "maybe"}
    folder = log([ENTRY | {"features": features}])
    Path("labels.csv").write_text(f"id,label\nx,{label}\n")
    labels.join({"LABELS": "labels.csv", "LOG": str(folder)})
    with labels.LABELLED.open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["label"] == label
    assert (row["time"], row["predicted_label"]) == (ENTRY["time"], "no")
    assert {name: row[f"feature_{name}"] for name in features} == features


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", 5),
        ("row", "0"),
        ("row", -1),
        ("time", "today"),
        ("time", "2026-01-01T10:00:00"),
        ("time", 5),
        ("model", None),
        ("milliseconds", None),
        ("milliseconds", float("inf")),
        ("output", "no"),
        ("output", {"label": "no"}),
        ("output", {"probability_no": None, "label": "no"}),
        ("output", {"probability_no": float("nan"), "label": "no"}),
        ("output", {"probability_no": 10**400, "label": "no"}),
        ("output", {"probability_no": 0.5, "label": 1}),
        ("features", "age"),
        ("features", {"age": [31]}),
    ],
)
def test_a_field_of_another_form_is_named_with_its_line(
    field: str, value: Any, in_folder: Path
) -> None:
    folder = log([ENTRY, ENTRY | {field: value}, ENTRY])
    with pytest.raises(InputError, match=rf"1\.jsonl: line 2 is damaged: .*its {field} ") as error:
        list(labels.entries(folder, labels.KEYS))
    assert str(value) not in str(error.value).partition("damaged")[2] or len(str(value)) < 4


@pytest.mark.parametrize("line", [5, None, [], {"id": "x"}])
def test_a_line_that_is_no_entry_is_named(line: Any, in_folder: Path) -> None:
    with pytest.raises(InputError, match="line 1 is damaged"):
        list(labels.entries(log([line]), labels.KEYS))


def test_a_whole_entry_is_taken_as_it_is(in_folder: Path) -> None:
    (found,) = labels.entries(log([ENTRY]), labels.KEYS)
    assert found.keys() == ENTRY.keys()


@pytest.mark.parametrize("cut", [-1, -4, -20])
def test_a_last_line_that_is_cut_is_left_out(cut: int, in_folder: Path) -> None:
    """The second cut lies within a letter of two bytes."""
    last = json.dumps(ENTRY | {"features": {"n": "Zoë"}}, ensure_ascii=False).encode()
    folder = log([ENTRY], b"\n" + last[:cut])
    assert len(list(labels.entries(folder, labels.KEYS))) == 1
    with pytest.raises(InputError, match="line 2 is damaged"):
        list(labels.entries(log([ENTRY], b"\n" + last[:cut] + b"\n"), labels.KEYS))


def test_a_logged_value_of_another_type_is_named_and_not_told() -> None:
    config = load_config(ROOT / "model_config.yaml")
    name = next((n for n, c in config.features.items() if c.type in ("numeric", "boolean")), None)
    if name is None:
        pytest.skip("needs a column that is no text")
    with pytest.raises(InputError, match=f"the log has a '{re.escape(name)}' that is not") as error:
        window._inputs([{"features": {name: "Ann Example"}}], config.columns)
    assert "Ann" not in str(error.value)


def test_rows_of_several_time_zones_are_put_in_their_order(in_folder: Path) -> None:
    late = ENTRY | {"time": "2026-01-01T09:30:00-02:00"}
    found = window.read_log(log([late, ENTRY]), STABLE)
    assert [entry["time"] for entry in found.entries] == [ENTRY["time"], late["time"]]
