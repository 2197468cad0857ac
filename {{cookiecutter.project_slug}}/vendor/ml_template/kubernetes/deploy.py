"""deploy and status: bring a release to an environment without touching what answers there."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import yaml

from ..operations import supply
from ..outside.screen import say
from ..outside.text import aligned
from ..settings.config import InputError
from . import cluster, manifests, route
from .cluster import Object
from .manifests import Release

ROLLING = "rolling"
WAIT_SECONDS = 300.0
POLL_SECONDS = 1.0


def deploy(settings: dict[str, str]) -> None:
    """ENV, STRATEGY, IMAGE: stable where nothing runs yet, else the track that is tried; or JOB.

    STRATEGY=rolling, in staging only, replaces the pods of stable one by one: nothing judges it.
    The same call again changes nothing. Raises InputError for an image that `verify` refuses, for
    one of jobs (WORK) without a trusted signature, and where another release is being tried, with
    what would be ended by APPLY=yes. WAIT: seconds for the pods to be ready (0: do not).
    """
    space, env, work = cluster.namespace(settings), settings["ENV"], settings.get("WORK") or ""
    if settings.get("JOB"):
        text = manifests.render_job(env, settings["JOB"], work)
        supply.trusted(work)
        _start(space, text)
        return
    strategy = settings.get("STRATEGY") or "canary"
    if strategy != ROLLING:
        manifests.checked(strategy)
    elif env != "staging":
        raise InputError(f"STRATEGY={ROLLING}: only in staging: nothing judges the release there")
    seconds = patience(settings)
    release, now = manifests.wanted(settings), running(space)
    supply.serves(release.image, release.model)
    if work:
        supply.trusted(work)
    stable, tried = now["stable"], now["canary"]
    if stable is None:
        _apply(documents(manifests.render(env, release, work=work)))
        _said(env, "stable", release, f"kubectl delete namespace {space}")
        wait(space, "stable", seconds)
    elif stable == release:
        if tried is None:
            _apply(_known(documents(manifests.render(env, release, work=work))))
        print(f"deploy: {env}: stable serves model {release.model[:16]} already")
    elif tried == release and weight(space):
        print(f"deploy: {env}: model {release.model[:16]} is being tried: `make status ENV={env}`")
    elif tried not in (None, release) and settings.get("APPLY") != "yes":
        _would_end(env, tried, release)
    elif strategy == ROLLING:
        _apply(_known(documents(manifests.render(env, release, work=work))))
        back = f"IMAGE={stable.image} MODEL={stable.model[:16]}"
        _said(env, "stable", release, f"make deploy ENV={env} STRATEGY={ROLLING} {back}")
        wait(space, "stable", seconds)
    else:
        text = manifests.render(env, stable, release, strategy, work)
        _try(space, strategy, list(_known(documents(text))))
        _said(env, f"{strategy}, with no request yet", release, f"make rollback ENV={env}")
        wait(space, "stable" if strategy == "argo" else "canary", seconds)


def patience(settings: dict[str, str]) -> float:
    """WAIT in seconds; raises InputError where it is no whole number."""
    text = settings.get("WAIT") or f"{WAIT_SECONDS:g}"
    if not text.isdecimal():
        raise InputError(f"WAIT={text}: must be a whole number of seconds")
    return float(text)


def _start(space: str, text: str) -> None:
    (job,) = documents(text)
    _apply([job])
    name = job["metadata"]["name"]
    print(f"deploy: to watch it: kubectl --namespace {space} logs --follow job/{name}")
    print(f"deploy: to undo it: kubectl --namespace {space} delete job {name}")


def _try(space: str, strategy: str, parts: list[Object]) -> None:
    """Bring the release that is tried: first nobody is sent there, then its pods change.

    Stable stays as it is, but where Argo Rollouts makes the pods of both. The release gets as many
    pods as stable has now: whatever its share will be, it can carry it.
    """
    if strategy != "argo":
        count = cluster.get("deployment", cluster.project(), space)["spec"].get("replicas", 1)
        for part in parts:
            if part["kind"] == "Deployment" and not _is_stable(part):
                part["spec"]["replicas"] = max(count, part["spec"]["replicas"])
    _apply(part for part in parts if part["kind"] == "HTTPRoute")
    _apply(part for part in parts if strategy == "argo" or not _is_stable(part))


def running(space: str) -> dict[str, Release | None]:
    """The releases in `space` by track: stable and canary; None where there are no pods of it."""
    found: dict[str, Release | None] = {}
    for track, suffix in (("stable", ""), ("canary", "-canary")):
        deployment = cluster.find("deployment", cluster.project() + suffix, space)
        there = deployment and (track == "stable" or deployment["spec"].get("replicas"))
        found[track] = release_of(deployment) if deployment and there else None
    return found


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


def weight(space: str) -> int:
    """Percent of the requests that the tried release answers."""
    return route.whatever(space).weight


def documents(text: str) -> Iterator[Object]:
    """The objects of a YAML text."""
    return (part for part in yaml.safe_load_all(text) if part)


def _known(parts: Iterator[Object]) -> Iterator[Object]:
    """Without the namespace: an account that is limited to it may deploy again."""
    return (part for part in parts if part["kind"] != "Namespace")


def _is_stable(part: Object) -> bool:
    return part["kind"] == "Deployment" and part["metadata"]["name"] == cluster.project()


def _apply(parts: Any) -> None:
    """Server-side apply: the fields that others own, such as replicas, stay theirs."""
    # JSON keeps a digest of digits a text; the dashes in front tell kubectl that more follow.
    text = "".join(f"---\n{json.dumps(part, ensure_ascii=False)}\n" for part in parts)
    words = ("apply", "--server-side", "--force-conflicts", "--field-manager=deploy")
    print(cluster.ask(*words, "--filename=-", stdin=text), end="")


def _would_end(env: str, tried: Release | None, release: Release) -> None:
    old = tried.model[:16] if tried else "none"
    raise InputError(
        f"deploy: {env}: nothing was done: model {old} is being tried, and model "
        f"{release.model[:16]} would take its place; to do that: the same with APPLY=yes"
    )


def _said(env: str, where: str, release: Release, undo: str) -> None:
    print(f"deploy: {env}: model {release.model[:16]} goes to {where}: {release.image}")
    print(f"deploy: to undo it: {undo}")


def wait(space: str, track: str, seconds: float) -> None:
    """Until every pod of `track` is of its newest template and ready; raises InputError after
    `seconds`.
    """
    name = cluster.project() + ("" if track == "stable" else "-canary")
    deadline = time.monotonic() + seconds
    while seconds:
        found = cluster.get("deployment", name, space)
        if ready(found):
            say(f"deploy: {name} is ready")
            return
        if time.monotonic() > deadline:
            raise InputError(
                f"{name} was not ready after {seconds:g} s: kubectl -n {space} describe pods"
            )
        time.sleep(POLL_SECONDS)


def ready(deployment: Object) -> bool:
    """Whether all replicas that are wanted are of the newest template and available."""
    wanted, status = deployment["spec"].get("replicas", 1), deployment.get("status", {})
    seen = status.get("observedGeneration", 0) >= deployment["metadata"].get("generation", 0)
    counts = [status.get(key, 0) for key in ("replicas", "updatedReplicas", "availableReplicas")]
    return seen and counts == [wanted] * 3


def status(settings: dict[str, str]) -> None:
    """Print what runs in ENV: track, model, image, replicas, share of the requests, rollout."""
    space = cluster.namespace(settings)
    name = cluster.project()
    known = cluster.get("httproute", name, space)
    backends = known["spec"]["rules"][0].get("backendRefs", [])
    weights = {backend["name"]: backend.get("weight", 1) for backend in backends}
    rows = [("track", "model", "ready", "weight", "image")]
    for track, service in (("stable", name), ("canary", f"{name}-canary")):
        found = cluster.find("deployment", service, space)
        if found is None:  # Argo Rollouts makes the pods that are tried: its own tool shows them
            continue
        release, counts = release_of(found), found.get("status", {})
        pods = f"{counts.get('readyReplicas', 0)}/{found['spec'].get('replicas', 0)}"
        rows.append((track, release.model[:16], pods, f"{weights.get(service, 0)}", release.image))
    print(aligned(rows))
    for key, value in sorted(known["metadata"].get("annotations", {}).items()):
        print(f"{key}: {value}")
