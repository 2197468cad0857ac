"""models/champion.json and challenger.json: which kept version counts, and what vouches for it.

A kept version is models/<first 16 of its digest>/; it never changes. A verdict is kept once, in
models/verdicts/<first 16 of its digest>.json. A pointer holds {digest, model, verdict, commit,
since, by, why, action, image}; image is the container image that serves it, by digest, or null.
models/history.jsonl has one line for each pointer that was champion, with its seal: the digest of
the pointer and of the seal before. Lines of older versions have none until one with a seal follows.
models/aborted.jsonl has one for each rollout ended by what the model answered, or by hand.
"""

from __future__ import annotations

import getpass
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from ..model import lineage, manifest
from ..model.shapes import Judgement, Verdict
from ..outside.text import line
from ..settings.config import InputError
from ..storage import changes
from ..storage.files import digest_json, json_text, locked, parsed, read_json, write_text
from ..storage.places import VERDICT

MODELS = Path("models")
CHAMPION = MODELS / "champion.json"
CHALLENGER = MODELS / "challenger.json"
HISTORY = MODELS / "history.jsonl"
ABORTED = MODELS / "aborted.jsonl"
VERDICTS = MODELS / "verdicts"
_KEYS = {"digest", "model", "verdict", "commit", "since", "by", "why", "action", "image"}
_HEX = frozenset("0123456789abcdef")
_RESTORE = "restore it from git, or remove it and run `make gate register`"

Record = dict[str, Any]


def folder(digest: str) -> Path:
    """Where the version of that model digest is kept."""
    return MODELS / digest[:16]


def sealed(verdict: Judgement) -> Verdict:
    """`verdict` with the SHA-256 of its canonical JSON as `digest`."""
    return {**verdict, "digest": digest_json(verdict)}


def read_verdict(path: Path, remedy: str) -> Verdict:
    """The verdict in `path`; raises InputError unless its digest, form and lines agree."""
    verdict: Verdict = read_json(path, remedy)
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
    content = changes.content(path)
    if content is None:
        return None
    record = parsed(content, path, _RESTORE)
    hexadecimal = isinstance(record, dict) and all(
        isinstance(text := record.get(key), str) and len(text) == 64 and set(text) <= _HEX
        for key in ("digest", "verdict")
    )
    if not hexadecimal or set(record) | {"image"} != _KEYS:
        raise InputError(f"{path} is damaged: {_RESTORE}")
    if record["model"] != folder(record["digest"]).as_posix():
        raise InputError(f"{path}: model {record['model']!r} is not its version: {_RESTORE}")
    return {"image": None} | record


def verify(record: Record) -> Verdict:
    """The passed verdict of the version `record` points to.

    Raises InputError unless every file of the version has its digest and the verdict names it.
    """
    manifest.read(folder(record["digest"]), record["digest"])
    return verdict(record)


def verdict(record: Record) -> Verdict:
    """The passed verdict that `record` names: its figures stand under its digest.

    Raises InputError where it is damaged, refused, or on another model.
    """
    path = VERDICTS / f"{record['verdict'][:16]}.json"
    found = read_verdict(path, "restore models/ from the DVC remote")
    if found["digest"] != record["verdict"]:
        raise InputError(f"{path} is not the verdict {record['verdict'][:16]}: it was swapped")
    if found["model"] != record["digest"]:
        raise InputError(f"{path} is the verdict on another model: it was swapped")
    if found["verdict"] != "passed":
        raise InputError(f"{path}: model {record['digest'][:16]} was refused")
    return found


def pointer(
    digest: str, verdict: Verdict, action: str, why: str, image: str | None = None
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
        "why": line(why) or "no reason given",
        "action": action,
        "image": image,
    }


def _who() -> str:
    try:
        name = lineage.git("config", "user.name").strip()
    except (OSError, subprocess.SubprocessError):
        name = ""
    try:
        return line(name or getpass.getuser())
    except (OSError, KeyError):  # a container whose user has no name
        return "unknown"


def point(pointers: Mapping[Path, Record]) -> None:
    """Write CHAMPION and CHALLENGER as given, and with a champion its line and its contract.

    All of them or none; who calls holds `changing`.
    """
    files: dict[Path, str | None] = {path: json_text(pointers[path]) for path in pointers}
    if CHAMPION in pointers:
        from ..model import contract  # NumPy

        record = pointers[CHAMPION]
        found, _ = manifest.read(folder(record["digest"]), record["digest"])
        files[contract.CONTRACT] = contract.text(found)
        listed, seal = _listed()
        lines = (changes.content(HISTORY) or b"").decode().splitlines()
        for new in (read(CHAMPION), record):  # one that a crash kept from the file goes first
            if new is not None and listed[-1:] != [new]:
                listed.append(new)
                seal = _seal(seal, new)
                lines.append(_line(new | {"seal": seal}))
        files[HISTORY] = "".join(f"{line}\n" for line in lines)
    changes.replace(files)


def enthrone(record: Record) -> None:
    """Make `record` the champion; who calls holds `changing`."""
    point({CHAMPION: record})


def _line(record: Record) -> str:
    return json.dumps(record, ensure_ascii=False)


def history() -> list[Record]:
    """Every champion, oldest first, and the present one where a crash kept it from the file.

    Raises InputError for a line that is damaged, or was edited.
    """
    records, _ = _listed()
    champion = read(CHAMPION)
    if champion is not None and records[-1:] != [champion]:
        records.append(champion)
    return records


def _listed() -> tuple[list[Record], str]:
    """The champions in the file, and the seal of the last one."""
    records: list[Record] = []
    seal, sealed = "", False
    for number, text in enumerate((changes.content(HISTORY) or b"").splitlines(), 1):
        record = parsed(text, HISTORY, "restore it from git")
        try:
            digest_json(record)  # NaN has none
        except (ValueError, RecursionError) as error:
            raise InputError(f"{HISTORY} is damaged ({error}): restore it from git") from None
        if not _texts(record, *_KEYS - {"image", "commit"}) or "commit" not in record:
            raise InputError(f"{HISTORY}: line {number} is no champion: restore it from git")
        found = record.pop("seal", None)
        record = {"image": None} | record  # older lines have none
        seal = _seal(seal, record)
        if found != seal and (found is not None or sealed):
            raise InputError(
                f"{HISTORY}: line {number}, or one above it, was edited: restore it from git"
            )
        sealed = found is not None
        records.append(record)
    if records and not sealed:
        print(f"{HISTORY}: its lines have no seal until the next one is added", file=sys.stderr)
    return records, seal


def _seal(before: str, record: Record) -> str:
    return digest_json([before, {"image": None} | record])


def refused() -> Verdict | None:
    """The verdict on the candidate judged last here, where it refused; else None."""
    if not VERDICT.exists():
        return None
    found = read_verdict(VERDICT, "run `make gate`")
    return found if found["verdict"] == "refused" else None


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


def abort(digest: str, why: str) -> None:
    """List that a rollout of the model `digest` was ended."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    entry = {"digest": digest, "since": now, "by": _who(), "why": line(why)}
    with locked(ABORTED):
        known = ABORTED.read_bytes().decode() if ABORTED.exists() else ""
        write_text(ABORTED, f"{known}{_line(entry)}\n")


def _aborted() -> list[Record]:
    lines = ABORTED.read_bytes().splitlines() if ABORTED.exists() else []
    entries: list[Record] = [parsed(line, ABORTED, "restore it from git") for line in lines]
    for number, entry in enumerate(entries, 1):
        if not _texts(entry, "digest", "since", "by", "why"):
            raise InputError(f"{ABORTED} is damaged (line {number}): restore it from git")
    return entries


def _texts(record: Any, *keys: str) -> bool:
    """Whether `record` is a map whose `keys` are texts."""
    return isinstance(record, dict) and all(isinstance(record.get(key), str) for key in keys)


def listed(digest: str) -> bool:
    """Whether a rollout of the model `digest` was ended, be it champion since or not."""
    return any(entry["digest"] == digest for entry in _aborted())


def taken_back() -> dict[str, str]:
    """How models were taken back, by digest: they go out again for a reason only.

    A rollback left them, or a rollout of them was ended, and they were not made champion since.
    """
    past = history()
    said, since = dict[str, str](), dict[str, str]()
    for before, record in pairwise(past[:1] + past):
        if record["action"] == "rollback":
            by = f"{record['since']} by {record['by']}: {record['why']}"
            said[before["digest"]] = f"rolled back at {by}"
        said.pop(record["digest"], None)
        since[record["digest"]] = record["since"]
    for entry in _aborted():
        if entry["since"] > since.get(entry["digest"], ""):
            said[entry["digest"]] = f"ended in its rollout at {entry['since']}: {entry['why']}"
    return said


def withdrawn(digest: str) -> str:
    """How that model was taken back; empty where it was not."""
    return taken_back().get(digest, "")


def reasoned(digest: str, why: str) -> None:
    """Raise InputError where that model was taken back and `why` gives no reason to let it out."""
    if not why.strip() and (how := withdrawn(digest)):
        raise InputError(
            f"model {digest[:16]} was {how}: nothing was done; say why it is good now: the same "
            f'with WHY="..."'
        )


def judged(digest: str) -> None:
    """Raise InputError where the run of CI that works here judged another model: see JUDGED."""
    meant = os.environ.get("JUDGED") or digest
    if meant != digest:
        raise InputError(
            f"model {digest[:16]} is not the one that this run judged, {meant[:16]}: nothing was "
            f"done: train again"
        )
