"""How far the figures of a sound model may lie off by chance, on rows as few as these are.

A gate refuses what is beyond its limit and beyond this noise; what is beyond the limit alone is too
small to judge. Every draw follows from the seed.
"""

from __future__ import annotations

import math

import numpy as np

from ...model.metrics import Weighted

LEVEL = 0.01  # of sound models that lie further off by chance
DRAWS = 1_000
MOST_DRAWS = 5_000
EXACT = 5_000  # rows; more are drawn from the normal distribution, which a sum of them has
ENOUGH = 200  # rows of each class in a slice whose bootstrap interval is sound by itself

Rates = np.ndarray  # (g, c): of g groups and c classes; NaN where a group has no rate


def calibration(chance: np.ndarray, bins: np.ndarray, seed: int) -> float:
    """The calibration error that 1 - LEVEL of perfectly calibrated models stay below.

    `chance` (n,) are probabilities, `bins` (n,) their bins. Labels are drawn from the probabilities
    themselves: consistency resampling (Broecker and Smith 2007, Vaicenavicius et al. 2019). The
    error of few rows is far above 0 even so, because it sums distances without their sign.
    """
    random = np.random.default_rng(seed)
    size = int(bins.max()) + 1
    if len(chance) > EXACT:
        spread = np.sqrt(np.bincount(bins, weights=chance * (1 - chance)))
        gaps = random.normal(size=(DRAWS, size)) * spread
    else:
        gaps = np.empty((DRAWS, size))
        for draw in range(DRAWS):
            off = (random.random(len(chance)) < chance) - chance
            gaps[draw] = np.bincount(bins, weights=off, minlength=size)
    return float(np.quantile(np.abs(gaps).sum(axis=1) / len(chance), 1 - LEVEL))


def as_low(
    metric: Weighted,
    truth: np.ndarray,
    prediction: np.ndarray,
    index: np.ndarray,
    slices: int,
    seed: int,
    counts: np.ndarray | None = None,
) -> float | None:
    """Chance that one of `slices` random ones is as low by `metric` as the rows `index` are.

    A random slice has as many rows of each class, drawn from all n rows (`truth` (n,)) without
    their return: a permutation test, times the number of slices (Bonferroni). It stops when the
    answer is above LEVEL (Besag and Clifford 1991). None where each class has ENOUGH rows: the
    bootstrap interval tells. Rows count as `counts` (n,) says.
    """
    strata = [np.arange(len(truth))]
    if prediction.ndim == 2:
        strata = [np.flatnonzero(truth == label) for label in np.unique(truth[index])]
    sizes = [int(np.isin(rows, index).sum()) for rows in strata]
    if min(sizes) >= ENOUGH:
        return None
    counts = np.ones(len(truth)) if counts is None else counts
    value = _value(metric, truth[index], prediction[index], counts[index])
    random = np.random.default_rng(seed)
    wanted, below = min(MOST_DRAWS, max(DRAWS, math.ceil(2 * slices / LEVEL))), 0
    for draw in range(1, wanted + 1):
        parts = zip(strata, sizes, strict=True)
        drawn = [random.choice(all_, size, replace=False, shuffle=False) for all_, size in parts]
        rows = np.concatenate(drawn)
        low = _value(metric, truth[rows], prediction[rows], counts[rows])
        below += bool(low <= value)
        if below > LEVEL * wanted / slices:
            return min(1.0, slices * below / draw)
    return slices * below / wanted


def _value(
    metric: Weighted, truth: np.ndarray, prediction: np.ndarray, counts: np.ndarray
) -> float:
    return float(metric(truth, prediction, counts[None, :])[0])


def gap_of_rates(rows: Rates, rates: np.ndarray, level: float, seed: int) -> float:
    """Largest difference between groups that 1 - level of models with equal rates stay below.

    `rows` (g, c): how many a rate of each group is over, 0 where it is not judged; `rates` (c,):
    those of all groups together, from which the groups are drawn.
    """
    random = np.random.default_rng(seed)
    drawn = random.binomial(rows.astype(np.int64), rates, (_enough(level), *rows.shape))
    return _quantile(drawn / np.maximum(rows, 1), rows, level)


def gap_of_means(rows: Rates, spread: float, level: float, seed: int) -> float:
    """The same for means of a value whose standard deviation is `spread`."""
    random = np.random.default_rng(seed)
    drawn = random.normal(size=(_enough(level), *rows.shape)) * spread
    return _quantile(drawn / np.sqrt(np.maximum(rows, 1)), rows, level)


def _enough(level: float) -> int:
    return max(DRAWS, math.ceil(10 / level))


def _quantile(found: np.ndarray, rows: Rates, level: float) -> float:
    values = np.where(rows > 0, found, np.nan)
    defined = (rows > 0).sum(axis=0) > 1
    if not defined.any():
        return 0.0
    gaps = np.nanmax(values[:, :, defined], axis=1) - np.nanmin(values[:, :, defined], axis=1)
    return float(np.quantile(gaps.max(axis=1), 1 - level))
