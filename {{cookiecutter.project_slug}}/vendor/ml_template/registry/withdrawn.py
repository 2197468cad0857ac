"""Models that were taken back: a rollback left them, or their rollout was ended.

models/aborted.jsonl has one line for each rollout ended by what the model answered, or by hand,
with the image it was in, and one for each reason that let it out again.
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


def abort(digest: str, why: str, image: str = "") -> None:
    """List that a rollout of the model `digest`, in `image`, was ended."""
    _note({"digest": digest, "image": image}, why)


def lift(digest: str, why: str) -> None:
    """List the reason for which that model goes out again, where one was taken back."""
    if how(digest):
        _note({"digest": digest, "lifted": True}, why)


def _note(entry: Record, why: str) -> None:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    entry |= {"since": now, "by": who(), "why": line(why)}
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


def taken_back(image: str = "") -> dict[str, str]:
    """How models were taken back, by digest: they go out again for a reason only.

    A rollback left them, or a rollout of them was ended, and they were neither made champion since
    nor let out again. With `image`: what another image of the model did does not count.
    """
    past = history()
    said, since = dict[str, str](), dict[str, str]()
    for before, record in pairwise(past[:1] + past):
        if record["action"] == "rollback" and image in ("", before.get("image") or image):
            by = f"{record['since']} by {record['by']}: {record['why']}"
            said[before["digest"]] = f"rolled back at {by}"
        said.pop(record["digest"], None)
        since[record["digest"]] = record["since"]
    for entry in _aborted():
        digest = entry["digest"]
        if entry["since"] <= since.get(digest, ""):
            continue
        if entry.get("lifted"):
            said.pop(digest, None)
        elif image in ("", entry.get("image") or image):
            said[digest] = f"ended in its rollout at {entry['since']}: {entry['why']}"
    return said


def how(digest: str, image: str = "") -> str:
    """How that model was taken back, in `image` where one is named; empty where it was not."""
    return taken_back(image).get(digest, "")


def reasoned(digest: str, why: str, image: str = "") -> None:
    """Raise InputError where that model was taken back and `why` gives no reason to let it out."""
    if not why.strip() and (said := how(digest, image)):
        raise InputError(
            f"model {digest[:16]} was {said}: nothing was done; say why it is good now: the same "
            f'with WHY="..."'
        )
