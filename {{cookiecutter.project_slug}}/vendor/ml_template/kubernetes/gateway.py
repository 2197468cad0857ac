"""Whether a gateway takes the HTTPRoute: what its controller writes into the status."""

from __future__ import annotations

import time

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
