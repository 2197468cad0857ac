"""uvicorn with what it lacks: every request of a connection under the same limits.

Each part of a request is bounded before it is kept. What is no sound request of HTTP/1.1 is
refused when those before it have their answers, and the connection closed. So is one that does not
send a whole request, or does not read its answer, in time. Work for a client that has gone ends.
"""

from __future__ import annotations

import asyncio
from typing import Any

import httptools
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from . import expect, head
from .deadlines import Timed

DISCARD = 16  # times max_bytes: what is read and thrown away of a request that was refused
_PART = 1 << 14  # bytes that are read at once: limits are looked at between parts
_HEAD_END = b"\r\n\r\n"


class _Flow(FlowControl):
    held = False  # while something that has come waits for its turn

    def resume_reading(self) -> None:
        if not self.held:
            super().resume_reading()


class Guarded(Timed):
    """One connection; what was sent ahead waits unread until the request before it is answered."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.headers = []
        self._rest, self._at = b"", 0  # what has come, and how much of it was read
        self._last = b"   "  # as many bytes before that as may begin the end of a head
        self._whole = True  # what was read ends with a request
        self._in_head = True
        self._apart = _PART  # bytes since the last of a body, or up to a part more
        self._received = 0
        self._running: RequestResponseCycle  # of the one it has
        self._task: asyncio.Task[None] | None = None
        self._given_up = False
        self._refusal = 0  # the status that ends this connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.flow: _Flow = _Flow(transport)
        self._arm()

    def data_received(self, data: bytes) -> None:
        if self._refusal:
            self._received += len(data)
            if self._received > DISCARD * self._limits.max_bytes:
                self.transport.abort()
            return
        self._rest, self._at = self._rest[self._at :] + data, 0
        self._read_on()

    def _read_on(self) -> None:
        """Read what has come, to the end of two heads at a time, unless a request waits.

        A head that may have to be read again (see _parse) ends what is read at once.
        """
        self._unset_keepalive_if_required()
        rest = self._rest
        while self._at < len(rest) and not self.pipeline and not self._refusal:
            at, most = self._at, self._at + _PART
            first = rest.find(_HEAD_END, at, most) + 4
            second = rest.find(_HEAD_END, first, most) + 4
            end = second if 4 <= first < second else most
            if (self._in_head and not self._whole) or rest.find(b"\t", at, most) >= 0:
                over = (self._last + rest[at : at + 3]).find(_HEAD_END) + 1
                end = at + over if over else first if first >= 4 else most
            self._last = (self._last + rest[at:end][-3:])[-3:]
            self._read(rest[at:end])
            self._at = end
        if self._at >= len(rest):
            self._rest, self._at = b"", 0
        held = bool(self._rest)
        if held != self.flow.held:
            self.flow.held = held
            (self.flow.pause_reading if held else self.flow.resume_reading)()

    def _read(self, part: bytes) -> None:
        self._whole = False
        self._apart += len(part)
        self._received += len(part)
        try:
            self._parse(part)
        except httptools.HttpParserError as error:
            why = error.__context__
            self._refuse(why.status if isinstance(why, head.UnsoundError) else 400)
        else:
            self._bound()

    def _parse(self, part: bytes) -> None:
        while part:
            try:
                self.parser.feed_data(part)
                return
            except httptools.HttpParserUpgrade as offer:
                # Another protocol (h2c) is passed over: httptools would drop the body.
                part = self._plain_head() + part[offer.args[0] :]
            except httptools.HttpParserCallbackError as error:
                if not isinstance(error.__context__, head.PaddedError):
                    raise
                part = self._plain_head()

    def _plain_head(self) -> bytes:
        """The head that was read, without its offer and padding, for a parser that saw neither."""
        version = self.parser.get_http_version().encode()
        lines = [b"%s %s HTTP/%s" % (self.parser.get_method(), self.url, version)]
        lines += [b"%s: %s" % (n, v.strip(b" \t")) for n, v in self.headers if n != b"upgrade"]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        return b"\r\n".join(lines) + _HEAD_END

    def _bound(self) -> None:
        """What is still to come of a request must be not too much, and not too late."""
        if self._whole:
            self._disarm()
        elif self._apart > head.MAX_HEADER_BYTES + _PART or len(self.headers) > head.MAX_HEADERS:
            self._refuse(431)
        elif self._received > DISCARD * self._limits.max_bytes:
            self._refuse(413)
        elif self._deadline is None:
            self._arm()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._whole = False
        self.scope["whole"] = False  # type: ignore[typeddict-unknown-key]

    def on_headers_complete(self) -> None:
        if self.parser.should_upgrade():  # it comes again
            if self.parser.get_method() == b"CONNECT":
                raise head.UnsoundError(501)
            return
        if head.is_padded(self.headers):
            raise head.PaddedError
        if self._apart > head.MAX_HEADER_BYTES or len(self.headers) > head.MAX_HEADERS:
            head.bound(self.headers, len(self.url))
        self.expect_100_continue = head.check(self.parser.get_http_version(), self.headers)
        self.app = expect.closing(self._answer) if self.expect_100_continue else self._answer
        super().on_headers_complete()
        self.headers = []  # a trailer is no header
        self._in_head = False
        self._unanswered += 1

    def on_body(self, body: bytes) -> None:
        self._apart = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self.parser.should_upgrade():
            return
        if self.headers:
            head.bound(self.headers)
            if any(name in (b"connection", b"proxy-connection") for name, _ in self.headers):
                self.cycle.keep_alive = False  # the parser took it, and may read nothing more
            self.headers = []
        super().on_message_complete()
        self.scope["whole"] = True  # type: ignore[typeddict-unknown-key]
        self._whole = self._in_head = True
        self._apart, self._received = _PART, 0

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
        self._task = asyncio.current_task()
        try:
            await self.config.loaded_app(scope, receive, send)
        except asyncio.CancelledError:
            if not self._given_up:
                raise

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._unanswered -= 1
        if not self.transport.is_closing():
            if self._refusal:
                self._say()
            elif self._rest:
                self._read_on()

    def _refuse(self, status: int) -> None:
        """Read no further; `status` is answered when what came before is."""
        self._refusal, self._rest, self._received = status, b"", 0
        if self._in_head:
            self._say()
        elif self.pipeline:
            self.pipeline.popleft()  # the one whose body was being read
            self._unanswered -= 1
        elif self.cycle.response_started:  # it has its answer
            self.transport.close()
        else:
            self._give_up()
            self._unanswered -= 1
            self._say()

    def _say(self) -> None:
        """Refuse, unless another answer is due; a client that were cut off might not read it."""
        if not self._unanswered:
            self._unset_keepalive_if_required()
            self.transport.write(head.refusal(self._refusal, self.server_state.default_headers))
            self.transport.write_eof()
            self._disarm()
            self._arm()

    def _give_up(self) -> None:
        """Stop the work for the request that is being answered, if there is one."""
        if self._unanswered:
            self._running.disconnected = self._given_up = True
            if self._task is not None:
                self._task.cancel()

    def connection_lost(self, exc: Exception | None) -> None:
        self._rest = b""
        self.pipeline.clear()
        self._give_up()
        super().connection_lost(exc)
