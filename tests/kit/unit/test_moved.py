"""After an update nothing of a user's is lost in silence: edits of moved files, old imports."""

from __future__ import annotations

from pathlib import Path

import pytest
from ml_template import project
from ml_template.operations import moved

from .test_lineage import git

SHIPPED = '"""Of the template."""\n\nfrom credit.config import Config\n\nLIMIT = 1\n'
NEXT = SHIPPED.replace("LIMIT = 1", "LIMIT = 2")
OLD, TEST = "src/credit/encoder.py", "tests/unit/test_gate.py"
PLACES = {
    "src/credit/config.py": "vendor/ml_template/settings/config.py",
    OLD: "vendor/ml_template/model/encoder.py",
    "src/credit/pipeline/__init__.py": "vendor/ml_template/pipeline/__init__.py",
    "src/credit/pipeline/prepare.py": "vendor/ml_template/pipeline/data/prepare.py",
    TEST: "-",
    "tests/unit/conftest.py": "-",
}
KEPT = Path("moved", f"{OLD}.diff")


@pytest.fixture
def lived(in_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A committed project that was born with two files of the template, as working folder."""
    for key in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):
        monkeypatch.setenv(key, "/dev/null")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(in_folder.parent))
    monkeypatch.setattr(project, "handed", lambda: project.Project("credit"))
    known = [moved.digest(text, "credit") for text in (SHIPPED, NEXT)]
    lines = (" ".join([old, place, *known]) for old, place in PLACES.items())
    table = in_folder / "table.txt"
    table.write_text("\n".join(lines).replace("/credit/", f"/{moved.PACKAGE}/") + "\n")
    monkeypatch.setattr(moved, "TABLE", table)
    git("init")
    for name in (OLD, TEST):
        write(name, SHIPPED)
    commit()
    return in_folder


def write(name: str, text: str) -> None:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_bytes(text.encode())


def commit() -> None:
    git("add", "--all")
    git("commit", "--allow-empty", "--message", "All")


def update() -> None:
    """What Copier does: the files are deleted, and nothing is said."""
    for name in (OLD, TEST):
        Path(name).unlink()


@pytest.mark.parametrize("committed", [False, True])
@pytest.mark.parametrize(("name", "place"), [(OLD, PLACES[OLD]), (TEST, "keeps it to itself")])
def test_an_edited_file_that_moved_is_named_and_the_edit_kept(
    committed: bool, name: str, place: str, lived: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(name, f"{SHIPPED}MINE = 2\n")
    commit()
    update()
    if committed:
        commit()
    assert not moved.run()
    (said,) = capsys.readouterr().out.splitlines()
    assert said.startswith(f"moved: {name}: you had edited it")
    assert place in said
    text = Path("moved", f"{name}.diff").read_text()
    assert [line for line in text.splitlines() if line[:1] in "+-"][2:] == ["+MINE = 2"]
    assert [path for path in Path("moved").rglob("*") if path.is_file()] == [
        Path("moved", f"{name}.diff")
    ]


@pytest.mark.parametrize("text", [SHIPPED, NEXT, SHIPPED.replace("\n", "\r\n")])
def test_a_file_as_any_release_had_it_moves_without_a_word(
    text: str, lived: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(OLD, text)
    commit()
    update()
    assert moved.run()
    assert capsys.readouterr().out == ""
    assert not Path("moved").exists()


def test_an_edit_that_was_taken_back_before_the_update_is_none(lived: Path) -> None:
    for text in (f"{SHIPPED}MINE = 2\n", SHIPPED):
        write(OLD, text)
        commit()
    update()
    assert moved.run()


def test_the_diff_is_against_the_release_that_was_edited_and_fits_the_new_place(
    lived: Path,
) -> None:
    for text in (NEXT, f"{NEXT}MINE = 2\n"):
        write(OLD, text)
        commit()
    update()
    assert not moved.run()
    assert "LIMIT = 1" not in KEPT.read_text()
    write(PLACES[OLD], NEXT)
    git("apply", str(KEPT))
    assert Path(PLACES[OLD]).read_text() == f"{NEXT}MINE = 2\n"


def test_a_file_that_was_edited_before_git_knew_it_is_kept_whole(lived: Path) -> None:
    git("checkout", "--orphan", "other")
    write(OLD, "MINE = 2\nYOURS = 3")  # no newline at the end
    commit()
    update()
    assert not moved.run()
    write(PLACES[OLD], "")
    git("apply", str(KEPT))
    assert Path(PLACES[OLD]).read_text() == "MINE = 2\nYOURS = 3"


def test_a_diff_is_written_once_and_waits_until_it_is_deleted(
    lived: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(OLD, f"{SHIPPED}MINE = 2\n")
    commit()
    update()
    assert not moved.run()
    capsys.readouterr()
    for _ in range(2):  # before it is committed, and after
        assert moved.run()
        assert capsys.readouterr().out.startswith(f"moved: {KEPT} waits: ")
        commit()
    KEPT.unlink()
    assert moved.run()
    assert capsys.readouterr().out == ""
    assert not KEPT.exists()


def test_an_edit_on_a_branch_is_found_after_its_merge(lived: Path) -> None:
    git("checkout", "-b", "branch")
    write(OLD, f"{SHIPPED}MINE = 2\n")
    commit()
    update()
    commit()
    git("checkout", "-")
    write("other.md", "x")
    commit()
    git("merge", "--no-ff", "branch", "--message", "Merge")
    assert not moved.run()
    assert "+MINE = 2" in KEPT.read_text()


def test_a_project_in_a_folder_of_a_repository_is_found_there(
    lived: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(f"part/{OLD}", f"{SHIPPED}MINE = 2\n")
    commit()
    Path("part", OLD).unlink()
    monkeypatch.chdir(lived / "part")
    assert not moved.run()
    assert KEPT.exists()


def test_without_git_there_is_nothing_to_say(
    in_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(in_folder.parent))
    assert moved.run()
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("line", "remedy"),
    [
        ("from .config import Config", "from ml_template import Config"),
        ("from credit.config import Config", "from ml_template import Config"),
        ("from .config import _read", "from ml_template.settings.config import _read"),
        ("from . import config", "from ml_template.settings import config"),
        ("import credit.config", "import ml_template.settings.config"),
        ("from .pipeline import prepare", "from ml_template.pipeline.data import prepare"),
        ("if True:\n    from .pipeline.prepare import x", "ml_template.pipeline.data.prepare"),
    ],
)
def test_an_old_import_is_named_with_the_new_one(
    line: str, remedy: str, lived: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    update()
    Path("src/credit/pipeline/__pycache__").mkdir(parents=True)  # what an update leaves behind
    write("src/credit/presets.py", f"{line}\n")
    assert not moved.run()
    (said,) = capsys.readouterr().out.splitlines()
    assert said.startswith("moved: src/credit/presets.py:")
    assert said.endswith(remedy) or f"{remedy} import" in said


def test_an_old_import_is_named_in_folders_and_tests_too(
    lived: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    update()
    write("src/credit/deep/x.py", "from ..config import Config\n")
    write("tests/unit/test_ours.py", "from .conftest import made\nfrom ... import y\n")
    assert not moved.run()
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("moved: src/credit/deep/x.py:1: credit.config has moved")
    assert second.startswith("moved: tests/unit/test_ours.py:1: unit.conftest is no more")


@pytest.mark.parametrize(
    "line",
    [
        "from ml_template import Config",
        "from .features import features",
        "from . import features",
        "import config",
        "from config import Config",
        "<<<<<<< before updating",
    ],
)
def test_other_imports_are_left_alone(line: str, lived: Path) -> None:
    update()
    write("src/credit/presets.py", f"{line}\n")
    assert moved.run()


def test_a_module_of_ones_own_at_an_old_place_is_no_old_import(lived: Path) -> None:
    write("src/credit/config.py", "Config = 1\n")
    write("src/credit/presets.py", "from .config import Config\n")
    assert moved.run()


def test_a_package_that_is_named_like_a_word_of_a_file_is_not_taken_for_an_edit() -> None:
    text = 'from {}.pipeline import gate\nfrom gateway import way\n\ngate.run("gate passed")\n'
    assert moved.digest(text.format("gate"), "gate") == moved.digest(text.format("ours"), "ours")
