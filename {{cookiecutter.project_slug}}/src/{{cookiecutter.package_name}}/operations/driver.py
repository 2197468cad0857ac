"""The driver of a rollout: looks, decides, moves the share, and ends what must not go on."""

from __future__ import annotations

import math
import time
from dataclasses import replace

from .. import champion
from ..config import InputError
from ..gates import Gates, Rollout
from . import cluster, counts, notify, route
from .decide import Decision, decide
from .route import Route, State

ABORTED = 3  # exit code
MIRROR_EFFECT = 2.0  # seconds until a gateway has read a changed route
MIRROR_SECONDS = 5.0  # without any answer of stable after which a mirror is taken away again

Steps = tuple[int, ...]  # the canary's share of the answers in per cent, step by step


class Driver:
    """One process that drives a rollout; `drive` ends it or says why it cannot."""

    def __init__(
        self, env: str, gates: Gates, rollout: Rollout, steps: Steps, now: Route, state: State
    ) -> None:
        self.env, self.gates, self.rollout, self.steps = env, gates, rollout, steps
        self.route, self.state = now, state
        self.pause = min(max(rollout.seconds.step / 24, 0.25), 5.0)
        self.seen = counts.Look()
        self.heard: tuple[float, float] | None = None  # seconds into the step, answers of stable

    def drive(self) -> int:
        """Until the last step is passed (0) or the rollout is aborted (3)."""
        self.say("resumed" if self.state.step >= 0 else "started")
        last = time.monotonic()
        while True:
            try:
                code = self.act(self.judge())
                if code is not None:
                    return code
            except route.TakenOverError:
                raise
            except InputError as error:  # the API server: what was decided is decided again
                self.say(f"not done: {error}")
            time.sleep(self.pause)
            now = time.monotonic()
            self.state = replace(self.state, elapsed=self.state.elapsed + now - last)
            last = now

    def act(self, decision: Decision) -> int | None:
        """Write what was decided; the exit code where the rollout ends with it."""
        if decision.verdict == "abort":
            return self.abort(decision.reason)
        if decision.verdict == "promote" and self.state.step + 1 == len(self.steps):
            self.write(self.route.weight, replace(self.state, phase="passed", base={}))
            self.say(f"passed: {decision.reason}")
            return passed(self.state, self.env)
        if decision.verdict == "promote":
            self.advance(decision.reason)
        else:
            self.write(self.route.weight, self.state)
            self.say(f"hold: {decision.reason}")
        return None

    def judge(self) -> Decision:
        """What to do now; what cannot be read is no data."""
        if self.state.phase == "aborted":  # what follows an abort did not go through
            return Decision("abort", self.state.reason)
        try:
            self.seen = counts.look(self.route.space, self.state)
        except InputError as error:
            self.seen = counts.Look()
            self.say(f"no data: {error}")
        if self.seen.unread:
            self.say(f"no labels: {self.seen.unread}")
        if not self.state.base:
            self.state = replace(self.state, base={"stable": counts.kept(self.seen.stable)})
        base = self.state.base
        stable, mine = self.seen.since(base)
        said = decide(stable, mine, self.gates, self.state.elapsed)
        if mirrored(self.state) and self.silenced(stable.of("")):
            # a gateway that does not know the filter answers nobody, and says so in its log only
            return Decision("abort", "stable gets no requests: can your gateway RequestMirror?")
        if self.state.step < 0 and said.verdict != "abort":
            return self.ready(len(self.seen.canary), stable.of(""))
        if said.verdict == "hold" and self.seen.began_anew(base):
            self.state = replace(self.state, base=self.base({}, self.state.step))
        return said

    def silenced(self, answers: float) -> bool:
        """Whether stable answered nothing for MIRROR_SECONDS once the mirror had taken effect."""
        if self.heard is None and self.state.elapsed >= MIRROR_EFFECT:
            self.heard = (self.state.elapsed, answers)
        since, before = self.heard or (math.inf, 0.0)
        return self.state.elapsed - since >= MIRROR_SECONDS and answers == before

    def ready(self, count: int, answers: float) -> Decision:
        """Whether the pods of the canary are there, and stable gave enough `answers` to compare.

        The deadline is that of `decide`.
        """
        name = f"{cluster.project()}-canary"
        wanted = cluster.get("deployment", name, self.route.space)["spec"].get("replicas", 0)
        if not wanted or count < wanted:
            return Decision("hold", f"{count} of {wanted} pods are ready")
        least = self.rollout.min_requests
        if self.steps[0] == 100 and answers < least:
            return Decision("hold", f"{answers:.0f} of {least} answers of stable before the switch")
        return Decision("promote", f"{count} pods are ready")

    def base(self, before: counts.Pods, step: int) -> dict[str, counts.Pods]:
        """The counters that `step` begins with.

        Where stable gets no requests any more, what it answered since `before` is the reference.
        """
        alone = self.steps[step] == 100
        stable = before if alone else counts.kept(self.seen.stable)
        return {"stable": stable, "canary": counts.kept(self.seen.canary)}

    def advance(self, reason: str) -> None:
        step = self.state.step + 1
        base = self.base(self.state.base.get("stable", {}), step)
        self.write(self.steps[step], replace(self.state, step=step, elapsed=0.0, base=base))
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


def mirrored(state: State) -> bool:
    """Whether the canary gets a copy of every request: a shadow whose pods are ready."""
    return state.strategy == "shadow" and state.phase == "running" and state.step >= 0


def passed(state: State, env: str) -> int:
    """Say what follows a rollout that passed; exit code 0."""
    print(f"canary: model {state.model[:16]} passed: `make promote ENV={env}` makes it stable")
    print(f"canary: to undo it: make rollback ENV={env}")
    return 0


def ended(space: str, env: str, state: State) -> int:
    """What follows an abort: the pods go, and people are told, once; ABORTED.

    Killed in between, the next `make canary` does the rest.
    """
    scale_down(space)
    if not state.told:
        champion.abort(state.model, state.reason)
        name = cluster.project()
        notify.send(f"{name}: {env}: rollout of model {state.model[:16]} aborted: {state.reason}")
        route.note(space, state, replace(state, told=True))
    return ABORTED


def scale_down(space: str) -> None:
    """No pods of the canary: for a release that is not tried any more."""
    name = f"{cluster.project()}-canary"
    cluster.ask("scale", "deployment", name, "--replicas=0", "--namespace", space)
