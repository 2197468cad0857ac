"""What was served, in windows: rows of the prediction log, or of a table.

A line of the log is {id, row, time, model, milliseconds, output, features}; features are there
only where the service may keep them (SERVE_LOG_FEATURES=true).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from .. import artifact, table
from ..config import Column, Config, InputError
from ..profile import answer_columns
from ..table import Columns
from . import labels

KEYS = {"model", "time", "output"}  # of an entry, as far as windows need it


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
    """Entries of one model, oldest first, and how many there are of other models."""

    entries: list[dict[str, Any]]
    others: int


def read_log(folder: Path, model: str) -> Log:
    """The log in `folder`; raises InputError where it is missing or damaged."""
    found, others = [], 0
    for entry in labels.entries(folder, KEYS):
        if entry["model"] == model:
            found.append(entry)
        else:
            others += 1
    found.sort(key=lambda entry: datetime.fromisoformat(entry["time"]))
    return Log(found, others)


def of_log(log: Log, model: artifact.Model, config: Config) -> list[Window]:
    """The newest windows of the log, oldest first; fewer rows than one window are one window."""
    return [
        Window(
            first=part[0]["time"],
            last=part[-1]["time"],
            rows=len(part),
            inputs=_inputs(part, config.columns),
            answers=_answers(part, model),
        )
        for part in _parts(log.entries, config)
    ]


def of_table(columns: Columns, model: artifact.Model, config: Config) -> list[Window]:
    """The newest (last) windows of a table, answered by `model`."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    windows = []
    for part in _parts(range(table.rows(columns)), config):
        inputs = table.take(columns, np.array(part))
        answers = answer_columns(model.predict(inputs), model.labels)
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
    if not kept:
        return None
    found = {}
    for name, column in columns.items():
        if any(name in record for record in kept):
            try:
                found[name] = _typed([record.get(name) for record in kept], column)
            except (TypeError, ValueError, OverflowError):
                raise InputError(
                    f"the log has a {name!r} that is not {column.type}, as model_config.yaml says: "
                    f"move its file away, or look at the log of another model"
                ) from None
    return found


def _typed(values: list[Any], column: Column) -> np.ndarray:
    if column.type in ("numeric", "boolean"):
        return np.array([np.nan if value is None else float(value) for value in values])
    if column.type == "datetime":
        moments = [table.parse_datetime(v, column.format) if v else None for v in values]
        return np.array([moment or "NaT" for moment in moments], dtype="M8[us]")
    return np.array(values, dtype=object)


def _answers(part: list[dict[str, Any]], model: artifact.Model) -> Columns:
    names = model.outputs
    try:
        numbers = np.array([[entry["output"][name] for name in names] for entry in part], float)
    except KeyError as error:
        raise InputError(f"the log has answers without {error}: it is of another model") from None
    return answer_columns(numbers if model.labels else numbers[:, 0], model.labels)


def health(log: Log) -> dict[str, Any]:
    """Rows, span and milliseconds of the entries, and seconds since the last one."""
    if not log.entries:
        return {"rows": 0, "other_models": log.others}
    times = [float(e["milliseconds"]) for e in log.entries if "milliseconds" in e]
    last = datetime.fromisoformat(log.entries[-1]["time"])
    return {
        "rows": len(log.entries),
        "other_models": log.others,
        "first": log.entries[0]["time"],
        "last": log.entries[-1]["time"],
        "silent_seconds": max(0.0, (datetime.now(UTC) - last).total_seconds()),
        "p50_ms": float(np.percentile(times, 50)) if times else None,
        "p99_ms": float(np.percentile(times, 99)) if times else None,
    }
