"""Metrics under scikit-learn's scorer names, for many weightings of the same rows at once.

A bootstrap resample is a weighting: how often each row was drawn. Every metric takes `truth` (n,),
`prediction` and `weights` (b, n) and returns (b,): NaN where it is not defined. With weights of 1
it equals scikit-learn's scorer.

Classification: `truth` holds class indices in the order of the labels, `prediction` is (n, k)
probabilities (binary: the positive class last; the predicted class is the most probable one).
Regression: `truth` and `prediction` are (n,) floats.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf, nan

import numpy as np

from ..settings.config import Task

Array = np.ndarray
Weighted = Callable[[Array, Array, Array], Array]

_EPSILON = float(np.finfo(np.float64).eps)


def encode_target(values: Array, labels: Sequence[str]) -> Array:
    """Class indices (n,) of the labels `values`; with no labels, `values` themselves."""
    if not labels:
        return values
    index = {label: at for at, label in enumerate(labels)}
    return np.array([index[value] for value in values], dtype=np.intp)


def _ratio(top: Array, bottom: Array, empty: float = nan) -> Array:
    """top / bottom, and `empty` where bottom is 0."""
    result = np.full_like(top, empty)
    np.divide(top, bottom, out=result, where=bottom > 0)
    return result


def _mean(values: Array, weights: Array) -> Array:
    return _ratio(weights @ values, weights.sum(axis=1))


def _mean_defined(values: Array) -> Array:
    """Mean over the last axis of (b, k), without the undefined ones."""
    return _ratio(np.nansum(values, axis=1), (~np.isnan(values)).sum(axis=1))


def _by_score(positive: Array, score: Array, weights: Array) -> tuple[Array, Array]:
    """Weights of the positive and of all rows at each different score, highest first: (b, s)."""
    order = np.argsort(-score, kind="stable")
    starts = np.flatnonzero(np.diff(score[order], prepend=nan))  # ties are one step of the curve
    ordered = np.take(weights, order, axis=1)
    rows = np.add.reduceat(ordered, starts, axis=1)
    ordered *= positive[order]
    return np.add.reduceat(ordered, starts, axis=1), rows


def _area(positive: Array, score: Array, weights: Array) -> Array:
    """Share of (positive, negative) pairs ranked rightly; a tie counts half (Mann-Whitney)."""
    hits, rows = _by_score(positive, score, weights)
    misses = rows - hits
    above = np.cumsum(hits, axis=1) - hits / 2
    return _ratio(np.einsum("bs,bs->b", misses, above), hits.sum(axis=1) * misses.sum(axis=1))


def roc_auc(truth: Array, prediction: Array, weights: Array) -> Array:
    return _area(truth == 1, prediction[:, 1], weights)


def roc_auc_ovr(truth: Array, prediction: Array, weights: Array) -> Array:
    """Plain mean over the classes, each against the rest."""
    classes = range(prediction.shape[1])
    areas = [_area(truth == label, prediction[:, label], weights) for label in classes]
    return sum(areas, np.zeros(len(weights))) / len(areas)


def average_precision(truth: Array, prediction: Array, weights: Array) -> Array:
    """Precision at each step of the recall, weighted by that step; not interpolated."""
    hits, rows = _by_score(truth == 1, prediction[:, 1], weights)
    precision = _ratio(np.cumsum(hits, axis=1), np.cumsum(rows, axis=1), empty=0.0)
    return _ratio(np.einsum("bs,bs->b", hits, precision), hits.sum(axis=1))


def accuracy(truth: Array, prediction: Array, weights: Array) -> Array:
    return _mean((truth == prediction.argmax(axis=1)).astype(np.float64), weights)


def _confusion(truth: Array, prediction: Array, weights: Array) -> tuple[Array, Array, Array]:
    """Weights (b, k) of each class: rightly predicted, predicted, true."""
    classes = np.arange(prediction.shape[1])
    is_true = truth[:, None] == classes
    is_predicted = prediction.argmax(axis=1)[:, None] == classes
    right = (is_true & is_predicted).astype(np.float64)
    return weights @ right, weights @ is_predicted, weights @ is_true


def balanced_accuracy(truth: Array, prediction: Array, weights: Array) -> Array:
    """Mean recall of the classes that are there."""
    right, _, true = _confusion(truth, prediction, weights)
    return _mean_defined(_ratio(right, true))


def f1_macro(truth: Array, prediction: Array, weights: Array) -> Array:
    """Mean F1 of the classes that are there or are predicted."""
    right, predicted, true = _confusion(truth, prediction, weights)
    return _mean_defined(_ratio(2 * right, predicted + true))


def f1(truth: Array, prediction: Array, weights: Array) -> Array:
    right, predicted, true = _confusion(truth, prediction, weights)
    return _ratio(2 * right[:, 1], predicted[:, 1] + true[:, 1], empty=0.0)


def precision(truth: Array, prediction: Array, weights: Array) -> Array:
    """0 where nothing is predicted positive, as in scikit-learn."""
    right, predicted, _ = _confusion(truth, prediction, weights)
    return _ratio(right[:, 1], predicted[:, 1], empty=0.0)


def recall(truth: Array, prediction: Array, weights: Array) -> Array:
    right, _, true = _confusion(truth, prediction, weights)
    return _ratio(right[:, 1], true[:, 1], empty=0.0)


def neg_log_loss(truth: Array, prediction: Array, weights: Array) -> Array:
    chance = prediction[np.arange(len(truth)), truth]
    return _mean(np.log(np.clip(chance, _EPSILON, 1 - _EPSILON)), weights)


def neg_brier_score(truth: Array, prediction: Array, weights: Array) -> Array:
    return -_mean((prediction[:, 1] - truth) ** 2, weights)


def r2(truth: Array, prediction: Array, weights: Array) -> Array:
    """Share of the variance explained; not defined where every true value is the same."""
    error = _mean((truth - prediction) ** 2, weights)
    centred = truth - truth.mean()  # keeps the difference of two large squares small
    variance = _mean(centred**2, weights) - _mean(centred, weights) ** 2
    noise = _EPSILON * len(truth) * np.square(centred).max()
    return 1 - _ratio(error, np.where(variance > noise, variance, 0.0))


def neg_mean_absolute_error(truth: Array, prediction: Array, weights: Array) -> Array:
    return -_mean(np.abs(truth - prediction), weights)


def neg_root_mean_squared_error(truth: Array, prediction: Array, weights: Array) -> Array:
    root: Array = np.sqrt(_mean((truth - prediction) ** 2, weights))
    return -root


def neg_median_absolute_error(truth: Array, prediction: Array, weights: Array) -> Array:
    """The middle error by weight; the mean of the two middle ones where the half falls between."""
    error = np.abs(truth - prediction)
    order = np.argsort(error, kind="stable")
    below = np.cumsum(weights[:, order], axis=1)
    half = below[:, -1:] / 2
    middle = [(below >= half).argmax(axis=1), (below > half).argmax(axis=1)]
    median = error[order][middle].mean(axis=0)
    return np.where(half[:, 0] > 0, -median, nan)


def constant(known: Array, quantile: float | None, counts: Array | None) -> float:
    """The mean of values (n,) that count as `counts` (n,) says, or their quantile."""
    if quantile is None:
        return float(np.average(known, weights=counts))
    return float(np.quantile(known, quantile, method="inverted_cdf", weights=counts))


QUANTILE_HEADLINE = "d2_pinball"
QUANTILE_RANGES = {
    QUANTILE_HEADLINE: (-inf, 1.0),
    "neg_mean_pinball_loss": (-inf, 0.0),
    "coverage": (0.0, 1.0),
}


def of_quantile(quantile: float) -> dict[str, Weighted]:
    """Metrics of answers that a share `quantile` of the rows is meant to stay below."""

    def neg_mean_pinball_loss(truth: Array, prediction: Array, weights: Array) -> Array:
        above = truth - prediction
        return -_mean(np.maximum(quantile * above, (quantile - 1) * above), weights)

    def d2_pinball(truth: Array, prediction: Array, weights: Array) -> Array:
        """Share of the loss of the best constant that is saved (Koenker and Machado 1999)."""
        order = np.argsort(truth, kind="stable")
        ordered, values = weights[:, order], (truth - truth.mean())[order]
        rows, sums = np.cumsum(ordered, axis=1), np.cumsum(ordered * values, axis=1)
        at = (rows >= quantile * rows[:, -1:]).argmax(axis=1)[:, None]
        below, sum_below = (np.take_along_axis(x, at, axis=1)[:, 0] for x in (rows, sums))
        best, count, total = values[at[:, 0]], rows[:, -1], sums[:, -1]
        loss = quantile * (total - sum_below - best * (count - below))
        loss += (1 - quantile) * (best * below - sum_below)
        noise = _EPSILON * len(truth) * np.abs(values).max() * count
        constant = _ratio(np.where(loss > noise, loss, 0.0), count)
        return 1 + _ratio(neg_mean_pinball_loss(truth, prediction, weights), constant)

    def coverage(truth: Array, prediction: Array, weights: Array) -> Array:
        """Share of the rows that lie at the answer or below; better is nearer to `quantile`."""
        return _mean((truth <= prediction).astype(np.float64), weights)

    return {each.__name__: each for each in (d2_pinball, neg_mean_pinball_loss, coverage)}


_BY_TASK: dict[Task, list[Weighted]] = {  # the first of each task is its headline
    "binary": [
        roc_auc,
        average_precision,
        accuracy,
        balanced_accuracy,
        f1,
        precision,
        recall,
        neg_log_loss,
        neg_brier_score,
    ],
    "multiclass": [roc_auc_ovr, accuracy, balanced_accuracy, f1_macro, neg_log_loss],
    "regression": [
        r2,
        neg_mean_absolute_error,
        neg_root_mean_squared_error,
        neg_median_absolute_error,
    ],
}
METRICS: dict[Task, dict[str, Weighted]] = {
    task: {metric.__name__: metric for metric in named} for task, named in _BY_TASK.items()
}
HEADLINE: dict[Task, str] = {task: next(iter(named)) for task, named in METRICS.items()}
RANGES: dict[str, tuple[float, float]] = {
    name: (-inf, 0.0) if name.startswith("neg_") else (0.0, 1.0)
    for named in METRICS.values()
    for name in named
} | {"neg_brier_score": (-1.0, 0.0), "r2": (-inf, 1.0)}
