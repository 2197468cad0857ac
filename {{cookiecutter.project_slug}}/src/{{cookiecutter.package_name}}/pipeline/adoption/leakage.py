"""Columns that give the target away: alone, or as a set that adds up to it.

A strong feature is not a leak, so every limit stands where honest columns are not found. The best
single column of well-known tables reaches an AUC of 0.975 (breast cancer), a balanced accuracy of
0.985 (mushrooms, odour) or 0.95 (iris, petals), a correlation of 0.97 (hourly bike rentals).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from ...config import Task
from ...table import Columns
from . import leakage_sets
from .leakage_scores import (
    auc,
    correlation,
    group_codes,
    order_share,
    r_squared,
    recall,
    spearman,
    text_codes,
)

AUC = 0.99  # one number that orders two classes
RECALL = 0.99  # mean share of each class named right by the values of a column
COPY_RECALL = 0.94  # the same for a column with as many values as there are classes
CORRELATION = 0.99  # of values or of ranks, with a target that is a number
EXPLAINED = 0.98  # share of the variance of the target explained by the values of a column
ORDERED = 0.98  # share of the best possible order: the target cut into groups
PRESENT = 0.5  # a correlation over fewer rows than this share says little about the table

ENOUGH_ROWS = 50  # with fewer rows a perfect column may be chance
SAMPLE = 20_000  # rows looked at; rare classes keep up to a fifth of them
DISCRETE = 20  # up to so many different numbers are looked at as categories


@dataclass(frozen=True)
class Leak:
    """Columns that give the target away together, and how that shows."""

    columns: tuple[str, ...]
    reason: str

    def __str__(self) -> str:
        """The reason, after the names of a set."""
        if len(self.columns) == 1:
            return self.reason
        more = f" and {len(self.columns) - 4} more" if len(self.columns) > 4 else ""
        return f"with {', '.join(self.columns[:4])}{more}: {self.reason}"


def find(columns: Columns, target: np.ndarray, task: Task) -> list[Leak]:
    """Leaks among `columns` (arrays of n) for `target` (n,): labels, or values for regression.

    Rows must have a target. Tables with fewer than ENOUGH_ROWS rows are not judged.
    """
    if len(target) < ENOUGH_ROWS:
        return []
    index = _sample(target, task)
    rows = {name: values[index] for name, values in columns.items()}
    if task == "regression":
        truth = target[index].astype(np.float64)
        single = {name: _regression(values, truth) for name, values in rows.items()}
    else:
        truth = text_codes(target[index])
        single = {name: _classification(values, truth) for name, values in rows.items()}
    leaks = [Leak((name,), reason) for name, reason in single.items() if reason]
    honest = {name: values for name, values in rows.items() if not single[name]}
    if task == "regression":  # most of a sum may be so strong that it was found alone
        parts = {n: v for n, v in rows.items() if not single[n] or _is_part(v, truth)}
        leaks += [Leak(*found) for found in _sets(parts, truth, leakage_sets.identity)]
        honest = {n: v for n, v in honest.items() if not any(n in leak.columns for leak in leaks)}
    return leaks + [Leak(*found) for found in _sets(honest, truth, leakage_sets.FINDERS[task])]


def _sample(target: np.ndarray, task: Task) -> np.ndarray:
    """Sorted row numbers, the same on every call."""
    random = np.random.default_rng(0)
    if len(target) <= SAMPLE:
        return np.arange(len(target))
    if task == "regression":
        return np.sort(random.choice(len(target), SAMPLE, replace=False))
    labels = text_codes(target)
    rare = [np.flatnonzero(labels == label)[: SAMPLE // 5] for label in range(labels.max() + 1)]
    rare = [members for members in rare if len(members) < SAMPLE // 5]
    common = random.choice(len(target), SAMPLE, replace=False)
    return np.unique(np.concatenate([common, *rare]))


def _sets(
    columns: Columns,
    truth: np.ndarray,
    look: Callable[[Columns, np.ndarray], leakage_sets.Set | None],
) -> Iterator[leakage_sets.Set]:
    """Set after set, each looked for among the columns that are left."""
    left = dict(columns)
    while found := look(left, truth):
        yield found
        for name in found[0]:
            del left[name]


def _is_part(values: np.ndarray, truth: np.ndarray) -> bool:
    """Whether numbers that are close to the target are still no copy of it."""
    if values.dtype == object or values.dtype.kind == "M" or np.isnan(values).any():
        return False
    return bool(correlation(values, truth) ** 2 < leakage_sets.EXACT)


def _classification(values: np.ndarray, truth: np.ndarray) -> str:
    """Reason why `values` (n,) give the class index `truth` (n,) away, or nothing."""
    classes = int(truth.max()) + 1
    absent = values == None if values.dtype == object else np.isnan(values.astype(np.float64))  # noqa: E711
    if values.dtype.kind == "M":
        absent = np.isnat(values)
    if absent.any() and classes == 2 and recall(absent.astype(np.int64), truth) >= COPY_RECALL:
        return "whether it is filled in says what the target is"
    if values.dtype.kind == "M":  # neighbours in time are alike: that is no leak
        return ""
    groups, discrete = group_codes(values, DISCRETE)
    share = recall(groups, truth)
    if discrete and groups.max() + 1 <= classes + absent.any() and share >= COPY_RECALL:
        return f"it is a copy of the target: its values name {share:.1%} of each class"
    if share >= RECALL:
        return f"it gives the target away: its values name {share:.1%} of each class"
    if values.dtype != object and classes == 2 and absent.mean() < 1 - PRESENT:
        area = auc(values[~absent], truth[~absent])
        if max(area, 1 - area) >= AUC and absent.mean() < 0.1:
            return f"it gives the target away: AUC {max(area, 1 - area):.3f} alone"
    return ""


def _regression(values: np.ndarray, truth: np.ndarray) -> str:
    """Reason why `values` (n,) give the number `truth` (n,) away, or nothing."""
    if values.dtype.kind == "M":  # a trend over time is no leak
        return ""
    groups, discrete = group_codes(values, DISCRETE)
    if discrete and (share := order_share(groups, truth)) >= ORDERED:
        return f"it is the target cut into groups ({share:.1%} of the best possible order)"
    if values.dtype != object:
        there = ~np.isnan(values)
        if there.mean() >= PRESENT:
            pair = values[there], truth[there]
            strength = max(abs(correlation(*pair)), abs(spearman(*pair)))
            if strength >= CORRELATION:
                return f"it is the target in another form: correlation {strength:.4f}"
    if (share := r_squared(groups, truth)) >= EXPLAINED:
        return f"it gives the target away: its values explain {share:.1%} of it"
    return ""
