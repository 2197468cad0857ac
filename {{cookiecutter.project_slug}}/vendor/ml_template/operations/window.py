"""What was served, in windows: rows of the prediction log, or of a table.

A line of the log is {id, row, time, model, milliseconds, output, sent, features}; features are
there only where the service may keep them (SERVE_LOG_FEATURES=true), sent where the request had an
x-request-id.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from ..model import artifact
from ..model.profile import answer_columns
from ..serving.records import column_specs
from ..settings.config import Column, Config
from ..tables import table
from ..tables.table import Columns
from . import prediction_log
from .lines import Left

KEYS = {"model", "time", "output"}  # of an entry, as far as windows need it
KINDS = {"numeric": "f8", "boolean": "f8", "datetime": "M8[us]"}  # of all other types object


@dataclass(frozen=True)
class Window:
    """Rows of one window in the order they were served; `inputs` is None where none were kept."""

    first: str
    last: str
    rows: int
    inputs: Columns | None
    answers: Columns


@dataclass(frozen=True)
class Log:
    """Entries of one model, oldest first, how many there are of other models, what was left out."""

    entries: list[dict[str, Any]]
    others: int
    left: Left


def read_log(folder: Path, model: artifact.Model) -> Log:
    """The log in `folder`; a line that is not of it is counted and left out.

    Raises InputError where there is no log, or no line of one.
    """
    columns, names = column_specs(model), set(model.outputs)
    found, others, left = [], 0, Left()
    for where, entry in prediction_log.entries(folder, KEYS, left):
        if entry["model"] != model.digest:
            others += 1
            continue
        features = entry.get("features", {})
        wrong = [n for n, v in features.items() if n not in columns or not _fits(v, columns[n])]
        if wrong or entry["output"].keys() - {"label"} != names:
            left.note(where, "it has no values of the columns and answers of its model")
        else:
            found.append(entry)
    found.sort(key=lambda entry: datetime.fromisoformat(entry["time"]))
    return Log(found, others, left)


def of_log(log: Log, model: artifact.Model, config: Config) -> list[Window]:
    """The newest windows of the log, oldest first; fewer rows than one window are one window.

    Their columns are the inputs of the model, whatever model_config.yaml says by now: a column that
    need not be sent would look as if it were missing wherever it was not.
    """
    specs = column_specs(model)
    columns = {name: specs[name] for name in model.encoder.inputs}
    windows = []
    for part in _parts(log.entries, config):
        span = part[0]["time"], part[-1]["time"]
        windows.append(Window(*span, len(part), _inputs(part, columns), _answers(part, model)))
    return windows


def of_table(columns: Columns, model: artifact.Model, config: Config) -> list[Window]:
    """The newest (last) windows of a table, answered by `model`."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    windows = []
    for part in _parts(range(table.rows(columns)), config):
        inputs = table.take(columns, np.array(part))
        answers = answer_columns(model.predict(inputs), model.labels, model.threshold)
        windows.append(Window(now, now, len(part), inputs, answers))
    return windows


def _parts(entries: Any, config: Config) -> list[Any]:
    size, most = config.monitoring.window, config.monitoring.windows
    if len(entries) < size:
        return [entries] if len(entries) else []
    ends = range(len(entries), size - 1, -size)[:most]
    return [entries[end - size : end] for end in ends][::-1]


def _inputs(part: list[dict[str, Any]], columns: Mapping[str, Column]) -> Columns | None:
    kept = [entry["features"] for entry in part if entry.get("features")]
    there = {name for record in kept for name in record}
    inputs = {
        name: _typed([record.get(name) for record in kept], column)
        for name, column in columns.items()
        if name in there
    }
    return inputs if kept else None


def _fits(value: Any, column: Column) -> bool:
    """Whether a logged value is one of `column`; NaN is a missing number.

    Times are logged in ISO 8601, whatever form they were sent in.
    """
    if value is None:
        return True
    if column.type in ("numeric", "boolean"):
        return isinstance(value, int | float) and not abs(value) > sys.float_info.max
    if not isinstance(value, str):
        return False
    return column.type != "datetime" or table.parse_datetime(value, None) is not None


def _typed(values: list[Any], column: Column) -> np.ndarray:
    if column.type == "datetime":
        values = [table.parse_datetime(v, None) if v else None for v in values]
    return np.array(values, KINDS.get(column.type, object))


def _answers(part: list[dict[str, Any]], model: artifact.Model) -> Columns:
    names = model.outputs
    numbers = np.array([[entry["output"][name] for name in names] for entry in part], float)
    outputs = numbers if model.labels else numbers[:, 0]
    return answer_columns(outputs, model.labels, model.threshold)


def health(log: Log) -> dict[str, Any]:
    """Rows, span and milliseconds of the entries, and seconds since the last one."""
    left_out = str(log.left).removeprefix("; ")
    found = {"rows": len(log.entries), "other_models": log.others, "left_out": left_out}
    if not log.entries:
        return found
    times = [float(e["milliseconds"]) for e in log.entries if "milliseconds" in e]
    last = datetime.fromisoformat(log.entries[-1]["time"])
    return found | {
        "first": log.entries[0]["time"],
        "last": log.entries[-1]["time"],
        "silent_seconds": max(0.0, (datetime.now(UTC) - last).total_seconds()),
        "p50_ms": float(np.percentile(times, 50)) if times else None,
        "p99_ms": float(np.percentile(times, 99)) if times else None,
    }
