"""The prediction log keeps what it may, never delays an answer, and takes labels later."""

from __future__ import annotations

import csv
import http.client
import json
import os
import re
import resource
import shutil
import threading
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from ml_template.operations import join, lines, prediction_log
from ml_template.serving import log
from ml_template.serving.predict import Predict
from ml_template.serving.settings import Settings, read_settings
from ml_template.settings.config import InputError
from ml_template.storage.files import locked

from ..conftest import Trained
from .conftest import Service


def logged(trained: Trained, service: Service, folder: Path, **settings: object) -> list[dict]:
    """Lines of the log after two requests, a of one record and b of two."""
    predict = Predict(trained.model, Settings(log=str(folder), **settings))
    for identifier, count in (("a", 1), ("b", 2)):
        body = json.dumps({"records": [service.example] * count}).encode()
        predict.answer(body, (identifier, ""))
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
    monkeypatch.setattr(log, "MAX_WAITING", 1000)
    monkeypatch.setattr(log.PredictionLog, "_write", lambda self: None)
    dropped: list[int] = []
    behind = log.PredictionLog(Settings(log=str(tmp_path)), dropped.append)
    for held in (5000, 600, 600):  # the first is too large, and nothing else waits
        behind.add(list, 7, held)
    assert dropped == [7, 7]
    behind = log.PredictionLog(Settings(log=str(tmp_path)), dropped.append)
    for held in (600, 300, 300, 100):
        behind.add(list, 2, held)
    assert dropped == [7, 7, 2]


@pytest.mark.parametrize("rows", [1, 100])
@pytest.mark.parametrize("allowed", [False, True])
def test_a_disk_that_hangs_costs_no_more_memory_than_may_wait(
    allowed: bool,
    rows: int,
    trained: Trained,
    service: Service,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A pipe that nobody reads stands for it. All is counted that is not written."""
    monkeypatch.setattr(log, "MAX_WAITING", 400_000)
    monkeypatch.setattr(log, "PATIENCE", 0.1)
    predict = Predict(trained.model, Settings(log=str(tmp_path / "log"), log_features=allowed))
    (path,) = (tmp_path / "log").glob(log.FILES)
    path.unlink()
    os.mkfifo(path)
    body = json.dumps({"records": [service.example] * rows}).encode()
    predict.answer(body, ("first", ""))
    tracemalloc.start()
    try:
        requests = 2_000_000 // (len(body) * (10 if allowed else 2))
        for number in range(requests):
            predict.answer(body, (f"{number:032x}", ""))
        held = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert held < 800_000
    dropped = predict.metrics.dropped._value.get()
    waits = predict.log._rows
    assert dropped + waits == rows * (requests + 1)
    assert waits
    predict.close()
    assert f"the disk hangs: {waits} lines are lost" in caplog.text
    os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))  # the thread goes on


def files(folder: Path) -> int:
    """Bytes of all that lies there, but for the one lock of the log."""
    return sum(path.stat().st_size for path in folder.iterdir() if path.name != ".log.lock")


def test_a_log_is_bounded_on_the_disk(trained: Trained, service: Service, tmp_path: Path) -> None:
    predict = Predict(trained.model, Settings(log=str(tmp_path), log_bytes=4000))
    body = json.dumps({"records": [service.example]}).encode()
    for number in range(100):
        predict.answer(body, (f"x{number}", ""))
    predict.close()
    assert 1000 < files(tmp_path) <= 4000
    assert '"x99"' in "".join(path.read_text() for path in tmp_path.iterdir())


def test_what_earlier_starts_left_counts_and_the_oldest_goes(tmp_path: Path) -> None:
    old = [
        tmp_path / name
        for name in ("20250101T000000-7.old.jsonl", "20250101T000000-7.jsonl", "notes.jsonl")
    ]
    for age, path in enumerate(old):
        path.write_bytes(b"x" * 1500)
        os.utime(path, (1000 + age, 1000 + age))
    for number in range(20):
        kept = log.PredictionLog(Settings(log=str(tmp_path), log_bytes=4000), print)
        kept.add(lambda number=number: [{"id": f"{number}" * 100}], 1, 1)
        kept.close()
        assert files(tmp_path) <= 1500 + 4000
        assert old[1].exists() or number > 3
    assert not old[0].exists()
    assert not old[1].exists()
    assert old[2].exists()  # the log writes no file of that name
    assert "19" * 100 in "".join(path.read_text() for path in tmp_path.glob(log.FILES))


def test_starts_that_answer_nothing_leave_one_file_and_the_next_line_makes_one(
    tmp_path: Path,
) -> None:
    for _ in range(3):
        log.PredictionLog(Settings(log=str(tmp_path)), print).close()
    assert len(list(tmp_path.glob(log.FILES))) == 1
    kept = log.PredictionLog(Settings(log=str(tmp_path)), print)
    kept.add(lambda: [{"id": "first"}], 1, 1)
    kept.close()
    texts = sorted(path.read_text() for path in tmp_path.glob(log.FILES))
    assert texts == ["", '{"id": "first"}\n']


def test_empty_files_of_earlier_starts_go_and_those_about_to_be_written_stay(
    tmp_path: Path,
) -> None:
    names = ("20250101T000000-7.jsonl", "20250101T000000-8.jsonl", "20250101T000000-9.jsonl")
    old, new, full = (tmp_path / name for name in names)
    for path in (old, new, full):
        path.touch()
    full.write_text("{}\n")
    for path in (old, full):
        os.utime(path, (1000, 1000))
    kept = log.PredictionLog(Settings(log=str(tmp_path)), print)
    kept.add(lambda: [{"id": "first"}], 1, 1)
    kept.close()
    assert [path.exists() for path in (old, new, full)] == [False, True, True]


def test_processes_that_share_a_folder_keep_one_bound(tmp_path: Path) -> None:
    """Three of them write by turns."""
    settings = Settings(log=str(tmp_path), log_bytes=6000, log_writers=3)
    logs = [log.PredictionLog(settings, print) for _ in range(3)]
    most = 0
    for number in range(60):
        writer = logs[number % 3]
        writer.add(lambda number=number: [{"id": f"{number:0300}"}], 1, 1)
        wait_for(lambda writer=writer: writer._rows == 0)
        most = max(most, files(tmp_path))
    for writer in logs:
        writer.close()
    assert 3000 <= most <= 6000


def test_a_file_is_begun_by_one_process_at_a_time(tmp_path: Path) -> None:
    kept: list[log.PredictionLog] = []
    settings = Settings(log=str(tmp_path))
    other = threading.Thread(target=lambda: kept.append(log.PredictionLog(settings, print)))
    with locked(tmp_path / "log"):  # as one does that makes room
        other.start()
        other.join(0.5)
        assert not list(tmp_path.glob(log.FILES))
    other.join()
    kept[0].close()
    assert len(list(tmp_path.glob(log.FILES))) == 1


@pytest.mark.parametrize("umask", [0, 0o022, 0o777])
def test_only_the_owner_can_read_the_log(umask: int, tmp_path: Path) -> None:
    folder, before = tmp_path / "log", os.umask(umask)
    try:
        kept = log.PredictionLog(Settings(log=str(folder), log_bytes=1000), print)
        for _ in range(5):
            kept.add(lambda: [{"id": "x" * 300}], 1, 1)
        kept.close()
    finally:
        os.umask(before)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


def test_a_log_of_earlier_versions_is_closed_and_a_folder_of_other_files_left_as_it_is(
    tmp_path: Path,
) -> None:
    for name, more in (("own", [".log.lock"]), ("shared", ["notes.txt"])):
        folder = tmp_path / name
        folder.mkdir(0o755)
        for each in ("20250101T000000-7.jsonl", *more):
            (folder / each).write_text("{}\n")
            (folder / each).chmod(0o644)
        log.make_folder(str(folder))
        assert (folder / "20250101T000000-7.jsonl").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "own").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "shared").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "shared/notes.txt").stat().st_mode & 0o777 == 0o644


def test_an_entry_larger_than_a_file_of_the_log_is_dropped_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    dropped: list[int] = []
    kept = log.PredictionLog(Settings(log=str(tmp_path), log_bytes=1000), dropped.append)
    kept.add(lambda: [{"id": "x" * 300}] * 3, 3, 1)
    kept.close()
    assert (dropped, files(tmp_path)) == ([3], 0)
    assert "raise SERVE_LOG_BYTES" in caplog.text


def test_a_log_whose_folder_is_taken_away_goes_on_in_a_new_one(
    trained: Trained, service: Service, tmp_path: Path
) -> None:
    folder = tmp_path / "log"
    predict = Predict(trained.model, Settings(log=str(folder), log_bytes=4000))
    body = json.dumps({"records": [service.example]}).encode()
    predict.answer(body, ("x", ""))
    wait_for(lambda: files(folder) > 0)
    shutil.rmtree(folder)
    for _ in range(50):
        predict.answer(body, ("y", ""))
    predict.close()
    assert '"y"' in next(folder.glob("*.jsonl")).read_text(encoding="utf-8")


def test_a_full_disk_loses_whole_lines_and_says_so_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    dropped: list[int] = []
    kept = log.PredictionLog(Settings(log=str(tmp_path)), dropped.append)
    full = resource.getrlimit(resource.RLIMIT_FSIZE)
    kept.add(lambda: [{"id": "first"}], 1, 1)
    wait_for(lambda: files(tmp_path) > 0)
    resource.setrlimit(resource.RLIMIT_FSIZE, (30, full[1]))
    try:
        for _ in range(3):
            kept.add(lambda: [{"id": "second"}], 1, 1)
        wait_for(lambda: len(dropped) == 3)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, full)
    kept.add(lambda: [{"id": "third"}], 1, 1)
    kept.close()
    lines = next(tmp_path.glob("*.jsonl")).read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["id"] for line in lines] == ["first", "third"]
    assert caplog.text.count("prediction log:") == 1


def ask(service: Service, sent: str = "") -> tuple[str, bytes]:
    """The id of an answer, and the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=30)
    headers = {"content-type": "application/json"} | ({"x-request-id": sent} if sent else {})
    try:
        body = json.dumps({"records": [service.example]})
        connection.request("POST", "/predict", body, headers)
        answer = connection.getresponse()
        return str(answer.getheader("x-request-id")), answer.read()
    finally:
        connection.close()


def test_ids_of_answers_have_nothing_in_common_and_are_none_that_was_sent(
    service: Service,
) -> None:
    ids = [ask(service)[0] for _ in range(20)]
    ids += [ask(service, sent)[0] for sent in (*ids[:5], "order-1", "order-1")]
    assert len(set(ids)) == 27
    assert all(re.fullmatch("[0-9a-f]{32}", each) for each in ids)
    assert len({each[:8] for each in ids}) == len({each[-8:] for each in ids}) == 27


def test_labels_stand_at_the_answers_they_are_of_whoever_sent_their_ids(
    trained: Trained, service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Honest clients report the ids of their answers; another sends each one before and after."""
    predict = Predict(trained.model, Settings(log=str(tmp_path / "log")))
    monkeypatch.setattr(service.predict, "log", predict.log)
    honest = [ask(service, "order-1")[0] for _ in range(3)]
    for each in [*honest, "order-1"]:
        ask(service, each)
    predict.close()
    label = trained.config.data.classes[0] if trained.config.data.classes else "1.5"
    source = tmp_path / "labels.csv"
    source.write_text("id,label\n" + "".join(f"{each},{label}\n" for each in honest))
    join.run({"LABELS": str(source), "LOG": str(tmp_path / "log")})
    with join.LABELLED.open(encoding="utf-8", newline="") as file:
        assert [row["id"] for row in csv.DictReader(file)] == honest
    source.write_text(f"id,label\norder-1,{label}\n")
    with pytest.raises(InputError, match="what clients sent as x-request-id"):
        join.run({"LABELS": str(source), "LOG": str(tmp_path / "log")})
    logged = prediction_log.entries(tmp_path / "log", prediction_log.KEYS, lines.Left())
    entries = [entry for _, entry in logged]
    assert [entry["sent"] for entry in entries] == ["order-1"] * 3 + honest + ["order-1"]


def test_labels_that_come_later_are_joined(
    trained: Trained, service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "log"
    logged(trained, service, folder)
    label = trained.config.data.classes[0] if trained.config.data.classes else "1.5"
    source = tmp_path / "labels.csv"
    source.write_text(f"id,row,label\nb,1,{label}\na,0,{label}\nnever,0,{label}\n")
    join.run({"LABELS": str(source), "LOG": str(folder)})
    with join.LABELLED.open(encoding="utf-8", newline="") as file:
        joined = [(row["id"], row["row"], row["label"]) for row in csv.DictReader(file)]
    assert joined == [("a", "0", label), ("b", "1", label)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id\na\n", "has no column 'label'"),
        ("id,row,label\na,x,1\n", "line 2: row must be"),
        ("id,label\na,nan\n", "line 2: label must be"),
        ("label,id\nnever\n", "line 2: it has no id"),
        ("id,label\n\xe4,1\n", "line 2: it is no line of UTF-8"),
        ("id,labe\xe4\n", "is not UTF-8 text"),
        ("id,label\n", "has no label"),
    ],
)
def test_a_wrong_file_of_labels_is_refused(
    text: str, message: str, trained: Trained, service: Service, tmp_path: Path
) -> None:
    logged(trained, service, tmp_path / "log")
    source = tmp_path / "labels.csv"
    source.write_text(text, encoding="latin-1")
    with pytest.raises(InputError, match=message):
        join.run({"LABELS": str(source), "LOG": str(tmp_path / "log")})


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
