"""The contest of `make bench`: this service and its rivals, each started with the same model."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import bake
import service as services
from clients import ask

TOOLS = Path(__file__).parent


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
            "PYTHONPATH": f"src:vendor:{TOOLS}",
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
        while ask(port, "POST", path, body) != 200:
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
