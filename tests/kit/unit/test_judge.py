"""decide as a word: what it judges where `make canary` does not drive, and its exit codes."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from ml_template.kubernetes import cluster, counts, decide, route
from ml_template.kubernetes.counts import Pods
from ml_template.kubernetes.ending import ABORTED
from ml_template.kubernetes.releases import tried
from ml_template.kubernetes.route import Route, State
from ml_template.settings.config import InputError
from ml_template.settings.gates import Gates

from .rollouts import GATES

MODEL = "1" * 64
IMAGE = f"registry.example.com/credit@sha256:{'2' * 64}"
Shown = Callable[..., None]


def quick() -> Gates:
    """The usual limits, with steps of a tenth of a second."""
    assert GATES.rollout
    seconds = GATES.rollout.seconds.model_copy(update={"step": 0.1})
    return GATES.model_copy(
        update={"rollout": GATES.rollout.model_copy(update={"seconds": seconds})}
    )


def pod(name: str, since: str, image: str = IMAGE) -> dict[str, Any]:
    notes = {"model-digest": MODEL, "verdict": "3" * 64, "revision": "none"}
    meta = {"name": name, "creationTimestamp": since, "annotations": notes}
    return {"metadata": meta, "spec": {"containers": [{"image": image}]}}


def answered(good: float, failed: float) -> Pods:
    """Counters of one pod."""
    names = {"200": good, "500": failed}
    series = {f"predict_requests_total|{code}": number for code, number in names.items()}
    return {"pod": series | {"predict_seconds_bucket|+Inf": good + failed}}


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Shown:
    """Has `decide` see these (stable, canary) one after another, then the last again and again."""

    def show(*looks: tuple[Pods, Pods], weight: int = 50, state: State | None = None) -> None:
        seen = itertools.chain(looks, itertools.repeat(looks[-1]))
        monkeypatch.setattr(counts, "look", lambda *_: counts.Look(*next(seen)))
        now = Route("credit-staging", "1", [], weight, state)
        monkeypatch.setattr(route, "read", lambda space: now)

    monkeypatch.setattr(cluster, "namespace", lambda settings: "credit-staging")
    monkeypatch.setattr(cluster, "project", lambda: "credit")
    monkeypatch.setattr(cluster, "find", lambda *_: None)
    monkeypatch.setattr(cluster, "pods", lambda *_: [pod("credit-1", "2026-01-01T00:00:00Z")])
    monkeypatch.setattr(decide, "load_gates", quick)
    return show


BEFORE = (answered(10_000, 0), answered(5, 5))  # what was answered before is not judged


@pytest.mark.parametrize(
    ("after", "code"),
    [
        ((answered(15_000, 0), answered(5_005, 5)), 0),
        ((answered(15_000, 0), answered(3_005, 2_005)), 3),
        ((answered(10_010, 0), answered(15, 5)), 4),
    ],
)
def test_without_a_driver_the_answers_from_now_on_are_judged(
    after: tuple[Pods, Pods], code: int, shown: Shown
) -> None:
    shown(BEFORE, after)
    assert decide.run({"ENV": "staging"}) == code


def test_where_stable_gets_one_per_cent_all_it_answered_is_the_reference_but_for_times(
    shown: Shown,
) -> None:
    after = (answered(10_050, 0), answered(5_005, 5))
    shown(BEFORE, after, weight=50)
    assert decide.run({"ENV": "staging"}) == decide.HELD
    shown(BEFORE, after, weight=99)
    assert decide.run({"ENV": "staging"}) == 0
    shown(BEFORE, (answered(10_030, 0), answered(5_005, 5)), weight=99)
    assert decide.run({"ENV": "staging"}) == decide.HELD


def test_of_a_rollout_that_is_driven_its_own_step_is_judged(shown: Shown) -> None:
    state = State(MODEL, IMAGE, "canary", step=0, elapsed=1e6)
    shown(BEFORE, state=state)
    assert decide.run({"ENV": "staging"}) == ABORTED


def test_the_release_of_pods_without_a_deployment_is_that_of_the_newest(
    shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [pod("b", "2026-01-02T00:00:00Z"), pod("a", "2026-01-01T00:00:00Z", "old")]
    monkeypatch.setattr(cluster, "pods", lambda *_: found)
    assert tried("credit-staging").image == IMAGE
    monkeypatch.setattr(cluster, "pods", lambda *_: [])
    with pytest.raises(InputError, match="nothing is tried"):
        tried("credit-staging")
