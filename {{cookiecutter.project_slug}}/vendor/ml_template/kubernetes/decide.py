"""decide: what `make canary` would do now; where Argo Rollouts drives, whether a step is passed."""

from __future__ import annotations

import time

from ..operations.evidence import Counts
from ..settings.gates import Gates, load_gates
from . import canary, cluster, counts, driver, ending, releases, route
from .route import State
from .steps import Decision, decide

HELD = 4  # exit code
PAUSE = 5.0  # seconds between two looks

Base = dict[str, counts.Pods]


def run(settings: dict[str, str]) -> int:
    """Say what is decided of the release that is tried, and change nothing: ENV.

    Where `make canary` does not drive it, nothing says when its step began: the answers of the next
    `rollout.seconds.step` seconds are judged. Exit code 0: go on, 3: abort, 4: hold, also where
    the cluster gave no answer that can be read; 1: it cannot be asked.
    """
    space, gates = cluster.namespace(settings), load_gates()
    try:
        said = _decided(space, gates)
    except cluster.NoAnswerError as error:
        said = Decision("hold", f"no data: {error}")
    print(f"decide: {said.verdict}: {said.reason}")
    return {"promote": 0, "abort": ending.ABORTED, "hold": HELD}[said.verdict]


def _decided(space: str, gates: Gates) -> Decision:
    release, now = releases.tried(space), route.read(space)
    state = now.state
    if state is None or state.model != release.model:
        return _watched(space, State(release.model, release.image, "argo"), now.weight, gates)
    if state.phase == "passed":
        return Decision("promote", "passed: `make promote` makes it stable")
    if state.phase == "aborted":
        return Decision("abort", f"was aborted: {state.reason}")
    return judged(space, state, gates)[-1]


def judged(space: str, state: State, gates: Gates) -> tuple[Counts, Counts, Decision]:
    """What stable and canary answered in the step that a rollout is in, and what that decides."""
    steps = canary.shares(state.strategy, gates.rollout) if gates.rollout else ()
    stable, mine = counts.look(space, state).since(state.base)
    usual = driver.usual(state, steps)
    return stable, mine, decide(stable, mine, gates, state.elapsed, usual)


def _watched(space: str, state: State, weight: int, gates: Gates) -> Decision:
    """What the answers from now on say, at the latest when the time of a step is over.

    Where stable gets next to no requests, all it answered since its pods began is the reference,
    but not for times.
    """
    seen = counts.look(space, state)
    usual = {"times": seen.times()} if weight >= driver.MOST else {"stable": seen.stable}
    base: Base = usual | {"canary": seen.canary}
    begin = time.monotonic()
    while True:
        elapsed = time.monotonic() - begin
        try:
            said = _said(space, state, base, gates, elapsed)
        except cluster.NoAnswerError as error:  # a pod that goes while it is asked
            said = Decision("hold", f"no data: {error}")
        if said.verdict != "hold" or not gates.rollout or elapsed >= gates.rollout.seconds.step:
            return said
        time.sleep(min(PAUSE, gates.rollout.seconds.step / 10))


def _said(space: str, state: State, base: Base, gates: Gates, elapsed: float) -> Decision:
    return decide(*counts.look(space, state).since(base), gates, elapsed)
