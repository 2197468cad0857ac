"""What a target is learned as, and how that becomes an answer in the target's own unit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..settings.config import CONFIG_FILE, Config, InputError
from .metrics import encode_target

SCALES = {"log": (np.log, np.exp), "log1p": (np.log1p, np.expm1)}
MOST = 700.0  # exp of more than 709 is infinite


class Answering:
    """A fitted regressor `inner` of the logarithm of a target; answers are in the target's unit."""

    def __init__(self, inner: Any, scale: str) -> None:
        self.inner = inner
        self.scale = scale
        self._back = back(scale)

    def predict(self, matrix: np.ndarray) -> np.ndarray:
        """Values (n,) of the rows of the encoded matrix."""
        return self._back(self.inner.predict(matrix))


def back(scale: str) -> Callable[[np.ndarray], np.ndarray]:
    """From what was learned (n,) to values of the target, which stay finite."""
    _, invert = SCALES[scale]
    return lambda values: invert(np.minimum(values, MOST, dtype=np.float64))


def learned(config: Config, values: np.ndarray) -> np.ndarray:
    """What is learned from the target's `values` (n,): numbers of classes, values, or their logs.

    Raises InputError where a value has no logarithm.
    """
    truth, scale = encode_target(values, config.data.labels), config.model.target
    if scale is None:
        return truth
    wrong = truth <= 0 if scale == "log" else truth < 0
    if wrong.any():
        no = "is below 0" if (truth < 0).any() else "is 0"
        remedy = "remove model.target" if no != "is 0" else "set it to log1p, which takes 0"
        raise InputError(
            f"{CONFIG_FILE}: model.target: {scale}: {config.data.target!r} {no} in some rows, "
            f"which has no logarithm: {remedy}"
        )
    found: np.ndarray = SCALES[scale][0](truth)
    return found
