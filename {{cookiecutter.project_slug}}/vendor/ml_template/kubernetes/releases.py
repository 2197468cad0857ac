"""Releases: which one is asked for, which ones run in an environment, and when they are ready."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path

from ..outside.screen import say
from ..registry import champion
from ..settings.config import InputError
from ..storage.files import read_json
from ..storage.places import IMAGE
from . import cluster, route
from .cluster import Object

WAIT_SECONDS = 300.0
POLL_SECONDS = 1.0


@dataclass(frozen=True)
class Release:
    """An image by digest, and what it serves: digest of model and verdict, commit of the code."""

    image: str
    model: str
    verdict: str
    revision: str

    @property
    def annotations(self) -> dict[str, str]:
        """What each of its pods says of itself."""
        return {"model-digest": self.model, "verdict": self.verdict, "revision": self.revision}


def wanted(settings: dict[str, str]) -> Release:
    """The release that is asked for: IMAGE, else the last signed one, else the champion's; with
    MODEL=models/<first 16 of the digest> the one that is recorded for that model.

    Raises InputError where no image is known, where IMAGE is recorded for another model, or where
    no record says which model it serves: MODEL says it then.
    """
    signed = read_json(IMAGE, "run `make sign`") if IMAGE.exists() else {}
    records = [r for r in map(champion.read, (champion.CHALLENGER, champion.CHAMPION)) if r]
    records += reversed(champion.history())
    known = [(r["digest"][:16], r["image"]) for r in records if r["image"]]
    if signed:
        known.insert(0, (signed["model"][:16], signed["image"]))
    name = Path(settings.get("MODEL") or "").name
    image = settings.get("IMAGE") or next((i for model, i in known if name in ("", model)), None)
    if image is None:
        which = f"image of model {name}" if name else "image"
        raise InputError(f"no {which} is known: run `make sign`, or name IMAGE=name@sha256:...")
    champion.by_digest(image)
    of = next((model for model, other in known if other == image), name)
    if name not in ("", of):
        raise InputError(f"IMAGE is recorded for model {of}, and MODEL={name}: name one of them")
    name = name or of
    for record in records:
        if record["digest"][:16] == name or (not name and record["image"] == image):
            champion.judged(record["digest"])
            commit = record["commit"] or "none"
            return Release(image, record["digest"], record["verdict"], commit)
    which = f"model {name}" if name else f"the model of IMAGE={image}"
    raise InputError(
        f"{which} is neither challenger nor champion, nor was it: name MODEL=models/<16 hex>"
    )


def running(space: str) -> dict[str, Release | None]:
    """The releases in `space` by track: stable and canary; None where there are no pods of it."""
    found: dict[str, Release | None] = {}
    for track, suffix in (("stable", ""), ("canary", "-canary")):
        deployment = cluster.find("deployment", cluster.project() + suffix, space)
        there = deployment and (track == "stable" or deployment["spec"].get("replicas"))
        found[track] = release_of(deployment) if deployment and there else None
    return found


def drives(space: str) -> bool:
    """Whether `make canary` moves the shares here: Argo Rollouts has no Deployment of a canary."""
    return cluster.find("deployment", f"{cluster.project()}-canary", space) is not None


def release_of(deployment: Object) -> Release:
    """Which release the pods of a Deployment are; raises InputError where it does not say."""
    pod = deployment["spec"]["template"]
    notes = pod.get("metadata", {}).get("annotations", {})
    try:
        facts = (notes["model-digest"], notes["verdict"], notes["revision"])
    except KeyError as error:
        name = deployment["metadata"]["name"]
        said = f"deployment {name} has no annotation {error}: delete it if it is not ours"
        raise InputError(said) from None
    return Release(pod["spec"]["containers"][0]["image"], *facts)


def tried(space: str) -> Release:
    """The release in the canary's pods; raises InputError where there is none.

    Argo Rollouts makes them without a Deployment of their own: then it is that of the newest pod.
    """
    found = cluster.find("deployment", f"{cluster.project()}-canary", space)
    if found is None:
        pods = cluster.pods(space, "canary")
        if not pods:
            raise cluster.AbsentError("nothing is tried: run `make deploy` first")
        newest = max(pods, key=lambda pod: str(pod["metadata"].get("creationTimestamp")))
        of_it = {"metadata": newest["metadata"], "spec": {"template": newest}}
        return release_of(cluster.read(json.dumps(of_it), "deployment"))
    if not found["spec"].get("replicas"):
        state = route.whatever(space).state
        if state is None or state.phase != "aborted":
            raise InputError("canary: nothing is tried: run `make deploy` first")
    return release_of(found)


def wait(space: str, track: str, model: str, seconds: float) -> None:
    """Until every pod of `track` is of its newest template, ready, and answers as `model`; raises
    InputError, with why it is not so, after `seconds`.
    """
    name = cluster.project() + ("" if track == "stable" else "-canary")
    deadline = time.monotonic() + seconds
    while seconds:
        found = cluster.get("deployment", name, space)
        late = time.monotonic() > deadline
        why = unready(space, track, model) if ready(found) or late else ""
        if ready(found) and not why:
            say(f"deploy: {name} is ready")
            return
        if late:
            why = _held(found) or why or "its pods are not of the newest template yet"
            raise InputError(
                f"{name} was not ready after {seconds:g} s: {why}: kubectl -n {space} describe pods"
            )
        time.sleep(POLL_SECONDS)


def answering(space: str, track: str) -> dict[str, str]:
    """What each pod of `track` answers at /ready: its model; why not, after `!`, where it does
    not.
    """
    found = {}
    for pod in cluster.pods(space, track):
        name = str(pod["metadata"]["name"])
        if "deletionTimestamp" in pod["metadata"]:
            continue
        if not cluster.is_ready(pod):
            found[name] = f"!{_waits(pod) or 'starts'}"
            continue
        path = f"/api/v1/namespaces/{space}/pods/{name}:{cluster.PORT}/proxy/ready"
        try:
            found[name] = str(cluster.read(cluster.ask("get", "--raw", path), "ready")["model"])
        except cluster.NoAnswerError as error:
            found[name] = f"!{error}"
    return found


def unready(space: str, track: str, model: str) -> str:
    """Why not every pod of `track` answers as `model`; empty where each does."""
    there = answering(space, track)
    wrong = [
        f"pod {name} {said[1:] if said[:1] == '!' else f'answers as model {said}'}"
        for name, said in there.items()
        if said != model[:16]
    ]
    return "; ".join(wrong[:3]) if there else "there is no pod"


def _waits(pod: Object) -> str:
    """Why a pod is not ready, as its kubelet or the scheduler says: image, start, place."""
    status = pod.get("status", {})
    waiting = [c.get("state", {}).get("waiting", {}) for c in status.get("containerStatuses", [])]
    said = [f"{part.get('reason', '')} {part.get('message', '')}" for part in waiting if part]
    said += [
        f"is not scheduled: {part.get('message', '')}"
        for part in status.get("conditions", [])
        if (part["type"], part["status"]) == ("PodScheduled", "False")
    ]
    return cluster.shown("; ".join(said)).strip()


def _held(deployment: Object) -> str:
    """Why a Deployment makes no pods, such as a quota."""
    conditions = deployment.get("status", {}).get("conditions", [])
    failed = [c for c in conditions if (c["type"], c["status"]) == ("ReplicaFailure", "True")]
    return cluster.shown("; ".join(part.get("message", "") for part in failed))


def ready(deployment: Object) -> bool:
    """Whether all replicas that are wanted are of the newest template and available."""
    wanted, status = deployment["spec"].get("replicas", 1), deployment.get("status", {})
    seen = status.get("observedGeneration", 0) >= deployment["metadata"].get("generation", 0)
    counts = [status.get(key, 0) for key in ("replicas", "updatedReplicas", "availableReplicas")]
    return seen and counts == [wanted] * 3
