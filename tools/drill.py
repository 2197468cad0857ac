"""The whole loop on one machine: from nothing to a model in use, drift, a better one, a bad one.

Every step is a `make` word of the generated project. Services are real processes behind the real
Traefik, Prometheus and Alertmanager; the API server is the small one of tests/cluster.py. Writes
the section `drill` of docs/figures.md.
"""

from __future__ import annotations

import contextlib
import csv
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import bake
import figures
import life
import observe
import traffic as clients
from cluster import Cluster, cluster, gateway
from service import free_port
from signer import sign, signer

SLUG = "example-credit-model"
RULES = {
    "steps": "[10, 50, 100]",
    "seconds": "{step: 5, deadline: 60}",
    "min_requests": "100",
}
PREDICT = "        return self.model.predict(self.records.columns(records))\n"
FAULT = "        1 / (len(str(records[-1])) % 3)\n"  # by the record: it is asked once more alone
DRIFTS = "income"
MOVED = 1.5


Kind = tuple[str, frozenset[str]]  # a word, the keys it was given


def kind(words: Sequence[str]) -> Kind:
    """Of a word with its KEY=value."""
    return words[0], frozenset(pair.partition("=")[0] for pair in words[1:])


@dataclass
class Loop:
    """A project, where it runs, and when what happened."""

    project: Path
    folder: Path
    cluster: Cluster
    port: int
    begin: float
    trust: dict[str, str]  # the environment of its signatures
    lines: list[tuple[float, str]] = field(default_factory=list)
    words: set[Kind] = field(default_factory=set)  # that were run against the cluster

    def note(self, what: str) -> None:
        self.lines.append((time.monotonic() - self.begin, what))
        print(f"{self.lines[-1][0]:6.0f} s  {what}", flush=True)

    def make(self, *words: str, code: int = 0, **environment: str) -> str:
        """What `make WORDS` prints; it must end with `code`."""
        place = {"KUBECONFIG": str(self.cluster.kubeconfig)} | self.trust
        done = life.attempt(self.project, *words, **place, **environment)
        if done.returncode != code:
            raise SystemExit(
                f"make {' '.join(words)}: {done.returncode}\n{done.stdout}{done.stderr}"
            )
        if "ENV=staging" in words:
            self.words.add(kind(words))
        return done.stdout

    def release(self, pointer: str, fault: str = "") -> str:
        """Bring a model to the cluster in an image that is built from a copy of the project."""
        record = json.loads((self.project / f"models/{pointer}.json").read_bytes())
        name = f"{record['digest'][:16]}{'-bad' if fault else ''}"
        copy = life.twin(self.project, self.folder / name)
        (copy / "models/champion.json").write_text(json.dumps(record))
        if fault:
            path = copy / bake.KIT / "serving/predict.py"
            good = path.read_text(encoding="utf-8")
            assert PREDICT in good
            path.write_text(good.replace(PREDICT, fault + PREDICT), encoding="utf-8")
        image = f"registry.example.com/model@sha256:{sha256(name.encode()).hexdigest()}"
        self.cluster.images[image] = copy
        sign(self.folder / "signer", image, record["digest"])
        self.make("deploy", "ENV=staging", f"IMAGE={image}", f"MODEL={record['model']}")
        return image


def drill(folder: Path) -> Loop:
    """Run the loop; raises where a step does not do what it should."""
    begin = time.monotonic()
    project = bake.by_cookiecutter(bake.ROOT, folder / "born", {})
    port = free_port()
    with cluster(folder) as made, gateway(made, port, folder / "traefik.log"):
        loop = Loop(project, folder, made, port, begin, signer(folder / "signer"))
        made.environment = {
            "SERVE_DRAIN_SECONDS": "1",
            "SERVE_LOG": str(project / "predictions"),
            "SERVE_LOG_FEATURES": "true",
        }
        first_day(loop)
        example = clients.example(project)
        observe.until(lambda: clients.answered(port, example))
        second_model(loop, example)
        drift(loop, example)
        third_model(loop, example)
        bad_release(loop, example)
        return loop


def first_day(loop: Loop) -> None:
    """Generated, adopted, trained, deployed."""
    gates = loop.project / "gates.yaml"
    text = gates.read_text(encoding="utf-8")
    for key, value in RULES.items():
        text = re.sub(
            rf"(?m)^  {key}: (?=[\[{{\d]).*(?=\n(  |\n))", f"  {key}: {value}", text, count=1
        )
    gates.write_text(text, encoding="utf-8")
    bake.commit(loop.project, "Born")
    loop.note("generated")
    loop.make("setup")
    loop.make("sample")
    table = loop.folder / "applications.csv"
    (loop.project / "data/starter.csv").rename(table)
    loop.make("adopt", f"DATA={table}", "TARGET=defaulted", "SENSITIVE=gender")
    loop.make("run")
    bake.commit(loop.project, "First model")
    loop.note("first model is champion")
    loop.release("champion")
    loop.note("deployed to the cluster")


def second_model(loop: Loop, example: dict[str, Any]) -> None:
    """Another model of the same data takes over without a lost request."""
    config = loop.project / "model_config.yaml"
    text = config.read_text(encoding="utf-8")
    config.write_text(re.sub(r"(?m)^seed: \d+", "seed: 8", text), encoding="utf-8")
    loop.make("run")
    loop.note("a challenger passed the gate")
    rolled_out(loop, example, 1.0, "challenger")
    more_memory(loop)


def more_memory(loop: Loop) -> None:
    """Settings of stable change, its release does not: what the runbook says of more traffic."""
    path = loop.project / "deploy/k8s/base/pod/deployment.yaml"
    text = path.read_text(encoding="utf-8")
    assert "memory: 512Mi" in text
    path.write_text(text.replace("memory: 512Mi", "memory: 1Gi"), encoding="utf-8")
    loop.make("deploy", "ENV=staging")
    stable = loop.cluster.store.get("deployments", f"{SLUG}-staging", SLUG)
    assert stable
    (container,) = stable["spec"]["template"]["spec"]["containers"]
    assert container["resources"]["limits"]["memory"] == "1Gi"
    loop.note("more memory for what is stable")


def rolled_out(loop: Loop, example: dict[str, Any], moved: float, name: str) -> None:
    """deploy, canary, promote under load."""
    with load(loop, example, moved) as seen:
        loop.release("challenger")
        loop.make("canary", "ENV=staging")
        loop.note(f"{name} passed its canary")
        loop.make("promote", "ENV=staging", "WHY=drill")
    assert seen.failed() == 0, f"{seen.failed()} of {seen.total()} requests failed"
    loop.note(f"{name} promoted: 0 of {seen.total():,} requests failed")


def drift(loop: Loop, example: dict[str, Any]) -> None:
    """The world changes; the alert reaches people."""
    watched = loop.folder / "watch"
    watched.mkdir()
    stable = next(p for p in loop.cluster.pods.values() if p.ready and "-canary-" not in p.key[3])
    with (
        observe.watching(loop.project, f"{stable.address}:8000", watched) as watch,
        load(loop, example, MOVED, rate=300) as seen,
    ):
        loop.note("drift begins")
        observe.until(lambda: seen.total() > 2500, 120)
        address = f"{watch.pushgateway}/metrics/job/{loop.project.name}"
        loop.make("monitor", "LOG=predictions", code=2, PUSHGATEWAY_URL=address)
        loop.note("monitor found drift")
        message = observe.until(lambda: watch.told("DriftFound"))
        assert DRIFTS in message, message
        loop.note("the alert reached the webhook")
    loop.make("status", "ENV=staging")


def third_model(loop: Loop, example: dict[str, Any]) -> None:
    """Rows of the new world come with their labels; what learned from them takes over."""
    table = next(loop.project.glob("data/applications*.csv"))
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    known = [row for row in rows if row[DRIFTS]]  # the others would be repeated as they are
    for row in known[: len(rows) // 2]:
        rows.append(row | {DRIFTS: f"{float(row[DRIFTS]) * MOVED:.2f}"})
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    before = json.loads((loop.project / "models/challenger.json").read_bytes())["digest"]
    added = bake.run(loop.project / ".venv/bin/dvc", "add", "--quiet", table, cwd=loop.project)
    assert added.returncode == 0, added.stderr
    said = loop.make("retrain")
    after = json.loads((loop.project / "models/challenger.json").read_bytes())["digest"]
    assert after != before, said
    verdict = json.loads((loop.project / "reports/verdict.json").read_bytes())
    gain = verdict["rival"]["value"]
    assert verdict["model"] == after
    assert gain > 0, verdict["rival"]
    loop.note(f"retrained on drift: the new challenger beats the champion by {gain:.3f} ROC AUC")
    rolled_out(loop, example, MOVED, "retrained model")


def bad_release(loop: Loop, example: dict[str, Any]) -> None:
    """A release that fails every third request goes back by itself."""
    with load(loop, example, MOVED) as seen:
        loop.release("champion", FAULT)
        began = time.monotonic()
        loop.make("canary", "ENV=staging", code=2)
        back = time.monotonic() - began
        time.sleep(1)
        end = time.monotonic()
        time.sleep(1)
    assert seen.failed(end) == 0
    share = 1 - seen.failed() / seen.total()
    loop.note(
        f"bad release rolled back by itself in {back:.0f} s: {share:.2%} of requests answered"
    )
    loop.make("rollback", "ENV=staging", "WHY=drill", code=2)  # asks: stable is not at fault
    loop.make("rollback", "ENV=staging", "WHY=drill", "APPLY=yes")
    loop.note("rolled back by hand to the model before")


@contextlib.contextmanager
def load(
    loop: Loop, example: dict[str, Any], moved: float, rate: float = 120
) -> Iterator[clients.Traffic]:
    """Clients that send rows of the table, one column of them moved, while the block runs."""
    with (loop.folder / "applications.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row, _ in zip(csv.DictReader(file), range(2000), strict=False)]
    bodies = []
    for row in rows:
        record = {name: clients.like(row[name], value) for name, value in example.items()}
        record[DRIFTS] = record[DRIFTS] and record[DRIFTS] * moved
        bodies.append(json.dumps({"records": [record]}).encode())
    with clients.sending(bodies, loop.port, rate) as running:
        yield running


def table(loop: Loop) -> list[str]:
    """The timeline as Markdown."""
    lines = [f"{figures.machine()}.", "", "| seconds | |", "|---|---|"]
    return [*lines, *(f"| {seconds:.0f} | {what} |" for seconds, what in loop.lines)]


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        home = Path(name) / "home"
        home.mkdir()
        environment = bake.scrubbed(os.environ, home)
        environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
        os.environ.clear()
        os.environ.update(environment)
        figures.section("drill", "\n".join(table(drill(Path(name)))))


if __name__ == "__main__":
    main()
