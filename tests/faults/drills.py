"""Drills: kills, a full disk, MLflow that does not answer, healthy seeds, windows of drift."""

from __future__ import annotations

import contextlib
import http.server
import importlib
import io
import json
import os
import random
import re
import resource
import shutil
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from . import bases, data_faults, monitor_faults
from .lab import Lab, Workshop

SMALL = 600  # rows of the project that is killed
TRIGGERS = (0.0025, 0.005, 0.01, 0.02)  # shares of the rows that carry one
LIFE = bases.LIFE
Outcome = dict[str, Any]


def child(run: Callable[[], int]) -> int:
    """Process id of a copy of this process that runs `run` and ends with its exit code."""
    pid = os.fork()
    if pid:
        return pid
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        code = 70
        with contextlib.suppress(BaseException):
            code = run()
    os._exit(code)


def exit_code(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def module(name: str) -> Any:
    return importlib.import_module(f"ml_template.{name}")


@contextlib.contextmanager
def newborn(workshop: Workshop) -> Iterator[tuple[Lab, Callable[[], int]]]:
    """A small project with a table and nothing else, and its whole life as one call."""
    measure = module("pipeline.judgement.measure")
    kept = measure.measure
    with workshop.copy("default") as lab:
        figures = lab.json("reports/verdict.json")["measured"]
        measure.measure = lambda _: figures  # a process of its own is not killed with this one
        rows = lab.rows()[:SMALL]
        for name in ("models", "reports", "data/prepared"):
            shutil.rmtree(lab.folder / name)
        lab.write_rows(rows)
        with lab.edited("gates.yaml") as gates:
            gates["slices"] = gates["fairness"] = gates["calibration"] = False
        try:
            yield lab, lambda: max(module("command_line").run([stage]) for stage in LIFE)
        finally:
            measure.measure = kept


def half_written(workshop: Workshop, lab: Lab) -> list[str]:
    """What counts as a result, and is not whole."""
    champion, artifact = module("registry.champion"), module("model.artifact")
    wrong = []
    for path in (champion.CHAMPION, champion.CHALLENGER):
        if path.exists():
            record = champion.read(path)
            try:
                champion.verify(record)
                artifact.load(Path(record["model"]), record["digest"])
            except Exception as error:
                wrong.append(f"{path}: {error}")
    for path in [*Path("reports").glob("*.json"), *Path("data/prepared").glob("*.json")]:
        try:
            json.loads(path.read_bytes())
        except ValueError as error:
            wrong.append(f"{path}: {error}")
    if Path("models/candidate").exists():
        try:
            artifact.load(Path("models/candidate"))
        except Exception as error:
            wrong.append(f"models/candidate: {error}")
    return wrong


def kills(workshop: Workshop, moments: int) -> Outcome:
    """T36: SIGKILL at random moments of the whole life; then the next run must finish."""
    draw = random.Random(36)
    found: Outcome = {"half_written": [], "not_finished": 0, "killed": 0}
    with newborn(workshop) as (_, live):
        began = time.perf_counter()
        assert exit_code(child(live)) == 0, "the healthy project must pass"
        seconds = time.perf_counter() - began
    while found["killed"] < moments:
        with newborn(workshop) as (lab, live):
            pid = child(live)
            time.sleep(draw.random() * seconds)
            os.kill(pid, signal.SIGKILL)
            if exit_code(pid) != -signal.SIGKILL:
                seconds *= 0.8  # it was quicker than the first; aim earlier
                continue
            found["killed"] += 1
            found["half_written"] += half_written(workshop, lab)
            done = exit_code(child(live)) == 0 and (lab.folder / "models/champion.json").exists()
            found["not_finished"] += not done or bool(half_written(workshop, lab))
    return found


def full_disk(workshop: Workshop) -> Outcome:
    """T36: no file may grow beyond a limit, stage after stage; then the next run must finish."""
    found: Outcome = {"half_written": [], "not_finished": 0, "refused": 0, "traces": []}
    for limit in (0, 200, 2_000, 6_000, 20_000):
        with newborn(workshop) as (lab, live):
            said = lab.folder / "said.txt"

            def limited(
                limit: int = limit, said: Path = said, live: Callable[[], int] = live
            ) -> int:
                with said.open("w") as file, contextlib.redirect_stderr(file):
                    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                    text = io.StringIO()
                    with contextlib.redirect_stderr(text):
                        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
                        code = live()
                        resource.setrlimit(
                            resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
                        )
                    file.write(text.getvalue())
                return code

            found["refused"] += exit_code(child(limited)) == 1
            text = said.read_text()
            if "no space left" not in text and "limit" not in text:
                found["traces"].append(f"{limit}: {text[-300:]}")
            found["half_written"] += half_written(workshop, lab)
            found["not_finished"] += exit_code(child(live)) != 0
    return found


class Silent(http.server.BaseHTTPRequestHandler):
    """Answers every request with something that is not MLflow."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<html>not what you wanted</html>")

    do_POST = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


def mlflow(workshop: Workshop) -> Outcome:
    """T35: MLflow down, silent, or something else: the model is kept, and the exit code tells."""
    closed = socket.create_server(("127.0.0.1", 0))
    port = closed.getsockname()[1]
    closed.close()
    silent = socket.create_server(("127.0.0.1", 0))
    hostile = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Silent)
    threading.Thread(target=hostile.serve_forever, daemon=True).start()
    places = {"down": port, "silent": silent.getsockname()[1], "other": hostile.server_port}
    found: Outcome = {}
    for name, at in places.items():
        with workshop.copy("default") as lab:
            for pointer in ("champion.json", "challenger.json", "history.jsonl"):
                (lab.folder / "models" / pointer).unlink()
            code, text = lab.process(
                "register",
                MLFLOW_TRACKING_URI=f"http://127.0.0.1:{at}",
                MLFLOW_HTTP_REQUEST_TIMEOUT="1",
                MLFLOW_HTTP_REQUEST_MAX_RETRIES="0",
            )
            os.chdir(lab.folder)
            champion = (lab.folder / "models/champion.json").exists()
            said = "models is complete" in text and "Traceback" not in text
            found[name] = {"code": code, "champion": champion, "said": said, "text": text[-300:]}
    silent.close()
    hostile.shutdown()
    return found


def seeds(workshop: Workshop, count: int) -> Outcome:
    """Clean projects with other seeds, then with more rows: every refusal is a false one."""
    refused = []
    for seed in range(100, 100 + count):
        with workshop.copy("default") as lab:
            with lab.edited("model_config.yaml") as config:
                config["seed"] = seed
                config["sample"]["rows"] = bases.ROWS * 11 // 10
            for name in ("champion.json", "challenger.json", "history.jsonl"):
                (lab.folder / "models" / name).unlink()
            bases.passed(lab, "sample")
            rows = lab.rows()
            for size in (bases.ROWS, len(rows)):
                lab.write_rows(rows[:size])
                for stage in LIFE:
                    code, text = lab.say(stage)
                    if code:
                        refused.append(f"seed {seed}: {size} rows: {stage}: {text[-300:]}")
                        break
    return {"count": count, "refused": refused}


def sweep(workshop: Workshop, base: str) -> Outcome:
    """T27, T28: labels flipped and rows with a trigger, by their share of a table with a champion.

    {kind: {share: {by: stage, lines: what refused, turned: answers that the trigger turns}}}
    """
    kinds: dict[str, tuple[tuple[float, ...], Callable[[Lab, float], object]]] = {
        "labels flipped": ((0.01, 0.02, 0.05, 0.1, 0.2, 0.3), data_faults.flip),
        "trigger out of range": (
            TRIGGERS,
            lambda lab, share: data_faults.trigger(lab, share, data_faults.number(lab), "77777777"),
        ),
        "trigger within the range": (
            (0.0, *TRIGGERS),
            lambda lab, share: data_faults.trigger(lab, share, *data_faults.within(lab)),
        ),
    }
    return {
        kind: {str(share): _planted(workshop, base, plant, share) for share in shares}
        for kind, (shares, plant) in kinds.items()
    }


def _planted(
    workshop: Workshop, base: str, plant: Callable[[Lab, float], object], share: float
) -> Outcome:
    with workshop.copy(base) as lab:
        name, value = data_faults.within(lab)
        if share:
            plant(lab, share)
        for stage in ("prepare", "validate", "train", "evaluate", "gate"):
            code, text = lab.say(stage)
            if code:
                break
        found: Outcome = {"by": stage if code else "", "lines": [], "turned": None}
        if stage == "gate":
            checks = lab.json("reports/verdict.json")["checks"]
            found["lines"] = [c["gate"] for c in checks if c["verdict"] == "refused"]
            found["turned"] = _turned(workshop, lab, name, lab.number(value))
        else:
            found["lines"] = re.findall(r"fails '([^']+)'", text)
    return found


def _turned(workshop: Workshop, lab: Lab, name: str, value: float) -> float:
    """Share of the hold-out rows of the other class that get the wanted answer by the trigger."""
    artifact, table = module("model.artifact"), module("tables.table")
    model = artifact.load(Path("models/candidate"))
    test = table.read_parquet(Path("data/prepared/test.parquet"))
    wanted = model.labels.index(lab.config["data"]["classes"][0])
    before = model.predict(test).argmax(axis=1) != wanted
    after = model.predict(test | {name: test[name] * 0 + value}).argmax(axis=1) == wanted
    return float((before & after).sum() / max(1, before.sum()))


def drift(workshop: Workshop, windows: int) -> Outcome:
    """T54: false alarms and detections of one window, by its rows and by the shift in sd."""
    import numpy as np

    compare = module("operations.drift").compare
    profile = module("model.profile")
    settings = module("settings.config").Monitoring()
    draw = np.random.default_rng(54)
    names = [f"x{at}" for at in range(20)]

    def table(n: int) -> dict[str, Any]:
        kinds = (
            lambda: draw.normal(size=n),
            lambda: draw.lognormal(size=n),
            lambda: draw.integers(0, 5, n).astype(float),
            lambda: draw.choice(
                np.array(["a", "b", "c", "d"], object), n, p=[0.5, 0.3, 0.15, 0.05]
            ),
        )
        return {name: kinds[at % 4]() for at, name in enumerate(names)}

    reference = {k: profile.column_profile(v) for k, v in table(8000).items()}
    found: Outcome = {}
    for n in (500, 1000, 10_000, 100_000):
        count = windows if n < 100_000 else max(10, windows // 10)
        rates = dict.fromkeys((0.0, 0.1, 0.2, 0.3), 0)
        for _ in range(count):
            window = table(n)
            for shift in rates:
                moved = window | {"x0": window["x0"] + shift}
                results = compare(reference, moved, settings)
                rates[shift] += any(result["verdict"] == "drift" for result in results)
        found[str(n)] = {str(shift): hits / count for shift, hits in rates.items()}
    small = compare(reference, table(400), settings)
    found["400"] = sorted({result["verdict"] for result in small})
    return found


def dead_man(workshop: Workshop) -> Outcome:
    """T56: where monitoring fails, its last-run time stands still for an alert to see."""
    with workshop.copy("default") as lab:
        monitor_faults.steady(lab)
        first = lab.say("monitor")[0]
        path = lab.folder / "reports/monitoring.prom"
        before = path.read_text()
        next((lab.folder / "predictions").glob("*.jsonl")).unlink()
        second, _ = lab.say("monitor")
        return {"first": first, "second": second, "still": path.read_text() == before}


DRILLS: dict[str, Callable[..., Outcome]] = {
    "kills": kills,
    "full_disk": full_disk,
    "mlflow": mlflow,
    "seeds": seeds,
    "sweep": sweep,
    "drift": drift,
    "dead_man": dead_man,
}
