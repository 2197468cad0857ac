"""Counters of pods: what was counted since, by track, whatever begins anew or goes away."""

from __future__ import annotations

import math

from ml_template.kubernetes import cluster
from ml_template.kubernetes.counts import (
    MEMORY,
    Look,
    Pods,
    began_anew,
    counts,
    kept,
    restarts,
    series,
)

METRICS = """\
# TYPE predict_requests_total counter
predict_requests_total{code="200"} 90.0
predict_requests_total{code="500"} 10.0
# TYPE predict_seconds histogram
predict_seconds_bucket{le="0.01"} 60.0
predict_seconds_bucket{le="+Inf"} 100.0
# TYPE predict_probability histogram
predict_probability_bucket{le="0.5"} 30.0
predict_probability_bucket{le="+Inf"} 90.0
# TYPE predict_answers_total counter
predict_answers_total{label="yes"} 60.0
predict_answers_total{label="no"} 30.0
# TYPE predict_not_finite_total counter
predict_not_finite_total 1.0
# TYPE process_resident_memory_bytes gauge
process_resident_memory_bytes 2e8
# TYPE python_info gauge
python_info{version="3"} 1.0
"""


def test_the_text_of_a_pod_becomes_counts_by_code_bound_and_bucket() -> None:
    found = counts({"a": series(METRICS)}, {})
    assert found.codes == {"200": 90.0, "500": 10.0}
    assert found.seconds == {0.01: 60.0, math.inf: 100.0}
    assert found.outputs == {
        "predict_probability": {"0.5": 30.0, "+Inf": 60.0},
        "predict_answers": {"yes": 60.0, "no": 30.0},
    }
    assert (found.not_finite, found.memory) == (1.0, 2e8)


def requests(number: float, memory: float = 0.0) -> dict[str, float]:
    return {"predict_requests_total|200": number, MEMORY: memory}


def test_pods_are_summed_and_a_new_one_began_at_nothing() -> None:
    base: Pods = {"a": requests(100)}
    now: Pods = {"a": requests(150, 3e8), "b": requests(7, 1e8)}
    assert counts(now, base).codes == {"200": 57.0}
    assert counts(now, base).memory == 3e8


def test_a_pod_that_began_anew_is_not_hidden_by_the_others() -> None:
    base: Pods = {"a": requests(100), "b": requests(100)}
    now: Pods = {"a": requests(4), "b": requests(900)}
    assert began_anew(now, base)
    assert counts(now, base).codes["200"] < 0
    assert not began_anew({"b": requests(900)}, base)  # a pod that went takes its answers along


def test_what_is_kept_of_a_look_gives_the_same_differences() -> None:
    base: Pods = {"a": requests(100, 2e8) | {"predict_requests_total|500": 0.0}}
    assert kept(base) == {"a": {"predict_requests_total|200": 100.0}}
    now: Pods = {"a": requests(130, 2e8) | {"predict_requests_total|500": 2.0}}
    assert counts(now, kept(base)) == counts(now, base)


def test_a_look_gives_each_track_what_is_its_own() -> None:
    look = Look({"a": requests(20)}, {"b": requests(5)}, 1, ((0.7, 0.8), (0.5, 0.6)))
    stable, tried = look.since({"stable": {"a": requests(10)}})
    assert (stable.codes["200"], stable.restarts, stable.quality) == (10.0, 0, (0.7, 0.8))
    assert (tried.codes["200"], tried.restarts, tried.quality) == (5.0, 1, (0.5, 0.6))
    assert look.began_anew({"canary": {"b": requests(6)}})


def test_a_pod_on_its_way_out_is_not_asked_and_restarts_are_summed() -> None:
    ready = {"conditions": [{"type": "Ready", "status": "True"}]}
    assert cluster.is_ready({"metadata": {}, "status": ready})
    assert not cluster.is_ready({"metadata": {"deletionTimestamp": "2026-01-01"}, "status": ready})
    assert not cluster.is_ready({"metadata": {}})
    pods = [{"status": {"containerStatuses": [{"restartCount": n}, {}]}} for n in (1, 2)]
    assert restarts([*pods, {}]) == 3


def test_a_series_that_is_gone_is_not_taken_for_no_answer() -> None:
    base: Pods = {"a": requests(100) | {"predict_requests_total|500": 7.0}}
    assert counts({"a": requests(130)}, base).codes["500"] < 0


def test_times_can_be_compared_with_those_of_another_moment() -> None:
    def answered(number: float) -> Pods:
        return {"a": requests(number) | {"predict_seconds_bucket|+Inf": number}}

    times = Look(answered(90)).times()
    assert times == {"a": {"predict_seconds_bucket|+Inf": 90.0}}
    base = {"stable": answered(10), "times": times}
    stable, _ = Look(answered(95)).since(base)
    assert (stable.of(""), stable.seconds) == (85.0, {math.inf: 5.0})
    assert Look(answered(89)).began_anew(base)
