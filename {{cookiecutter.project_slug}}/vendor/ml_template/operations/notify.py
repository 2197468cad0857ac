"""notify: tell people through a Slack-compatible webhook in NOTIFY_WEBHOOK, or print a line.

A message says what happened and to which model, never a value of the data. A webhook that does not
answer stops nothing: the line is printed instead, with the reason.
"""

from __future__ import annotations

import os
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ..model import lineage
from ..model.shapes import Verdict
from ..outside import web
from ..outside.screen import say
from ..outside.text import line, message
from ..registry import champion
from ..settings.config import InputError, load_config
from ..storage.files import read_json
from ..storage.places import VERDICT

if TYPE_CHECKING:
    from ..settings.gates import Check

WEBHOOK = "NOTIFY_WEBHOOK"
MONITORING = Path("reports/monitoring.json")
ENDS = {
    "success": "run ended with success",
    "failure": "run ended with failure",
    "waiting": "run passed staging: production waits for approval",
}
LONGEST = 4000  # letters of a message


def run(settings: dict[str, str]) -> None:
    """How a run of CI ended, RESULT=success or failure, or that it is waiting; WHY it ran.

    In Jenkins, where GITHUB_REPOSITORY is set, the result is also given back as a commit status.
    """
    result = settings.get("RESULT", "")
    if result not in ENDS:
        raise InputError(f"notify: RESULT is needed: {', '.join(ENDS)}")
    why = line(settings.get("WHY") or "no reason given")[:200]
    text = f"{ENDS[result]} ({why})"
    if result == "success" and load_config().notification.runs == "failures":
        print(f"notify: {text}: only failures are sent (notification in model_config.yaml)")
    else:
        send(f"{_project()}: {text}")
    if os.environ.get("JENKINS_URL") and os.environ.get("GITHUB_REPOSITORY"):
        _commit_status("pending" if result == "waiting" else result, text)


def _commit_status(result: str, text: str) -> None:
    commit = lineage.commit()["commit"]
    if not (commit and os.environ.get("GITHUB_TOKEN")):
        raise InputError("notify: a commit and GITHUB_TOKEN are needed for the commit status")
    status = {"state": result, "context": "jenkins", "description": text[:140]}
    address = os.environ.get("BUILD_URL", "")
    refused = web.github(f"statuses/{commit}", status | {"target_url": address})
    if refused:
        raise InputError(f"notify: GitHub did not take the commit status: {refused}")


def tell(event: str) -> None:
    """Send or print the message of `event`, a key of MESSAGES.

    Of a run that ended with a refusal people know already: it is not called finished too.
    """
    if event == "run finished" and champion.refused():
        return
    send(f"{_project()}: {event}: {MESSAGES[event]()}")


def send(text: str) -> bool:
    """Whether the webhook took `text`; printed where there is none, or where it did not."""
    address, text = os.environ.get(WEBHOOK, ""), line(text)[:LONGEST]
    reason = web.post(address, {"text": message(text)}) if address else ""
    if not address or reason:
        say(f"notify: {text}")
    if reason:
        say(f"notify: {WEBHOOK} did not take it: {reason}", sys.stderr)
    return bool(address) and not reason


def _project() -> str:
    try:
        facts = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))
        return str(facts["project"]["name"])
    except (OSError, ValueError, KeyError):
        return Path.cwd().name


def _run() -> str:
    record = champion.read(champion.CHAMPION)
    challenger = champion.read(champion.CHALLENGER)
    said = f"champion {record['digest'][:16]}" if record else "no champion yet"
    if challenger and record and challenger["digest"] != record["digest"]:
        said += f", challenger {challenger['digest'][:16]}: `make promote` makes it champion"
    return said


def _refused() -> str:
    verdict: Verdict = read_json(VERDICT, "run `make gate`")
    refused = [check for check in verdict["checks"] if check["verdict"] == "refused"]
    lines = "; ".join(map(_without_group, refused[:3]))
    more = f"; and {len(refused) - 3} more" if len(refused) > 3 else ""
    return f"model {verdict['model'][:16]}: {lines}{more}"


def _without_group(check: Check) -> str:
    """A refusal; of the gate of a group (`fairness.sex=female`) not which, it is a value."""
    name, group, _ = check["gate"].partition("=")
    return f"{name}: a group is refused, see {VERDICT}" if group else f"{name}: {check['reason']}"


def _drift() -> str:
    found = read_json(MONITORING, "run `make monitor`")
    return f"model {found['model'][:16]}: {'; '.join(found['alarms'][:5])}"


def _rollback() -> str:
    record = champion.read(champion.CHAMPION)
    if record is None:
        raise InputError(f"{champion.CHAMPION} is missing")
    return f"model {record['digest'][:16]} is champion again, by {record['by']}: {record['why']}"


MESSAGES: dict[str, Callable[[], str]] = {
    "run finished": _run,
    "gate refused": _refused,
    "drift found": _drift,
    "rollback done": _rollback,
}
