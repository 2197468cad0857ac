"""summary: the last lines of `make run`: candidate, champion, headline metrics, the report.

On GitHub the model card becomes the summary of the job as well.
"""

from __future__ import annotations

import os
from pathlib import Path

from ...model.shapes import Estimate, Verdict
from ...registry import champion, tracking, withdrawn
from ...settings.config import InputError
from ...storage.places import REPORT, REPORTS

CARD = REPORTS / "model_card.md"
_MADE_OF = {"data": "data", "config": "configuration", "code": "code", "lock": "packages"}
_SHOWN = 3  # metrics, in the order of the evaluation: the headline metric comes first


def run() -> None:
    """Print what was trained now, where that is not the champion, and then the champion.

    Each stands with its own metrics.
    """
    record, judged = champion.read(champion.CHAMPION), champion.judged_last()
    told = judged if judged and (record is None or judged["model"] != record["digest"]) else None
    if told:
        _candidate(told, record)
    if record is None:
        print("champion: none yet: no model passed the gate")
    else:
        version = tracking.version(record["digest"])
        name = f"version {version}, " if version else ""
        print(f"champion: {name}{record['model']} (since {record['since']}, {record['why']})")
        try:
            print(f"metrics:  {_metrics(champion.verdict(record)['metrics'])}")
        except InputError as error:
            print(f"metrics:  {error}")
    challenger = champion.read(champion.CHALLENGER)
    waits = challenger["digest"] if challenger else ""
    if record and waits not in ("", record["digest"], told["model"] if told else ""):
        print(f"challenger: {champion.folder(waits)}: {_promote(waits)}")
    print(f"report:   {REPORT}" if REPORT.exists() else "report:   none yet: run `make report`")
    if "GITHUB_STEP_SUMMARY" in os.environ and CARD.exists():
        with Path(os.environ["GITHUB_STEP_SUMMARY"]).open("a", encoding="utf-8") as page:
            page.write(CARD.read_text(encoding="utf-8"))


def _candidate(verdict: Verdict, record: champion.Record | None) -> None:
    """Print verdict, metrics, and what is different from the champion."""
    gates = [check["gate"] for check in verdict["checks"] if check["verdict"] == "refused"]
    challenger = champion.read(champion.CHALLENGER)
    if gates:
        stays = "the champion stays" if record else "there is no champion"
        state = f"REFUSED, {stays}: {', '.join(gates)}"
    elif challenger and challenger["digest"] == verdict["model"]:
        state = f"passed, waits as challenger: {_promote(verdict['model'])}"
    else:
        state = "passed, not registered: `make register`"
    print(f"candidate: {verdict['model'][:16]}: {state}")
    print(f"metrics:  {_metrics(verdict['metrics']) or 'none that the gate vouches for'}")
    if record is None:
        return
    rival = verdict["rival"]
    value, low, high = rival.get("value"), rival.get("low"), rival.get("high")
    figures = value is not None and low is not None and high is not None
    by = f"{value:+.3f} [{low:+.3f}, {high:+.3f}]" if figures else "unknown"
    print(f"gain:     {by} ({rival['reason']})")
    try:
        before = dict(champion.verdict(record)["lineage"])
    except InputError:
        return  # said below, in the place of its metrics
    now = dict(verdict["lineage"])
    changed = [said for key, said in _MADE_OF.items() if before[key] != now[key]]
    print(f"changed:  {', '.join(changed) or 'nothing'} since the champion was trained")


def _promote(digest: str) -> str:
    taken_back = withdrawn.how(digest)
    why = f' WHY="..."` makes it champion again: it was {taken_back}' if taken_back else ""
    return f"`make promote{why or '` makes it champion'}"


def _metrics(metrics: dict[str, Estimate]) -> str:
    """Values with their 95 % intervals."""
    return ", ".join(
        f"{name} {found['value']:.3f} [{found['low']:.3f}, {found['high']:.3f}]"
        for name, found in list(metrics.items())[:_SHOWN]
    )
