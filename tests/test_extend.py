"""docs/extend.md: every example of the page is put into a project and runs."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import bake
import pytest
import service as services
import yaml
from life import attempt, make, twin

PAGE = "docs/extend.md"
BLOCK = re.compile(r"^`([\w./<>]+)`:\n\n```\w+\n(.*?)^```$", re.M | re.S)
COSTS = ("costs", "AMOUNT=500")


def examples(page: str) -> dict[str, str]:
    """Text by the name of the file it belongs to."""
    return dict(BLOCK.findall(page))


def merged(kept: Any, new: Any) -> Any:
    if not isinstance(kept, dict):
        return new
    return kept | {key: merged(kept.get(key), value) for key, value in new.items()}


def extend(project: Path) -> None:
    """Put every example of the page into the project."""
    package = project / "src" / services.package(project)
    for name, text in examples((project / PAGE).read_text(encoding="utf-8")).items():
        if name.endswith(".yaml"):
            settings = yaml.safe_load((project / name).read_text(encoding="utf-8"))
            settings = merged(settings, yaml.safe_load(text))
            (project / name).write_text(yaml.safe_dump(settings), encoding="utf-8")
        elif name == "__main__.py":
            main = package / name
            before = main.read_text(encoding="utf-8")
            (old,) = re.findall(r"^PROJECT = .*?^\)\n", before, re.M | re.S)
            main.write_text(before.replace(old, text), encoding="utf-8")
        else:
            assert not (package / name).exists()
            (package / name).write_text(text, encoding="utf-8")


def test_the_page_has_an_example_of_every_place(project: Path) -> None:
    found = examples((project / PAGE).read_text(encoding="utf-8"))
    places = re.findall(r'"(\w+):\w+"', found["__main__.py"])
    assert {f"{name}.py" for name in places} - {"features.py", "model.py", "load.py"} == {
        name for name in found if name.endswith(".py") and name != "__main__.py"
    }
    born = project / "src" / services.package(project)
    assert [name for name in found if name != "__main__.py" and (born / name).exists()] == []


@pytest.mark.slow
def test_the_examples_run_and_pass_the_checks_of_the_project(lived: Path, tmp_path: Path) -> None:
    mine = twin(lived, tmp_path / "mine")
    extend(mine)
    said = make(mine, "run")
    report = json.loads((mine / "reports/evaluation.json").read_bytes())
    assert report["headline"] == "neg_loss"
    assert {part["metric"] for part in report["slices"]} == {"neg_loss"}
    assert "performance.floors.neg_loss" in said
    order = [said.index(f"\n{word}:") for word in ("evaluate", "costs", "gate")]
    assert order == sorted(order)
    assert "costs:" in make(mine, "gate")
    assert "neg_loss" in (mine / "reports/report.html").read_text(encoding="utf-8")
    data = json.loads((mine / "data/prepared/data.json").read_bytes())
    assert data["cuts"] is None
    encoder = json.loads((mine / "models/candidate/encoder.json").read_bytes())
    assert encoder["own"]["columns"] == ["income_to_usual"]
    assert "income_to_usual" in [column["name"] for column in encoder["state"]]
    environment = {"PYTHONPATH": bake.code_of(mine)}
    assert "a loan of 500" in services.stage(mine, *COSTS, **environment)
    make(mine, "check")
    refuse(mine, "checks.py", "100 *", "0.1 *", "'loan_amount' fails 'affordable' in ")


def refuse(project: Path, name: str, old: str, new: str, says: str) -> None:
    """A fault in a file of the user's is a clear message of `make run`."""
    path = project / "src" / services.package(project) / name
    before = path.read_text(encoding="utf-8")
    assert old in before
    path.write_text(before.replace(old, new), encoding="utf-8")
    done = attempt(project, "run")
    assert done.returncode != 0
    assert says in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    path.write_text(before, encoding="utf-8")
