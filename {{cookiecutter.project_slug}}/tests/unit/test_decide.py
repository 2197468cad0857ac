from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.stats import binom

from {{ cookiecutter.package_name }}.operations import decide as rules
from {{ cookiecutter.package_name }}.operations.decide import Counts, decide, evidence

from .rollouts import GATES, HEALTHY, USUAL, judge, simulate

FAST = {0.005: 900.0, 0.01: 985.0, 0.05: 999.0, 0.25: 1000.0, 1.0: 1000.0, math.inf: 1000.0}
SLOW = {0.005: 100.0, 0.01: 500.0, 0.05: 900.0, 0.25: 990.0, 1.0: 1000.0, math.inf: 1000.0}
EVEN = {str(n): 100.0 for n in range(10)}
GOOD = Counts({"200": 1000.0, "500": 0.0}, FAST, outputs={"predict_probability": EVEN}, memory=2e8)
NOTHING = Counts({"200": 0.0}, dict.fromkeys(FAST, 0.0))
LONG = 300.0  # seconds: longer than a step, shorter than its deadline


def verdict(canary: Counts, stable: Counts = GOOD, elapsed: float = LONG) -> str:
    return decide(stable, canary, GATES, elapsed).verdict


def test_a_canary_that_answers_as_stable_is_promoted() -> None:
    assert verdict(GOOD) == "promote"
    assert verdict(GOOD, elapsed=10) == "hold"


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"codes": {"200": 950.0, "500": 50.0}}, "failed: 5 %"),
        ({"codes": {"200": 950.0, "503": 50.0}}, "failed: 5 %"),
        ({"codes": {"200": 900.0, "422": 100.0}}, "refused: 10 %"),
        ({"seconds": SLOW}, "slow: 10 % of the canary's answers take more than 50 ms"),
        ({"outputs": {"predict_probability": {"0": 900.0, "1": 100.0}}}, "PSI"),
        (
            {"outputs": {"predict_value": {"0": 900.0, "1": 0.0}}},
            "predict_value: the canary answers",
        ),
        ({"not_finite": 1.0}, "not finite"),
        ({"memory": 4.1e8}, "memory: 410 MB"),
        ({"restarts": 1}, "restarted 1 times"),
        ({"quality": (0.5, 0.6)}, "quality: at most 0.6"),
    ],
)
def test_t50_each_kind_of_bad_release_is_ended_with_its_reason(
    fault: dict[str, Any], reason: str
) -> None:
    values = {"predict_value": {"0": 500.0, "1": 500.0}} if "predict_value" in reason else None
    stable = replace(GOOD, quality=(0.7, 0.8), outputs=values or GOOD.outputs)
    said = decide(stable, replace(GOOD, **fault), GATES, 1.0)
    assert said.verdict == "abort"
    assert reason in said.reason


@pytest.mark.parametrize("seconds", [0.0, 60.0, 300.0, 1799.0])
@pytest.mark.parametrize(
    ("stable", "canary"),
    [
        (GOOD, NOTHING),
        (NOTHING, GOOD),
        (NOTHING, NOTHING),
        (GOOD, Counts({})),
        (GOOD, replace(GOOD, seconds={})),
        (GOOD, replace(GOOD, outputs={})),
        (GOOD, replace(GOOD, codes={"200": math.nan})),
        (GOOD, replace(GOOD, codes={"200": math.inf})),
        (GOOD, replace(GOOD, codes={"200": 1000.0, "500": -3.0})),
        (replace(GOOD, codes={"200": -1000.0}), GOOD),
        (GOOD, replace(GOOD, seconds=FAST | {0.05: math.nan})),
        (GOOD, replace(GOOD, outputs={"predict_probability": {"0": -1.0}})),
        (GOOD, replace(GOOD, not_finite=math.nan)),
        (GOOD, replace(GOOD, quality=(math.nan, 1.0))),
    ],
)
def test_t49_what_cannot_be_judged_is_held_and_ended_at_the_deadline(
    stable: Counts, canary: Counts, seconds: float
) -> None:
    assert verdict(canary, stable, seconds) == "hold"
    assert verdict(canary, stable, 1800.0) == "abort"


@pytest.mark.parametrize("elapsed", [-1.0, -1e9, math.nan, math.inf, -math.inf])
def test_t49_a_clock_that_jumps_is_no_reason_to_promote(elapsed: float) -> None:
    assert verdict(GOOD, elapsed=elapsed) == "hold"


def test_t49_a_clock_that_jumps_ahead_ends_the_rollout() -> None:
    assert verdict(GOOD, elapsed=1e9) == "abort"


def test_no_counts_at_random_promote_a_canary_that_is_worse_or_unknown() -> None:
    """Random tables with one fault each, of any size: a promotion would be wrong."""
    random = np.random.default_rng(11)
    wrong = (math.nan, math.inf, -math.inf, -1.0)
    for _ in range(2000):
        codes = {code: float(random.integers(0, 5000)) for code in ("200", "422", "500")}
        place = random.choice(list(codes))
        broken = replace(GOOD, codes=codes | {place: wrong[random.integers(4)]})
        pair = [GOOD, broken]
        random.shuffle(pair)  # type: ignore[arg-type]
        elapsed = float(random.uniform(0, 3000))
        assert decide(pair[0], pair[1], GATES, elapsed).verdict != "promote"
        few = replace(GOOD, codes={"200": float(random.integers(0, 200))})
        assert verdict(few, elapsed=elapsed) != "promote"


def test_more_failures_are_never_less_evidence() -> None:
    bad = np.arange(0, 500)
    log = evidence(bad, np.full(500, 1000), np.full(500, 20), np.full(500, 4000))
    assert (np.diff(log[10:]) > 0).all()
    assert log[5] < 0  # 5 of 1,000 next to 20 of 4,000


def test_the_evidence_against_no_difference_is_one_on_average() -> None:
    """What Ville's inequality needs: under one rate, the mean of the e-value is 1."""
    all_, other, failures = 300.0, 700.0, 12
    bad = np.arange(failures + 1)
    values = np.exp(evidence(bad, np.full(13, all_), failures - bad, np.full(13, other)))
    chances = binom.pmf(bad, failures, all_ / (all_ + other))
    assert chances @ values == pytest.approx(1.0)


def test_t48_at_most_one_healthy_rollout_of_a_hundred_is_ended_and_bad_ones_are() -> None:
    assert simulate(USUAL).aborted <= 0.01
    for rate, seconds in ((0.02, 360), (0.05, 120), (0.2, 30)):
        outcome = simulate(rate)
        assert outcome.aborted >= 0.99, rate
        assert outcome.seconds <= seconds, rate


def test_t48_all_of_decide_ends_few_healthy_rollouts_and_those_that_are_worse_in_any_way() -> None:
    assert judge(runs=100) <= 0.02
    for worse in (
        HEALTHY._replace(codes={"200": 0.955, "422": 0.02, "500": 0.025}),
        HEALTHY._replace(codes={"200": 0.915, "422": 0.08, "500": 0.005}),
        HEALTHY._replace(seconds={0.005: 0.8, 0.01: 0.1, 0.05: 0.04, 0.25: 0.06, math.inf: 0.0}),
        HEALTHY._replace(outputs={str(n): share for n, share in enumerate([0.3, *[0.7 / 9] * 9])}),
    ):
        assert judge(worse, 20) >= 0.95, worse


def test_buckets_of_two_models_are_compared_at_the_edges_that_both_have() -> None:
    usual = {"predict_value": {"10.0": 250.0, "20.0": 250.0, "30.0": 250.0, "+Inf": 250.0}}
    finer = {"5.0": 125.0, "10.0": 125.0, "20.0": 250.0, "30.0": 250.0, "+Inf": 250.0}
    other = {"5.0": 900.0, "10.0": 50.0, "20.0": 50.0, "30.0": 0.0, "+Inf": 0.0}
    stable = replace(GOOD, outputs=usual)
    same = replace(GOOD, outputs={"predict_value": finer})
    assert decide(stable, same, GATES, 1e3).verdict != "abort"
    shifted = decide(stable, replace(GOOD, outputs={"predict_value": other}), GATES, 60.0)
    assert shifted.verdict == "abort"
    assert "predict_value" in shifted.reason


def test_healthy_outputs_of_few_requests_with_many_rows_are_no_shift() -> None:
    """Rows of one request are alike: 200 requests of 50 rows are not 10,000 answers."""
    random = np.random.default_rng(5)
    for _ in range(300):
        sides = []
        for requests in (4000, 200):
            rows = 50 * random.multinomial(requests, [0.1] * 10)
            outputs = {"predict_probability": dict(zip(EVEN, map(float, rows), strict=True))}
            sides.append(replace(GOOD, codes={"200": float(requests)}, outputs=outputs))
        assert decide(sides[0], sides[1], GATES, LONG).verdict == "promote"


def test_p99_and_psi_are_those_of_the_textbook() -> None:
    assert rules.p99({0.1: 90.0, 0.2: 100.0, math.inf: 100.0}) == pytest.approx(0.19)
    assert rules.p99({0.1: 90.0, math.inf: 100.0}) == 0.1
    usual, now = np.array([50.0, 50.0]), np.array([80.0, 20.0])
    assert rules.psi(usual, now) == pytest.approx(0.3 * math.log(1.6) - 0.3 * math.log(0.4))
