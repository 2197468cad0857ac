"""The service can be reached at each address that it was asked for, and says a usable one."""

from __future__ import annotations

import http.server
import socket
import subprocess
import threading
from urllib.parse import urlsplit

import pytest
from ml_template.serving import load
from ml_template.serving.serve import address, listen
from ml_template.settings.config import InputError

with_ipv6 = pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="there is no IPv6 here")


def is_open(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=5).close()
    except OSError:
        return False
    return True


@pytest.mark.parametrize(
    ("host", "said"),
    [
        ("127.0.0.1", "http://127.0.0.1:{}"),
        ("localhost", "http://127.0.0.1:{}"),
        ("0.0.0.0", "http://0.0.0.0:{}"),
        pytest.param("::1", "http://[::1]:{}", marks=with_ipv6),
        pytest.param("0:0:0:0:0:0:0:1", "http://[::1]:{}", marks=with_ipv6),
        pytest.param("::", "http://[::]:{}", marks=with_ipv6),
        pytest.param("[::]", "http://[::]:{}", marks=with_ipv6),
        pytest.param("[::1]", "http://[::1]:{}", marks=with_ipv6),
    ],
)
def test_the_address_that_is_said_is_one_to_connect_to(host: str, said: str) -> None:
    with listen(host, 0) as listener:
        port = listener.getsockname()[1]
        assert address(listener) == said.format(port)
        parts = urlsplit(address(listener))
        assert is_open(str(parts.hostname), parts.port or 0)


@with_ipv6
def test_every_address_is_of_ipv4_and_ipv6() -> None:
    with listen("::", 0) as listener:
        port = listener.getsockname()[1]
        assert is_open("127.0.0.1", port)
        assert is_open("::1", port)
    with listen("::1", 0) as listener:
        assert not is_open("127.0.0.1", listener.getsockname()[1])


def test_without_ipv6_every_address_is_of_ipv4_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: False)
    with listen("::", 0) as listener:
        port = listener.getsockname()[1]
        assert is_open("127.0.0.1", port)
        assert address(listener) == f"http://0.0.0.0:{port}"
    assert "no IPv6" in capsys.readouterr().out
    with listen("127.0.0.1", 0):
        assert capsys.readouterr().out == ""


def test_a_name_in_brackets_is_no_host() -> None:
    with pytest.raises(InputError, match=r"HOST=\[localhost\] PORT=0.*choose another HOST"):
        listen("[localhost]", 0)


@pytest.mark.parametrize("host", ["::", "127.0.0.1"])
def test_a_port_that_is_taken_is_said_so(host: str) -> None:
    with listen(host, 0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(InputError, match=f"HOST={host} PORT={port}.*choose another"):
            listen(host, port)


class Answering(http.server.BaseHTTPRequestHandler):
    """A service that answers `{}` at /predict, and nothing else."""

    def do_POST(self) -> None:
        sent = self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200 if (self.path, sent) == ("/predict", b"{}") else 404)
        self.end_headers()
        self.wfile.write(b'{"model": "0123456789abcdef"}')

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


class Six(http.server.HTTPServer):
    address_family = socket.AF_INET6


@with_ipv6
@pytest.mark.parametrize("end", ["", "/"])
def test_a_service_at_an_address_of_ipv6_is_put_under_load(end: str) -> None:
    with Six(("::1", 0), Answering) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://[::1]:{server.server_port}"
        with load._service({}, url + end, b"{}") as found:
            assert found == url
        server.shutdown()


class StartedError(Exception):
    """What was to be started."""


@pytest.mark.parametrize("there", ["127.0.0.1", pytest.param("::1", marks=with_ipv6)])
def test_the_load_test_takes_the_address_that_this_machine_has(
    there: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """IPv4 where it is there, else IPv6."""
    create = socket.create_server

    def only(address: tuple[str, int], **named: object) -> socket.socket:
        if address[0] != there:
            raise OSError(99, "Cannot assign requested address")
        return create(address, **named)  # type: ignore[arg-type]

    def start(command: list[str], **_: object) -> None:
        raise StartedError(*command)

    monkeypatch.setattr(socket, "create_server", only)
    monkeypatch.setattr(subprocess, "Popen", start)
    with pytest.raises(StartedError) as started, load._service({}, "", b"{}"):
        pass
    assert f"HOST={there}" in started.value.args
