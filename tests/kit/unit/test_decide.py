from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from ml_template.kubernetes import steps as rules
from ml_template.kubernetes.steps import decide
from ml_template.model.artifact import Model
from ml_template.model.profile import column_profile
from ml_template.operations import evidence as rates
from ml_template.operations import outputs
from ml_template.operations.evidence import Counts, evidence
from ml_template.serving.metrics import edges
from ml_template.settings.gates import Ratios
from scipy.stats import binom

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


def valued(values: np.ndarray, hold_out: np.ndarray) -> Counts:
    """Answers of a model that has answered `hold_out` before: its edges are made for those."""
    model = SimpleNamespace(profile={"answers": {"value": column_profile(hold_out)}})
    own = np.array([*edges(cast(Model, model)), math.inf])
    rows = np.bincount(np.searchsorted(own, values), minlength=len(own))
    names = [str(edge) if edge < math.inf else "+Inf" for edge in own.tolist()]
    buckets = dict(zip(names, map(float, rows), strict=True))
    return replace(GOOD, codes={"200": float(len(values))}, outputs={"predict_value": buckets})


FAULTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "in another unit": lambda values: values * 100,
    "in another unit, smaller": lambda values: values / 100,
    "negated": lambda values: -values,
    "moved far away": lambda values: values + 2000,
    "moved by as much as they differ": lambda values: values + 100,
    "nearly one value": lambda values: 500.5 + (values - 500) / 200,
    "one value between two edges of stable": lambda values: 528 + (values - 500) / 200,
    "twice as wide": lambda values: 500 + (values - 500) * 2,
}


@pytest.mark.parametrize("requests", [200, 10_000])
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_predictions_that_lie_elsewhere_are_a_shift_whatever_the_edges_of_the_models(
    fault: Callable[[np.ndarray], np.ndarray], requests: int
) -> None:
    random = np.random.default_rng(17)
    stable = valued(random.normal(500, 100, 10_000), random.normal(500, 100, 1000))
    now, before = random.normal(500, 100, requests), random.normal(500, 100, 1000)
    said = decide(stable, valued(fault(now), fault(before)), GATES, LONG)
    assert said.verdict == "abort"
    assert said.reason.startswith("predict_value: the canary answers otherwise")


FEW: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "the highest is another": lambda values: np.where(values == 5, 99, values),
    "the lowest is another": lambda values: np.where(values == 1, -999, values),
    "in between": lambda values: np.where(values > 1, values - 0.5, values),
    "one value": lambda values: np.full(len(values), 3.0),
}


@pytest.mark.parametrize("known", [False, True], ids=["unknown to its edges", "known"])
@pytest.mark.parametrize("fault", FEW.values(), ids=FEW)
def test_answers_of_few_values_that_are_others_are_a_shift(
    fault: Callable[[np.ndarray], np.ndarray], known: bool
) -> None:
    random = np.random.default_rng(23)
    before = random.integers(1, 6, 1000).astype(np.float64)
    stable, now = valued(random.choice(before, 10_000), before), random.choice(before, 1000)
    assert decide(stable, valued(now, before), GATES, LONG).verdict == "promote"
    said = decide(stable, valued(fault(now), fault(before) if known else before), GATES, LONG)
    assert said.verdict == "abort"


@pytest.mark.parametrize("requests", [200, 10_000])
@pytest.mark.parametrize("narrower", [1.0, 3.0, 10.0, 100.0])
def test_other_edges_alone_are_no_shift(narrower: float, requests: int) -> None:
    random = np.random.default_rng(19)
    for _ in range(50):
        ends = random.uniform(-500, 1500, 2)[:, None], random.uniform(20, 100, 2)[:, None]
        hold_outs = ends[0] + random.normal(0, 1, (2, 100)) * ends[1] / [[1.0], [narrower]]
        stable = valued(random.normal(500, 100, 10_000), hold_outs[0])
        canary = valued(random.normal(500, 100, requests), hold_outs[1])
        assert stable.outputs["predict_value"].keys() != canary.outputs["predict_value"].keys()
        assert decide(stable, canary, GATES, LONG).verdict == "promote"


def test_a_few_answers_past_the_end_of_a_range_are_no_shift_however_many_came() -> None:
    """A model trained again answers a little past 0 and 1; no answer of stable was ever there."""
    random = np.random.default_rng(23)
    stable, before = random.uniform(0, 1, (2, 40_000))
    answers = random.uniform(-0.04, 1.04, 10_000)
    said = decide(valued(stable, before), valued(answers, before), GATES, LONG)
    assert said.verdict == "promote"


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


LATE = {0.5: 900.0, 1.0: 950.0, 2.5: 995.0, math.inf: 1000.0}  # p99 above half the last edge


@pytest.mark.parametrize("stable", [LATE, LATE | {2.5: 970.0}])
def test_a_canary_slower_than_the_last_edge_is_ended_though_twice_the_p99_of_stable_lies_above(
    stable: dict[float, float],
) -> None:
    usual = replace(GOOD, seconds=stable)
    all_slow = replace(GOOD, seconds=dict.fromkeys(LATE, 0.0) | {math.inf: 1000.0})
    said = decide(usual, all_slow, GATES, LONG)
    assert said.verdict == "abort"
    assert said.reason.startswith("slow: 100 % of the canary's answers take more than 2500 ms")
    assert decide(usual, usual, GATES, LONG).verdict == "promote"
    twice = replace(GOOD, seconds=LATE | {0.5: 700.0, 1.0: 900.0, 2.5: 955.0})
    assert decide(usual, twice, GATES, LONG).verdict == "promote"


def test_a_stable_whose_p99_lies_above_the_last_edge_does_not_end_its_like() -> None:
    limits = GATES.canary.model_copy(update={"ratios": Ratios(p99=1.0, memory=2.0)})
    late = replace(GOOD, seconds=LATE | {2.5: 950.0})
    strict = GATES.model_copy(update={"canary": limits})
    assert decide(late, late, strict, LONG).verdict == "promote"


def test_p99_and_psi_are_those_of_the_textbook() -> None:
    assert rates.p99({0.1: 90.0, 0.2: 100.0, math.inf: 100.0}) == pytest.approx(0.19)
    assert rates.p99({0.1: 90.0, math.inf: 100.0}) == 0.1
    usual, now = np.array([50.0, 50.0]), np.array([80.0, 20.0])
    assert outputs.psi(usual, now) == pytest.approx(0.3 * math.log(1.6) - 0.3 * math.log(0.4))


def few(times: dict[float, float]) -> Counts:
    """Stable at the last step: what it answered before, and these times of the same minutes."""
    return replace(GOOD, seconds=times)


BUSY = {0.005: 0.0, 0.01: 0.0, 0.05: 40.0, 0.25: 60.0, 1.0: 60.0, math.inf: 60.0}


@pytest.mark.parametrize("answers", [0, 1, 39])
def test_with_next_to_no_times_of_the_same_minutes_a_slow_or_heavy_canary_is_held(
    answers: int,
) -> None:
    stable = few(dict.fromkeys(FAST, float(answers)))
    late = {edge: 6.0 * n for edge, n in BUSY.items()}
    said = decide(stable, replace(GOOD, seconds=late, memory=4.1e8), GATES, LONG)
    assert said.verdict == "hold"
    assert decide(stable, replace(GOOD, memory=4.1e8), GATES, LONG).verdict == "hold"
    for fault in ({"codes": {"200": 950.0, "500": 50.0}}, {"not_finite": 1.0}):
        assert decide(stable, replace(GOOD, **fault), GATES, LONG).verdict == "abort"


def test_what_a_busy_machine_makes_slow_on_both_sides_is_no_reason() -> None:
    canary = replace(GOOD, seconds={edge: 16.0 * n for edge, n in BUSY.items()})
    assert decide(few(BUSY), canary, GATES, LONG).verdict == "promote"
    assert decide(few({e: 20.0 * n for e, n in BUSY.items()}), canary, GATES, LONG).verdict == (
        "promote"
    )


def test_next_to_few_times_of_the_same_minutes_a_much_slower_canary_is_ended() -> None:
    fast = dict.fromkeys(FAST, 60.0)
    slow = dict.fromkeys(FAST, 0.0) | {1.0: 20_000.0, math.inf: 20_000.0}
    said = decide(few(fast), replace(GOOD, seconds=slow), GATES, LONG)
    assert said.verdict == "abort"
    assert said.reason == (
        "slow: 100 % of the canary's answers take more than 250 ms, 0 % of stable's more than 50 ms"
    )


STEP = cast(Any, GATES.rollout).seconds.step
LOADED = {edge: 20.0 * n for edge, n in SLOW.items()}  # as any model answers under the whole load


@pytest.mark.parametrize("elapsed", [STEP, 10 * STEP])
def test_the_whole_load_makes_a_canary_slower_than_the_idle_stable_and_is_no_reason(
    elapsed: float,
) -> None:
    canary = replace(GOOD, seconds=LOADED)
    assert decide(GOOD, canary, GATES, elapsed).verdict == "abort"
    assert decide(GOOD, canary, GATES, elapsed, usual=SLOW).verdict == "promote"


@pytest.mark.parametrize("usual", [FAST, {}, dict.fromkeys(FAST, 1.0)])
def test_a_canary_slower_than_stable_ever_was_is_held_and_ended_without_evidence(
    usual: dict[float, float],
) -> None:
    canary = replace(GOOD, seconds=LOADED)
    assert decide(GOOD, canary, GATES, STEP, usual).verdict == "hold"
    last = decide(GOOD, canary, GATES, rules.PATIENCE * STEP, usual)
    assert (last.verdict, last.evidence) == ("abort", False)
    assert last.reason.startswith("slow: ")


def test_a_last_step_lets_no_other_fault_pass() -> None:
    failing = replace(GOOD, seconds=LOADED, codes={"200": 950.0, "500": 50.0})
    said = decide(GOOD, failing, GATES, STEP, usual=SLOW)
    assert (said.verdict, said.evidence) == ("abort", True)
