"""What a track answered, and how strongly it says that a canary fails more or is slower.

Rates are judged by e-values: while the canary is no worse, the expectation of one never exceeds 1,
so it ever reaches 1/a with probability at most a (Ville's inequality), however often one looks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.special import logsumexp

from ..settings.gates import Gates

RATIOS = np.array([1.5, 2.0, 3.0, 6.0, 15.0, 50.0])  # how many times worse a canary may be
SHARES = np.array([0.02, 0.04, 0.1, 0.3, 0.9])  # of answers slower than the limit; 1 % is allowed
SLOW_SECONDS = 0.01  # an answer within this is never called slow
ANSWERS = "predict_answers"  # the one output that is counted by class, not by bucket

Range = tuple[float, float]  # low, high


@dataclass(frozen=True)
class Counts:
    """What the pods of one track answered since a step began.

    `codes`: answers by status code. `seconds`: answers within each upper bound in seconds, up to
    math.inf. `outputs`: rows by bucket or class, for each histogram of the answers. `memory`: bytes
    of the largest process, 0 = unknown; `restarts`: of its containers. `quality`: interval of the
    headline metric on labels that came, higher is better.
    """

    codes: Mapping[str, float]
    seconds: Mapping[float, float] = field(default_factory=dict)
    not_finite: float = 0.0
    outputs: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    memory: float = 0.0
    restarts: int = 0
    quality: Range | None = None

    def of(self, first: str) -> float:
        """Answers whose code begins with `first`; every one for ""."""
        return sum(n for code, n in self.codes.items() if code.startswith(first))

    @property
    def timed(self) -> float:
        """All answers whose time was taken."""
        return max(self.seconds.values(), default=0.0)


def evidence(
    bad: float | np.ndarray,
    all_: float | np.ndarray,
    stable_bad: float | np.ndarray,
    stable_all: float | np.ndarray,
) -> np.ndarray:
    """Log e-value of "the canary's rate is higher"; arrays of one shape, or numbers.

    A bad answer came from the canary with probability q, its share of all answers, or rq/(rq+1-q)
    when its rate is r times that of stable. The likelihood ratios are averaged over RATIOS.
    Source: the mixture SPRT (Robbins 1970) for counts under a known split, as in Lindon and Malek,
    "Anytime-valid inference for multinomial count data", NeurIPS 2022.
    """
    bad, all_ = np.asarray(bad, float)[..., None], np.asarray(all_, float)[..., None]
    stable_bad, stable_all = np.asarray(stable_bad)[..., None], np.asarray(stable_all)[..., None]
    share = all_ / np.maximum(all_ + stable_all, 1.0)
    known = (all_ > 0) & (stable_all > 0)
    ratios = bad * np.log(RATIOS) - (bad + stable_bad) * np.log(RATIOS * share + 1 - share)
    return logsumexp(np.where(known, ratios, 0.0), axis=-1) - math.log(len(RATIOS))


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
