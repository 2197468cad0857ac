"""The figures that gates judge: metrics, slices, fairness, calibration, and the naive model's.

`evaluate` writes them; `gate` measures them again, so that a report nobody measured counts nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import chain, groupby
from typing import Any

import numpy as np

from ...model import bootstrap, measures, metrics, quantiles
from ...model.bootstrap import Interval
from ...model.metrics import Weighted
from ...model.shapes import Estimate, Fairness, Figures, Slice
from ...settings.config import CONFIG_FILE, Config, InputError
from ...storage.places import PREPARED
from ...tables import small, table
from ...tables.table import Columns
from ..data import split
from . import calibration, fairness, noise
from .slices import MAX_VALUES, Groups, group


def judged(
    config: Config,
    test: Columns,
    prediction: np.ndarray,
    again: bool = False,
    threshold: float | None = None,
) -> tuple[Figures, Figures]:
    """Figures of `prediction`, (n, k) or (n,), for the hold-out rows `test` (n rows).

    All of them, to judge by; and what is shown of them, without those of small groups.
    `again` measures of metrics those alone whose interval gates read. `threshold` is that of the
    model.
    """
    truth = metrics.encode_target(test[config.data.target], config.data.labels)
    sliced = slice_columns(config, test)
    columns = list(dict.fromkeys([*config.sensitive, *sliced]))
    read = [*{config.data.target, *columns, *filter(None, [config.data.weight])}]
    training = table.read_parquet(PREPARED / "train.parquet", read)
    counts = [measures.counted(config, part) for part in (test, training)]
    groups = {
        name: group(name, config.columns[name].type, test[name], training[name]) for name in columns
    }
    named = measures.known(config, threshold)
    asked = {name: named[name] for name in measures.judged(config)} if again else named
    cut = {name: groups[name] for name in sliced}
    whole = split.clusters(config, test)
    estimates, slices = measure(config, truth, prediction, cut, asked, whole, threshold, counts[0])

    def compared(least: int, to_judge: bool = False) -> list[Fairness]:
        return [
            fairness.compare(name, groups[name], truth, prediction, least, to_judge, threshold)
            for name in config.sensitive
        ]

    labels = config.data.labels
    counted = np.bincount(truth, minlength=len(labels)).tolist() if labels else []
    classes: dict[str, int] = dict(zip(labels, counted, strict=True))
    every: Figures = {
        "rows": len(truth),
        "classes": classes,
        "metrics": estimates,
        "slices": slices,
        "baseline": baseline(config, truth, training[config.data.target], *counts),
        "fairness": compared(0, to_judge=True),
        "calibration": calibration.calibrate(truth, prediction, config.seed),
    }
    least = config.report.min_cell
    by_column = groupby(slices, key=lambda part: part["column"])
    cells = [_few([*parts], least, "value", "low", "high", "chance") for _, parts in by_column]
    bins = _few(every["calibration"]["bins"], least, "predicted", "observed")
    return every, {
        **every,
        "classes": dict(zip(classes, small.counts([*classes.values()], least), strict=True)),
        "slices": list(chain(*cells)),
        "calibration": {**every["calibration"], "bins": bins},
        "fairness": compared(least),
    }


def _few(parts: Sequence[Mapping[str, Any]], least: int, *keys: str) -> list[Any]:
    """`parts` of a whole by their `rows`, without the values of `keys` where those are hidden."""
    rows = small.counts([part["rows"] for part in parts], least)
    return [
        {**part, **dict.fromkeys(keys), "rows": each, "reason": f"{each} rows"}
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
    clusters: np.ndarray | None = None,
    threshold: float | None = None,
    counts: np.ndarray | None = None,
) -> tuple[dict[str, Estimate], list[Slice]]:
    """The metrics `named` with intervals, and the metric of slices for each of `groups`.

    One set of resamples serves all, of whole `clusters` (n,) where they are given; rows count as
    `counts` (n,) says. Raises InputError for a metric that cannot be computed.
    """
    sliced = measures.sliced(config)
    within = measures.known(config, threshold)[sliced]
    # Rows in the order of their score: each metric sorts them again for each set of resamples,
    # which costs little when they are sorted already.
    order = np.argsort(-prediction.reshape(len(truth), -1)[:, -1], kind="stable")
    truth, prediction = truth[order], prediction[order]
    clusters, counts = (x if x is None else x[order] for x in (clusters, counts))
    groups = {name: Groups(found.names, found.codes[order]) for name, found in groups.items()}
    weighed: dict[tuple[str, ...], Callable[[np.ndarray], np.ndarray]] = {
        (name,): partial(measures.by_row(metric, counts), truth, prediction)
        for name, metric in named.items()
    }
    members = {
        (column, name): np.flatnonzero(found.codes == code)
        for column, found in groups.items()
        for code, name in enumerate(found.names)
    }
    members = {key: index for key, index in members.items() if len(index)}
    for key, index in members.items():
        part_of = measures.by_row(within, None if counts is None else counts[index])
        weighed[key] = partial(_within, index, partial(part_of, truth[index], prediction[index]))
    found = bootstrap.intervals(weighed, len(truth), config.seed, clusters, config.split.worth)
    for name in named:
        if not all(map(math.isfinite, found[name,])):
            reason = undefined(truth, config)
            more = "" if config.split.folds else f"{config.split.larger} in {CONFIG_FILE}, or "
            raise InputError(
                f"{name} cannot be computed on the {len(truth):,} test rows: {reason}; {more}"
                f"collect more data"
            )
    slices: list[Slice] = []
    (whole,) = measures.by_row(within, counts)(truth, prediction, np.ones((1, len(truth))))
    for (column, name), index in members.items():
        value, low, high = finite(found[column, name])
        n = len(index)
        part = Slice(
            column=column, group=name, rows=n, metric=sliced, value=value, low=low, high=high
        )
        slices.append(part)
        if None in (value, low, high):
            part["reason"] = undefined(truth[index], config)
        elif high < whole:
            part["chance"] = noise.as_low(
                within, truth, prediction, index, len(members), config.seed, counts
            )
    return {name: estimate(found[name,]) for name in named}, slices


def _within(
    index: np.ndarray, metric: Callable[[np.ndarray], np.ndarray], weights: np.ndarray
) -> np.ndarray:
    return metric(np.take(weights, index, axis=1))


def estimate(found: Interval) -> Estimate:
    """An interval as it is written."""
    return {"value": found.value, "low": found.low, "high": found.high}


def finite(found: Interval) -> tuple[float | None, ...]:
    """Value, low and high; None for what is not finite."""
    return tuple(each if math.isfinite(each) else None for each in found)


def undefined(truth: np.ndarray, config: Config) -> str:
    """Why a headline metric has no value or no interval on these rows."""
    labels = config.data.labels
    if not labels:
        return f"too few different values of the target ({len(np.unique(truth))})"
    counts = np.bincount(truth, minlength=len(labels))
    at = int(counts.argmin())
    rows = small.count(int(counts[at]), config.report.min_cell)
    return f"too few rows of class {labels[at]!r} ({rows})"


def baseline(
    config: Config, truth: np.ndarray, training: np.ndarray, *counts: np.ndarray | None
) -> dict[str, float | None]:
    """Metrics of the naive model: for every row what is usual in the training rows.

    Class frequencies and the most frequent class, or where wrong answers have costs the cheaper
    one; the mean, or where a quantile is asked for that. `counts` (n,) and (m,) say how much rows
    to test and to learn from count.
    """
    tested, learned = counts or (None, None)
    known = metrics.encode_target(training, config.data.labels)
    shares = np.empty(0)
    if config.data.task == "regression":
        naive = np.full(len(truth), quantiles.constant(known, config.model.quantile, learned))
    else:
        shares = np.bincount(known, learned, len(config.data.labels)) / len(known)
        naive = np.tile(shares, (len(truth), 1))
    named = measures.known(config)
    if "neg_cost" in named and (rule := config.model.threshold) and (costs := rule.costs):
        none, every = costs.false_negative * shares[1], costs.false_positive * shares[0]
        named |= {"neg_cost": measures.known(config, 0.0 if every < none else np.inf)["neg_cost"]}
    values = points({n: measures.by_row(each, tested) for n, each in named.items()}, truth, naive)
    return {name: value if math.isfinite(value) else None for name, value in values.items()}
