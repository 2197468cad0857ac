"""Workflows of a project as GitHub treats them: queues, branches, logins, what a push starts."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bake
import pipelines
import pytest
import registry as registries
from needs import needed
from test_ci import MAIN, READY, healthy, on_github, ran, step  # noqa: F401 - a fixture
from test_kit import KIT

pytestmark = pytest.mark.xdist_group("ci")
QUIET = {"check", "model", "offer", "notify"}  # change nothing outside their run
CLUSTER = {"staging", "production", "rollback"}
WORD = "word"  # pragma: allowlist secret
HASHED = "$2y$05$abcdefghijklmnopqrstuuQDoL5Sa/TtfS/XN4AY/jgq.HBbO1BTu"  # of WORD, by bcrypt


def held(project: Path) -> dict[str, list[dict[str, Any]]]:
    """The groups that each job holds while it runs or waits for an approval."""
    files = pipelines.workflows(project)
    callers = {
        Path(job["uses"]).name: files[file]
        for file in files
        for job in files[file]["jobs"].values()
        if "uses" in job
    }
    return {
        name: [
            part["concurrency"]
            for part in (callers.get(file, {}), content, job)
            if "concurrency" in part
        ]
        for file, content in files.items()
        for name, job in content["jobs"].items()
    }


def test_what_waits_for_an_approval_holds_no_other_kind_of_job(healthy: Path) -> None:  # noqa: F811
    groups = {
        name: {group["group"] for group in found if "run_id" not in group["group"]}
        for name, found in held(healthy).items()
    }
    for name, mine in groups.items():
        for other, theirs in groups.items():
            if name != other and not {name, other} <= {"check", "model"}:
                assert not mine & theirs, (name, other)
    assert {name for name, mine in groups.items() if mine} >= CLUSTER


def test_what_changes_something_waits_in_line_and_is_never_cancelled(
    healthy: Path,  # noqa: F811
) -> None:
    for name, found in held(healthy).items():
        shared = [group for group in found if "run_id" not in group["group"]]
        if name in QUIET | {"release"}:
            continue
        assert shared, name
        for group in shared:
            assert group.get("queue") == "max", name
            assert not group.get("cancel-in-progress"), name


@pytest.mark.parametrize("event", ["workflow_dispatch", "schedule"])
def test_a_branch_registers_signs_starts_and_takes_back_nothing(
    event: str,
    healthy: Path,  # noqa: F811
    tmp_path: Path,
) -> None:
    given = {"PREDICTION_LOG": "log", "JENKINS_JOB": "https://example.com/job"}
    asked = {"event": event, "inputs": {"why": "asked", "apply": ""}, "vars": given}
    jobs = on_github(healthy, tmp_path / "b", {**asked, "ref": "refs/heads/feature"})
    assert {*ran(jobs)} <= {"make doctor", "make check", "make test"}
    jobs = on_github(healthy, tmp_path / "m", {**asked, "ref": "refs/heads/main"})
    wanted = {"make register", "make sign", "make promote ENV=production", "make monitor"}
    if event == "workflow_dispatch":
        wanted |= {"make rollback ENV=production", "make start"}
    assert wanted <= {*ran(jobs)}


def test_production_is_taken_back_by_a_button_with_its_reason(
    healthy: Path,  # noqa: F811
    tmp_path: Path,
) -> None:
    asked = {"event": "workflow_dispatch", "ref": "refs/heads/main"}
    jobs = on_github(healthy, tmp_path, {**asked, "inputs": {"why": "wrong", "apply": "yes"}})
    (job,) = [job for job in jobs if job["job"] == "rollback"]
    assert job["environment"] == "production"
    assert ran([job]) == ["make pull", "make rollback ENV=production", "make push"]
    given = step([job], "make rollback ENV=production")["env"]
    assert (given["WHY"], given["APPLY"]) == ("wrong", "yes")
    assert given["VERIFY_IDENTITY"].endswith("/release.yml@refs/heads/main")


def test_a_commit_is_checked_once(healthy: Path, tmp_path: Path) -> None:  # noqa: F811
    refs = {
        "push": ["refs/heads/main", "refs/heads/feature"],
        "pull_request": ["refs/pull/1/merge"],
        "merge_group": ["refs/heads/gh-readonly-queue/main/pr-1"],
    }
    for event, names in refs.items():
        for number, ref in enumerate(names):
            jobs = on_github(healthy, tmp_path / f"{event}{number}", {"event": event, "ref": ref})
            assert ran(jobs).count("make test") == (ref != "refs/heads/feature"), ref
            if event == "merge_group":
                assert {job["job"] for job in jobs} == {"check", "model"}


def test_a_push_that_trains_nothing_ends_after_its_checks(
    healthy: Path,  # noqa: F811
    tmp_path: Path,
) -> None:
    jobs = on_github(healthy, tmp_path, MAIN, READY.replace("train=yes", "train=no"))
    done = ["make doctor", "make check", "make test"]
    assert ran(jobs) == done
    before = {**MAIN, "payload": {"before": "a" * 40}}
    jobs = on_github(healthy, tmp_path / "before", before)
    assert step(jobs, "make doctor")["env"]["BEFORE"] == "a" * 40


@pytest.mark.parametrize("service", ["yes", "no"])
def test_offer_is_told_whether_the_image_changed(
    service: str,
    healthy: Path,  # noqa: F811
    tmp_path: Path,
) -> None:
    jobs = on_github(healthy, tmp_path, MAIN, READY.replace("service=no", f"service={service}"))
    assert step(jobs, "make offer")["env"]["SERVICE"] == service


def test_both_lists_of_what_trains_name_the_same(healthy: Path) -> None:  # noqa: F811
    code = (KIT / "operations/doctor.py").read_text(encoding="utf-8")
    found = re.search(r"^SERVICE = .*?^\)$", code, re.M | re.S)
    assert found
    trains = set(re.findall(r'"([^"]+)"', found[0]))
    paths = pipelines.workflows(healthy)["jenkins.yml"]["on"]["push"]["paths"]
    named = {path.removesuffix("/**") for path in paths} - {"dvc.*"} | {"dvc.yaml", "dvc.lock"}
    assert named == trains


NAMES = r"(?:vars|secrets|fromJSON\(inputs\.variables\))\.([A-Z_]+)|environment: (\w+)"


@pytest.mark.parametrize("deployment", ["kubernetes", "none"])
def test_the_page_names_each_setting_that_workflows_rely_on(
    deployment: str, template: Path, tmp_path: Path
) -> None:
    project = bake.by_cookiecutter(template, tmp_path, {"deployment": deployment})
    files = [*project.glob(".github/workflows/*"), *project.glob(".github/actions/*/*")]
    text = "".join(path.read_text(encoding="utf-8") for path in files)
    page = (project / "docs/github.md").read_text(encoding="utf-8")
    used = {name for pair in re.findall(NAMES, text) for name in pair if name}
    told = set(re.findall(r"[A-Za-z_]+", page))
    assert used - told - ({"KUBERNETES", "STAGING_URL"} if deployment == "none" else set()) == set()
    checks = {job["name"] for job in pipelines.workflows(project)["ci.yml"]["jobs"].values()}
    code = (KIT / "operations/repository.py").read_text(encoding="utf-8")
    assert re.findall(r'"(\w+)"', code.split("CHECKS = ")[1].split(")")[0]) == sorted(checks)
    assert "required status checks: `check` and `model`" in page


# --- logins ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A registry that knows `robot` with WORD, and nobody else."""
    folder = tmp_path_factory.mktemp("registry")
    with registries.registry(folder, f"robot:{HASHED}") as address:
        yield address


@pytest.mark.parametrize("password", [WORD, "another", ""])
def test_a_release_logs_in_to_any_registry_by_name_and_password(
    password: str,
    registry: str,
    healthy: Path,  # noqa: F811
    tmp_path: Path,
) -> None:
    needed("docker")
    given = {"IMAGE_REGISTRY": f"{registry}/team", "REGISTRY_USER": "robot"}
    environments = {
        name: {"secrets": {"REGISTRY_PASSWORD": password}}
        for name in ("registry", "staging", "production")
    }
    jobs = on_github(healthy, tmp_path, {**MAIN, "vars": given, "environments": environments})
    (image,) = [job for job in jobs if job["job"] == "image"]
    assert image["result"] == ("success" if password == WORD else "failure")
    assert ("make sign" in ran(jobs)) == (password == WORD)
    assert ("make promote ENV=production" in ran(jobs)) == (password == WORD)
    if password == WORD:
        sign = step([image], "make sign")
        config = json.loads((Path(sign["env"]["DOCKER_CONFIG"]) / "config.json").read_text())
        assert list(config["auths"]) == [registry]
    elif not password:
        assert f"nobody is known to {registry}" in json.dumps(image)


ASKED = {
    "ghcr.io/org": ("me", "run-token", ""),
    "docker.io/org": ("robot", WORD, ""),
    "1.dkr.ecr.eu-west-1.amazonaws.com/m": (
        *("AWS", "by-aws"),
        "aws ecr get-login-password --region eu-west-1",
    ),
    "europe-docker.pkg.dev/p/m": (
        *("oauth2accesstoken", "by-gcloud"),
        "gcloud auth print-access-token",
    ),
    "mine.azurecr.io/m": (
        *("00000000-0000-0000-0000-000000000000", "by-az"),
        "az acr login --name mine --expose-token --output tsv --query accessToken",
    ),
}
TOOL = '#!/bin/sh\necho "$0 $*" | sed "s|.*/||" >>"$RUNNER_TEMP/asked"\n'


def log_in(home: Path, address: str, **given: str) -> subprocess.CompletedProcess[str]:
    """registry.sh with stand-ins of the tools of the clouds, and of docker."""
    tools = home / "bin"
    tools.mkdir()
    for name in ("aws", "gcloud", "az"):
        (tools / name).write_text(f"{TOOL}echo by-{name}\n")
    (tools / "docker").write_text(f'{TOOL}printf " by %s" "$(cat)" >>"$RUNNER_TEMP/asked"\n')
    for tool in tools.iterdir():
        tool.chmod(0o755)
    script = bake.ROOT / bake.TREE / ".github/actions/setup/registry.sh"
    known = {"REGISTRY_USER": "", "REGISTRY_PASSWORD": "", "ACTOR": "me", "TOKEN": "run-token"}
    places = {"RUNNER_TEMP": str(home), "GITHUB_ENV": str(home / "env")}
    path = f"{tools}{os.pathsep}{os.environ['PATH']}"
    settings = {"PATH": path, "IMAGE_REGISTRY": address, **known, **places, **given}
    return bake.run("bash", str(script), cwd=home, **settings)


@pytest.mark.parametrize("address", ASKED)
def test_a_cloud_gives_the_password_of_its_registry(address: str, tmp_path: Path) -> None:
    user, password, asked = ASKED[address]
    own = {"REGISTRY_USER": user, "REGISTRY_PASSWORD": password} if password == WORD else {}
    done = log_in(tmp_path, address, **own)
    assert done.returncode == 0, done.stderr
    host = address.partition("/")[0]
    words = f"docker login --username {user} --password-stdin {host}\n by {password}"
    said = (tmp_path / "asked").read_text()
    assert said == (f"{asked}\n{words}" if asked else words)
    assert password not in done.stdout + done.stderr
    assert (tmp_path / "env").read_text() == f"DOCKER_CONFIG={tmp_path}/docker\n"


def test_the_token_of_the_run_goes_to_no_other_registry(tmp_path: Path) -> None:
    done = log_in(tmp_path, "registry.example.com/ghcr.io")
    assert done.returncode == 1
    assert "nobody is known to registry.example.com: set the variable REGISTRY_USER" in done.stderr
    assert not (tmp_path / "asked").exists()


def test_a_cloud_is_logged_in_to_again_after_a_long_step(
    healthy: Path,  # noqa: F811
    tmp_path: Path,
) -> None:
    role = {"AWS_ROLE": "arn:aws:iam::1:role/x", "AWS_SECONDS": "14400"}
    jobs = on_github(healthy, tmp_path, {**MAIN, "vars": role})
    for name, long, then in (
        ("train", "make evaluate", "make push"),
        ("production", "make canary ENV=production", "make push"),
    ):
        (job,) = [job for job in jobs if job["job"] == name]
        did = [step.get("run") or step["uses"].split("@")[0] for step in job["steps"]]
        logins = [n for n, what in enumerate(did) if what.startswith("aws-actions/")]
        assert len(logins) == 2, name
        assert logins[0] < did.index(long) < logins[1] < did.index(then)


# --- answers --------------------------------------------------------------------------------------


def test_without_a_cluster_no_job_deploys(template: Path, tmp_path: Path) -> None:
    project = bake.by_cookiecutter(template, tmp_path, {"deployment": "none"})
    assert [*pipelines.linted(project)] == []
    bake.commit(project, "Born")
    assert {*pipelines.workflows(project)["release.yml"]["jobs"]} == {"offer", "image"}
    text = "".join(path.read_text() for path in project.glob(".github/workflows/r*.yml"))
    for word in ("staging", "KUBECONFIG", "ENV=", "canary", "deploy", "packages: read"):
        assert word not in text, word
    jobs = on_github(project, tmp_path / "run", MAIN)
    assert ran(jobs)[-2:] == ["make sign", "make notify RESULT=success"]


@pytest.mark.parametrize("ci", ["none", "jenkins"])
def test_pages_speak_of_no_ci_that_is_not_there(ci: str, template: Path, tmp_path: Path) -> None:
    project = bake.by_cookiecutter(template, tmp_path, {"ci": ci})
    assert not (project / "docs/github.md").exists()
    for page in (project / "README.md", project / "docs/deploy.md"):
        text = page.read_text(encoding="utf-8")
        assert "github.md" not in text
        assert "release.yml" not in text
        if ci == "none":
            assert not re.findall(r"\bCI\b|GitHub Actions|Jenkins", text), page
