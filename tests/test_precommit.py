"""The hooks of a generated project, run by pre-commit itself on a project that is set up (slow)."""

from __future__ import annotations

import json
from pathlib import Path

import bake
import pytest
from life import twin

pytestmark = pytest.mark.slow

CELL = {"cell_type": "code", "execution_count": 1, "metadata": {}, "source": ["1"]}
OUTPUT = {"output_type": "stream", "name": "stdout", "text": ["Ann, 33\n"]}
EXTRA = "requirements/extra.in"  # a person writes it, beside locks full of digests
NOTEBOOK = {"cells": [CELL | {"outputs": [OUTPUT]}], "metadata": {}, "nbformat": 4}
LEAK = CELL | {"source": [f"connect(password='{'q7Xv2' * 5}')"], "outputs": []}
# hook, a file and what is wrong with it
FAULTS = [
    ("merge-conflict", "notes.md", "<<<<<<< HEAD\na\n=======\nb\n>>>>>>> other\n"),
    ("large-files", "table.csv", "1234567\n" * 140_000),
    ("notebooks", "look.ipynb", json.dumps(NOTEBOOK | {"nbformat_minor": 4})),
    ("secrets", "look.ipynb", json.dumps(NOTEBOOK | {"cells": [LEAK], "nbformat_minor": 4})),
    ("secrets", "login.sh", "export DB_PASSWORD=" + "q7Xv2" * 5 + "\n"),
    ("secrets", EXTRA, f"thing @ git+https://user:{'q7Xv2' * 5}@example.com/thing.git\n"),
    ("format", "src/extra.py", "x = [1,2]\n"),
    ("lint", "src/extra.py", "import os\n"),
    ("types", "src/extra.py", 'x: int = "one"\n'),
]
HOOKS = {hook for hook, _, _ in FAULTS}


@pytest.fixture(scope="module")
def hooked(lived: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = twin(lived, tmp_path_factory.mktemp("hooked") / "project")
    bake.commit(project, "As it is")
    return project


def commits(project: Path, *hooks: str) -> tuple[int, str]:
    """What pre-commit says of everything that is staged."""
    bake.git(project, "add", "--all")
    command = project / ".venv/bin/pre-commit"
    source = bake.code_of(project)
    done = bake.run(command, "run", "--all-files", *hooks, cwd=project, PYTHONPATH=source)
    return done.returncode, done.stdout


def test_a_fresh_project_passes_every_hook(hooked: Path) -> None:
    code, said = commits(hooked)
    assert code == 0, said
    assert said.count("Passed") + said.count("Skipped") == len(HOOKS)


@pytest.mark.parametrize(
    ("hook", "name", "content"), FAULTS, ids=[f"{hook} {name}" for hook, name, _ in FAULTS]
)
def test_a_hook_refuses_what_it_is_for(hook: str, name: str, content: str, hooked: Path) -> None:
    path = hooked / name
    before = path.read_bytes() if path.exists() else None
    path.write_text(content, encoding="utf-8")
    try:
        code, said = commits(hooked, hook)
        assert code == 1, said
        assert "Failed" in said
        if hook == "notebooks":
            assert "Ann" not in path.read_text(encoding="utf-8")
    finally:
        path.unlink()
        if before is not None:
            path.write_bytes(before)
