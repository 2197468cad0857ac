"""The answers file says where a project came from, so that `copier update` works, however born."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import bake
import pytest
import yaml
from cookiecutter.generate import generate_context, generate_files
from cookiecutter.prompt import prompt_for_config


def origin(project: Path) -> tuple[str, str | None]:
    """What the answers file holds as source and version of the template."""
    stored = yaml.safe_load((project / ".copier-answers.yml").read_text(encoding="utf-8"))
    return stored["_src_path"], stored.get("_commit")


@pytest.fixture
def upstream(template: Path, tmp_path: Path) -> Path:
    """A bare repository of the template with v0.1.0 and one commit after it."""
    work = tmp_path / "work"
    bake.git(tmp_path, "clone", "--quiet", str(template), "work")
    (work / "CHANGES.txt").write_text("after the release\n")
    bake.commit(work, "After the release")
    bake.git(tmp_path, "clone", "--quiet", "--bare", "work", "ml-template.git")
    return tmp_path / "ml-template.git"


@pytest.fixture
def served(upstream: Path, tmp_path: Path) -> Iterator[Path]:
    """Web addresses of the template, all answered by the local repository."""
    config = Path(os.environ["GIT_CONFIG_GLOBAL"])
    before = config.read_text(encoding="utf-8")
    for address in (
        "https://github.com/org/ml-template.git",
        "https://git.example.com/org/ml-template",
        "https://user:token@git.example.com/org/ml-template",
    ):
        bake.git(tmp_path, "config", "--global", "--add", f"url.{upstream}.insteadOf", address)
    yield upstream
    config.write_text(before, encoding="utf-8")


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("gh:org/ml-template", "gh:org/ml-template"),
        ("https://git.example.com/org/ml-template", "git+https://git.example.com/org/ml-template"),
        (
            "git+https://user:token@git.example.com/org/ml-template",
            "git+https://git.example.com/org/ml-template",
        ),
    ],
)
def test_an_address_is_stored_as_copier_needs_it_and_without_credentials(
    typed: str, stored: str, served: Path, tmp_path: Path
) -> None:
    born = bake.by_cookiecutter(typed, tmp_path / "out", {}, checkout="v0.1.0")
    assert origin(born) == (stored, "v0.1.0")
    bake.commit(born, "Born")
    bake.update(born)
    assert bake.git(born, "status", "--porcelain") == ""


@pytest.mark.parametrize("form", ["file://{}", "git+file://{}", "{}"])
def test_a_repository_on_disk_is_stored_with_its_version(
    form: str, upstream: Path, template: Path, tmp_path: Path
) -> None:
    typed = form.format(upstream if "://" in form else template)
    born = bake.by_cookiecutter(typed, tmp_path / "out", {}, checkout="v0.1.0")
    twin = bake.by_copier(typed, tmp_path / "copier", {}, vcs_ref="v0.1.0")
    assert origin(born)[1] == origin(twin)[1] == "v0.1.0"
    bake.commit(born, "Born")
    bake.update(born)
    assert bake.git(born, "status", "--porcelain") == ""


def test_a_relative_path_is_stored_absolute(template: Path, tmp_path: Path) -> None:
    below = template.parent / "below"
    below.mkdir(exist_ok=True)
    typed = f"../{template.name}"
    done = bake.run("cookiecutter", "--no-input", typed, "-o", tmp_path / "out", cwd=below)
    assert done.returncode == 0, done.stderr
    (born,) = (tmp_path / "out").iterdir()
    assert origin(born) == (str(template), "v0.1.0")


def test_born_after_a_release_is_said_and_the_next_release_updates(
    upstream: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    born = bake.by_cookiecutter(f"git+file://{upstream}", tmp_path / "out", {})
    assert "born after a release" in capfd.readouterr().err
    assert re.fullmatch(r"v0\.1\.0-1-g[0-9a-f]+", origin(born)[1] or "")
    bake.commit(born, "Born")
    with pytest.raises(Exception, match="downgrading"):
        bake.update(born)
    bake.git(upstream, "tag", "v0.2.0")
    bake.update(born)
    assert origin(born)[1] == "v0.2.0"


def test_changes_that_are_not_committed_are_said(
    template: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    bake.git(tmp_path, "clone", "--quiet", str(template), "dirty")
    (tmp_path / "dirty" / "CHANGES.txt").write_text("not committed\n")
    born = bake.by_cookiecutter(tmp_path / "dirty", tmp_path / "out", {})
    assert "not committed" in capfd.readouterr().err
    assert origin(born) == (str(tmp_path / "dirty"), "v0.1.0")


def zipped(upstream: Path, ref: str, target: Path) -> Path:
    bake.git(upstream, "archive", "--prefix=ml-template/", "--output", str(target), ref)
    return target


def test_a_zip_of_a_release_knows_its_version(served: Path, tmp_path: Path) -> None:
    archive = zipped(served, "v0.1.0", tmp_path / "release.zip")
    born = bake.by_cookiecutter(archive, tmp_path / "out", {})
    assert origin(born) == ("gh:org/ml-template", "v0.1.0")
    bake.commit(born, "Born")
    bake.update(born)
    assert bake.git(born, "status", "--porcelain") == ""


def test_a_zip_from_between_releases_is_said_and_the_next_release_updates(
    served: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    archive = zipped(served, "main", tmp_path / "main.zip")
    born = bake.by_cookiecutter(archive, tmp_path / "out", {})
    assert "born after a release" in capfd.readouterr().err
    bake.commit(born, "Born")
    bake.git(served, "tag", "v0.2.0")
    bake.update(born)
    assert origin(born) == ("gh:org/ml-template", "v0.2.0")


@pytest.mark.parametrize("inside_another_repository", [False, True])
def test_without_git_data_recopy_heals_and_the_next_release_updates(
    inside_another_repository: bool,
    served: Path,
    template: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    plain = tmp_path / "somewhere" / "plain"
    shutil.copytree(template, plain, ignore=shutil.ignore_patterns(".git"))
    if inside_another_repository:
        bake.commit(plain.parent, "Another project", tag="v7.0.0")
    born = bake.by_cookiecutter(plain, tmp_path / "out", {"author": "Zoë O'Neil"})
    assert "copier recopy" in capfd.readouterr().err
    assert origin(born) == ("gh:org/ml-template", None)
    bake.commit(born, "Born")
    done = bake.run("copier", "recopy", "--defaults", "--overwrite", cwd=born)
    assert done.returncode == 0, done.stderr
    assert origin(born)[1] == "v0.1.0"
    bake.commit(born, "Recopied")
    bake.git(served, "tag", "v0.2.0")
    bake.update(born)
    assert origin(born)[1] == "v0.2.0"


def test_a_caller_that_names_no_folder_of_the_template_is_served(
    template: Path, tmp_path: Path
) -> None:
    """Cruft renders with `_template` and `_commit` only."""
    context = generate_context(str(template / "cookiecutter.json"))
    filled = prompt_for_config(context, no_input=True)
    filled |= {"_template": "gh:org/ml-template", "_commit": "v0.1.0"}
    born = Path(generate_files(str(template), {"cookiecutter": filled}, str(tmp_path)))
    assert origin(born) == ("gh:org/ml-template", "v0.1.0")
