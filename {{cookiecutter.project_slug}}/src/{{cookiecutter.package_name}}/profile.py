"""What the training data looked like: enough to notice later that the world has changed."""

from __future__ import annotations

from typing import Any

import numpy as np

from .config import Config
from .table import Columns

BINS = 10
MAX_LABELS = 50


def profile(columns: Columns, config: Config) -> dict[str, dict[str, Any]]:
    """For each column: rows, missing, and bin edges with counts, or the labels with counts."""
    return {
        name: _without_labels(found) if config.columns[name].type == "text" else found
        for name, found in ((name, column_profile(columns[name])) for name in config.columns)
    }


def _without_labels(found: dict[str, Any]) -> dict[str, Any]:
    """Text is kept out of the profile: it may name people."""
    return {key: value for key, value in found.items() if key != "labels"}


def column_profile(values: np.ndarray) -> dict[str, Any]:
    """Profile of one column (n,): object columns by label, others by deciles."""
    if values.dtype == object:
        return _labels(values)
    if values.dtype.kind == "M":
        kind, number = "datetime", values.astype("datetime64[s]").astype(np.float64)
        number[np.isnat(values)] = np.nan
    else:
        kind, number = "number", values
    present = number[~np.isnan(number)]
    facts: dict[str, Any] = {
        "kind": kind,
        "rows": len(values),
        "missing": len(values) - len(present),
    }
    if len(present) == 0:
        return facts | {"edges": [], "counts": []}
    edges = np.unique(np.quantile(present, np.linspace(0, 1, BINS + 1)))
    counts = np.histogram(present, np.concatenate([[-np.inf], edges[1:-1], [np.inf]]))[0]
    with np.errstate(over="ignore"):
        mean, sd = present.mean(), present.std()
    return facts | {
        "mean": _finite(mean),
        "sd": _finite(sd),
        "edges": edges.tolist(),
        "counts": counts.tolist(),
    }


def _finite(value: float) -> float | None:
    """None where huge values overflow."""
    return float(value) if np.isfinite(value) else None


def _labels(values: np.ndarray) -> dict[str, Any]:
    missing = values == None  # noqa: E711 - elementwise
    labels, counts = np.unique(values[~missing].astype(str), return_counts=True)
    order = np.argsort(-counts, kind="stable")[:MAX_LABELS]
    return {
        "kind": "label",
        "rows": len(values),
        "missing": int(missing.sum()),
        "distinct": len(labels),
        "labels": {str(labels[at]): int(counts[at]) for at in order},
    }
