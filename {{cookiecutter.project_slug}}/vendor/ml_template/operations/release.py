"""offer, promote, rollback and history: which kept version is champion, and why.

With ENV the cluster goes first and the champion follows: killed in between, the same command again
finds the first done and does the rest.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import ModuleType

from ..model import manifest
from ..model.lineage import CONFIG
from ..model.shapes import Verdict
from ..outside.screen import say
from ..outside.text import aligned
from ..registry import champion, tracking
from ..registry.champion import CHALLENGER, CHAMPION, Record
from ..settings.config import GATES_FILE, InputError
from ..storage.changes import changing
from ..storage.files import digest, write_text
from ..storage.places import REPORTS, VERDICT
from . import notify

OFFER = REPORTS / "offer.txt"
JUDGED = REPORTS / "judged.txt"


def offer(settings: dict[str, str]) -> None:
    """What this run may release: the model it judged, by digest; or nothing, said with the reason.

    Nothing where that model was refused, is the champion, or was taken back and WHY gives no
    reason. Written to OFFER and JUDGED, and on GitHub to the outputs of the step. Raises InputError
    where another model is challenger.
    """
    verdict = champion.read_verdict(VERDICT, "run `make gate`")
    model = verdict["model"]
    said = _nothing(model, verdict["verdict"], settings.get("WHY", ""))
    challenger = champion.read(CHALLENGER)
    if not said and (challenger is None or challenger["digest"] != model):
        other = challenger["digest"][:16] if challenger else "none"
        raise InputError(
            f"offer: this run judged model {model[:16]}, the challenger is {other}: nothing goes "
            f"out: run `make register`"
        )
    print(f"offer: nothing to release: {said}" if said else f"offer: model {model[:16]} goes out")
    facts = f"release={'no' if said else 'yes'}\nmodel={'' if said else model}\n"
    write_text(OFFER, facts)
    write_text(JUDGED, "" if said else model)
    if "GITHUB_OUTPUT" in os.environ:
        with Path(os.environ["GITHUB_OUTPUT"]).open("a", encoding="utf-8") as file:
            file.write(facts)


def _nothing(model: str, verdict: str, why: str) -> str:
    """Why `model` is not to go out; empty where it is."""
    if verdict == "refused":
        return f"model {model[:16]} was refused by the gate, see {VERDICT}"
    current = champion.read(CHAMPION)
    if current and current["digest"] == model:
        return f"model {model[:16]} is the champion"
    taken_back = champion.withdrawn(model)
    if taken_back and not why.strip():
        return f'model {model[:16]} was {taken_back}; with a reason it goes out again: WHY="..."'
    return ""


def promote(settings: dict[str, str]) -> bool:
    """Make the challenger champion, when its version and its verdict by today's gates verify.

    One that was taken back needs WHY. For the champion, only what is new is noted: WHY, IMAGE.
    """
    with changing():
        done = _promote(settings)
    return _mirrored(done)


def _promote(settings: dict[str, str]) -> str:
    """What is to be said of it."""
    challenger, current = champion.read(CHALLENGER), champion.read(CHAMPION)
    if challenger is None:
        raise InputError(f"{CHALLENGER} is missing: no model passed the gate yet: run `make run`")
    champion.judged(challenger["digest"])
    verdict = champion.verify(challenger)
    name = challenger["digest"][:16]
    why, image = settings.get("WHY", ""), settings.get("IMAGE") or None
    at = f" ENV={settings['ENV']}" if settings.get("ENV") else ""
    if settings.get("ENV"):
        _allowed(verdict, challenger, current, why)
        if current and not current["image"] and (image := _stable().image(settings, current)):
            current |= {"image": image}  # a rollback will need it
            champion.enthrone(current)
        image = _stable().finish(settings, challenger["digest"])
    if current and current["digest"] == challenger["digest"]:
        image = image or current["image"]
        if image == current["image"] and " ".join(why.split()) in ("", current["why"]):
            return f"promote: model {name} is the champion already"
    _allowed(verdict, challenger, current, why)
    for check in verdict["checks"]:
        if check["verdict"] == "warning":
            say(f"promote: warning: {check['gate']}: {check['reason']}")
    champion.enthrone(champion.pointer(challenger["digest"], verdict, "promote", why, image))
    return f"promote: model {name} is champion\npromote: to undo it: make rollback{at}"


def _stable() -> ModuleType:
    """What moves releases in a cluster: asked for with ENV, and only then is it to be there."""
    from ..kubernetes import stable

    return stable


def _allowed(verdict: Verdict, challenger: Record, current: Record | None, why: str) -> None:
    """Raise InputError unless the verdict is by today's gates and against today's champion.

    So too for a model that was taken back, without a reason.
    """
    name = challenger["digest"][:16]
    champion.reasoned(challenger["digest"], why)
    if verdict["inputs"]["gates"] != digest(GATES_FILE):
        raise InputError(
            f"{GATES_FILE} changed after model {name} was judged: run `make gate register`"
        )
    if current and current["digest"] != challenger["digest"] and not _compared(verdict, current):
        raise InputError(
            f"model {name} was not compared with the champion {current['digest'][:16]}: "
            f"fetch its folder (dvc pull), then run `make gate register`"
        )


def _compared(verdict: Verdict, current: Record) -> bool:
    """Whether the verdict compared its model with the champion of today, whose folder was here."""
    same = verdict["inputs"]["champion"] == current["digest"]
    return bool(same and verdict["rival"]["state"] != "absent")


def rollback(settings: dict[str, str]) -> bool:
    """Go back to the last champion that still verifies; a damaged present one is no hindrance.

    With ENV: an open rollout is ended, and that is all; else stable goes back with the champion.
    After a rollback, the stable of another ENV follows to its champion; one release further back
    needs APPLY=yes, so that a rollback begun again does not go too far; without it a champion of
    another table is passed over, too.
    """
    env = settings.get("ENV")
    if env and (state := _stable().withdraw(settings)):
        say(f"rollback: {env}: everyone is at stable; model {state.model[:16]} is not tried")
        say('rollback: it is tried again for a reason only, WHY="..."; or train another one')
        return True
    with changing():
        done = _rollback(settings)
    if done:
        notify.tell("rollback done")
        _mirrored(done)
    return True  # where MLflow did not take it, that was said: a second rollback is no remedy


def _rollback(settings: dict[str, str]) -> str:
    """What is to be said of it; empty where only the stable of ENV followed the champion."""
    env, past = settings.get("ENV"), champion.history()
    last = past[-1] if past and past[-1]["action"] == "rollback" else None
    if last and env and not _stable().image(settings, last):
        _stable().restore(settings, last)
        say(f"rollback: {env}: stable follows the champion, model {last['digest'][:16]}")
        return ""
    if last and settings.get("APPLY") != "yes":
        raise InputError(
            f"model {last['digest'][:16]} is champion by a rollback, {last['since']}: nothing was "
            f"done; to go one release further back: the same with APPLY=yes"
        )
    for record in champion.earlier(past):
        try:
            verdict = champion.verify(record)
            if other := _other(record, past[-1]):
                if settings.get("APPLY") != "yes":
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
        asked = _question(present)
    except (InputError, OSError):
        return ""
    mine = _question(record)
    keys = [key for key in mine if key in asked and mine[key] != asked[key]]
    other = [f"{key} {mine[key]!r}, not {asked[key]!r}" for key in keys]
    return f"is of another table than the champion: {'; '.join(other)}" if other else ""


def _question(record: Record) -> Record:
    """Target, task and classes of a kept version; raises InputError where it is damaged."""
    found, _ = manifest.read(champion.folder(record["digest"]), record["digest"])
    known = found["identity"]
    return {key: known[key] for key in ("target", "task", "labels") if key in known}


def _forward(env: str | None) -> str:
    """What brings the challenger back to the champion's place, and which model that is."""
    challenger = champion.read(CHALLENGER)
    if challenger is None:
        return "make run, and make promote"
    at = f" ENV={env}" if env else ""
    reason = ' WHY="..."' if champion.withdrawn(challenger["digest"]) else ""
    words = (f"deploy{at}", f"canary{at}{reason}") if env else ()
    said = ", ".join(f"make {word}" for word in (*words, f"promote{at}{reason}"))
    return f"{said} (the challenger, model {challenger['digest'][:16]})"


def history() -> None:
    """Print every champion, oldest first."""
    records = champion.history()
    if not records:
        print("history: there was no champion yet")
        return
    rows = [("since", "model", "how", "by", "commit", "why"), *map(_row, records)]
    print(aligned(rows))


def _row(record: Record) -> tuple[str, ...]:
    commit = record["commit"] or "none"
    row = (record["since"], record["digest"][:16], record["action"], record["by"], commit[:12])
    return (*row, record["why"])


def _mirrored(done: str) -> bool:
    say(done)
    try:
        tracking.mirror()
    except InputError as error:
        say(f"{done.partition(':')[0]}: {error}", sys.stderr)
        return False
    return True
