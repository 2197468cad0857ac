"""notify: tell how a run ended: to Slack, and to GitHub where Jenkins ran it; else it prints."""

from __future__ import annotations

import os
from pathlib import Path

from .. import lineage
from ..config import InputError
from . import web


def run(settings: dict[str, str]) -> None:
    """RESULT=success or failure; WHY, SLACK_WEBHOOK, GITHUB_TOKEN, GITHUB_REPOSITORY are read."""
    result = settings.get("RESULT", "")
    if result not in ("success", "failure"):
        raise InputError("notify: RESULT=success or RESULT=failure is needed")
    why = " ".join((settings.get("WHY") or "no reason given").split())[:200]
    text = f"{Path.cwd().name}: run ended with {result} ({why})"
    print(text)
    if os.environ.get("SLACK_WEBHOOK"):
        web.post("SLACK_WEBHOOK", os.environ["SLACK_WEBHOOK"], {"text": text})
    commit = lineage.commit()["commit"]
    if os.environ.get("JENKINS_URL") and os.environ.get("GITHUB_REPOSITORY") and commit:
        status = {"state": result, "context": "jenkins", "description": text[:140]}
        web.github(f"statuses/{commit}", status | {"target_url": os.environ.get("BUILD_URL", "")})
