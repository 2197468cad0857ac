"""Files of models/ that change together or not at all: pointers, history and contract.

What is to be written stands in models/.change.json first. Killed after that, whoever reads finds it
there, and the next word does the rest; killed before, nothing has changed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ..settings.config import InputError
from .files import flush, locked, new_file, parsed, write_text

CHANGE = Path("models/.change.json")  # {name of a file: its text, or null: there is to be none}
MODELS = CHANGE.parent


@contextmanager
def changing() -> Iterator[None]:
    """Hold the files: who reads them and then writes is alone; see files.locked."""
    with locked(MODELS / "pointers"):
        _finish()
        yield


def settle() -> None:
    """Finish a change whose process was killed; one that still works is waited for."""
    if CHANGE.exists():
        with changing():
            pass


def content(path: Path) -> bytes | None:
    """What a file of models/ holds, or will hold when `settle` was there; None: there is none."""
    texts = _begun()
    if path.name in texts:
        text = texts[path.name]
        return None if text is None else text.encode()
    return path.read_bytes() if path.exists() else None


def replace(texts: Mapping[Path, str | None]) -> None:
    """Give these files of models/ these texts; who calls holds `changing`."""
    content = {path.name: text for path, text in texts.items()}
    with new_file(CHANGE) as new:
        new.write_bytes(json.dumps(content, ensure_ascii=False).encode())
        flush(new)
    flush(MODELS)
    _finish()


def _begun() -> dict[str, str | None]:
    try:
        content = CHANGE.read_bytes()
    except FileNotFoundError:
        return {}
    remedy = f"remove it, and restore {MODELS} from git"
    texts = parsed(content, CHANGE, remedy)
    if not isinstance(texts, dict) or not all(isinstance(t, str | None) for t in texts.values()):
        raise InputError(f"{CHANGE} is damaged (no texts of files): {remedy}")
    return texts


def _finish() -> None:
    texts = _begun()
    for name, text in texts.items():
        path = MODELS / Path(name).name
        if text is None:
            path.unlink(missing_ok=True)
        else:
            write_text(path, text)
            flush(path)
    if texts:
        flush(MODELS)
    CHANGE.unlink(missing_ok=True)
