"""The figures that gates judge: metrics, slices, fairness, calibration, and the naive model's.

`evaluate` writes them; `gate` measures them again, so that a report nobody measured counts nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from ...model import bootstrap, measures, metrics
from ...model.bootstrap import Interval
from ...model.metrics import Weighted
from ...settings.config import CONFIG_FILE, Config, InputError
from ...storage.places import PREPARED
from ...tables import small, table
from ...tables.table import Columns
from . import fairness
from .slices import MAX_VALUES, Groups, group

BINS = 10


def judged(
    config: Config, test: Columns, prediction: np.ndarray, again: bool = False
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Figures of `prediction`, (n, k) or (n,), for the hold-out rows `test` (n rows).

    All of them, to judge by; and what is shown of them, without those of small groups.
    `again` leaves out what no gate reads, the intervals of metrics beside the headline, and counts
    the groups of fairness by itself where `evaluate` asks fairlearn.
    """
    truth = metrics.encode_target(test[config.data.target], config.data.labels)
    sliced = slice_columns(config, test)
    columns = list(dict.fromkeys([*config.sensitive, *sliced]))
    training = table.read_parquet(PREPARED / "train.parquet", [config.data.target, *columns])
    groups = {
        name: group(name, config.columns[name].type, test[name], training[name]) for name in columns
    }
    named, headline = measures.known(config), measures.headline(config)
    asked = {headline: named[headline]} if again else named
    found = measure(config, truth, prediction, {name: groups[name] for name in sliced}, asked)
    if again:
        values = points(named, truth, prediction).items()
        found["metrics"] = {name: {"value": value} for name, value in values} | found["metrics"]
    above = 0 if again else fairness.COUNTED_ABOVE

    def compared(least: int) -> list[dict[str, Any]]:
        return [
            fairness.compare(name, groups[name], truth, prediction, above, least)
            for name in config.sensitive
        ]

    every = {
        "rows": len(truth),
        "classes": _counts(truth, config.data.labels),
        **found,
        "baseline": baseline(config, truth, training[config.data.target]),
        "fairness": compared(0),
        "calibration": calibrate(truth, prediction),
    }
    least = config.report.min_cell
    return every, every | _shown(every, least) | {"fairness": compared(least)}


def _shown(every: dict[str, Any], least: int) -> dict[str, Any]:
    """Classes, slices and bins of calibration as they are shown."""
    classes, calibration = every["classes"], every["calibration"]
    columns = dict.fromkeys(part["column"] for part in every["slices"])
    cut = [[part for part in every["slices"] if part["column"] == name] for name in columns]
    slices = [part for parts in cut for part in _few(parts, least, ("value", "low", "high"))]
    bins = _few(calibration["bins"], least, ("predicted", "observed"))
    return {
        "classes": dict(zip(classes, small.counts([*classes.values()], least), strict=True)),
        "slices": slices,
        "calibration": calibration | {"bins": bins},
    }


def _few(parts: list[dict[str, Any]], least: int, keys: tuple[str, ...]) -> list[dict[str, Any]]:
    """`parts` of a whole by their `rows`, without the values of `keys` where those are hidden."""
    rows = small.counts([part["rows"] for part in parts], least)
    return [
        part | dict.fromkeys(keys) | {"rows": each, "reason": f"{each} rows"}
        if isinstance(each, str)
        else part
        for part, each in zip(parts, rows, strict=True)
    ]


def points(
    named: Mapping[str, Weighted], truth: np.ndarray, prediction: np.ndarray
) -> dict[str, float]:
    """Value of each metric, without an interval."""
    ones = np.ones((1, len(truth)))
    return {name: float(metric(truth, prediction, ones)[0]) for name, metric in named.items()}


def slice_columns(config: Config, test: Columns) -> list[str]:
    """The sensitive columns and slices; if none is named, categorical features of few values."""
    named = list(dict.fromkeys([*config.sensitive, *config.slices]))
    return named or [
        name
        for name, column in config.features.items()
        if column.type == "categorical" and len(set(test[name])) <= MAX_VALUES
    ]


def measure(
    config: Config,
    truth: np.ndarray,
    prediction: np.ndarray,
    groups: Mapping[str, Groups],
    named: Mapping[str, Weighted],
) -> dict[str, Any]:
    """`metrics` `named`, with intervals, and the metric of slices for each group of `slices`.

    One set of resamples serves all. Raises InputError for a metric that cannot be computed.
    """
    sliced = measures.sliced(config)
    within = measures.known(config)[sliced]
    # Rows in the order of their score: each metric sorts them again for each set of resamples,
    # which costs little when they are sorted already.
    order = np.argsort(-prediction.reshape(len(truth), -1)[:, -1], kind="stable")
    truth, prediction = truth[order], prediction[order]
    groups = {name: Groups(found.names, found.codes[order]) for name, found in groups.items()}
    weighed: dict[tuple[str, ...], Callable[[np.ndarray], np.ndarray]] = {
        (name,): partial(metric, truth, prediction) for name, metric in named.items()
    }
    members = {
        (column, name): np.flatnonzero(found.codes == code)
        for column, found in groups.items()
        for code, name in enumerate(found.names)
    }
    members = {key: index for key, index in members.items() if len(index)}
    for key, index in members.items():
        weighed[key] = _within(index, partial(within, truth[index], prediction[index]))
    found = bootstrap.intervals(weighed, len(truth), config.seed)
    for name in named:
        if not all(map(math.isfinite, found[name,])):
            reason = undefined(truth, config)
            raise InputError(
                f"{name} cannot be computed on the {len(truth):,} test rows: {reason}; raise "
                f"split.test in {CONFIG_FILE}, or collect more data"
            )
    slices = [
        {"column": key[0], "group": key[1], "rows": len(index), "metric": sliced}
        | _slice(found[key], undefined(truth[index], config))
        for key, index in members.items()
    ]
    return {"metrics": {name: found[name,]._asdict() for name in named}, "slices": slices}


def _within(
    index: np.ndarray, metric: Callable[[np.ndarray], np.ndarray]
) -> Callable[[np.ndarray], np.ndarray]:
    return lambda weights: metric(np.take(weights, index, axis=1))


def _slice(found: Interval, reason: str) -> dict[str, Any]:
    numbers = {
        key: value if math.isfinite(value) else None for key, value in found._asdict().items()
    }
    return numbers | ({"reason": reason} if None in numbers.values() else {})


def undefined(truth: np.ndarray, config: Config) -> str:
    """Why a headline metric has no value or no interval on these rows."""
    labels = config.data.labels
    if not labels:
        return f"too few different values of the target ({len(np.unique(truth))})"
    counts = np.bincount(truth, minlength=len(labels))
    at = int(counts.argmin())
    rows = small.count(int(counts[at]), config.report.min_cell)
    return f"too few rows of class {labels[at]!r} ({rows})"


def baseline(config: Config, truth: np.ndarray, training: np.ndarray) -> dict[str, float | None]:
    """Metrics of the naive model: class frequencies or mean of the training rows, for every row."""
    known = metrics.encode_target(training, config.data.labels)
    if config.data.task == "regression":
        naive = np.full(len(truth), known.mean())
    else:
        shares = np.bincount(known, minlength=len(config.data.labels)) / len(known)
        naive = np.tile(shares, (len(truth), 1))
    values = points(measures.known(config), truth, naive).items()
    return {name: value if math.isfinite(value) else None for name, value in values}


def calibrate(truth: np.ndarray, prediction: np.ndarray) -> dict[str, Any]:
    """Expected calibration error (Guo et al. 2017) over BINS equal bins, and the bins in use.

    Binary: the probability of the positive class; several classes: that of the predicted class.
    """
    if prediction.ndim == 1:
        return {"error": None, "bins": []}
    if prediction.shape[1] == 2:
        chance, right = prediction[:, 1], truth == 1
    else:
        chance, right = prediction.max(axis=1), truth == prediction.argmax(axis=1)
    at = np.minimum((chance * BINS).astype(int), BINS - 1)
    rows = np.bincount(at, minlength=BINS)
    used = np.flatnonzero(rows)
    predicted = np.bincount(at, weights=chance, minlength=BINS)[used] / rows[used]
    observed = np.bincount(at, weights=right, minlength=BINS)[used] / rows[used]
    error = float(np.abs(predicted - observed) @ rows[used] / len(truth))
    columns = {"low": used / BINS, "high": (used + 1) / BINS, "rows": rows[used]}
    columns |= {"predicted": predicted, "observed": observed}
    used_bins = zip(*(column.tolist() for column in columns.values()), strict=True)
    return {
        "error": error,
        "bins": [dict(zip(columns, values, strict=True)) for values in used_bins],
    }


def _counts(truth: np.ndarray, labels: Sequence[str]) -> dict[str, int]:
    counts = np.bincount(truth, minlength=len(labels)).tolist() if labels else []
    return dict(zip(labels, counts, strict=True))
