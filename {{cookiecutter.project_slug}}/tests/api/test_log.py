"""The prediction log keeps what it may, never delays an answer, and takes labels later."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from {{ cookiecutter.package_name }}.config import InputError
from {{ cookiecutter.package_name }}.operations import labels
from {{ cookiecutter.package_name }}.serving import log
from {{ cookiecutter.package_name }}.serving.predict import Predict
from {{ cookiecutter.package_name }}.serving.settings import Settings, read_settings

from ..conftest import Trained
from .conftest import Service


def logged(trained: Trained, service: Service, folder: Path, **settings: object) -> list[dict]:
    """Lines of the log after two requests, a of one record and b of two."""
    predict = Predict(trained.model, Settings(log=str(folder), **settings))
    for identifier, count in ((b"a", 1), (b"b", 2)):
        body = json.dumps({"records": [service.example] * count}).encode()
        predict.answer(body, identifier)
    predict.close()
    texts = [path.read_text(encoding="utf-8") for path in folder.glob("*.jsonl")]
    return [json.loads(line) for text in texts for line in text.splitlines()]


def test_each_record_of_a_logged_request_has_its_line(
    trained: Trained, service: Service, tmp_path: Path
) -> None:
    lines = logged(trained, service, tmp_path / "log")
    assert [(line["id"], line["row"]) for line in lines] == [("a", 0), ("b", 0), ("b", 1)]
    assert {line["model"] for line in lines} == {trained.model.digest}


@pytest.mark.parametrize("allowed", [False, True])
def test_t45_features_are_logged_only_where_that_was_allowed(
    allowed: bool, trained: Trained, service: Service, tmp_path: Path
) -> None:
    for line in logged(trained, service, tmp_path / "log", log_features=allowed):
        assert ("features" in line) == allowed


def test_a_log_that_falls_behind_drops_lines_and_counts_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "MAX_WAITING", 1)
    monkeypatch.setattr(log.PredictionLog, "_write", lambda self: None)
    dropped: list[int] = []
    behind = log.PredictionLog(Settings(log=str(tmp_path)), lambda: dropped.append(1))
    for _ in range(3):
        behind.add(list)
    assert len(dropped) == 2


def test_a_log_is_bounded_on_the_disk(trained: Trained, service: Service, tmp_path: Path) -> None:
    predict = Predict(trained.model, Settings(log=str(tmp_path), log_bytes=2000))
    body = json.dumps({"records": [service.example]}).encode()
    for _ in range(100):
        predict.answer(body, b"x")
    predict.close()
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 3000


def test_labels_that_come_later_are_joined(
    trained: Trained, service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "log"
    logged(trained, service, folder)
    label = trained.config.data.classes[0] if trained.config.data.classes else "1.5"
    source = tmp_path / "labels.csv"
    source.write_text(f"id,row,label\nb,1,{label}\na,0,{label}\nnever,0,{label}\n")
    labels.join({"LABELS": str(source), "LOG": str(folder)})
    with labels.JOINED.open(encoding="utf-8", newline="") as file:
        joined = [(row["id"], row["row"], row["label"]) for row in csv.DictReader(file)]
    assert joined == [("a", "0", label), ("b", "1", label)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id\na\n", "needs the columns"),
        ("id,row,label\na,x,1\n", "line 2: row must be"),
        ("id,label\na,nan\n", "line 2: label must be"),
    ],
)
def test_a_wrong_file_of_labels_is_refused(
    text: str, message: str, trained: Trained, service: Service, tmp_path: Path
) -> None:
    logged(trained, service, tmp_path / "log")
    source = tmp_path / "labels.csv"
    source.write_text(text)
    with pytest.raises(InputError, match=message):
        labels.join({"LABELS": str(source), "LOG": str(tmp_path / "log")})


@pytest.mark.parametrize(
    ("name", "value"), [("SERVE_MAX_ROW", "1"), ("SERVE_MAX_ROWS", "0"), ("SERVE_LOG_SHARE", "nan")]
)
def test_a_wrong_setting_of_the_service_is_named(name: str, value: str) -> None:
    with pytest.raises(InputError, match=name):
        read_settings({name: value})
