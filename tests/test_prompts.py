"""Asked at a terminal, both engines put the same questions and take the same answers."""

from __future__ import annotations

import os
import pty
import subprocess
from pathlib import Path

import answers
import bake

# Answers without a default: Copier's prompt holds the default, and typing goes on after it.
TYPED = {"reviewers": "@org/team", "dvc_remote": "s3://example-bucket/models"}
KEYS = "".join(f"{TYPED.get(name, '')}\r" for name in answers.QUESTIONS)


def at_a_terminal(command: list[str | Path], cwd: Path) -> str:
    """Run a command on a terminal of its own, with all answers typed; what it shows."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        list(map(str, command)), cwd=cwd, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    os.write(ours, KEYS.encode())
    shown = b""
    while chunk := read(ours):
        shown += chunk
    os.close(ours)
    assert process.wait() == 0, shown.decode(errors="replace")
    return shown.decode(errors="replace")


def read(terminal: int) -> bytes:
    """The next output; none where the program has closed its terminal."""
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""


def test_typed_answers_give_the_same_tree(template: Path, tmp_path: Path) -> None:
    asked = at_a_terminal(["cookiecutter", template, "-o", "one"], tmp_path)
    at_a_terminal(["copier", "copy", template, "two"], tmp_path)
    (born,) = (tmp_path / "one").iterdir()
    assert bake.tree(born) == bake.tree(tmp_path / "two")
    assert "@org/team" in (born / ".github" / "CODEOWNERS").read_text(encoding="utf-8")
    for label in answers.SOURCE["__prompts__"].values():
        assert label.split(" (")[0] in " ".join(asked.split())
