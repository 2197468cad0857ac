"""The trained projects that faults are planted in."""

from __future__ import annotations

from collections.abc import Callable

from . import foreign
from .lab import Lab

ROWS = 4000
LIFE = ("prepare", "validate", "train", "evaluate", "gate", "register")
# base: the base it is made from
ON = {
    "two": "default",
    "challenged": "default",
    "adopted-two": "adopted",
    "adopted-challenged": "adopted",
}


def passed(lab: Lab, *words: str) -> None:
    """Run a command that must succeed."""
    code, said = lab.say(*words)
    assert code == 0, f"{' '.join(words)} must pass on a healthy project: {said}"


def default(lab: Lab) -> None:
    """The starter project, small, with a champion."""
    with lab.edited("model_config.yaml") as config:
        config["sample"]["rows"] = ROWS
    passed(lab, "sample", *LIFE)


def graded(lab: Lab) -> None:
    """The starter project with two more numbers of few different values, and one of zeros often."""
    with lab.edited("model_config.yaml") as config:
        config["sample"]["rows"] = ROWS
        config["columns"] |= {name: {"type": "numeric"} for name in ("grade", "flag", "bonus")}
    passed(lab, "sample")
    draw, rows = lab.random, lab.rows()
    for row in rows:
        row |= {"grade": str(draw.randint(1, 5)), "flag": str(draw.randint(0, 1))}
        row["bonus"] = str(draw.choice((0, 0, 0, round(draw.lognormvariate(8, 1), 2))))
    lab.write_rows(rows)
    passed(lab, *LIFE)


def adopted(lab: Lab) -> None:
    """A table with other names, another form and another language, taken over by `adopt`."""
    path = lab.folder / "sales.csv"
    foreign.write(path, ROWS)
    who = (f"TARGET={foreign.TARGET}", f"SENSITIVE={foreign.GROUP}", "ENCODING=latin-1")
    passed(lab, "adopt", f"DATA={path}", *who)
    path.unlink()
    passed(lab, *LIFE)


def challenged(lab: Lab) -> None:
    """A challenger that passed waits to be promoted."""
    with lab.edited("model_config.yaml") as config:
        config["model"]["params"]["max_iter"] += 1
    passed(lab, "train", "evaluate", "gate", "register")


def two(lab: Lab) -> None:
    """One champion after another: there is something to go back to."""
    challenged(lab)
    passed(lab, "promote", "WHY=second")


MAKERS: dict[str, Callable[[Lab], None]] = {
    "default": default,
    "adopted": adopted,
    "graded": graded,
    "two": two,
    "challenged": challenged,
    "adopted-two": two,
    "adopted-challenged": challenged,
}
