"""Measure the template and its projects, and write the section `start` of docs/figures.md.

Figures are medians on the machine at hand, written with its size, the date and the versions.
"""

from __future__ import annotations

import datetime
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import bake
import service as services
import yaml

FIGURES = bake.ROOT / "docs" / "figures.md"
SIZES = (10_000, 100_000, 1_000_000)
LIFE = ("prepare", "validate", "train", "evaluate", "gate", "report", "register", "summary")
BARE = """
import sys
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
table = pd.read_csv(sys.argv[1])
target = table.pop("defaulted")
table = table.drop(columns=["name", "gender", "applied_at"])
for name in ("region", "employment"):
    table[name] = table[name].astype("category")
model = HistGradientBoostingClassifier(
    learning_rate=0.06, max_iter=120, max_leaf_nodes=8, min_samples_leaf=40, random_state=7
)
cut = int(len(table) * 0.8)
model.fit(table[:cut], target[:cut])
print(model.predict_proba(table[cut:]).shape)
"""


@dataclass(frozen=True)
class Cost:
    """Wall seconds and peak resident memory (MB) of a command and its children."""

    seconds: float
    megabytes: float


def cost(*command: str | Path, cwd: Path, **environment: str) -> Cost:
    """Run a command to its end; where it fails, print its output and raise CalledProcessError."""
    start = time.perf_counter()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            [str(part) for part in command],
            cwd=cwd,
            env=os.environ | environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - start
        if process.returncode:
            output.seek(0)
            print(output.read().decode(errors="replace"), file=sys.stderr)
            raise subprocess.CalledProcessError(process.returncode, command)
    return Cost(seconds, usage.ru_maxrss / 1024)


def median(measure: Callable[[], float], times: int) -> float:
    """Median of `times` measurements."""
    return statistics.median(measure() for _ in range(times))


def machine() -> str:
    """Date, size of the machine and versions: what a figure must carry."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    tools = ", ".join(f"{name} {version(name)}" for name in ("cookiecutter", "copier", "uv"))
    return (
        f"{datetime.date.today()}, {os.cpu_count()} cores, {memory:.0f} GB, {platform.system()}, "
        f"Python {platform.python_version()}, {tools}"
    )


def section(name: str, text: str, path: Path = FIGURES) -> None:
    """Replace what stands between the marks of section `name` in docs/figures.md."""
    old = path.read_text(encoding="utf-8")
    marks = re.compile(rf"(<!-- {name}: .*? -->\n).*?(<!-- end {name} -->)", re.DOTALL)
    if not marks.search(old):
        raise SystemExit(f"{path}: the marks of section {name!r} are missing")
    new = marks.sub(lambda found: f"{found[1]}\n{text.strip()}\n\n{found[2]}", old)
    path.write_text(new, encoding="utf-8", newline="\n")


def generation(template: Path, folder: Path) -> list[str]:
    """Seconds of each engine's command, start-up included."""
    commands = {
        "cookiecutter": ("cookiecutter", "--no-input", template, "-o"),
        "copier": ("copier", "copy", "-q", "-l", template),
    }
    rows = ["| engine | seconds |", "|---|---|"]
    for name, command in commands.items():
        seconds = [cost(*command, folder / f"{name}{n}", cwd=folder).seconds for n in range(5)]
        rows.append(f"| {name} | {statistics.median(seconds):.2f} |")
    return rows


def runs(template: Path, folder: Path) -> tuple[Path, list[str]]:
    """A default project, and seconds of its first, its second-first and its idle `make run`."""
    project = bake.by_cookiecutter(template, folder / "default", {})
    bake.commit(project, "Born")
    rows = ["| `make run`, 10,000 rows | seconds |", "|---|---|"]
    cold = cost("make", "run", cwd=project).seconds
    rows.append(f"| cold: packages installed from the cache, then everything | {cold:.1f} |")

    def warm() -> float:
        for name in (
            "data",
            "models",
            "reports",
            "mlflow.db",
            "mlartifacts",
            "dvc.lock",
            ".dvc/cache",
        ):
            subprocess.run(["rm", "-rf", name], cwd=project, check=True)
        return cost("make", "run", cwd=project).seconds

    rows.append(f"| warm: everything | {median(warm, 3):.1f} |")
    asked_more(project)
    bake.git(project, "commit", "--quiet", "--all", "--message", "More is asked")
    rows.append(f"| warm, with `encoding: target` and `threshold: f1` | {median(warm, 3):.1f} |")
    idle = median(lambda: cost("make", "run", cwd=project).seconds, 5)
    rows.append(f"| nothing changed | {idle:.2f} |")
    helped = median(lambda: cost(*stage(project, "--help"), cwd=project).seconds, 5)
    rows.append(f"| `python -m <package> --help` | {helped:.2f} |")
    return project, rows


def asked_more(project: Path) -> None:
    """A column learned by the means of its labels, and a threshold chosen on training folds."""
    config = project / "model_config.yaml"
    text = config.read_text(encoding="utf-8")
    text = text.replace("region: {", "region: {encoding: target, ")
    text = text.replace("\nmodel:\n", "\nmodel:\n  threshold: f1\n")
    config.write_text(text, encoding="utf-8")


def pull_request(template: Path, folder: Path) -> list[str]:
    """Seconds of the words of `ci.yml`, each job in a fresh clone of its own as on GitHub."""
    origin = bake.by_cookiecutter(template, folder / "change", {})
    bake.commit(origin, "Born")
    workflow = (origin / ".github/workflows/ci.yml").read_text(encoding="utf-8")
    rows, whole = ["| words of a pull request, cold, `ci.yml` | seconds |", "|---|---|"], 0.0
    for name, job in yaml.safe_load(workflow)["jobs"].items():
        clone = folder / f"job-{name}"
        bake.git(folder, "clone", "--quiet", str(origin), clone.name)
        words = [step["run"].split() for step in job["steps"] if "run" in step]
        seconds = sum(cost(*word, cwd=clone, CI="true").seconds for word in words)
        rows.append(f"| job {name}: {', '.join(word[1] for word in words)} | {seconds:.0f} |")
        whole += seconds
    return [*rows, f"| both, one after the other | {whole:.0f} |"]


def stage(project: Path, *words: str) -> tuple[str | Path, ...]:
    """Command that runs stages in a process of its own."""
    return project / ".venv/bin/python", "-m", services.package(project), *words


def sizes(project: Path) -> list[str]:
    """From the table to the champion in one process, next to a script that reads and predicts."""
    config = project / "model_config.yaml"
    bare = project / "bare.py"
    bare.write_text(BARE, encoding="utf-8")
    rows = [
        "From the table, with a datetime, `encoding: target` and `threshold: f1`, to the champion;",
        "one thread, as `compute.threads` says, for the bare script too.",
        "",
        "| rows | whole life cycle, s | peak MB | bare script, s | peak MB | ratio | roc_auc |",
        "|---|---|---|---|---|---|---|",
    ]
    for size in SIZES:
        text = config.read_text(encoding="utf-8")
        config.write_text(re.sub(r"rows: \d+", f"rows: {size}", text), encoding="utf-8")
        cost(*stage(project, "sample"), cwd=project)
        ours, theirs = [], []
        for _ in range(3):
            subprocess.run(["rm", "-rf", "models", "reports", "mlflow.db"], cwd=project, check=True)
            ours.append(cost(*stage(project, *LIFE), cwd=project))
            command = (project / ".venv/bin/python", bare, "data/starter.csv")
            theirs.append(cost(*command, cwd=project, OMP_NUM_THREADS="1"))
        whole, script = (
            Cost(
                statistics.median(c.seconds for c in costs),
                statistics.median(c.megabytes for c in costs),
            )
            for costs in (ours, theirs)
        )
        auc = json.loads((project / "reports/metrics.json").read_bytes())["roc_auc"]["value"]
        rows.append(
            f"| {size:,} | {whole.seconds:.1f} | {whole.megabytes:,.0f} | {script.seconds:.1f} "
            f"| {script.megabytes:,.0f} | {whole.seconds / script.seconds:.1f} | {auc:.4f} |"
        )
    bare.unlink()
    return rows


def apart(folder: Path) -> Path:
    """The frozen template below `folder`; this process has an environment of its own from now."""
    home = folder / "home"
    home.mkdir()
    clean = bake.scrubbed(os.environ, home)
    clean["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{clean['PATH']}"
    os.environ.clear()
    os.environ.update(clean)
    template = bake.freeze(folder / "template")
    bake.commit(template, "Release v0.1.0", tag="v0.1.0")
    return template


def main() -> None:
    """Measure, and write the section."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        template = apart(folder)
        parts = [generation(template, folder)]
        project, rows = runs(template, folder)
        parts += [rows, pull_request(template, folder), sizes(project)]
    text = f"Measured {machine()}.\n\n" + "\n\n".join("\n".join(part) for part in parts)
    section("start", text)
    print(text)


if __name__ == "__main__":
    main()
