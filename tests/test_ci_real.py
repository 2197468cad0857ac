"""Both CI systems of a fresh project with the real words of its Makefile (slow)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import bake
import pipelines
import pytest
from test_ci import BUILDS, CHANGE, CREDENTIALS, MAIN, planned, step

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


@pytest.mark.parametrize(
    ("event", "ran"),
    [
        (CHANGE, {"ci.yml": ["check", "model"]}),
        (MAIN, {"train.yml": ["check", "train", "notify"]}),
    ],
    ids=["change", "main"],
)
def test_the_first_day_is_green_on_github(
    event: dict[str, Any], ran: dict[str, list[str]], born: Path, tmp_path: Path
) -> None:
    done = pipelines.node(asked(born, tmp_path, {**event, "changed": ["src/model.py"]}))
    assert done.returncode == 0, done.stderr
    jobs = [job for job in json.loads(done.stdout) if job["result"] != "skipped"]
    assert {job["result"] for job in jobs} == {"success"}, said(jobs[-1]["steps"])
    found: dict[str, list[str]] = {}
    for job in jobs:
        found.setdefault(job["file"], []).append(job["job"])
    assert found == ran
    shown = [s["summary"] for job in jobs for s in job["steps"] if s.get("run") == "make summary"]
    assert shown
    assert all("Verdict: passed" in summary for summary in shown)
    assert "IMAGE_REGISTRY is not" in step(jobs, "make doctor")["summary"]
    assert (tmp_path / "artifacts" / "report" / "report.html").is_file()
    if "train.yml" in ran:
        assert (tmp_path / "artifacts" / "model" / "models" / "champion.json").is_file()


@pytest.mark.parametrize("name", ["main", pytest.param("branch", marks=pytest.mark.full), "change"])
def test_the_first_day_is_green_on_jenkins(name: str, born: Path, tmp_path: Path) -> None:
    empty = {**CREDENTIALS, "notify": "", "github": ""}
    done = pipelines.groovy(asked(born, tmp_path, {**BUILDS[name], "credentials": empty}))
    assert done.returncode == 0, done.stderr
    run = json.loads(done.stdout)
    assert run["result"] == "SUCCESS", said(run["steps"])
    words = [step["sh"] for step in run["steps"]]
    (archived,) = (tmp_path / "archive").rglob("report.html")
    assert "passed" in archived.read_text(encoding="utf-8")
    if name == "main":
        assert words[-2:] == ["make push", "make notify RESULT=success"]
        assert (tmp_path / "stash" / "model" / "models" / "champion.json").is_file()
    else:
        assert words[-3:] == ["make gate", "make report", "make summary"]


def test_what_really_ran_is_what_was_planned(born: Path) -> None:
    """The stand-in for make lets nothing pass that the Makefile does not know."""
    (plan,) = pipelines.plans([born / "Jenkinsfile"]).values()
    words = {pipelines.word(command) for command in planned(plan["main"])}
    assert words <= pipelines.makefile_words(born)
