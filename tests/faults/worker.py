"""python -m faults.worker PROJECT FOLDER: answers names of rows on stdin with outcomes on stdout.

One JSON object a line: {"key", "adopted"} -> {"outcome", "by", "message", "seconds"}, and
{"drill", ...} -> what that drill found.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from .drills import DRILLS
from .lab import Lab, Workshop
from .registry import Fault, load


def outcome(workshop: Workshop, row: Fault, adopted: bool) -> dict[str, Any]:
    """Plant the fault, run its stages, and run the same stages where nothing was planted.

    Outcomes: refused (by the last stage, with its code and words), missed, wrong (refused
    elsewhere or in other words), sick (the healthy project does not pass).
    """
    base = row.base
    if adopted:
        base = "adopted" if row.base == "default" else f"adopted-{row.base}"
    chain = (base, row.stages, row.before)
    if chain not in workshop.healthy:
        with workshop.copy(base) as lab:
            bad = healthy(lab, row)
        if bad:
            return {"outcome": "sick", "by": "", "message": bad}
        workshop.healthy.add(chain)
    with workshop.copy(base) as lab:
        if row.before:
            row.before(lab)
        row.plant(lab)
        for stage in row.stages:
            code, text = run(lab, stage)
            if code:
                break
        traces = lab.folder / "executed"
        if traces.exists():
            return {"outcome": "executed", "by": by(stage), "message": text}
    if code == 0:
        return {"outcome": "missed", "by": "", "message": ""}
    found = re.search(row.says, text)
    right = stage == row.stages[-1] and code == row.code and found and "Traceback" not in text
    line = next((part for part in text.splitlines() if re.search(row.says, part)), text.strip())
    if not right:
        return {"outcome": "wrong", "by": by(stage), "message": text}
    return {"outcome": "refused", "by": by(stage), "message": line}


def by(stage: str) -> str:
    """The stage without its settings, for the table."""
    return stage.partition("+")[0]


def healthy(lab: Lab, row: Fault) -> str:
    """What the stages of `row` have against a project without the fault; nothing, it is hoped."""
    if row.before:
        row.before(lab)
    for stage in row.stages:
        code, text = run(lab, stage)
        if code:
            return f"{stage}: {text}"
    return ""


def run(lab: Lab, stage: str) -> tuple[int, str]:
    """One stage: `process:` in front where the code of the copy must run, `+` before a setting."""
    words = stage.removeprefix("process:")
    return (lab.say if words == stage else lab.process)(*words.split("+"))


def main(words: list[str]) -> None:
    # What stages print must not mix with the answers.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    workshop = Workshop(Path(words[0]).resolve(), Path(words[1]).resolve())
    rows = {row.key: row for row in load()}
    for line in sys.stdin:
        asked = json.loads(line)
        began = time.perf_counter()
        try:
            if drill := asked.pop("drill", None):
                found = DRILLS[drill](workshop, **asked)
            else:
                found = outcome(workshop, rows[asked["key"]], asked["adopted"])
        except Exception:
            found = {"outcome": "broken", "by": "", "message": traceback.format_exc()}
        found["seconds"] = round(time.perf_counter() - began, 2)
        answers.write(json.dumps(found) + "\n")
        answers.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
