"""Fairness: the error rates of each group of a sensitive column, and how far they lie apart."""

from __future__ import annotations

import numpy as np

from ...model.metrics import chosen
from ...model.shapes import Fairness, Gaps
from ...tables import small
from .slices import Groups

MIN_ROWS = 30  # of several classes, one that is rare in a group has no rate there, only noise

Rates = dict[str, np.ndarray]  # accuracy (g,); the others (g, c), one column for each class asked


def compare(
    column: str,
    groups: Groups,
    truth: np.ndarray,
    prediction: np.ndarray,
    least: int = 0,
    to_judge: bool = False,
    threshold: float | None = None,
) -> Fairness:
    """Rates of the groups in the test set, and their largest differences.

    Demographic parity: difference of the selection rates. Equalized odds: the larger one of the
    differences of the true and of the false positive rates (Hardt, Price and Srebro 2016).
    Several classes: each against the rest, the largest difference counts; rates over fewer than
    MIN_ROWS rows are left out. Regression: mean absolute errors; `error_gap` is their difference
    relative to the overall one.
    A difference that cannot be computed is None, with the `reason`. Counts, and rates over counts,
    below `least` rows are left out as in small.counts. `to_judge` adds what the noise of the
    differences follows from, which is not shown. `threshold` is that of the model.
    """
    present, codes = np.unique(groups.codes, return_inverse=True)
    counts = np.bincount(codes)
    rows = small.counts(counts.tolist(), least)
    hidden = np.array([isinstance(each, str) for each in rows])
    if prediction.ndim == 1:
        off = np.abs(truth - prediction)
        errors = np.bincount(codes, weights=off) / counts
        overall = float(errors @ counts / counts.sum())
        errors[hidden] = np.nan
        rates, gap = {"mean_absolute_error": errors}, _gap(errors)
        of = {"mean_absolute_error": counts[:, None]}
        whole = {"mean_absolute_error": np.array([overall, off.std()])}
        found: Gaps = {"error_gap": gap / overall if gap and overall else gap}
    else:
        guess, classes = chosen(prediction, threshold), prediction.shape[1]
        rates = counted(truth, guess, codes, classes)
        cells = np.bincount(codes * classes + truth, minlength=len(counts) * classes)
        _leave_out(rates, hidden, cells, least)
        found = _differences(rates)
        of = _of(rates, cells.reshape(len(counts), -1))
        whole = {name: _whole(rates[name], of[name]) for name in of}
    shown = {name: values for name, values in rates.items() if values.ndim == 1}
    if prediction.ndim == 2 and prediction.shape[1] == 2:
        shown |= {name: values[:, 0] for name, values in rates.items() if values.ndim == 2}
    table = [
        {"group": groups.names[code], "rows": rows[at]}
        | {name: _number(values[at]) for name, values in shown.items()}
        for at, code in enumerate(present)
    ]
    if hidden.any():
        found["reason"] = f"groups of {small.few(least)} rows are not compared"
    elif None in found.values():
        alone = f"the test set holds one group only ({groups.names[present[0]]!r})"
        unknown = "no two groups have rows of the classes that the rates are about"
        found["reason"] = alone if len(present) == 1 else unknown
    if to_judge:
        found["of"] = {name: rows.tolist() for name, rows in of.items()}
        found["whole"] = {name: values.tolist() for name, values in whole.items()}
    return {"column": column, "groups": table, **found}


def _of(rates: Rates, true: np.ndarray) -> Rates:
    """How many rows (g, c) each rate is over, 0 for one that is undefined; `true` (g, classes)."""
    rows = true.sum(axis=1, keepdims=True)
    asked = true[:, -rates["true_positive_rate"].shape[1] :]
    found = {"true_positive_rate": asked, "false_positive_rate": rows - asked}
    found |= {"selection_rate": np.broadcast_to(rows, asked.shape), "accuracy": rows}
    return {
        name: np.where(np.isnan(rates[name].reshape(each.shape)), 0, each)
        for name, each in found.items()
    }


def _whole(rates: np.ndarray, of: np.ndarray) -> np.ndarray:
    """The rates (c,) of all groups together."""
    hits = np.nansum(rates.reshape(of.shape) * of, axis=0)
    return np.clip(hits / np.maximum(of.sum(axis=0), 1), 0.0, 1.0)


def _leave_out(rates: Rates, hidden: np.ndarray, cells: np.ndarray, least: int) -> None:
    """Set rates of `hidden` groups (g,), and those over fewer than `least` rows, to NaN.

    `cells` (g * c,) are the rows of each group and class.
    """
    true = cells.reshape(len(hidden), -1)
    asked = slice(-rates["true_positive_rate"].shape[1], None)
    rates["true_positive_rate"][true[:, asked] < least] = np.nan
    other = true.sum(axis=1, keepdims=True) - true
    rates["false_positive_rate"][other[:, asked] < least] = np.nan
    for values in rates.values():
        values[hidden] = np.nan


def _differences(rates: Rates) -> Gaps:
    true, false = _gap(rates["true_positive_rate"]), _gap(rates["false_positive_rate"])
    return {
        "demographic_parity_difference": _gap(rates["selection_rate"]),
        "equalized_odds_difference": None if true is None or false is None else max(true, false),
        "accuracy_gap": _gap(rates["accuracy"]),
    }


def _gap(values: np.ndarray) -> float | None:
    """Largest difference between two groups (first axis), in any class; None without two groups."""
    columns = values.reshape(len(values), -1).T
    defined = [column[~np.isnan(column)] for column in columns]
    return max((float(np.ptp(rates)) for rates in defined if len(rates) > 1), default=None)


def counted(truth: np.ndarray, guess: np.ndarray, codes: np.ndarray, classes: int) -> Rates:
    """The rates from one count of (group, true class, predicted class), as fairlearn has them.

    Of several classes NaN below MIN_ROWS rows; of two only those of the positive class.
    """
    asked, min_rows = (slice(1, None), 1) if classes == 2 else (slice(None), MIN_ROWS)
    size = int(codes.max()) + 1
    cells = (codes * classes + truth) * classes + guess
    table = np.bincount(cells, minlength=size * classes**2).reshape(size, classes, classes)
    rows = table.sum(axis=(1, 2))[:, None]
    right = table.diagonal(axis1=1, axis2=2)
    true, predicted = table.sum(axis=2), table.sum(axis=1)
    return {
        "accuracy": right.sum(axis=1) / rows[:, 0],
        "selection_rate": _share(predicted, rows, min_rows)[:, asked],
        "true_positive_rate": _share(right, true, min_rows)[:, asked],
        "false_positive_rate": _share(predicted - right, rows - true, min_rows)[:, asked],
    }


def _share(part: np.ndarray, whole: np.ndarray, min_rows: int) -> np.ndarray:
    return np.where(whole >= min_rows, part / np.maximum(whole, 1), np.nan)


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
