"""The statistics of an experiment with two arms: a is what there is, b what is tried. No I/O."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from scipy.stats import chisquare, norm, t

Arm = Literal["a", "b"]


class Effect(NamedTuple):
    """Mean of b minus mean of a, in the unit of the metric; its interval; p of "no difference"."""

    value: float
    low: float
    high: float
    p: float


def arm(unit: str, experiment: str, share: float) -> Arm:
    """The arm of a unit, always the same one; `share` of all units get b.

    sha256 of the experiment's name, a line feed and the unit; its first 16 hexadecimal digits,
    divided by 2**64, are a number in [0, 1): b when it is below `share`. The name makes the arms
    of two experiments independent.
    """
    digest = hashlib.sha256(f"{experiment}\n{unit}".encode()).hexdigest()
    return "b" if int(digest[:16], 16) / 2**64 < share else "a"


def sample_size(
    variances: tuple[float, float], effect: float, share: float, power: float, alpha: float
) -> tuple[int, int]:
    """Units of a and of b with which a two-sided test finds `effect` with probability `power`.

    `variances` of one unit in a and in b: p(1 - p) of a proportion, the square of the standard
    deviation of anything else. Normal approximation, unpooled, n_b = k n_a:
    n_a = (z(1 - alpha/2) + z(power))^2 (var_a + var_b / k) / effect^2.
    Source: Chow, Shao, Wang, Lokhnygina, "Sample Size Calculations in Clinical Research" (3rd ed.,
    2018), two-sample parallel designs: 3.2 (means), 4.2 (proportions).
    """
    z = norm.ppf(1 - alpha / 2) + norm.ppf(power)
    total = (z / effect) ** 2 * (variances[0] / (1 - share) + variances[1] / share)
    return max(2, math.ceil(total * (1 - share))), max(2, math.ceil(total * share))


def mismatch(a: int, b: int, share: float) -> float:
    """p-value of "units come to b with probability `share`" (chi-square); 1 without units."""
    if a + b == 0:
        return 1.0
    expected = [(a + b) * (1 - share), (a + b) * share]
    return float(chisquare([a, b], expected).pvalue)


def compare(a: np.ndarray, b: np.ndarray, alpha: float) -> Effect:
    """The effect on a metric of units (n,) and (m,), at least two each; interval at 1 - alpha.

    Source: Welch, "The generalization of Student's problem when several different population
    variances are involved", Biometrika 34 (1947).
    """
    value = float(b.mean() - a.mean())
    parts = np.array([a.var(ddof=1) / len(a), b.var(ddof=1) / len(b)])
    error = math.sqrt(parts.sum())
    if error == 0:  # every unit of an arm has the same value
        return Effect(value, value, value, float(value == 0))
    freedom = parts.sum() ** 2 / (parts**2 / [len(a) - 1, len(b) - 1]).sum()
    reach = float(t.ppf(1 - alpha / 2, freedom)) * error
    p = float(2 * t.sf(abs(value) / error, freedom))
    return Effect(value, value - reach, value + reach, p)


def holm(ps: Sequence[float]) -> list[float]:
    """p-values corrected for how many they are: one below alpha is wrong at most with chance alpha.

    Source: Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of
    Statistics 6 (1979).
    """
    order = np.argsort(ps)
    steps = np.asarray(ps)[order] * np.arange(len(ps), 0, -1)
    corrected = np.empty(len(ps))
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return [float(p) for p in corrected]


def holds(a: np.ndarray, b: np.ndarray, margin: float, alpha: float) -> tuple[Effect, bool]:
    """The effect with one-sided limits at 1 - alpha, and whether b is not worse by `margin`.

    A positive margin: higher is worse, the upper limit must lie below it. A negative one: lower is
    worse, the lower limit must lie above it (non-inferiority).
    """
    found = compare(a, b, 2 * alpha)
    return found, found.high < margin if margin > 0 else found.low > margin
