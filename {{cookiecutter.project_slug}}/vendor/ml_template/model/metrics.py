"""Metrics under scikit-learn's scorer names, for many weightings of the same rows at once.

A bootstrap resample is a weighting: how often each row was drawn. Every metric takes `truth` (n,),
`prediction` and `weights` (b, n) and returns (b,): NaN where it is not defined. With weights of 1
it equals scikit-learn's scorer.

Classification: `truth` holds class indices in the order of the labels, `prediction` is (n, k)
probabilities (binary: the positive class last). The predicted class is the most probable one, or
the positive one from a `threshold` of its probability on: metrics of BY_CLASS take it.
Regression: `truth` and `prediction` are (n,) floats.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf, nan

import numpy as np

from ..settings.config import Task

Array = np.ndarray
Weighted = Callable[[Array, Array, Array], Array]

EPSILON = float(np.finfo(np.float64).eps)


def encode_target(values: Array, labels: Sequence[str]) -> Array:
    """Class indices (n,) of the labels `values`; with no labels, `values` themselves."""
    if not labels:
        return values
    index = {label: at for at, label in enumerate(labels)}
    return np.array([index[value] for value in values], dtype=np.intp)


def chosen(prediction: Array, threshold: float | None = None) -> Array:
    """Indices (n,) of the classes that are answered; `threshold` is one of two classes."""
    if threshold is None:
        return prediction.argmax(axis=1)
    return (prediction[:, 1] >= threshold).astype(np.intp)


def ratio(top: Array, bottom: Array, empty: float = nan) -> Array:
    """top / bottom, and `empty` where bottom is 0."""
    result = np.full_like(top, empty)
    np.divide(top, bottom, out=result, where=bottom > 0)
    return result


def share(part: Array, whole: Array, empty: float = nan) -> Array:
    """`ratio` of a part of a whole: sums of weights round, and 1 is the most there is."""
    return np.minimum(ratio(part, whole, empty), 1.0)


def mean(values: Array, weights: Array) -> Array:
    """Between the values, whatever the sums of weights round to."""
    found = ratio(weights @ values, weights.sum(axis=1))
    return np.clip(found, values.min(), values.max()) if len(values) else found


def _mean_defined(values: Array) -> Array:
    """Mean over the last axis of (b, k), without the undefined ones."""
    return ratio(np.nansum(values, axis=1), (~np.isnan(values)).sum(axis=1))


def _by_score(positive: Array, score: Array, weights: Array) -> tuple[Array, Array]:
    """Weights of the positive and of all rows at each different score, highest first: (b, s)."""
    if not (np.diff(score) <= 0).all():  # figures.py sorts them once, for all resamples
        order = np.argsort(-score, kind="stable")
        positive, score, weights = positive[order], score[order], np.take(weights, order, axis=1)
    starts = np.flatnonzero(np.diff(score, prepend=nan))  # ties are one step of the curve
    rows = np.add.reduceat(weights, starts, axis=1)
    return np.add.reduceat(weights * positive, starts, axis=1), rows


def _area(positive: Array, score: Array, weights: Array) -> Array:
    """Share of (positive, negative) pairs ranked rightly; a tie counts half (Mann-Whitney)."""
    hits, rows = _by_score(positive, score, weights)
    misses = rows - hits
    above = np.cumsum(hits, axis=1) - hits / 2
    return share(np.einsum("bs,bs->b", misses, above), hits.sum(axis=1) * misses.sum(axis=1))


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
    precision = ratio(np.cumsum(hits, axis=1), np.cumsum(rows, axis=1), empty=0.0)
    return share(np.einsum("bs,bs->b", hits, precision), hits.sum(axis=1))


def accuracy(
    truth: Array, prediction: Array, weights: Array, threshold: float | None = None
) -> Array:
    return mean((truth == chosen(prediction, threshold)).astype(np.float64), weights)


def _confusion(
    truth: Array, prediction: Array, weights: Array, threshold: float | None
) -> tuple[Array, Array, Array]:
    """Weights (b, k) of each class: rightly predicted, predicted, true."""
    classes = np.arange(prediction.shape[1])
    is_true = truth[:, None] == classes
    is_predicted = chosen(prediction, threshold)[:, None] == classes
    right = (is_true & is_predicted).astype(np.float64)
    return weights @ right, weights @ is_predicted, weights @ is_true


def balanced_accuracy(
    truth: Array, prediction: Array, weights: Array, threshold: float | None = None
) -> Array:
    """Mean recall of the classes that are there."""
    right, _, true = _confusion(truth, prediction, weights, threshold)
    return _mean_defined(share(right, true))


def f1_macro(truth: Array, prediction: Array, weights: Array) -> Array:
    """Mean F1 of the classes that are there or are predicted."""
    right, predicted, true = _confusion(truth, prediction, weights, None)
    return _mean_defined(share(2 * right, predicted + true))


def f1(truth: Array, prediction: Array, weights: Array, threshold: float | None = None) -> Array:
    right, predicted, true = _confusion(truth, prediction, weights, threshold)
    return share(2 * right[:, 1], predicted[:, 1] + true[:, 1], empty=0.0)


def precision(
    truth: Array, prediction: Array, weights: Array, threshold: float | None = None
) -> Array:
    """0 where nothing is predicted positive, as in scikit-learn."""
    right, predicted, _ = _confusion(truth, prediction, weights, threshold)
    return share(right[:, 1], predicted[:, 1], empty=0.0)


def recall(
    truth: Array, prediction: Array, weights: Array, threshold: float | None = None
) -> Array:
    right, _, true = _confusion(truth, prediction, weights, threshold)
    return share(right[:, 1], true[:, 1], empty=0.0)


BY_CLASS = (accuracy, balanced_accuracy, f1, precision, recall)


def neg_cost(
    truth: Array,
    prediction: Array,
    weights: Array,
    threshold: float | None = None,
    costs: tuple[float, float] = (1.0, 1.0),
) -> Array:
    """Mean cost of a row where `costs` are those of a false positive and of a false negative."""
    wrong = chosen(prediction, threshold) - truth  # 1, 0 or -1
    return -mean(np.where(wrong > 0, costs[0], np.where(wrong < 0, costs[1], 0.0)), weights)


def neg_log_loss(truth: Array, prediction: Array, weights: Array) -> Array:
    chance = prediction[np.arange(len(truth)), truth]
    return mean(np.log(np.clip(chance, EPSILON, 1 - EPSILON)), weights)


def neg_brier_score(truth: Array, prediction: Array, weights: Array) -> Array:
    return -mean((prediction[:, 1] - truth) ** 2, weights)


def r2(truth: Array, prediction: Array, weights: Array) -> Array:
    """Share of the variance explained; not defined where every true value is the same."""
    error = mean((truth - prediction) ** 2, weights)
    centred = truth - truth.mean()  # keeps the difference of two large squares small
    variance = mean(centred**2, weights) - mean(centred, weights) ** 2
    noise = EPSILON * len(truth) * np.square(centred).max()
    return 1 - ratio(error, np.where(variance > noise, variance, 0.0))


def neg_mean_absolute_error(truth: Array, prediction: Array, weights: Array) -> Array:
    return -mean(np.abs(truth - prediction), weights)


def neg_root_mean_squared_error(truth: Array, prediction: Array, weights: Array) -> Array:
    root: Array = np.sqrt(mean((truth - prediction) ** 2, weights))
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
