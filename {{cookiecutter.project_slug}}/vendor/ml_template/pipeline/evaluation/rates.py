"""Rates of a classification at several thresholds, and of each class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...tables import small

THRESHOLDS = np.arange(9, 0, -1) / 10
SHARES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)  # of the rows: where scores are low tenths tell nothing
Table = list[dict[str, float | str | None]]
Costs = tuple[float, float] | None  # of a false positive, of a false negative


def thresholds(
    positive: np.ndarray,
    score: np.ndarray,
    least: int,
    used: float | None = None,
    costs: Costs = None,
) -> Table:
    """{threshold, used, flagged, precision, recall, lift} of each tenth, rising; cost of a row too.

    The one in use (None: 0.5) comes first, and beside one of its own those that flag SHARES. What
    has fewer than `least` rows between it and another, or beyond it, is left out: the difference
    of two lines would tell of them.
    """
    rows, known, least = len(score), int(positive.sum()), max(least, 1)
    wanted = [0.5 if used is None else used, *THRESHOLDS]
    if used is not None:
        wanted += [float(f"{each:.2g}") for each in np.quantile(score, 1 - np.array(SHARES))]
    ends, found = [0, rows], Table()
    for at, threshold in enumerate(wanted if known >= least else ()):
        chosen = score >= threshold
        flagged, hits = int(chosen.sum()), int(positive[chosen].sum())
        if min(abs(flagged - end) for end in ends) < least:
            continue
        ends.append(flagged)
        precision = hits / flagged
        found.append({"threshold": float(threshold), "used": not at, "flagged": flagged / rows})
        found[-1] |= {"precision": precision, "recall": hits / known}
        found[-1] |= {"lift": precision * rows / known}
        if costs:
            cost = costs[0] * (flagged - hits) + costs[1] * (known - hits)
            found[-1] |= {"cost": cost / rows, "total": cost}
    return sorted(found, key=lambda line: float(line["threshold"] or 0))


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
