"""Bad input is refused with a short answer that names the field and repeats no value."""

from __future__ import annotations

import dataclasses
import json
import logging
import socket
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from ml_template.serving import deadlines
from ml_template.serving.settings import Settings
from ml_template.settings.config import Column

from ..conftest import Trained
from .conftest import JSON, Service

CANARY = "CANARY-5150"
BODIES = {
    "empty": b"",
    "no JSON": b"records",
    "cut off": b'{"records": [{"a": 1}',
    "bad UTF-8": b'{"records": ["\xff"]}',
    "a list": b"[]",
    "null": b"null",
    "no records": b"{}",
    "empty list": b'{"records": []}',
    "a record that is a list": b'{"records": [[]]}',
    "a record that is null": b'{"records": [null]}',
    "another key": b'{"records": [{}], "model": 1}',
    "repeated records": b'{"records": [], "records": []}',
    "deep": b'{"records": ' + b"[" * 100_000,
    "deep objects": b'{"a":' * 100_000,
    "a number of 10,000 digits": b'{"records": [{"a": ' + b"9" * 10_000 + b"}]}",
    "a lone surrogate": b'{"records": [{"\\ud800": "\\ud800"}]}',
    "NUL": b'{"records": [{"\\u0000": 1}]}',
}


@pytest.mark.parametrize("name", BODIES)
def test_t37_a_hostile_body_is_refused(name: str, service: Service) -> None:
    status, answer = service.post(BODIES[name])
    assert status in (400, 422)
    assert answer["error"]
    assert len(json.dumps(answer)) < 2000


def wrong_values(column: Column) -> Iterator[bytes]:
    """JSON texts that are no value of the column."""
    yield from (b"NaN", b"Infinity", b"-Infinity", b"[]", b"{}", b'{"a": 1}')
    if not column.missing:
        yield b"null"
    if column.type == "numeric":
        yield from (b"true", b'"1"', b"1e400", b'"nan"', b"-1e400", b"9" * 400)
    elif column.type == "boolean":
        yield from (b"1", b"0", b'"true"', b'"yes"')
    else:
        yield from (b"1", b"1.5", b"true", b'"\\ud800"')
    if column.type == "datetime":
        yield from (b'"yesterday"', b'"2024-13-01"', b'""', b'"0001-01-01T00:00:00+23:00"')
    if column.min is not None:
        yield json.dumps(column.min - 1).encode()
    if column.max is not None:
        yield json.dumps(column.max + 1).encode()
    if column.type == "categorical" and column.unseen == "refuse":
        yield b'"never seen"'


def with_value(example: dict[str, Any], name: str, value: bytes) -> bytes:
    marked = json.dumps({"records": [example | {name: "@@"}]})
    return marked.encode().replace(b'"@@"', value)


def test_t37_a_wrong_value_of_any_column_is_refused_and_the_field_named(
    trained: Trained, service: Service
) -> None:
    for name, column in trained.config.columns.items():
        for value in wrong_values(column):
            status, answer = service.post(with_value(service.example, name, value))
            assert status in (400, 422), (name, value)
            if status == 422:
                fields = [fault["field"] for fault in answer["fields"]]
                assert any(field.startswith(f"records[0].{name[:20]}") for field in fields)


def test_t37_missing_unknown_and_repeated_columns_are_refused(
    trained: Trained, service: Service
) -> None:
    for name in trained.config.features:
        without = {key: value for key, value in service.example.items() if key != name}
        status, answer = service.post({"records": [without]})
        assert (status, answer["fields"][0]["problem"]) == (422, "is missing")
    status, answer = service.post({"records": [service.example | {"never a column": 1}]})
    assert answer["fields"][0]["field"] == "records[0].never a column"
    name = json.dumps(next(iter(service.example)))
    twice = json.dumps({"records": [service.example]})[:-3] + f", {name}: 1}}]}}"
    status, answer = service.post(twice.encode())
    assert (status, answer["error"]) == (400, "a key is repeated")


def test_more_faults_than_are_named_are_counted(service: Service) -> None:
    status, answer = service.post({"records": [1] * 25})
    assert (status, len(answer["fields"])) == (422, 10)
    assert answer["error"].endswith(": 25 faults, the first 10 are named")


def test_a_missing_value_is_null_and_only_where_it_may_be_missing(
    trained: Trained, service: Service
) -> None:
    for name, column in trained.config.features.items():
        status, _ = service.post({"records": [service.example | {name: None}]})
        assert status == (200 if column.missing else 422), name


def test_a_marker_of_missing_values_is_not_taken_for_a_text(
    trained: Trained, service: Service
) -> None:
    for name, column in trained.config.features.items():
        if column.type in ("categorical", "text"):
            marker = trained.config.data.missing[0]
            status, answer = service.post({"records": [service.example | {name: marker}]})
            assert (status, "send null" in answer["fields"][0]["problem"]) == (422, True)


def test_an_unseen_category_is_counted_or_refused(trained: Trained, service: Service) -> None:
    for name, column in trained.config.features.items():
        if column.type != "categorical":
            continue
        status, _ = service.post({"records": [service.example | {name: "never seen"}]})
        assert status == (200 if column.unseen == "allow" else 422)
        if column.unseen == "allow":
            series = 'predict_unseen_total{column="' + name + '"}'
            assert f"{series} 0.0" not in service.get("/metrics")[1]


def test_t37_too_many_records_are_refused(service: Service) -> None:
    status, answer = service.post({"records": [service.example] * 1001})
    assert (status, "1000" in answer["error"]) == (413, True)


def test_t38_too_many_bytes_are_refused_before_they_are_parsed(service: Service) -> None:
    assert service.send("POST", "/predict", b"[" * ((1 << 20) + 1), JSON)[0] == 413


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "text/plain"},
        {"content-type": "application/x-www-form-urlencoded"},
        {},
        JSON | {"content-encoding": "gzip"},
    ],
    ids=["text", "form", "none", "compressed"],
)
def test_t38_another_content_type_and_compression_are_refused(
    headers: dict[str, str], service: Service
) -> None:
    body = json.dumps({"records": [service.example]}).encode()
    assert service.send("POST", "/predict", body, headers)[0] == 415


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_t42_an_answer_that_is_not_finite_is_counted_and_not_served(
    bad: float, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = service.predict.model
    outputs = np.full((1, len(model.labels)) if model.labels else 1, bad)
    broken = dataclasses.replace(model, score=lambda matrix: outputs)
    monkeypatch.setattr(service.predict, "model", broken)
    status, answer = service.post({"records": [service.example]})
    assert (status, "predictions" in answer) == (422, False)
    assert "predict_not_finite_total 0.0" not in service.get("/metrics")[1]


def test_t45_nothing_that_was_sent_is_in_answers_logs_or_metrics(
    trained: Trained, service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    said = []
    with caplog.at_level(logging.DEBUG):
        for name in trained.config.columns:
            for value in (CANARY, [CANARY], {CANARY: CANARY}, f" {CANARY}"):
                said.append(
                    json.dumps(service.post({"records": [service.example | {name: value}]}))
                )
        said.append(json.dumps(service.post(b'{"records": ' + CANARY.encode())))
    said.append(service.get("/metrics")[1])
    assert CANARY not in "\n".join([*said, caplog.text])


def raw(service: Service, *sent: bytes) -> bytes:
    """What comes back on one connection on which these bytes are sent, one after another."""
    with socket.create_connection(("127.0.0.1", service.port), timeout=10) as connection:
        for part in sent:
            connection.sendall(part)
        answer = b""
        while block := connection.recv(65536):
            answer += block
    return answer


def send_without_end(connection: socket.socket, block: bytes) -> None:
    while True:
        connection.sendall(block)


def head(service: Service, *lines: str) -> tuple[bytes, bytes]:
    """Head and body of a POST /predict that is answered."""
    body = json.dumps({"records": [service.example]}).encode()
    fixed = ["POST /predict HTTP/1.1", "host: localhost", f"content-length: {len(body)}"]
    return "\r\n".join([*fixed, *lines, "", ""]).encode(), body


def test_an_offer_of_another_protocol_is_passed_over(service: Service) -> None:
    lines = ["content-type: application/json", "Connection: Upgrade, HTTP2-Settings, close"]
    begin, body = head(service, *lines, "Upgrade: h2c", "HTTP2-Settings: AAMAAABk")
    assert raw(service, begin + body).startswith(b"HTTP/1.1 200 ")


def test_a_client_that_waits_to_be_asked_for_its_body_is_not_misread(service: Service) -> None:
    begin, _ = head(service, "content-type: text/plain", "expect: 100-continue")
    answer = raw(service, begin)
    assert answer.startswith(b"HTTP/1.1 415 ")
    assert b"connection: close" in answer.lower()


def test_t39_a_client_that_does_not_read_is_cut_off(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deadlines, "_settings", lambda: Settings(request_seconds=0.5))
    ask = b"GET /openapi.json HTTP/1.1\r\nhost: localhost\r\n\r\n"
    with socket.create_connection(("127.0.0.1", service.port), timeout=10) as connection:
        connection.settimeout(30)
        with pytest.raises(ConnectionError):
            send_without_end(connection, ask * 1000)
    assert service.post({"records": [service.example]})[0] == 200


def test_an_unknown_key_beside_records_is_said_so(service: Service) -> None:
    status, answer = service.post({"records": [service.example], "rows": 1})
    assert (status, answer["fields"][0]["field"]) == (422, "rows")
    assert '{"records": [...]}' in answer["fields"][0]["problem"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        *(("GET", "/", 404), ("GET", "/redoc", 404), ("POST", "/predict/", 404)),
        *(("GET", "/predict", 405), ("DELETE", "/predict", 405), ("POST", "/health", 405)),
    ],
)
def test_what_is_not_there_is_refused_in_the_word_of_all_refusals(
    method: str, path: str, status: int, service: Service
) -> None:
    found, text = service.send(method, path)
    answer = json.loads(text)
    assert (found, list(answer)) == (status, ["error"])
    assert isinstance(answer["error"], str)


def test_a_page_that_fails_says_so_in_the_same_word(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service.predict.metrics, "text", lambda: 1 / 0)
    status, text = service.get("/metrics")
    assert (status, list(json.loads(text))) == (500, ["error"])


@pytest.mark.parametrize("name", ["größe", "価格", "\U0001f40d", 'a"b\\c', "a\U000e0001"])
def test_the_name_of_a_field_is_told_as_it_is_written(name: str, service: Service) -> None:
    body = json.dumps({"records": [service.example | {name: 1}]}).encode()
    text = service.send("POST", "/predict", body, JSON)[1]
    assert json.loads(text)["fields"][0]["field"] == f"records[0].{name}"
    letters = name.replace("\\", "\\\\").replace('"', '\\"').replace("\U000e0001", r"\udb40\udc01")
    assert f"records[0].{letters}" in text


@pytest.mark.parametrize(
    "sign", ["\0", "\x1b", "\x7f", "\x9b", "\u202e", "\u2028", "\u200b", "\ufeff", "\ud800"]
)
def test_a_sign_that_cannot_be_seen_stays_written_out_in_a_refusal(
    sign: str, service: Service
) -> None:
    body = json.dumps({"records": [service.example | {f"é{sign}z": 1}]}).encode()
    text = service.send("POST", "/predict", body, JSON)[1]
    assert f"records[0].é\\u{ord(sign):04x}z" in text
    assert json.loads(text)["fields"][0]["field"] == f"records[0].é{sign}z"
