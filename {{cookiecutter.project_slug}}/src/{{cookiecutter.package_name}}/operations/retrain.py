"""retrain: start training where it runs: Jenkins, GitHub Actions, or by hand."""

from __future__ import annotations

import base64
import os
import urllib.parse

from ..config import InputError
from . import web


def run(settings: dict[str, str]) -> None:
    """WHY is needed; JENKINS_JOB (address of the job), JENKINS_USER, JENKINS_TOKEN are read."""
    why = " ".join(settings.get("WHY", "").split())[:200]
    if not why:
        raise InputError('retrain: WHY="..." is needed: it stands in the log and in the message')
    job = os.environ.get("JENKINS_JOB")
    if job:
        _jenkins(job, why)
        print(f"retrain: Jenkins starts ({why})")
    elif os.environ.get("GITHUB_REPOSITORY") and os.environ.get("GITHUB_TOKEN"):
        web.github(
            "actions/workflows/train.yml/dispatches", {"ref": "main", "inputs": {"why": why}}
        )
        print(f"retrain: GitHub Actions starts ({why})")
    else:
        print(f"retrain: no CI is known here: `make run` ({why})")


def _jenkins(job: str, why: str) -> None:
    login = f"{os.environ.get('JENKINS_USER', '')}:{os.environ.get('JENKINS_TOKEN', '')}"
    proof = {"Authorization": f"Basic {base64.b64encode(login.encode()).decode()}"}
    question = urllib.parse.urlencode({"WHY": why})
    web.post("JENKINS_JOB", f"{job.rstrip('/')}/buildWithParameters?{question}", **proof)
