"""Secrets are looked for in every file that git holds; what was not looked at has not passed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from ml_template.operations import moved, secrets
from ml_template.settings.config import InputError

from ..conftest import PACKAGE, ROOT
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
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-16-be", "latin-1"])
def test_a_secret_is_found_whatever_its_file_is_called_and_encoded(
    name: str, encoding: str, held: Path
) -> None:
    add(held / name, f"größe\n{PLANTED}".encode(encoding))
    assert not secrets.run()


def afresh(**environment: str) -> subprocess.CompletedProcess[bytes]:
    """Look in a process of its own: the scanner reads its settings once."""
    word = f"import {secrets.__name__} as scan; print(scan.run())"
    package = {"PYTHONPATH": str(Path(secrets.__file__).parents[2])}
    environment = os.environ | package | environment
    return subprocess.run([sys.executable, "-c", word], capture_output=True, env=environment)


HIDDEN = {
    "a.ini": f"[part]\nkey = value\n# {PLANTED}",
    "a.yaml": f"key: value\n# {PLANTED}",
    "a.png": PLANTED,
    "swagger.yaml": f"key: value\n{PLANTED.replace('login =', 'login:')}",
    "latin.bin": f"größe\0\n{PLANTED}",
}


@pytest.mark.parametrize("name", HIDDEN)
def test_a_secret_that_the_scanner_passes_over_is_found_or_let_pass_by_a_reviewer(
    name: str, held: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add(held / name, HIDDEN[name].encode("latin-1"))
    assert not secrets.run()
    assert f"Location:    {name}:" in capsys.readouterr().out
    marked = HIDDEN[name].rstrip("\n") + "  # pragma: allowlist secret\n"
    add(held / name, marked.encode("latin-1"))
    assert secrets.run()


@pytest.mark.parametrize("name", ["gone.txt", "a folder/gone.py", "gone.png"])
def test_a_file_that_is_gone_here_is_looked_at_as_git_holds_it(
    name: str, held: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As after an update that moved files: to commit it is the next step."""
    (held / name).parent.mkdir(exist_ok=True)
    for text, passes in ((PLANTED, False), ("nothing to hide\n", True)):
        add(held / name, text.encode())
        (held / name).unlink()
        assert secrets.run() == passes
    assert f"Location:    {name}:1" in capsys.readouterr().out


def test_what_an_update_took_away_and_nobody_edited_is_no_secret_of_yours(
    held: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "moved.txt"
    table.write_text(f"gone.txt - {moved.digest(PLANTED, PACKAGE)}\n", encoding="utf-8")
    monkeypatch.setattr(moved, "TABLE", table)
    for text, passes in ((PLANTED, True), (f"{PLANTED}# ours\n", False)):
        add(held / "gone.txt", text.encode())
        assert not secrets.run()
        (held / "gone.txt").unlink()
        assert secrets.run() == passes


def test_a_secret_that_the_baseline_holds_passes(held: Path) -> None:
    add(held / "a.txt", PLANTED.encode())
    words = ("scan", "--slim", "--plugin", "requirements/secret_words.py", "a.txt")
    program = Path(sys.executable).with_name("detect-secrets")
    done = subprocess.run([program, *words], check=True, capture_output=True)
    accepted = {"results": json.loads(done.stdout)["results"]}
    assert accepted["results"]
    baseline = json.loads((held / ".secrets.baseline").read_bytes()) | accepted
    add(held / ".secrets.baseline", json.dumps(baseline).encode())
    assert secrets.run()
    add(held / "a.txt", (PLANTED + PLANTED.replace("Xv", "Yw")).encode())
    assert not secrets.run()


def test_a_secret_is_found_where_the_locale_knows_only_ascii(held: Path) -> None:
    add(held / "größe.yaml", f"größe: 1\nname: {PLANTED[8:-1]}\n".encode())
    done = afresh(LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert (done.returncode, done.stdout.split()[-1]) == (0, b"False"), done.stderr


def no_plugin_file(held: Path) -> None:
    (held / "requirements/secret_words.py").unlink()
    git("add", "--all")


def no_plugins(held: Path) -> None:
    baseline = json.loads((held / ".secrets.baseline").read_bytes()) | {"plugins_used": []}
    add(held / ".secrets.baseline", json.dumps(baseline).encode())


def every_line_is_excluded(held: Path) -> None:
    baseline = json.loads((held / ".secrets.baseline").read_bytes())
    path = "detect_secrets.filters.regex.should_exclude_line"
    baseline["filters_used"].append({"path": path, "pattern": [".*"]})
    add(held / ".secrets.baseline", json.dumps(baseline).encode())


@pytest.mark.parametrize("damage", [no_plugin_file, no_plugins, every_line_is_excluded])
def test_a_scanner_that_finds_nothing_has_not_passed(
    damage: Callable[[Path], None], held: Path
) -> None:
    add(held / "a.txt")
    damage(held)
    assert b"InputError: secrets: not passed: the scanner does not find" in afresh().stderr


@pytest.mark.parametrize("name", ["a.txt", "with space.txt", "two\nlines.txt", "--help", "ä.txt"])
def test_a_file_without_a_secret_passes_whatever_it_is_called(name: str, held: Path) -> None:
    add(held / name)
    add(held / "look.png", b"\x89PNG\0\xff")
    (held / "link").symlink_to("nowhere")
    git("add", "--all")
    assert secrets.run()


def damaged_index(held: Path) -> None:
    (held / ".git/index").write_bytes(b"damaged")


def damaged_head(held: Path) -> None:
    (held / ".git/HEAD").unlink()


def of_another_user(held: Path) -> None:
    if os.getuid():
        pytest.skip("only root can give a folder away")
    for path in (held, held / ".git"):
        os.chown(path, 65534, -1)


def committed(held: Path) -> None:
    git("-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-m", "All", "--quiet")


def without_index(held: Path) -> None:
    committed(held)
    (held / ".git/index").unlink()


def all_taken_out(held: Path) -> None:
    committed(held)
    git("rm", "--cached", "-r", "--quiet", ".")


def a_pipe(held: Path) -> None:
    gone(held)
    os.mkfifo(held / "gone.txt")


def a_folder(held: Path) -> None:
    gone(held)
    (held / "gone.txt").mkdir()
    (held / "gone.txt/more.txt").write_text(PLANTED)


def a_link(held: Path) -> None:
    gone(held)
    (held / "gone.txt").symlink_to("/dev/null")


def gone(held: Path) -> None:
    add(held / "gone.txt")
    (held / "gone.txt").unlink()


def gone_from_git_too(held: Path) -> None:
    gone(held)
    shutil.rmtree(held / ".git/objects")
    (held / ".git/objects").mkdir()


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
        (without_index, "its index nothing of it: `git reset`"),
        (all_taken_out, "its index nothing of it: `git reset`"),
        (a_pipe, "git holds gone.txt, .*it is no file any more"),
        (a_folder, "git holds gone.txt, .*it is no file any more"),
        (a_link, "git holds gone.txt, .*it is no file any more"),
        (gone_from_git_too, "git holds gone.txt, which cannot be read"),
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
        secrets.run()


def test_without_git_on_the_path_a_repository_has_not_passed(
    held: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(held))
    with pytest.raises(InputError, match="git is not installed"):
        secrets.run()


@pytest.mark.parametrize("git_there", [True, False])
def test_before_git_init_a_line_says_that_nothing_was_looked_for(
    git_there: bool, held: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(held / ".git")
    if not git_there:
        monkeypatch.setenv("PATH", str(held))
    assert secrets.run()
    assert "secrets: not looked for" in capsys.readouterr().out
    monkeypatch.setenv("CI", "true")
    with pytest.raises(InputError, match="check out the repository"):
        secrets.run()


def test_a_repository_that_holds_nothing_of_this_folder_has_not_passed_in_ci(
    held: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    git("rm", "--cached", "-r", ".")
    assert secrets.run()
    assert "git holds no file of this folder" in capsys.readouterr().out
    monkeypatch.setenv("CI", "true")
    with pytest.raises(InputError):
        secrets.run()
