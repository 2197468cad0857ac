"""doctor: what it says of a project, and what it lets CI do."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from ml_template.model import lineage
from ml_template.operations import doctor
from ml_template.registry import book, pull, push, versioning
from ml_template.settings.config import Config, InputError, load_config

from ..conftest import ROOT

NAMED = [name for name, _, _ in (*doctor.SETTINGS, *doctor.BOUND)]
VARIABLES = ("CI", "BEFORE", "MLFLOW_TRACKING_URI", "GITHUB_ACTIONS", "CLOUD_LOGIN", *NAMED)
HIDDEN = "S3CRET"
WRITTEN = ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")


@pytest.fixture(autouse=True)
def away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder, and none of the variables that doctor reads."""
    monkeypatch.chdir(tmp_path)
    for name in (*VARIABLES, *WRITTEN):
        monkeypatch.delenv(name, raising=False)


def configured(path: str = "data/starter.csv", **compute: Any) -> Config:
    config = load_config(ROOT / "model_config.yaml")
    data = config.data.model_copy(update={"path": path})
    return config.model_copy(
        update={"data": data, "compute": config.compute.model_copy(update=compute)}
    )


def test_without_any_account_it_trains_and_releases_nothing() -> None:
    facts = doctor.facts(configured(runner="ubuntu-latest"))
    assert facts == {
        "data": "yes",
        "train": "yes",
        "service": "no",
        "search": "no",
        "runner": "ubuntu-latest",
        "release": "no",
        "deploy": "no",
    }


def test_what_is_set_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGE_REGISTRY", "ghcr.io/org/model")
    monkeypatch.setenv("KUBERNETES", "yes")
    facts = doctor.facts(configured(runner="gpu-large"))
    assert (facts["release"], facts["deploy"], facts["runner"]) == ("yes", "yes", "gpu-large")


@pytest.mark.parametrize(
    ("name", "tool"), [("a{b", "DVC"), ("}", "DVC"), ("o'q\"", "MLflow"), ("o'q", ""), ('q"', "")]
)
def test_a_folder_that_does_not_suit_a_tool_is_named(
    name: str, tool: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / name)
    ((ready, text),) = [(r, text) for r, of, text in doctor.lines(configured()) if of == "folder"]
    assert ready == (not tool)
    assert (f"{tmp_path / name}: {tool} " in text) == bool(tool)


def test_the_word_that_fails_names_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "{").mkdir()
    (tmp_path / "'\"").mkdir()
    monkeypatch.chdir(tmp_path / "{")
    for word in (pull.run, push.run, lambda: versioning.add(Path("data/own.csv"))):
        with pytest.raises(InputError, match=r"\{: DVC cannot work .* move the project"):
            word()
    monkeypatch.chdir(tmp_path / "'\"")
    with pytest.raises(InputError, match=r"'\": MLflow takes no path .* move the project"):
        book.Book(book.LOCAL)
    assert not book.unfit("https://mlflow.example.com")


def test_a_table_that_is_out_of_reach_is_said(tmp_path: Path) -> None:
    (line,) = [text for _, name, text in doctor.lines(configured("data/my.csv")) if name == "data"]
    assert "data/my.csv is not here" in line
    assert "dvc remote add" in line
    assert doctor.facts(configured("data/my.csv"))["train"] == "no"


@pytest.mark.parametrize(
    ("url", "login", "ready"),
    [
        ("s3://example/store", "", "no"),
        ("s3://example/store", "arn:aws:iam::1:role/x", "yes"),
        ("https://example.com/store", "", "yes"),
        ("/no/such/folder", "yes", "no"),
    ],
)
def test_a_remote_counts_where_it_can_be_read(
    url: str, login: str, ready: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".dvc").mkdir()
    text = f"[core]\n    remote = storage\n['remote \"storage\"']\n    url = {url}\n"
    (tmp_path / ".dvc" / "config").write_text(text, encoding="utf-8")
    monkeypatch.setenv("CLOUD_LOGIN", login)
    assert doctor.facts(configured("data/my.csv"))["data"] == ready


@pytest.mark.parametrize(
    "url",
    [f"https://me:{HIDDEN}@example.com/store", f"https://example.com/store?sig={HIDDEN}#x"],
)
def test_what_opens_the_remote_is_not_told(url: str, tmp_path: Path) -> None:
    (tmp_path / ".dvc").mkdir()
    text = f"[core]\n    remote = storage\n['remote \"storage\"']\n    url = {url}\n"
    (tmp_path / ".dvc" / "config.local").write_text(text, encoding="utf-8")
    said = str(doctor.lines(configured("data/my.csv")))
    assert "from https://example.com/store: " in said
    assert HIDDEN not in said


@pytest.mark.parametrize(
    "content",
    [HIDDEN.encode(), b"[core]\nremote = a\nremote = S3CRET\n", b"\xff"],
)
def test_damaged_settings_of_dvc_are_named_and_not_told(content: bytes, tmp_path: Path) -> None:
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc" / "config").write_bytes(content)
    with pytest.raises(InputError, match=r"\.dvc/config is damaged") as error:
        doctor.lines(configured("data/my.csv"))
    assert HIDDEN not in str(error.value)


def test_on_github_training_is_left_to_a_jenkins_that_is_connected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("JENKINS_JOB", "https://jenkins.example.com/job/model")
    assert doctor.facts(configured())["train"] == "yes"
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    assert doctor.facts(configured())["train"] == "no"


@pytest.mark.parametrize(
    ("changed", "train", "service"),
    [
        (["README.md", "docs/data.md"], "no", "no"),
        (["tests/unit/test_features.py"], "no", "no"),
        (["src/model/model.py", "README.md"], "yes", "no"),
        (["data/my.csv.dvc"], "yes", "no"),
        (["Dockerfile"], "yes", "yes"),
        (["deploy/k8s/base/service.yaml"], "yes", "yes"),
    ],
)
def test_a_push_trains_and_releases_what_it_changed(
    changed: list[str], train: str, service: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lineage.git("init", "--quiet")
    identity = ("-c", "user.name=Example", "-c", "user.email=demo@example.com")
    lineage.git(*identity, "commit", "--quiet", "--allow-empty", "--message=Before")
    monkeypatch.setenv("BEFORE", lineage.git("rev-parse", "HEAD").strip())
    for name in changed:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    lineage.git("add", ".")
    lineage.git(*identity, "commit", "--quiet", "--message=After")
    facts = doctor.facts(configured())
    assert (facts["train"], facts["service"]) == (train, service)


@pytest.mark.parametrize("before", ["", "0" * 40, "ab" * 20, "--output=x"])
def test_a_push_of_which_nothing_is_known_trains(
    before: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lineage.git("init", "--quiet")
    monkeypatch.setenv("BEFORE", before)
    facts = doctor.facts(configured())
    assert (facts["train"], facts["service"]) == ("yes", "no")
    assert not (tmp_path / "x").exists()


def test_it_says_what_is_set_and_what_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in NAMED:
        said = {text.split(" is ")[0]: ready for ready, _, text in doctor.lines(configured())}
        assert not said[variable]
        monkeypatch.setenv(variable, "https://example.com")
        said = {text.split(" is ")[0]: ready for ready, _, text in doctor.lines(configured())}
        assert said[variable]


def test_in_ci_it_says_nothing_of_what_it_cannot_see_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CI", "true")
    text = str(doctor.lines(configured()))
    assert [name for name in NAMED if name in text] == [name for name, _, _ in doctor.SETTINGS]


def told(
    config: Config, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Any:
    """What it answers, and the lines below each of its two headings."""
    monkeypatch.setattr(doctor, "load_config", lambda: config)
    answer, said = doctor.run({}), capsys.readouterr().out
    required, optional = said.split("optional: ")
    return answer, required.splitlines()[1:], optional.splitlines()[1:]


def test_what_is_optional_is_said_apart_and_is_no_fault(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer, required, optional = told(configured(), monkeypatch, capsys)
    assert answer
    assert [line.split()[0] for line in required] == ["ready"] * 3
    assert any(line.split()[:2] == ["not", "set"] for line in optional)
    assert not any(name in str(required) for name in NAMED)
    assert optional[-1] == "doctor: make run can begin"


@pytest.mark.parametrize("ci", [False, True])
def test_what_is_required_and_missing_is_a_fault_but_where_ci_skips_what_needs_it(
    ci: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if ci:
        monkeypatch.setenv("CI", "true")
    answer, required, optional = told(configured("data/my.csv"), monkeypatch, capsys)
    assert answer == ci
    assert [line.split()[:2] for line in required if "MISSING" in line] == [["MISSING", "data"]]
    assert optional[-1] == "doctor: make run stops without data"


@pytest.mark.parametrize(("gpu", "agent"), [(True, "gpu"), (False, "cpu")])
def test_ci_reads_what_it_finds(
    gpu: bool, agent: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "load_config", lambda: configured(gpu=gpu))
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "output"))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary"))
    doctor.run({})
    assert "IMAGE_REGISTRY is not" in (tmp_path / "summary").read_text(encoding="utf-8")
    assert (tmp_path / "reports/agent.txt").read_text(encoding="utf-8") == agent
    found = (tmp_path / "reports/doctor.txt").read_text(encoding="utf-8")
    assert found == (tmp_path / "output").read_text(encoding="utf-8")
    assert "data=yes\n" in found


@pytest.mark.parametrize(
    ("content", "free"),
    [
        (None, True),
        ("{}", True),
        ('{"write": {}, "read": {}}', True),
        ('{"write": {"a.csv": {"pid": 7, "cmd": "dvc"}}}', False),
        ('{"write": {}, "read"', False),
        ("", False),
        ("[]", False),
    ],
)
def test_a_lock_that_was_left_is_said_with_its_remedy(
    content: str | None, free: bool, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / ".dvc/tmp").mkdir(parents=True)
        (tmp_path / ".dvc/tmp/rwlock").write_text(content)
    (line,) = [line for line in doctor.lines(configured()) if line[1] == "locks"]
    assert line[0] == free
    assert ("rm -rf" in line[2]) == (not free)


def test_a_folder_in_place_of_the_lock_is_said_with_its_remedy(tmp_path: Path) -> None:
    (tmp_path / ".dvc/tmp/rwlock").mkdir(parents=True)
    (line,) = [line for line in doctor.lines(configured()) if line[1] == "locks"]
    assert not line[0]
    assert "rm -rf" in line[2]


@pytest.mark.parametrize(("hardlink", "free"), [("true", False), ("false", True), (None, True)])
@pytest.mark.parametrize("name", ["lock", "rwlock.lock"])
def test_a_lock_that_is_a_file_holds_where_dvc_is_told_so(
    name: str, hardlink: str | None, free: bool, tmp_path: Path
) -> None:
    (tmp_path / ".dvc/tmp").mkdir(parents=True)
    (tmp_path / ".dvc/tmp" / name).touch()
    if hardlink:
        (tmp_path / ".dvc/config").write_text(f"[core]\n    hardlink_lock = {hardlink}\n")
    (line,) = [line for line in doctor.lines(configured()) if line[1] == "locks"]
    assert line[0] == free


@pytest.mark.parametrize(
    ("script", "ready", "says"),
    [
        ("exit 0", True, "docker"),
        ("echo Cannot connect >&2; exit 1", False, "docker is installed and does not answer"),
        ("exec sleep 30", False, "docker is installed and does not answer"),
        (None, False, "install docker or podman"),
    ],
)
def test_containers_are_ready_where_the_daemon_answers_and_not_where_only_its_client_is(
    script: str | None, ready: bool, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if script is not None:
        (tmp_path / "docker").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "docker").chmod(0o755)
    monkeypatch.setattr(doctor, "_PATIENCE", 0.5)
    which = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name: which(name, path=str(tmp_path)))
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert doctor._containers()[:2] == (ready, "containers")
    assert says in doctor._containers()[2]
