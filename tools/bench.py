"""Measure the service next to its rivals, and write the section `serve` of docs/figures.md.

bench.py [SECONDS]          each service at one row and 100 rows, one and two workers
bench.py rate [SECONDS]     p99 at 1,000 requests a second
bench.py overload [SECONDS] answers at 1, 2 and 4 times the clients, and recovery
bench.py soak [SECONDS]     growth of memory

Every service gets the same client (wrk), the same rows and the same model, one after another.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

import bake
import figures
import service as services

TOOLS = Path(__file__).parent
CLIENTS = {1: 8, 100: 4}  # rows in a request: connections
LUA = 'wrk.method = "POST"\nwrk.headers["content-type"] = "application/json"\n'


@dataclass(frozen=True)
class Speed:
    """What wrk saw: answers of 200 a second, latencies in milliseconds."""

    per_second: float
    p50: float
    p99: float
    failed: int


@dataclass(frozen=True)
class Setup:
    """A project with its model, and the forms of it that the rivals need."""

    project: Path
    forms: Path
    bento: Path
    record: dict[str, object]

    def environment(self) -> dict[str, str]:
        return {
            "BENCH_FORMS": str(self.forms),
            "PACKAGE": services.package(self.project),
            "PYTHONPATH": f"src:{TOOLS}",
            "PATH": f"{self.project / '.venv/bin'}{os.pathsep}{os.environ['PATH']}",
            "OMP_NUM_THREADS": "1",
            "BENTOML_DO_NOT_TRACK": "True",
            "MLFLOW_DISABLE_TELEMETRY": "true",
        }


Command = Callable[[Setup, int, int], list[str]]


def _python(setup: Setup) -> str:
    return str(setup.project / ".venv/bin/python")


RIVALS: dict[str, tuple[Command, str, str]] = {  # name: command, path, key of the records
    "this service": (
        lambda s, port, workers: [
            *(_python(s), "-m", services.package(s.project), "serve"),
            *(f"MODEL={services.MODEL}", f"PORT={port}", f"WORKERS={workers}"),
        ],
        "/predict",
        "records",
    ),
    "its ceiling": (
        lambda s, port, workers: [_python(s), str(TOOLS / "rivals.py"), "ceiling", str(port)],
        "/predict",
        "records",
    ),
    "FastAPI + pandas": (
        lambda s, port, workers: [
            *(_python(s), str(TOOLS / "rivals.py"), "plain", str(port), str(workers))
        ],
        "/predict",
        "records",
    ),
    "BentoML": (
        lambda s, port, workers: [
            *(str(s.bento / "bin/bentoml"), "serve", "rivals:Rival", "--port", str(port)),
            *("--host", "127.0.0.1", "--working-dir", str(TOOLS)),
        ],
        "/predict",
        "records",
    ),
    "mlflow models serve": (
        lambda s, port, workers: [
            *(_python(s), "-m", "mlflow", "models", "serve", "--env-manager", "local"),
            *("--model-uri", str(s.forms / "mlflow"), "--port", str(port)),
            *("--workers", str(workers)),
        ],
        "/invocations",
        "dataframe_records",
    ),
}


@contextlib.contextmanager
def running(setup: Setup, name: str, workers: int) -> Iterator[tuple[int, float, int]]:
    """Port, seconds until the first answer, process of a started service."""
    command, path, key = RIVALS[name]
    port = services.free_port()
    begin = time.perf_counter()
    output = setup.forms / "output.txt"
    with output.open("wb") as file:
        process = subprocess.Popen(
            command(setup, port, workers),
            cwd=setup.project,
            env=os.environ | setup.environment() | {"BENCH_WORKERS": str(workers)},
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    try:
        body = json.dumps({key: [setup.record]})
        while _status(port, path, body) != 200:
            if process.poll() is not None or time.perf_counter() - begin > 120:
                said = output.read_text(encoding="utf-8", errors="replace")[-2000:]
                raise SystemExit(f"bench: {name} does not answer:\n{said}")
            time.sleep(0.01)
        yield port, time.perf_counter() - begin, process.pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _status(port: int, path: str, body: str) -> int:
    try:
        connection = HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("POST", path, body, services.JSON)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    except OSError:
        return 0


def memory(leader: int) -> float:
    """Resident MB of all processes of a session."""
    total = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if os.getsid(int(folder.name)) == leader:
                total += int((folder / "statm").read_text().split()[1])
        except (OSError, ProcessLookupError):
            continue
    return total * os.sysconf("SC_PAGE_SIZE") / 1e6


def wrk(port: int, path: str, body: str, connections: int, seconds: float) -> Speed:
    """Drive a service with `connections` clients that ask again as soon as they are answered."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(LUA + f"wrk.body = [==[{body}]==]\n")
        script.flush()
        address = f"http://127.0.0.1:{port}{path}"
        said = subprocess.run(
            [
                *("wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--latency"),
                *("--timeout", "30s", "-s", script.name, address),
            ],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    failed = int(bad[1]) if bad else 0
    total = int(re.search(r"(\d+) requests in", said)[1])  # type: ignore[index]
    per_second = float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1])  # type: ignore[index]
    good = per_second * (total - failed) / total if total else 0.0
    return Speed(good, _milliseconds(said, "50%"), _milliseconds(said, "99%"), failed)


def _milliseconds(said: str, share: str) -> float:
    found = re.search(rf"{share}\s+([\d.]+)(us|ms|s)", said)
    assert found is not None, said
    return float(found[1]) * {"us": 0.001, "ms": 1, "s": 1000}[found[2]]


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


def rate(setup: Setup, seconds: float, per_second: int = 1000) -> list[str]:
    """Latencies at a steady rate: each request has its moment, late ones are not forgiven."""
    latencies: list[float] = []
    with running(setup, "this service", 1) as (port, _, _):
        body = json.dumps({"records": [setup.record]})
        wrk(port, "/predict", body, 8, 1)
        begin = time.perf_counter() + 0.2
        count = 8

        def client(number: int) -> None:
            connection = HTTPConnection("127.0.0.1", port, timeout=60)
            for turn in range(int(seconds * per_second / count)):
                due = begin + (turn * count + number) / per_second
                time.sleep(max(0.0, due - time.perf_counter()))
                connection.request("POST", "/predict", body, services.JSON)
                connection.getresponse().read()
                latencies.append((time.perf_counter() - due) * 1000)

        threads = [threading.Thread(target=client, args=(number,)) for number in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    shares = statistics.quantiles(latencies, n=1000)
    return [
        f"At {per_second:,} requests a second (one row, {len(latencies):,} requests): p50 "
        f"{shares[499]:.2f} ms, p99 {shares[989]:.2f} ms, p99.9 {shares[998]:.2f} ms."
    ]


def overload(setup: Setup, seconds: float) -> list[str]:
    """Good answers a second at 1, 2 and 4 times the clients that fill the service."""
    rows = ["| clients | good req/s | of 1x | refused | p99 ms |", "|---|---|---|---|---|"]
    with running(setup, "this service", 1) as (port, _, _):
        body = json.dumps({"records": [setup.record]})
        calm = _probe(port, body)
        base = 0.0
        for times in (1, 2, 4, 8):
            speed = wrk(port, "/predict", body, 128 * times, seconds)
            base = base or speed.per_second
            rows.append(
                f"| {128 * times} | {speed.per_second:,.0f} | {speed.per_second / base:.2f} "
                f"| {speed.failed:,} | {speed.p99:.1f} |"
            )
        begin = time.perf_counter()
        while _probe(port, body) > 2 * calm and time.perf_counter() - begin < 60:
            pass
        recovery = time.perf_counter() - begin
    return [
        *rows,
        "",
        f"Recovery (median of 20 requests back below twice the calm): {recovery:.2f} s.",
    ]


def _probe(port: int, body: str) -> float:
    """Median seconds of 20 requests, one after another."""
    times = []
    for _ in range(20):
        begin = time.perf_counter()
        _status(port, "/predict", body)
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


def prepare(folder: Path) -> Setup:
    """A project with the default answers and a model, the rivals' forms of it, BentoML."""
    if shutil.which("wrk") is None:
        raise SystemExit("bench: wrk is not installed: install it (Debian: apt-get install wrk)")
    template = bake.freeze(folder / "template")
    bake.commit(template, "Release v0.1.0", tag="v0.1.0")
    project = bake.by_cookiecutter(template, folder / "project", {})
    services.train(project)
    forms, bento = folder / "forms", folder / "bento"
    forms.mkdir()
    python = str(project / ".venv/bin/python")
    subprocess.run(["uv", "venv", "--quiet", "--python", python, bento], check=True)
    lock = TOOLS.parent / "requirements/bench.txt"
    sync = ["uv", "pip", "sync", "--quiet", "--require-hashes", "--python"]
    subprocess.run([*sync, bento / "bin/python", lock], check=True)
    with services.serving(project) as running_service:
        record = json.loads(running_service.body)["records"][0]
    setup = Setup(project, forms, bento, record)
    fitted = bake.run(python, TOOLS / "rivals.py", "fit", cwd=project, **setup.environment())
    if fitted.returncode:
        raise SystemExit(fitted.stderr)
    print("bench: rivals are fitted", fitted.stdout.strip().splitlines()[-1], flush=True)
    return setup


WORDS = {"compare": compare, "rate": rate, "overload": overload, "soak": soak}


def main(words: list[str]) -> None:
    """Measure what is named (all but the soak by default), and write the section."""
    names = [word for word in words if word in WORDS] or ["compare", "rate", "overload"]
    seconds = next((float(word) for word in words if word[0].isdigit()), 10.0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "home").mkdir()
        clean = bake.scrubbed(os.environ, folder / "home")
        clean["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{clean['PATH']}"
        os.environ.clear()
        os.environ.update(clean)
        setup = prepare(folder)
        parts = [WORDS[word](setup, seconds) for word in names]
    text = f"Measured {figures.machine()}; {seconds:g} s each.\n\n"
    text += "\n\n".join("\n".join(part) for part in parts)
    print(text)
    if "--print" not in words:
        figures.section("serve", text)


if __name__ == "__main__":
    main(sys.argv[1:])
