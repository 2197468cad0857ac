"""Stable in the cluster: which release it is, when a rollout is finished, withdrawn or undone."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from ..operations import signatures
from ..outside.screen import say
from ..registry.champion import Record
from ..settings.config import InputError
from . import cluster, ending, releases, route
from .releases import Release
from .route import State


def finish(settings: dict[str, Any], digest: str) -> str:
    """Make the release that passed stable, then everyone goes there; returns its image.

    Killed in between, everyone is at the canary or at stable, both of the new release; the same
    call again goes on from there. Raises InputError where model `digest` did not pass, and for an
    image that `verify` refuses.
    """
    space, seconds = cluster.namespace(settings), settings.get("WAIT", releases.WAIT_SECONDS)
    now, state = releases.running(space), route.read(space).state
    other = state is None or state.model != digest
    if state and state.model == digest and state.phase == "passed":
        release = releases.tried(space)
        if (release.model, release.image) != (state.model, state.image):
            raise InputError(
                f"{release.image} is tried now, and another passed: {state.image}: "
                f"run `make canary`"
            )
        signatures.serves(release.image, release.model)
        _widen(space)
        move(space, release, seconds)
        if not route.note(space, state, None):
            if now["stable"]:
                _patch(space, now["stable"])
            status = f"`make status ENV={settings['ENV']}`"
            raise InputError(f"the rollout was ended meanwhile: stable stays: {status}")
    elif now["stable"] and now["stable"].model == digest and other:
        release = now["stable"]  # the first release, or done before but for what follows
        releases.wait(space, "stable", release.model, seconds)
    else:
        raise InputError(f"model {digest[:16]} did not pass `make canary ENV={settings['ENV']}`")
    if now["canary"] == release:
        ending.scale_down(space)
    say(f"promote: {settings['ENV']}: stable serves model {digest[:16]}: {release.image}")
    return release.image


def _widen(space: str) -> None:
    """Stable gets at least as many pods as the canary, that carried everything until now."""
    name = cluster.project()
    counts = [
        cluster.get("deployment", name + suffix, space)["spec"].get("replicas", 1)
        for suffix in ("", "-canary")
    ]
    if counts[0] < counts[1]:
        cluster.ask("scale", "deployment", name, f"--replicas={counts[1]}", "--namespace", space)


def passed(settings: dict[str, Any], record: Record) -> str:
    """The image in which the model of `record` passed its rollout, or is stable; empty: in none."""
    state = route.whatever(cluster.namespace(settings)).state
    if state and (state.model, state.phase) == (record["digest"], "passed"):
        return state.image
    return image(settings, record) or ""


def image(settings: dict[str, Any], record: Record) -> str | None:
    """The image that serves the model of `record` as stable now; None where another one does."""
    serving = releases.running(cluster.namespace(settings))["stable"]
    return serving.image if serving and serving.model == record["digest"] else None


def move(space: str, release: Release, seconds: float) -> None:
    """Stable gets `release`, and is waited for; raises InputError where it is not ready in time."""
    _patch(space, release)
    releases.wait(space, "stable", release.model, seconds)


def _patch(space: str, release: Release) -> None:
    described = {"labels": {"model": release.model[:16]}, "annotations": release.annotations}
    container = {"name": "service", "image": release.image}
    pod = {"metadata": described, "spec": {"containers": [container]}}
    change = json.dumps({"metadata": described, "spec": {"template": pod}})
    name = cluster.project()
    cluster.ask("patch", "deployment", name, "--namespace", space, f"--patch={change}")


def withdraw(settings: dict[str, Any]) -> State | None:
    """End the rollout that runs, has passed and was not promoted, or was only deployed; None where
    there is none.

    Everyone goes to stable first, also where nobody drives and the route is not at rest; the model
    goes out again for a reason only. One whose end was not finished, because its driver or this was
    killed, is finished. Raises InputError after an abort, unless APPLY=yes: stable is not at fault.
    """
    space = cluster.namespace(settings)
    try:
        now = route.read(space)
    except route.DamagedError as error:
        now = replace(error.route, state=replace(ending.damaged(space), phase="running"))
    state = now.state
    if not now.rests and (state.phase == "aborted" if state else releases.drives(space)):
        route.settle(space, state)
        say(f"rollback: {settings['ENV']}: {now.weight} % and {now.mirrors} mirrors are taken away")
    if state is None:
        return _unbegun(space)
    if state.phase == "aborted":
        if not state.told or releases.running(space)["canary"]:
            ending.ended(space, settings["ENV"], state)
            return state
        if settings.get("APPLY") == "yes":
            return None
        raise InputError(
            f"model {state.model[:16]} was ended already ({state.reason}) and everyone is at "
            f"stable; to bring stable itself one release back: the same with APPLY=yes"
        )
    reason = settings.get("WHY") or "rolled back by hand"
    state = replace(state, phase="aborted", driver="", reason=reason, evidence=True, base={})
    route.settle(space, state)
    ending.ended(space, settings["ENV"], state)
    return state


def _unbegun(space: str) -> State | None:
    """The pods of a release that was deployed, and that nobody drove yet, go."""
    now = releases.running(space)
    tried = now["canary"]
    if tried is None or tried == now["stable"]:  # a promotion that was killed left them
        return None
    ending.scale_down(space)
    return State(tried.model, tried.image, "", phase="aborted", reason="not begun")


def restore(settings: dict[str, Any], record: Record) -> None:
    """Stable serves the release of `record` again: its image, with model and configuration inside.

    Raises InputError where its image is not recorded, where `verify` refuses it, or its pods do
    not get ready; the pods that answered until now go on then.
    """
    space, seconds = cluster.namespace(settings), settings.get("WAIT", releases.WAIT_SECONDS)
    if not record["image"]:
        raise InputError("its image is not recorded")
    commit = record["commit"] or "none"
    before = releases.running(space)["stable"]
    release = Release(record["image"], record["digest"], record["verdict"], commit)
    signatures.serves(release.image, release.model)
    try:
        move(space, release, seconds)
    except InputError:
        if before:
            _patch(space, before)
        raise
    say(f"rollback: {settings['ENV']}: stable serves {record['image']}")
