"""Whether a canary answers more slowly than stable, beyond chance. Times are in seconds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from scipy.special import logsumexp

from ..settings.gates import Gates
from .evidence import Counts, evidence

SHARES = np.array([0.02, 0.04, 0.1, 0.3, 0.9])  # of answers slower than the limit; 1 % is allowed
SLOW_SECONDS = 0.01  # an answer within this is never called slow


def needed(gates: Gates) -> int:
    """Answers of either side that a step is judged by."""
    assert gates.rollout  # decide() has looked
    return gates.rollout.min_requests


def few(gates: Gates) -> int:
    """Times of stable to compare with: what 1 % brings while the first step brings what it needs.

    So whoever has the requests for the first step has them for the last one, too.
    """
    assert gates.rollout  # decide() has looked
    return math.ceil(gates.rollout.min_requests / gates.rollout.steps[0])


def comparable(stable: Counts, gates: Gates) -> bool:
    """Whether stable answered in the same minutes: only then times and memory are judged."""
    return stable.timed >= few(gates)


def slow(stable: Counts, canary: Counts, gates: Gates, alpha: float) -> str:
    """More than 1 % of the canary's answers take longer than `ratios.p99` times stable's p99.

    The e-value is the likelihood ratio of SHARES, averaged, to 1 % (a one-sample mixture SPRT).
    Where stable took too few times for a p99, or that limit lies above the last edge, both are
    counted: see `_slower`.
    """
    if not comparable(stable, gates) or stable.of("") < needed(gates) or not canary.timed:
        return ""
    usual, all_ = p99(stable.seconds), canary.timed
    limit = max(gates.canary.ratios.p99 * usual, SLOW_SECONDS)
    last = max((edge for edge in canary.seconds if edge < math.inf), default=0.0)
    if limit >= last or stable.timed < needed(gates):
        return _slower(stable, canary, gates, alpha)
    bound = min(edge for edge in canary.seconds if edge >= limit)
    over = all_ - canary.seconds[bound]
    ratios = over * np.log(SHARES / 0.01) + (all_ - over) * np.log((1 - SHARES) / 0.99)
    if logsumexp(ratios) - math.log(len(SHARES)) < -math.log(alpha):
        return ""
    return f"{_late(over, all_, bound)}, p99 of stable is {1000 * usual:.3g} ms"


def slow_under_load(
    stable: Counts, canary: Counts, gates: Gates, alpha: float, usual: Mapping[float, float]
) -> str:
    """Slower than the idle stable, and than stable was when its pods had the canary's load.

    The load makes any model slower than an idle one, and the machine any model than it was before:
    so both are needed, and together they are no proof.
    """
    reason = slow(stable, canary, gates, alpha)
    before = replace(stable, seconds=usual)
    known = max(usual.values(), default=0.0) >= needed(gates)
    return "" if known and not slow(before, canary, gates, alpha) else reason


def _slower(stable: Counts, canary: Counts, gates: Gates, alpha: float) -> str:
    """The canary passes an edge more often than stable passes the edge at or below its
    `ratios.p99`th part: one that is no more than that many times as slow does not.
    """
    theirs, all_ = stable.timed, canary.timed
    bounds = sorted(edge for edge in canary.seconds if SLOW_SECONDS <= edge < math.inf)
    for bound in reversed(bounds):
        part = bound / gates.canary.ratios.p99
        part = max((edge for edge in stable.seconds if edge <= part), default=0.0)
        over, late = all_ - canary.seconds[bound], theirs - stable.seconds.get(part, 0.0)
        if evidence(over, all_, late, theirs) >= -math.log(alpha / len(bounds)):
            usual = f"{100 * late / theirs:.3g} % of stable's more than {1000 * part:g} ms"
            return f"{_late(over, all_, bound)}, {usual}"
    return ""


def _late(over: float, all_: float, bound: float) -> str:
    share = f"{100 * over / all_:.3g} % of the canary's answers"
    return f"slow: {share} take more than {1000 * bound:g} ms"


def p99(seconds: Mapping[float, float]) -> float:
    """99th percentile in seconds, interpolated within its bucket as Prometheus does."""
    wanted, low, below = 0.99 * max(seconds.values()), 0.0, 0.0
    for edge in sorted(seconds):
        if seconds[edge] >= wanted and seconds[edge] > below:
            if edge == math.inf:
                return low
            return low + (edge - low) * (wanted - below) / (seconds[edge] - below)
        low, below = edge, seconds[edge]
    return low
