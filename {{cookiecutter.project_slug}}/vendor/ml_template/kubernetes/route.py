"""The HTTPRoute: who gets which share of the requests, and the state of the rollout.

Both stand in one object, and every change names the version it was made for (resourceVersion): the
API server refuses the second of two writers, so a rollout never has two.
"""

from __future__ import annotations

import json
import zlib
from base64 import b64decode, b64encode
from collections.abc import Collection
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from ..settings.config import InputError
from . import cluster

ANNOTATION = "rollout"
LARGEST = 2.0**53  # count, bytes of memory, or seconds: a number above is none of ours
MIRROR, PORT = "RequestMirror", 80  # of the filter that copies requests, and of Services
UNREAD = (ValueError, KeyError, TypeError, AttributeError, RecursionError, zlib.error)
PACKED = 1 << 16  # letters of a state, above which its counters are packed
PHASES = ("running", "interrupted", "passed", "aborted")

Shares = tuple[int, ...]  # of the canary in per cent, step by step


class TakenOverError(InputError):
    """Somebody else changed the share or drives the rollout."""


class DamagedError(InputError):
    """The state of the rollout cannot be read: `route` is the route without it."""

    route: Route


@dataclass(frozen=True)
class State:
    """A rollout as its annotation holds it.

    `model`: digest. `step`: number of the step it is in, -1 while its pods are not ready.
    `elapsed`: seconds in that step while a driver lived. `base`: counters of the pods of each track
    when the step began. `driver`: who may write. `told`: people know that it was aborted.
    `evidence`: for what the model did, or by hand; not for want of data or a gateway.
    Interrupted: its driver was told to end, everyone is at stable until the next one goes on.
    """

    model: str
    image: str
    strategy: str
    phase: Literal["running", "interrupted", "passed", "aborted"] = "running"
    step: int = -1
    elapsed: float = 0.0
    base: dict[str, Any] = field(default_factory=dict)
    driver: str = ""
    reason: str = ""
    told: bool = False
    evidence: bool = False

    @property
    def mirrored(self) -> bool:
        """Whether the canary gets a copy of every request: a shadow whose pods are ready."""
        return self.strategy == "shadow" and self.phase == "running" and self.step >= 0


@dataclass(frozen=True)
class Route:
    """A route as it was read: its version, the canary's share in per cent, the state, and how
    often it has our mirror to the canary.
    """

    space: str
    version: str
    rules: list[Any]
    weight: int
    state: State | None
    mirrors: int = 0

    @property
    def rests(self) -> bool:
        """Whether nothing goes to the canary, no share and no copy."""
        return self.weight == self.mirrors == 0


def read(space: str) -> Route:
    """The route of the project; raises DamagedError where its state cannot be read."""
    return _parsed(space, cluster.get("httproute", cluster.project(), space))


def _parsed(space: str, found: cluster.Object) -> Route:
    name, rules = cluster.project(), found["spec"]["rules"]
    weights = [
        int(backend.get("weight", 1))
        for backend in rules[0].get("backendRefs", [])
        if backend["name"] == f"{name}-canary"
    ]
    if not weights:
        raise InputError(f"httproute {name} has no backend of the canary: redeploy")
    mirrors = sum(map(_mirrors, rules[0].get("filters", [])))
    version = str(found["metadata"]["resourceVersion"])
    route = Route(space, version, rules, weights[0], None, mirrors)
    text = found["metadata"].get("annotations", {}).get(ANNOTATION)
    try:
        return replace(route, state=_state(json.loads(text)) if text else None)
    except UNREAD:
        damaged = DamagedError(
            f"httproute {name}: annotation {ANNOTATION} is damaged, or of another version: "
            f"remove it: kubectl -n {space} annotate httproute {name} {ANNOTATION}-"
        )
    damaged.route = route
    raise damaged


def _mirrors(part: Any) -> bool:
    """Whether a filter is our mirror: an API server adds group and kind to what was written."""
    to = part.get("requestMirror", {}).get("backendRef", {})
    place = (part.get("type"), to.get("name"), to.get("port"))
    return place == (MIRROR, f"{cluster.project()}-canary", PORT)


def _text(state: State) -> str:
    """JSON of a state; of many pods the counters are packed: an annotation has 256 KiB at most."""
    text = json.dumps(asdict(state), separators=(",", ":"))
    if len(text) <= PACKED:
        return text
    base = zlib.compress(json.dumps(state.base, separators=(",", ":")).encode(), 9)
    return json.dumps(asdict(replace(state, base={})) | {"base": b64encode(base).decode()})


def _state(known: Any) -> State:
    """A state as JSON holds it; raises one of UNREAD where it cannot be one."""
    if isinstance(known["base"], str):
        packed = b64decode(known["base"])
        known["base"] = json.loads(zlib.decompressobj().decompress(packed, cluster.LONGEST))
    state = State(**known)
    texts = (state.model, state.image, state.strategy, state.driver, state.reason)
    counters = [
        number for pods in state.base.values() for pod in pods.values() for number in pod.values()
    ]
    fits = (
        all(isinstance(text, str) for text in texts),
        state.phase in PHASES,
        type(state.step) is int and state.step >= -1,
        all(type(n) in (int, float) and 0 <= n <= LARGEST for n in (state.elapsed, *counters)),
        isinstance(state.told, bool) and isinstance(state.evidence, bool),
    )
    if not all(fits):
        raise ValueError(known)
    return state


def write(route: Route, weight: int, state: State | None) -> Route:
    """Share, mirror and state in one step; raises ConflictError where the route was changed, and
    NoAnswerError unless the API server says that it is so.

    Other backends and filters of the route, mirrors of others too, stay as they are.
    """
    name = cluster.project()
    rules = json.loads(json.dumps(route.rules))
    shares = {name: 100 - weight, f"{name}-canary": weight}
    for backend in rules[0]["backendRefs"]:
        backend["weight"] = shares.get(backend["name"], backend.get("weight", 1))
    others = [part for part in rules[0].get("filters", []) if not _mirrors(part)]
    copy = {"backendRef": {"name": f"{name}-canary", "port": PORT}}
    ours = [{"type": MIRROR, "requestMirror": copy}] if state and state.mirrored else []
    rules[0]["filters"] = others + ours
    text = _text(state) if state else None
    metadata = {"resourceVersion": route.version, "annotations": {ANNOTATION: text}}
    change = {"metadata": metadata, "spec": {"rules": rules}}
    # on stdin: a word of a command is shorter than an annotation may be
    words = ("--type=merge", "--patch-file=/dev/stdin", "--namespace", route.space, "--output=json")
    wanted = (weight, state, len(ours))
    try:
        told = cluster.ask("patch", "httproute", name, *words, stdin=json.dumps(change))
        now = _parsed(route.space, cluster.read(told, "httproute"))
    except DamagedError as error:
        now = error.route
    except cluster.ConflictError:  # what is there already was sent twice: no rival writes the same
        now = whatever(route.space)
        if (now.weight, now.state, now.mirrors) != wanted:
            raise
    if (now.weight, now.state, now.mirrors) != wanted:
        raise cluster.NoAnswerError(f"httproute {name}: the change was not taken")
    return now


def change(route: Route, weight: int, state: State, asked: Collection[int] = ()) -> Route:
    """`write`, again where only others' parts of the route were changed (a gateway's status).

    `asked`: shares that this driver has written, as far as it knows. Raises TakenOverError where
    somebody else drives the rollout now.
    """
    for _ in range(cluster.TRIES):
        try:
            return write(route, weight, state)
        except cluster.ConflictError:
            found = read(route.space)
            mine = found.state is not None and found.state.driver == state.driver
            if not mine or found.weight not in (route.weight, *asked):
                raise TakenOverError(
                    f"canary: the route was changed by somebody else, who drives it now: "
                    f"`make status ENV={route.space.rpartition('-')[2]}`"
                ) from None
            route = found
    raise contested(route.space)


def settle(space: str, state: State | None) -> None:
    """Everything to stable, whoever drives: their next write is refused."""
    for _ in range(cluster.TRIES):
        try:
            write(whatever(space), 0, state)
            return
        except cluster.ConflictError:
            continue
    raise contested(space)


def whatever(space: str) -> Route:
    """The route; without its state where that cannot be read."""
    try:
        return read(space)
    except DamagedError as error:
        return error.route


def note(space: str, before: State, after: State | None) -> bool:
    """Whether `before` was the state still, and is `after` now, with everything at stable."""
    for _ in range(cluster.TRIES):
        now = read(space)
        if now.state != before:  # or it was written, and the answer lost
            return now.state == after and now.rests
        try:
            write(now, 0, after)
            return True
        except cluster.ConflictError:
            continue
    raise contested(space)


def contested(space: str) -> cluster.NoAnswerError:
    """The error of who is never the one that writes."""
    return cluster.NoAnswerError(
        f"httproute {cluster.project()}: it was changed by others at each of {cluster.TRIES} "
        f"attempts: see `kubectl -n {space} get httproute -o yaml --show-managed-fields`"
    )
