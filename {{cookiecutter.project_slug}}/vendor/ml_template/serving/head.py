"""What the head of a request must be before the application sees it; the answer to another."""

from __future__ import annotations

import re
from itertools import chain

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

Headers = list[tuple[bytes, bytes]]
MAX_HEADERS = 128
MAX_HEADER_BYTES = 1 << 16  # of them and the request line; of trailers; of what precedes a chunk
_HOST = re.compile(rb"[\w.~!$&'()*+,;=%:\[\]-]*[ \t]*", re.ASCII)
_SAID = {
    400: b"the request is not valid HTTP/1.1",
    413: b"the body is too large",
    431: b"the request line and headers are too large",
    501: b"the method or the transfer coding is not known here",
    505: b"the version of HTTP is neither 1.0 nor 1.1",
}


class UnsoundError(Exception):
    """A request that is not read any further; `status` is its answer."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class PaddedError(Exception):
    """A tab behind `chunked`, which httptools takes for a part of the word."""


def is_padded(headers: Headers) -> bool:
    """Whether a tab follows the word `chunked`: space that may stand there (RFC 9110, 5.5)."""
    return any(
        name == b"transfer-encoding" and b"\t" in value and _bare(value) == b"chunked"
        for name, value in headers
    )


def check(version: str, headers: Headers) -> bool:
    """Whether the client waits to be asked for the body.

    Raises UnsoundError where it is not plain for whom the request is, or where it ends.
    """
    names = [name for name, _ in headers]
    hosts, codings = names.count(b"host"), names.count(b"transfer-encoding")
    if version == "1.1":
        is_sound = hosts == 1 and codings <= 1
    elif version == "1.0":
        is_sound = hosts <= 1 and not codings
    else:
        raise UnsoundError(505)
    if not is_sound or (hosts and not _HOST.fullmatch(headers[names.index(b"host")][1])):
        raise UnsoundError(400)
    if codings and _word(headers, names, b"transfer-encoding") != b"chunked":
        raise UnsoundError(501)
    waits = b"expect" in names and version == "1.1"
    return waits and _word(headers, names, b"expect") == b"100-continue"


def _word(headers: Headers, names: list[bytes], name: bytes) -> bytes:
    return _bare(headers[names.index(name)][1])


def _bare(value: bytes) -> bytes:
    return value.strip(b" \t").lower()  # httptools leaves the space after a value


def bound(headers: Headers, size: int = 0) -> None:
    """Raise UnsoundError where headers, with `size` bytes before them, are too many or too long."""
    size += 4 * len(headers) + sum(map(len, chain.from_iterable(headers)))
    if len(headers) > MAX_HEADERS or size > MAX_HEADER_BYTES:
        raise UnsoundError(431)


def refusal(status: int, headers: Headers) -> bytes:
    """The answer to a request that is not read, with `headers` that every answer has."""
    content = b'{"error": "%s"}' % _SAID[status]
    headers = [
        *headers,
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(content)),
        (b"connection", b"close"),
    ]
    lines = [b"%s: %s\r\n" % header for header in headers]
    return b"".join([STATUS_LINE[status], *lines, b"\r\n", content])
