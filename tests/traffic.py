"""Clients that send rows of the project's own table through the gateway, and count."""

from __future__ import annotations

import csv
import http.client
import json
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

JSON = {"content-type": "application/json"}


@dataclass
class Traffic:
    """What the clients saw: (seconds since the epoch of monotonic, status); 0 = no answer."""

    bodies: list[bytes]
    port: int
    pause: float  # of one client between two requests
    seen: list[tuple[float, int]] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def send(self, number: int) -> None:
        """One client, on a connection that it keeps."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        chosen = random.Random(number)
        while not self.stop.wait(self.pause):
            try:
                connection.request("POST", "/predict", chosen.choice(self.bodies), JSON)
                answer = connection.getresponse()
                answer.read()
                status = answer.status
            except (OSError, http.client.HTTPException):
                connection.close()
                status = 0
            self.seen.append((time.monotonic(), status))
        connection.close()

    def failed(self, since: float = 0.0) -> int:
        """Requests that were not answered with 200 since that moment."""
        return sum(status != 200 for at, status in self.seen if at >= since)

    def total(self, since: float = 0.0) -> int:
        return sum(at >= since for at, _ in self.seen)


@contextmanager
def sending(bodies: list[bytes], port: int, rate: float, clients: int = 4) -> Iterator[Traffic]:
    """Clients that send `bodies` at about `rate` a second in all, while the block runs."""
    running = Traffic(bodies, port, clients / rate)
    threads = [
        threading.Thread(target=running.send, args=(number,), daemon=True)
        for number in range(clients)
    ]
    for thread in threads:
        thread.start()
    try:
        yield running
    finally:
        running.stop.set()
        for thread in threads:
            thread.join()


def example(project: Path) -> dict[str, Any]:
    """A record that the champion of `project` answers."""
    contract = json.loads((project / "models/contract.json").read_bytes())
    record: dict[str, Any] = contract["request"]["records"][0]
    return record


def answered(port: int, record: dict[str, Any]) -> bool:
    """Whether the service behind the gateway answers `record`: nothing else of it is public."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("POST", "/predict", json.dumps({"records": [record]}), JSON)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def bodies(project: Path, example: dict[str, Any]) -> list[bytes]:
    """Bodies of one record, made of the first rows of the starter table."""
    with (project / "data/starter.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row, _ in zip(csv.DictReader(file), range(500), strict=False)]
    made = [{name: like(row[name], value) for name, value in example.items()} for row in rows]
    return [json.dumps({"records": [record]}).encode() for record in made]


def like(text: str, value: Any) -> Any:
    """`text` of the table as the type that the example has; where it is missing, the example."""
    if text == "" or isinstance(value, str):
        return text or value
    if isinstance(value, bool):
        return text.lower() == "true"
    return type(value)(float(text)) if isinstance(value, int | float) else value
