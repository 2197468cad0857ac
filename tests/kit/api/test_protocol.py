"""Every rule of a connection holds for each of its requests, wherever their bytes are split."""

from __future__ import annotations

import asyncio
import json
import tracemalloc
from typing import Any

import pytest
import uvicorn
from ml_template.serving import deadlines
from ml_template.serving.protocol import DISCARD, Guarded
from ml_template.serving.settings import Settings
from uvicorn.server import ServerState

BODY = b'{"records": []}'
LENGTH = b"content-length: %d" % len(BODY)
LIMIT = Settings().max_bytes
Answer = tuple[int, Any]


class Transport(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = bytearray()
        self.closed = self.reading = False

    def write(self, data: Any) -> None:
        self.sent += b"" if self.closed else data

    def write_eof(self) -> None:
        self.closed = True

    def close(self) -> None:
        self.closed = True

    abort = close

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


class Application:
    """Answers with what it was asked, and keeps the headers that it saw."""

    def __init__(self) -> None:
        self.seen: list[dict[bytes, bytes]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.seen.append(dict(scope["headers"]))
        body, more = b"", scope["path"] != "/deaf"
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        content = json.dumps([scope["method"], scope["path"], body.decode()]).encode()
        headers = [(b"content-length", b"%d" % len(content))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": content})


def answers(sent: bytes) -> list[Answer]:
    """Status and JSON of each answer; a 100 has none."""
    found: list[Answer] = []
    while sent:
        top, _, sent = sent.partition(b"\r\n\r\n")
        fields = dict(line.lower().split(b": ", 1) for line in top.split(b"\r\n")[1:])
        length = int(fields.get(b"content-length", 0))
        content, sent = sent[:length], sent[length:]
        found.append((int(top.split()[1]), json.loads(content) if content else None))
    return found


async def connect(application: Application) -> tuple[Guarded, Transport]:
    config = uvicorn.Config(application, http=Guarded, ws="none", proxy_headers=False)
    config.load()
    connection = Guarded(config, ServerState(), {}, _loop=asyncio.get_running_loop())
    transport = Transport()
    connection.connection_made(transport)
    return connection, transport


def talk(*parts: bytes, application: Application | None = None) -> tuple[list[Answer], bool]:
    """The answers to what is sent part by part, and whether the connection was closed."""

    async def send() -> tuple[list[Answer], bool]:
        connection, transport = await connect(application or Application())
        for part in parts:
            connection.data_received(part)
            for _ in range(12):
                await asyncio.sleep(0)
        return answers(bytes(transport.sent)), transport.closed

    return asyncio.run(send())


def statuses(*parts: bytes) -> list[int]:
    return [status for status, _ in talk(*parts)[0]]


def post(*lines: bytes, body: bytes = BODY, path: bytes = b"/") -> bytes:
    return b"\r\n".join([b"POST %s HTTP/1.1" % path, b"host: example", *lines, b"", body])


def get(*lines: bytes) -> bytes:
    return b"\r\n".join([b"GET / HTTP/1.1", b"host: example", *lines, b"", b""])


CHUNKED = b"transfer-encoding: chunked"
OFFERS = {
    "h2c": [b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABk"],
    "websocket": [b"UPGRADE: WebSocket", b"connection: keep-alive, UPGRADE"],
    "TLS": [b"Upgrade: TLS/1.0, HTTP/2.0", b"Connection: Upgrade"],
    "folded": [b"Connection:\tupgrade", b"Upgrade:h2c\t "],
    "none": [b"Connection: Upgrade"],
}
GOOD = ["POST", "/", BODY.decode()]


@pytest.mark.parametrize("offer", OFFERS)
def test_an_offer_of_another_protocol_is_passed_over_in_each_request(offer: str) -> None:
    plain, chunked = post(LENGTH, *OFFERS[offer]), post(CHUNKED, *OFFERS[offer], body=b"")
    chunked += b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)
    found, closed = talk(plain, plain, chunked, plain + chunked + plain)
    assert [answer for _, answer in found] == [GOOD] * 6
    assert not closed
    assert statuses(get(*OFFERS[offer]) * 3) == [200] * 3


def test_requests_may_be_split_at_every_byte() -> None:
    offered = post(LENGTH, *OFFERS["h2c"])
    chunked = post(CHUNKED, body=b'5\r\n{"rec\r\na\r\nords": []}\r\n0\r\nt: 1\r\n\r\n')
    sent = offered + get() + chunked + offered
    expected = ([(200, GOOD), (200, ["GET", "/", ""]), (200, GOOD), (200, GOOD)], False)
    for at in range(1, len(sent)):
        assert talk(sent[:at], sent[at:]) == expected, at
    assert talk(*[sent[at : at + 1] for at in range(len(sent))]) == expected


@pytest.mark.parametrize("around", [b"\tchunked\t", b" Chunked \t ", b"chunked\t\t"])
def test_a_tab_behind_chunked_is_space_wherever_the_request_is_split(around: bytes) -> None:
    coding = b"Transfer-Encoding:" + around
    body = b'5\r\n{"rec\r\na\r\nords": []}\r\n0\r\n\r\n'
    tabs = b"7\r\n\t\r\n\r\n\t.\r\n0\r\nt:\t1\t\r\n\r\n"
    last = b"POST / HTTP/1.1\r\nhost:\ta\t\r\n%s\r\n\r\n" % coding
    offered = post(coding, *OFFERS["folded"], body=body)
    sent = post(coding, body=tabs) + post(LENGTH) + last + body + b"\r\n" + offered + get(b"a:\tb")
    told = ["POST", "/", "\t\r\n\r\n\t."]
    expected = ([(200, told), *[(200, GOOD)] * 3, (200, ["GET", "/", ""])], False)
    assert talk(sent) == expected
    for at in range(1, len(sent)):
        assert talk(sent[:at], sent[at:]) == expected, at
    assert talk(*[sent[at : at + 1] for at in range(len(sent))]) == expected


UNSOUND = {
    "no host": (400, b"GET / HTTP/1.1\r\n\r\n"),
    "two hosts": (400, get(b"Host: other")),
    "the same host twice": (400, get(b"host: example")),
    "a host with a space": (400, b"GET / HTTP/1.1\r\nhost: a b\r\n\r\n"),
    "a host that is a path": (400, b"GET / HTTP/1.1\r\nhost: a/b\r\n\r\n"),
    "two hosts of HTTP/1.0": (400, b"GET / HTTP/1.0\r\nhost: a\r\nhost: b\r\n\r\n"),
    "two lengths": (400, post(LENGTH, b"content-length: 3")),
    "the same length twice": (400, post(LENGTH, LENGTH)),
    "a list of lengths": (400, post(LENGTH + b", 15")),
    "a length with a sign": (400, post(b"content-length: +15")),
    "a negative length": (400, post(b"content-length: -1")),
    "an endless length": (400, post(b"content-length: " + b"9" * 30)),
    "a length and chunks": (400, post(LENGTH, CHUNKED, body=b"0\r\n\r\n")),
    "chunks and a length": (400, post(CHUNKED, LENGTH, body=b"0\r\n\r\n")),
    "chunks of HTTP/1.0": (400, b"POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"),
    "chunks said twice": (400, post(CHUNKED, CHUNKED, body=b"0\r\n\r\n")),
    "compressed chunks": (501, post(b"transfer-encoding: gzip, chunked", body=b"0\r\n\r\n")),
    "a tab within chunks": (501, post(b"transfer-encoding: chun\tked", body=b"0\r\n\r\n")),
    "chunks and a comma": (501, post(b"transfer-encoding: chunked\t,", body=b"0\r\n\r\n")),
    "chunks and a vertical tab": (400, post(b"transfer-encoding: chunked\v", body=b"0\r\n\r\n")),
    "chunks and a form feed": (400, post(b"transfer-encoding: chunked\f", body=b"0\r\n\r\n")),
    "chunks and a space of no ASCII": (501, post(b"transfer-encoding: chunked\xa0", body=b"")),
    "chunks with tabs said twice": (400, post(CHUNKED + b"\t", CHUNKED + b"\t", body=b"")),
    "chunks with a tab and a length": (400, post(CHUNKED + b"\t", LENGTH, body=b"0\r\n\r\n")),
    "chunks with a tab of HTTP/1.0": (
        400,
        b"POST / HTTP/1.0\r\ntransfer-encoding: chunked\t\r\n\r\n0\r\n\r\n",
    ),
    "a tab before the colon": (400, post(b"transfer-encoding\t: chunked", body=b"")),
    "a tab in the first line": (400, b"GET\t/ HTTP/1.1\r\nhost: a\r\n\r\n"),
    "another coding": (501, post(b"transfer-encoding: identity", body=b"")),
    "no size of a chunk": (400, post(CHUNKED, body=b"x\r\n")),
    "a space before the colon": (400, get(b"content-length : 3")),
    "a line that is no header": (400, get(b"no header")),
    "a tunnel": (501, b"CONNECT example:443 HTTP/1.1\r\nhost: example\r\n\r\n"),
    "HTTP/2": (400, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "HTTP/2 of a request": (505, b"GET / HTTP/2.0\r\nhost: example\r\n\r\n"),
    "TLS": (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    "a long line": (431, b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nhost: example\r\n\r\n"),
    "a long header": (431, get(b"a: " + b"b" * 70_000)),
    "many headers": (431, get(*[b"a: b"] * 200)),
    "long trailers": (431, post(CHUNKED, body=b"0\r\na: " + b"b" * 70_000 + b"\r\n\r\n")),
    "many trailers": (431, post(CHUNKED, body=b"0\r\n" + b"a:\r\n" * 200 + b"\r\n")),
    "a long extension": (431, post(CHUNKED, body=b"1;" + b"a" * 90_000 + b"\r\n")),
}


@pytest.mark.parametrize("name", UNSOUND)
def test_what_is_no_sound_request_is_refused_after_those_before_it_are_answered(name: str) -> None:
    status, sent = UNSOUND[name]
    ok = post(LENGTH)
    for before in ([], [ok], [ok, get(), ok]):
        for parts in ([*before, sent, ok], [b"".join([*before, sent, ok])]):
            found, closed = talk(*parts)
            assert [code for code, _ in found] == [200] * len(before) + [status]
            assert closed
            assert str(found[-1][1]["error"])


SOUND = {
    "space around a length": post(b"content-length: \t%d \t" % len(BODY)),
    "a host with a port": b"GET / HTTP/1.1\r\nhost: example:8000 \r\n\r\n",
    "a host of IPv6": b"GET / HTTP/1.1\r\nHost: [::1]:8000\r\n\r\n",
    "an empty host": b"GET / HTTP/1.1\r\nhost:\r\n\r\n",
    "a whole address": b"GET http://example/ HTTP/1.1\r\nhost: example\r\n\r\n",
    "an empty line before": b"\r\n" + get(),
    "chunks in capitals": post(b"Transfer-Encoding: Chunked ", body=b"1;a=b\r\n{\r\n0\r\n\r\n"),
    "a hundred headers": get(*[b"a-%d: b" % number for number in range(100)]),
    "60,000 bytes of headers": get(*[b"a: " + b"b" * 6_000] * 10),
    "60,000 bytes of trailers": post(CHUNKED, body=b"0\r\na: " + b"b" * 60_000 + b"\r\n\r\n"),
    "a line of 60,000 bytes": b"GET /?" + b"a" * 60_000 + b" HTTP/1.1\r\nhost: example\r\n\r\n",
    "small chunks": post(CHUNKED, body=b"1\r\n{\r\n" * 20_000 + b"0\r\n\r\n"),
}


@pytest.mark.parametrize("name", SOUND)
def test_a_sound_request_is_answered_and_the_connection_stays(name: str) -> None:
    sent = SOUND[name]
    for size in (1000, 1 << 18):
        sizes = range(0, 3 * len(sent), size)
        found, closed = talk(*[(sent * 3)[at : at + size] for at in sizes])
        assert [code for code, _ in found] == [200] * 3
        assert not closed


def test_http_1_0_needs_no_host_and_is_answered_once() -> None:
    assert talk(b"GET / HTTP/1.0\r\n\r\n" + get()) == ([(200, ["GET", "/", ""])], True)


@pytest.mark.parametrize("join", [True, False])
def test_a_trailer_is_no_header(join: bool) -> None:
    application = Application()
    end = b"0\r\nx-request-id: trailer\r\nexpect: 100-continue\r\n\r\n"
    parts = [post(CHUNKED, body=b"1\r\n{\r\n"), end]
    sent = [b"".join(parts)] if join else parts
    assert talk(*sent, get(), application=application)[0][0] == (200, ["POST", "/", "{"])
    assert [set(headers) for headers in application.seen] == [
        {b"host", b"transfer-encoding"},
        {b"host"},
    ]


@pytest.mark.parametrize("name", [b"connection", b"Proxy-Connection"])
def test_a_trailer_that_would_end_the_connection_leaves_no_request_waiting(name: bytes) -> None:
    sent = post(CHUNKED, body=b"1\r\n{\r\n0\r\n" + name + b": close\r\n\r\n")
    for parts in ([sent + get()], [sent, get()], [sent[:-1], sent[-1:] + get()]):
        found, closed = talk(*parts)
        assert found[0] == (200, ["POST", "/", "{"])
        assert closed or len(found) == 2


WAITS = b"Expect: 100-Continue "


def test_a_client_that_waits_is_asked_for_its_body_in_each_request() -> None:
    begin, ok = post(LENGTH, WAITS, body=b""), post(LENGTH)
    found, closed = talk(begin, BODY, ok + begin, BODY + begin + BODY)
    assert [code for code, _ in found] == [100, 200, 200, 100, 200, 100, 200]
    assert not closed


def test_a_client_that_is_answered_instead_is_not_misread() -> None:
    begin = post(LENGTH, WAITS, path=b"/deaf", body=b"")
    for before in ([], [get()]):
        found, closed = talk(*before, begin, get(), get())
        assert [code for code, _ in found] == [200] * (len(before) + 1)
        assert closed
    assert not talk(begin + BODY)[1]  # its body is here: nothing is in doubt


def test_a_client_of_http_1_0_is_never_asked() -> None:
    sent = b"POST / HTTP/1.0\r\n%s\r\n%s\r\n\r\n" % (WAITS, LENGTH)
    assert statuses(sent, BODY) == [200]


def test_a_request_refused_in_its_body_has_one_answer() -> None:
    broken = post(CHUNKED, body=b"1\r\n{\r\n"), b"no size\r\n"
    assert statuses(*broken, get()) == [400]
    assert statuses(get() + broken[0], broken[1]) == [200, 400]
    deaf = post(CHUNKED, path=b"/deaf", body=b"1\r\n{\r\n")
    assert talk(deaf, broken[1], get()) == ([(200, ["POST", "/deaf", ""])], True)


HEAD = post(CHUNKED, body=b"")
ENDLESS: dict[str, tuple[bytes, bytes]] = {
    "line": (b"GET /", b"a" * 65_536),
    "one header": (b"GET / HTTP/1.1\r\na: ", b"b" * 65_536),
    "headers": (b"GET / HTTP/1.1\r\n", b"a:\r\n" * 16_384),
    "trailers": (HEAD + b"0\r\n", b"a:\r\n" * 16_384),
    "one trailer": (HEAD + b"0\r\na: ", b"b" * 65_536),
    "extension": (HEAD + b"1;", b"a" * 65_536),
    "trailers after a body": (HEAD + b"1\r\n{\r\n0\r\n", b"a:\r\n" * 16_384),
    "empty lines": (b"", b"\r\n" * 32_768),
    "requests": (b"", get() * 1_800),
    "offers": (b"", get(*OFFERS["h2c"]) * 800),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_what_is_kept_of_an_endless_request_is_bounded(name: str) -> None:
    begin, block = ENDLESS[name]

    async def peak() -> int:
        waiting = asyncio.Event()

        async def application(scope: Any, receive: Any, send: Any) -> None:
            await waiting.wait()

        connection, transport = await connect(application)  # type: ignore[arg-type]
        tracemalloc.start()
        connection.data_received(begin)
        for _ in range(DISCARD * LIMIT // len(block)):
            if transport.reading or not connection.flow.read_paused:
                connection.data_received(block)
            await asyncio.sleep(0)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        connection.connection_lost(None)
        return most

    assert asyncio.run(peak()) < 2 << 20


def test_what_was_sent_ahead_is_answered_in_its_order() -> None:
    many = [b"GET /%d HTTP/1.1\r\nhost: a\r\n\r\n" % number for number in range(200)]

    async def send() -> list[Answer]:
        connection, transport = await connect(Application())
        connection.data_received(b"".join(many))
        while len(found := answers(bytes(transport.sent))) < 200:
            await asyncio.sleep(0)
        return found

    found = asyncio.run(asyncio.wait_for(send(), 60))
    assert [answer[1] for _, answer in found] == [f"/{number}" for number in range(200)]


BEGUN = {
    "nothing": [],
    "an empty line": [get(), b"\r\n"],
    "a part of a line": [b"GE"],
    "a part of the next line": [get() + b"GE"],
    "a body after its answer": [post(LENGTH, path=b"/deaf", body=b"")],
    "trailers": [HEAD.replace(b"/", b"/deaf", 1) + b"0\r\na: b"],
    "what was refused": [b"no request\r\n\r\n"],
}


@pytest.mark.parametrize("name", BEGUN)
def test_a_request_that_is_not_finished_in_time_ends_its_connection(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = Settings(request_seconds=0.05)
    monkeypatch.setattr(deadlines, "_settings", lambda: short)

    async def wait() -> None:
        connection, transport = await connect(Application())
        connection.timeout_keep_alive = 3600
        for part in BEGUN[name]:
            connection.data_received(part)
            for _ in range(12):
                await asyncio.sleep(0)
        while not transport.closed:
            await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(wait(), 60))


@pytest.mark.parametrize("ahead", [0, 3])
def test_work_for_a_client_that_has_gone_ends(ahead: int) -> None:
    ended: list[str] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(scope["path"])

    async def leave() -> None:
        connection, _ = await connect(application)  # type: ignore[arg-type]
        connection.data_received(post(LENGTH) + get() * ahead)
        await asyncio.sleep(0)
        connection.connection_lost(None)
        await asyncio.gather(*connection.tasks)

    asyncio.run(asyncio.wait_for(leave(), 60))
    assert ended == ["/"]
