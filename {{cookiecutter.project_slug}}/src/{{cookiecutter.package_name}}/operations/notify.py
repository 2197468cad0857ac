"""Tell people: a Slack-compatible webhook in NOTIFY_WEBHOOK, or a printed line without one.

A message says what happened and to which model, never a value of the data. A webhook that does not
answer stops nothing: the line is printed instead, with the reason.
"""

from __future__ import annotations

import json
import os
import sys
import tomllib
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from .. import champion
from ..config import InputError
from ..files import read_json
from ..places import VERDICT

WEBHOOK = "NOTIFY_WEBHOOK"
SECONDS = 5.0
MONITORING = Path("reports/monitoring.json")
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}


def tell(event: str) -> None:
    """Send or print the message of `event`, a key of MESSAGES."""
    send(f"{_project()}: {event}: {MESSAGES[event]()}")


def send(text: str) -> bool:
    """Whether the webhook took `text`; printed where there is none, or where it did not."""
    address = os.environ.get(WEBHOOK, "")
    reason = _post(address, text) if address else ""
    if not address or reason:
        print(f"notify: {text}")
    if reason:
        print(f"notify: {WEBHOOK} did not take it: {reason}", file=sys.stderr)
    return bool(address) and not reason


def _post(address: str, text: str) -> str:
    """Why the webhook did not take `text`; empty when it did. The address is a secret: not told."""
    parts = urlsplit(address)
    if parts.scheme != "https" and (parts.scheme, parts.hostname in _LOOPBACK) != ("http", True):
        return "it must be an https:// address (http:// on this machine only)"
    request = urllib.request.Request(  # noqa: S310 - the scheme was checked
        address,
        data=json.dumps({"text": text}).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:  # noqa: S310
            return "" if answer.status < 300 else f"status {answer.status}"
    except urllib.error.HTTPError as error:
        return f"status {error.code}"
    except (OSError, ValueError) as error:
        return type(getattr(error, "reason", error)).__name__


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
    verdict = read_json(VERDICT, "run `make gate`")
    refused = [check for check in verdict["checks"] if check["verdict"] == "refused"]
    lines = "; ".join(f"{check['gate']}: {check['reason']}" for check in refused[:3])
    more = f"; and {len(refused) - 3} more" if len(refused) > 3 else ""
    return f"model {verdict['model'][:16]}: {lines}{more}"


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
