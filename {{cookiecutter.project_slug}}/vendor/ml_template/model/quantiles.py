"""Metrics of a model that answers a quantile: which share of the rows lies below its answer."""

from __future__ import annotations

from math import inf

import numpy as np

from .metrics import EPSILON, Array, Weighted, mean, ratio


def constant(known: Array, quantile: float | None, counts: Array | None) -> float:
    """The mean of values (n,) that count as `counts` (n,) says, or their quantile."""
    if quantile is None:
        return float(np.average(known, weights=counts))
    return float(np.quantile(known, quantile, method="inverted_cdf", weights=counts))


HEADLINE = "d2_pinball"
RANGES = {
    HEADLINE: (-inf, 1.0),
    "neg_mean_pinball_loss": (-inf, 0.0),
    "coverage": (0.0, 1.0),
}


def of_quantile(quantile: float) -> dict[str, Weighted]:
    """Metrics of answers that a share `quantile` of the rows is meant to stay below."""

    def neg_mean_pinball_loss(truth: Array, prediction: Array, weights: Array) -> Array:
        above = truth - prediction
        return -mean(np.maximum(quantile * above, (quantile - 1) * above), weights)

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
        noise = EPSILON * len(truth) * np.abs(values).max() * count
        constant = ratio(np.where(loss > noise, loss, 0.0), count)
        return 1 + ratio(neg_mean_pinball_loss(truth, prediction, weights), constant)

    def coverage(truth: Array, prediction: Array, weights: Array) -> Array:
        """Share of the rows that lie at the answer or below; better is nearer to `quantile`."""
        return mean((truth <= prediction).astype(np.float64), weights)

    return {each.__name__: each for each in (d2_pinball, neg_mean_pinball_loss, coverage)}
