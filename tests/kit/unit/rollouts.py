"""Simulated rollouts: how often `decide` ends one, for failures alone or for all it looks at.

python -m kit.unit.rollouts prints the figures of both as JSON.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from ml_template.kubernetes import steps as rules
from ml_template.operations import evidence as rates
from ml_template.settings.gates import Gates

RUNS = 20_000
JUDGED = 2_000  # rollouts by all of `decide`, which takes some hundred times as long
SECOND_REQUESTS = 50  # of the whole service
LOOK_SECONDS = 10
USUAL = 0.005  # share of stable's answers that fail
BEFORE = 10_000  # answers of stable before the rollout: the reference while it has little traffic
MOST = 99  # per cent of the last step
NAMES = (
    *("performance", "champion", "slices", "fairness", "calibration", "latency", "size"),
    *("lineage", "sensitive_features"),
)
GATES = Gates.model_validate(
    dict.fromkeys(NAMES, False) | {"determinism": {"max_difference": 1e-9}}
)


class Answers(NamedTuple):
    """Shares of the answers of one side: by status code, time in seconds (up to), bucket."""

    codes: dict[str, float]
    seconds: dict[float, float]
    outputs: dict[str, float]


HEALTHY = Answers(
    {"200": 0.98 - USUAL, "422": 0.02, "500": USUAL},
    {0.005: 0.9, 0.01: 0.085, 0.05: 0.014, 0.25: 0.001, math.inf: 0.0},
    {str(bucket): 0.1 for bucket in range(10)},
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
    needed, looks = -math.log(rules.level(GATES)), int(GATES.rollout.seconds.step / LOOK_SECONDS)
    before = random.binomial(BEFORE, USUAL, runs)
    ended, seconds, failed = (np.zeros(runs, kind) for kind in (bool, float, float))
    for step in GATES.rollout.steps:
        share = min(step, MOST) / 100
        mine = round(SECOND_REQUESTS * LOOK_SECONDS * share)
        theirs = SECOND_REQUESTS * LOOK_SECONDS - mine
        bad, good = np.zeros(runs), before.astype(float) if step > MOST else np.zeros(runs)
        for look in range(1, looks + 1):
            new = random.binomial(mine, rate, runs)
            bad += new
            good += random.binomial(theirs, USUAL, runs)
            failed += np.where(ended, 0, new)
            seconds += np.where(ended, 0, LOOK_SECONDS)
            other = np.full(runs, look * theirs + BEFORE * (step > MOST))
            ended |= rates.evidence(bad, np.full(runs, look * mine), good, other) >= needed
    if not ended.any():
        return Outcome(0.0, math.nan, math.nan)
    return Outcome(
        float(ended.mean()), float(np.median(seconds[ended])), float(np.median(failed[ended]))
    )


def judge(canary: Answers = HEALTHY, runs: int = JUDGED, seed: int = 7) -> float:
    """Share of `runs` rollouts that all of `decide` ends; stable answers as HEALTHY does."""
    random = np.random.default_rng(seed)
    return sum(_ended(canary, random) for _ in range(runs)) / runs


def _ended(canary: Answers, random: np.random.Generator) -> bool:
    assert GATES.rollout
    before = next(_counts(HEALTHY, BEFORE, random))
    for step in GATES.rollout.steps:
        mine = round(SECOND_REQUESTS * LOOK_SECONDS * min(step, MOST) / 100)
        theirs = SECOND_REQUESTS * LOOK_SECONDS - mine
        looks = zip(_counts(HEALTHY, theirs, random), _counts(canary, mine, random), strict=False)
        for number, (now, new) in enumerate(looks, 1):
            stable = replace(before, seconds=now.seconds) if step > MOST else now
            verdict = rules.decide(stable, new, GATES, number * LOOK_SECONDS).verdict
            if verdict == "abort":
                return True
            if verdict == "promote":
                break
    return False


def _counts(side: Answers, requests: int, random: np.random.Generator) -> Iterator[rates.Counts]:
    """What a side has answered since its step began, look by look."""
    codes, seconds, outputs = (np.zeros(len(shares)) for shares in side)
    while True:
        new = random.multinomial(requests, list(side.codes.values()))
        codes += new
        seconds += random.multinomial(requests, list(side.seconds.values()))
        outputs += random.multinomial(new[0], list(side.outputs.values()))
        yield rates.Counts(
            dict(zip(side.codes, codes.tolist(), strict=True)),
            dict(zip(side.seconds, seconds.cumsum().tolist(), strict=True)),
            outputs={"predict_probability": dict(zip(side.outputs, outputs.tolist(), strict=True))},
            memory=random.uniform(1.8e8, 2.2e8),
        )


if __name__ == "__main__":
    failures = {rate: simulate(rate) for rate in (USUAL, 0.01, 0.02, 0.05, 0.2)}
    print(json.dumps({"failures": failures, "judged": [JUDGED, judge()]}))
