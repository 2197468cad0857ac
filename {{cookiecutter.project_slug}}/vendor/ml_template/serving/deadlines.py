"""A connection waits for no client for ever: for a request, or for its answer to be read."""

from __future__ import annotations

import asyncio
import functools
import os
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from .settings import Settings, read_settings


@functools.cache
def _settings() -> Settings:
    return read_settings(os.environ)


class Timed(HttpToolsProtocol):
    """uvicorn's connection; a request has SERVE_REQUEST_SECONDS to come in whole once armed."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._limits = _settings()
        self._unanswered = 0  # requests that the application has, or will have
        self._deadline: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None

    def _arm(self) -> None:
        self._deadline = self.loop.call_later(self._limits.request_seconds, self._expire)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _expire(self) -> None:
        self._deadline = None
        if not self._unanswered:  # else the application answers 408 itself
            self.transport.close()

    def pause_writing(self) -> None:
        """The client does not read: it has as long for that as for sending."""
        super().pause_writing()
        self._unread = self.loop.call_later(self._limits.request_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._unread is not None:
            self._unread.cancel()

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        if self._unread is not None:
            self._unread.cancel()
        super().connection_lost(exc)
