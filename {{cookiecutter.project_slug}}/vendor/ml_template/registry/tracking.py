"""MLflow as a mirror of models/: runs, versions and aliases. No decision is read from it.

`mirror` tells MLflow what it does not have: what is new, and what it had and lost. It may be
repeated: runs and versions are found again by the digests in their tags. To ask takes a second, for
MLflow alone is that long to import: among other words it is asked only where something is new.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..model.shapes import Verdict
from ..outside.screen import say
from ..settings.config import InputError
from ..storage.files import read_json, write_json
from .book import Book, address, move_away, without_user
from .champion import CHALLENGER, CHAMPION, MODELS, Record, read

MIRRORED = MODELS / "mlflow.json"
_SPOILT = ("file is not a database", "disk image is malformed")  # what SQLite says
DEADLINE = 120  # seconds for all that is written in one go


def run(settings: dict[str, str]) -> None:
    """Open MLflow at HOST=127.0.0.1 PORT=5000, or say where the server is that has the runs."""
    server = address()
    if not server.startswith("sqlite"):
        print(f"tracking: {without_user(server)}")
        return
    place = Path(server.removeprefix("sqlite:///"))
    if not place.exists():
        raise InputError(f"{place} is missing: nothing was tracked yet: run `make run`")
    host, port = settings.get("HOST") or "127.0.0.1", str(settings.get("PORT") or 5000)
    print(f"tracking: MLflow on http://{host}:{port} (Ctrl-C stops)", flush=True)
    command = ["-m", "mlflow", "ui", "--backend-store-uri", server, "--host", host, "--port", port]
    os.execv(sys.executable, [sys.executable, *command])  # noqa: S606


def mirror(verdict: Verdict | None = None, folder: Path | None = None, ask: bool = True) -> Record:
    """Tell MLflow of `verdict` on the model in `folder`, and of champion and challenger.

    Without `ask`, what it took once it is believed to have. Returns {server, versions: {digest:
    version}, ...}. Raises InputError when MLflow does not take it: nothing else depends on it, and
    the next call tells it all.
    """
    server = address()
    shown = without_user(server)
    pointers = {path.stem: record for path in (CHAMPION, CHALLENGER) if (record := read(path))}
    told = _told(server)
    wanted = {
        "server": shown,
        "verdict": verdict["digest"] if verdict else told.get("verdict"),
        "aliases": {alias: record["digest"] for alias, record in pointers.items()},
    }
    known = all(told.get(key) == value for key, value in wanted.items())
    if known and not ask:
        return told
    try:
        with _deadline(DEADLINE):
            book = Book(server)
            if verdict and folder and verdict["verdict"] == "refused":
                book.run(verdict, folder)
            versions = {r["digest"]: book.version(r) for r in pointers.values()}
            for alias, record in pointers.items():
                book.alias(alias, versions[record["digest"]])
    except InputError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split()).replace(server, shown)[:300]
        spoilt = server.startswith("sqlite") and any(word in reason for word in _SPOILT)
        then = move_away(server) if spoilt else "the next `make register` tells MLflow"
        raise InputError(
            f"MLflow ({shown}) was not written: {reason or type(error).__name__}\n"
            f"{MODELS} is complete, serving is not affected; {then}"
        ) from error
    if known and book.made:
        print(f"MLflow ({shown}) had lost it, and has again: {', '.join(book.made)}")
    now = wanted | {"versions": versions}
    if now != told:
        write_json(MIRRORED, now)
    return now


def told(word: str, *news: Any) -> bool:
    """Whether MLflow took what `mirror` tells it; why it did not is said for `word`."""
    try:
        mirror(*news)
    except InputError as error:
        say(f"{word}: {error}", sys.stderr)
        return False
    return True


def version(digest: str) -> str | None:
    """Number of the version in MLflow, as far as it was told."""
    found = _told(address()).get("versions", {}).get(digest)
    return None if found is None else str(found)


def _told(server: str) -> Record:
    """What the last complete call told this server; empty when it may have lost it."""
    local = server.removeprefix("sqlite:///")
    if not MIRRORED.exists() or (local != server and not Path(local).exists()):
        return {}
    told = read_json(MIRRORED, "remove it: MLflow is told again")
    return dict(told) if told.get("server") == without_user(server) else {}


@contextmanager
def _deadline(seconds: int) -> Iterator[None]:
    """Raise TimeoutError when the block takes longer; only the main thread can be interrupted."""

    def late(*_: Any) -> None:
        raise TimeoutError(f"no end within {seconds} s")

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
