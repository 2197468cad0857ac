"""Adopt and run a table of each kind, train each estimator; write docs/figures.md.

tables.py [WORD...]; without a word both:
tables        seeded tables, made up here: what `make adopt run` makes of each
estimators    every name of model.py on one table, a stack and a calibrated one beside them
"""

from __future__ import annotations

import csv
import json
import math
import random
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import bake
import yaml
from figures import apart, machine, section
from life import attempt, make, twin
from service import set_up, stage

Rows = Iterator[list[object]]
OWN = """
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import StackingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def _linear() -> Any:
    return make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression())


def _stack() -> Any:
    parts = [("trees", HistGradientBoostingClassifier(random_state=7)), ("linear", _linear())]
    return StackingClassifier(parts, final_estimator=LogisticRegression())


ESTIMATORS["stack"] = (_stack, LinearRegression)
ESTIMATORS["calibrated"] = (lambda: CalibratedClassifierCV(_linear()), LinearRegression)
"""


def demand(draw: random.Random) -> Rows:
    yield ["when", "temperature", "demand"]
    for hour in range(8000):
        at = datetime(2024, 1, 1) + timedelta(hours=hour)
        warm = 10 - 12 * math.cos(hour / 8760 * 6.28) + draw.gauss(0, 2)
        busy = (at.weekday() < 5) * math.exp(-(((at.hour - 17) / 4) ** 2))
        yield [at, f"{warm:.1f}", round(120 + 300 * busy + 2 * warm + draw.gauss(0, 15))]


def passengers(draw: random.Random) -> Rows:
    yield ["class", "sex", "age", "survived"]
    for _ in range(2200):
        kind, sex = draw.choice(["1st", "2nd", "3rd", "Crew"]), draw.choice(["Male", "Female"])
        age = "Child" if draw.random() < 0.05 and kind != "Crew" else "Adult"
        chance = {"1st": 0.4, "2nd": 0.2, "3rd": 0.15, "Crew": 0.22}[kind]
        chance += 0.45 * (sex == "Female") + 0.1 * (age == "Child")
        yield [kind, sex, age, "Yes" if draw.random() < chance else "No"]


def patients(draw: random.Random) -> Rows:
    yield ["patient_id", "visit", "marker", "scanner", "status"]
    for number in range(400):
        sick, offset = draw.random() < 0.4, draw.gauss(100, 1)
        for visit in range(6):
            marker = draw.gauss(0.8 * sick, 1)
            scanner = offset + draw.gauss(0, 0.01)  # it knows the patient, not the illness
            status = "sick" if sick else "well"
            yield [f"P{number:04d}", visit, f"{marker:.3f}", f"{scanner:.3f}", status]


def companies(draw: random.Random) -> Rows:
    yield ["revenue", "growth", "employees", "region", "default"]
    for _ in range(3000):
        revenue, growth = draw.lognormvariate(11, 1), draw.gauss(4, 8)
        staff = round(revenue / draw.uniform(40, 90))
        pull = 11 - math.log(revenue) - growth / 8 + draw.gauss(0, 1)
        cells = [f"${revenue:,.0f}", f"{growth:.1f}%", f"{staff:,}", draw.choice("NESW")]
        yield [*cells, "Y" if pull > 0.5 else "N"]


def messages(draw: random.Random) -> Rows:
    yield ["label", "message"]
    words = {"spam": "win free cash prize now", "ham": "lunch later see you home tomorrow"}
    for _ in range(3000):
        label = draw.choice(["spam", "ham", "ham"])
        other = draw.choice([*words.values()]).split()
        told = draw.choices([*words[label].split(), *other], k=draw.randint(3, 12))
        yield [label, " ".join(told)]


def postcodes(draw: random.Random) -> Rows:
    yield ["postcode", "size", "price"]
    level = {f"{code:05d}": draw.gauss(0, 60) for code in draw.sample(range(99999), 3000)}
    for _ in range(20_000):
        code, size = draw.choice([*level]), draw.uniform(30, 160)
        yield [code, f"{size:.0f}", f"{200 + level[code] + size + draw.gauss(0, 30):.1f}"]


def survivors(draw: random.Random) -> Rows:
    yield ["sex", "age", "who", "fare", "survived"]
    for _ in range(2000):
        sex, age = draw.choice(["male", "female"]), draw.randint(1, 75)
        who = "child" if age < 16 else {"male": "man", "female": "woman"}[sex]
        fare = draw.lognormvariate(3, 0.8)
        pull = 1.2 * (sex == "female") + 0.02 * fare - 0.01 * age + draw.gauss(0, 1)
        yield [sex, age, who, f"{fare:.2f}", "yes" if pull > 0.8 else "no"]


def plants(draw: random.Random) -> Rows:
    yield ["height", "leaves", "kind"]
    for at in range(45):
        yield [f"{draw.gauss(10 + 4 * (at % 2), 2):.1f}", draw.randint(3, 9), "AB"[at % 2]]


def payments(draw: random.Random) -> Rows:
    yield ["amount", "hour", "country", "foreign", "fraud"]
    for _ in range(20_000):
        amount, hour = draw.lognormvariate(3.5, 1), draw.randint(0, 23)
        country, foreign = draw.choice(["DE", "FR", "日本", "España"]), draw.random() < 0.1
        pull = math.log(amount) + 1.5 * foreign + (hour < 5) + draw.gauss(0, 0.8)
        yield [f"{amount:.2f}", hour, country, foreign, "yes" if pull > 7.1 else "no"]


def dice(draw: random.Random) -> Rows:
    yield ["a", "b", "c", "won"]
    for _ in range(2000):
        yield [*(f"{draw.gauss(0, 1):.3f}" for _ in range(3)), draw.choice(["yes", "no"])]


def tickets(draw: random.Random) -> Rows:
    yield ["opened", "product", "seats", "subject", "urgent"]
    words = ["cannot sign in", "slow page", "invoice is wrong", "crash on start", "how do I export"]
    for _ in range(5000):
        at = datetime(2025, 1, 1) + timedelta(minutes=draw.randint(0, 300_000))
        subject = " ".join(draw.choices(words, k=draw.randint(1, 3)))
        seats = draw.randint(1, 400)
        pull = 2 * ("crash" in subject) + (9 <= at.hour < 18) + seats / 300 + draw.gauss(0, 0.7)
        told = [draw.choice(["app", "web", "api"]), seats, subject]
        yield [f"{at:%Y-%m-%d %H:%M}", *told, "yes" if pull > 2.2 else "no"]


KINDS: dict[str, Callable[[random.Random], Rows]] = {
    "a datetime by the hour": demand,
    "repeated rows": passengers,
    "groups": patients,
    "numbers as people write them": companies,
    "text only": messages,
    "text, datetime and others": tickets,
    "many labels": postcodes,
    "near-copy of a sensitive column": survivors,
    "tiny": plants,
    "rare class, languages": payments,
    "nothing to learn": dice,
}
SENSITIVE = {"near-copy of a sensitive column": ("SENSITIVE=sex",)}


def adopted(born: Path, folder: Path, kind: str) -> tuple[Path, int]:
    """A copy of the project `born` below `folder` that adopted a table of the kind; its rows."""
    made = KINDS[kind]
    project, path = twin(born, folder / made.__name__), folder / f"{made.__name__}.csv"
    lines = [*made(random.Random(kind))]
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(lines)
    target = lines[0][0] if lines[0][0] == "label" else lines[0][-1]
    make(project, "adopt", f"DATA={path}", f"TARGET={target}", *SENSITIVE.get(kind, ()))
    return project, len(lines) - 1


def tables(born: Path, folder: Path) -> list[str]:
    """What a new user has of a table of each kind; the last column is the target, or the label."""
    found = [
        "| table | rows | score | naive | left out | verdict | s |",
        "|---|---|---|---|---|---|---|",
    ]
    for kind in KINDS:
        start = time.perf_counter()
        project, count = adopted(born, folder, kind)
        done = attempt(project, "run")
        seconds = time.perf_counter() - start
        cells = [kind, f"{count:,}", *_outcome(project, done.stderr), f"{seconds:.1f}"]
        found.append(f"| {' | '.join(cells)} |")
        print(found[-1], flush=True)
    return found


def _outcome(project: Path, fault: str) -> tuple[str, str, str, str]:
    """Score with its interval, that of the naive model, what was left out and why, the verdict."""
    config = yaml.safe_load((project / "model_config.yaml").read_text(encoding="utf-8"))
    left = "; ".join(f"{name}: {why}" for name, why in config.get("left_out", {}).items())
    if not (verdict := _read(project / "reports/verdict.json")):
        return "-", "-", left or "-", fault.strip().splitlines()[-1]
    shown = _read(project / "reports/evaluation.json")
    refused = [line["gate"] for line in verdict["checks"] if line["verdict"] == "refused"]
    name = shown["headline"]
    naive = shown["baseline"][name]
    said = f"{verdict['verdict']}{': ' * bool(refused)}{', '.join(refused)}"
    return _score(shown), "-" if naive is None else f"{round(naive, 3) + 0:.3f}", left or "-", said


def _score(shown: dict[str, Any]) -> str:
    best = shown["metrics"][shown["headline"]]
    return f"{shown['headline']} {best['value']:.3f} [{best['low']:.3f}, {best['high']:.3f}]"


def _read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_bytes()) if path.exists() else {}
    return found


def estimators(born: Path, folder: Path) -> list[str]:
    """Each estimator with its own defaults on the starter table."""
    project = folder / "estimators"
    bake.run("cp", "-r", born, project, cwd=folder)
    code = next(project.glob("src/*/model.py"))
    text = code.read_text(encoding="utf-8")
    code.write_text(text.replace("\n\ndef build(", f"{OWN}\n\ndef build(", 1), encoding="utf-8")
    with (project / "requirements/extra.in").open("a", encoding="utf-8") as extra:
        extra.write("lightgbm\nxgboost-cpu\n")
    make(project, "lock")
    make(project, "setup")
    config = project / "model_config.yaml"
    plain = re.sub(r"\n  params: .*", "\n  params: {}", config.read_text(encoding="utf-8"))
    stage(project, "sample", "prepare", "validate")
    found = [
        "| estimator | score | kept as | from the library's answers | us a row | s to train |",
        "|---|---|---|---|---|---|",
    ]
    names = [*re.findall(r'(?m)^    "(\w+)": \(', text), "stack", "calibrated"]
    for name in names:
        config.write_text(re.sub(r"estimator: \w+", f"estimator: {name}", plain), encoding="utf-8")
        start = time.perf_counter()
        stage(project, "train")
        seconds = time.perf_counter() - start
        stage(project, "evaluate")
        attempt(project, "gate")  # it measures; a refusal is a figure too
        verdict = _read(project / "reports/verdict.json")
        spec = _read(project / "models/candidate/model.json")["identity"]["model"]
        cells = [
            *(name, _score(_read(project / "reports/evaluation.json")), spec["form"]),
            f"{spec['max_difference']:.2g}",
            f"{1e6 / verdict['measured']['rows_per_second']:.1f}",
            f"{seconds:.1f}",
        ]
        found.append(f"| {' | '.join(cells)} |")
        print(found[-1], flush=True)
    return found


WORDS: dict[str, Callable[[Path, Path], list[str]]] = {
    "tables": tables,
    "estimators": estimators,
}


def main(words: list[str]) -> None:
    """Measure, and write a section for each word."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        born = bake.by_cookiecutter(apart(folder), folder / "born", {})
        bake.commit(born, "Born")
        set_up(born)
        for word in words or WORDS:
            rows = WORDS[word](born, folder)
            section(word, "\n".join([*rows, "", f"Measured {machine()}."]))


if __name__ == "__main__":
    main(sys.argv[1:])
