"""What the two Cookiecutter hooks refuse, print and leave out."""

from __future__ import annotations

import re
from pathlib import Path

import answers
import bake
import pytest
from cookiecutter.exceptions import FailedHookException

GUARDED = [".copier-answers.yml", *answers.SOURCE["_skip_if_exists"], ".github", "Jenkinsfile"]


@pytest.mark.parametrize("name", GUARDED)
def test_force_never_overwrites_or_deletes_what_is_a_users(
    name: str, template: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "example-credit-model" / name
    mine = mine / "mine.txt" if name == ".github" else mine
    mine.parent.mkdir(parents=True)
    mine.write_text("mine\n")
    with pytest.raises(FailedHookException):
        bake.by_cookiecutter(template, tmp_path, {"ci": "none"}, overwrite_if_exists=True)
    assert f"ERROR: {name} already exists here and would be lost" in capfd.readouterr().err
    assert [path.read_text() for path in tmp_path.rglob("*") if path.is_file()] == ["mine\n"]


def test_force_into_a_folder_with_nothing_of_ours_generates(template: Path, tmp_path: Path) -> None:
    (tmp_path / "example-credit-model").mkdir()
    (tmp_path / "example-credit-model" / "notes.txt").write_text("mine\n")
    born = bake.by_cookiecutter(template, tmp_path, {}, overwrite_if_exists=True)
    assert (born / "notes.txt").read_text() == "mine\n"
    assert (born / ".copier-answers.yml").is_file()


def test_what_is_switched_off_is_not_there(template: Path, tmp_path: Path) -> None:
    without = bake.by_cookiecutter(template, tmp_path / "without", {"ci": "none"})
    assert not {".github", ".jenkins", "Jenkinsfile"} & {path.name for path in without.iterdir()}
    named = {"reviewers": "@org/team", "ci": "jenkins"}
    born = bake.by_cookiecutter(template, tmp_path / "with", named)
    assert [path.name for path in (born / ".github").iterdir()] == ["CODEOWNERS"]
    assert "@org/team" in (born / ".github" / "CODEOWNERS").read_text(encoding="utf-8")


@pytest.mark.parametrize("licence", answers.CHOICES["licence"])
def test_the_licence_names_the_author_and_no_year(
    licence: str, template: Path, tmp_path: Path
) -> None:
    born = bake.by_cookiecutter(template, tmp_path, {"licence": licence, "author": "Zoë O'Neil"})
    lines = (born / "LICENSE").read_text(encoding="utf-8").splitlines()
    (line,) = (line for line in lines if "Zoë O'Neil" in line)
    assert line.startswith("Copyright")
    assert not re.search(r"\d{4}", line)
