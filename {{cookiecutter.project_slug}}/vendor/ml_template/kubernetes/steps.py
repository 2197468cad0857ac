"""A step of a rollout: promote, hold or abort a canary by what it and stable answered.

No clock, no I/O.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np

from ..operations.evidence import (
    ANSWERS,
    Counts,
    comparable,
    evidence,
    few,
    needed,
    slow,
    slow_under_load,
)
from ..operations.outputs import LEAST, by_bucket, by_class, chance, psi
from ..settings.gates import Gates

TESTS = 4  # failed, refused, slow, each output: what alpha is divided by, with the steps
LOOKS = 1000  # at the outputs in one step: their test is not sequential by itself
PATIENCE = 2  # steps' time that a canary may be slow where its load or machine may be the reason


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
    if canary.restarts > 0:
        return Decision("abort", f"the canary restarted {canary.restarts} times", evidence=True)
    if canary.not_finite > 0:
        said = f"{canary.not_finite:.0f} answers of the canary were not finite"
        return Decision("abort", said, evidence=True)
    if elapsed >= rollout.seconds.deadline:
        return Decision("abort", f"not decided within {rollout.seconds.deadline:g} seconds")
    if not _possible(stable) or not _possible(canary):
        return Decision("hold", "a count is negative or not a number: a process began anew")
    alpha = level(gates)
    tests = (_errors, _shifted, _heavy, _mistaken) + ((slow,) if usual is None else ())
    for worse in tests:
        if reason := worse(stable, canary, gates, alpha):
            return Decision("abort", reason, evidence=True)
    reason = "" if usual is None else slow_under_load(stable, canary, gates, alpha, usual)
    if reason and elapsed < PATIENCE * rollout.seconds.step:
        return Decision("hold", reason)
    if reason:
        return Decision("abort", f"{reason}, for {elapsed:.0f} seconds")
    return _ripe(stable, canary, gates, elapsed, rollout.seconds.step)


def level(gates: Gates) -> float:
    """What one test of one step may spend of `alpha`, so that the rollout spends it once."""
    steps = gates.rollout.steps if gates.rollout else ()
    return gates.canary.alpha / (TESTS * max(len(steps), 1))


def _possible(counts: Counts) -> bool:
    numbers = [*counts.codes.values(), *counts.seconds.values()]
    numbers += [n for rows in counts.outputs.values() for n in rows.values()]
    numbers += [counts.not_finite, counts.memory, counts.restarts]
    return all(n >= 0 and math.isfinite(n) for n in (*numbers, *map(abs, counts.quality or ())))


def _ripe(stable: Counts, canary: Counts, gates: Gates, elapsed: float, seconds: float) -> Decision:
    least = needed(gates)
    for name, counts in (("stable", stable), ("canary", canary)):
        if counts.of("") < least or not counts.timed:
            return Decision("hold", f"{counts.of(''):.0f} of {least} answers of {name}")
    if not comparable(stable, gates):
        said = f"{stable.timed:.0f} of {few(gates)} answers of stable in the same minutes"
        return Decision("hold", said)
    if set(stable.outputs) != set(canary.outputs):
        return Decision("hold", "stable and canary count different outputs")
    if elapsed < seconds:
        return Decision("hold", f"{elapsed:.0f} of {seconds:g} seconds")
    return Decision("promote", f"{canary.of(''):.0f} answers, none of the limits reached")


def _errors(stable: Counts, canary: Counts, gates: Gates, alpha: float) -> str:
    for first, name in (("5", "failed"), ("4", "refused")):
        bad, good = canary.of(first), stable.of(first)
        if evidence(bad, canary.of(""), good, stable.of("")) >= -math.log(alpha):
            rates = [100 * n / all_ for n, all_ in ((bad, canary.of("")), (good, stable.of("")))]
            return f"{name}: {rates[0]:.3g} % of the canary's answers, {rates[1]:.3g} % of stable's"
    return ""


def _shifted(stable: Counts, canary: Counts, gates: Gates, alpha: float) -> str:
    """An output whose PSI is above `max_psi`, and not by chance (chi-square).

    Rows of one request are alike, so a request counts once however many rows it has.
    """
    requests = np.array([[stable.of("2")], [canary.of("2")]])
    if requests.min() < needed(gates):
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
    if not comparable(stable, gates):  # an idle process is small
        return ""
    megabytes = [counts.memory / 1e6 for counts in (canary, stable)]
    return f"memory: {megabytes[0]:.0f} MB, stable has {megabytes[1]:.0f} MB"


def _mistaken(stable: Counts, canary: Counts, gates: Gates, alpha: float) -> str:
    if not stable.quality or not canary.quality or canary.quality[1] >= stable.quality[0]:
        return ""
    return f"quality: at most {canary.quality[1]:.4g}, stable has at least {stable.quality[0]:.4g}"
