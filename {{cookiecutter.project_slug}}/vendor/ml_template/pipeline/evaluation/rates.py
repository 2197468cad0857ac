"""Rates of a classification at several thresholds, and of each class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...tables import small

THRESHOLDS = np.arange(1, 10) / 10
Table = list[dict[str, float | str | None]]


def thresholds(positive: np.ndarray, score: np.ndarray, least: int) -> Table:
    """{threshold, flagged, precision, recall, lift} of each tenth.

    A tenth is left out where fewer than `least` rows lie between it and another, or beyond it: the
    difference of two lines would tell of them.
    """
    found: Table = []
    before, rows, known = 0, len(score), int(positive.sum())
    for threshold in THRESHOLDS[::-1]:
        chosen = score >= threshold
        flagged, hits = int(chosen.sum()), int(positive[chosen].sum())
        if min(flagged - before, rows - flagged) < max(least, 1) or known < max(least, 1):
            continue
        before, precision = flagged, hits / flagged
        found.append({"threshold": float(threshold), "flagged": flagged / rows})
        found[-1] |= {"precision": precision, "recall": hits / known}
        found[-1] |= {"lift": precision * rows / known}
    return found[::-1]


def classes(truth: np.ndarray, guess: np.ndarray, labels: Sequence[str], least: int) -> Table:
    """{class, rows, precision, recall} of each class; None for a rate over few rows."""
    true, predicted = (np.bincount(v, minlength=len(labels)) for v in (truth, guess))
    right = np.bincount(truth[truth == guess], minlength=len(labels))
    rows = small.counts(true.tolist(), least)
    few = max(least, 1)
    return [
        {
            "class": label,
            "rows": rows[at],
            "precision": float(right[at] / predicted[at]) if predicted[at] >= few else None,
            "recall": float(right[at] / true[at])
            if isinstance(rows[at], int) and true[at]
            else None,
        }
        for at, label in enumerate(labels)
    ]
