"""Whether the probabilities of a classifier come true as often as they say."""

from __future__ import annotations

import numpy as np

from ...model.shapes import Bin, Calibration
from . import noise

BINS = 10


def calibrate(truth: np.ndarray, prediction: np.ndarray, seed: int) -> Calibration:
    """Expected calibration error (Guo et al. 2017) over BINS equal bins, and the bins in use.

    `noise` is what perfect calibration would show on these rows, see noise.calibration.

    Binary: the probability of the positive class; several classes: that of the predicted class.
    """
    if prediction.ndim == 1:
        return {"error": None, "noise": None, "bins": []}
    if prediction.shape[1] == 2:
        chance, right = prediction[:, 1], truth == 1
    else:
        chance, right = prediction.max(axis=1), truth == prediction.argmax(axis=1)
    at = np.minimum((chance * BINS).astype(int), BINS - 1)
    rows = np.bincount(at, minlength=BINS)
    used = np.flatnonzero(rows)
    predicted = np.bincount(at, weights=chance, minlength=BINS)[used] / rows[used]
    observed = np.bincount(at, weights=right, minlength=BINS)[used] / rows[used]
    error = float(np.abs(predicted - observed) @ rows[used] / len(truth))
    columns = used, rows[used], predicted, observed
    bins: list[Bin] = [
        {"low": at / BINS, "high": (at + 1) / BINS, "rows": n, "predicted": mean, "observed": share}
        for at, n, mean, share in zip(*(column.tolist() for column in columns), strict=True)
    ]
    return {"error": error, "noise": noise.calibration(chance, at, seed), "bins": bins}
