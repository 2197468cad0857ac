"""Monitoring looks at what was served; retraining needs a trigger and no brake."""

from __future__ import annotations

import http.server
import json
import re
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ml_template import command_line
from ml_template.operations import monitor, prometheus, promote, retrain, rollback
from ml_template.pipeline.judgement import gate, register
from ml_template.registry import champion
from ml_template.settings.config import Column, InputError, load_config
from ml_template.storage import places
from ml_template.storage.files import digest_json, locked
from ml_template.tables import table
from prometheus_client.parser import text_string_to_metric_families

WHY = "the bank changed its terms"


@pytest.fixture
def served(project: Path) -> Path:
    """The project with a champion."""
    assert gate.run()
    assert register.run()
    return project


@pytest.fixture
def started(served: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """The pipelines that retraining started."""
    runs: list[tuple[str, ...]] = []
    monkeypatch.setattr(command_line, "run", lambda words: runs.append(tuple(words)) or 0)
    return runs


def change_code(monkeypatch: pytest.MonkeyPatch, name: str = "1") -> None:
    kept = retrain.lineage.digests
    monkeypatch.setattr(retrain.lineage, "digests", lambda config: kept(config) | {"code": name})


def test_the_training_table_is_steady_and_the_time_of_the_look_is_told(served: Path) -> None:
    rows = table.rows(table.columns_of(table.read_raw(load_config())))
    code = monitor.run({"DATA": load_config().data.path})
    enough = rows >= load_config().monitoring.min_rows
    assert code == (monitor.STEADY if enough else monitor.TOO_LITTLE)
    text = monitor.METRICS.read_text()
    assert "monitor_last_run_timestamp_seconds 1" in text
    assert "monitor_alarm 0.0" in text
    page = monitor.PAGE.read_text(encoding="utf-8")
    assert "<script" not in page
    assert champion.read(champion.CHAMPION) is not None


def test_what_is_pushed_is_read_back_whole_whatever_a_column_is_called() -> None:
    name, moment = 'a "b" \\n\n} 1', "2026-01-02T03:04:05.250+00:00"
    result = {"column": name, "psi": 0.1 + 0.2, "missing": None}
    found = {"time": moment, "since": moment, "state": "alarm", "drifting": {name: 1}}
    found |= {"windows": [{"rows": 9, "results": [result]}], "health": {"p99_ms": 1e-7}}
    found |= {"quality": {"verdict": "none", "rows": 0}}
    families = text_string_to_metric_families(prometheus.text(found))
    read = {each.name: each.samples for each in families}
    assert [s.labels for s in read["monitor_drift"]] == [{"column": name}]
    assert [s.value for s in read["monitor_psi"]] == [0.1 + 0.2]
    assert "monitor_missing_ratio" not in read
    (last,) = read["monitor_last_run_timestamp_seconds"]
    assert last.value == datetime.fromisoformat(moment).timestamp()


def test_a_moved_column_is_an_alarm_that_names_it(served: Path) -> None:
    import pyarrow.parquet as pq

    config = load_config()
    data = pq.read_table(config.data.path)
    name = next((n for n, c in config.features.items() if c.type == "numeric"), None)
    if name is None or data.num_rows < 2 * config.monitoring.min_rows:
        pytest.skip("needs a number and enough rows")
    values = data[name].to_numpy(zero_copy_only=False).astype(np.float64)
    moved = data.set_column(data.column_names.index(name), name, [values + 3 * np.nanstd(values)])
    pq.write_table(moved, "data/moved.parquet")
    assert monitor.run({"DATA": "data/moved.parquet"}) == monitor.ALARM
    alarms = json.loads(monitor.REPORT.read_text())["alarms"]
    assert any(alarm.startswith(f"{name} drifts") for alarm in alarms)


def test_without_a_log_it_says_how_to_have_one(served: Path) -> None:
    with pytest.raises(InputError, match="SERVE_LOG="):
        monitor.run({})
    assert not monitor.METRICS.exists()


def test_a_champion_of_another_table_is_named_with_the_remedy(
    served: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What `make adopt` of another table leaves: its configuration, and the champion of before."""
    config = load_config()
    others = {f"other {name}": column for name, column in config.columns.items()}
    retyped = {name: of_another_type(column) for name, column in config.columns.items()}
    data = config.data.model_copy(update={"target": "another"})
    for change in ({"columns": others}, {"columns": retyped}, {"data": data}):
        now = config.model_copy(update=change)
        monkeypatch.setattr(monitor, "load_config", lambda now=now: now)
        with pytest.raises(InputError, match=r"is of another table than .*`make run`"):
            monitor.run({})
    assert not monitor.REPORT.exists()


def of_another_type(column: Column) -> Column:
    return Column(type="categorical" if column.type in ("numeric", "boolean") else "numeric")


def test_a_column_of_another_type_is_named_before_a_table_is_read(
    served: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = load_config()
    name = next(iter(config.features))
    columns = config.columns | {name: of_another_type(config.columns[name])}
    now = config.model_copy(update={"columns": columns})
    monkeypatch.setattr(monitor, "load_config", lambda: now)
    with pytest.raises(InputError, match=rf"column '{re.escape(name)}' of type \w+, not \w+"):
        monitor.run({"DATA": config.data.path})


def logged(folder: Path, count: int, **change: Any) -> None:
    """A log of answers of the champion."""
    _, model = monitor.current()
    entry = {
        "row": 0,
        "time": datetime.now(UTC).isoformat(),
        "model": model.digest,
        "output": dict.fromkeys(model.outputs, 0.5),
    }
    lines = [json.dumps(entry | {"id": f"r{n}"} | change) for n in range(count)]
    folder.mkdir(exist_ok=True)
    with (folder / "1.jsonl").open("a") as file:
        file.write("\n".join(lines) + "\n")


def test_a_column_taken_out_of_the_configuration_does_not_stop_the_look(
    served: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The champion has it still, and so has its log."""
    config = load_config()
    first = next(iter(config.features))
    if len(config.features) < 2:
        pytest.skip("needs two features")
    columns = {name: column for name, column in config.columns.items() if name != first}
    now = config.model_copy(update={"columns": columns})
    monkeypatch.setattr(monitor, "load_config", lambda: now)
    logged(served / "log", 20)
    assert monitor.run({"LOG": "log"}) == monitor.TOO_LITTLE
    with pytest.raises(InputError, match=f"column '{re.escape(first)}', which is not in columns"):
        monitor.run({"DATA": config.data.path})


def test_a_log_of_other_models_only_is_said_to_be(
    served: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logged(served / "log", 20, model="0" * 64)
    assert monitor.run({"LOG": "log"}) == monitor.TOO_LITTLE
    assert "the log has 20 answers, none of them of the champion" in capsys.readouterr().out


@pytest.mark.parametrize(("good", "alarm"), [(20, True), (2000, False)])
def test_damaged_lines_are_named_and_many_of_them_are_an_alarm(
    good: int, alarm: bool, served: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logged(served / "log", 10)
    with (served / "log/1.jsonl").open("ab") as file:
        file.write(b"\0\xff\xfe{\n")
    logged(served / "log", good)
    code = monitor.run({"LOG": "log"})
    said = capsys.readouterr().out
    assert "1.jsonl: line 11: it is no JSON object" in said
    damaged = any("is damaged" in text for text in json.loads(monitor.REPORT.read_text())["alarms"])
    assert damaged == alarm
    assert code == monitor.ALARM or not alarm


def test_nothing_to_do_without_a_trigger(started: list[Any]) -> None:
    assert retrain.run({}) == 0
    assert started == []
    assert retrain.read_journal()[-1]["decision"] == "nothing to do"


def test_the_same_data_and_code_would_make_the_same_model(started: list[Any]) -> None:
    retrain.run({"WHY": WHY})
    entry = retrain.read_journal()[-1]
    assert started == []
    assert (entry["decision"], entry["triggers"]) == ("held", {"event": WHY})
    assert "those of the champion" in entry["brakes"]["nothing new"]


def test_what_was_rolled_back_is_not_trained_again_for_a_trigger(
    served: Path, started: list[Any], new_candidate: Callable[[int], str]
) -> None:
    record = champion.read(champion.CHAMPION) or {}
    new_candidate(2)
    gate.run()
    register.run()
    promote.run({})
    retrain.run({"WHY": WHY})
    assert "taken back" not in retrain.read_journal()[-1]["brakes"]
    rollback.run({"WHY": "wrong answers"})
    (Path(record["model"]) / "model.json").rename("model.json")  # else: it is made of the same
    made = json.loads(Path("model.json").read_text())
    made["identity"]["code"] = "0" * 64
    made["digest"] = digest_json(made["identity"])
    folder = champion.folder(made["digest"])
    Path(record["model"]).rename(folder)
    (folder / "model.json").write_text(json.dumps(made))
    pointer = record | {"digest": made["digest"], "model": folder.as_posix()}
    champion.CHAMPION.write_text(json.dumps(pointer | {"action": "rollback"}))
    retrain.run({})
    entry = retrain.read_journal()[-1]
    assert started == []
    assert entry["decision"] == "held"
    assert "wrong answers" in entry["brakes"]["taken back"]


def test_changed_code_trains_again_up_to_the_gate_and_says_why(
    started: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = champion.read(champion.CHAMPION)
    change_code(monkeypatch)
    retrain.run({})
    assert started == [retrain.PIPELINE]
    assert "promote" not in retrain.PIPELINE
    assert champion.read(champion.CHAMPION) == before
    first, last = retrain.read_journal()
    assert "code changed" in first["triggers"]["code"]
    assert (first["decision"], last["decision"]) == ("retrain", "finished")


def test_changed_data_is_a_trigger(started: list[Any]) -> None:
    path = Path(load_config().data.path)
    path.write_bytes(path.read_bytes() + b" ")
    assert "data" in retrain.decide("")["triggers"]


@pytest.mark.parametrize(
    ("seen", "trigger"),
    [
        ({"drifting": {"age": "mean moved"}}, "drift"),
        ({"quality": {"verdict": "dropped", "reason": "auc 0.5", "rows": 0}}, "quality"),
        ({"quality": {"verdict": "kept", "reason": "", "rows": 10**6}}, "volume"),
    ],
)
def test_what_monitoring_saw_is_a_trigger(served: Path, seen: dict[str, Any], trigger: str) -> None:
    model = (champion.read(champion.CHAMPION) or {})["digest"]
    steady = {"drifting": {}, "quality": {"verdict": "kept", "reason": "", "rows": 0}}
    monitor.REPORT.write_text(json.dumps({"model": model} | steady | seen))
    assert list(retrain.decide("")["triggers"]) == [trigger]
    monitor.REPORT.write_text(json.dumps({"model": "0" * 64} | steady | seen))
    assert retrain.decide("")["triggers"] == {}


def test_an_old_champion_is_a_trigger(served: Path) -> None:
    record = champion.read(champion.CHAMPION) or {}
    old = (datetime.now(UTC) - timedelta(days=91)).isoformat(timespec="seconds")
    champion.CHAMPION.write_text(json.dumps(record | {"since": old}))
    assert "champion for 91 days" in retrain.decide("")["triggers"]["schedule"]


@pytest.mark.parametrize(
    ("days", "asked", "brake"),
    [([0.5], "other", "cooldown"), ([20], "same", "duplicate"), ([3, 5, 8, 13], "other", "budget")],
)
@pytest.mark.parametrize("end", [{"decision": "finished"}, {"place": "GitHub"}])
def test_a_brake_holds_and_says_why(
    started: list[Any],
    monkeypatch: pytest.MonkeyPatch,
    days: list[float],
    asked: str,
    brake: str,
    end: dict[str, str],
) -> None:
    change_code(monkeypatch)
    found = retrain.decide("")
    if asked == "other":
        found["asked"] = "0" * 64
    write_journal([entry for ago in days for entry in begun(found, ago, end)])
    retrain.run({})
    last = retrain.read_journal()[-1]
    assert started == []
    assert (last["decision"], list(last["brakes"])) == ("held", [brake])


def begun(found: dict[str, Any], ago: float, end: dict[str, str]) -> list[dict[str, Any]]:
    """Entries of a retraining that began `ago` days ago: here, or at a `place`."""
    entry = found | {"time": (datetime.now(UTC) - timedelta(days=ago)).isoformat()}
    return [entry | end] if "place" in end else [entry, entry | end]


def write_journal(entries: list[dict[str, Any]]) -> None:
    retrain.JOURNAL.write_text("".join(json.dumps(entry) + "\n" for entry in entries))


def test_a_retraining_that_failed_holds_no_later_one(
    started: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    change_code(monkeypatch)
    monkeypatch.setattr(command_line, "run", lambda words: started.append(words) or 1)
    assert retrain.run({}) == 1
    assert retrain.read_journal()[-1]["decision"] == "failed"
    monkeypatch.setattr(command_line, "run", lambda words: started.append(words) or 0)
    retrain.run({})
    retrain.run({})  # that one ended well
    assert len(started) == 2


def test_a_retraining_that_was_killed_holds_no_later_one(
    started: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    change_code(monkeypatch)
    write_journal([retrain.decide("")])
    retrain.run({})
    assert started == [retrain.PIPELINE]


def test_retrainings_that_failed_again_and_again_end_at_the_budget(
    started: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    change_code(monkeypatch)
    write_journal([retrain.decide("")] * load_config().monitoring.retrain.budget)
    retrain.run({})
    assert list(retrain.read_journal()[-1]["brakes"]) == ["budget"]


def test_a_model_that_the_gate_refused_is_not_made_again(
    started: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pipeline ends with 1 as where it fails, but the candidate is judged."""
    change_code(monkeypatch)

    def refuse(words: Any) -> int:
        path = places.CANDIDATE / "model.json"
        made = json.loads(path.read_text())
        made["identity"]["code"] = "1"
        made["digest"] = digest_json(made["identity"])
        path.write_text(json.dumps(made))
        verdict = json.loads(places.VERDICT.read_text()) | {"model": made["digest"]}
        del verdict["digest"]
        places.VERDICT.write_text(json.dumps(champion.sealed(verdict)))
        started.append(words)
        return 1

    monkeypatch.setattr(command_line, "run", refuse)
    retrain.run({})
    retrain.run({})
    assert len(started) == 1
    assert "duplicate" in retrain.read_journal()[-1]["brakes"]


def test_two_retrainings_at_once_are_refused(
    started: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    change_code(monkeypatch)
    with (
        locked(retrain.JOURNAL),
        pytest.raises(InputError, match="models: another process works there"),
    ):
        retrain.run({})
    retrain.run({})
    assert len(started) == 1


@pytest.mark.parametrize("content", ["[]", "{}", "null", "5", '{"model": "x"}', "{"])
def test_a_report_that_is_not_whole_is_named(content: str, started: list[Any]) -> None:
    monitor.REPORT.write_text(content)
    with pytest.raises(InputError, match=r"reports/monitoring\.json is .*: run `make monitor`"):
        retrain.run({})
    assert started == []


@pytest.mark.parametrize(
    "line",
    [
        *("5", "{}", "{", '{"time": "x", "decision": "retrain", "asked": ""}'),
        '{"time": "2026-01-01T00:00:00", "decision": "retrain", "asked": ""}',
    ],
)
def test_a_damaged_journal_is_named(line: str, started: list[Any]) -> None:
    retrain.JOURNAL.write_text(line + "\n")
    with pytest.raises(InputError, match=r"retraining\.jsonl is damaged"):
        retrain.run({"WHY": WHY})
    assert started == []


@pytest.mark.parametrize("status", [200, 500])
def test_what_was_found_is_pushed_and_a_gateway_that_fails_stops_nothing(
    status: int, served: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pushed = []

    class Gateway(http.server.BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            pushed.append((self.path, body.decode()))
            self.send_response(status)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Gateway)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}/metrics/job/credit"
    monkeypatch.setenv("PUSHGATEWAY_URL", address)
    code = monitor.run({"DATA": load_config().data.path})
    server.shutdown()
    thread.join()
    server.server_close()
    assert code in (monitor.STEADY, monitor.TOO_LITTLE)
    assert pushed == [("/metrics/job/credit", monitor.METRICS.read_text())]
    assert ("status 500" in capsys.readouterr().err) == (status == 500)


@pytest.mark.parametrize("address", ["pushgateway:9091", "http://pushgateway:9091", "ftp://a/b"])
def test_an_address_that_is_no_group_is_refused_before_the_look(
    address: str, served: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PUSHGATEWAY_URL", address)
    with pytest.raises(InputError, match="PUSHGATEWAY_URL must be the address of a group"):
        monitor.run({"DATA": load_config().data.path})
    assert not monitor.METRICS.exists()
