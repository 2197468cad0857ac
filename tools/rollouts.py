"""Simulate rollouts, run their drills, and write the sections `rollouts` and `load` of
docs/figures.md; `rollouts` or `load` as the only word measures that one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import bake
from figures import machine, section

Drill = dict[str, Any]
BUSY = "busy_processes"  # in the names of the drills next to them


def simulated(folder: Path) -> dict[str, Any]:
    """T48, of a new project: `failures`: rate -> share ended, seconds, failed requests; `judged`:
    healthy rollouts by all of `decide`: their number, share ended.
    """
    project = bake.by_cookiecutter(bake.ROOT, folder / "project", {})
    bake.run("make", "setup", cwd=project).check_returncode()
    python = project / ".venv/bin/python"
    kit = {"PYTHONPATH": str(project / "vendor"), "PYTHONDONTWRITEBYTECODE": "1"}
    done = bake.run(python, "-m", "kit.unit.rollouts", cwd=bake.ROOT / "tests", **kit)
    done.check_returncode()
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def drilled(folder: Path, which: str) -> list[Drill]:
    """The figures of the drills of these names; raises CalledProcessError where one of them fails.

    FULL_MATRIX: a healthy release next to busy processes ten times, not once.
    """
    told = folder / "drills.jsonl"
    command = [sys.executable, "-m", "pytest", "-q", "-k", which, "tests/test_rollout.py"]
    environment = os.environ | {"DRILL_FIGURES": str(told), "FULL_MATRIX": "1"}
    subprocess.run(command, cwd=bake.ROOT, env=environment, check=True)
    return [json.loads(line) for line in told.read_text(encoding="utf-8").splitlines()]


def simulations(found: dict[str, Any]) -> list[str]:
    """One line a rate; where no rollout was ended there is no time of it."""
    lines = [
        "| T48: canary fails | rollouts ended | seconds | failed requests |",
        "|---|---|---|---|",
    ]
    for rate, (ended, seconds, failed) in found["failures"].items():
        cost = f"{seconds:.0f} | {failed:.0f}" if ended else "- | -"
        lines.append(f"| {float(rate):.1%} | {ended:.2%} | {cost} |")
    runs, ended = found["judged"]
    lines.append(f"| {runs:,} healthy ones, by all of `decide` | {ended:.2%} | - | - |")
    return lines


def releases(drills: list[Drill]) -> list[str]:
    """One line a bad release."""
    lines = [
        "| T50: bad release | s to rollback | failed of requests | availability | reason |",
        "|---|---|---|---|---|",
    ]
    for drill in drills:
        if drill["drill"].startswith("T50 "):
            lines.append(
                f"| {drill['drill'][4:]} | {drill['seconds']:.1f} | {drill['failed']} of "
                f"{drill['requests']:,} | {drill['availability']:.2%} | {drill['reason']} |"
            )
    return lines


def busy(drills: list[Drill]) -> list[str]:
    """Rollouts next to eight busy processes: healthy ones that were ended, and a slow one."""
    healthy = [drill for drill in drills if drill["drill"] == "busy next"]
    ended, times = sum(drill["ended"] for drill in healthy), [d["seconds"] for d in healthy]
    lines = ["| next to 8 busy processes | ended | seconds |", "|---|---|---|"]
    lines.append(f"| healthy | {ended} of {len(healthy)} | {min(times):.0f} to {max(times):.0f} |")
    lines += [
        f"| slow | 1 of 1 | {drill['seconds']:.0f} |"
        for drill in drills
        if drill["drill"] == "busy slow"
    ]
    return lines


def others(drills: list[Drill]) -> list[str]:
    """One line each of the other drills, by the names of their figures."""
    lines = ["| drill | figures |", "|---|---|"]
    for drill in drills:
        name = drill["drill"]
        if not name.startswith("T50 "):
            values = {key: value for key, value in drill.items() if key != "drill"}
            told = ", ".join(f"{key.replace('_', ' ')} {v:,.4g}" for key, v in values.items())
            lines.append(f"| {name} | {told} |")
    return lines


def text(*parts: list[str]) -> str:
    return "\n\n".join("\n".join(lines) for lines in [[f"{machine()}."], *parts])


def main(words: list[str]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "home").mkdir()
        (folder / "project").mkdir()
        environment = bake.scrubbed(os.environ, folder / "home")
        environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
        os.environ.clear()
        os.environ.update(environment)
        if "rollouts" in words:
            found, drills = simulated(folder), drilled(folder, f"not {BUSY}")
            section("rollouts", text(simulations(found), releases(drills), others(drills)))
        if "load" in words:
            section("load", text(busy(drilled(folder, BUSY))))


if __name__ == "__main__":
    main(sys.argv[1:] or ["rollouts", "load"])
