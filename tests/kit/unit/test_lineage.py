from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from ml_template.model import lineage
from ml_template.testing import Trained


@pytest.fixture
def repository(in_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A committed project, as working folder."""
    for key in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):
        monkeypatch.setenv(key, "/dev/null")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(in_folder.parent))
    for name in ("model_config.yaml", "gates.yaml", "dvc.yaml", "src/model.py"):
        path = in_folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("a: 1\n")
    git("init")
    commit()
    return in_folder


def git(*words: str) -> None:
    author = ("-c", "user.name=Test", "-c", "user.email=test@example.com")
    subprocess.run(["git", *author, *words], check=True, capture_output=True)


def commit() -> None:
    git("add", "--all")
    git("commit", "--message", "All")


def test_a_committed_project_has_a_commit_and_no_uncommitted_paths(repository: Path) -> None:
    found = lineage.commit()
    assert len(found["commit"]) == 40
    assert (found["uncommitted"], found["reason"]) == ([], None)


@pytest.mark.parametrize("name", ["src/model.py", "gates.yaml", "dvc.yaml", "src/new file.py"])
def test_changed_and_new_code_configuration_and_gates_are_uncommitted(
    repository: Path, name: str
) -> None:
    (repository / name).write_text("a: 2\n")
    assert lineage.commit()["uncommitted"] == [name]


def test_the_lock_of_what_only_training_needs_is_part_of_the_lineage(trained: Trained) -> None:
    before = lineage.digests(trained.config)
    lock = trained.folder / "requirements/extra-dev.txt"
    kept = lock.read_text(encoding="utf-8")
    lock.write_text(f"{kept}torch==9.9\n", encoding="utf-8")
    try:
        changed = lineage.digests(trained.config)
    finally:
        lock.write_text(kept, encoding="utf-8")
    assert {key for key in before if changed[key] != before[key]} == {"lock"}


def test_what_a_run_writes_is_not_uncommitted(repository: Path) -> None:
    for name in ("dvc.lock", "reports/metrics.json", "models/champion.json"):
        path = repository / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("{}")
    assert lineage.commit()["uncommitted"] == []


def test_without_git_the_reason_says_what_to_do(
    in_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(in_folder.parent))
    found = lineage.commit()
    assert found["commit"] is None
    assert "git init" in found["reason"]


def test_the_image_of_jobs_has_no_git_and_says_its_commit(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMAGE_COMMIT", "1" * 40)
    assert lineage.commit()["commit"] != "1" * 40  # git knows better
    monkeypatch.setenv("PATH", str(repository))
    assert lineage.commit() == {"commit": "1" * 40, "uncommitted": [], "reason": None}
    monkeypatch.setenv("IMAGE_COMMIT", "")
    assert lineage.commit()["reason"] == "git is not installed"


def test_a_folder_that_an_outer_repository_ignores_has_no_commit(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = repository / "inner"
    inner.mkdir()
    (inner / "model_config.yaml").write_text("a: 1\n")
    (inner / "gates.yaml").write_text("a: 1\n")
    (repository / ".gitignore").write_text("inner\n")
    commit()
    monkeypatch.chdir(inner)
    assert lineage.commit()["commit"] is None


def test_a_sub_folder_of_another_repository_is_judged_by_its_own_paths(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = repository / "inner"
    inner.mkdir()
    for name in ("model_config.yaml", "gates.yaml"):
        (inner / name).write_text("a: 1\n")
    commit()
    (repository / "src/model.py").write_text("a: 2\n")
    monkeypatch.chdir(inner)
    assert lineage.commit()["uncommitted"] == []


@pytest.mark.parametrize(
    ("value", "expected"), [("true", True), ("1", True), ("", False), ("false", False)]
)
def test_ci_is_recognised(value: str, expected: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", value)
    assert lineage.in_ci() is expected
