"""What the training data looked like: enough to notice later that the world has changed.

A profile is counts, never rows; of texts it keeps their number only, because they may be names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from .arrays import Columns
from .config import Config

BINS = 10
CUTS = 49  # inner cut points of a number: every fifth one is a decile
DISCRETE = 20  # up to so many different numbers are each a bin of their own
MAX_LABELS = 50

Profile = dict[str, dict[str, Any]]


def profile(columns: Columns, config: Config) -> Profile:
    """For each column: rows, missing, and cut points with counts, or the labels with counts."""
    return {
        name: column_profile(columns[name], texts=column.type == "text")
        for name, column in config.columns.items()
    }


def reference(columns: Columns, outputs: np.ndarray, config: Config) -> dict[str, Any]:
    """Profile of the training rows `columns`, and of the answers (n, k) or (n,) to the hold-out."""
    answers = answer_columns(outputs, config.data.labels)
    return {
        "columns": profile(columns, config),
        "answers": {name: column_profile(values) for name, values in answers.items()},
    }


def answer_columns(outputs: np.ndarray, labels: Sequence[str]) -> Columns:
    """Answers as columns: `value`; or the predicted `label` and the probability of the last one."""
    if outputs.ndim == 1:
        return {"value": outputs}
    chosen = np.array(labels, dtype=object)[outputs.argmax(axis=1)]
    return {"label": chosen, f"probability_{labels[-1]}": outputs[:, -1]}


def column_profile(values: np.ndarray, texts: bool = False) -> dict[str, Any]:
    """Profile of one column (n,): object columns by label, others by quantiles."""
    if values.dtype == object:
        return _labels(values, texts)
    if values.dtype.kind == "M":
        kind, number = "datetime", values.astype("datetime64[s]").astype(np.float64)
        number[np.isnat(values)] = np.nan
    else:
        kind, number = "number", values
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
    }


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
