"""Columns that give the target away: alone, or as a set that adds up to it.

A strong feature is not a leak, so every limit stands where honest columns are not found. The best
single column of well-known tables reaches an AUC of 0.975 (breast cancer), a balanced accuracy of
0.985 (mushrooms, odour) or 0.95 (iris, petals), a correlation of 0.97 (hourly bike rentals).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ...settings.config import Task
from ...tables import arrays
from ...tables.table import Columns
from . import leakage_scores as scores
from . import leakage_sets

AUC = 0.99  # one number that orders two classes
RECALL = 0.99  # mean share of each class named right by the values of a column
COPY_RECALL = 0.94  # the same for a column with as many values as there are classes
CORRELATION = 0.99  # of values or of ranks, with a target that is a number
EXPLAINED = 0.98  # share of the variance of the target explained by the values of a column
ORDERED = 0.98  # share of the best possible order: the target cut into groups
COVERED = 0.9  # share of the rows that is in groups of one class only
HALF = 0.5  # share of a class that a mark must cover
GAPS = 0.2  # share of empty cells up to which an order is judged
PRESENT = 0.5  # a correlation over fewer rows than this share says little about the table

FEWEST = 10  # rows of the rarer class: fewer are put in order by chance
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
        labels, truth = np.unique(target[index].astype(object), return_inverse=True)
        single = {name: _classification(values, truth, labels) for name, values in rows.items()}
    leaks = [Leak((name,), reason) for name, reason in single.items() if reason]
    honest = {name: values for name, values in rows.items() if not single[name]}
    if task == "regression":  # most of a sum may be so strong that it was found alone
        parts = {n: v for n, v in rows.items() if not single[n] or _is_part(v, truth)}
        leaks += _sets(parts, truth, leakage_sets.identity)
        honest = {n: v for n, v in honest.items() if not any(n in leak.columns for leak in leaks)}
    return leaks + list(_sets(honest, truth, leakage_sets.FINDERS[task]))


def _sample(target: np.ndarray, task: Task) -> np.ndarray:
    """Sorted row numbers, the same on every call."""
    random = np.random.default_rng(0)
    if len(target) <= SAMPLE:
        return np.arange(len(target))
    if task == "regression":
        return np.sort(random.choice(len(target), SAMPLE, replace=False))
    labels = scores.text_codes(target)
    rare = [np.flatnonzero(labels == label)[: SAMPLE // 5] for label in range(labels.max() + 1)]
    rare = [members for members in rare if len(members) < SAMPLE // 5]
    common = random.choice(len(target), SAMPLE, replace=False)
    return np.unique(np.concatenate([common, *rare]))


def _sets(columns: Columns, truth: np.ndarray, look: leakage_sets.Finder) -> Iterator[Leak]:
    """Set after set, each looked for among the columns that are left."""
    left = dict(columns)
    while found := look(left, truth):
        yield Leak(*found)
        for name in found[0]:
            del left[name]


def _is_part(values: np.ndarray, truth: np.ndarray) -> bool:
    """Whether numbers that are close to the target are still no copy of it."""
    if values.dtype.kind in "OM" or np.isnan(values).any():
        return False
    return scores.correlation(values, truth) ** 2 < leakage_sets.EXACT


def _classification(values: np.ndarray, truth: np.ndarray, labels: np.ndarray) -> str:
    """Reason why `values` (n,) give the class index `truth` (n,) of `labels` away, or nothing."""
    classes = len(labels)
    absent = arrays.missing(values)
    for mark, empty, filled in _marks(values, absent):
        if classes == 2 and scores.recall(mark.astype(np.int64), truth) >= COPY_RECALL:
            return f"whether it {filled} says what the target is"
        if reason := _one_class(mark, truth, labels, empty, filled):
            return reason
    is_time = values.dtype.kind == "M"
    if not is_time and (reason := _named(values, absent, truth, classes)):
        return reason  # neighbours in time are alike: that is no leak
    if values.dtype != object and classes == 2 and absent.mean() <= GAPS:
        present, named = values[~absent], truth[~absent]
        area = scores.separation(scores.seconds(present) if is_time else present, named)
        if np.bincount(named, minlength=2).min() >= FEWEST and area >= AUC:
            return f"it gives the target away: AUC {area:.3f} alone"
    return ""


def _marks(values: np.ndarray, absent: np.ndarray) -> Iterator[tuple[np.ndarray, str, str]]:
    """Rows (n,) without a real value, and how to say that they have none, and have one.

    A date that stands in more rows than any other may mean "never", such as 9999-12-31.
    """
    if absent.any():
        yield absent, "is empty", "is filled in"
    if values.dtype.kind == "M" and not absent.all():
        days, counts = np.unique(values[~absent], return_counts=True)
        usual = days[counts.argmax()]
        day = usual.astype("M8[D]")
        mark = absent | (values == usual)
        yield mark, f"is {day} or empty", f"is filled with another day than {day}"


def _one_class(
    mark: np.ndarray, truth: np.ndarray, labels: np.ndarray, empty: str, filled: str
) -> str:
    """Reason why a mark (n,), or its absence, that only rows of one class have gives it away."""
    if mark.all():
        return ""
    named, table = scores.pure_groups(mark.astype(np.int64), truth)
    for at, how in ((0, filled), (1, empty)):
        label = named[at]
        if label >= 0 and table[at, label] >= HALF * table[:, label].sum():
            return f"it {how} only where the target is {labels[label]!r}"
    return ""


def _named(values: np.ndarray, absent: np.ndarray, truth: np.ndarray, classes: int) -> str:
    """Reason why groups of `values` (n,) name the class of nearly every row, or nothing."""
    groups, discrete = scores.group_codes(values, DISCRETE)
    share = scores.recall(groups, truth)
    if discrete and groups.max() + 1 <= classes + absent.any() and share >= COPY_RECALL:
        return f"it is a copy of the target: its values name {share:.1%} of each class"
    if share >= RECALL:
        return f"it gives the target away: its values name {share:.1%} of each class"
    if not discrete:
        return ""
    named, table = scores.pure_groups(groups, truth)
    pure = table * (named[:, None] == np.arange(classes))
    covered = table[named >= 0].sum() / len(truth)
    if covered >= COVERED and (pure.sum(axis=0) >= HALF * table.sum(axis=0)).all():
        return f"it gives the target away: values of one class each fill {covered:.1%} of its rows"
    return ""


def _regression(values: np.ndarray, truth: np.ndarray) -> str:
    """Reason why `values` (n,) give the number `truth` (n,) away, or nothing."""
    if values.dtype.kind == "M":  # a trend over time is no leak
        return ""
    groups, discrete = scores.group_codes(values, DISCRETE)
    if discrete and (share := scores.order_share(groups, truth)) >= ORDERED:
        return f"it is the target cut into groups ({share:.1%} of the best possible order)"
    if values.dtype != object:
        there = ~np.isnan(values)
        if there.mean() >= PRESENT:
            pair = values[there], truth[there]
            strength = max(abs(scores.correlation(*pair)), abs(scores.spearman(*pair)))
            if strength >= CORRELATION:
                return f"it is the target in another form: correlation {strength:.4f}"
    if (share := scores.r_squared(groups, truth)) >= EXPLAINED:
        return f"it gives the target away: its values explain {share:.1%} of it"
    return ""
