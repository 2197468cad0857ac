"""Intervals of metrics by the bootstrap: a resample is a weighting of the rows, see metrics.py."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from math import nan
from typing import NamedTuple, TypeVar

import numpy as np

from .metrics import Array, Weighted

K = TypeVar("K")

_CELLS = 2_000_000  # weights in memory at a time: 16 MB
_MIN_DEFINED = 100  # resamples in which a metric has a value, for an interval
_FEW = 20  # clusters, below which they tell too little of how they differ
_DRAWS = 20_000_000  # weights in all, where that leaves at least 200 resamples


class Interval(NamedTuple):
    """A value and its 95 % percentile interval; NaN where not defined."""

    value: float
    low: float
    high: float


def replicates(rows: int) -> int:
    """Number of bootstrap resamples: 1,000 up to 20,000 rows, then fewer, at least 200."""
    return min(1000, max(200, _DRAWS // rows))


def resamples(
    rows: int, seed: int, clusters: Array | None = None, worth: float = 1.0
) -> Iterator[Array]:
    """Weights (b, rows) of the bootstrap resamples, some at a time; the seed fixes them all.

    `clusters` (rows,), numbers from 0, are drawn whole: their rows tell less than as many others
    (Davison and Hinkley 1997, 3.8). `worth` is the part of them that is drawn: an interval is
    that of so many rows.
    """
    random = np.random.default_rng(seed)
    units = rows if clusters is None else int(clusters.max()) + 1
    left, count = replicates(rows), max(1, round(units * worth))
    while left:
        size = min(left, max(1, _CELLS // rows))
        drawn = random.integers(units, size=(size, count))
        drawn += units * np.arange(size)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=size * units)
        weights = counts.reshape(size, units).astype(np.float64)
        yield weights if clusters is None else weights[:, clusters]
        left -= size


def intervals(
    measures: Mapping[K, Callable[[Array], Array]],
    rows: int,
    seed: int,
    clusters: Array | None = None,
    worth: float = 1.0,
) -> dict[K, Interval]:
    """Interval of each measure, a function of weights (b, rows); all on the same resamples.

    `clusters` (rows,) name the rows that are drawn together. Of few clusters it is no narrower than
    that of rows: one of a single cluster has no width. `worth`: see resamples, and Split.worth.
    """
    if clusters is None:
        return _intervals(measures, rows, seed, None, worth)
    names, numbers = np.unique(clusters, return_inverse=True)
    whole = _intervals(measures, rows, seed, numbers, worth)
    if len(names) >= _FEW:
        return whole
    by_row = _intervals(measures, rows, seed, None, worth)
    return {key: _wider(by_row[key], whole[key]) for key in measures}


def _wider(one: Interval, other: Interval) -> Interval:
    """NaN where one of the two is not defined."""
    ends = np.array([one, other])
    return Interval(one.value, float(ends[:, 1].min()), float(ends[:, 2].max()))


def _intervals(
    measures: Mapping[K, Callable[[Array], Array]],
    rows: int,
    seed: int,
    clusters: Array | None,
    worth: float,
) -> dict[K, Interval]:
    values = {key: float(measure(np.ones((1, rows)))[0]) for key, measure in measures.items()}
    drawn: dict[K, list[Array]] = {key: [] for key in measures}
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # numpy lets others work meanwhile
        for weights in resamples(rows, seed, clusters, worth):
            found = pool.map(lambda measure, drew=weights: measure(drew), measures.values())
            for answer, kept in zip(found, drawn.values(), strict=True):
                kept.append(answer)
    return {key: _percentiles(values[key], np.concatenate(drawn[key])) for key in measures}


def _percentiles(value: float, drawn: Array) -> Interval:
    defined = drawn[np.isfinite(drawn)]
    if not np.isfinite(value) or len(defined) < _MIN_DEFINED:
        return Interval(value, nan, nan)
    low, high = np.percentile(defined, [2.5, 97.5])
    return Interval(value, min(float(low), value), max(float(high), value))


def interval(
    metric: Weighted,
    truth: Array,
    prediction: Array,
    seed: int,
    clusters: Array | None = None,
    worth: float = 1.0,
) -> Interval:
    """Interval of one metric."""
    return intervals({0: partial(metric, truth, prediction)}, len(truth), seed, clusters, worth)[0]


def paired_interval(
    metric: Weighted,
    truth: Array,
    candidate: Array,
    champion: Array,
    seed: int,
    clusters: Array | None = None,
    worth: float = 1.0,
    champions: Weighted | None = None,
) -> Interval:
    """Interval of candidate minus champion on the same rows; both see the same resamples.

    `champions` is the metric of the champion where it answers from another threshold on.
    """

    def difference(weights: Array) -> Array:
        return metric(truth, candidate, weights) - (champions or metric)(truth, champion, weights)

    return intervals({0: difference}, len(truth), seed, clusters, worth)[0]
