"""A user without a name or a home is enough, and nothing here is asked through a proxy."""

from __future__ import annotations

import getpass
import os
import pwd
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from ml_template.outside import surroundings, web
from ml_template.serving import load
from ml_template.settings.config import InputError

DEAD = "http://127.0.0.1:9"
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy and no exception is set; what `settle` sets is undone."""
    for name in (*PROXIES, *map(str.upper, PROXIES)):
        monkeypatch.setenv(name, "")
    for name in ("HOME", "LOGNAME"):
        monkeypatch.setenv(name, os.environ.get(name, ""))


def nameless(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(number: int) -> pwd.struct_passwd:
        raise KeyError(number)

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("home", [None, "/no/such/folder"])
def test_a_user_without_name_and_home_gets_both(
    home: str | None, in_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nameless(monkeypatch)
    if home:
        monkeypatch.setenv("HOME", home)
    else:
        monkeypatch.delenv("HOME")
    surroundings.settle()
    assert getpass.getuser() == f"user-{os.getuid()}"
    assert Path.home() == in_folder / ".dvc/tmp/home"


def test_a_home_that_is_the_closed_root_is_none(
    in_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/")
    monkeypatch.setattr(os, "access", lambda *_: False)
    surroundings.settle()
    assert Path.home() == in_folder / ".dvc/tmp/home"


@pytest.mark.parametrize("closed", [os.R_OK, os.X_OK])
def test_a_home_that_may_not_be_entered_is_none(
    closed: int, in_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = in_folder / "somebody"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setattr(os, "access", lambda path, mode: path != str(home) or not mode & closed)
    surroundings.settle()
    assert Path.home() == in_folder / ".dvc/tmp/home"


def test_a_name_and_a_home_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "somebody")
    monkeypatch.setenv("HOME", str(tmp_path))
    surroundings.settle()
    assert (getpass.getuser(), Path.home()) == ("somebody", tmp_path)


@pytest.mark.parametrize("proxy", ["http_proxy", "HTTPS_PROXY", "ALL_PROXY"])
@pytest.mark.parametrize("given", ["", "localhost", "internal.example.com, 10.0.0.0/8"])
def test_libraries_ask_this_machine_past_a_proxy(
    proxy: str, given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(proxy, DEAD)
    monkeypatch.setenv("NO_PROXY", given)
    surroundings.settle()
    for name in ("no_proxy", "NO_PROXY"):
        known = os.environ[name].split(",")
        here = {*surroundings.HERE, surroundings.own_name()}
        assert {*filter(None, given.replace(" ", "").split(",")), *here} == {*known}
    names = ("127.0.0.1", "127.1", "0.0.0.0", "[::1]", "localhost", "localhost.")
    for host in (*names, socket.gethostname()):
        assert urllib.request.proxy_bypass(host), host
        assert urllib.request.proxy_bypass(f"{host}:1"), host
    for host in ("example.com", "localhost.example.com", "192.0.2.1:1", "[2001:db8::1]:1"):
        assert not urllib.request.proxy_bypass(host), host


@pytest.mark.parametrize(("proxy", "given"), [("", "example.com"), (DEAD, "*")])
def test_without_a_proxy_or_with_none_for_all_nothing_is_set(
    proxy: str, given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", proxy)
    monkeypatch.setenv("NO_PROXY", given)
    surroundings.settle()
    assert os.environ["NO_PROXY"] == given


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "localhost.", "a.localhost", "127.0.0.1", "127.3.2.1", "::1"),
        *("0.0.0.0", "::", "::ffff:127.0.0.1"),
        *("127.1", "0", "0x7f000001", "2130706433", "[::1]", "::1%lo", "LOCALHOST"),
        *("ip6-localhost", "localhost.localdomain"),
        *(socket.gethostname(), f"{socket.gethostname()}."),
    ],
)
def test_these_are_this_machine(host: str) -> None:
    assert surroundings.is_here(host)


@pytest.mark.parametrize(
    "host",
    [
        *("", ".", "example.com", "localhost.example.com", "notlocalhost", "127.1.example.com"),
        *("192.0.2.1", "128.0.0.1", "128.1", "1.127", "2001:db8::1", "fe80::1%1", "224.0.0.1"),
        f"{socket.gethostname()}.example.com",
    ],
)
def test_these_are_not(host: str) -> None:
    assert not surroundings.is_here(host)


def test_what_a_machine_listens_on_is_its_own_whatever_its_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Stands for the address of a network card."""

    class Card(socket.socket):
        def bind(self, address: tuple[str, int]) -> None:
            if address[0] != "192.0.2.1":
                raise OSError

    monkeypatch.setattr(surroundings.socket, "socket", Card)
    assert surroundings.is_here("192.0.2.1")
    assert not surroundings.is_here("192.0.2.2")


class Answer(BaseHTTPRequestHandler):
    """Says where it was asked for."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.path.encode())

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


class OverSix(ThreadingHTTPServer):
    address_family = socket.AF_INET6


@pytest.fixture(params=["127.0.0.1", "::1"])
def port(request: pytest.FixtureRequest) -> Iterator[tuple[str, int]]:
    """A server on this machine: its host as an address has it, and its port."""
    kind = OverSix if ":" in request.param else ThreadingHTTPServer
    try:
        server = kind((request.param, 0), Answer)
    except OSError:
        pytest.skip(f"{request.param} is not there")
    with server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"[{request.param}]" if ":" in request.param else request.param, server.server_port
        server.shutdown()
        thread.join()


def test_this_machine_is_not_asked_through_a_proxy(
    port: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in PROXIES[:3]:
        monkeypatch.setenv(name, DEAD)
    host, number = port
    assert web.read(f"http://{host}:{number}/ready") == b"/ready"


def test_others_are_asked_through_it(
    port: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    host, number = port
    monkeypatch.setenv("http_proxy", f"http://{host}:{number}")
    assert web.read("http://example.com/ready") == b"http://example.com/ready"


def test_nothing_ready_is_none_and_not_waited_for_without_an_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(web, "SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert web.read(f"http://127.0.0.1:{silent.getsockname()[1]}/ready") is None


def test_a_service_that_does_not_get_ready_ends_the_load_test(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started: list[subprocess.Popen[bytes]] = []
    popen = subprocess.Popen

    def sleeping(_: object, **__: object) -> subprocess.Popen[bytes]:
        started.append(popen([sys.executable, "-c", "import time; time.sleep(600)"]))
        return started[0]

    monkeypatch.setattr(load.subprocess, "Popen", sleeping)
    monkeypatch.setattr(load, "START_SECONDS", 0.2)
    with (
        pytest.raises(InputError, match=r"/predict names no model within"),
        load._service({}, "", b"{}"),
    ):
        pass
    assert started[0].poll() is not None
