"""status: what runs in an environment, and with which share of the requests."""

from __future__ import annotations

from ..outside.text import aligned
from . import cluster, gateway, releases


def run(settings: dict[str, str]) -> None:
    """Print what runs in ENV: track, model and image that are asked for, models that answer,
    replicas, share of the requests, rollout.
    """
    space = cluster.namespace(settings)
    name = cluster.project()
    known = cluster.get("httproute", name, space)
    backends = known["spec"]["rules"][0].get("backendRefs", [])
    weights = {backend["name"]: backend.get("weight", 1) for backend in backends}
    rows = [("track", "model", "ready", "weight", "answers", "image")]
    missing = []
    for track, service in (("stable", name), ("canary", f"{name}-canary")):
        found = cluster.find("deployment", service, space)
        if found is None:  # Argo Rollouts makes the pods that are tried: its own tool shows them
            continue
        release, counts = releases.release_of(found), found.get("status", {})
        pods = f"{counts.get('readyReplicas', 0)}/{found['spec'].get('replicas', 0)}"
        answers = releases.answering(space, track)
        models = "+".join(sorted({said for said in answers.values() if said[:1] != "!"})) or "-"
        weight = f"{weights.get(service, 0)}"
        rows.append((track, release.model[:16], pods, weight, models, release.image))
        if weight != "0" and (why := releases.unready(space, track, release.model)):
            missing.append(f"status: {track} does not serve what is asked for: {why}")
    print(aligned(rows))
    if why := gateway.untaken(known):
        missing.append(f"status: httproute {name}: {why}")
    for line in missing:
        print(line)
    for key, value in sorted(known["metadata"].get("annotations", {}).items()):
        print(f"{key}: {value}")
