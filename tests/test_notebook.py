"""The first notebook of a project that ran: its cells, as Jupyter would run them (slow)."""

from __future__ import annotations

import json
from pathlib import Path

import bake
import pytest
from service import package

pytestmark = pytest.mark.slow

FIRST = "notebooks/first.ipynb"
# Each cell in turn, and its last line shown, from the folder of the notebook.
RUNS = """
import ast, json
names = {}
for cell in json.load(open("first.ipynb", encoding="utf-8"))["cells"]:
    if cell["cell_type"] == "code":
        *lines, last = ast.parse("".join(cell["source"])).body
        exec(compile(ast.Module(lines, []), "cell", "exec"), names)
        print(eval(ast.unparse(last), names))
"""


def test_the_first_notebook_shows_rows_champion_answers_and_figures(lived: Path) -> None:
    python, source = lived / ".venv/bin/python", bake.code_of(lived)
    done = bake.run(python, "-c", RUNS, cwd=(lived / FIRST).parent, PYTHONPATH=source)
    assert done.returncode == 0, done.stderr
    champion = json.loads((lived / "models/champion.json").read_text(encoding="utf-8"))
    assert champion["digest"][:16] in done.stdout
    assert "defaulted" in done.stdout
    assert "probability_yes" in done.stdout
    metrics = json.loads((lived / "reports/metrics.json").read_text(encoding="utf-8"))
    assert all(name in done.stdout for name in metrics)
    assert package(lived) in (lived / FIRST).read_text(encoding="utf-8")


def test_it_has_no_outputs_and_names_no_version(lived: Path) -> None:
    for cell in json.loads((lived / FIRST).read_text(encoding="utf-8"))["cells"]:
        assert cell.get("outputs", []) == []
        assert cell.get("execution_count") is None
