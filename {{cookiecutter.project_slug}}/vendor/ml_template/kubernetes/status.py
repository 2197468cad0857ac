"""status: what runs in an environment, with which share of the requests, and how its rollout is."""

from __future__ import annotations

from ..outside.text import aligned
from ..settings.config import InputError
from ..settings.gates import load_gates
from . import canary, cluster, decide, gateway, releases, route
from .route import State


def run(settings: dict[str, str]) -> None:
    """Print what runs in ENV: track, model and image that are asked for, models that answer,
    replicas, share of the requests; of its rollout who drives it, the step, the evidence so far,
    what is missing to decide; and how to undo what is there.
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
    rollout = _rollout(space, settings["ENV"])
    print(aligned([(f"{name}:", said) for name, said in rollout]))
    for key, value in sorted(known["metadata"].get("annotations", {}).items()):
        if key != route.ANNOTATION:
            print(f"{key}: {value}")


def _rollout(space: str, env: str) -> list[tuple[str, str]]:
    """What is to be said of the rollout in `env`, by name."""
    undo = f"make rollback ENV={env}"
    try:
        now = route.read(space)
    except route.DamagedError as error:
        return [("rollout", str(error)), ("undo", undo)]
    state = now.state
    if state is None or (state.phase == "aborted" and not now.rests):
        left = f"nobody drives {now.weight} % and {now.mirrors} mirrors"
        alone = not now.rests and releases.drives(space)
        return [("rollout", left if alone else _waits(space, env)), ("undo", undo)]
    what = f"{state.strategy} of model {state.model[:16]}: {state.phase}"
    if state.phase == "aborted":
        again = "a new model, or a corrected image" if state.evidence else f"make deploy ENV={env}"
        return [
            ("rollout", f"{what}: {state.reason}"),
            ("again", again),
            ("undo", f"nothing to undo: everyone is at stable; stable itself: {undo} APPLY=yes"),
        ]
    if state.phase == "passed":
        return [("rollout", what), ("next", f"make promote ENV={env}"), ("undo", undo)]
    who = f"driven by {state.driver}" if state.phase == "running" else "nobody drives it"
    goes = f"{who}; where that is gone, or to go on: make canary ENV={env}"
    return [("rollout", what), ("driver", goes), *_step(space, state, now.weight), ("undo", undo)]


def _waits(space: str, env: str) -> str:
    """What there is where no rollout was begun."""
    if not releases.drives(space):
        return f"by Argo Rollouts: kubectl -n {space} get rollout {cluster.project()} --output=yaml"
    now = releases.running(space)
    tried = now["canary"]
    if tried is None or tried == now["stable"]:
        return "none"
    return f"of model {tried.model[:16]}, not begun: make canary ENV={env}"


def _step(space: str, state: State, weight: int) -> list[tuple[str, str]]:
    """The step of a rollout that runs, its evidence so far, and what is missing to decide it."""
    try:
        gates = load_gates()
        steps = canary.shares(state.strategy, gates.rollout) if gates.rollout else ()
        stable, mine, found = decide.judged(space, state, gates)
    except InputError as error:
        return [("evidence", f"cannot be read: {error}")]
    at = f"{state.step + 1} of {len(steps)}, {weight} %, for {state.elapsed:.0f} seconds"
    sides = [
        f"{track} {side.of(''):.0f} answers, {side.of('5'):.0f} failed, {side.of('4'):.0f} refused"
        for track, side in (("stable", stable), ("canary", mine))
    ]
    wait = "the pods of the canary, then the first step"
    missing = wait if state.step < 0 and found.verdict != "abort" else found.reason
    return [("step", at), ("evidence", "; ".join(sides)), (found.verdict, missing)]
