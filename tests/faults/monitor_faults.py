"""T55, T56: what is served drifts, gets worse, or is no longer looked at."""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from .lab import Lab
from .registry import Plant, fault

ROWS = 3000
ALARM = 3


def prediction_log(lab: Lab, rows: int = ROWS) -> list[dict[str, Any]]:
    """A log as the service writes it: rows of the training table, answered at chance level."""
    config = lab.config
    champion = lab.json("models/champion.json")["digest"]
    classes = config["data"]["classes"]
    labels = sorted(classes, key=lambda label: label == config["data"]["positive"])
    start = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=rows)
    table, entries = lab.rows(), []
    for at in range(rows):
        row = table[lab.random.randrange(len(table))]
        moment = start + datetime.timedelta(seconds=at)
        entries.append(
            {
                "id": f"r{at}", "row": 0, "time": moment.isoformat(timespec="milliseconds"),
                "model": champion, "milliseconds": 0.4,
                "features": {
                    name: value(lab, column, row[name])
                    for name, column in config["columns"].items() if column.get("feature", True)
                },
                "truth": row[lab.target],
            }
        )  # fmt: skip
    answer(lab, entries, labels)
    return entries


def value(lab: Lab, column: dict[str, Any], text: str) -> Any:
    """As the service logs it: times in ISO 8601, in whatever form the table has them."""
    if text in {"", *lab.config["data"].get("missing", ())}:
        return None
    if column["type"] == "datetime" and column.get("format"):
        return datetime.datetime.strptime(text, column["format"]).isoformat()
    if column["type"] == "numeric":
        return lab.number(text)
    return text.lower() == "true" if column["type"] == "boolean" else text


def answer(lab: Lab, entries: list[dict[str, Any]], labels: list[str]) -> None:
    """Have the champion answer the entries."""
    import importlib

    import numpy as np

    load = importlib.import_module("ml_template.model.artifact").load
    config = importlib.import_module("ml_template.settings.config").load_config()
    window = importlib.import_module("ml_template.operations.window")
    model = load(lab.folder / lab.json("models/champion.json")["model"])
    columns = window._inputs(entries, config.columns)
    for entry, output in zip(entries, np.asarray(model.predict(columns)).tolist(), strict=True):
        shares = {f"probability_{label}": p for label, p in zip(labels, output, strict=True)}
        entry["output"] = {"label": labels[output.index(max(output))]} | shares


def write(lab: Lab, entries: list[dict[str, Any]]) -> None:
    """The log, and the labels of its rows joined to the answers."""
    folder = lab.folder / "predictions"
    folder.mkdir(exist_ok=True)
    lines = [json.dumps({k: v for k, v in entry.items() if k != "truth"}) for entry in entries]
    (folder / "20260101T000000-1.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    names = [f"predicted_{name}" for name in entries[0]["output"]]
    rows = [",".join(["id", "row", "time", "model", *names, "label"])]
    for entry in entries:
        cells = [
            entry["id"],
            "0",
            entry["time"],
            entry["model"],
            *map(str, entry["output"].values()),
        ]
        rows.append(",".join([*cells, entry["truth"]]))
    (lab.folder / "reports/labelled.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")


def steady(lab: Lab) -> None:
    """A healthy service: the rows of today look like those of training."""
    write(lab, prediction_log(lab))


def number(lab: Lab) -> str:
    return lab.column("numeric", feature=True, missing=False)


def spread(lab: Lab, name: str) -> float:
    values = [lab.number(row[name]) for row in lab.rows() if row[name]]
    mean = sum(values) / len(values)
    return math.sqrt(sum((v - mean) ** 2 for v in values) / len(values))


@fault(
    "T55",
    "sudden shift of a number by 0.5 sd",
    "monitor",
    r"drifts: mean moved by",
    before=steady,
    code=ALARM,
)
def sudden(lab: Lab) -> None:
    entries, name = prediction_log(lab), number(lab)
    shift = 0.5 * spread(lab, name)
    for entry in entries[ROWS // 3 :]:
        entry["features"][name] += shift
    write(lab, entries)


@fault(
    "T55",
    "slow shift of a number over 3,000 rows",
    "monitor",
    r"drifts: mean moved by",
    before=steady,
    code=ALARM,
)
def slow(lab: Lab) -> None:
    entries, name = prediction_log(lab), number(lab)
    shift = 0.9 * spread(lab, name)
    for at, entry in enumerate(entries):
        entry["features"][name] += shift * at / len(entries)
    write(lab, entries)


@fault(
    "T55",
    "column not sent any more",
    "monitor",
    r"drifts: the column is not there",
    before=steady,
    code=ALARM,
)
def missing_column(lab: Lab) -> None:
    entries, name = prediction_log(lab), number(lab)
    for entry in entries:
        del entry["features"][name]
    write(lab, entries)


@fault(
    "T55",
    "column missing in half of the rows",
    "monitor",
    r"drifts: the missing rate went",
    before=steady,
    code=ALARM,
)
def half_missing(lab: Lab) -> None:
    entries, name = prediction_log(lab), number(lab)
    for entry in entries[::2]:
        entry["features"][name] = None
    write(lab, entries)


@fault(
    "T55",
    "upstream constant",
    "monitor",
    r"drifts: it has one value only",
    before=steady,
    code=ALARM,
)
def constant(lab: Lab) -> None:
    entries, name = prediction_log(lab), number(lab)
    for entry in entries:
        entry["features"][name] = entries[0]["features"][name]
    write(lab, entries)


@fault(
    "T55",
    "category that training did not see",
    "monitor",
    r"drifts: 1\d\.\d% are labels training did not see",
    before=steady,
    code=ALARM,
)
def unseen(lab: Lab) -> None:
    entries = prediction_log(lab)
    name = lab.column("categorical", feature=True)
    for entry in entries[::7]:
        entry["features"][name] = "purple"
    write(lab, entries)


@fault(
    "T55",
    "answers shift while inputs are not logged",
    "monitor",
    r"answer probability_\S+ drifts",
    before=steady,
    code=ALARM,
)
def answers(lab: Lab) -> None:
    entries = prediction_log(lab)
    positive = f"probability_{lab.config['data']['positive']}"
    for entry in entries:
        del entry["features"]
        entry["output"][positive] = min(1.0, entry["output"][positive] * 1.5)
    write(lab, entries)


# A number of few or of frequent values, each row planted in a window that was steady before: the
# redraw itself.
NEVER = r"drifts: \d+\.\d% are values training never had: 1 of them"
FEW: dict[str, tuple[str, str, Callable[[int, float], float | None]]] = {
    "0 and 1 become 0 and 100": ("flag", NEVER, lambda _, value: value * 100),
    "each 5 of 1 to 5 becomes 99": ("grade", NEVER, lambda _, value: 99 if value == 5 else value),
    "each 1 of 1 to 5 becomes -999": (
        "grade", NEVER, lambda _, value: -999 if value == 1 else value,
    ),
    "all of 1 to 5 above 1 moved by 0.5": (
        "grade", r"never had: 4 of them", lambda _, value: value - 0.5 * (value > 1),
    ),
    "a value between 2 and 3 in a tenth": (
        "grade", NEVER, lambda at, value: value if at % 10 else 2.5,
    ),
    "each 5 of 1 to 5 becomes 4": (
        "grade", r"drifts: mean moved by", lambda _, value: min(value, 4.0),
    ),
    "1 to 5 missing in a tenth": (
        "grade", r"drifts: the missing rate went", lambda at, value: value if at % 10 else None,
    ),
    "a value between 2 and 3 in one of 250": (
        "grade", NEVER, lambda at, value: value if at % 250 else 2.5,
    ),
    "each 0 of a number that is often 0 becomes 0.5": (
        "bonus", r"one value went from 7\d\.\d% to 0\.0%", lambda _, value: value or 0.5,
    ),
}  # fmt: skip


def few_values(name: str, change: Callable[[int, float], float | None]) -> Plant:
    """The plant that changes the number `name` of every row."""

    def plant(lab: Lab) -> None:
        entries = prediction_log(lab)
        for at, entry in enumerate(entries):
            entry["features"][name] = change(at, entry["features"][name])
        write(lab, entries)

    return plant


for _name, (_column, _says, _change) in FEW.items():
    fault(
        "T55",
        _name,
        "monitor",
        _says,
        before=steady,
        base="graded",
        code=ALARM,
        twin=False,
        miss="250" in _name,
    )(few_values(_column, _change))


@fault(
    "T55",
    "quality drops, labels come late",
    "monitor",
    r"quality dropped: \w+ 0\.\d+",
    before=steady,
    code=ALARM,
)
def quality(lab: Lab) -> None:
    entries = prediction_log(lab)
    classes = lab.config["data"]["classes"]
    for entry in entries[::3]:
        entry["truth"] = classes[1 - classes.index(entry["truth"])]
    write(lab, entries)


@fault("T55", "too few rows to judge", "monitor", r"not enough data", before=steady, code=4)
def few(lab: Lab) -> None:
    write(lab, prediction_log(lab, 300))


@fault(
    "T55",
    "shift of one number by 0.05 sd",
    "monitor",
    r"drifts",
    before=steady,
    code=ALARM,
    miss=True,
)
def small(lab: Lab) -> None:
    entries, name = prediction_log(lab), number(lab)
    known = sorted({lab.number(row[name]) for row in lab.rows() if row[name]})
    unit = min(after - before for before, after in pairwise(known))
    steps = 0.05 * spread(lab, name) / unit
    for entry in entries:  # to other values of the table: new ones would be seen
        entry["features"][name] += unit * (int(steps) + (lab.random.random() < steps % 1))
    write(lab, entries)


@fault(
    "T56",
    "log damaged",
    "monitor",
    r"the log is damaged; 60 of 3,000 lines .*\.jsonl: line 10: it is no JSON object",
    before=steady,
    code=ALARM,
)
def damaged(lab: Lab) -> None:
    write(lab, prediction_log(lab))
    path = next((lab.folder / "predictions").glob("*.jsonl"))
    lines = path.read_text().splitlines()
    lines[9::50] = [line[:30] for line in lines[9::50]]
    path.write_text("\n".join(lines) + "\n")


@fault("T56", "log without one line of a log", "monitor", r"holds no line of a", before=steady)
def garbage(lab: Lab) -> None:
    path = next((lab.folder / "predictions").glob("*.jsonl"))
    path.write_bytes(b"\0\xff{[\n" * 1000)


@fault("T56", "champion of another table", "monitor", r"is of another table than", before=steady)
def another_table(lab: Lab) -> None:
    with lab.edited("model_config.yaml") as config:
        config["data"]["target"] = "another"


@fault("T56", "no log at all", "monitor", r"holds no prediction log", before=steady)
def no_log(lab: Lab) -> None:
    next((lab.folder / "predictions").glob("*.jsonl")).unlink()


@fault("T56", "labels of another form", "monitor", r"labelled.csv", before=steady)
def bad_labels(lab: Lab) -> None:
    lab.replace("reports/labelled.csv", "predicted_label", "predicted")
    lab.replace("reports/labelled.csv", "predicted_probability_", "share_")
