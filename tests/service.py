"""A generated project that is set up and trained, and its service as a process of its own."""

from __future__ import annotations

import http.client
import json
import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bake

JSON = {"content-type": "application/json"}
MODEL = "models/candidate"


def package(project: Path) -> str:
    """Name of the package of a project."""
    return next(path.parent.name for path in (project / "src").glob("*/__main__.py"))


def set_up(project: Path) -> None:
    """Its .venv, from its locks."""
    done = bake.run("make", "setup", cwd=project)
    assert done.returncode == 0, done.stderr


def train(project: Path) -> None:
    """Set the project up and train its first model."""
    set_up(project)
    stage(project, "sample", "prepare", "validate", "train")


def stage(project: Path, *words: str, **environment: str) -> str:
    """What `python -m PACKAGE WORDS` prints; fails with all of it where it fails."""
    python = project / ".venv/bin/python"
    done = bake.run(python, "-m", package(project), *words, cwd=project, **environment)
    assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def free_port() -> int:
    """A port to listen on a moment later.

    The system hands out those it chooses itself, from 32768 on, to every connection that somebody
    opens meanwhile: a program that begins to listen would find its port taken.
    """
    for port in random.sample(range(10_000, 32_768), 1000):
        with socket.socket() as listener, suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")


@dataclass(frozen=True)
class Service:
    """A running service: its process, its port and a body that it answers."""

    process: subprocess.Popen[str]
    port: int
    body: bytes

    def request(
        self, method: str, path: str, body: bytes = b"", timeout: float = 30
    ) -> tuple[int, bytes, dict[str, str]]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, body, JSON)
            answer = connection.getresponse()
            return answer.status, answer.read(), dict(answer.getheaders())
        finally:
            connection.close()

    def predict(self, body: bytes | None = None) -> tuple[int, dict[str, Any]]:
        status, answer, _ = self.request("POST", "/predict", body or self.body)
        return status, json.loads(answer)

    def rows(self, count: int) -> bytes:
        """A body of `count` records."""
        record = json.loads(self.body)["records"][0]
        return json.dumps({"records": [record] * count}).encode()

    def metric(self, name: str) -> float:
        """The value of a series on /metrics, named with its labels."""
        for line in self.request("GET", "/metrics")[1].decode().splitlines():
            if line.startswith(f"{name} "):
                return float(line.rsplit(" ", 1)[1])
        raise KeyError(name)

    def memory(self) -> int:
        """Resident bytes of the process."""
        pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def connect(self, first: bytes = b"") -> socket.socket:
        """A raw connection on which `first` was sent."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        connection.sendall(first)
        return connection

    def head(self, length: int, *lines: str) -> bytes:
        """Head of a POST /predict that announces `length` bytes."""
        fixed = ["POST /predict HTTP/1.1", "host: localhost", "content-type: application/json"]
        return "\r\n".join([*fixed, *lines, f"content-length: {length}", "\r\n"]).encode()


@contextmanager
def serving(
    project: Path, *words: str, python: Path | None = None, model: str = MODEL, **environment: str
) -> Iterator[Service]:
    """The service of the project's candidate, or of another folder, ended with SIGTERM."""
    port = free_port()
    process = subprocess.Popen(
        [
            str(python or project / ".venv/bin/python"),
            "-m",
            package(project),
            *("serve", f"MODEL={model}", f"PORT={port}", *words),
        ],
        cwd=project,
        env=os.environ | {"PYTHONPATH": bake.code_of(project)} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield Service(process, port, example(process, port))
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise


def example(process: subprocess.Popen[str], port: int) -> bytes:
    """The example of /openapi.json, as soon as the service is ready."""
    bare = Service(process, port, b"")
    deadline = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline:
        try:
            if bare.request("GET", "/ready")[0] == 200:
                break
        except OSError:
            time.sleep(0.02)
    else:
        raise AssertionError(process.communicate()[0] if process.poll() else "never ready")
    operation = json.loads(bare.request("GET", "/openapi.json")[1])["paths"]["/predict"]["post"]
    body = operation["requestBody"]["content"]["application/json"]["example"]
    return json.dumps(body).encode()
