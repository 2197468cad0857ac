"""Secrets are looked for in every file that git holds; what was not looked at has not passed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from {{ cookiecutter.package_name }}.config import InputError
from {{ cookiecutter.package_name }}.operations import secret_scan

from ..conftest import ROOT
from .test_lineage import git

PLANTED = f'login = "password={"q7Xv2" * 5}"\n'  # made here: no file holds it
CHECK = (".secrets.baseline", "requirements/secret_words.py")


@pytest.fixture
def held(in_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder under git that holds what the check needs, and no secret; not in CI."""
    for key in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):
        monkeypatch.setenv(key, "/dev/null")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(in_folder.parent))
    monkeypatch.delenv("CI", raising=False)
    (in_folder / "requirements").mkdir()
    for name in CHECK:
        shutil.copy(ROOT / name, in_folder / name)
    git("init")
    git("add", "--all")
    return in_folder


def add(path: Path, content: bytes = b"nothing to see\n") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    git("add", "--all")


@pytest.mark.parametrize("name", ["a.txt", "with space.txt", "two\nlines.txt", "--help", "ä.txt"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "latin-1"])
def test_a_secret_is_found_whatever_its_file_is_called_and_encoded(
    name: str, encoding: str, held: Path
) -> None:
    add(held / name, f"größe\n{PLANTED}".encode(encoding))
    assert not secret_scan.run()


@pytest.mark.parametrize("name", ["a.txt", "with space.txt", "two\nlines.txt", "--help", "ä.txt"])
def test_a_file_without_a_secret_passes_whatever_it_is_called(name: str, held: Path) -> None:
    add(held / name)
    add(held / "look.png", b"\x89PNG\0\xff")
    (held / "link").symlink_to("nowhere")
    git("add", "--all")
    assert secret_scan.run()


def damaged_index(held: Path) -> None:
    (held / ".git/index").write_bytes(b"damaged")


def damaged_head(held: Path) -> None:
    (held / ".git/HEAD").unlink()


def of_another_user(held: Path) -> None:
    if os.getuid():
        pytest.skip("only root can give a folder away")
    for path in (held, held / ".git"):
        os.chown(path, 65534, -1)


def gone(held: Path) -> None:
    add(held / "gone.txt")
    (held / "gone.txt").unlink()


def unreadable(held: Path) -> None:
    if not os.getuid():
        pytest.skip("root can read everything")
    add(held / "closed.txt")
    (held / "closed.txt").chmod(0)


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (damaged_index, "git does not list the files: .*index"),
        (damaged_head, "git does not list the files: .*not a git repository"),
        (of_another_user, "git does not list the files: .*dubious ownership"),
        (gone, "git holds gone.txt, which cannot be read"),
        (unreadable, "git holds closed.txt, which cannot be read"),
    ],
)
@pytest.mark.parametrize("ci", ["", "true"])
def test_what_could_not_be_looked_at_has_not_passed(
    damage: Callable[[Path], None],
    says: str,
    ci: str,
    held: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CI", ci)
    damage(held)
    with pytest.raises(InputError, match=says):
        secret_scan.run()


def test_without_git_on_the_path_a_repository_has_not_passed(
    held: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(held))
    with pytest.raises(InputError, match="git is not installed"):
        secret_scan.run()


@pytest.mark.parametrize("git_there", [True, False])
def test_before_git_init_a_line_says_that_nothing_was_looked_for(
    git_there: bool, held: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(held / ".git")
    if not git_there:
        monkeypatch.setenv("PATH", str(held))
    assert secret_scan.run()
    assert "secrets: not looked for" in capsys.readouterr().out
    monkeypatch.setenv("CI", "true")
    with pytest.raises(InputError, match="check out the repository"):
        secret_scan.run()


def test_a_repository_that_holds_nothing_of_this_folder_has_not_passed_in_ci(
    held: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    git("rm", "--cached", "-r", ".")
    assert secret_scan.run()
    assert "git holds no file of this folder" in capsys.readouterr().out
    monkeypatch.setenv("CI", "true")
    with pytest.raises(InputError):
        secret_scan.run()
