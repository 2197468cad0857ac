"""What a request costs grows with its bytes, whatever they are, and ends with its client."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from ml_template.serving.fields import Fields
from ml_template.serving.predict import INLINE_BYTES, Predict
from ml_template.serving.records import Records, RefusedError
from ml_template.serving.settings import Settings
from ml_template.settings.categories import category
from ml_template.settings.config import Column

from ..conftest import Trained
from .conftest import JSON, Service

SIZE = 16_384
MOST = 30  # times what a byte of an ordinary body costs: this machine may be busy
TRIES = 20
ROWS = Settings().max_rows


def filled(begin: str, piece: Callable[[int], str], end: str, size: int) -> str:
    """A body of about `size` bytes: as many pieces as fit between begin and end."""
    found, length, number = [], len(begin) + len(end), 0
    while length < size:
        found.append(piece(number))
        length += len(found[-1]) + 1
        number += 1
    return begin + ",".join(found) + end


def listed(piece: Callable[[int], str]) -> Callable[[int], str]:
    """Bodies whose records are these pieces."""
    return lambda size: filled('{"records": [', piece, "]}", size)


def valued(piece: Callable[[int], str]) -> Callable[[int], str]:
    """Bodies of one long value, which is the piece of that size."""
    return lambda size: '{"records": [{"a": ' + piece(size) + "}]}"


BODIES: dict[str, Callable[[int], str]] = {
    "one key is repeated": lambda size: filled("{", '"{:x}": 0'.format, ', "0": 1}', size),
    "the last key is repeated": lambda size: filled(
        "{", '"{:x}": 0'.format, ', "z": 1, "z": 1}', size
    ),
    "every key is repeated": lambda size: filled("{", lambda _: '"a": 0', "}", size),
    "each key twice": lambda size: filled("{", lambda at: f'"{at // 2}": 0', "}", size),
    "unknown keys": lambda size: filled('{"records": [{', '"{:x}": 0'.format, "}]}", size),
    "unknown keys outside": lambda size: filled("{", '"{:x}": 0'.format, "}", size),
    "long keys": lambda size: '{"records": [{"' + "k" * size + '": 1}]}',
    "records that are empty": lambda size: '{"records": [' + ",".join(["{}"] * (size // 16)) + "]}",
    "records that are numbers": lambda size: (
        '{"records": [' + ",".join(["1"] * (size // 16)) + "]}"
    ),
    "too many empty records": listed(lambda _: "{}"),
    "records of one key": listed(lambda at: '{"' + str(at) + '": 1}'),
    "lists in lists": listed(lambda _: "[" * 200 + "]" * 200),
    "no end of lists": lambda size: "[" * size,
    "no end of objects": lambda size: '{"a":' * (size // 5),
    "numbers of 4,000 digits": listed(lambda _: "9" * 4_000),
    "a number of many digits": valued(lambda size: "9" * size),
    "a fraction of many digits": valued(lambda size: "0." + "3" * size),
    "a number between two others": valued(lambda size: "9007199254740993." + "0" * size + "1"),
    "a large exponent": valued(lambda size: "1e" + "9" * size),
    "the least numbers": listed(lambda _: "2.2250738585072011e-308"),
    "a long text": valued(lambda size: '"' + "a" * size + '"'),
    "a long text of other letters": valued(lambda size: '"' + "\u4e00" * (size // 3) + '"'),
    "escapes": valued(lambda size: '"' + "\\u0061" * (size // 6) + '"'),
    "halves of pairs": valued(lambda size: '"' + "\\ud800" * (size // 6) + '"'),
    "no end of a text": lambda size: '{"records": ["' + "a" * size,
    "spaces": lambda size: '{"records":' + " " * size + "1}",
    "lines": lambda size: "\n" * size + "x",
}


def cost(work: Callable[[], object]) -> float:
    """Seconds of this thread that it took once: on a busy machine now and then a hundred times."""
    begin = time.thread_time()
    with contextlib.suppress(RefusedError):
        work()
    return time.thread_time() - begin


def always_costs(work: Callable[[], object], seconds: float) -> bool:
    """Whether it takes at least `seconds` of this thread in each of many tries."""
    return all(cost(work) >= seconds for _ in range(TRIES))


@pytest.fixture(scope="module")
def checks(trained: Trained) -> Records:
    return Records(trained.model, ROWS)


def is_dear(checks: Records, body: bytes, ordinary: float) -> bool:
    return always_costs(lambda: checks.parse(body), MOST * ordinary * len(body))


@pytest.fixture(scope="module")
def ordinary(checks: Records, service: Service) -> float:
    """Seconds for a byte of a body that is accepted."""
    one = len(json.dumps(service.example))
    body = json.dumps({"records": [service.example] * (SIZE // one)}).encode()
    return min(cost(lambda: checks.parse(body)) for _ in range(TRIES)) / len(body)


@pytest.mark.parametrize("name", BODIES)
def test_a_byte_of_a_hostile_body_costs_what_a_byte_of_another_does(
    name: str, checks: Records, ordinary: float
) -> None:
    for size in (SIZE, 8 * SIZE):
        assert not is_dear(checks, BODIES[name](size).encode(), ordinary)


def test_records_with_a_wrong_or_long_value_in_each_cost_what_others_do(
    trained: Trained, checks: Records, ordinary: float, service: Service
) -> None:
    for name in trained.config.features:
        for value in ("", " a", [], 1e300, "\ud800", "x" * SIZE, " " * SIZE, "\u4e00" * SIZE):
            record = service.example | {name: value}
            count = SIZE // len(json.dumps(record)) + 1
            for records in ([record] * count, [service.example] * count + [record] * count):
                body = json.dumps({"records": records}).encode()
                assert not is_dear(checks, body, ordinary), name


TIMES = {
    None: ("2024-05-31T12:00:00." + "1" * SIZE, "2024-05-31T12:00:00"),
    "%d.%m.%Y": ("01.01.2024" + " " * SIZE, "31.05.2024"),
    "%Y-%m-%d  %H:%M": ("2024-01-01" + " " * SIZE + "x", "2024-05-31 12:00"),
    "%I %p  %M": ("01" + " " * SIZE + "x", "01 PM 30"),
    "%f": ("1" * SIZE, "123456"),
}


@pytest.mark.parametrize("form", TIMES)
def test_a_long_text_is_no_time_at_no_cost(form: str | None, ordinary: float) -> None:
    column = Column.model_validate({"type": "datetime", "format": form})
    fields = Fields({"at": column}, ["at"])
    long, short = TIMES[form]
    sent = {"records": [{"at": long}]}
    assert not always_costs(lambda: list(fields.faults(sent)), MOST * ordinary * SIZE)
    assert [field for field, _ in fields.faults(sent)] == ["records[0].at"]
    assert fields.check({"records": [{"at": short}]})


@pytest.mark.parametrize("marks", ["\u0301\u0323", "\u0323\u0301", "\u05b0\u0327\u0301", "\u0f73"])
@pytest.mark.parametrize("size", [SIZE, 4 * SIZE])
def test_marks_heaped_on_one_letter_cost_what_their_bytes_do(
    marks: str, size: int, ordinary: float
) -> None:
    text = "a" + "".join(mark * (size // len(marks)) for mark in marks)
    assert category(text) == text
    assert not always_costs(lambda: category(text), MOST * ordinary * len(text.encode()))


def test_faults_are_counted_to_a_hundred(service: Service) -> None:
    for count, said in ((100, ": 100 faults"), (101, ": more than 100 faults"), (ROWS, "than 100")):
        status, answer = service.post({"records": [1] * count})
        assert (status, len(answer["fields"])) == (422, 10)
        assert said in answer["error"]


def test_a_body_in_many_pieces_costs_what_its_bytes_do(service: Service) -> None:
    def gathered(pieces: int) -> None:
        messages = iter([True] * (pieces - 1) + [False])

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"a", "more_body": next(messages)}

        asyncio.run(service.predict._gather(receive))

    few = min(cost(lambda: gathered(4_000)) for _ in range(TRIES))
    assert not always_costs(lambda: gathered(200_000), 5 * 50 * few)


class Slow:
    """Stands for the model: says when it is asked, and waits until it is let go."""

    def __init__(self, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked, self.released, self.calls = threading.Event(), threading.Event(), 0
        self.model = service.predict.model
        slow = dataclasses.replace(self.model, score=self.score)
        monkeypatch.setattr(service.predict, "model", slow)

    def score(self, matrix: np.ndarray) -> np.ndarray:
        self.calls += 1
        self.asked.set()
        assert self.released.wait(30)
        return self.model.score(matrix)


def large(example: dict[str, object]) -> bytes:
    """A body that is answered in the thread."""
    body = json.dumps({"records": [example] * ROWS}).encode()
    assert len(body) > INLINE_BYTES
    return body


def test_a_request_that_waits_for_its_turn_is_dropped_when_its_client_goes(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, body = Slow(service, monkeypatch), large(service.example)
    answers: list[int] = []
    first = threading.Thread(
        target=lambda: answers.append(service.send("POST", "/predict", body, JSON)[0])
    )
    first.start()
    assert slow.asked.wait(30)
    head = b"POST /predict HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n"
    sent = head + b"content-length: %d\r\n\r\n" % len(body) + body
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", service.port), timeout=30) as connection:
            connection.sendall(sent)
            while service.predict.in_flight < 2:
                time.sleep(0.01)
        while service.predict.in_flight > 1:  # until it is seen that nobody waits
            time.sleep(0.01)
    slow.released.set()
    first.join()
    assert (answers, slow.calls) == ([200], 1)
    assert service.post({"records": [service.example]})[0] == 200


def test_between_two_large_bodies_the_service_sees_who_has_gone(
    trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    predict, begun = Predict(trained.model, Settings()), list[bytes]()
    monkeypatch.setattr(predict, "answer", lambda body, ids: begun.append(body) or b"")

    async def crowd() -> None:
        body = b" " * (INLINE_BYTES + 1)
        tasks = [asyncio.create_task(predict._computed(body, ("", ""))) for _ in range(10)]
        await tasks[0]
        time.sleep(0.5)  # what the loop has not handed over does not begin meanwhile
        for task in tasks[1:]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(crowd())
    predict.close()
    assert len(begun) <= 2


def test_what_waits_is_not_begun_when_the_service_ends(trained: Trained) -> None:
    predict = Predict(trained.model, Settings())
    begun, released = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        assert released.wait(30)

    running, waiting = predict._thread.submit(work), predict._thread.submit(work)
    assert begun.wait(30)
    ending = threading.Thread(target=predict.close)
    ending.start()
    while not waiting.cancelled():
        time.sleep(0.01)
    released.set()
    ending.join()
    assert running.exception() is None
