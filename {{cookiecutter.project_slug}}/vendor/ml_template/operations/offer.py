"""offer: which model a run of CI may release, by digest, or none and why."""

from __future__ import annotations

import os
from pathlib import Path

from ..registry import champion, withdrawn
from ..registry.champion import CHALLENGER, CHAMPION
from ..settings.config import InputError
from ..storage.files import write_text
from ..storage.places import REPORTS, VERDICT

OFFER = REPORTS / "offer.txt"
JUDGED = REPORTS / "judged.txt"


def run(settings: dict[str, str]) -> None:
    """What this run may release: the model it judged, by digest; or nothing, said with the reason.

    Nothing where that model was refused, is the champion (unless SERVICE=yes: it goes out again in
    another image), or was taken back and WHY gives no reason. Written to OFFER and JUDGED, and on
    GitHub to the outputs of the step. Raises InputError where another model is challenger.
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
    if current and current["digest"] == model and os.environ.get("SERVICE") != "yes":
        return f"model {model[:16]} is the champion"
    taken_back = withdrawn.how(model)
    if taken_back and not why.strip():
        return f'model {model[:16]} was {taken_back}; with a reason it goes out again: WHY="..."'
    return ""
