"""promote, rollback and history: which kept version is champion, and why.

With ENV the cluster goes first and the champion follows: killed in between, the same command again
finds the first done and does the rest.
"""

from __future__ import annotations

import sys

from .. import champion, tracking
from ..champion import CHALLENGER, CHAMPION, Record
from ..config import GATES_FILE, InputError
from ..files import digest
from ..lineage import CONFIG
from . import notify, stable


def promote(settings: dict[str, str]) -> bool:
    """Make the challenger champion, when its version and its verdict by today's gates verify."""
    challenger, current = champion.read(CHALLENGER), champion.read(CHAMPION)
    if challenger is None:
        raise InputError(f"{CHALLENGER} is missing: no model passed the gate yet: run `make run`")
    verdict = champion.verify(challenger)
    name = challenger["digest"][:16]
    why, image = settings.get("WHY", ""), settings.get("IMAGE") or None
    at = f" ENV={settings['ENV']}" if settings.get("ENV") else ""
    if settings.get("ENV"):
        _allowed(verdict, challenger, current)
        if current and not current["image"] and (image := stable.image(settings, current)):
            champion.enthrone(current | {"image": image})  # a rollback will need it
        image = stable.finish(settings, challenger["digest"])
    if current and current["digest"] == challenger["digest"] and image in (None, current["image"]):
        champion.history()
        return _mirrored(f"promote: model {name} is the champion already")
    _allowed(verdict, challenger, current)
    for check in verdict["checks"]:
        if check["verdict"] == "warning":
            print(f"promote: warning: {check['gate']}: {check['reason']}")
    champion.enthrone(champion.pointer(challenger["digest"], verdict, "promote", why, image))
    return _mirrored(f"promote: model {name} is champion\npromote: to undo it: make rollback{at}")


def _allowed(verdict: Record, challenger: Record, current: Record | None) -> None:
    """Raise InputError unless the verdict is by today's gates and against today's champion."""
    name = challenger["digest"][:16]
    if verdict["inputs"]["gates"] != digest(GATES_FILE):
        raise InputError(
            f"{GATES_FILE} changed after model {name} was judged: run `make gate register`"
        )
    if current and current["digest"] != challenger["digest"] and not _compared(verdict, current):
        raise InputError(
            f"model {name} was not compared with the champion {current['digest'][:16]}: "
            f"fetch its folder (dvc pull), then run `make gate register`"
        )


def _compared(verdict: Record, current: Record) -> bool:
    """Whether the verdict compared its model with the champion of today, whose folder was here."""
    same = verdict["inputs"]["champion"] == current["digest"]
    return bool(same and verdict["rival"]["state"] != "absent")


def rollback(settings: dict[str, str]) -> bool:
    """Go back to the last champion that still verifies; a damaged present one is no hindrance.

    With ENV: an open rollout is ended, and that is all; else stable goes back with the champion.
    After a rollback, the stable of another ENV follows to its champion; one release further back
    needs APPLY=yes, so that a rollback begun again does not go too far.
    """
    env, past = settings.get("ENV"), champion.history()
    if env and (state := stable.withdraw(settings)):
        print(f"rollback: {env}: everyone is at stable; model {state.model[:16]} is not tried")
        print("rollback: it will not be tried again: train another one (make run)")
        return True
    last = past[-1] if past and past[-1]["action"] == "rollback" else None
    if last and env and not stable.image(settings, last):
        stable.restore(settings, last)
        print(f"rollback: {env}: stable follows the champion, model {last['digest'][:16]}")
        return True
    if last and settings.get("APPLY") != "yes":
        raise InputError(
            f"model {last['digest'][:16]} is champion by a rollback, {last['since']}: nothing was "
            f"done; to go one release further back: the same with APPLY=yes"
        )
    for record in champion.earlier(past):
        try:
            verdict = champion.verify(record)
            if env:
                stable.restore(settings, record)
        except (InputError, OSError) as error:
            print(f"rollback: {record['digest'][:16]} passed over: {error}", file=sys.stderr)
            continue
        why, image = settings.get("WHY", ""), record.get("image")
        champion.enthrone(champion.pointer(record["digest"], verdict, "rollback", why, image))
        notify.tell("rollback done")
        with_it = f", configuration {record['model']}/{CONFIG}, image {image or 'not recorded'}"
        _mirrored(
            f"rollback: model {record['digest'][:16]} is champion again{with_it}\n"
            f"rollback: to undo it: {_forward(env)}"
        )
        return True  # where MLflow did not take it, that was said: a second rollback is no remedy
    said = "there is no earlier champion that verifies: the present one stays"
    notify.send(f"rollback: {said}")
    raise InputError(said)


def _forward(env: str | None) -> str:
    """What brings the challenger back to the champion's place, and which model that is."""
    challenger = champion.read(CHALLENGER)
    if challenger is None:
        return "make run, and make promote"
    words = ("deploy", "canary", "promote") if env else ("promote",)
    said = ", ".join(f"make {word}{f' ENV={env}' if env else ''}" for word in words)
    return f"{said} (the challenger, model {challenger['digest'][:16]})"


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
