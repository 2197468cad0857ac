"""What a generated project consists of: exactly these files, all used, none half rendered."""

from __future__ import annotations

import re
from pathlib import Path

import bake
import pytest
from answers import CHOICES
from conftest import Twins
from reach import orphans

# One path a line; before it what brings the file: "question: " an answer to that question,
# "question=one,other: " one of these answers.
LISTED = (bake.ROOT / "tests" / "files.txt").read_text(encoding="utf-8").splitlines()


def expected(answers: dict[str, str], package: str) -> set[str]:
    names = set()
    for line in LISTED:
        condition, _, name = line.rpartition(": ")
        question, _, choices = condition.partition("=")
        answer = answers.get(question) or CHOICES.get(question, [""])[0]
        if not question or (answer in choices.split(",") if choices else answer):
            names.add(name.replace("PACKAGE", package))
    return names


def package_of(project: Path) -> str:
    (folder,) = (project / "src").iterdir()
    return folder.name


def test_the_files_are_exactly_these(twins: Twins) -> None:
    born = set(bake.files(twins.cookiecutter))
    wanted = expected(twins.answers, package_of(twins.cookiecutter))
    assert {"missing": wanted - born, "not listed": born - wanted} == {
        "missing": set(),
        "not listed": set(),
    }


def test_a_default_project_is_as_small_as_was_said(project: Path) -> None:
    own = [name for name in bake.files(project) if not name.startswith("vendor/")]
    assert len(own) <= 91
    assert len((project / "README.md").read_text(encoding="utf-8").splitlines()) <= 100


def test_no_folder_is_empty(twins: Twins) -> None:
    folders = [path for path in twins.cookiecutter.rglob("*") if path.is_dir()]
    assert [path for path in folders if not any(path.iterdir())] == []


def test_nothing_is_left_half_rendered(twins: Twins) -> None:
    left = re.compile(rb"\{\{-? ?cookiecutter|\{%-? ?(raw|endraw|if|elif|else|endif|set)|_copier_")
    found = {n for n, content in bake.files(twins.cookiecutter).items() if left.search(content)}
    assert found == set()
    assert [path for path in twins.cookiecutter.rglob("*") if "{" in path.name] == []


def test_T08_every_file_is_used(twins: Twins) -> None:
    files = bake.files(twins.cookiecutter)
    assert orphans(files, package_of(twins.cookiecutter)) == []


@pytest.mark.parametrize(
    "name",
    [
        "src/PACKAGE/forgotten.py",
        "vendor/ml_template/serving/forgotten.py",
        "vendor/ml_template/outside/forgotten.html",
        "docs/forgotten.md",
        "forgotten.sh",
        "deploy/k8s/base/forgotten.yaml",
        "deploy/k8s/forgotten/kustomization.yaml",
    ],
)
def test_T08_a_forgotten_file_is_found(name: str, project: Path) -> None:
    package = package_of(project)
    planted = name.replace("PACKAGE", package)
    assert planted in orphans(bake.files(project) | {planted: b"pass\n"}, package)


def test_ruff_changes_nothing_in_a_fresh_project(twins: Twins) -> None:
    for command in (["format", "--check"], ["check"]):
        done = bake.run("ruff", *command, "--no-cache", ".", cwd=twins.cookiecutter)
        assert done.returncode == 0, done.stdout + done.stderr


def test_no_index_and_no_path_of_a_machine_is_in_a_project(project: Path) -> None:
    """A lock or a setting with one site's package index would break every other site."""
    wrong = re.compile(rb"--(extra-)?index-url|--find-links|(?<!\w)/(home|root|work|tmp)/\w")
    found = {name for name, content in bake.files(project).items() if wrong.search(content)}
    assert found == set()


def test_the_docs_start_projects_from_the_newest_release() -> None:
    newest = re.search(r"^## (v[\d.]+)", (bake.ROOT / "CHANGELOG.md").read_text("utf-8"), re.M)
    assert newest is not None
    for name in ("README.md", "docs/use.md"):
        text = (bake.ROOT / name).read_text(encoding="utf-8")
        assert set(re.findall(r"--checkout (\S+)", text)) == {newest[1]}, name


def test_the_texts_name_the_engines_that_are_tested() -> None:
    """Cookiecutter as locked, and what copier.yml itself asks of Copier."""
    lock = (bake.ROOT / "requirements/dev.txt").read_text(encoding="utf-8")
    asked = (bake.ROOT / "copier.yml").read_text(encoding="utf-8")
    known = set()
    for name, text in (("Cookiecutter", f"\n{lock}"), ("Copier", asked)):
        found = re.search(rf"(?i)\n(?:{name}==|_min_{name}_version: )(\d+\.\d+)\.", text)
        assert found is not None, name
        known.add((name, found[1]))
    for name in ("README.md", "docs/use.md"):
        text = (bake.ROOT / name).read_text(encoding="utf-8")
        assert set(re.findall(r"(Cookiecutter|Copier) (\d[\d.]*\d)", text)) == known, name
