"""models/champion.json and challenger.json: which kept version counts, and what vouches for it.

A kept version is models/<first 16 of its digest>/; it never changes. A verdict is kept once, in
models/verdicts/<first 16 of its digest>.json. A pointer holds {digest, model, verdict, commit,
since, by, why, action, image}; image is the container image that serves it, by digest, or null.
models/history.jsonl has one line for each pointer that was champion, with its seal: the digest of
the pointer and of the seal before. Lines of older versions have none until one with a seal follows.
"""

from __future__ import annotations

import getpass
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..model import lineage, manifest
from ..model.shapes import Judgement, Verdict
from ..outside.text import line
from ..settings.config import InputError
from ..storage import changes
from ..storage.files import digest_json, json_text, parsed, parsed_lines, read_json
from ..storage.places import VERDICT

MODELS = Path("models")
CHAMPION = MODELS / "champion.json"
CHALLENGER = MODELS / "challenger.json"
HISTORY = MODELS / "history.jsonl"
VERDICTS = MODELS / "verdicts"
_KEYS = {"digest", "model", "verdict", "commit", "since", "by", "why", "action", "image"}
_DIGESTS = ("digest", "verdict")
_HEX = re.compile("[0-9a-f]{64}")
BY_DIGEST = re.compile(r"([^\s@]+)@(sha256:[0-9a-f]{64})")  # an image
FROM_GIT = "restore it from git"
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
    named = texts(record, *_DIGESTS) and all(_HEX.fullmatch(record[key]) for key in _DIGESTS)
    if not named or set(record) | {"image"} != _KEYS:
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
    if image is not None:
        by_digest(image)
    return {
        "digest": digest,
        "model": folder(digest).as_posix(),
        "verdict": verdict["digest"],
        "commit": verdict["lineage"]["commit"],
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
        "by": who(),
        "why": line(why) or "no reason given",
        "action": action,
        "image": image,
    }


def by_digest(image: str, form: re.Pattern[str] = BY_DIGEST) -> tuple[str, str]:
    """Name and digest of `image`; raises InputError where it is named by a tag."""
    found = form.fullmatch(image)
    if found is None:
        raise InputError(f"IMAGE={image}: name it by digest: registry/name@sha256:... (64 hex)")
    return found[1], found[2]


def who() -> str:
    """The name that git knows of whoever runs this, else that of the account."""
    with suppress(OSError, subprocess.SubprocessError):
        if name := lineage.git("config", "user.name").strip():
            return line(name)
    with suppress(OSError, KeyError):  # a container whose user has no name
        return line(getpass.getuser())
    return "unknown"


def texts(record: Any, *keys: str) -> bool:
    """Whether `record` is a map whose `keys` are texts."""
    return isinstance(record, dict) and all(isinstance(record.get(key), str) for key in keys)


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
        past, seal = _listed()
        lines = (changes.content(HISTORY) or b"").decode().splitlines()
        for new in (read(CHAMPION), record):  # one that a crash kept from the file goes first
            if new is not None and past[-1:] != [new]:
                past.append(new)
                seal = digest_json([seal, new])
                lines.append(json.dumps(new | {"seal": seal}, ensure_ascii=False))
        files[HISTORY] = "".join(f"{line}\n" for line in lines)
    changes.replace(files)


def enthrone(record: Record) -> None:
    """Make `record` the champion; who calls holds `changing`."""
    point({CHAMPION: record})


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
    lines = parsed_lines(changes.content(HISTORY), HISTORY, FROM_GIT)
    for number, record in enumerate(lines, 1):
        if not texts(record, *_KEYS - {"image", "commit"}) or "commit" not in record:
            raise InputError(f"{HISTORY}: line {number} is no champion: {FROM_GIT}")
        found = record.pop("seal", None)
        record = {"image": None} | record  # older lines have none
        try:
            seal = digest_json([seal, record])
        except (ValueError, RecursionError) as error:  # NaN has none
            raise InputError(f"{HISTORY} is damaged ({error}): {FROM_GIT}") from None
        if found != seal and (found is not None or sealed):
            raise InputError(f"{HISTORY}: line {number}, or one above it, was edited: {FROM_GIT}")
        sealed = found is not None
        records.append(record)
    if records and not sealed:
        print(f"{HISTORY}: its lines have no seal until the next one is added", file=sys.stderr)
    return records, seal


def judged_last() -> Verdict | None:
    """The verdict on the candidate judged last here; None where none was."""
    return read_verdict(VERDICT, "run `make gate`") if VERDICT.exists() else None


def refused() -> Verdict | None:
    """The same, where it refused; else None."""
    found = judged_last()
    return found if found and found["verdict"] == "refused" else None


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


def judged(digest: str) -> None:
    """Raise InputError where the run of CI that works here judged another model: see JUDGED."""
    meant = os.environ.get("JUDGED") or digest
    if meant != digest:
        raise InputError(
            f"model {digest[:16]} is not the one that this run judged, {meant[:16]}: nothing was "
            f"done: train again"
        )
