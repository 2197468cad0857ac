"""rollback: go back to the last champion that still verifies; with ENV stable goes back first.

Killed in between, the same command again finds the first done and does the rest.
"""

from __future__ import annotations

import sys
from types import ModuleType

from ..model import manifest
from ..model.lineage import CONFIG
from ..outside.screen import say
from ..registry import champion, tracking, withdrawn
from ..registry.champion import CHALLENGER, Record
from ..settings.config import InputError
from ..storage.changes import changing
from . import notify


def run(settings: dict[str, str]) -> bool:
    """Go back to the last champion that still verifies; a damaged present one is no hindrance.

    With ENV: an open rollout is ended, and that is all; else stable goes back with the champion.
    After a rollback, the stable of another ENV follows to its champion; one release further back
    needs APPLY=yes, so that a rollback begun again does not go too far; without it a champion of
    another table is passed over, too.
    """
    env = settings.get("ENV")
    if env and (state := _stable().withdraw(settings)):
        say(f"rollback: {env}: everyone is at stable; model {state.model[:16]} is not tried")
        if state.evidence:
            say('rollback: it is tried again for a reason only, WHY="..."; or train another one')
        return True
    with changing():
        done = _rollback(settings)
    if done:
        notify.tell("rollback done")
        say(done)
        tracking.told("rollback")
    return True  # where MLflow did not take it, that was said: a second rollback is no remedy


def _stable() -> ModuleType:
    """What moves releases in a cluster: asked for with ENV, and only then is it to be there."""
    from ..kubernetes import stable

    return stable


def _rollback(settings: dict[str, str]) -> str:
    """What is to be said of it; empty where only the stable of ENV followed the champion."""
    env, past = settings.get("ENV"), champion.history()
    further = settings.get("APPLY") == "yes"
    last = past[-1] if past and past[-1]["action"] == "rollback" else None
    if last and env and not _stable().image(settings, last):
        _stable().restore(settings, last)
        say(f"rollback: {env}: stable follows the champion, model {last['digest'][:16]}")
        return ""
    if last and not further:
        raise InputError(
            f"model {last['digest'][:16]} is champion by a rollback, {last['since']}: nothing was "
            f"done; to go one release further back: the same with APPLY=yes"
        )
    for record in champion.earlier(past):
        try:
            verdict = champion.verify(record)
            if other := _other(record, past[-1]):
                if not further:
                    raise InputError(f"{other}: to go there all the same: APPLY=yes")
                say(f"rollback: warning: {record['digest'][:16]} {other}")
            if env:
                _stable().restore(settings, record)
        except (InputError, OSError) as error:
            say(f"rollback: {record['digest'][:16]} passed over: {error}", sys.stderr)
            continue
        why, image = settings.get("WHY", ""), record.get("image")
        champion.enthrone(champion.pointer(record["digest"], verdict, "rollback", why, image))
        with_it = f", configuration {record['model']}/{CONFIG}, image {image or 'not recorded'}"
        return (
            f"rollback: model {record['digest'][:16]} is champion again{with_it}\n"
            f"rollback: to undo it: {_forward(env)}"
        )
    said = "there is no earlier champion that verifies: the present one stays"
    notify.send(f"rollback: {said}")
    raise InputError(said)


def _other(record: Record, present: Record) -> str:
    """How what the model of `record` predicts differs from what the `present` champion does, as
    after `adopt`; empty where it does not, or where the present one cannot be read.
    """
    try:
        asked = _identity(present)
    except (InputError, OSError):
        return ""
    other = manifest.differences(_identity(record), asked).values()
    return f"is of another table than the champion: {'; '.join(other)}" if other else ""


def _identity(record: Record) -> Record:
    """Identity of a kept version; raises InputError where it is damaged."""
    found, _ = manifest.read(champion.folder(record["digest"]), record["digest"])
    known: Record = found["identity"]
    return known


def _forward(env: str | None) -> str:
    """What brings the challenger back to the champion's place, and which model that is."""
    challenger = champion.read(CHALLENGER)
    if challenger is None:
        return "make run, and make promote"
    at = f" ENV={env}" if env else ""
    reason = ' WHY="..."' if withdrawn.how(challenger["digest"]) else ""
    words = (f"deploy{at}", f"canary{at}{reason}") if env else ()
    said = ", ".join(f"make {word}" for word in (*words, f"promote{at}{reason}"))
    return f"{said} (the challenger, model {challenger['digest'][:16]})"
