"""The cluster of an environment: pinned by its first deployment, and no other one after it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import NamedTuple

from ..registry.champion import FROM_GIT, texts
from ..settings.config import InputError
from ..storage.files import parsed_lines, write_text
from . import cluster

PINNED = Path("deploy/clusters.jsonl")
INSIDE = "in-cluster"


class Place(NamedTuple):
    """Where an environment is. `cluster`: its name and the address of its API server."""

    env: str
    context: str
    cluster: str
    namespace: str

    def __str__(self) -> str:
        return f"context {self.context}, cluster {self.cluster}, namespace {self.namespace}"


def checked(env: str, space: str) -> Place:
    """Where kubectl goes now, which is said; raises InputError where `env` is pinned elsewhere."""
    config = cluster.read(cluster.ask("config", "view", "--output=json"), "config")
    inside = os.environ.get("KUBERNETES_SERVICE_HOST")  # in a pod no kubeconfig is needed
    context = config.get("current-context") or (INSIDE if inside else "")
    if not context:
        raise InputError(
            "deploy: no cluster answers: no context is current: set KUBECONFIG, or look at "
            "`kubectl config get-contexts`"
        )
    found = {part["name"]: part["context"] for part in config.get("contexts", [])}
    name = found.get(context, {}).get("cluster", INSIDE)
    servers = {part["name"]: part["cluster"] for part in config.get("clusters", [])}
    server = servers.get(name, {}).get("server", inside or "")
    place = Place(env, *map(cluster.shown, (context, f"{name} {server}".strip(), space)))
    print(f"deploy: {env}: {place}")
    known = _pinned(env)
    if known and place not in known:
        raise InputError(
            f"deploy: nothing was done: {PINNED} pins {env} to {known[0]}: "
            f"`kubectl config use-context {known[0].context}`; where this is right as well, add "
            f"the line {_line(place)}"
        )
    return place


def pin(place: Place) -> None:
    """Write the place of an environment that has none yet."""
    if not _pinned(place.env):
        before = PINNED.read_text(encoding="utf-8") if PINNED.exists() else ""
        write_text(PINNED, f"{before}{_line(place)}\n")
        print(f"deploy: {place.env} is pinned to this place: commit {PINNED}")


def _line(place: Place) -> str:
    return json.dumps(place._asdict(), ensure_ascii=False)


def _pinned(env: str) -> list[Place]:
    entries = parsed_lines(PINNED.read_bytes() if PINNED.exists() else None, PINNED, FROM_GIT)
    for number, entry in enumerate(entries, 1):
        if not texts(entry, *Place._fields):
            raise InputError(f"{PINNED} is damaged (line {number}): {FROM_GIT}")
    places = [Place(*(entry[key] for key in Place._fields)) for entry in entries]
    return [place for place in places if place.env == env]
