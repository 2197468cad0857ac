"""Files that are whole or absent: written beside their place, then renamed; and their digests."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..settings.config import InputError


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; it takes its place only when the block succeeds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `path`; it replaces `path` only when the block succeeds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        yield temporary
        temporary.chmod(0o777 & ~_umask())
        if path.exists():
            shutil.rmtree(path)
        temporary.replace(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def locked(path: Path, seconds: float = 60.0) -> Iterator[None]:
    """Hold `path`: another process that asks for it waits until the block ends, `seconds` at most.

    A file beside it is locked, for reading and writing as NFS wants it, and says who holds it. The
    lock ends with its process in any case. Raises InputError where it stays held, or where the
    file system has no locks.
    """
    lock = path.with_name(f".{path.name}.lock")
    lock.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        _wait(handle, lock, time.monotonic() + seconds)
        if os.fstat(handle).st_uid == os.geteuid():  # whoever may write the folder may hold it
            os.fchmod(handle, os.stat(lock.parent).st_mode & 0o666)
        os.ftruncate(handle, 0)
        os.pwrite(handle, _myself().encode(), 0)
        yield
    finally:
        os.close(handle)


def _wait(handle: int, lock: Path, until: float) -> None:
    """Lock the open file; raises InputError at `until`, in monotonic seconds."""
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):  # what a network's file system says
            if time.monotonic() >= until:
                holder = lock.read_text(encoding="utf-8", errors="replace")
                raise InputError(
                    f"{lock.parent}: another process works there: {holder}: wait for it, or end it"
                ) from None
            time.sleep(0.05)
        except OSError as error:
            raise InputError(
                f"{lock}: this file system has no locks ({error.strerror}): two at once would "
                f"spoil each other's work: put the project on a disk that has them"
            ) from None
        else:
            return


def _myself() -> str:
    word = " ".join(word for word in sys.argv[1:] if "=" not in word)[:100]
    now = time.strftime("%Y-%m-%d %H:%M:%S")
    return f"process {os.getpid()} on {os.uname().nodename} since {now} ({word})"


def flush(path: Path) -> None:
    """Have what `path` holds, a file or a folder, on the disk: it outlives the machine's power."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno != errno.EINVAL:  # a file system that cannot, as some do with folders
            raise
    finally:
        os.close(handle)


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text whole or not at all."""
    with new_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, value: Any) -> None:
    """Write indented JSON whole or not at all."""
    write_text(path, json_text(value))


def json_text(value: Any) -> str:
    """`value` as indented JSON; NaN and infinity are errors, not tokens."""
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def read_json(path: Path, remedy: str) -> Any:
    """JSON in `path`; raises InputError naming the file and the remedy where it is not whole."""
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"{path} is missing: {remedy}") from None
    return parsed(content, path, remedy)


def parsed(content: bytes, path: Path, remedy: str) -> Any:
    """The JSON in `content`, which `path` holds; raises InputError as `read_json` does."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is damaged ({error}): {remedy}") from None


def parsed_lines(content: bytes | None, path: Path, remedy: str) -> list[Any]:
    """The JSON of each line of `content`, which `path` holds: none where there is no file."""
    return [parsed(line, path, remedy) for line in (content or b"").splitlines()]


def digest(path: Path, algorithm: str = "sha256") -> str:
    """Hexadecimal digest of the bytes of `path`."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, algorithm).hexdigest()


def digest_json(value: Any) -> str:
    """SHA-256 of the canonical JSON form of `value`."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
