"""The HTTPRoute: who gets which share of the requests, and the state of the rollout.

Both stand in one object, and every change names the version it was made for (resourceVersion): the
API server refuses the second of two writers, so a rollout never has two.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from ..config import InputError
from . import cluster

ANNOTATION = "rollout"
PHASES = ("running", "passed", "aborted")


class TakenOverError(InputError):
    """Somebody else changed the share or drives the rollout."""


@dataclass(frozen=True)
class State:
    """A rollout as its annotation holds it.

    `model`: digest. `step`: number of the step it is in, -1 while its pods are not ready.
    `elapsed`: seconds in that step while a driver lived. `base`: counters of the pods of each track
    when the step began. `driver`: who may write. `told`: people know that it was aborted.
    """

    model: str
    image: str
    strategy: str
    phase: Literal["running", "passed", "aborted"] = "running"
    step: int = -1
    elapsed: float = 0.0
    base: dict[str, Any] = field(default_factory=dict)
    driver: str = ""
    reason: str = ""
    told: bool = False


@dataclass(frozen=True)
class Route:
    """A route as it was read: its version, the canary's share in per cent, the state."""

    space: str
    version: str
    rules: list[Any]
    weight: int
    state: State | None


def read(space: str) -> Route:
    """The route of the project; raises InputError where its state is damaged."""
    return _parsed(space, cluster.get("httproute", cluster.project(), space))


def _parsed(space: str, found: cluster.Object) -> Route:
    text = found["metadata"].get("annotations", {}).get(ANNOTATION)
    try:
        state = _state(json.loads(text)) if text else None
    except (ValueError, TypeError, AttributeError):
        raise InputError(
            f"httproute {cluster.project()}: annotation {ANNOTATION} is damaged: remove it: "
            f"kubectl -n {space} annotate httproute {cluster.project()} {ANNOTATION}-"
        ) from None
    rules = found["spec"]["rules"]
    weights = [
        int(b.get("weight", 1))
        for b in rules[0]["backendRefs"]
        if b["name"] == f"{cluster.project()}-canary"
    ]
    if not weights:
        raise InputError(f"httproute {cluster.project()} has no backend of the canary: redeploy")
    return Route(space, str(found["metadata"]["resourceVersion"]), rules, weights[0], state)


def _state(known: Any) -> State:
    """A state as JSON holds it; raises ValueError or TypeError where it cannot be one."""
    state = State(**known)
    texts = (state.model, state.image, state.strategy, state.driver, state.reason)
    fits = (
        all(isinstance(text, str) for text in texts),
        state.phase in PHASES,
        isinstance(state.step, int) and state.step >= -1,
        isinstance(state.elapsed, int | float) and 0 <= state.elapsed < float("inf"),
        all(isinstance(pods, dict) for pods in (state.base, *state.base.values())),
        isinstance(state.told, bool),
    )
    if not all(fits):
        raise ValueError(known)
    return state


def write(route: Route, weight: int, state: State | None, mirror: bool = False) -> Route:
    """Share, mirror and state in one step; raises ConflictError where the route was changed.

    Other backends and filters of the route, mirrors of others too, stay as they are.
    """
    name = cluster.project()
    rules = json.loads(json.dumps(route.rules))
    shares = {name: 100 - weight, f"{name}-canary": weight}
    for backend in rules[0]["backendRefs"]:
        backend["weight"] = shares.get(backend["name"], backend.get("weight", 1))
    copy = {"backendRef": {"name": f"{name}-canary", "port": 80}}
    ours = {"type": "RequestMirror", "requestMirror": copy}
    filters = [part for part in rules[0].get("filters", []) if part != ours]
    if mirror:
        filters.append(ours)
    rules[0]["filters"] = filters
    text = json.dumps(asdict(state), separators=(",", ":")) if state else None
    metadata = {"resourceVersion": route.version, "annotations": {ANNOTATION: text}}
    change = {"metadata": metadata, "spec": {"rules": rules}}
    words = ("--namespace", route.space, "--type=merge", "--output=json")
    told = cluster.ask("patch", "httproute", name, *words, f"--patch={json.dumps(change)}")
    return _parsed(route.space, json.loads(told))


def change(route: Route, weight: int, state: State, mirror: bool = False) -> Route:
    """`write`, again where only others' parts of the route were changed (a gateway's status).

    Raises TakenOverError where somebody else drives the rollout now.
    """
    while True:
        try:
            return write(route, weight, state, mirror)
        except cluster.ConflictError:
            found = read(route.space)
            mine = found.state is not None and found.state.driver == state.driver
            if not mine or found.weight != route.weight:
                raise TakenOverError(
                    f"canary: the route was changed by somebody else, who drives it now: "
                    f"`make status ENV={route.space.rpartition('-')[2]}`"
                ) from None
            route = found


def settle(space: str, state: State | None) -> None:
    """Everything to stable, whoever drives: their next write is refused."""
    while True:
        try:
            write(read(space), 0, state)
            return
        except cluster.ConflictError:
            continue


def note(space: str, before: State, after: State | None) -> bool:
    """Whether `before` was the state still, and is `after` now, with everything at stable."""
    while (now := read(space)).state == before:
        try:
            write(now, 0, after)
            return True
        except cluster.ConflictError:
            continue
    return False
