"""The service of the trained model on a free port, and a record that it accepts."""

from __future__ import annotations

import csv
import http.client
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from {{ cookiecutter.package_name }} import table
from {{ cookiecutter.package_name }}.config import Data
from {{ cookiecutter.package_name }}.serving.api import create
from {{ cookiecutter.package_name }}.serving.predict import Predict
from {{ cookiecutter.package_name }}.serving.protocol import Guarded
from {{ cookiecutter.package_name }}.serving.settings import Settings

from ..conftest import Trained

JSON = {"content-type": "application/json"}


@dataclass(frozen=True)
class Service:
    """A running service: its port, and the object behind /predict."""

    port: int
    predict: Predict
    example: dict[str, Any]

    def get(self, path: str) -> tuple[int, str]:
        return self.send("GET", path)

    def send(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def post(self, sent: Any) -> tuple[int, dict[str, Any]]:
        """Status and answer of /predict to `sent`: bytes as they are, anything else as JSON."""
        body = sent if isinstance(sent, bytes) else json.dumps(sent).encode()
        status, text = self.send("POST", "/predict", body, JSON)
        return status, json.loads(text)


def sent(trained: Trained, columns: table.Columns) -> list[dict[str, Any]]:
    """What a client sends for these rows."""
    records: list[dict[str, Any]] = [{} for _ in range(table.rows(columns))]
    for name, column in trained.config.features.items():
        for record, value in zip(records, columns[name].tolist(), strict=True):
            missing = value is None or value != value
            if not missing and column.type == "boolean":
                value = bool(value)
            if not missing and column.type == "datetime":
                value = value.strftime(column.format) if column.format else value.isoformat()
            record[name] = None if missing else value
    return records


def write_csv(path: Path, records: list[dict[str, Any]], data: Data) -> None:
    """The records as a data file of this project."""

    def text(value: Any) -> Any:
        if value is None:
            return data.missing[0]
        return repr(value).replace(".", data.decimal) if isinstance(value, float) else value

    with path.open("w", encoding=data.encoding, newline="") as file:
        writer = csv.writer(file, delimiter=data.delimiter)
        writer.writerow(records[0])
        writer.writerows([[text(value) for value in record.values()] for record in records])


@pytest.fixture(scope="session")
def service(trained: Trained) -> Iterator[Service]:
    app = create(trained.model, Settings())
    config = uvicorn.Config(app, port=0, http=Guarded, ws="none", log_level="error")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    operation = app.openapi()["paths"]["/predict"]["post"]
    body = operation["requestBody"]["content"]["application/json"]["example"]
    yield Service(port, app.state.predict, body["records"][0])
    server.should_exit = True
    thread.join()
