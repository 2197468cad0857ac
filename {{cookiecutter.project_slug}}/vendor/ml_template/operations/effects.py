"""The statistics of an experiment with two arms: a is what there is, b what is tried. No I/O."""

from __future__ import annotations

import hashlib
import math
from bisect import bisect_left
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from scipy.stats import chisquare, t

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
    deviation of anything else. Unpooled, n_b = k n_a:
    n_a = (t(1 - alpha/2) + t(power))^2 (var_a + var_b / k) / effect^2, with quantiles of t at the
    degrees of freedom that so many units have in `compare`: a few units need more than z says.
    Source: Chow, Shao, Wang, Lokhnygina, "Sample Size Calculations in Clinical Research" (3rd ed.,
    2018), two-sample parallel designs: 3.2 (means), 4.2 (proportions).
    Raises OverflowError where it is more than can be counted.
    """

    def sizes(total: int) -> tuple[int, int]:
        return max(2, math.ceil(total * (1 - share))), max(2, math.ceil(total * share))

    def needed(freedom: float) -> int:
        reach = float(t.ppf(1 - alpha / 2, freedom) + t.ppf(power, freedom))
        return math.ceil(
            (reach / effect) ** 2 * (variances[0] / (1 - share) + variances[1] / share)
        )

    def still(total: int) -> int:
        a, b = sizes(total)
        return needed(_freedom(variances[0] / a, variances[1] / b, a, b))

    least = needed(math.inf)
    # more units have more freedom, and need fewer
    totals = range(least, max(least, still(least)) + 1)
    return sizes(totals[bisect_left(totals, True, key=lambda total: total >= still(total))])


def _freedom(part_a: float, part_b: float, a: int, b: int) -> float:
    """Welch's degrees of freedom: squared errors of the two means, units."""
    return (part_a + part_b) ** 2 / (part_a**2 / (a - 1) + part_b**2 / (b - 1))


def mismatch(a: int, b: int, share: float) -> float:
    """p-value of "units come to b with probability `share`" (chi-square); 1 without units."""
    if a + b == 0:
        return 1.0
    expected = [(a + b) * (1 - share), (a + b) * share]
    return float(chisquare([a, b], expected).pvalue)


def compare(a: np.ndarray, b: np.ndarray, alpha: float) -> Effect:
    """The effect on a metric of units (n,) and (m,), at least two each; interval at 1 - alpha.

    Not finite where squares of the values are not, or are too small to be told from 0, of which
    scipy's ttest_ind makes numbers.

    Source: Welch, "The generalization of Student's problem when several different population
    variances are involved", Biometrika 34 (1947).
    """
    with np.errstate(all="ignore"):
        value = float(b.mean() - a.mean())
        if (a == a[0]).all() and (b == b[0]).all():
            return Effect(value, value, value, float(value == 0))
        part_a, part_b = a.var(ddof=1) / len(a), b.var(ddof=1) / len(b)
        error = np.sqrt(part_a + part_b)
        freedom = _freedom(part_a, part_b, len(a), len(b))
        reach = float(t.ppf(1 - alpha / 2, freedom) * error)
        p = float(2 * t.sf(abs(value) / error, freedom))
    return Effect(value, value - reach, value + reach, p)


def holm(ps: Sequence[float]) -> list[float]:
    """p-values corrected for how many they are: one below alpha is wrong at most with chance alpha.

    Source: Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of
    Statistics 6 (1979).
    """
    order = np.argsort(ps)
    steps = np.asarray(ps)[order] * np.arange(len(ps), 0, -1)
    corrected = np.minimum(np.maximum.accumulate(steps), 1.0)
    return [float(p) for p in corrected[np.argsort(order)]]


def holds(a: np.ndarray, b: np.ndarray, margin: float, alpha: float) -> tuple[Effect, bool]:
    """The effect with one-sided limits at 1 - alpha, and whether b is not worse by `margin`.

    A positive margin: higher is worse, the upper limit must lie below it. A negative one: lower is
    worse, the lower limit must lie above it (non-inferiority).
    """
    found = compare(a, b, 2 * alpha)
    return found, found.high < margin if margin > 0 else found.low > margin
