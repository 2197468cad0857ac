"""LightGBM and XGBoost in a project that adds them: locked, set up, trained, judged (slow)."""

from __future__ import annotations

import json
import random
from pathlib import Path

import bake
import pytest
from life import champion, make

pytestmark = pytest.mark.slow


def loans(path: Path, rows: int = 1200) -> None:
    """Ages with gaps, cities of many spellings, a label and a year that follow from them."""
    draw, lines = random.Random(3), ["age,waited,city,left,year"]
    for _ in range(rows):
        age, waited = draw.gauss(50, 12), draw.expovariate(1 / 3)
        city = draw.choice(["Köln", "Zürich", "São Paulo", "東京"])
        pull = (age - 50) / 12 + 1.2 * (city == "Köln") - 0.4 * waited + draw.gauss(0, 0.6)
        told = "" if draw.random() < 0.08 else f"{age:.3f}"
        label = "yes" if pull > -0.6 else "no"
        lines.append(f"{told},{waited:.3f},{city},{label},{1990 + 5 * pull:.2f}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def name_it(project: Path, estimator: str, params: str) -> None:
    path = project / "model_config.yaml"
    text = path.read_text(encoding="utf-8")
    lines = [
        f"  estimator: {estimator}"
        if line.startswith("  estimator:")
        else f"  params: {params}"
        if line.startswith("  params:")
        else line
        for line in text.splitlines()
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_both_are_trained_by_naming_them_and_kept_as_trees(template: Path, tmp_path: Path) -> None:
    project = bake.by_cookiecutter(template, tmp_path / "born", {})  # with a .venv of its own
    bake.commit(project, "Born")
    extra = project / "requirements/extra.in"
    extra.write_text(extra.read_text(encoding="utf-8") + "lightgbm\nxgboost-cpu\n")
    make(project, "lock")
    make(project, "setup")
    table = tmp_path / "loans.csv"
    loans(table)
    for target, name, params in (
        ("left", "lightgbm", "{verbose: -1, num_leaves: 7}"),
        ("year", "xgboost", "{max_depth: 3, n_estimators: 50}"),
    ):
        other = {"left": "year", "year": "left"}[target]
        lines = [line.split(",") for line in table.read_text(encoding="utf-8").splitlines()]
        drop = lines[0].index(other)
        one = tmp_path / f"{target}.csv"
        kept = [",".join(c for at, c in enumerate(row) if at != drop) for row in lines]
        one.write_text("\n".join(kept) + "\n", encoding="utf-8")
        make(project, "adopt", f"DATA={one}", f"TARGET={target}", "SENSITIVE=")
        name_it(project, name, params)
        said = make(project, "run")
        assert "treelite form" in said
        manifest = project / champion(project)["model"] / "model.json"
        kept_as = json.loads(manifest.read_bytes())["identity"]
        assert kept_as["estimator"] == name
        assert kept_as["model"]["limit"] == (1e-9 if name == "lightgbm" else 2e-6)
        assert "[LightGBM]" not in said
    done = bake.run(
        *(project / ".venv/bin/python", "-m", "pytest", "-q", "-c", "pytest.ini", "--confcutdir=."),
        *(f"--basetemp={tmp_path / 'kit'}", "-p", "no:cacheprovider", "unit/test_boosters.py"),
        cwd=bake.ROOT / "tests/kit",
        NEEDS_BOOSTERS="1",
        PYTHONDONTWRITEBYTECODE="1",
        PYTHONPATH=str(bake.ROOT / bake.TREE / "vendor"),
    )
    assert done.returncode == 0, done.stdout
    assert "skipped" not in done.stdout
