"""The prediction log: JSON lines in a folder, bounded in memory and on disk, never waited for.

Only the owner can read the folder and its files. All processes that write there keep one bound: a
new file is begun only once those there are at most half of it, and each grows to its share of the
other half at most.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import queue
import random
import secrets
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..settings.config import InputError
from ..storage.files import locked
from .settings import Settings

MAX_WAITING = 32 << 20  # bytes between the service and the disk
IDLE = 60  # seconds after which an empty file is nobody's: who begins one writes at once
PATIENCE = 10  # seconds for the disk when the service stops
FILES = "[0-9]*T[0-9]*-*.jsonl"  # what this log writes: no other file of the folder is touched
Lines = Callable[[], list[dict[str, Any]]]
_log = logging.getLogger("uvicorn.error")


class PredictionLog:
    """One thread writes; `add` drops lines, and counts them, where it is too far behind."""

    def __init__(self, settings: Settings, dropped: Callable[[int], None]) -> None:
        self._share = settings.log_share if settings.log else 0.0
        self._dropped = dropped
        self._limit = settings.log_bytes // 2
        self._own = self._limit // settings.log_writers
        self._waiting: queue.SimpleQueue[tuple[Lines, int, int] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._rows = self._bytes = 0  # that wait, or are being written
        if settings.log:
            self._folder = settings.log
            # One file says that there is a log; a start that answers nothing adds none.
            begun = any(Path(self._folder).glob(FILES))
            self._path = None if begun else self._begun()
            self._writer = threading.Thread(target=self._write, name="log", daemon=True)
            self._writer.start()

    def wants(self) -> bool:
        """Whether this request is in the sample."""
        return self._share > 0 and random.random() < self._share  # noqa: S311 - a sample

    def add(self, lines: Lines, rows: int, held: int) -> None:
        """Have `rows` lines made and written by the other thread; `held` bytes wait for it.

        What is larger than all that may wait is taken where nothing else waits.
        """
        with self._lock:
            fits = self._bytes == 0 or self._bytes + held <= MAX_WAITING
            if fits:
                self._rows += rows
                self._bytes += held
        if fits:
            self._waiting.put((lines, rows, held))
        else:
            self._dropped(rows)

    def close(self) -> None:
        """Write what waits, then stop; a disk that hangs is not waited for."""
        if self._share > 0:
            self._waiting.put(None)
            self._writer.join(PATIENCE)
            if self._writer.is_alive():
                _log.error("prediction log: the disk hangs: %d lines are lost", self._rows)

    def _write(self) -> None:
        said: set[str] = set()
        while (entry := self._waiting.get()) is not None:
            lines, rows, held = entry
            try:
                self._append("".join(map(_text, lines())).encode())
            except Exception as error:  # a full disk must not stop the answers, nor end this thread
                self._dropped(rows)
                why = getattr(error, "strerror", None) or type(error).__name__
                if why not in said:
                    said.add(why)
                    _log.error("prediction log: %s (said once; prediction_log_dropped counts)", why)
            with self._lock:
                self._rows -= rows
                self._bytes -= held

    def _append(self, lines: bytes) -> None:
        """Add whole lines or none; raises OSError where they do not fit."""
        if len(lines) > self._own:
            raise OSError(errno.EFBIG, "an entry is larger than a file: raise SERVE_LOG_BYTES")
        try:
            full = self._path is None or self._path.stat().st_size + len(lines) > self._own
        except FileNotFoundError:  # another process made room, or the folder was taken away
            full = True
        if full or self._path is None:
            self._path = self._begun()
        with open(os.open(self._path, os.O_WRONLY | os.O_APPEND), "ab", buffering=0) as file:
            begin = file.tell()
            try:
                if file.write(lines) != len(lines):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            except OSError:
                file.truncate(begin)
                raise

    def _begun(self) -> Path:
        """A new file, for which the oldest ones made room; the lock is held while it is made."""
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
        path = make_folder(self._folder) / f"{stamp}-{secrets.token_hex(4)}.jsonl"
        with locked(path.with_name("log")):  # one for all that write there
            ages = sorted((*_age_and_size(old), old) for old in path.parent.glob(FILES))
            total = sum(size for _, size, _ in ages)
            idle = time.time_ns() - IDLE * 10**9
            for age, size, old in ages:
                if total > self._limit or (size == 0 and age < idle):
                    old.unlink(missing_ok=True)
                    total -= size
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            os.fchmod(handle, 0o600)  # whatever the umask
            os.close(handle)
        return path


def make_folder(log: str) -> Path:
    """The folder of the log, closed to others; raises InputError where it cannot be made.

    One that holds other files too is left as it is.
    """
    folder = Path(log)
    try:
        folder.mkdir(0o700, parents=True, exist_ok=True)
        mine = set(folder.glob(FILES))
        if mine == set(folder.iterdir()) - set(folder.glob(".*.lock")):
            mine.add(folder)
        for path in mine:
            if path.stat().st_uid == os.geteuid():
                path.chmod(0o700 if path == folder else 0o600)
    except OSError as error:
        raise InputError(f"SERVE_LOG={log}: {error.strerror}: name another folder") from None
    return folder


def _age_and_size(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except FileNotFoundError:
        return 0, 0
    return found.st_mtime_ns, found.st_size


def _text(line: dict[str, Any]) -> str:
    return json.dumps(line, ensure_ascii=False, default=datetime.isoformat) + "\n"
