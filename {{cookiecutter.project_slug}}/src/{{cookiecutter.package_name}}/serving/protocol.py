"""uvicorn with what it lacks: limits before the application sees a request, and a drain.

A connection that does not send a whole request, or does not read its answer, in time is closed;
headers are bounded, and each request is told whether its body has already come.
"""

from __future__ import annotations

import asyncio
import functools
import os
import re
import signal
from time import monotonic
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from .settings import Settings, read_settings

MAX_HEADER_BYTES = 1 << 16
DISCARD = 16  # times max_bytes: what is read and thrown away of a body that was refused
_UPGRADE = re.compile(rb"\r\nupgrade:", re.IGNORECASE)


@functools.cache
def _settings() -> Settings:
    return read_settings(os.environ)


class Guarded(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._limits = _settings()
        self._whole = False
        self._in_headers = True
        self._received = 0
        self._deadline: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._arm()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._whole, self._in_headers, self._received = False, True, 0

    def on_headers_complete(self) -> None:
        self._in_headers = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._whole = True

    def data_received(self, data: bytes) -> None:
        if self._in_headers and b"pgrade:" in data:
            # An offer of another protocol (h2c) is passed over: httptools would drop the body.
            head, end, rest = data.partition(b"\r\n\r\n")
            data = _UPGRADE.sub(b"\r\nx-upgrade:", head) + end + rest
        super().data_received(data)
        if self._whole:
            if self._deadline is not None:
                self._deadline.cancel()
                self._deadline = None
        else:
            self._received += len(data)
            most = MAX_HEADER_BYTES if self._in_headers else DISCARD * self._limits.max_bytes
            if self._received > most:
                self.transport.abort()
            elif self._deadline is None:
                self._arm()
        if self.scope is not None:
            self.scope["whole"] = self._whole  # type: ignore[typeddict-unknown-key]

    def pause_writing(self) -> None:
        """The client does not read: it has as long for that as for sending."""
        super().pause_writing()
        self._unread = self.loop.call_later(self._limits.request_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._unread is not None:
            self._unread.cancel()

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._deadline, self._unread):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def _arm(self) -> None:
        self._deadline = self.loop.call_later(self._limits.request_seconds, self._expire)

    def _expire(self) -> None:
        self._deadline = None
        waits = self.cycle is not None and not self.cycle.response_complete
        if not waits:  # else the application answers 408 itself
            self.transport.close()


class Server(uvicorn.Server):
    """On SIGTERM not ready at once, and gone `drain_seconds` later, all begun requests answered."""

    leave_at: float | None = None
    parent: int | None = None  # process without which this one is not to go on

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to drain on SIGTERM; Ctrl-C does not wait."""
        if sig != signal.SIGTERM:
            super().handle_exit(sig, frame)
        elif self.leave_at is None:
            self.leave_at = monotonic() + _settings().drain_seconds
            self.config.loaded_app.state.predict.draining = True

    async def on_tick(self, counter: int) -> bool:
        """Called by uvicorn ten times a second: whether to leave."""
        if self.leave_at is not None and monotonic() >= self.leave_at:
            self.should_exit = True
        if self.parent is not None and os.getppid() != self.parent:
            self.should_exit = True
        return await super().on_tick(counter)
