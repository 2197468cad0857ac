"""uvicorn's server, which drains before it stops and does not outlive what started it."""

from __future__ import annotations

import os
import signal
from time import monotonic
from types import FrameType

import uvicorn


class Server(uvicorn.Server):
    """On SIGTERM not ready at once, and gone `drain_seconds` later, all begun requests answered."""

    leave_at: float | None = None
    parent: int | None = None  # process without which this one is not to go on

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to drain on SIGTERM; Ctrl-C does not wait."""
        if sig != signal.SIGTERM:
            super().handle_exit(sig, frame)
        elif self.leave_at is None:
            predict = self.config.loaded_app.state.predict
            self.leave_at = monotonic() + predict.settings.drain_seconds
            predict.draining = True

    async def on_tick(self, counter: int) -> bool:
        """Called by uvicorn ten times a second: whether to leave."""
        if self.leave_at is not None and monotonic() >= self.leave_at:
            self.should_exit = True
        if self.parent is not None and os.getppid() != self.parent:
            self.should_exit = True
        return await super().on_tick(counter)
