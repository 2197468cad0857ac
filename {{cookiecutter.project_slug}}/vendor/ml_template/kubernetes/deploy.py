"""deploy: bring a release to an environment without touching what answers there."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import yaml

from ..operations import signatures
from ..settings.config import InputError
from . import cluster, gateway, guard, manifests, releases, route
from .cluster import Object
from .guard import Place
from .releases import Release

ROLLING = "rolling"


def run(settings: dict[str, Any]) -> None:
    """ENV, STRATEGY, IMAGE: stable where nothing runs yet, else the track that is tried; or JOB.

    STRATEGY=rolling, in staging only, replaces the pods of stable one by one: nothing judges it.
    The same call again changes nothing. Raises InputError for an image that `verify` refuses, for
    one of jobs (WORK) without a trusted signature, in another cluster than the first deployment,
    and where another release is being tried, with what would be ended by APPLY=yes.
    WAIT: seconds for the pods to be ready (0: do not).
    """
    space, env, work = cluster.namespace(settings), settings["ENV"], settings.get("WORK") or ""
    place = guard.checked(env, space)
    if settings.get("JOB"):
        (job,) = documents(manifests.render_job(env, settings["JOB"], work))
        signatures.trusted(work)
        _apply(place, [job])
        name = job["metadata"]["name"]
        print(f"deploy: to watch it: kubectl --namespace {space} logs --follow job/{name}")
        print(f"deploy: to undo it: kubectl --namespace {space} delete job {name}")
        return
    strategy = settings.get("STRATEGY") or "canary"
    if strategy != ROLLING:
        manifests.checked(strategy)
    elif env != "staging":
        raise InputError(f"STRATEGY={ROLLING}: only in staging: nothing judges the release there")
    seconds = settings.get("WAIT", releases.WAIT_SECONDS)
    release, now = releases.wanted(settings), releases.running(space)
    signatures.serves(release.image, release.model)
    if work:
        signatures.trusted(work)
    _fits(space, strategy)
    argo = strategy if strategy == "argo" else ""
    stable, tried, name = now["stable"], now["canary"], f"model {release.model[:16]}"
    if stable is None:
        parts = documents(manifests.render(env, release, strategy=argo, work=work))
        _apply(place, parts)
        _said(env, "stable", release, f"kubectl delete namespace {space}")
        if not argo:  # its controller makes the pods, and waits for them
            _widen(space, parts)
            releases.wait(space, "stable", release.model, seconds)
    elif stable == release:
        if tried is None:
            _apply(place, _known(manifests.render(env, release, strategy=argo, work=work)))
        if not argo:
            releases.wait(space, "stable", release.model, seconds)
        serves = "serves" if seconds and not argo else "is to serve"
        print(f"deploy: {env}: stable {serves} {name} already")
    elif tried == release and route.whatever(space).weight:
        print(f"deploy: {env}: {name} is being tried: `make status ENV={env}`")
    elif tried and tried != release and settings.get("APPLY") != "yes":
        raise InputError(
            f"deploy: {env}: nothing was done: model {tried.model[:16]} is being tried, and {name} "
            f"would take its place; to do that: the same with APPLY=yes"
        )
    elif strategy == ROLLING:
        _apply(place, _known(manifests.render(env, release, work=work)))
        back = f"IMAGE={stable.image} MODEL={stable.model[:16]}"
        _said(env, "stable", release, f"make deploy ENV={env} STRATEGY={ROLLING} {back}")
        releases.wait(space, "stable", release.model, seconds)
    else:
        _try(place, strategy, _known(manifests.render(env, stable, release, strategy, work)))
        _said(env, f"{strategy}, with no request yet", release, f"make rollback ENV={env}")
        if not argo:
            releases.wait(space, "canary", release.model, seconds)
    if seconds:
        gateway.taken(space)


def _fits(space: str, strategy: str) -> None:
    """Raise InputError where Argo Rollouts cannot drive what is there, or is to, or is not there.

    It needs other selectors, and those of a Deployment are never changed.
    """
    if strategy == "argo":
        cluster.ask("get", "rollouts.argoproj.io", "--namespace", space)
    found = cluster.find("deployment", cluster.project(), space)
    labels = found["spec"].get("selector", {}).get("matchLabels") if found else None
    if labels and ("track" in labels) == (strategy == "argo"):
        how = "without" if "track" in labels else "by"
        raise InputError(
            f"deploy: nothing was done: {space} is run {how} Argo Rollouts, which is chosen once, "
            f"with the first deployment: docs/deploy.md says how to change it"
        )


def _try(place: Place, strategy: str, parts: list[Object]) -> None:
    """Bring the release that is tried: first nobody is sent there, then its pods change.

    Stable stays as it is, but where Argo Rollouts makes the pods of both. The release gets as many
    pods as stable has now: whatever its share will be, it can carry it.
    """
    if strategy != "argo":
        found = cluster.get("deployment", cluster.project(), place.namespace)
        count = found["spec"].get("replicas", 1)
        for part in parts:
            if part["kind"] == "Deployment" and not _is_stable(part):
                part["spec"]["replicas"] = max(count, part["spec"]["replicas"])
    _apply(place, (part for part in parts if part["kind"] == "HTTPRoute"))
    _apply(place, (part for part in parts if strategy == "argo" or not _is_stable(part)))


def _widen(space: str, parts: list[Object]) -> None:
    """As many pods as the autoscaler will want at least: they are waited for, all of them.

    By `scale`, which later deployments leave alone.
    """
    name = cluster.project()
    for part in parts:
        if (part["kind"], part["metadata"]["name"]) == ("HorizontalPodAutoscaler", name):
            count = part["spec"].get("minReplicas", 1)
            cluster.ask("scale", "deployment", name, f"--replicas={count}", "--namespace", space)


def documents(text: str) -> list[Object]:
    """The objects of a YAML text."""
    return [part for part in yaml.safe_load_all(text) if part]


def _known(text: str) -> list[Object]:
    """Without the namespace: an account that is limited to it may deploy again."""
    return [part for part in documents(text) if part["kind"] != "Namespace"]


def _is_stable(part: Object) -> bool:
    return part["kind"] == "Deployment" and part["metadata"]["name"] == cluster.project()


def _apply(place: Place, parts: Iterable[Any]) -> None:
    """Server-side apply: the fields that others own, such as replicas, stay theirs."""
    parts = list(parts)
    for part in parts:
        if part["kind"] == "HTTPRoute":
            gateway.free(part)
    # JSON keeps a digest of digits a text; the dashes in front tell kubectl that more follow.
    text = "".join(f"---\n{json.dumps(part, ensure_ascii=False)}\n" for part in parts)
    words = ("apply", "--server-side", "--force-conflicts", "--field-manager=deploy")
    print(cluster.ask(*words, "--filename=-", stdin=text), end="")
    guard.pin(place)


def _said(env: str, where: str, release: Release, undo: str) -> None:
    print(f"deploy: {env}: model {release.model[:16]} goes to {where}: {release.image}")
    print(f"deploy: to undo it: {undo}")
