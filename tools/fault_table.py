"""Plant every fault, and write the section `faults` of docs/figures.md, misses included.

python tools/fault_table.py [NAME...]: with names of rows, only their lines are written anew.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import bake
from faults.registry import Fault, load
from figures import FIGURES, machine, section
from test_faults import Worker

SHOWN = 110  # letters of a message
MISS = "**nothing: a miss**"
HEAD = ["| fault | refused by | message | adopted table |", "|---|---|---|---|"]


def cell(text: str) -> str:
    """Text that a Markdown table may hold."""
    one = " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
    return one if len(one) <= SHOWN else one[: SHOWN - 1] + "…"


def table(rows: list[Fault], worker: Worker) -> list[str]:
    """One line a fault: what refused it, its words, and the outcome on the adopted table."""
    lines = []
    for row in rows:
        found = worker.ask(key=row.key, adopted=False)
        twin = worker.ask(key=row.key, adopted=True) if row.twin else {"outcome": "not planted"}
        by = found["by"].removeprefix("process:") or MISS
        if found["outcome"] not in ("refused", "missed"):
            by = f"**{found['outcome']}** ({by})"
        message = cell(found["message"].removeprefix("ERROR: "))
        lines.append(f"| {row.id} {row.name} | {by} | {message} | {twin['outcome']} |")
        print(f"{row.key}: {found['outcome']}, {twin['outcome']}", file=sys.stderr)
    return lines


def total(lines: list[str]) -> str:
    """How many faults were refused, missed or worse, on each table."""
    counts: dict[str, int] = {}
    for line in lines:
        _, by, *_, twin = line.strip("| ").split(" | ")
        outcome = "missed" if by == MISS else by.split("**")[1] if "**" in by else "refused"
        for name in (outcome, f"{twin} (adopted)"):
            counts[name] = counts.get(name, 0) + 1
    parts = [f"{count} {name}" for name, count in sorted(counts.items())]
    return f"{len(lines)} faults: {', '.join(parts)}."


def renew(lines: list[str]) -> None:
    """Put `lines` in place of those of the same faults in docs/figures.md, and count anew."""
    text = FIGURES.read_text(encoding="utf-8")
    for line in lines:
        fault = re.escape(line.split(" | ")[0])
        text, count = re.subn(rf"^{fault} \|.*$", line.replace("\\", r"\\"), text, flags=re.M)
        if count != 1:
            raise SystemExit(f"{FIGURES} has no line {fault}: plant them all, `make faults`")
    kept = re.findall(r"^\| [A-Z]+\d+ .* (?:refused|missed|not planted|wrong|sick) \|$", text, re.M)
    text = re.sub(r"\d+ faults: .*", lambda _: total(kept), text)
    FIGURES.write_text(text, encoding="utf-8", newline="\n")


def rates(found: dict[str, Any]) -> list[str]:
    """Drift: alarms of one window of 20 columns by its rows."""
    lines = ["| rows | no shift | 0.1 sd | 0.2 sd | 0.3 sd |", "|---|---|---|---|---|"]
    for rows in ("500", "1000", "10000", "100000"):
        shares = " | ".join(f"{found[rows][shift]:.1%}" for shift in ("0.0", "0.1", "0.2", "0.3"))
        lines.append(f"| {int(rows):,} | {shares} |")
    return lines


def sweeps(worker: Worker) -> list[str]:
    """Poison by its share of the rows, on both tables."""
    both = [worker.ask(drill="sweep", base=base) for base in ("default", "adopted")]
    lines = ["| planted | share | starter table | adopted table |", "|---|---|---|---|"]
    for kind, points in both[0].items():
        if kind == "seconds":
            continue
        for share in points:
            cells = " | ".join(poisoned(kind, float(share), found[kind][share]) for found in both)
            lines.append(f"| {kind} | {float(share):.2%} | {cells} |")
    return lines


def poisoned(kind: str, share: float, point: dict[str, Any]) -> str:
    """What refused it; where nothing did, how many answers the value of a trigger turns."""
    if point["by"]:
        return f"{point['by']}: {', '.join(dict.fromkeys(point['lines']))}"
    turned = f"{point['turned']:.0%} turned" if "trigger" in kind else ""
    return ", ".join(filter(None, ("**missed**" if share else "clean", turned)))


def drills(worker: Worker) -> list[str]:
    """One line each."""
    kills = worker.ask(drill="kills", moments=20)
    disk = worker.ask(drill="full_disk")
    seeds = worker.ask(drill="seeds", count=20)
    kinds = "first model, then 10 % more rows"
    mlflow = worker.ask(drill="mlflow")
    made = sum(bool(mlflow[name]["champion"]) for name in ("down", "silent", "other"))
    return [
        "| drill | result |",
        "|---|---|",
        f"| T36 SIGKILL at {kills['killed']} random moments | {len(kills['half_written'])} "
        f"half-written results counted, {kills['not_finished']} next runs did not finish |",
        f"| T36 disk full at 5 points | {disk['refused']} refused with one message, "
        f"{len(disk['half_written'])} half-written results counted |",
        f"| T35 MLflow down, silent, something else | champion made {made} of 3 times |",
        f"| {seeds['count']} clean seeds: {kinds} | {len(seeds['refused'])} false refusals |",
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
        lines = table(rows, worker)
        if names:
            worker.ended()
            renew(lines)
            return
        drift = worker.ask(drill="drift", windows=300)
        poison = sweeps(worker)
        done = drills(worker)
        worker.ended()
    parts = [
        f"Measured {machine()}. {total(lines)}",
        "\n".join([*HEAD, *lines]),
        "Rows that somebody changed, where there is a champion of the table before. T27: labels\n"
        "flipped. T28: rows with a value that brings the wanted label; turned: share\n"
        "of the hold-out rows with another answer that get the wanted one by that value alone:",
        "\n".join(poison),
        "Alarms of one window of 20 columns against a profile of 8,000 rows, default settings:",
        "\n".join(rates(drift)),
        "\n".join(done),
    ]
    section("faults", "\n\n".join(parts))


if __name__ == "__main__":
    main(sys.argv[1:])
