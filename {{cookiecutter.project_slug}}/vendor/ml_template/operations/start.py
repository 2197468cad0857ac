"""start: have CI train: Jenkins where JENKINS_JOB names its job, else GitHub Actions."""

from __future__ import annotations

import base64
import os
import urllib.parse

from ..outside import web
from ..outside.text import line
from ..settings.config import InputError


def run(settings: dict[str, str]) -> None:
    """Start training with the reason WHY; raises InputError where no CI is known or it refuses."""
    place = elsewhere(settings.get("WHY", ""))
    if place is None:
        raise InputError(
            "start: set JENKINS_JOB (address of the job), or GITHUB_REPOSITORY and GITHUB_TOKEN;"
            " `make run` trains here"
        )
    print(f"start: {place} trains")


def elsewhere(why: str) -> str | None:
    """Start training where the environment says it runs, and say where; None: nowhere but here.

    Raises InputError where it refuses, and without a reason `why` unless a push starts it.
    """
    why = line(why)[:200]
    job, repository = os.environ.get("JENKINS_JOB"), os.environ.get("GITHUB_REPOSITORY")
    if not job and not (repository and os.environ.get("GITHUB_TOKEN")):
        return None
    if not why and os.environ.get("GITHUB_EVENT_NAME") != "push":
        raise InputError('start: WHY="..." is needed: it stands in the log and in the message')
    if job:
        refused, place = _jenkins(job, why), "Jenkins"
    else:
        body = {"ref": "main", "inputs": {"why": why}}
        refused, place = web.github("actions/workflows/train.yml/dispatches", body), "GitHub"
    if refused:
        raise InputError(f"start: {place} did not start: {refused}")
    return place


def _jenkins(job: str, why: str) -> str:
    login = f"{os.environ.get('JENKINS_USER', '')}:{os.environ.get('JENKINS_TOKEN', '')}"
    proof = f"Basic {base64.b64encode(login.encode()).decode()}"
    address = f"{job.rstrip('/')}/buildWithParameters?{urllib.parse.urlencode({'WHY': why})}"
    return web.post(address, None, Authorization=proof)
