"""models/ beside DVC's files in the remote: a fresh machine knows the champion and its history.

Kept versions and verdicts never change and are copied once. What points to them is copied last, and
is taken only where the remote's history goes on from ours: nobody's promotion is lost. Of the
models that were taken back each side keeps the other's lines too.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import Any

from ..settings.config import InputError
from ..storage.changes import changing, replace
from ..storage.files import locked, new_file
from ..storage.places import CANDIDATE
from .champion import CHAMPION, HISTORY, MODELS
from .withdrawn import ABORTED

_OURS = MODELS / "mlflow.json"  # what this machine told MLflow
_PLAIN = re.compile(r'[^\x00-\x1f\x7f\\:*?"<>|]+')  # a name that every system takes for one
_HIDDEN = re.compile(rf"\.(?!\.){_PLAIN.pattern}")  # what systems leave beside files of people
_REMOVE = "nothing is copied: remove or rename it"


def give(remote: Any) -> int:
    """Copy to the DVC remote what it lacks of models/; the number of files."""
    if not _own(HISTORY).startswith(_read(remote, HISTORY)):
        raise InputError(
            f"push: another machine promoted too and pushed first: remove {CHAMPION} and {HISTORY}"
            " here, `make pull`, and promote again"
        )
    paths = _files()
    done = sum(_put(remote, path) for path in paths if not _changes(path))
    _unite(remote)
    with changing():  # what points to versions goes out as one state
        return done + sum(_put(remote, path) for path in paths if _changes(path))


def _put(remote: Any, path: Path) -> int:
    fs, target = remote.fs, _there(remote, path)
    if not _changes(path) and fs.exists(target):
        return 0
    fs.makedirs(fs.parent(target), exist_ok=True)
    fs.put_file(str(path), target)
    return 1


def take(remote: Any) -> int:
    """Copy from the DVC remote what is not here of models/; the number of files."""
    if not remote.fs.exists(_there(remote, MODELS)):
        return 0
    done, names = 0, find(remote)
    hidden = [name for name in names if _HIDDEN.fullmatch(name.rpartition("/")[2])]
    if hidden:
        print(f"pull: hidden files below {MODELS} in the remote stay there: {str(hidden)[1:-1]}")
    paths = sorted(_path(name) for name in names if name not in hidden)
    for path in paths:
        content = b"" if _changes(path) or path.exists() else _read(remote, path)
        if content:
            with new_file(path) as new:
                new.write_bytes(content)
            done += 1
    done += _unite(remote)
    with changing():
        follow = _read(remote, HISTORY).startswith(_own(HISTORY))
        if not follow:
            print(
                f"pull: {HISTORY} here has lines that the remote lacks: champion and history stay"
            )
        news = {}
        for path in filter(_changes, paths) if follow else ():
            content = _read(remote, path)
            longer = path.suffix != ".jsonl" or content.startswith(_own(path))
            if content and content != _own(path) and longer:
                news[path] = content.decode()
        replace(news)
    return done + len(news)


def _unite(remote: Any) -> bool:
    """Add the remote's lines to ABORTED here; whether there were new ones."""
    with locked(ABORTED):
        own = _own(ABORTED).splitlines()
        theirs = _read(remote, ABORTED).splitlines()
        if set(theirs) <= set(own):
            return False
        lines = dict.fromkeys(theirs + own)
        with new_file(ABORTED) as new:
            new.write_bytes(b"".join(line + b"\n" for line in lines))
    return True


def find(remote: Any) -> list[str]:
    """Names of the files below models/ in the remote; one that ends with / marks a folder."""
    folder = _there(remote, MODELS)
    names = [found[len(folder) + 1 :] for found in remote.fs.find(folder)]
    return [name for name in names if name and name[-1] != "/"]


def _files() -> list[Path]:
    """What of models/ is shared: all but the candidate, what is hidden and what is told MLflow."""
    files = [path for path in MODELS.rglob("*") if path.is_file() and path != _OURS]
    hidden = [path for path in files if any(part.startswith(".") for part in path.parts)]
    shared = [path for path in files if CANDIDATE not in path.parents and path not in hidden]
    return [_path(path.relative_to(MODELS).as_posix()) for path in shared]


def _path(name: str) -> Path:
    """The file of models/ that has this name in the remote; raises InputError where none can."""
    path, parts = MODELS / PurePosixPath(name), name.split("/")
    plain = all(part and part[0] != "." and _PLAIN.fullmatch(part) for part in parts)
    if not plain or path == _OURS or CANDIDATE in (path, *path.parents):
        raise InputError(f"{name!r} is no file of {MODELS} that a remote may hold: {_REMOVE}")
    if path.is_dir() or not path.parent.resolve().is_relative_to(MODELS.resolve()):
        raise InputError(f"{path} here is a folder, or a link to one, and no file: {_REMOVE}")
    return path


def _changes(path: Path) -> bool:
    """Whether it points to versions, or is a history: all else is written once."""
    return path.parent == MODELS


def _there(remote: Any, path: Path) -> str:
    return str(remote.fs.join(remote.path, *path.parts))


def _own(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def _read(remote: Any, path: Path) -> bytes:
    name = _there(remote, path)
    return bytes(remote.fs.cat_file(name)) if remote.fs.exists(name) else b""
