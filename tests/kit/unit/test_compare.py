"""compare: answers of a shadow next to those of the champion."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ml_template.operations import compare
from ml_template.registry import champion
from ml_template.settings.config import InputError

CHAMPION, SHADOW = "1" * 64, "2" * 64


@pytest.fixture
def log(in_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two requests, the second of two rows; the shadow missed none and had one of its own.

    Each service made its own ids; the gateway sent the same x-request-id to both.
    """
    monkeypatch.setattr(champion, "read", lambda path: {"digest": CHAMPION})
    write(in_folder / "log" / "stable", CHAMPION, [("a", 0, 0.9), ("b", 0, 0.4), ("b", 1, 0.7)])
    answers = [("b", 1, 0.4), ("own", 0, 0.5), ("a", 0, 0.8), ("b", 0, 0.4)]
    write(in_folder / "log" / "shadow", SHADOW, answers)
    return in_folder / "log"


def write(folder: Path, model: str, answers: list[tuple[str, int, float]]) -> None:
    folder.mkdir(parents=True)
    with (folder / "1.jsonl").open("w") as file:
        for identifier, row, yes in answers:
            output = {"label": "yes" if yes > 0.5 else "no"}
            numbers = {"probability_no": 1 - yes, "probability_yes": yes}
            entry = {"id": f"{identifier}{model}", "sent": identifier, "row": row}
            entry |= {"time": "2026-01-01T00:00:00Z", "model": model}
            file.write(json.dumps(entry | {"output": output | numbers}) + "\n")


def test_rows_are_compared_by_request_and_row(
    log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    compare.run({"LOG": str(log)})
    found = json.loads(compare.COMPARED.read_text())
    assert list(found) == [SHADOW[:16]]
    said = found[SHADOW[:16]]
    assert said["rows"] == 3
    assert said["max_difference"] == pytest.approx(0.3)
    assert said["mean_difference"] == pytest.approx((0.3 + 0.1 + 0.0) / 3)
    assert said["changed_labels"] == pytest.approx(1 / 3)
    assert "33.33% of the labels changed" in capsys.readouterr().out


def test_logs_of_earlier_versions_are_compared_by_their_ids(log: Path) -> None:
    for path in log.rglob("*.jsonl"):
        entries = [json.loads(line) for line in path.read_text().splitlines()]
        for entry in entries:
            entry["id"] = entry.pop("sent")
        path.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    compare.run({"LOG": str(log)})
    assert json.loads(compare.COMPARED.read_text())[SHADOW[:16]]["rows"] == 3


def test_an_id_that_was_sent_twice_pairs_nothing(
    log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Anyone may send it: whose answer of the two the shadow's belongs to, nobody knows."""
    path = log / "stable" / "1.jsonl"
    again = json.loads(path.read_text().splitlines()[0]) | {"id": "other"}
    path.write_text(path.read_text() + json.dumps(again) + "\n")
    compare.run({"LOG": str(log)})
    assert json.loads(compare.COMPARED.read_text())[SHADOW[:16]]["rows"] == 2
    assert "1 answers repeat an x-request-id" in capsys.readouterr().out


def test_damaged_lines_are_left_out_and_named(
    log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = log / "stable" / "1.jsonl"
    path.write_bytes(b"\0\xff\n" + path.read_bytes() + b'{"id": "a"')
    compare.run({"LOG": str(log)})
    assert json.loads(compare.COMPARED.read_text())[SHADOW[:16]]["rows"] == 3
    assert "2 of 9 lines were left out, the first is " in capsys.readouterr().out


@pytest.mark.parametrize("side", ["stable", "shadow"])
@pytest.mark.parametrize(
    "change",
    [
        {"output": {"value": 1.0}},
        {"output": {"label": "yes", "probability_no": 0.5}},
        {"output": {"probability_no": 0.1, "probability_yes": 0.9}},
        {"output": {"value": 1.0}, "model": "another"},
    ],
)
def test_one_answer_of_other_names_is_left_out_and_named(
    change: dict[str, Any], side: str, log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = log / side / "1.jsonl"
    lines = path.read_text().splitlines()
    last = lines.pop()
    path.write_text("\n".join([*lines, json.dumps(json.loads(last) | change)]) + "\n")
    compare.run({"LOG": str(log)})
    assert json.loads(compare.COMPARED.read_text())[SHADOW[:16]]["rows"] == 2
    is_pair = side == "shadow" or "model" not in change
    said = capsys.readouterr().out
    named = f"shadow/1.jsonl: line {4 if side == 'shadow' else 1}: their answers cannot be compared"
    assert (named in said) == is_pair


def test_numbers_whose_difference_is_none_are_left_out_and_large_ones_compared() -> None:
    far = ({"value": -1e308}, {"value": 1.7e308})
    assert not compare._comparable(*far)
    near = ({"value": 0.0}, {"value": 1.7e308})
    assert compare._comparable(*near)
    assert compare.difference([near, near]) == (2, 1.7e308, 1.7e308, 0.0)


def test_values_have_no_labels() -> None:
    found = compare.difference([({"value": 1.0}, {"value": 1.5}), ({"value": 2.0}, {"value": 2.0})])
    assert found == (2, 0.5, 0.25, 0.0)


def test_requests_that_are_not_those_of_the_champion_are_refused(log: Path) -> None:
    (log / "stable" / "1.jsonl").write_text("")
    with pytest.raises(InputError, match="x-request-id"):
        compare.run({"LOG": str(log)})
    assert not compare.COMPARED.exists()
