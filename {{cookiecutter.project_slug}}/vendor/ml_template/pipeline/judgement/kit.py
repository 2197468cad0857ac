"""kit: name each file of the kit that is not as the template brought it; that is no refusal.

SHA256SUMS of a room holds the digests of its files, and the one at the top those beside the rooms:
a room that the project was made without is not missed.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...settings.gates import Check

KIT = Path(__file__).parents[2]
SUMS = "SHA256SUMS"
_NO_CODE = ("__pycache__", ".")  # what Python, an editor or a file browser leaves beside code


def run() -> None:
    """Print a line for each file that was changed, added or taken away."""
    for name in patched():
        print(f"patched: {name}")


def line() -> Check:
    """The line of the verdict: a warning that names them, or passed."""
    from ...settings import gates

    names = patched()
    if not names:
        return gates.line("kit", "passed", "every file is as the template brought it")
    return gates.line("kit", "warning", f"patched: {', '.join(names)}", len(names))


def patched(kit: Path = KIT) -> list[str]:
    """Files of `kit`, as seen from here, that are not those of the template: (added), (missing)."""
    known, found = _known(kit), _found(kit)
    states = {
        name: " (added)" if name not in known else " (missing)" if name not in found else ""
        for name in sorted(known.keys() | found.keys())
        if known.get(name) != found.get(name)
    }
    here = Path(os.path.relpath(kit))
    shown = here if ".." not in here.parts else kit
    return [f"{shown / name}{state}" for name, state in states.items()]


def _known(kit: Path) -> dict[str, str]:
    """Digest of each file by its name below `kit`, as the template gave it."""
    known = {}
    for sums in (kit / SUMS, *kit.glob(f"*/{SUMS}")):
        for entry in sums.read_text(encoding="utf-8").splitlines() if sums.is_file() else []:
            digest, _, name = entry.partition("  ")
            known[(sums.parent / name).relative_to(kit).as_posix()] = digest
    return known


def _found(kit: Path) -> dict[str, str]:
    """Digest of each file that is there; lines may end as on Windows."""
    return {
        path.relative_to(kit).as_posix(): _digest(path.read_bytes())
        for path in kit.rglob("*")
        if path.is_file()
        and path.name != SUMS
        and not any(part.startswith(_NO_CODE) for part in path.relative_to(kit).parts)
    }


def _digest(content: bytes) -> str:
    return hashlib.sha256(content.replace(b"\r\n", b"\n")).hexdigest()
