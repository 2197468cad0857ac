"""How much one column says about the target; every score leaves the judged row out."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Array = NDArray[np.float64]

PURE = 0.98  # share of marked rows that are of one class, were the classes equally frequent
CHANCE = 1e-6  # probability by chance that is too small to believe in


def text_codes(texts: np.ndarray) -> np.ndarray:
    """Index (n,) of the value of each row, None being a value; memory as long as the texts are.

    A NumPy array of texts gives every row the room of the longest.
    """
    encoded = pa.array(texts, pa.string()).dictionary_encode(null_encoding="encode")
    return encoded.indices.to_numpy().astype(np.int64)


def group_codes(values: np.ndarray, discrete: int) -> tuple[np.ndarray, bool]:
    """Group index (n,) of each row, missing being a group, and whether groups are single values.

    Numbers with more than `discrete` different values are put into groups of about five
    neighbours; equal numbers are never parted.
    """
    if values.dtype == object:
        return text_codes(values), True
    numbers = values.astype(np.float64)
    different, codes = np.unique(numbers, return_inverse=True)
    if len(different) <= discrete:
        return codes, True
    first = np.searchsorted(np.sort(numbers), different) // 5
    groups = np.unique(first, return_inverse=True)[1]
    groups[np.isnan(different)] = groups.max() + 1
    return np.unique(groups[codes], return_inverse=True)[1], False


def recall(groups: np.ndarray, truth: np.ndarray) -> float:
    """Mean over classes of the share of rows whose class the other rows of their group name.

    `groups`, `truth`: (n,) indices. Each class weighs the same (balanced accuracy,
    leave-one-out), so that a rare class counts and a group of one row proves nothing.
    """
    table = _table(groups, truth).astype(np.float64)
    classes = table.shape[1]
    sizes = np.maximum(table.sum(axis=0), 1)
    weights = table / sizes
    right = np.zeros(classes)
    for label in range(classes):
        others = np.delete(weights, label, axis=1).max(axis=1)
        own = (table[:, label] - 1) / sizes[label]
        right[label] = table[own > others, label].sum() / sizes[label]
    return float(right.mean())


def pure_groups(groups: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Class (k,) each of the k groups is pure for beyond chance, or -1; and the table (k, classes).

    `groups`, `truth`: (n,) indices. A group is pure when the classes, weighed the same, leave at
    most 1 - PURE to the others, and so few others are improbable at their share of all rows.
    """
    table = _table(groups, truth)
    k, classes = table.shape
    totals, sizes = table.sum(axis=0), table.sum(axis=1)
    named = np.full(k, -1)
    for label in range(classes):
        own = table[:, label] / max(totals[label], 1)
        wrong = sizes - table[:, label]
        others = len(truth) - totals[label]
        pure = np.flatnonzero((own >= PURE * (own + wrong / max(others, 1))) & (sizes > 0))
        if len(pure):  # seldom: SciPy is not read for an honest column
            from scipy.special import bdtr

            chance = bdtr(wrong[pure].astype(np.float64), sizes[pure], others / len(truth))
            named[pure[chance < CHANCE / (k * classes)]] = label
    return named, table


def _table(groups: np.ndarray, truth: np.ndarray) -> NDArray[np.int64]:
    """Rows of each group in each class, (k, classes), from indices (n,)."""
    k, classes = int(groups.max()) + 1, int(truth.max()) + 1
    return np.bincount(groups * classes + truth, minlength=k * classes).reshape(k, classes)


def r_squared(groups: np.ndarray, truth: np.ndarray) -> float:
    """Share of the variance of `truth` (n,) explained by the mean of the other rows of a group."""
    counts = np.bincount(groups)
    sums = np.bincount(groups, truth)
    alone = counts[groups] == 1
    mean = np.where(alone, truth.mean(), (sums[groups] - truth) / np.maximum(counts[groups] - 1, 1))
    total = ((truth - truth.mean()) ** 2).sum()
    return float(1 - ((truth - mean) ** 2).sum() / total) if total > 0 else 0.0


def order_share(groups: np.ndarray, truth: np.ndarray) -> float:
    """Between-group share of the ranks of `truth`, relative to groups that do not overlap at all.

    1 = the groups are cuts of the target. Groups of fewer than five rows prove nothing: 0.
    """
    counts = np.bincount(groups)
    if len(counts) < 2 or counts.min() < 5:
        return 0.0
    ranks = _ranks(truth) - (len(truth) + 1) / 2
    means = np.bincount(groups, ranks) / counts
    order = np.argsort(means)
    ends = np.cumsum(counts[order])
    best = ends - (counts[order] + len(truth)) / 2
    top = (counts[order] * best**2).sum()
    return float((counts * means**2).sum() / top)


def seconds(times: np.ndarray) -> Array:
    """Times (n,) as seconds; NaN where there is none."""
    return ((times - np.datetime64("2000-01-01")) / np.timedelta64(1, "s")).astype(np.float64)


def separation(values: np.ndarray, truth: np.ndarray) -> float:
    """Area under the ROC curve for the classes 0 and 1, in the order (n,) that parts them better.

    From 0.5, also for one class alone, to 1.
    """
    positive = int(truth.sum())
    negative = len(truth) - positive
    if not positive or not negative:
        return 0.5
    ranks = _ranks(values)[truth == 1].sum()
    area = float((ranks - positive * (positive + 1) / 2) / (positive * negative))
    return max(area, 1 - area)


def correlation(left: np.ndarray, right: np.ndarray) -> float:
    """Pearson correlation of two (n,); 0 where one is constant."""
    a, b = left - left.mean(), right - right.mean()
    scale = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / scale) if scale > 0 and np.isfinite(scale) else 0.0


def spearman(left: np.ndarray, right: np.ndarray) -> float:
    """Correlation of the ranks."""
    return correlation(_ranks(left), _ranks(right))


def _ranks(values: np.ndarray) -> Array:
    """Ranks (n,) from 1; equal values share the mean of theirs."""
    _, at, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[at]
