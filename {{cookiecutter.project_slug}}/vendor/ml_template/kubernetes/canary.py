"""canary: bring the tried release to its share step by step, or send everyone back to stable.

The state stands in the route. A driver that is killed is resumed by the next `make canary`; one
whose route was taken over finds that at its next write, and ends.
"""

from __future__ import annotations

import os
import secrets
import socket
import time
from contextlib import suppress
from dataclasses import replace

from ..operations import notify
from ..outside.screen import say
from ..registry import champion, withdrawn
from ..settings.config import InputError
from ..settings.gates import Rollout, load_gates
from . import cluster, driver, ending, gateway, releases, route
from .cluster import NoAnswerError
from .driver import Driver
from .ending import said
from .releases import Release
from .route import Route, Shares, State

SHARES: dict[str, Shares] = {"canary": (), "bluegreen": (100,), "shadow": (0,)}  # (): gates.yaml's
AGAIN = 3  # readings of what seems not to be there


def run(settings: dict[str, str]) -> int:
    """ENV: start or resume the rollout of the release that is tried, by the strategy of `deploy`.

    One that was ended, or whose model was taken back, is tried again for a reason only: WHY.

    Exit code 0: passed, it has its share and waits for `make promote`, or it is stable already;
    3: aborted, everyone is back at stable; 1: it could not be driven, or another one drives it;
    130: interrupted, everyone is at stable until the next `make canary` goes on.
    """
    space, env = cluster.namespace(settings), settings["ENV"]
    gates = load_gates()
    limits = gates.rollout
    if limits is None:
        raise InputError("gates.yaml: rollout is switched off: give it its keys")
    why = settings.get("WHY", "").strip()
    name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
    for _ in range(cluster.TRIES):
        try:
            now = _route(space, env, limits)
        except route.DamagedError:
            state = ending.damaged(space)
            route.settle(space, state)
            say(f"canary: model {state.model[:16]}: {state.reason}: everyone is at stable")
            return ending.ended(space, env, state)
        found = _found(space, now, limits)
        if found is None:
            return 0
        release, strategy, most = found
        steps = shares(strategy, limits)
        champion.judged(release.model)
        state = _begun(now, release, strategy, len(steps), why)
        if state.phase == "aborted":
            again = "try a new model, or a corrected image" if state.evidence else "`make deploy`"
            say(f"canary: model {state.model[:16]} was aborted: {state.reason}: {again}")
            return ending.ended(space, env, state)
        if state.phase == "passed":
            return ending.passed(state, env, limits.promote)
        if state is not now.state:  # one that runs is not left without a driver
            withdrawn.reasoned(release.model, why, release.image)
            _there(space, now)
            gateway.taken(space)
            if why:
                withdrawn.lift(release.model, why)
        state = replace(state, driver=name, phase="running")
        share = min(steps[state.step], most) if state.step >= 0 else 0
        # once it has the route, the driver before, if it lives, cannot write
        with suppress(cluster.ConflictError):
            code = Driver(env, gates, limits, steps, now, state).drive(share)
            break
    else:
        raise route.contested(space)
    return code or ending.passed(state, env, limits.promote)


def shares(strategy: str, rollout: Rollout) -> Shares:
    """The shares of the canary, step by step."""
    return tuple(min(share, driver.MOST) for share in SHARES.get(strategy) or rollout.steps)


def _route(space: str, env: str, rollout: Rollout) -> Route:
    """The route; asked for again until the deadline where the answer cannot be read, and AGAIN
    times where there seems to be none. Then people are told, and the error is raised.
    """
    begin, number = time.monotonic(), 0
    while True:
        number += 1
        try:
            return route.read(space)
        except route.DamagedError:
            raise
        except Exception as error:
            there = isinstance(error, NoAnswerError) or not isinstance(error, InputError)
            spent = time.monotonic() - begin
            if spent >= rollout.seconds.deadline if there else number >= AGAIN:
                text = "nobody drives its rollout, and what share it has is not known"
                notify.send(f"{cluster.project()}: {env}: {text}: {said(error)}")
                raise
            say(f"canary: hold: no data: {said(error)}")
        time.sleep(driver.pause(rollout))


def _found(space: str, now: Route, rollout: Rollout) -> tuple[Release, str, int] | None:
    """The release that is tried, its strategy and the most per cent it may get; None where the
    newest model is stable already.

    Where that cannot be read AGAIN times, a rollout that runs is driven on from its state, with no
    more than it has: whoever answers in its place now is not judged.
    """
    state, number = now.state, 0
    while True:
        number += 1
        try:
            if _is_stable(space):
                return None
            strategy = _strategy(space)
            return releases.tried(space), strategy, 100
        except Exception as error:
            runs = state is not None and state.phase in ("running", "interrupted")
            if not runs and (number >= AGAIN or not isinstance(error, NoAnswerError)):
                raise
            say(f"canary: hold: no data: {said(error)}")
        if state is not None and number >= AGAIN:
            return Release(state.image, state.model, "", ""), state.strategy, now.weight
        time.sleep(driver.pause(rollout))


def _is_stable(space: str) -> bool:
    """Whether nothing is tried because the newest model is stable: the first one, or one again."""
    there = releases.running(space)
    stable = there["stable"]
    record = champion.read(champion.CHALLENGER) or champion.read(champion.CHAMPION)
    if there["canary"] or not stable or not record or stable.model != record["digest"]:
        return False
    if why := releases.unready(space, "stable", stable.model):
        raise InputError(f"canary: stable is to serve model {stable.model[:16]}, but {why}")
    say(f"canary: stable serves model {record['digest'][:16]} already: nothing is to be tried")
    return True


def _strategy(space: str) -> str:
    """By which strategy the release is tried; raises InputError where `canary` cannot drive it."""
    name = f"{cluster.project()}-canary"
    found = cluster.find("deployment", name, space)
    if found is None:
        raise InputError("canary: Argo Rollouts drives this rollout, and `make decide` judges it")
    strategy = str(found["metadata"].get("annotations", {}).get("strategy", ""))
    if strategy not in SHARES:
        raise InputError(f"deployment {name} says no strategy: run `make deploy` again")
    return strategy


def _begun(now: Route, release: Release, strategy: str, steps: int, why: str = "") -> State:
    """The state of the rollout of `release` by `strategy`; a new one where another was before.

    An abort for what it answered, or by hand, holds for the model in this image until there is a
    reason, `why`, to try it again; one that people do not know of yet is ended first.
    """
    old, new = now.state, State(release.model, release.image, strategy, reason=why)
    if old is None or old.model != new.model:
        return new
    if old.phase == "aborted":
        held = not old.told or (old.evidence and old.image == new.image)
        return old if held and not why else new
    same = (old.image, old.strategy) == (new.image, new.strategy) and old.step < steps
    return old if same else new


def _there(space: str, now: Route) -> None:
    """Raise InputError where an abort took the pods away, and none came since."""
    if now.state and now.state.phase == "aborted":
        found = cluster.get("deployment", f"{cluster.project()}-canary", space)
        if not found["spec"].get("replicas"):
            raise InputError("canary: its pods went with the abort: run `make deploy` again")
