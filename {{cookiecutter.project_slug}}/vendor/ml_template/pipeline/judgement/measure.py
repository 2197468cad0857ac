"""Cost and speed of an artifact in a process of its own: `python -m PACKAGE measure MODEL=DIR`.

A process that has trained a model cannot tell what serving it costs; this one only loads it.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
from pathlib import Path
from time import perf_counter

import numpy as np

from ... import project
from ...model import artifact
from ...model.forms import gap
from ...settings.config import InputError
from ...tables import table

BATCH = 10_000
MAX_CALLS, MIN_CALLS, SECONDS = 2_000, 200, 1.0
_TIMEOUT = 300.0  # seconds: a model that is not measured by then is refused


def measure(folder: Path) -> dict[str, float]:
    """Figures of the artifact in `folder`; raises InputError when it does not load or answer."""
    environment = os.environ | {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
    try:
        done = subprocess.run(
            project.command("measure", MODEL=folder),
            capture_output=True,
            encoding="utf-8",
            errors="backslashreplace",
            timeout=_TIMEOUT,
            env=environment,
        )
    except subprocess.TimeoutExpired:
        raise InputError(f"{folder}: not loaded and measured within {_TIMEOUT:.0f} s") from None
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-1:] or [f"ended with code {done.returncode}"]
        raise InputError(f"{folder}: the model cannot be measured: {last[0]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def figures(folder: Path) -> dict[str, float]:
    """Size, load time, memory, speed and repeatability, on the rows of the known answers."""
    start = perf_counter()
    model = artifact.load(folder)
    load_seconds = perf_counter() - start
    rows = artifact.known_rows(model.identity)
    count = table.rows(rows)
    singles = [table.take(rows, np.array([at])) for at in range(count)]
    answers = model.predict(rows)
    alone = np.concatenate([model.predict(row) for row in singles])
    times = _times(model, singles)
    batch = table.take(rows, np.arange(BATCH) % count)
    start = perf_counter()
    model.predict(batch)
    batch_seconds = perf_counter() - start
    return {
        "mb": sum(file.stat().st_size for file in folder.iterdir()) / 1e6,
        "load_seconds": load_seconds,
        "memory_mb": peak_bytes() / 1e6,
        "p50_ms": float(np.percentile(times, 50)) * 1e3,
        "p99_ms": float(np.percentile(times, 99)) * 1e3,
        "rows_per_second": BATCH / batch_seconds,
        "difference": max(
            gap(model.identity["model"], alone, answers),
            gap(model.identity["model"], model.predict(rows), answers),
        ),
    }


def peak_bytes() -> int:
    """Largest memory of this process.

    Linux: VmHWM, because ru_maxrss starts with the memory of the process that started this one.
    """
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # macOS counts in bytes
    fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
    return int(fields["VmHWM"].split()[0]) * 1024


def _times(model: artifact.Model, singles: list[table.Columns]) -> list[float]:
    """Seconds of one-row predictions, after as many rows of warming up as there are."""
    times: list[float] = []
    began = perf_counter()
    while len(times) < MAX_CALLS and (len(times) < MIN_CALLS or perf_counter() - began < SECONDS):
        row = singles[len(times) % len(singles)]
        start = perf_counter()
        model.predict(row)
        times.append(perf_counter() - start)
    return times


def run(settings: dict[str, str]) -> None:
    """Print the figures of the folder MODEL as JSON: `measure` in a process of its own."""
    print(json.dumps(figures(Path(settings["MODEL"])), allow_nan=False))
