"""What leaves this machine reaches the server that was named, or nobody; and no secret is told."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from ml_template.operations import notify, prometheus, start
from ml_template.outside import web
from ml_template.settings.config import InputError

HIDDEN = "S3CRET"
Script = Callable[[socket.socket], None]


class Redirect(BaseHTTPRequestHandler):
    """Answers each POST and PUT with a redirect to /login, and takes that."""

    seen: list[str] = []  # noqa: RUF012 - one server a test

    def do_POST(self) -> None:
        self.seen.append(f"{self.command} {self.path}")
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(302)
        self.send_header("Location", "/login")
        self.end_headers()

    def do_PUT(self) -> None:
        self.do_POST()

    def do_GET(self) -> None:
        self.seen.append(f"GET {self.path}")
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture
def redirect() -> Iterator[tuple[str, list[str]]]:
    """Its address, and what it was asked."""
    kind = type("OneRedirect", (Redirect,), {"seen": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), kind) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", kind.seen
        server.shutdown()
        thread.join()


@contextlib.contextmanager
def speaking(script: Script) -> Iterator[str]:
    """The address of a server that does with one connection what `script` says."""

    def once() -> None:
        with listener.accept()[0] as connection, contextlib.suppress(OSError):
            connection.recv(65536)
            script(connection)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=once)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/{HIDDEN}"
        thread.join()


def test_a_redirect_is_not_followed_and_starts_nothing(
    redirect: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    address, seen = redirect
    monkeypatch.setenv("JENKINS_JOB", f"{address}/job/model")
    monkeypatch.setenv("JENKINS_TOKEN", HIDDEN)
    with pytest.raises(InputError, match="status 302") as error:
        start.run({"WHY": "drift"})
    assert seen == ["POST /job/model/buildWithParameters?WHY=drift"]
    assert HIDDEN not in str(error.value)


def test_a_redirect_took_no_message_and_no_metrics(
    redirect: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    address, seen = redirect
    monkeypatch.setenv(notify.WEBHOOK, f"{address}/hook")
    assert not notify.send("drift found")
    assert not prometheus.push(f"{address}/metrics/job/credit", "a 1\n")
    assert seen == ["POST /hook", "PUT /metrics/job/credit"]


@pytest.mark.parametrize(
    "address",
    [
        f"https://hooks.example.com/services/{HIDDEN} part",
        f"https://user:{HIDDEN}@hooks.example.com/x",
        f"https://hooks.example.com:{HIDDEN}/x",
        f"https://[{HIDDEN}/x",
        f"https://hooks.example.com/é{HIDDEN}",
        f"http://hooks.example.com/{HIDDEN}",
    ],
)
def test_an_address_that_cannot_be_used_is_refused_and_not_told(
    address: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(notify.WEBHOOK, address)
    assert not notify.send("drift found")
    said = capsys.readouterr()
    assert f"{notify.WEBHOOK} did not take it: it " in said.err
    assert HIDDEN not in said.out + said.err


@pytest.mark.parametrize(
    "address",
    [f"http://me:{HIDDEN}@push:9091/metrics/job/x", f"http://[{HIDDEN}/x"],
)
def test_an_address_of_a_pushgateway_that_cannot_be_used_is_not_told(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(prometheus.PUSHGATEWAY, address)
    with pytest.raises(InputError, match=prometheus.PUSHGATEWAY) as error:
        prometheus.gateway()
    assert HIDDEN not in str(error.value)


def test_a_server_of_another_kind_stops_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    def ssh(connection: socket.socket) -> None:
        connection.sendall(b"SSH-2.0-OpenSSH_9\r\n")

    with speaking(ssh) as address:
        assert web.post(address, {}) == "BadStatusLine"
    with speaking(ssh) as address:
        assert not prometheus.push(address, "a 1\n")
    assert HIDDEN not in capsys.readouterr().err


def test_a_server_that_answers_byte_by_byte_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given_up = threading.Event()

    def drip(connection: socket.socket) -> None:
        head = b"HTTP/1.1 200 OK\r\nx-padding: " + b"y" * 40 + b"\r\n\r\n"
        for letter in head:
            given_up.wait(0.05)
            connection.sendall(bytes([letter]))

    monkeypatch.setattr(web, "SECONDS", 0.5)
    with speaking(drip) as address:
        assert web.post(address, {}) == "TimeoutError"
        given_up.set()
