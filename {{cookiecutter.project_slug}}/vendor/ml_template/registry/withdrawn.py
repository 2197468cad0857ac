"""Models that were taken back: a rollback left them, or their rollout was ended.

models/aborted.jsonl has one line for each rollout ended by what the model answered, or by hand.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from itertools import pairwise

from ..outside.text import line
from ..settings.config import InputError
from ..storage import changes
from ..storage.files import locked, parsed_lines, write_text
from .champion import FROM_GIT, MODELS, Record, history, texts, who

ABORTED = MODELS / "aborted.jsonl"


def abort(digest: str, why: str) -> None:
    """List that a rollout of the model `digest` was ended."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    entry = {"digest": digest, "since": now, "by": who(), "why": line(why)}
    with locked(ABORTED):
        known = ABORTED.read_bytes().decode() if ABORTED.exists() else ""
        write_text(ABORTED, f"{known}{json.dumps(entry, ensure_ascii=False)}\n")


def _aborted() -> list[Record]:
    entries = parsed_lines(changes.content(ABORTED), ABORTED, FROM_GIT)
    for number, entry in enumerate(entries, 1):
        if not texts(entry, "digest", "since", "by", "why"):
            raise InputError(f"{ABORTED} is damaged (line {number}): {FROM_GIT}")
    return entries


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


def how(digest: str) -> str:
    """How that model was taken back; empty where it was not."""
    return taken_back().get(digest, "")


def reasoned(digest: str, why: str) -> None:
    """Raise InputError where that model was taken back and `why` gives no reason to let it out."""
    if not why.strip() and (said := how(digest)):
        raise InputError(
            f"model {digest[:16]} was {said}: nothing was done; say why it is good now: the same "
            f'with WHY="..."'
        )
