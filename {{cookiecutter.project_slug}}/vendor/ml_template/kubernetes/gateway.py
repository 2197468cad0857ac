"""Whether a gateway takes the HTTPRoute, by its status, and whether its place is free."""

from __future__ import annotations

import time
from itertools import product

from ..outside.screen import say
from ..settings.config import InputError
from . import cluster

TAKES = 30.0  # seconds that a controller may need to say so
PAUSE = 1.0
JUDGED = ("Accepted", "ResolvedRefs")


def untaken(found: cluster.Object) -> str:
    """Why a route, as it was read, is not taken by every gateway it names; empty where it is."""
    now = found["metadata"].get("generation", 0)
    conditions = [
        part
        for parent in found.get("status", {}).get("parents", [])
        for part in parent.get("conditions", [])
        if part["type"] in JUDGED and part.get("observedGeneration", now) >= now
    ]
    wrong = [
        f"{part['type']} is {part['status']}: {part.get('reason', '')} {part.get('message', '')}"
        for part in conditions
        if part["status"] != "True"
    ]
    if not any(part["type"] == "Accepted" for part in conditions):
        wrong.append("no gateway says that it takes it")
    return cluster.shown("; ".join(part.strip(" :") for part in wrong))


def taken(space: str) -> None:
    """Wait until every gateway takes the route; raises InputError, with why not, after TAKES."""
    name, deadline = cluster.project(), time.monotonic() + TAKES
    while why := untaken(cluster.get("httproute", name, space)):
        if time.monotonic() >= deadline:
            raise InputError(
                f"httproute {name}: {why}: write the gateway that is to take it, and its "
                f"namespace, into {cluster.OVERLAYS}: kubectl -n {space} describe httproute"
            )
        time.sleep(PAUSE)


def free(wanted: cluster.Object) -> None:
    """Raise InputError where another route claims a place of the route `wanted`: of two the older
    gets every request, and nobody is told.
    """
    try:
        text = cluster.ask("get", "httproutes", "--all-namespaces", "--output=json")
    except cluster.ForbiddenError:
        say("deploy: whether another route claims the same place is not known: see docs/deploy.md")
        return
    mine = _key(wanted)
    for other in cluster.read(text, "httproutes")["items"]:
        shared = sorted(_places(wanted) & _places(other))
        if _key(other) != mine and shared and _meet(wanted, other):
            raise InputError(
                f"deploy: nothing was done: httproute {' in '.join(_key(other))} claims "
                f"{shared[0][1]} of gateway {shared[0][0]} already: give each a hostname of its "
                f"own: `hostnames` in {cluster.OVERLAYS}"
            )


def _key(route: cluster.Object) -> tuple[str, str]:
    return str(route["metadata"]["name"]), str(route["metadata"]["namespace"])


def _places(route: cluster.Object) -> set[tuple[str, str]]:
    """Each gateway and path of a route."""
    spec, own = route["spec"], route["metadata"]["namespace"]
    gates = {f"{p.get('namespace', own)}/{p['name']}" for p in spec.get("parentRefs", [])}
    matches = [m for rule in spec.get("rules", []) for m in rule.get("matches") or [{}]]
    paths = {
        f"{path.get('type', 'PathPrefix')} {path.get('value', '/')}"
        for path in (match.get("path", {}) for match in matches)
    }
    return set(product(gates, paths))


def _meet(one: cluster.Object, other: cluster.Object) -> bool:
    """Whether a request may be of both, by its host; without hostnames a route takes every one."""
    hosts = [route["spec"].get("hostnames") or ["*"] for route in (one, other)]
    return any(_covers(a, b) or _covers(b, a) for a, b in product(*hosts))


def _covers(pattern: str, host: str) -> bool:
    return pattern == host or (pattern[:1] == "*" and host.endswith(pattern[1:]))
