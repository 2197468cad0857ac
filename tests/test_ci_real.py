"""Both CI systems of a fresh project with the real words of its Makefile (slow)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import bake
import pipelines
import pytest
from test_ci import BUILDS, CHANGE, CREDENTIALS, planned

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def born(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = bake.by_cookiecutter(template, tmp_path_factory.mktemp("real"), {})
    bake.commit(project, "Born")
    return project


def asked(project: Path, scratch: Path, what: dict[str, Any]) -> str:
    sha = bake.git(project, "rev-parse", "HEAD")
    return json.dumps({"project": str(project), "scratch": str(scratch), "sha": sha, **what})


def said(steps: list[dict[str, Any]]) -> str:
    return "\n".join(f"{step.get('run') or step.get('sh')}: {step.get('said')}" for step in steps)


def test_the_first_pull_request_is_green_on_github(born: Path, tmp_path: Path) -> None:
    done = pipelines.node(asked(born, tmp_path, {**CHANGE, "changed": ["README.md"]}))
    assert done.returncode == 0, done.stderr
    jobs = json.loads(done.stdout)
    assert [job["result"] for job in jobs] == ["success", "success"], said(jobs[-1]["steps"])
    (summary,) = [step["summary"] for step in jobs[1]["steps"] if step.get("run") == "make summary"]
    assert "Verdict: passed" in summary
    assert (tmp_path / "artifacts" / "report" / "report.html").is_file()


def test_the_first_push_to_main_is_green_on_jenkins(born: Path, tmp_path: Path) -> None:
    build = {**BUILDS["main"], "credentials": {**CREDENTIALS, "slack": "", "github": ""}}
    done = pipelines.groovy(asked(born, tmp_path, build))
    assert done.returncode == 0, done.stderr
    run = json.loads(done.stdout)
    assert run["result"] == "SUCCESS", said(run["steps"])
    words = [step["sh"] for step in run["steps"]]
    assert words[-3:] == ["make register", "make push", "make notify RESULT=success"]
    assert (tmp_path / "stash" / "model" / "models" / "champion.json").is_file()


def test_what_really_ran_is_what_was_planned(born: Path) -> None:
    """The stand-in for make lets nothing pass that the Makefile does not know."""
    (plan,) = pipelines.plans([born / "Jenkinsfile"]).values()
    words = {pipelines.word(command) for command in planned(plan["main"])}
    assert words - pipelines.makefile_words(born) <= pipelines.PENDING
    assert pipelines.PENDING & pipelines.makefile_words(born) == set()
