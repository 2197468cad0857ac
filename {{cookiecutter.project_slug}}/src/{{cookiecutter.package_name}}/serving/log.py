"""The prediction log: JSON lines in a folder, bounded in memory and on disk, never waited for."""

from __future__ import annotations

import errno
import json
import logging
import os
import queue
import random
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..config import InputError
from .settings import Settings

MAX_WAITING = 10_000  # entries between the service and the disk
_log = logging.getLogger("uvicorn.error")


class PredictionLog:
    """One thread writes; `add` drops the entry where that thread is too far behind."""

    def __init__(self, settings: Settings, dropped: Callable[[], None]) -> None:
        self._share = settings.log_share if settings.log else 0.0
        self._dropped = dropped
        self._limit = settings.log_bytes // 2
        self._waiting: queue.Queue[Callable[[], list[dict[str, Any]]] | None]
        self._waiting = queue.Queue(MAX_WAITING)
        if settings.log:
            stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
            self._path = make_folder(settings.log) / f"{stamp}-{os.getpid()}.jsonl"
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
        said: set[str] = set()
        while (entry := self._waiting.get()) is not None:
            try:
                self._append("".join(map(_text, entry())).encode())
            except Exception as error:  # a full disk must not stop the answers, nor end this thread
                self._dropped()
                why = getattr(error, "strerror", None) or type(error).__name__
                if why not in said:
                    said.add(why)
                    _log.error("prediction log: %s (said once; prediction_log_dropped counts)", why)

    def _append(self, lines: bytes) -> None:
        """Add whole lines or none; the file before stays until this one is full again."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("ab", buffering=0) as file:
            begin = file.tell()
            if begin and begin + len(lines) > self._limit:
                self._path.replace(self._path.with_suffix(".old.jsonl"))
                return self._append(lines)
            try:
                if file.write(lines) != len(lines):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            except OSError:
                file.truncate(begin)
                raise


def make_folder(log: str) -> Path:
    """The folder of the log; raises InputError where it cannot be made."""
    try:
        Path(log).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"SERVE_LOG={log}: {error.strerror}: name another folder") from None
    return Path(log)


def _text(line: dict[str, Any]) -> str:
    return json.dumps(line, ensure_ascii=False, default=datetime.isoformat) + "\n"
