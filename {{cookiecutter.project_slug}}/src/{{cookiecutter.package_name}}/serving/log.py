"""The prediction log: JSON lines in a folder, bounded in memory and on disk, never waited for."""

from __future__ import annotations

import json
import os
import queue
import random
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from .settings import Settings

MAX_WAITING = 10_000  # entries between the service and the disk


class PredictionLog:
    """One thread writes; `add` drops the entry where that thread is too far behind."""

    def __init__(self, settings: Settings, dropped: Callable[[], None]) -> None:
        self._share = settings.log_share if settings.log else 0.0
        self._dropped = dropped
        self._limit = settings.log_bytes // 2
        self._waiting: queue.Queue[Callable[[], list[dict[str, Any]]] | None]
        self._waiting = queue.Queue(MAX_WAITING)
        if settings.log:
            folder = Path(settings.log)
            folder.mkdir(parents=True, exist_ok=True)
            stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
            self._path = folder / f"{stamp}-{os.getpid()}.jsonl"
            self._path.touch()
            self._writer = threading.Thread(target=self._write, name="log", daemon=True)
            self._writer.start()

    def wants(self) -> bool:
        """Whether this request is in the sample."""
        return self._share > 0 and random.random() < self._share  # noqa: S311 - a sample

    def add(self, lines: Callable[[], list[dict[str, Any]]]) -> None:
        """Have the lines made and written by the other thread, if it has room."""
        try:
            self._waiting.put_nowait(lines)
        except queue.Full:
            self._dropped()

    def close(self) -> None:
        """Write what waits, then stop."""
        if self._share > 0:
            self._waiting.put(None)
            self._writer.join(timeout=10)

    def _write(self) -> None:
        file: IO[str] = self._path.open("a", encoding="utf-8")
        while (entry := self._waiting.get()) is not None:
            try:
                file.writelines(_text(line) for line in entry())
                if self._waiting.empty():
                    file.flush()
                if file.tell() > self._limit:
                    file = self._next(file)
            except OSError:  # a full disk must not stop the answers
                self._dropped()
        file.close()

    def _next(self, file: IO[str]) -> IO[str]:
        """Begin again; the part before stays until this one is full."""
        file.close()
        self._path.replace(self._path.with_suffix(".old.jsonl"))
        return self._path.open("a", encoding="utf-8")


def _text(line: dict[str, Any]) -> str:
    return json.dumps(line, ensure_ascii=False, default=datetime.isoformat) + "\n"
