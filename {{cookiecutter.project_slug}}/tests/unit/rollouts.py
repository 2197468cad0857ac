"""Simulated rollouts: how often `decide` ends one for its errors, when, and what that cost.

python -m tests.unit.rollouts prints a table.
"""

from __future__ import annotations

import json
import math
from typing import NamedTuple

import numpy as np

from {{ cookiecutter.package_name }}.gates import Gates
from {{ cookiecutter.package_name }}.operations.decide import evidence, level

RUNS = 20_000
SECOND_REQUESTS = 50  # of the whole service
LOOK_SECONDS = 10
USUAL = 0.005  # share of stable's answers that fail
BEFORE = 10_000  # answers of stable before the rollout: the reference while it has no traffic
NAMES = (
    *("performance", "champion", "slices", "fairness", "calibration", "latency", "size"),
    *("lineage", "sensitive_features"),
)
GATES = Gates.model_validate(
    dict.fromkeys(NAMES, False) | {"determinism": {"max_difference": 1e-9}}
)


class Outcome(NamedTuple):
    """Share of the rollouts that were ended; of those the median seconds and failed answers."""

    aborted: float
    seconds: float
    failed: float


def simulate(rate: float, runs: int = RUNS, seed: int = 7) -> Outcome:
    """`runs` rollouts of a canary of which the share `rate` of the answers fails."""
    random = np.random.default_rng(seed)
    assert GATES.rollout
    needed, looks = -math.log(level(GATES)), int(GATES.rollout.seconds.step / LOOK_SECONDS)
    before = random.binomial(BEFORE, USUAL, runs)
    ended, seconds, failed = (np.zeros(runs, kind) for kind in (bool, float, float))
    for step in GATES.rollout.steps:
        share = step / 100
        mine = round(SECOND_REQUESTS * LOOK_SECONDS * share)
        theirs = SECOND_REQUESTS * LOOK_SECONDS - mine
        bad, good = np.zeros(runs), np.zeros(runs) if theirs else before.astype(float)
        for look in range(1, looks + 1):
            new = random.binomial(mine, rate, runs)
            bad += new
            good += random.binomial(theirs, USUAL, runs)
            failed += np.where(ended, 0, new)
            seconds += np.where(ended, 0, LOOK_SECONDS)
            other = np.full(runs, look * theirs if theirs else BEFORE)
            ended |= evidence(bad, np.full(runs, look * mine), good, other) >= needed
    if not ended.any():
        return Outcome(0.0, math.nan, math.nan)
    return Outcome(
        float(ended.mean()), float(np.median(seconds[ended])), float(np.median(failed[ended]))
    )


if __name__ == "__main__":
    print(json.dumps({rate: simulate(rate) for rate in (USUAL, 0.01, 0.02, 0.05, 0.2)}))
