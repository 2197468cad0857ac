"""How a rollout ends: what is said of it, to whom, and which pods go."""

from __future__ import annotations

import os
import signal
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from ..model import lineage
from ..operations import notify, promote
from ..outside.screen import say
from ..registry import champion, withdrawn
from ..settings.config import InputError
from . import cluster, releases, route
from .route import State

ABORTED = 3  # exit code
DAMAGED = "the state of the rollout in the route cannot be read"
ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def passed(state: State, env: str, promotes: bool = False) -> int:
    """Say what follows a rollout that passed, or do it where it `promotes`; exit code 0.

    1 where MLflow did not take it; raises InputError where it cannot be promoted.
    """
    if promotes and not _in_job():  # whose account may change no image
        return 0 if promote.run({"ENV": env, "WHY": state.reason}) else 1
    say(f"canary: model {state.model[:16]} passed: `make promote ENV={env}` makes it stable")
    say(f"canary: to undo it: make rollback ENV={env}")
    return 0


def ended(space: str, env: str, state: State) -> int:
    """What follows an abort: people are told, once, and the pods go; ABORTED.

    Killed in between, the next `make canary` does the rest.
    """
    if not state.told:
        tell(env, state)
        route.note(space, state, replace(state, told=True))
    scale_down(space)
    # another machine, or a job whose volume is gone, told of it
    if state.told and not withdrawn.listed(state.model):
        _list(env, state)
    return ABORTED


def tell(env: str, state: State) -> None:
    """Tell people of an abort; where the model's answers made it, the model is taken back."""
    listed = ""
    try:
        if _list(env, state) and _in_job():
            listed = f"; {withdrawn.ABORTED} goes with its job: in a clone, `make canary "
            listed += f"ENV={env}` lists it too, and `make push` shares it"
    except Exception as error:  # a list that cannot be written keeps nobody untold
        listed = f"; `make offer` may offer it again, it is not listed: {said(error)}"
    name, model = cluster.project(), state.model[:16]
    notify.send(f"{name}: {env}: rollout of model {model} aborted: {state.reason}{listed}")


def _list(env: str, state: State) -> bool:
    """Whether the model is taken back: for what it answered, or by hand; but not the champion of
    production, for what a trial elsewhere saw.
    """
    if not state.evidence:
        return False
    present = champion.read(champion.CHAMPION) if env != "production" else None
    if present and present["digest"] == state.model:
        return False
    withdrawn.abort(state.model, state.reason, state.image)
    return True


def _in_job() -> bool:
    """Whether this is a job in the cluster: what it writes to its folder goes with it."""
    return "KUBERNETES_SERVICE_HOST" in os.environ and not lineage.in_ci()


def scale_down(space: str) -> None:
    """No pods of the canary: for a release that is not tried any more; so too where it is gone."""
    name = f"{cluster.project()}-canary"
    with suppress(cluster.AbsentError):
        cluster.ask("scale", "deployment", name, "--replicas=0", "--namespace", space)


def damaged(space: str) -> State:
    """The end of a rollout whose state cannot be read: nobody knows how far it came, or why; nor
    of what, where its pods are gone too.
    """
    over = State("", "", "", phase="aborted", reason=DAMAGED)
    with suppress(cluster.AbsentError):
        release = releases.tried(space)
        over = replace(over, model=release.model, image=release.image)
    return over


def said(error: Exception) -> str:
    """What an error says; of one that nobody foresaw also its type and place."""
    if isinstance(error, InputError):
        return str(error)
    place = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(place.filename).name}, line {place.lineno}"
    return f"{type(error).__name__} ({where}): {cluster.shown(str(error))}"


@contextmanager
def unhindered() -> Iterator[None]:
    """What is begun is ended: a second Ctrl-C, or whoever ends this process, waits for it."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in ENDS}
    try:
        yield
    finally:
        for number, heard in before.items():
            signal.signal(number, heard)
