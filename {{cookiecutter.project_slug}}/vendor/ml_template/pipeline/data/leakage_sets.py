"""Sets of columns that make up the target: sums, products, pairs, one-hot copies, reasons.

A set counts only when it is as good as exact: noise in honest columns never adds up like that.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from ...settings.config import Task
from ...tables import arrays
from ...tables.table import Columns
from .leakage_scores import CHANCE, PURE, correlation, group_codes, recall, seconds, separation

EXACT = 0.9999  # R2 of a sum or product: rounding only
PAIR = 0.999  # R2 of two columns in one formula
SEPARATED = 0.9995  # AUC of two columns in one formula
ONE_HOT = 0.98  # mean recall of a 0/1 column for one class
COVERED = 0.95  # share of that class that is marked by one of the reasons
ROUND = 1e-3  # distance of a coefficient from a round one
TRIED = 300  # rows that all pairs are tried on
FEWEST = 50  # complete rows needed
MOST = 40  # columns of one sum

Set = tuple[tuple[str, ...], str]
Finder = Callable[[Columns, np.ndarray], Set | None]
PAIRS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "{0} + {1}": lambda a, b: a + b,
    "{0} - {1}": lambda a, b: a - b,
    "{0} * {1}": lambda a, b: a * b,
    "{0} / {1}": lambda a, b: a / b,
    "{1} / {0}": lambda a, b: b / a,
}


def identity(columns: Columns, truth: np.ndarray) -> Set | None:
    """The first sum or product of `columns` that is the number `truth` (n,), or None."""
    numeric = _numbers(columns)
    if found := _weighted(numeric, truth, _is_round):
        return found, "the target is their sum or difference"
    if truth.min() <= 0:
        return None
    logarithms = {name: np.log(v) for name, v in numeric.items() if np.nanmin(v) > 0}
    found = _weighted(logarithms, np.log(truth), _is_half)
    return (found, "the target is their product or ratio") if found else None


def _numbers(columns: Columns) -> Columns:
    """Columns that can be added: numbers, and times in seconds."""
    found = {
        name: seconds(values) if values.dtype.kind == "M" else values.astype(np.float64)
        for name, values in columns.items()
        if values.dtype != object
    }
    return {name: values for name, values in found.items() if np.isnan(values).mean() < 0.5}


def _complete(columns: Columns, truth: np.ndarray) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Names, matrix (n, p) and truth (n,) of the rows without a gap; columns full of gaps go."""
    full = {name: values for name, values in columns.items() if np.isnan(values).mean() <= 0.2}
    names = list(full)
    matrix = np.column_stack([full[name] for name in names]) if names else np.empty((len(truth), 0))
    there = ~np.isnan(matrix).any(axis=1)
    return names, matrix[there], truth[there]


def _weighted(
    columns: Columns, truth: np.ndarray, fits: Callable[[float], bool]
) -> tuple[str, ...]:
    """Columns whose sum, with weights that people would write, is the target; () for none."""
    names, matrix, rows = _complete(columns, truth)
    found = _linear(matrix, rows)
    return tuple(names[at] for at in found) if all(map(fits, found.values())) else ()


def _linear(matrix: np.ndarray, truth: np.ndarray) -> dict[int, float]:
    """Weight of each column whose weighted sum is the target; none without such a sum."""
    if len(truth) < FEWEST or truth.std() == 0:
        return {}
    scale = matrix.std(axis=0)
    usable = np.flatnonzero(scale > 1e-12 * np.maximum(abs(matrix).max(axis=0), 1))
    if len(usable) < 2:
        return {}
    x = (matrix[:, usable] - matrix[:, usable].mean(axis=0)) / scale[usable]
    y = (truth - truth.mean()) / truth.std()
    chosen = np.arange(len(usable)) if len(x) >= 3 * len(usable) else _matching_pursuit(x, y)
    for _ in range(3):  # solve, drop what adds nothing, solve again
        weights = np.linalg.lstsq(x[:, chosen], y, rcond=1e-9)[0]
        if not 1 - ((y - x[:, chosen] @ weights) ** 2).mean() >= EXACT:
            return {}
        chosen = chosen[abs(weights) > 1e-3]
    if not 2 <= len(chosen) <= MOST:
        return {}
    weights = np.linalg.lstsq(x[:, chosen], y, rcond=1e-9)[0]
    used = usable[chosen]
    return dict(zip(used.tolist(), weights * truth.std() / scale[used], strict=True))


def _matching_pursuit(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Columns that explain `y` best, one after another (orthogonal matching pursuit)."""
    chosen: list[int] = []
    rest = y
    for _ in range(min(12, len(y) // 4)):
        chosen.append(int(np.argmax(abs(x.T @ rest))))
        weights = np.linalg.lstsq(x[:, chosen], y, rcond=None)[0]
        rest = y - x[:, chosen] @ weights
        if (rest**2).mean() < 1 - EXACT:
            break
    return np.unique(chosen)


def _is_round(weight: float) -> bool:
    """Whether people would write such a weight: two digits at most."""
    return abs(weight - float(f"{weight:.1e}")) <= ROUND * abs(weight)


def _is_half(power: float) -> bool:
    """Whether it is such a power: a square, a root."""
    return abs(power * 2 - round(power * 2)) < 0.01


def _explains(values: np.ndarray, truth: np.ndarray) -> bool:
    return correlation(values, truth) ** 2 >= PAIR


def _separates(values: np.ndarray, truth: np.ndarray) -> bool:
    return separation(values, truth) >= SEPARATED


def _pair(columns: Columns, truth: np.ndarray, classes: bool) -> Set | None:
    """Two columns that make up the target, a class or a number, in one formula of PAIRS."""
    names, matrix, rows = _complete(_numbers(columns), truth)
    if len(rows) < FEWEST or len(names) < 2:
        return None
    holds = _separates if classes else _explains
    few = _few_rows(rows, classes)
    if classes and not _is_beyond_chance(rows[few], len(names)):
        return None
    for formula, first, second in _candidates(matrix[few], rows[few], classes):
        if holds(matrix[:, first], rows) or holds(matrix[:, second], rows):
            continue  # the other one is honest, and swamped
        with np.errstate(all="ignore"):
            values = PAIRS[formula](matrix[:, first], matrix[:, second])
        finite = np.isfinite(values)
        if finite.mean() > 0.5 and holds(values[finite], rows[finite]):
            pair = names[first], names[second]
            verb = "follows from" if classes else "is"
            return pair, f"the target {verb} {formula.format(*pair)}"
    return None


def _few_rows(truth: np.ndarray, classes: bool) -> np.ndarray:
    if not classes:
        return np.linspace(0, len(truth) - 1, min(TRIED, len(truth))).astype(int)
    parts = [np.flatnonzero(truth == label) for label in (0, 1)]
    return np.concatenate([part[:: max(1, len(part) * 2 // TRIED)] for part in parts])


def _is_beyond_chance(truth: np.ndarray, width: int) -> bool:
    """Whether so many rows could not be parted by one of so many pairs by luck."""
    n, k = len(truth), int(truth.sum())
    ways = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    return ways > math.log(width**2 * len(PAIRS) / CHANCE)


def _candidates(
    matrix: np.ndarray, truth: np.ndarray, classes: bool
) -> Iterator[tuple[str, int, int]]:
    """Formulas that hold on the few rows of `matrix` (n, p)."""
    fits = _parted if classes else _alike
    for first in range(matrix.shape[1] - 1):
        for formula, combine in PAIRS.items():
            with np.errstate(all="ignore"):
                values = combine(matrix[:, first, None], matrix[:, first + 1 :])
                good = fits(values, truth)
            for at in np.flatnonzero(good):
                yield formula, first, int(first + 1 + at)


def _parted(values: np.ndarray, truth: np.ndarray) -> np.ndarray:
    finite = np.isfinite(values)
    low, high = np.where(finite, values, np.inf), np.where(finite, values, -np.inf)
    ends = [(low[truth == label].min(axis=0), high[truth == label].max(axis=0)) for label in (0, 1)]
    return (ends[1][0] > ends[0][1]) | (ends[1][1] < ends[0][0])


def _alike(values: np.ndarray, truth: np.ndarray) -> np.ndarray:
    finite = np.isfinite(values)
    rows = np.maximum(finite.sum(axis=0), 1)
    known = np.where(finite, values, 0.0)
    centred = np.where(finite, known - known.sum(axis=0) / rows, 0.0)
    target = np.where(finite, truth[:, None] - (truth @ finite) / rows, 0.0)
    product = (target * centred).sum(axis=0) ** 2
    return product >= (PAIR - 0.01) * (centred**2).sum(axis=0) * (target**2).sum(axis=0)


def _one_hot(columns: Columns, truth: np.ndarray) -> Set | None:
    """Columns with two values that each name one class, for all classes or all but one."""
    classes = int(truth.max()) + 1
    found: dict[int, list[str]] = {}
    for name, values in columns.items():
        groups, discrete = group_codes(values, 2)
        if not discrete or groups.max() != 1:
            continue
        for label in range(classes):
            if recall(groups, (truth == label).astype(np.int64)) >= ONE_HOT:
                found.setdefault(label, []).append(name)
    if len(found) < classes - 1:
        return None
    matched = {name for names in found.values() for name in names}
    names = tuple(name for name in columns if name in matched)
    return names, "each of them names one class of the target"


def _reasons(columns: Columns, truth: np.ndarray) -> Set | None:
    """Marks that only one class has, which together explain nearly all of that class."""
    marks = {name: mark for name, values in columns.items() if (mark := _mark(values)) is not None}
    for label in (1, 0):
        members = truth == label
        pure = {name: mark for name, mark in marks.items() if _is_pure(mark, members, len(marks))}
        if len(pure) >= 2 and np.any(list(pure.values()), axis=0)[members].mean() >= COVERED:
            return tuple(pure), "together they are the reasons the target is made of"
    return None


def _mark(values: np.ndarray) -> np.ndarray | None:
    """Rows that stand out: not the usual zero, or filled in where most are empty."""
    absent = arrays.missing(values)
    if values.dtype.kind not in "OM" and not absent.any() and (values == 0).mean() > 0.5:
        return values != 0
    return ~absent if absent.mean() > 0.5 else None


def _is_pure(mark: np.ndarray, members: np.ndarray, tests: int) -> bool:
    marked = int(mark.sum())
    is_pure = marked > 0 and bool(members[mark].mean() >= PURE)
    return is_pure and marked * math.log(members.mean()) < math.log(CHANCE / tests)


# the first set of columns that makes up the target (values, or class indices), or None
FINDERS: dict[Task, Finder] = {
    "regression": lambda columns, truth: _pair(columns, truth, classes=False),
    "multiclass": _one_hot,
    "binary": lambda columns, truth: (
        _reasons(columns, truth) or _pair(columns, truth, classes=True)
    ),
}
