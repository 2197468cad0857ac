"""Which files of the kit are not as the template brought them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from ml_template.pipeline.judgement import kit


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A kit of a top and two rooms, as the template would bring it."""
    monkeypatch.chdir(tmp_path)
    texts = {"": {"top.py": "1\n"}, "serving": {"log.py": "2\n", "a/b.py": ""}, "far": {"x.py": ""}}
    for room, files in texts.items():
        home = tmp_path / "vendor/ml_template" / room
        lines = []
        for name, text in files.items():
            (home / name).parent.mkdir(parents=True, exist_ok=True)
            (home / name).write_text(text, encoding="utf-8")
            lines.append(f"{hashlib.sha256(text.encode()).hexdigest()}  {name}\n")
        (home / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")
    return tmp_path / "vendor/ml_template"


def test_a_kit_as_it_came_is_not_patched(house: Path) -> None:
    assert kit.patched(house) == []
    assert kit.patched() == []  # the real one: else `make sync`


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("serving/log.py", "3\n", "vendor/ml_template/serving/log.py"),
        ("serving/a/b.py", "3\n", "vendor/ml_template/serving/a/b.py"),
        ("top.py", "3\n", "vendor/ml_template/top.py"),
        ("serving/new.py", "", "vendor/ml_template/serving/new.py (added)"),
        ("mine/new.py", "", "vendor/ml_template/mine/new.py (added)"),
        ("serving/log.py", None, "vendor/ml_template/serving/log.py (missing)"),
    ],
)
def test_a_file_that_was_changed_added_or_taken_away_is_named(
    name: str, text: str | None, said: str, house: Path
) -> None:
    path = house / name
    if text is None:
        path.unlink()
    else:
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert kit.patched(house) == [said]


def test_a_room_that_an_option_leaves_out_is_no_patch(house: Path) -> None:
    for path in (house / "far").iterdir():
        path.unlink()
    (house / "far").rmdir()
    assert kit.patched(house) == []


def test_lines_that_end_as_on_windows_and_what_tools_leave_are_no_patch(house: Path) -> None:
    for path in [*house.rglob("*.py"), *house.rglob("SHA256SUMS")]:
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    for name in ("serving/__pycache__/log.cpython-311.pyc", "serving/.log.py.swp", ".DS_Store"):
        (house / name).parent.mkdir(exist_ok=True)
        (house / name).write_bytes(b"1")
    assert kit.patched(house) == []


def test_the_word_and_the_line_of_the_verdict_name_every_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert kit.line() | {"reason": ""} == {
        "gate": "kit", "value": None, "limit": None, "verdict": "passed", "reason": "",
    }  # fmt: skip
    monkeypatch.setattr(kit, "patched", lambda: ["a/b.py", "c.py (added)"])
    assert (kit.line()["verdict"], kit.line()["reason"]) == (
        "warning",
        "patched: a/b.py, c.py (added)",
    )
    assert kit.run() is None
    assert capsys.readouterr().out == "patched: a/b.py\npatched: c.py (added)\n"
