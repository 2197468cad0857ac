"""Both CI systems of a generated project: lint, structure, order of words, planted faults.

They are executed with a stand-in for make that leaves what each word leaves; test_ci_real.py runs
the real words.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bake
import pipelines
import pytest
from ci_faults import FAULTS, Fault

GROUP = pytest.mark.xdist_group("ci")
pytestmark = GROUP
READY = "data=yes train=yes runner=ubuntu-latest agent=cpu release=yes deploy=yes"
PARTS = (".github", ".jenkins", "Jenkinsfile", "Makefile")
MAIN = {"event": "push", "ref": "refs/heads/main"}
BRANCH = {"event": "push", "ref": "refs/heads/feature"}
CHANGE = {"event": "pull_request", "ref": "refs/pull/1/merge"}
SECRETS = {name: f"{name}-value" for name in ("MLFLOW_TRACKING_TOKEN", "SLACK_WEBHOOK")}
CREDENTIALS = {name: f"{name}-value" for ids in pipelines.CREDENTIALS.values() for name in ids}
BUILDS = {"main": {"branch": "main"}, "branch": {"branch": "feature"}} | {
    "change": {"branch": "PR-1", "change": "1"}
}
EVENTS = {"main": MAIN, "branch": BRANCH, "change": CHANGE}


@pytest.fixture(scope="module")
def healthy(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What CI reads of the default project, under git."""
    return part_of(project, tmp_path_factory.mktemp("healthy"))


def part_of(project: Path, target: Path) -> Path:
    for name in PARTS:
        copy = shutil.copytree if (project / name).is_dir() else shutil.copy2
        copy(project / name, target / name)
    bake.commit(target, "Born")
    return target


def stand_in(scratch: Path, facts: str, fail: str) -> dict[str, str]:
    """An environment in which `make` is tests/ci/make."""
    folder = scratch / "bin"
    folder.mkdir(parents=True)
    (folder / "make").symlink_to(pipelines.HARNESS / "make")
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    return {"PATH": path, "FACTS": facts, "FAIL": fail}


def on_github(
    project: Path, scratch: Path, event: dict[str, Any], facts: str = READY, fail: str = ""
) -> list[dict[str, Any]]:
    """Jobs that ran, in order, each with its steps."""
    asked = {
        "project": str(project), "scratch": str(scratch), "sha": bake.git(project, "rev-parse", "HEAD"),
        "changed": ["src/model.py"], "secrets": SECRETS, **event,
    }  # fmt: skip
    done = pipelines.node(json.dumps(asked), **stand_in(scratch, facts, fail))
    assert done.returncode == 0, done.stderr
    jobs: list[dict[str, Any]] = json.loads(done.stdout)
    return jobs


def on_jenkins(
    project: Path, scratch: Path, build: dict[str, Any], facts: str = READY, fail: str = ""
) -> dict[str, Any]:
    """{result, steps}: each shell step that ran, in order, and the questions asked."""
    asked = {
        "project": str(project), "scratch": str(scratch), "sha": bake.git(project, "rev-parse", "HEAD"),
        "credentials": CREDENTIALS, **build,
    }  # fmt: skip
    done = pipelines.groovy(json.dumps(asked), **stand_in(scratch, facts, fail))
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def ran(jobs: list[dict[str, Any]], *files: str) -> list[str]:
    """Commands that ran in these workflows (all without names)."""
    return [
        step["run"]
        for job in jobs
        if not files or job["file"] in files
        for step in job["steps"]
        if step.get("run") and step["outcome"] != "skipped"
    ]


def planned(plan: list[dict[str, Any]]) -> list[str]:
    """Commands of a Jenkins plan where all goes well."""
    return [step["sh"] for step in plan if step["post"] in (None, "always", "success")]


def differences(project: Path, scratch: Path, plan: dict[str, Any]) -> Iterator[str]:
    """Triggers for which the two systems run different words, or the same in another order."""
    for trigger, event in EVENTS.items():
        files = ("train.yml", "release.yml") if trigger == "main" else ("ci.yml",)
        github = ran(on_github(project, scratch / trigger, event), *files)
        if github != planned(plan[trigger]):
            yield f"{trigger}: {github} on GitHub, {planned(plan[trigger])} on Jenkins"


def plant(fault: Fault, healthy: Path, target: Path) -> Path:
    shutil.copytree(healthy, target, ignore=shutil.ignore_patterns(".git"))
    text = (target / fault.file).read_text(encoding="utf-8")
    assert fault.old in text, f"{fault.name}: nothing to change"
    (target / fault.file).write_text(text.replace(fault.old, fault.new, 1), encoding="utf-8")
    return target


@pytest.fixture(scope="module")
def planted(
    healthy: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[Path, dict[str, Any]]]:
    """Each fault in a project of its own, with its Jenkins plan."""
    folder = tmp_path_factory.mktemp("planted")
    places = {
        fault.name: plant(fault, healthy, folder / str(number))
        for number, fault in enumerate(FAULTS)
    }
    plans = pipelines.plans([place / "Jenkinsfile" for place in places.values()])
    return {name: (place, plans[str(place / "Jenkinsfile")]) for name, place in places.items()}


def plan_of(project: Path) -> dict[str, Any]:
    (plan,) = pipelines.plans([project / "Jenkinsfile"]).values()
    return plan


def test_a_healthy_project_gives_no_alarm(healthy: Path, tmp_path: Path) -> None:
    plan = plan_of(healthy)
    assert [*pipelines.alarms_of_workflows(healthy), *pipelines.linted(healthy)] == []
    assert [*pipelines.alarms_of_jenkinsfile(healthy, plan)] == []
    assert [*differences(healthy, tmp_path, plan)] == []


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_T11_T12_T13_T14_T15_T16_a_planted_fault_is_caught(
    fault: Fault, planted: dict[str, tuple[Path, dict[str, Any]]], tmp_path: Path
) -> None:
    project, plan = planted[fault.name]
    alarms = [
        *pipelines.alarms_of_workflows(project),
        *pipelines.alarms_of_jenkinsfile(project, plan),
    ]
    if not alarms:
        alarms = [*pipelines.linted(project)]
    if not alarms:
        bake.commit(project, fault.name)
        alarms = [*differences(project, tmp_path, plan)]
    assert alarms
    print(f"{fault.name}: {alarms[0][:150]}")
