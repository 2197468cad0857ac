"""promote, rollback and history: which kept version is champion, and why."""

from __future__ import annotations

import sys

from .. import champion, tracking
from ..champion import CHALLENGER, CHAMPION, Record
from ..config import GATES_FILE, InputError
from ..files import digest
from ..lineage import CONFIG


def promote(settings: dict[str, str]) -> bool:
    """Make the challenger champion, when its version and its verdict by today's gates verify."""
    challenger, current = champion.read(CHALLENGER), champion.read(CHAMPION)
    if challenger is None:
        raise InputError(f"{CHALLENGER} is missing: no model passed the gate yet: run `make run`")
    verdict = champion.verify(challenger)
    name = challenger["digest"][:16]
    why, image = settings.get("WHY", ""), settings.get("IMAGE") or None
    if current and current["digest"] == challenger["digest"] and image in (None, current["image"]):
        champion.history()
        return _mirrored(f"promote: model {name} is the champion already")
    if verdict["inputs"]["gates"] != digest(GATES_FILE):
        raise InputError(
            f"{GATES_FILE} changed after model {name} was judged: run `make gate register`"
        )
    if current and current["digest"] != challenger["digest"] and not _compared(verdict, current):
        raise InputError(
            f"model {name} was not compared with the champion {current['digest'][:16]}: "
            f"fetch its folder (dvc pull), then run `make gate register`"
        )
    for check in verdict["checks"]:
        if check["verdict"] == "warning":
            print(f"promote: warning: {check['gate']}: {check['reason']}")
    champion.enthrone(champion.pointer(challenger["digest"], verdict, "promote", why, image))
    return _mirrored(f"promote: model {name} is champion")


def _compared(verdict: Record, current: Record) -> bool:
    """Whether the verdict compared its model with the champion of today, whose folder was here."""
    same = verdict["inputs"]["champion"] == current["digest"]
    return bool(same and verdict["rival"]["state"] != "absent")


def rollback(settings: dict[str, str]) -> bool:
    """Go back to the last champion that still verifies; a damaged present one is no hindrance."""
    for record in champion.earlier(champion.history()):
        try:
            verdict = champion.verify(record)
        except (InputError, OSError) as error:
            print(f"rollback: {record['digest'][:16]} passed over: {error}", file=sys.stderr)
            continue
        why, image = settings.get("WHY", ""), record.get("image")
        champion.enthrone(champion.pointer(record["digest"], verdict, "rollback", why, image))
        with_it = f", configuration {record['model']}/{CONFIG}, image {image or 'not recorded'}"
        return _mirrored(f"rollback: model {record['digest'][:16]} is champion again{with_it}")
    raise InputError("there is no earlier champion that verifies: the present one stays")


def history() -> None:
    """Print every champion, oldest first."""
    records = champion.history()
    if not records:
        print("history: there was no champion yet")
        return
    rows = [("since", "model", "how", "by", "commit", "why"), *map(_row, records)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(f"{c:<{w}}" for c, w in zip(row, widths, strict=True)).rstrip())


def _row(record: Record) -> tuple[str, ...]:
    commit = record["commit"] or "none"
    row = (record["since"], record["digest"][:16], record["action"], record["by"], commit[:12])
    return (*row, record["why"])


def _mirrored(done: str) -> bool:
    print(done)
    try:
        tracking.mirror()
    except InputError as error:
        print(f"{done.partition(':')[0]}: {error}", file=sys.stderr)
        return False
    return True
