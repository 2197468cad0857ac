"""`copier update` brings a project to a newer release and keeps what its users wrote."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import bake
import pytest
import sums
import sync_copier
import yaml

BORN_BY = ["cookiecutter", "copier"]
# What lasts long takes one birth, and both where the long forms are asked for.
FIRST = [BORN_BY[0], pytest.param(BORN_BY[1], marks=pytest.mark.full)]
SECOND = [pytest.param(BORN_BY[0], marks=pytest.mark.full), BORN_BY[1]]
LINES = [f"line {number}" for number in range(1, 31)]


def born(engine: str, lab: Path, into: Path, tag: str) -> Path:
    """A project from one release, under git."""
    target = into / engine
    source = f"git+file://{lab}"
    if engine == "cookiecutter":
        project = bake.by_cookiecutter(source, target, {}, checkout=tag)
    else:
        project = bake.by_copier(source, target, {}, vcs_ref=tag)
    bake.commit(project, "Born")
    return project


def write(path: Path, lines: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def edited(number: int, text: str, lines: list[str] = LINES) -> list[str]:
    return [*lines[: number - 1], text, *lines[number:]]


NEW_LINES = edited(20, "line 20 of the template", edited(5, "line 5, too"))


@pytest.fixture(scope="module")
def two_releases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The working tree with planted files as v0.1.0, and a release after it that changes them.

    v0.2.0 edits, adds and deletes files, asks a new question, and edits a file that users own.
    """
    lab = bake.freeze(tmp_path_factory.mktemp("lab"))
    project = lab / bake.TREE
    write(project / "planted.md", LINES)
    write(project / "deleted.md", LINES)
    bake.commit(lab, "Release v0.1.0", tag="v0.1.0")
    write(project / "planted.md", NEW_LINES)
    (project / "deleted.md").unlink()
    write(project / "added.md", ["{{ cookiecutter.region }}"])
    owned = project / "model_config.yaml"
    owned.write_text(f"{owned.read_text(encoding='utf-8')}# of v0.2.0\n", encoding="utf-8")
    ask_one_more(lab, "region", "north")
    bake.commit(lab, "Release v0.2.0", tag="v0.2.0")
    return lab


def ask_one_more(lab: Path, name: str, default: str) -> None:
    source: dict[str, Any] = json.loads((lab / "cookiecutter.json").read_text(encoding="utf-8"))
    rule = {"question": name, "pattern": "^[a-z]+\\Z", "error": "must be lower-case letters"}
    source = {name: default} | source
    source["_rules"].append(rule)
    source["__prompts__"][name] = "Region"
    (lab / "cookiecutter.json").write_text(json.dumps(source), encoding="utf-8")
    (lab / "copier.yml").write_text(sync_copier.copier_yml(source), encoding="utf-8")


@pytest.mark.parametrize("engine", BORN_BY)
def test_T07_an_update_keeps_every_edit_of_the_users(
    engine: str, two_releases: Path, tmp_path: Path
) -> None:
    project = born(engine, two_releases, tmp_path, "v0.1.0")
    config = (project / "model_config.yaml").read_text(encoding="utf-8")
    (project / "model_config.yaml").write_text(f"{config}# mine\n", encoding="utf-8")
    write(project / "planted.md", edited(12, "line 12 is mine"))
    write(project / "mine.md", ["mine"])
    (project / "LICENSE").unlink()
    bake.commit(project, "Five edits")
    bake.update(project)
    merged = edited(12, "line 12 is mine", NEW_LINES)
    assert (project / "planted.md").read_text().splitlines() == merged
    assert (project / "mine.md").read_text() == "mine\n"
    assert (project / "added.md").read_text() == "north\n"
    assert (project / "model_config.yaml").read_text(encoding="utf-8") == f"{config}# mine\n"
    assert not (project / "deleted.md").exists()
    assert not (project / "LICENSE").exists()
    assert bake.git(project, "ls-files", "--unmerged") == ""


def test_an_update_merges_a_patched_kit_and_the_patch_stays_visible(tmp_path: Path) -> None:
    lab = bake.freeze(tmp_path / "lab")
    bake.commit(lab, "Release v0.1.0", tag="v0.1.0")
    project = born("copier", lab, tmp_path, "v0.1.0")
    ours, theirs = "# ours\n", '"""Theirs."""\n'
    for folder, change in ((project, "{}" + ours), (lab / bake.TREE, theirs + "{}")):
        path = folder / bake.KIT / "serving/log.py"
        path.write_text(change.format(path.read_text(encoding="utf-8")), encoding="utf-8")
    assert bake.run("python3", "tools/sums.py", cwd=lab).returncode == 0
    bake.commit(lab, "Release v0.2.0", tag="v0.2.0")
    bake.commit(project, "A patch")
    bake.update(project)
    merged = (project / bake.KIT / "serving/log.py").read_text(encoding="utf-8")
    assert merged.startswith(theirs)
    assert merged.endswith(ours)
    assert bake.git(project, "ls-files", "--unmerged") == ""
    files = [path for path in (project / bake.KIT).rglob("*") if path.is_file()]
    assert sums.stale(project / bake.KIT, files) == [project / bake.KIT / "serving/SHA256SUMS"]


@pytest.mark.parametrize("engine", BORN_BY)
def test_T07_an_edit_of_the_same_line_is_marked_as_a_conflict_and_not_lost(
    engine: str, two_releases: Path, tmp_path: Path
) -> None:
    project = born(engine, two_releases, tmp_path, "v0.1.0")
    write(project / "planted.md", edited(20, "line 20 is mine"))
    bake.commit(project, "One edit")
    bake.update(project)
    text = (project / "planted.md").read_text()
    assert "line 20 is mine" in text
    assert "line 20 of the template" in text
    assert "<<<<<<< before updating" in text
    assert "planted.md" in bake.git(project, "ls-files", "--unmerged")


@pytest.mark.parametrize("engine", BORN_BY)
def test_a_bare_update_at_the_newest_release_changes_nothing(
    engine: str, two_releases: Path, tmp_path: Path
) -> None:
    project = born(engine, two_releases, tmp_path, "v0.2.0")
    done = bake.run("copier", "update", "--defaults", cwd=project)
    assert done.returncode == 0, done.stderr
    assert bake.git(project, "status", "--porcelain") == ""


def without_files_of_users(project: Path) -> dict[str, bake.Entry]:
    """A project without the files that are given at birth and never touched again."""
    owned = yaml.safe_load((bake.ROOT / "copier.yml").read_text(encoding="utf-8"))
    return {k: v for k, v in bake.tree(project).items() if k not in owned["_skip_if_exists"]}


@pytest.mark.parametrize("engine", BORN_BY)
def test_an_updated_project_is_a_fresh_one(engine: str, two_releases: Path, tmp_path: Path) -> None:
    project = born(engine, two_releases, tmp_path / "old", "v0.1.0")
    fresh = born(engine, two_releases, tmp_path / "new", "v0.2.0")
    bake.update(project)
    assert without_files_of_users(project) == without_files_of_users(fresh)


def test_releases_are_found_by_the_titles_of_their_commits(tmp_path: Path) -> None:
    for title in ("Start", "Release v0.1.0", "Release notes", "Prepare Release v0.2.0"):
        bake.commit(tmp_path, title)
    assert list(bake.releases(tmp_path)) == ["v0.1.0"]
    bake.commit(tmp_path, "Release v0.2.0")
    assert list(bake.releases(tmp_path)) == ["v0.1.0", "v0.2.0"]
    assert bake.releases(tmp_path)["v0.2.0"] == bake.git(tmp_path, "rev-parse", "HEAD")


def moved(project: Path) -> subprocess.CompletedProcess[str]:
    """What `make check` says first; no package of a project is needed for it."""
    (package,) = (path.name for path in (project / "src").iterdir())
    code = {"PYTHONPATH": bake.code_of(project), "PYTHONDONTWRITEBYTECODE": "1"}
    return bake.run(sys.executable, "-m", package, "moved", cwd=project, **code)


@pytest.mark.parametrize("engine", FIRST)
def test_every_release_so_far_updates_to_the_working_tree(engine: str, tmp_path: Path) -> None:
    *older, newest = bake.release_lab(tmp_path / "lab")
    fresh = born(engine, tmp_path / "lab", tmp_path / "new", newest)
    for tag in older:
        project = born(engine, tmp_path / "lab", tmp_path / tag, tag)
        bake.update(project)
        assert without_files_of_users(project) == without_files_of_users(fresh), tag
        assert (moved(project).returncode, moved(project).stdout) == (0, ""), tag


EDITED = {  # of v0.4.0: where it is now
    "src/{}/encoder.py": "it is now vendor/ml_template/model/encoder.py",
    "tests/unit/test_gate.py": "the template keeps it to itself now",
}


@pytest.fixture(scope="module")
def all_releases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    lab = tmp_path_factory.mktemp("releases") / "lab"
    bake.release_lab(lab)
    return lab


@pytest.mark.parametrize("engine", SECOND)
def test_what_was_edited_and_moves_is_named_and_kept_and_old_imports_have_a_remedy(
    engine: str, all_releases: Path, tmp_path: Path
) -> None:
    project = born(engine, all_releases, tmp_path, "v0.4.0")
    (home,) = (project / "src").iterdir()
    for name in EDITED:
        with (project / name.format(home.name)).open("a", encoding="utf-8") as file:
            file.write("# ours\n")
    with (home / "presets.py").open("w", encoding="utf-8") as file:
        file.write("from .config import Config\n")
    (home / "operations/__pycache__").mkdir()  # stays behind: git does not know it
    (home / "operations/__pycache__/web.cpython-311.pyc").write_bytes(b"")
    bake.commit(project, "Ours")
    bake.update(project)
    said = moved(project)
    assert said.returncode == 1, said.stderr
    remedy, *lines = said.stdout.splitlines()
    new = "has moved: from ml_template import Config"
    assert remedy.endswith(f"presets.py:1: {home.name}.config {new}")
    for (name, place), line in zip(EDITED.items(), lines, strict=True):
        path = name.format(home.name)
        assert line.startswith(f"moved: {path}: you had edited it, and {place}")
        diff = (project / f"moved/{path}.diff").read_text(encoding="utf-8").splitlines()
        assert [text for text in diff if text[:1] in "+-"][2:] == ["+# ours"]
    (home / "presets.py").write_text("from ml_template import Config\n", encoding="utf-8")
    assert moved(project).returncode == 0


def test_what_nobody_edited_moves_without_a_word(all_releases: Path, tmp_path: Path) -> None:
    answers = {"package_name": "gate"}  # a word that the files themselves use
    source = f"git+file://{all_releases}"
    project = bake.by_copier(source, tmp_path / "project", answers, vcs_ref="v0.4.0")
    bake.commit(project, "Born")
    bake.update(project)
    said = moved(project)
    assert (said.returncode, said.stdout) == (0, ""), said.stderr


def test_the_table_of_moved_files_is_that_of_the_releases() -> None:
    done = bake.run(sys.executable, "tools/moved.py", "--check", cwd=bake.ROOT)
    assert done.returncode == 0, f"{done.stderr}: `make sync` writes it"


def test_setup_runs_again_after_an_update_that_brings_the_kit(
    all_releases: Path, tmp_path: Path
) -> None:
    """Else `.venv` knows src/ and not vendor/: the locks alone may be the same."""
    project = born("copier", all_releases, tmp_path, "v0.4.0")
    lock = project / "requirements/dev.txt"
    text = lock.read_bytes()
    (project / ".venv").mkdir()
    (project / ".venv/.ready").touch()
    bake.update(project)
    lock.write_bytes(text)
    for path in (project / "requirements").iterdir():
        if path.name != "setup.sh":
            os.utime(path, (0, 0))
    words = ("make", "-n", "setup", f"PYTHON={sys.executable}", "PLACED=1")
    assert "requirements/setup.sh" in bake.run(*words, cwd=project).stdout
    (project / ".venv/.ready").touch()
    assert "requirements/setup.sh" not in bake.run(*words, cwd=project).stdout


@pytest.mark.parametrize("engine", FIRST)
def test_answers_can_be_changed_later(engine: str, two_releases: Path, tmp_path: Path) -> None:
    project = born(engine, two_releases, tmp_path, "v0.2.0")
    for reviewers in ("@org/team", ""):
        answer = f"reviewers={reviewers}"
        command = ["copier", "update", "--defaults", "-r", ":current:", "-d", answer]
        done = bake.run(*command, cwd=project)
        assert done.returncode == 0, done.stderr
        assert (project / ".github" / "CODEOWNERS").exists() == bool(reviewers)
        bake.commit(project, "New reviewers")


@pytest.mark.parametrize("engine", SECOND)
def test_ci_can_be_changed_later(engine: str, two_releases: Path, tmp_path: Path) -> None:
    project = born(engine, two_releases, tmp_path, "v0.2.0")
    for ci, found in {
        "jenkins": (False, True),
        "none": (False, False),
        "both": (True, True),
    }.items():
        command = ["copier", "update", "--defaults", "-r", ":current:", "-d", f"ci={ci}"]
        done = bake.run(*command, cwd=project)
        assert done.returncode == 0, done.stderr
        assert ((project / ".github").exists(), (project / "Jenkinsfile").exists()) == found
        bake.commit(project, "New CI")
