"""Plant every fault, and write the section `faults` of docs/figures.md, misses included.

python tools/fault_table.py [NAME...]: with names of rows, only those, and nothing is written.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import bake
from faults.registry import Fault, load
from figures import machine, section
from test_faults import Worker

SHOWN = 110  # letters of a message


def cell(text: str) -> str:
    """Text that a Markdown table may hold."""
    one = " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
    return one if len(one) <= SHOWN else one[: SHOWN - 1] + "…"


def table(rows: list[Fault], worker: Worker) -> tuple[list[str], dict[str, int]]:
    """One line a fault, and how many were refused, missed or worse on each table."""
    lines = ["| fault | refused by | message | adopted table |", "|---|---|---|---|"]
    counts: dict[str, int] = {}
    for row in rows:
        found = worker.ask(key=row.key, adopted=False)
        twin = worker.ask(key=row.key, adopted=True) if row.twin else {"outcome": "not planted"}
        by = found["by"].removeprefix("process:") or "**nothing: a miss**"
        counts[found["outcome"]] = counts.get(found["outcome"], 0) + 1
        if row.twin:
            key = f"{twin['outcome']} (adopted)"
            counts[key] = counts.get(key, 0) + 1
        message = cell(found["message"].removeprefix("ERROR: "))
        lines.append(f"| {row.id} {row.name} | {by} | {message} | {twin['outcome']} |")
        print(f"{row.key}: {found['outcome']}, {twin['outcome']}", file=sys.stderr)
    return lines, counts


def rates(found: dict[str, Any]) -> list[str]:
    """Drift: alarms of one window of 20 columns by its rows."""
    lines = ["| rows | no shift | 0.1 sd | 0.2 sd | 0.3 sd |", "|---|---|---|---|---|"]
    for rows in ("500", "1000", "10000", "100000"):
        shares = " | ".join(f"{found[rows][shift]:.1%}" for shift in ("0.0", "0.1", "0.2", "0.3"))
        lines.append(f"| {int(rows):,} | {shares} |")
    return lines


def drills(worker: Worker) -> list[str]:
    """One line each."""
    kills = worker.ask(drill="kills", moments=20)
    disk = worker.ask(drill="full_disk")
    seeds = worker.ask(drill="seeds", count=20)
    mlflow = worker.ask(drill="mlflow")
    made = sum(bool(mlflow[name]["champion"]) for name in ("down", "silent", "other"))
    return [
        "| drill | result |",
        "|---|---|",
        f"| T36 SIGKILL at {kills['moments']} random moments | {len(kills['half_written'])} "
        f"half-written results counted, {kills['not_finished']} next runs did not finish |",
        f"| T36 disk full at 5 points | {disk['refused']} refused with one message, "
        f"{len(disk['half_written'])} half-written results counted |",
        f"| T35 MLflow down, silent, something else | champion made {made} of 3 times |",
        f"| {seeds['count']} clean seeds | {len(seeds['refused'])} false refusals |",
    ]


def main(names: list[str]) -> None:
    """Plant, and write."""
    rows = [row for row in load() if not names or row.key in names]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in ("home", "project", "copies"):
            (folder / part).mkdir()
        clean = bake.scrubbed(os.environ, folder / "home")
        clean["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{clean['PATH']}"
        os.environ.clear()
        os.environ.update(clean)
        template = bake.freeze(folder / "template")
        bake.commit(template, "Release v0.1.0", tag="v0.1.0")
        project = bake.by_cookiecutter(template, folder / "project", {})
        bake.run("make", "setup", cwd=project).check_returncode()
        worker = Worker(project, folder / "copies")
        lines, counts = table(rows, worker)
        if names:
            print("\n".join(lines))
            return
        drift = worker.ask(drill="drift", windows=300)
        done = drills(worker)
        worker.ended()
    total = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
    parts = [
        f"Measured {machine()}. {len(rows)} faults: {total}.",
        "\n".join(lines),
        "Alarms of one window of 20 columns against a profile of 8,000 rows, default settings:",
        "\n".join(rates(drift)),
        "\n".join(done),
    ]
    section("faults", "\n\n".join(parts))


if __name__ == "__main__":
    main(sys.argv[1:])
