"""canary: bring the tried release to its share step by step, or send everyone back to stable.

The state stands in the route. A driver that is killed is resumed by the next `make canary`; one
whose route was taken over finds that at its next write, and ends.
"""

from __future__ import annotations

import math
import os
import secrets
import socket
import time
from dataclasses import replace

from .. import champion
from ..config import InputError
from ..gates import Gates, Rollout, load_gates
from . import cluster, counts, deploy, manifests, notify, route
from .decide import Decision, decide
from .route import Route, State

ABORTED = 3  # exit code
SHARES = {"canary": (), "bluegreen": (100,), "shadow": (0,)}  # in per cent; none: gates.yaml's
MIRROR_EFFECT = 2.0  # seconds until a gateway has read a changed route
MIRROR_SECONDS = 5.0  # without any answer of stable after which a mirror is taken away again


def canary(settings: dict[str, str]) -> int:
    """ENV: start or resume the rollout of the release that is tried, by the strategy of `deploy`.

    Exit code 0: passed, it has its share and waits for `make promote`, or it is stable already;
    3: aborted, everyone is back at stable; 1: it could not be driven, or another one drives it.
    """
    space = cluster.namespace(settings)
    gates = load_gates()
    name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
    while True:
        now = route.read(space)
        if _is_stable(space):
            return 0
        state = _begun(now, tried(space), _strategy(space))
        if state.phase == "aborted":
            print(f"canary: model {state.model[:16]} was aborted: {state.reason}: try a new model")
            return ended(space, settings["ENV"], state)
        if state.phase == "passed":
            return _passed(state, settings["ENV"])
        state = replace(state, driver=name)
        try:  # from here on the driver before, if it lives, cannot write
            now = route.write(now, now.weight, state, mirrored(state))
        except cluster.ConflictError:
            continue
        return _Driver(settings["ENV"], gates, now, state).drive()


def tried(space: str) -> manifests.Release:
    """The release in the canary's pods; raises InputError where there is none.

    Argo Rollouts makes them without a Deployment of their own: then it is that of the newest pod.
    """
    found = cluster.find("deployment", f"{cluster.project()}-canary", space)
    if found is None:
        pods = cluster.pods(space, "canary")
        if not pods:
            raise InputError("nothing is tried: run `make deploy` first")
        newest = max(pods, key=lambda pod: str(pod["metadata"]["creationTimestamp"]))
        return deploy.release_of({"metadata": newest["metadata"], "spec": {"template": newest}})
    if not found["spec"].get("replicas"):
        state = route.read(space).state
        if state is None or state.phase != "aborted":
            raise InputError("canary: nothing is tried: run `make deploy` first")
    return deploy.release_of(found)


def _is_stable(space: str) -> bool:
    """Whether nothing is tried because the newest model is stable: the first one, or one again."""
    there = deploy.running(space)
    record = champion.read(champion.CHALLENGER) or champion.read(champion.CHAMPION)
    if there["canary"] or not there["stable"] or not record:
        return False
    if there["stable"].model != record["digest"]:
        return False
    print(f"canary: stable serves model {record['digest'][:16]} already: nothing is to be tried")
    return True


def _strategy(space: str) -> str:
    """By which strategy the release is tried; raises InputError where `canary` cannot drive it."""
    name = f"{cluster.project()}-canary"
    found = cluster.find("deployment", name, space)
    if found is None:
        raise InputError("canary: Argo Rollouts drives this rollout, and `make decide` judges it")
    strategy = str(found["metadata"].get("annotations", {}).get("strategy", ""))
    if strategy not in SHARES:
        raise InputError(f"deployment {name} says no strategy: run `make deploy` again")
    return strategy


def _begun(now: Route, release: manifests.Release, strategy: str) -> State:
    """The state of the rollout of `release` by `strategy`; a new one where another was before."""
    old = now.state
    if old and old.model == release.model and (old.phase == "aborted" or old.strategy == strategy):
        return old
    return State(release.model, release.image, strategy)


def _passed(state: State, env: str) -> int:
    print(f"canary: model {state.model[:16]} passed: `make promote ENV={env}` makes it stable")
    print(f"canary: to undo it: make rollback ENV={env}")
    return 0


def shares(strategy: str, rollout: Rollout) -> tuple[int, ...]:
    """The canary's share of the answers in per cent, step by step."""
    return SHARES[strategy] or rollout.steps


def mirrored(state: State) -> bool:
    """Whether the canary gets a copy of every request: a shadow whose pods are ready."""
    return state.strategy == "shadow" and state.phase == "running" and state.step >= 0


class _Driver:
    """One process that drives a rollout; `drive` ends it or says why it cannot."""

    def __init__(self, env: str, gates: Gates, now: Route, state: State) -> None:
        if gates.rollout is None:
            raise InputError("gates.yaml: rollout is switched off: give it its keys")
        self.env, self.gates, self.rollout = env, gates, gates.rollout
        self.route, self.state = now, state
        self.steps = shares(state.strategy, gates.rollout)
        self.pause = min(max(gates.rollout.seconds.step / 24, 0.25), 5.0)
        self.seen = counts.Look()
        self.heard: tuple[float, float] | None = None  # seconds into the step, answers of stable

    def drive(self) -> int:
        """Until the last step is passed (0) or the rollout is aborted (3)."""
        self.say("resumed" if self.state.step >= 0 else "started")
        last = time.monotonic()
        while True:
            decision = self.judge()
            now = time.monotonic()
            elapsed, last = self.state.elapsed + now - last, now
            if decision.verdict == "abort":
                return self.abort(decision.reason)
            if decision.verdict == "promote" and self.state.step + 1 == len(self.steps):
                self.write(self.route.weight, replace(self.state, phase="passed", base={}))
                self.say(f"passed: {decision.reason}")
                return _passed(self.state, self.env)
            if decision.verdict == "promote":
                self.advance(decision.reason)
            else:
                self.write(self.route.weight, replace(self.state, elapsed=elapsed))
                self.say(f"hold: {decision.reason}")
                time.sleep(self.pause)

    def judge(self) -> Decision:
        """What to do now; what cannot be read is no data."""
        try:
            self.seen = counts.look(self.route.space, self.state)
        except InputError as error:
            self.seen = counts.Look()
            self.say(f"no data: {error}")
        base = self.state.base
        stable, mine = self.seen.since(base)
        said = decide(stable, mine, self.gates, self.state.elapsed)
        if mirrored(self.state) and self.silenced(stable.of("")):
            # a gateway that does not know the filter answers nobody, and says so in its log only
            return Decision("abort", "stable gets no requests: can your gateway RequestMirror?")
        if self.state.step < 0 and said.verdict != "abort":
            return self.ready(len(self.seen.canary))
        if said.verdict == "hold" and self.seen.began_anew(base):
            self.state = replace(self.state, base=self.base())
        return said

    def silenced(self, answers: float) -> bool:
        """Whether stable answered nothing for MIRROR_SECONDS once the mirror had taken effect."""
        if self.heard is None and self.state.elapsed >= MIRROR_EFFECT:
            self.heard = (self.state.elapsed, answers)
        since, before = self.heard or (math.inf, 0.0)
        return self.state.elapsed - since >= MIRROR_SECONDS and answers == before

    def ready(self, count: int) -> Decision:
        """Whether the pods of the canary are there; the deadline is that of `decide`."""
        name = f"{cluster.project()}-canary"
        wanted = cluster.get("deployment", name, self.route.space)["spec"].get("replicas", 0)
        if wanted and count >= wanted:
            return Decision("promote", f"{count} pods are ready")
        return Decision("hold", f"{count} of {wanted} pods are ready")

    def base(self) -> dict[str, counts.Pods]:
        """The counters a step begins with.

        Where stable gets no requests, all it answered since its pods began is the reference.
        """
        alone = self.steps[max(self.state.step, 0)] == 100
        stable = {} if alone else counts.kept(self.seen.stable)
        return {"stable": stable, "canary": counts.kept(self.seen.canary)}

    def advance(self, reason: str) -> None:
        step = self.state.step + 1
        self.state = replace(self.state, step=step, elapsed=0.0)
        self.state = replace(self.state, base=self.base())
        self.write(self.steps[step], self.state)
        mirrored = ", mirrored" if self.state.strategy == "shadow" else ""
        self.say(f"promote: {reason}; now at {self.steps[step]} %{mirrored}")

    def abort(self, reason: str) -> int:
        """Everyone back to stable first; then the pods go, and people are told."""
        self.write(0, replace(self.state, phase="aborted", reason=reason, base={}))
        self.say(f"abort: {reason}; everyone is at stable again")
        return ended(self.route.space, self.env, self.state)

    def write(self, weight: int, state: State) -> None:
        self.route = route.change(self.route, weight, state, mirrored(state))
        self.state = state

    def say(self, text: str) -> None:
        clock, model = time.strftime("%H:%M:%S"), self.state.model[:16]
        print(f"{clock} canary: {model} {self.route.weight:>3} %: {text}", flush=True)


def ended(space: str, env: str, state: State) -> int:
    """What follows an abort: the pods go, and people are told, once; ABORTED.

    Killed in between, the next `make canary` does the rest.
    """
    scale_down(space)
    if not state.told:
        name = cluster.project()
        notify.send(f"{name}: {env}: rollout of model {state.model[:16]} aborted: {state.reason}")
        route.note(space, state, replace(state, told=True))
    return ABORTED


def scale_down(space: str) -> None:
    """No pods of the canary: for a release that is not tried any more."""
    name = f"{cluster.project()}-canary"
    cluster.ask("scale", "deployment", name, "--replicas=0", "--namespace", space)
