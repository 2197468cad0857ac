"""Measure the service next to its rivals, and write docs/figures.md.

bench.py [WORD...] [SECONDS]; without a word all but the soak:
compare    each service at one row and 100 rows, one and two workers
rate       latencies at 1,000 requests a second
health     /health while the largest requests are answered
columns    one row of texts, datetime parts and many labels next to the ceiling
overload   good answers at 1, 2 and 4 times what the service can do, and recovery
soak       growth of memory

Every service gets the same client, the same rows and the same model, one after another.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path

import bake
import figures
import service as services
import tables
from clients import ask, wrk
from contest import RIVALS, Setup, memory, prepare, running

CLIENTS = {1: 32, 100: 4}  # rows in a request: connections


def compare(setup: Setup, seconds: float) -> list[str]:
    """Each service at one row and 100 rows, one worker and two."""
    rows = [
        "| service | workers | rows | req/s | of ours | p50 ms | p99 ms | MB | ready s |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    ours: dict[tuple[int, int], float] = {}
    for workers in (1, 2):
        for name, (_, path, key) in RIVALS.items():
            if name == "its ceiling" and workers > 1:
                continue
            with running(setup, name, workers) as (port, ready, leader):
                for count, connections in CLIENTS.items():
                    body = json.dumps({key: [setup.record] * count})
                    wrk(port, path, body, connections, 1)
                    speed = wrk(port, path, body, connections, seconds)
                    base = ours.setdefault((workers, count), speed.per_second)
                    rows.append(
                        f"| {name} | {workers} | {count} | {speed.per_second:,.0f} "
                        f"| {speed.per_second / base:.3f} | {speed.p50:.2f} | {speed.p99:.2f} "
                        f"| {memory(leader):,.0f} | {ready:.2f} |"
                    )
    return rows


def rate(setup: Setup, seconds: float) -> list[str]:
    """Latencies of one-row requests of 1,000 clients that ask once a second."""
    with running(setup, "this service", 1) as (port, _, _):
        body = json.dumps({"records": [setup.record]})
        wrk(port, "/predict", body, 8, 1)
        seen = wrk(port, "/predict", body, 1000, seconds, think=1.0)
    return [
        f"{seen.per_second:,.0f} requests a second of 1,000 clients, one row: p50 {seen.p50:.2f} "
        f"ms, p99 {seen.p99:.2f} ms, {seen.failed} refused."
    ]


def health(setup: Setup, seconds: float) -> list[str]:
    """How long /health takes while another client sends the largest request again and again."""
    with running(setup, "this service", 1) as (port, _, _):
        large = json.dumps({"records": [setup.record] * 1000})
        busy = threading.Thread(target=wrk, args=(port, "/predict", large, 1, seconds))
        busy.start()
        times = []
        while busy.is_alive():
            begin = time.perf_counter()
            assert ask(port, "GET", "/health") == 200
            times.append((time.perf_counter() - begin) * 1000)
            time.sleep(0.01)
    return [
        f"/health during requests of 1,000 rows ({len(large) / 1000:,.0f} kB), {len(times):,} "
        f"times: median {statistics.median(times):.1f} ms, most {max(times):.1f} ms."
    ]


def columns(setup: Setup, seconds: float) -> list[str]:
    """One row of tables with other columns than the starter's, next to the ceiling of each."""
    rows = ["| table | req/s | of its ceiling |", "|---|---|---|"]
    for kind in ("a datetime by the hour", "text, datetime and others", "many labels"):
        project, _ = tables.adopted(setup.project, setup.forms, kind)
        code = bake.code_of(project)
        services.stage(project, "prepare", "validate", "train", PYTHONPATH=code)
        with services.serving(project) as service:
            record = json.loads(service.body)["records"][0]
        body = json.dumps({"records": [record]})
        one, speeds = replace(setup, project=project, record=record), []
        for name in ("this service", "its ceiling"):
            with running(one, name, 1) as (port, _, _):
                wrk(port, "/predict", body, CLIENTS[1], 1)
                speeds.append(wrk(port, "/predict", body, CLIENTS[1], seconds).per_second)
        rows.append(f"| {kind} | {speeds[0]:,.0f} | {speeds[0] / speeds[1]:.3f} |")
    return rows


def overload(setup: Setup, seconds: float) -> list[str]:
    """Good answers where clients ask for more than the service can do: 100 rows, once a second."""
    rows = ["| of its capacity | clients | good/s | of 1x | refused/s | p99 ms |"]
    rows.append("|---|---|---|---|---|---|")
    with running(setup, "this service", 1) as (port, _, _):
        body = json.dumps({"records": [setup.record] * 100})
        calm = _probe(port, body)
        capacity = wrk(port, "/predict", body, 16, seconds).per_second
        base = 0.0
        for times in (1, 2, 4):
            clients = round(times * capacity)
            seen = wrk(port, "/predict", body, clients, seconds, think=1.0)
            base = base or seen.per_second
            rows.append(
                f"| {times}x | {clients:,} | {seen.per_second:,.0f} "
                f"| {seen.per_second / base:.2f} | {seen.failed / seconds:,.0f} | {seen.p99:.0f} |"
            )
        begin = time.perf_counter()
        while _probe(port, body) > 2 * calm and time.perf_counter() - begin < 60:
            pass
        recovery = time.perf_counter() - begin
    back = f"Recovery (median of 20 requests back below twice the calm): {recovery:.2f} s."
    return [*rows, "", back]


def _probe(port: int, body: str) -> float:
    """Median seconds of 20 requests, one after another."""
    times = []
    for _ in range(20):
        begin = time.perf_counter()
        ask(port, "POST", "/predict", body)
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def soak(setup: Setup, seconds: float) -> list[str]:
    """Growth of memory under one-row and 100-row requests, good and bad ones."""
    bodies = [
        json.dumps({"records": [setup.record]}),
        json.dumps({"records": [setup.record] * 100}),
        json.dumps({"records": [setup.record | {"never": 1}]}),
        "{",
    ]
    requests = 0.0
    with running(setup, "this service", 1) as (port, _, leader):
        for body in bodies:
            wrk(port, "/predict", body, 8, max(1, seconds / 20))
        before, peak = memory(leader), 0.0
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for body in bodies:
                part = max(1, min(10, seconds / 8))
                speed = wrk(port, "/predict", body, 8, part)
                requests += speed.per_second * part + speed.failed
            peak = max(peak, memory(leader))
        after = memory(leader)
    growth = (after - before) / requests * 10_000
    return [
        f"Soak of {seconds / 60:.1f} minutes, {requests:,.0f} requests: {before:.1f} MB before, "
        f"{after:.1f} MB after, peak {peak:.1f} MB: {growth:+.4f} MB in 10,000 requests."
    ]


WORDS = {
    "compare": compare,
    "rate": rate,
    "health": health,
    "columns": columns,
    "overload": overload,
    "soak": soak,
}


def main(words: list[str]) -> None:
    """Measure what is named, and write the section of that name; --print writes nothing."""
    names = [word for word in words if word in WORDS] or [word for word in WORDS if word != "soak"]
    seconds = next((float(word) for word in words if word[0].isdigit()), 10.0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "home").mkdir()
        clean = bake.scrubbed(os.environ, folder / "home")
        clean["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{clean['PATH']}"
        os.environ.clear()
        os.environ.update(clean)
        setup = prepare(folder)
        for word in names:
            measured = "\n".join(WORDS[word](setup, seconds))
            text = f"{measured}\n\nMeasured {figures.machine()}; {seconds:g} s each."
            print(text, flush=True)
            if "--print" not in words:
                figures.section(word, text)


if __name__ == "__main__":
    main(sys.argv[1:])
