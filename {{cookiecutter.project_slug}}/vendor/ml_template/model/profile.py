"""What the training data looked like: enough to notice later that the world has changed.

A profile is counts, never rows; of texts it keeps their number only, because they may be names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..settings.config import Config
from ..tables.arrays import Columns
from .metrics import chosen
from .moments import numbers

BINS = 10
CUTS = 49  # inner cut points of a number: every fifth one is a decile
DISCRETE = 20  # up to so many different numbers are each a bin of their own
MAX_LABELS = 50
FREQUENT = 0.01  # share of the rows from which on a number of many is kept with its rows
LEAST = 10  # rows of one: fewer tell of single people
SAME = 1e-6  # of a number or of the least gap: what a float32 or another order of sums changes
WATCHED = ("hour", "weekday")  # parts of a moment; months and days of a year move on by themselves
FLOAT32 = 2**-24  # of a number: the most that rounding to a float32 moves it

Profile = dict[str, dict[str, Any]]


def profile(columns: Columns, config: Config) -> Profile:
    """For each column: rows, missing, and cut points with counts, or the labels with counts.

    A moment whose parts are features has the profiles of those that are `WATCHED` as well.
    """
    found = {
        name: column_profile(columns[name], texts=column.type == "text")
        for name, column in config.columns.items()
    }
    for name, column in config.features.items():
        if watched := [part for part in column.parts if part in WATCHED]:
            found[name]["parts"] = {
                part: column_profile(whole_part(columns[name], part)) for part in watched
            }
    return found


def whole_part(moments: np.ndarray, part: str) -> np.ndarray:
    """The part of each of `moments` (n,) that is there, as whole numbers."""
    return np.floor(numbers(moments[~np.isnat(moments)], part))


def reference(
    columns: Columns, outputs: np.ndarray, config: Config, threshold: float | None = None
) -> dict[str, Any]:
    """Profile of the training rows `columns`, and of the answers (n, k) or (n,) to the hold-out."""
    answers = answer_columns(outputs, config.data.labels, threshold)
    return {
        "columns": profile(columns, config),
        "answers": {name: column_profile(values) for name, values in answers.items()},
    }


def answer_columns(
    outputs: np.ndarray, labels: Sequence[str], threshold: float | None = None
) -> Columns:
    """Answers as columns: `value`; or the predicted `label` and the probability of the last one."""
    if outputs.ndim == 1:
        return {"value": outputs}
    label = np.array(labels, dtype=object)[chosen(outputs, threshold)]
    return {"label": label, f"probability_{labels[-1]}": outputs[:, -1]}


def column_profile(values: np.ndarray, texts: bool = False) -> dict[str, Any]:
    """Profile of one column (n,): object columns by label, others by quantiles."""
    if values.dtype == object:
        return _labels(values, texts)
    if values.dtype.kind == "M":
        kind, number = "datetime", values.astype("datetime64[s]").astype(np.float64)
        number[np.isnat(values)] = np.nan
    else:
        kind, number = "number", values.astype(np.float64)
    present = np.sort(number[~np.isnan(number)])
    facts: dict[str, Any] = {
        "kind": kind,
        "rows": len(values),
        "missing": len(values) - len(present),
    }
    if len(present) == 0:
        return facts | {"edges": [], "cuts": [], "below": []}
    edges = np.unique(np.quantile(present, np.linspace(0, 1, BINS + 1)))
    cuts = _cuts(present)
    return facts | {
        "mean": float(present.mean()),
        "sd": float(present.std()),
        "edges": edges.tolist(),
        "cuts": cuts.tolist(),
        "below": np.searchsorted(present, cuts, side="right").tolist(),
        **(_frequent(number) if kind == "number" else {}),
    }


def _frequent(number: np.ndarray) -> dict[str, list[float] | list[int] | int]:
    """Numbers that are frequent in half of the rows of `number` (n,), and their rows in the others.

    The rows that chose a number cannot count it: what was often by chance is not so in a window.
    """
    first, there = np.random.default_rng(0).random(len(number)) < 1 / 2, ~np.isnan(number)
    chosen, counted = number[first & there], number[~first & there]
    values, rows = np.unique(chosen, return_counts=True)
    most = np.argsort(-rows, kind="stable")[:MAX_LABELS]
    kept = np.sort(values[most[rows[most] >= max(FREQUENT * len(chosen), LEAST)]])
    counts, rest = matches(kept, counted)
    return {"frequent": kept.tolist(), "frequent_rows": counts.tolist(), "other_rows": len(rest)}


def matches(before: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How many (k,) of `values` (n,) are each of the sorted numbers `before` (k,), and the others.

    A float32 of a number is that number wherever it can tell it from its neighbours.
    """
    if len(before) == 0:
        return np.empty(0, dtype=int), values
    at = np.searchsorted((before[1:] + before[:-1]) / 2, values)
    size = abs(before[at])
    gap = np.diff(before).min(initial=np.inf)
    close = SAME * (np.maximum(size, gap) if np.isfinite(gap) else size)
    close = np.minimum(close, np.maximum(gap / 100, np.minimum(FLOAT32 * size, gap / 2)))
    same = abs(values - before[at]) <= close
    return np.bincount(at[same], minlength=len(before)), values[~same]


def _cuts(present: np.ndarray) -> np.ndarray:
    """Cut points of sorted numbers; a value at a cut point belongs below it."""
    different = present[np.flatnonzero(np.diff(present, prepend=-np.inf))]
    if len(different) <= DISCRETE:
        return different[:-1]
    return np.unique(np.quantile(present, np.linspace(0, 1, CUTS + 2)[1:-1]))


def known(facts: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """All numbers (k,) there were and the rows (k,) of each; none where they were too many.

    A value belongs below its cut point, so the mean of the cut points is the mean of the values
    only where every value is a cut point, or the largest.
    """
    present = facts.get("rows", 0) - facts.get("missing", 0)
    if not present:
        return np.empty(0), np.empty(0, dtype=int)
    ends = np.array([*facts["cuts"], facts["edges"][-1]])
    rows = np.diff([0, *facts["below"], present])
    if not abs(ends @ rows / present - facts["mean"]) <= 1e-12 * abs(ends).max():
        return np.empty(0), np.empty(0, dtype=int)
    return ends[rows > 0], rows[rows > 0]


def _labels(values: np.ndarray, texts: bool) -> dict[str, Any]:
    missing = values == None  # noqa: E711 - elementwise
    counts = Counter(values[~missing].tolist())
    often = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:MAX_LABELS]
    return {
        "kind": "text" if texts else "label",
        "rows": len(values),
        "missing": int(missing.sum()),
        "distinct": len(counts),
        "labels": {} if texts else dict(often),
    }
