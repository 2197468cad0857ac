"""decide: promote, hold or abort a canary by what it and stable answered. No clock, no I/O.

Rates are judged by e-values: while the canary is no worse, the expectation of one never exceeds 1,
so it ever reaches 1/a with probability at most a (Ville's inequality), however often one looks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

import numpy as np
from scipy.special import logsumexp

from ..settings.gates import Gates
from .outputs import LEAST, by_bucket, by_class, chance, psi

RATIOS = np.array([1.5, 2.0, 3.0, 6.0, 15.0, 50.0])  # how many times worse a canary may be
SHARES = np.array([0.02, 0.04, 0.1, 0.3, 0.9])  # of answers slower than the limit; 1 % is allowed
TESTS = 4  # failed, refused, slow, each output: what alpha is divided by, with the steps
LOOKS = 1000  # at the outputs in one step: their test is not sequential by itself
ANSWERS = "predict_answers"  # the one output that is counted by class, not by bucket
SLOW_SECONDS = 0.01  # an answer within this is never called slow
PATIENCE = 2  # steps' time that a canary may be slow where its load or machine may be the reason

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


class Decision(NamedTuple):
    """What to do, and why, in one line; `evidence`: the answers or pods of the canary say so."""

    verdict: Literal["promote", "hold", "abort"]
    reason: str
    evidence: bool = False


def decide(
    stable: Counts,
    canary: Counts,
    gates: Gates,
    elapsed: float,
    usual: Mapping[float, float] | None = None,
) -> Decision:
    """Whether this step of a rollout was passed, goes on, or ends it; `elapsed` seconds into it.

    Counts or times that cannot be (NaN, negative: a counter or clock went back) never promote.
    `usual` in a last step, where stable is all but idle: its `seconds` when it carried the load.
    """
    rollout = gates.rollout
    if rollout is None:
        return Decision("abort", "gates.yaml: rollout is switched off")
    if not math.isfinite(elapsed) or elapsed < 0:
        return Decision("hold", f"the clock jumped: {elapsed} seconds")
    certain = _certain(canary)
    if certain:
        return Decision("abort", certain, evidence=True)
    if elapsed >= rollout.seconds.deadline:
        return Decision("abort", f"not decided within {rollout.seconds.deadline:g} seconds")
    if not _possible(stable) or not _possible(canary):
        return Decision("hold", "a count is negative or not a number: a process began anew")
    alpha = level(gates)
    tests = (_errors, _shifted, _heavy, _mistaken) + ((_slow,) if usual is None else ())
    for worse in tests:
        reason = worse(stable, canary, gates, alpha)
        if reason:
            return Decision("abort", reason, evidence=True)
    reason = "" if usual is None else _slow_under_load(stable, canary, gates, alpha, usual)
    if reason and elapsed < PATIENCE * rollout.seconds.step:
        return Decision("hold", reason)
    if reason:
        return Decision("abort", f"{reason}, for {elapsed:.0f} seconds")
    return _ripe(stable, canary, gates, elapsed)


def level(gates: Gates) -> float:
    """What one test of one step may spend of `alpha`, so that the rollout spends it once."""
    steps = gates.rollout.steps if gates.rollout else ()
    return gates.canary.alpha / (TESTS * max(len(steps), 1))


def _certain(canary: Counts) -> str:
    if canary.restarts > 0:
        return f"the canary restarted {canary.restarts} times"
    if canary.not_finite > 0:
        return f"{canary.not_finite:.0f} answers of the canary were not finite"
    return ""


def _possible(counts: Counts) -> bool:
    numbers = [*counts.codes.values(), *counts.seconds.values()]
    numbers += [n for rows in counts.outputs.values() for n in rows.values()]
    numbers += [counts.not_finite, counts.memory, counts.restarts]
    return all(n >= 0 and math.isfinite(n) for n in (*numbers, *map(abs, counts.quality or ())))


def _ripe(stable: Counts, canary: Counts, gates: Gates, elapsed: float) -> Decision:
    assert gates.rollout  # decide() has looked
    needed, seconds = gates.rollout.min_requests, gates.rollout.seconds.step
    for name, counts in (("stable", stable), ("canary", canary)):
        if counts.of("") < needed or not _within(counts):
            return Decision("hold", f"{counts.of(''):.0f} of {needed} answers of {name}")
    if not _comparable(stable, gates):
        said = f"{_within(stable):.0f} of {_few(gates)} answers of stable in the same minutes"
        return Decision("hold", said)
    if set(stable.outputs) != set(canary.outputs):
        return Decision("hold", "stable and canary count different outputs")
    if elapsed < seconds:
        return Decision("hold", f"{elapsed:.0f} of {seconds:g} seconds")
    return Decision("promote", f"{canary.of(''):.0f} answers, none of the limits reached")


def _within(counts: Counts) -> float:
    """All answers whose time was taken."""
    return max(counts.seconds.values(), default=0.0)


def _errors(stable: Counts, canary: Counts, gates: Gates, alpha: float) -> str:
    for first, name in (("5", "failed"), ("4", "refused")):
        bad, good = canary.of(first), stable.of(first)
        if evidence(bad, canary.of(""), good, stable.of("")) >= -math.log(alpha):
            rates = [100 * n / all_ for n, all_ in ((bad, canary.of("")), (good, stable.of("")))]
            return f"{name}: {rates[0]:.3g} % of the canary's answers, {rates[1]:.3g} % of stable's"
    return ""


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


def _slow(stable: Counts, canary: Counts, gates: Gates, alpha: float) -> str:
    """More than 1 % of the canary's answers take longer than `ratios.p99` times stable's p99.

    The e-value is the likelihood ratio of SHARES, averaged, to 1 % (a one-sample mixture SPRT).
    Where stable took too few times for a p99, or that limit lies above the last edge, both are
    counted: see `_slower`.
    """
    if not _comparable(stable, gates) or stable.of("") < _needed(gates) or not _within(canary):
        return ""
    usual, all_ = p99(stable.seconds), _within(canary)
    limit = max(gates.canary.ratios.p99 * usual, SLOW_SECONDS)
    last = max((edge for edge in canary.seconds if edge < math.inf), default=0.0)
    if limit >= last or _within(stable) < _needed(gates):
        return _slower(stable, canary, gates, alpha)
    bound = min(edge for edge in canary.seconds if edge >= limit)
    slow = all_ - canary.seconds[bound]
    ratios = slow * np.log(SHARES / 0.01) + (all_ - slow) * np.log((1 - SHARES) / 0.99)
    if logsumexp(ratios) - math.log(len(SHARES)) < -math.log(alpha):
        return ""
    return f"{_late(slow, all_, bound)}, p99 of stable is {1000 * usual:.3g} ms"


def _slow_under_load(
    stable: Counts, canary: Counts, gates: Gates, alpha: float, usual: Mapping[float, float]
) -> str:
    """Slower than the idle stable, and than stable was when its pods had the canary's load.

    The load makes any model slower than an idle one, and the machine any model than it was before:
    so both are needed, and together they are no proof.
    """
    reason = _slow(stable, canary, gates, alpha)
    before = replace(stable, seconds=usual)
    known = max(usual.values(), default=0.0) >= _needed(gates)
    return "" if known and not _slow(before, canary, gates, alpha) else reason


def _slower(stable: Counts, canary: Counts, gates: Gates, alpha: float) -> str:
    """The canary passes an edge more often than stable passes the edge at or below its
    `ratios.p99`th part: one that is no more than that many times as slow does not.
    """
    theirs, all_ = _within(stable), _within(canary)
    bounds = sorted(edge for edge in canary.seconds if SLOW_SECONDS <= edge < math.inf)
    for bound in reversed(bounds):
        part = bound / gates.canary.ratios.p99
        part = max((edge for edge in stable.seconds if edge <= part), default=0.0)
        slow, late = all_ - canary.seconds[bound], theirs - stable.seconds.get(part, 0.0)
        if evidence(slow, all_, late, theirs) >= -math.log(alpha / len(bounds)):
            usual = f"{100 * late / theirs:.3g} % of stable's more than {1000 * part:g} ms"
            return f"{_late(slow, all_, bound)}, {usual}"
    return ""


def _late(slow: float, all_: float, bound: float) -> str:
    share = f"{100 * slow / all_:.3g} % of the canary's answers"
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


def _needed(gates: Gates) -> int:
    assert gates.rollout  # decide() has looked
    return gates.rollout.min_requests


def _few(gates: Gates) -> int:
    """Times of stable to compare with: what 1 % brings while the first step brings what it needs.

    So whoever has the requests for the first step has them for the last one, too.
    """
    assert gates.rollout  # decide() has looked
    return math.ceil(gates.rollout.min_requests / gates.rollout.steps[0])


def _comparable(stable: Counts, gates: Gates) -> bool:
    """Whether stable answered in the same minutes: only then times and memory are judged."""
    return _within(stable) >= _few(gates)


def _shifted(stable: Counts, canary: Counts, gates: Gates, alpha: float) -> str:
    """An output whose PSI is above `max_psi`, and not by chance (chi-square).

    Rows of one request are alike, so a request counts once however many rows it has.
    """
    requests = np.array([[stable.of("2")], [canary.of("2")]])
    if requests.min() < _needed(gates):
        return ""
    for name in sorted(set(stable.outputs) & set(canary.outputs)):
        sides = stable.outputs[name], canary.outputs[name]
        if min(sum(side.values()) for side in sides) == 0:
            continue
        classes = name == ANSWERS
        tables = by_class(*sides) if classes else by_bucket(*sides)
        for table in tables:
            table *= np.minimum(1.0, requests / table.sum(axis=1, keepdims=True))
            table = table[:, table.sum(axis=0) > 0]
            index = psi(table[0], table[1], 0.0 if classes else LEAST)
            if index > gates.canary.max_psi and chance(table) < alpha / LOOKS / len(tables):
                return f"{name}: the canary answers otherwise than stable: PSI {index:.2g}"
    return ""


def _heavy(stable: Counts, canary: Counts, gates: Gates, alpha: float) -> str:
    limit = gates.canary.ratios.memory
    if 0 in (stable.memory, canary.memory) or canary.memory <= limit * stable.memory:
        return ""
    if not _comparable(stable, gates):  # an idle process is small
        return ""
    megabytes = [counts.memory / 1e6 for counts in (canary, stable)]
    return f"memory: {megabytes[0]:.0f} MB, stable has {megabytes[1]:.0f} MB"


def _mistaken(stable: Counts, canary: Counts, gates: Gates, alpha: float) -> str:
    if not stable.quality or not canary.quality or canary.quality[1] >= stable.quality[0]:
        return ""
    return f"quality: at most {canary.quality[1]:.4g}, stable has at least {stable.quality[0]:.4g}"
