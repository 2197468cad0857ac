"""models/champion.json and challenger.json: which kept version counts, and what vouches for it.

A kept version is models/<first 16 of its digest>/; it never changes. A verdict is kept once, in
models/verdicts/<first 16 of its digest>.json. A pointer holds {digest, model, verdict, commit,
since, by, why, action, image}; image is the container image that serves it, by digest, or null.
models/history.jsonl has one line for each pointer that was champion.
"""

from __future__ import annotations

import getpass
import json
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from . import lineage, manifest
from .config import InputError
from .files import digest_json, read_json, write_json, write_text
from .places import VERDICT

MODELS = Path("models")
CHAMPION = MODELS / "champion.json"
CHALLENGER = MODELS / "challenger.json"
HISTORY = MODELS / "history.jsonl"
VERDICTS = MODELS / "verdicts"
_KEYS = {"digest", "model", "verdict", "commit", "since", "by", "why", "action", "image"}
_HEX = frozenset("0123456789abcdef")
_RESTORE = "restore it from git, or remove it and run `make gate register`"

Record = dict[str, Any]


def folder(digest: str) -> Path:
    """Where the version of that model digest is kept."""
    return MODELS / digest[:16]


def sealed(verdict: Record) -> Record:
    """`verdict` with the SHA-256 of its canonical JSON as `digest`."""
    return verdict | {"digest": digest_json(verdict)}


def read_verdict(path: Path, remedy: str) -> Record:
    """The verdict in `path`; raises InputError unless its digest, form and lines agree."""
    verdict = read_json(path, remedy)
    if not isinstance(verdict, dict):
        raise InputError(f"{path} is no verdict: {remedy}")
    content = {key: value for key, value in verdict.items() if key != "digest"}
    if verdict.get("digest") != manifest.canonical(content):
        raise InputError(f"{path}: the verdict does not match its digest: it was changed: {remedy}")
    checks = verdict.get("checks")
    if not isinstance(checks, list) or not checks:
        raise InputError(f"{path}: a verdict without checks: {remedy}")
    refused = any(check["verdict"] == "refused" for check in checks)
    if verdict.get("verdict") != ("refused" if refused else "passed"):
        raise InputError(f"{path}: the verdict does not follow from its checks: {remedy}")
    return verdict


def read(path: Path) -> Record | None:
    """The pointer in `path`, None where there is none; raises InputError when it is damaged."""
    if not path.exists():
        return None
    record = read_json(path, _RESTORE)
    hexadecimal = isinstance(record, dict) and all(
        isinstance(text := record.get(key), str) and len(text) == 64 and set(text) <= _HEX
        for key in ("digest", "verdict")
    )
    if not hexadecimal or set(record) | {"image"} != _KEYS:
        raise InputError(f"{path} is damaged: {_RESTORE}")
    if record["model"] != folder(record["digest"]).as_posix():
        raise InputError(f"{path}: model {record['model']!r} is not its version: {_RESTORE}")
    return {"image": None} | record


def verify(record: Record) -> Record:
    """The passed verdict of the version `record` points to.

    Raises InputError unless every file of the version has its digest and the verdict names it.
    """
    manifest.read(folder(record["digest"]), record["digest"])
    path = VERDICTS / f"{record['verdict'][:16]}.json"
    verdict = read_verdict(path, "restore models/ from the DVC remote")
    if verdict["digest"] != record["verdict"]:
        raise InputError(f"{path} is not the verdict {record['verdict'][:16]}: it was swapped")
    if verdict["model"] != record["digest"]:
        raise InputError(f"{path} is the verdict on another model: it was swapped")
    if verdict["verdict"] != "passed":
        raise InputError(f"{path}: model {record['digest'][:16]} was refused")
    return verdict


def pointer(
    digest: str, verdict: Record, action: str, why: str, image: str | None = None
) -> Record:
    """A new pointer to the kept version `digest`, made now by whoever runs this."""
    if image is not None and not re.fullmatch(r"[^\s@]+@sha256:[0-9a-f]{64}", image):
        raise InputError(f"IMAGE={image}: name it by digest: registry/name@sha256:... (64 hex)")
    return {
        "digest": digest,
        "model": folder(digest).as_posix(),
        "verdict": verdict["digest"],
        "commit": verdict["lineage"]["commit"],
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
        "by": _who(),
        "why": " ".join(why.split()) or "no reason given",
        "action": action,
        "image": image,
    }


def _who() -> str:
    try:
        name = lineage.git("config", "user.name").strip()
    except (OSError, subprocess.SubprocessError):
        name = ""
    try:
        return name or getpass.getuser()
    except (OSError, KeyError):  # a container whose user has no name
        return "unknown"


def enthrone(record: Record) -> None:
    """Make `record` the champion. Killed in between, `history` completes the list next time."""
    from . import contract  # NumPy

    found, _ = manifest.read(folder(record["digest"]), record["digest"])
    history()  # a champion that was written but not listed gets its line first
    write_json(CHAMPION, record)
    history()
    contract.write(found)


def history() -> list[Record]:
    """Every champion, oldest first; lists the present one when a crash kept it from the file."""
    records = []
    if HISTORY.exists():
        try:
            records = [json.loads(line) for line in HISTORY.read_bytes().splitlines()]
        except (ValueError, RecursionError) as error:
            raise InputError(f"{HISTORY} is damaged ({error}): restore it from git") from None
        for number, record in enumerate(records, 1):
            if not isinstance(record, dict) or not record.keys() >= _KEYS - {"image"}:
                raise InputError(f"{HISTORY}: line {number} is no champion: restore it from git")
    records = [{"image": None} | record for record in records]  # older lines have none
    champion = read(CHAMPION)
    if champion and (not records or records[-1] != champion):
        records.append(champion)
        lines = [json.dumps(record, ensure_ascii=False) for record in records]
        write_text(HISTORY, "\n".join(lines) + "\n")
    return records


def refused() -> list[str]:
    """Gates that refused the candidate judged last; none where none was judged here."""
    if not VERDICT.exists():
        return []
    checks = read_json(VERDICT, "run `make gate`")["checks"]
    return [check["gate"] for check in checks if check["verdict"] == "refused"]


def earlier(records: list[Record]) -> list[Record]:
    """Champions before the present one, latest first, without those a rollback left behind."""
    stack: list[Record] = []
    for record in records:
        digests = [known["digest"] for known in stack]
        if record["action"] == "rollback" and record["digest"] in digests:
            del stack[len(digests) - digests[::-1].index(record["digest"]) - 1 :]
        stack.append(record)
    present = stack[-1]["digest"] if stack else None
    return [record for record in stack[-2::-1] if record["digest"] != present]
