"""Requests that wait at the same moment are answered by one call of the model.

Nothing waits for a timer: what the event loop has read in one turn is predicted together. Ten rows
cost the model hardly more than one, and a row's answer does not depend on the others.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

import numpy as np

from .records import Record

MOST_ROWS = 1000  # of one call: between two calls the event loop does what else there is
MOST_BYTES = 1_000_000  # of the bodies of one call
Request = tuple[list[Record], "asyncio.Future[np.ndarray]", int]


class Together:
    """`predict` takes records and returns their outputs, (n, k) or (n,)."""

    def __init__(
        self, predict: Callable[[list[Record]], np.ndarray], most_bytes: int = MOST_BYTES
    ) -> None:
        self._predict = predict
        self._most_bytes = most_bytes
        self._waiting: deque[Request] = deque()

    def outputs(self, records: list[Record], size: int = 0) -> asyncio.Future[np.ndarray]:
        """Outputs of `records`, whose body has `size` bytes, soon."""
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.call_soon(self._turn)
        future: asyncio.Future[np.ndarray] = loop.create_future()
        self._waiting.append((records, future, size))
        return future

    def _turn(self) -> None:
        rows, size, now = 0, 0, []
        while self._waiting and rows < MOST_ROWS and size < self._most_bytes:
            request = self._waiting.popleft()
            if not request[1].done():  # else its client has gone
                now.append(request)
                rows += len(request[0])
                size += request[2]
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._turn)
        if not now:
            return
        try:
            self._settle(now)
        except Exception:  # one request may be the reason: each is answered by itself
            for one in now:
                try:
                    self._settle([one])
                except Exception as error:
                    one[1].set_exception(error)

    def _settle(self, requests: list[Request]) -> None:
        outputs = self._predict([record for records, _, _ in requests for record in records])
        at = 0
        for records, future, _ in requests:
            future.set_result(outputs[at : at + len(records)])
            at += len(records)
