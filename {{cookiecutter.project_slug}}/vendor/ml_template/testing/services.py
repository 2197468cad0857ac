"""The service of a small model, for tests."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import uvicorn

from ..model.artifact import Model
from ..serving.api import create
from ..serving.predict import Predict
from ..serving.protocol import Guarded
from ..serving.settings import Settings
from ..settings.config import Config
from ..tables import schema, table
from .models import Trained

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


def sent(config: Config, columns: table.Columns) -> list[dict[str, Any]]:
    """What a client sends for these rows: one record a row."""
    records: list[dict[str, Any]] = [{} for _ in range(table.rows(columns))]
    for name, column in config.features.items():
        for record, value in zip(records, columns[name], strict=True):
            record[name] = schema.sent(column, value)
    return records


@pytest.fixture(scope="session")
def service(trained: Trained) -> Iterator[Service]:
    """The service of the trained model on a free port, and a record that it accepts."""
    with served(trained.model) as running:
        yield running


@contextlib.contextmanager
def served(model: Model) -> Iterator[Service]:
    """The service of a model on a free port, and a record that it accepts."""
    app = create(model, Settings())
    config = uvicorn.Config(app, port=0, http=Guarded, ws="none", log_level="error")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    operation = app.openapi()["paths"]["/predict"]["post"]
    body = operation["requestBody"]["content"]["application/json"]["example"]
    try:
        yield Service(port, app.state.predict, body["records"][0])
    finally:
        server.should_exit = True
        thread.join()
