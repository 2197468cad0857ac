"""Both CI systems of a generated project: lint, structure, order of words, planted faults.

They are executed with a stand-in for make that leaves what each word leaves; test_ci_real.py runs
the real words.
"""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bake
import pipelines
import pytest
import yaml
from ci_faults import FAULTS, Fault

GROUP = pytest.mark.xdist_group("ci")
pytestmark = GROUP
READY = (
    "data=yes train=yes service=no search=yes runner=ubuntu-24.04 agent=cpu release=yes deploy=yes"
)
PARTS = (".github", ".jenkins", "Jenkinsfile", "Makefile")
MAIN = {"event": "push", "ref": "refs/heads/main"}
CHANGE = {"event": "pull_request", "ref": "refs/pull/1/merge"}
SECRETS = {name: f"{name}-value" for name in ("MLFLOW_TRACKING_TOKEN", "NOTIFY_WEBHOOK")}
CREDENTIALS = {name: f"{name}-value" for ids in pipelines.CREDENTIALS.values() for name in ids}
BUILDS = {"main": {"branch": "main"}, "branch": {"branch": "feature"}} | {
    "change": {"branch": "PR-1", "change": "1"}
}
TRIGGERS = {"main": MAIN, "change": CHANGE}  # a branch alone is built by Jenkins only
EVENTS = TRIGGERS | {
    "queue": {"event": "merge_group", "ref": "refs/heads/gh-readonly-queue/main/pr-1"}
}


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
        "project": str(project), "scratch": str(scratch),
        "sha": bake.git(project, "rev-parse", "HEAD"),
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
        "project": str(project), "scratch": str(scratch),
        "sha": bake.git(project, "rev-parse", "HEAD"),
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


def step(jobs: list[dict[str, Any]], command: str) -> dict[str, Any]:
    """The one step that runs `command`."""
    found: list[dict[str, Any]] = [
        step for job in jobs for step in job["steps"] if step.get("run") == command
    ]
    (one,) = found
    return one


def planned(plan: list[dict[str, Any]]) -> list[str]:
    """Commands of a Jenkins plan where all goes well.

    What runs beside others is left out: it makes a part of what `evaluate` would make later.
    """
    well = [step for step in plan if step["post"] in (None, "always", "success")]
    return [step["sh"] for step in well if not step["parallel"]]


def differences(project: Path, scratch: Path, plan: dict[str, Any]) -> Iterator[str]:
    """Triggers for which the two systems run different words, or the same in another order."""
    for trigger, event in TRIGGERS.items():
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


@pytest.mark.parametrize("word", ["test", "gate", "scan", "load"])
def test_T13_after_a_failed_word_nothing_gets_out(word: str, healthy: Path, tmp_path: Path) -> None:
    github = ran(on_github(healthy, tmp_path / "g", MAIN, fail=word), "train.yml", "release.yml")
    build = on_jenkins(healthy, tmp_path / "j", BUILDS["main"], fail=word)
    jenkins = [step["sh"] for step in build["steps"] if "sh" in step]
    assert build["result"] == "FAILURE"
    for commands in (github, jenkins):
        words = [pipelines.word(command) for command in commands]
        after = set(words[words.index(word) + 1 :])
        assert after <= pipelines.IN_POST
        assert ("report" in after) == (word == "gate")
    assert github[-1] == "make notify RESULT=failure"


def test_a_repository_without_any_account_is_green(healthy: Path, tmp_path: Path) -> None:
    facts = "data=yes train=yes search=no runner=ubuntu-24.04 agent=cpu release=no deploy=no"
    jobs = []
    for number, event in enumerate(
        [*EVENTS.values(), {"event": "schedule", "ref": "refs/heads/main"}]
    ):
        jobs += on_github(healthy, tmp_path / str(number), {**event, "secrets": {}}, facts)
    assert {job["result"] for job in jobs} == {"success", "skipped"}
    skipped = {job["job"] for job in jobs if job["result"] == "skipped"}
    assert skipped == {"release", "jenkins", "monitor"}


def test_where_nothing_is_offered_nothing_is_built_and_both_systems_are_green(
    healthy: Path, tmp_path: Path
) -> None:
    facts = f"{READY} offered=no"
    jobs = on_github(healthy, tmp_path / "g", MAIN, facts)
    build = on_jenkins(healthy, tmp_path / "j", BUILDS["main"], facts)
    skipped = {job["job"] for job in jobs if job["result"] == "skipped"}
    assert skipped >= {"image", "staging", "production"}
    assert {job["result"] for job in jobs} == {"success", "skipped"}
    assert build["result"] == "SUCCESS"
    assert not any(step.get("input") for step in build["steps"])
    github = ran(jobs, "train.yml", "release.yml")
    jenkins = [step["sh"] for step in build["steps"] if "sh" in step]
    for commands in (github, jenkins):
        assert commands[-2:] == ["make offer", "make notify RESULT=success"]


def test_every_word_that_lets_a_model_out_is_told_which_one(healthy: Path, tmp_path: Path) -> None:
    jobs = on_github(healthy, tmp_path / "g", {**MAIN, "inputs": {"why": "asked"}})
    told = {
        pipelines.word(step["run"]): step["env"]
        for job in jobs
        for step in job["steps"]
        if job["file"] == "release.yml" and step.get("run", "").startswith("make ")
    }
    for word in ("image", "scan", "sign", "verify", "deploy", "canary", "promote"):
        assert told[word]["JUDGED"] == "judged", word
    for word in ("offer", "canary", "promote"):
        assert told[word]["WHY"] == "asked", word


@pytest.mark.parametrize("fail", ["canary", "promote"])
def test_what_ended_a_rollout_is_kept(fail: str, healthy: Path, tmp_path: Path) -> None:
    github = ran(on_github(healthy, tmp_path / "g", MAIN, fail=fail), "release.yml")
    build = on_jenkins(healthy, tmp_path / "j", BUILDS["main"], fail=fail)
    jenkins = [step["sh"] for step in build["steps"] if "sh" in step]
    assert build["result"] == "FAILURE"
    assert (github[-1] == "make push") == (fail == "canary")
    assert jenkins[-2:] == ["make push", "make notify RESULT=failure"]


def test_data_that_is_out_of_reach_skips_the_model_and_stays_green(
    healthy: Path, tmp_path: Path
) -> None:
    facts = "data=no train=no search=no runner=ubuntu-24.04 agent=cpu release=no deploy=no"
    jobs = on_github(healthy, tmp_path / "g", CHANGE, facts)
    build = on_jenkins(healthy, tmp_path / "j", BUILDS["change"], facts)
    assert [job["result"] for job in jobs] == ["success", "skipped"]
    assert ran(jobs) == ["make doctor", "make check", "make test"]
    assert [step["sh"] for step in build["steps"]] == ran(jobs)


def test_T16_a_pull_request_sees_no_secret(healthy: Path, tmp_path: Path) -> None:
    jobs = on_github(healthy, tmp_path / "g", CHANGE)
    build = on_jenkins(healthy, tmp_path / "j", BUILDS["change"])
    assert not any(value in json.dumps(jobs) for value in SECRETS.values())
    assert {job["environment"] for job in jobs} == {None}
    assert [step["credentials"] for step in build["steps"] if step["credentials"]] == []


def test_secrets_are_bound_around_one_step_and_masked(healthy: Path, tmp_path: Path) -> None:
    jobs = on_github(healthy, tmp_path / "g", MAIN)
    build = on_jenkins(healthy, tmp_path / "j", BUILDS["main"])
    seen = {
        step["run"]
        for job in jobs
        for step in job["steps"]
        if set(map(str, (step.get("env") or {}).values())) & set(SECRETS.values())
    }
    promote, canary = "make promote ENV=production", "make canary ENV=production"
    told = {"make gate", canary, "make notify RESULT=waiting", "make notify RESULT=success"}
    assert seen == {"make register", promote} | told
    assert not any(
        value in str(step.get("said")) for step in build["steps"] for value in CREDENTIALS.values()
    )


def order_in_makefile(project: Path) -> list[str]:
    """The words of `make run`."""
    text = (project / "Makefile").read_text(encoding="utf-8")
    found = re.search(r"^run: .*\n\t@\$\(STAGE\) (.*)$", text, re.M)
    assert found
    return found[1].replace("reproduce", "evaluate").split()


@pytest.mark.parametrize("deployment", ["kubernetes", "none"])
def test_what_lets_a_model_out_has_a_second_owner(
    deployment: str, template: Path, tmp_path: Path
) -> None:
    answers = {"reviewers": "@org/team", "deployment": deployment}
    project = bake.by_cookiecutter(template, tmp_path, answers)
    _, *lines = (project / ".github/CODEOWNERS").read_text(encoding="utf-8").splitlines()
    owners = {path.strip("/"): owner for path, owner in map(str.split, lines)}
    assert set(owners.values()) == {"@org/team"}
    assert [path for path in owners if not (project / path).exists()] == []
    judges = (".github", "Dockerfile", "Jenkinsfile", "Makefile", "deploy", "gates.yaml", "vendor")
    for path in judges:
        assert (path in owners) == (project / path).exists(), path


def unseen(project: Path, source: str) -> list[str]:
    """Variables that `doctor` asks for, and a workflow that runs it does not hand to it."""
    settings = re.search(r"^SETTINGS = (\(.*?^\))", source, re.M | re.S)
    assert settings
    faults = []
    for file, content in pipelines.workflows(project).items():
        for step in content["jobs"].get("check", {}).get("steps", []):
            if step.get("run") == "make doctor":
                given = step.get("env", {})
                for name, _, _ in ast.literal_eval(settings[1]):
                    if given.get(name) != f"${{{{ vars.{name} }}}}":
                        faults.append(f"{file}: {name}")
    return faults


def test_where_a_repository_is_connected_doctor_is_told_so(
    healthy: Path, project: Path, tmp_path: Path
) -> None:
    (doctor,) = project.glob(f"{bake.KIT}/operations/doctor.py")
    source = doctor.read_text(encoding="utf-8")
    assert unseen(healthy, source) == []
    old = "          PREDICTION_LOG: ${{ vars.PREDICTION_LOG }}\n"
    for number, file in enumerate(("ci.yml", "train.yml")):
        fault = Fault("forgotten", f".github/workflows/{file}", old, "")
        broken = plant(fault, healthy, tmp_path / str(number))
        assert unseen(broken, source) == [f"{file}: PREDICTION_LOG"]


def test_T14_ci_runs_the_words_of_make_run_in_its_order(healthy: Path, tmp_path: Path) -> None:
    plan = plan_of(healthy)
    for trigger, event in TRIGGERS.items():
        wanted = order_in_makefile(healthy)
        if trigger != "main":
            wanted.remove("register")
        files = ("train.yml",) if trigger == "main" else ("ci.yml",)
        github = ran(on_github(healthy, tmp_path / trigger, event), *files)
        for commands in (github, planned(plan[trigger])):
            words = [pipelines.word(command) for command in commands]
            assert [word for word in words if word in wanted] == wanted


def test_a_search_is_shared_by_two_agents(healthy: Path, tmp_path: Path) -> None:
    build = on_jenkins(healthy, tmp_path / "two", BUILDS["main"])
    commands = [step["sh"] for step in build["steps"] if "sh" in step]
    assert {"make search PART=1", "make search PART=2"} <= set(commands)
    assert build["result"] == "SUCCESS"
    facts = READY.replace("search=yes", "search=no")
    build = on_jenkins(healthy, tmp_path / "none", BUILDS["main"], facts)
    assert not any("search" in step.get("sh", "") for step in build["steps"])
    assert build["result"] == "SUCCESS"


def test_training_runs_where_model_config_says(healthy: Path, tmp_path: Path) -> None:
    facts = READY.replace("ubuntu-24.04", "gpu-large").replace("agent=cpu", "agent=gpu")
    (train,) = [j for j in on_github(healthy, tmp_path / "g", MAIN, facts) if j["job"] == "train"]
    build = on_jenkins(healthy, tmp_path / "j", BUILDS["main"], facts)
    assert train["runs_on"] == "gpu-large"
    agents = {step["sh"]: step["agent"] for step in build["steps"] if "sh" in step}
    assert agents["make evaluate"] == ".jenkins/gpu.yaml"
    assert agents["make test"] == ".jenkins/cpu.yaml"


def pods_differ(project: Path) -> bool:
    """Whether the pod that trains with a GPU is another than the usual one in more than that."""
    cpu, gpu = (
        yaml.safe_load((project / f".jenkins/{name}.yaml").read_text(encoding="utf-8"))
        for name in ("cpu", "gpu")
    )
    asked = gpu["spec"]["containers"][0]["resources"]["limits"].pop("nvidia.com/gpu", None)
    return bool(asked != "1" or cpu != gpu)


@pytest.mark.parametrize("file", ["cpu", "gpu"])
@pytest.mark.parametrize(
    ("old", "new"), [("runAsUser: 1000", "runAsUser: 0"), ("memory: 8Gi", "memory: 9Gi")]
)
def test_both_pods_of_jenkins_are_one_but_for_the_gpu(
    old: str, new: str, file: str, healthy: Path, tmp_path: Path
) -> None:
    assert not pods_differ(healthy)
    fault = Fault("one was forgotten", f".jenkins/{file}.yaml", old, new)
    assert pods_differ(plant(fault, healthy, tmp_path / "p"))


def test_nothing_reaches_production_without_approval(healthy: Path, tmp_path: Path) -> None:
    build = on_jenkins(healthy, tmp_path, {**BUILDS["main"], "approve": False})
    commands = [step["sh"] for step in build["steps"] if "sh" in step]
    assert build["result"] == "ABORTED"
    ends = ["make notify RESULT=waiting", "make notify RESULT=failure"]
    assert commands[-3:] == ["make load ENV=staging", *ends]


@pytest.mark.parametrize("found", ["steady", "alarm"])
def test_after_the_monitor_it_is_decided_whether_to_train_again(
    found: str, healthy: Path, tmp_path: Path
) -> None:
    given = {"PREDICTION_LOG": "data/predictions", "JENKINS_JOB": "https://example.com/job"}
    event = {"event": "schedule", "ref": "refs/heads/main", "vars": given}
    fail = "monitor" if found == "alarm" else ""
    jobs = on_github(healthy, tmp_path, event, fail=fail)
    assert ran(jobs, "monitor.yml") == [f"make {x}" for x in ("pull", "monitor", "retrain", "push")]
    (monitor,) = [job for job in jobs if job["job"] == "monitor"]
    assert monitor["result"] == ("failure" if found == "alarm" else "success")
    retrain = step([monitor], "make retrain")
    assert retrain["env"]["LOG"] == "data/predictions"
    assert retrain["env"]["JENKINS_JOB"] == "https://example.com/job"
    assert retrain["env"]["GITHUB_TOKEN"] == "run-token"


def test_where_the_decision_fails_nothing_is_kept(healthy: Path, tmp_path: Path) -> None:
    event = {"event": "schedule", "ref": "refs/heads/main", "vars": {"PREDICTION_LOG": "log"}}
    jobs = on_github(healthy, tmp_path, event, fail="retrain")
    assert ran(jobs, "monitor.yml") == [f"make {x}" for x in ("pull", "monitor", "retrain")]


def test_jenkins_gets_the_work_where_it_is_connected(healthy: Path, tmp_path: Path) -> None:
    event = {**MAIN, "vars": {"JENKINS_JOB": "https://jenkins.example.com/job/model/job/main"}}
    jobs = on_github(healthy, tmp_path, event, READY.replace("train=yes", "train=no"))
    assert ran(jobs, "jenkins.yml") == ["make start"]
    assert {job["job"]: job["result"] for job in jobs if job["file"] == "train.yml"} == {
        "check": "success",
        "train": "skipped",
        "release": "skipped",
        "notify": "success",
    }


@pytest.mark.parametrize("why", ["", "it was the table"])
def test_a_push_is_no_reason_for_jenkins_to_let_out_what_was_taken_back(
    why: str, healthy: Path, tmp_path: Path
) -> None:
    given = {"vars": {"JENKINS_JOB": "https://example.com/job"}, "inputs": {"why": why}}
    event = {**MAIN, "event": "workflow_dispatch"} if why else MAIN
    jobs = on_github(healthy, tmp_path, {**event, **given})
    (told,) = [
        step["env"] for job in jobs for step in job["steps"] if step.get("run") == "make start"
    ]
    assert told["WHY"] == why


def test_a_login_that_is_set_up_is_used_and_no_other(healthy: Path, tmp_path: Path) -> None:
    jobs = on_github(healthy, tmp_path, {**MAIN, "vars": {"AWS_ROLE": "arn:aws:iam::1:role/x"}})
    used = {
        step["uses"].split("@")[0]
        for job in jobs
        for step in job["steps"]
        if step.get("uses") and step["outcome"] == "success"
    }
    assert "aws-actions/configure-aws-credentials" in used
    assert not used & {"google-github-actions/auth", "Azure/login"}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("    timeout-minutes: 15\n", "    strategy: {matrix: {n: [1]}}\n", "strategy"),
        ("actions/checkout@", "someone/checkout@", "no stand-in"),
        ("persist-credentials", "persist-credential", "unknown input"),
        ("needs: check\n", "needs: chekc\n", "chekc"),
        ("if: success()", "if: succes()", "succes"),
        ("needs.check.outputs.data", "needz.check.outputs.data", "needz"),
        ("permissions: {}", "permisions: {}", "permisions"),
    ],
)  # fmt: skip
def test_the_executor_refuses_what_github_or_it_does_not_know(
    old: str, new: str, message: str, healthy: Path, tmp_path: Path
) -> None:
    broken = plant(Fault(new, ".github/workflows/ci.yml", old, new), healthy, tmp_path / "p")
    bake.commit(broken, "Broken")
    asked = {"project": str(broken), "scratch": str(tmp_path), "event": "merge_group"} | {
        "ref": "refs/heads/x", "sha": bake.git(broken, "rev-parse", "HEAD"), "changed": ["x"],
    }  # fmt: skip
    done = pipelines.node(json.dumps(asked), **stand_in(tmp_path / "s", READY, ""))
    assert done.returncode == 1
    assert message in done.stderr


def test_no_ci_file_holds_what_model_config_or_gates_say(healthy: Path, project: Path) -> None:
    """A data scientist never edits CI: columns, files, limits and machines are not in it."""
    config = yaml.safe_load((project / "model_config.yaml").read_text(encoding="utf-8"))
    gates = yaml.safe_load((project / "gates.yaml").read_text(encoding="utf-8"))
    ours = {
        config["data"]["target"],
        config["data"]["path"],
        *config["columns"],
        *config["model"]["params"],
    }
    ours |= {key for gate in gates.values() for key in gate}
    files = [
        healthy / "Jenkinsfile",
        *healthy.glob(".github/**/*.yml"),
        *healthy.glob(".jenkins/*"),
    ]
    words = set(re.findall(r"[\w./-]+", "".join(f.read_text(encoding="utf-8") for f in files)))
    # keys of every workflow and every pod, and a word of the Makefile
    assert ours & words <= {"name", "steps", "limits", "promote"}


def test_the_templates_own_workflow_keeps_the_same_rules(tmp_path: Path) -> None:
    shutil.copytree(bake.ROOT / ".github", tmp_path / ".github")
    assert [*pipelines.linted(tmp_path)] == []
    (workflow,) = pipelines.workflows(tmp_path).values()
    assert workflow["permissions"] == {}
    wanted = {"push": {"branches": ["main"]}, "pull_request": None, "merge_group": None}
    assert workflow["on"] == wanted
    assert {job["runs-on"] for job in workflow["jobs"].values()} == {"ubuntu-24.04"}
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    (uv,) = [step["with"] for step in steps if "setup-uv" in step.get("uses", "")]
    assert uv["version"] == pipelines.locked("uv", bake.ROOT)
    commands = [step["run"] for step in steps if "run" in step]
    assert {pipelines.word(c) for c in commands} <= pipelines.makefile_words(bake.ROOT)
    assert [*pipelines.alarms_of_pins(tmp_path / ".github" / "workflows" / "ci.yml")] == []
