"""summary: the last lines of `make run`: champion, headline metrics, where the report is.

On GitHub the model card becomes the summary of the job as well.
"""

from __future__ import annotations

import os
from pathlib import Path

from ...model.shapes import Estimate
from ...registry import champion, tracking, withdrawn
from ...settings.config import InputError
from ...storage.places import REPORT, REPORTS

CARD = REPORTS / "model_card.md"
_SHOWN = 3  # metrics, in the order of the evaluation: the headline metric comes first


def run() -> None:
    """Print them, and the challenger where it is another model; a candidate that was refused first.

    Each stands with its own metrics.
    """
    record = champion.read(champion.CHAMPION)
    if refused := champion.refused():
        gates = [check["gate"] for check in refused["checks"] if check["verdict"] == "refused"]
        stays = "the champion stays" if record else "there is no champion"
        print(f"candidate: {refused['model'][:16]}: REFUSED, {stays}: {', '.join(gates)}")
        print(f"metrics:  {_metrics(refused['metrics']) or 'none that the gate vouches for'}")
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
    if record and challenger and challenger["digest"] != record["digest"]:
        taken_back = withdrawn.how(challenger["digest"])
        why = f' WHY="..."` makes it champion again: it was {taken_back}' if taken_back else ""
        print(f"challenger: {challenger['model']}: `make promote{why or '` makes it champion'}")
    print(f"report:   {REPORT}" if REPORT.exists() else "report:   none yet: run `make report`")
    if "GITHUB_STEP_SUMMARY" in os.environ and CARD.exists():
        with Path(os.environ["GITHUB_STEP_SUMMARY"]).open("a", encoding="utf-8") as page:
            page.write(CARD.read_text(encoding="utf-8"))


def _metrics(metrics: dict[str, Estimate]) -> str:
    """Values with their 95 % intervals."""
    return ", ".join(
        f"{name} {found['value']:.3f} [{found['low']:.3f}, {found['high']:.3f}]"
        for name, found in list(metrics.items())[:_SHOWN]
    )
