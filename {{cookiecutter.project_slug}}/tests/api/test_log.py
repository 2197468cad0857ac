"""The prediction log keeps what it may, never delays an answer, and takes labels later."""

from __future__ import annotations

import csv
import json
import resource
import shutil
import time
from collections.abc import Callable
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


def wait_for(happened: Callable[[], bool]) -> None:
    """Return as soon as the other thread has done it; fail after 10 s."""
    for _ in range(1000):
        if happened():
            return
        time.sleep(0.01)
    raise AssertionError("it did not happen")


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


def test_a_log_whose_folder_is_taken_away_goes_on_in_a_new_one(
    trained: Trained, service: Service, tmp_path: Path
) -> None:
    folder = tmp_path / "log"
    predict = Predict(trained.model, Settings(log=str(folder), log_bytes=2000))
    body = json.dumps({"records": [service.example]}).encode()
    predict.answer(body, b"x")
    wait_for(lambda: any(path.stat().st_size for path in folder.iterdir()))
    shutil.rmtree(folder)
    for _ in range(50):
        predict.answer(body, b"y")
    predict.close()
    assert '"y"' in next(folder.glob("*.jsonl")).read_text(encoding="utf-8")


def test_a_full_disk_loses_whole_lines_and_says_so_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    dropped: list[int] = []
    kept = log.PredictionLog(Settings(log=str(tmp_path)), lambda: dropped.append(1))
    full = resource.getrlimit(resource.RLIMIT_FSIZE)
    kept.add(lambda: [{"id": "first"}])
    wait_for(lambda: any(path.stat().st_size for path in tmp_path.iterdir()))
    resource.setrlimit(resource.RLIMIT_FSIZE, (30, full[1]))
    try:
        for _ in range(3):
            kept.add(lambda: [{"id": "second"}])
        wait_for(lambda: len(dropped) == 3)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, full)
    kept.add(lambda: [{"id": "third"}])
    kept.close()
    lines = next(tmp_path.glob("*.jsonl")).read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["id"] for line in lines] == ["first", "third"]
    assert caplog.text.count("prediction log:") == 1


def test_predictions_that_share_an_id_are_not_joined_silently(
    trained: Trained,
    service: Service,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    predict = Predict(trained.model, Settings(log=str(tmp_path / "log")))
    for _ in range(3):
        predict.answer(json.dumps({"records": [service.example]}).encode(), b"same")
    predict.close()
    label = trained.config.data.classes[0] if trained.config.data.classes else "1.5"
    source = tmp_path / "labels.csv"
    source.write_text(f"id,label\nsame,{label}\n")
    labels.join({"LABELS": str(source), "LOG": str(tmp_path / "log")})
    assert "2 predictions share an id" in capsys.readouterr().out


def test_labels_that_come_later_are_joined(
    trained: Trained, service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "log"
    logged(trained, service, folder)
    label = trained.config.data.classes[0] if trained.config.data.classes else "1.5"
    source = tmp_path / "labels.csv"
    source.write_text(f"id,row,label\nb,1,{label}\na,0,{label}\nnever,0,{label}\n")
    labels.join({"LABELS": str(source), "LOG": str(folder)})
    with labels.LABELLED.open(encoding="utf-8", newline="") as file:
        joined = [(row["id"], row["row"], row["label"]) for row in csv.DictReader(file)]
    assert joined == [("a", "0", label), ("b", "1", label)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id\na\n", "needs the columns"),
        ("id,row,label\na,x,1\n", "line 2: row must be"),
        ("id,label\na,nan\n", "line 2: label must be"),
        ("label,id\nnever\n", "line 2: label must be"),
        ("id,label\n\xe4,1\n", "is not UTF-8 text"),
        ('id,label\n"' + "a" * 200_000 + '",1\n', "cannot be read"),
    ],
)
def test_a_wrong_file_of_labels_is_refused(
    text: str, message: str, trained: Trained, service: Service, tmp_path: Path
) -> None:
    logged(trained, service, tmp_path / "log")
    source = tmp_path / "labels.csv"
    source.write_text(text, encoding="latin-1")
    with pytest.raises(InputError, match=message):
        labels.join({"LABELS": str(source), "LOG": str(tmp_path / "log")})


def test_a_folder_of_the_log_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"SERVE_LOG=.*name another folder"):
        log.make_folder(str(tmp_path / "file" / "log"))


@pytest.mark.parametrize(
    ("name", "value"), [("SERVE_MAX_ROW", "1"), ("SERVE_MAX_ROWS", "0"), ("SERVE_LOG_SHARE", "nan")]
)
def test_a_wrong_setting_of_the_service_is_named(name: str, value: str) -> None:
    with pytest.raises(InputError, match=name):
        read_settings({name: value})
