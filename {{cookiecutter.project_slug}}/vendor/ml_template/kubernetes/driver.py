"""The driver of a rollout: looks, decides, moves the share, and ends what must not go on."""

from __future__ import annotations

import time
from dataclasses import replace

from ..operations import notify
from ..operations.evidence import Counts
from ..outside.screen import say
from ..settings.config import InputError
from ..settings.gates import Gates, Rollout
from . import cluster, counts, ending, route
from .ending import said, unhindered
from .route import Route, Shares, State
from .steps import Decision, decide
from .watch import Watch

# stable answers 1 % until it is promoted: times are compared with those of the same minutes
MOST = 99
USUAL = "usual"  # in the state's base: how long stable took when it had nearly all requests


class Driver:
    """One process that drives a rollout; `drive` ends it or says why it cannot.

    However it ends, that is said, and stands in the route where the API server takes it.
    """

    def __init__(
        self, env: str, gates: Gates, rollout: Rollout, steps: Shares, now: Route, state: State
    ) -> None:
        self.env, self.gates, self.rollout, self.steps = env, gates, rollout, steps
        self.route, self.state = now, state
        self.asked: set[int] = set()  # shares that may have been written without an answer
        self.pause = pause(rollout)
        self.seen = counts.Look()
        self.watch = Watch()
        self.answered = Counts({})  # of stable, since the step began
        self.alarmed = False  # people know that an abort cannot be written

    def drive(self, share: int) -> int:
        """From `share` until the last step is passed (0) or the rollout is aborted (3).

        An interrupt (Ctrl-C, SIGTERM) leaves it to the next driver, with everyone at stable.
        Raises ConflictError where another one began to drive meanwhile, and InputError where
        somebody else drives, or where the abort cannot be written.
        """
        try:
            self.take(share)
            self.say("resumed" if self.state.step >= 0 else "started")
            while (code := self.turn()) is None:
                last = time.monotonic()
                time.sleep(self.pause)
                self.passes(time.monotonic() - last)
        except KeyboardInterrupt:
            self.interrupted()
            raise
        return code

    def take(self, share: int) -> None:
        """Become the only one who may write; raises ConflictError where the route was changed.

        Where that is not answered well again and again, it is left to the turns.
        """
        self.asked.add(share)
        for _ in range(cluster.TRIES):
            try:
                self.route = route.write(self.route, share, self.state)
            except cluster.ConflictError:  # also where it was written, and not answered
                raise
            except Exception as error:
                self.say(f"not done: {said(error)}")
                time.sleep(self.pause)
            else:
                self.asked = set()
                return

    def turn(self) -> int | None:
        """Look, decide and do it; the exit code where the rollout ends with it."""
        begin, decision = time.monotonic(), self.judged()
        try:
            return self.act(decision)
        except route.TakenOverError:
            raise
        except route.DamagedError as error:
            self.route = error.route
            self.state = replace(self.state, phase="aborted", reason=ending.DAMAGED)
        except Exception as error:  # what was decided is decided again
            self.say(f"not done: {said(error)}")
            if decision.verdict == "abort":
                self.unwritten(said(error))
        finally:
            self.passes(time.monotonic() - begin)
        return None

    def passes(self, seconds: float) -> None:
        self.state = replace(self.state, elapsed=self.state.elapsed + max(seconds, 0.0))

    def act(self, decision: Decision) -> int | None:
        """Write what was decided; the exit code where the rollout ends with it."""
        if decision.verdict == "abort":
            return self.abort(decision)
        if decision.verdict == "promote" and self.state.step + 1 == len(self.steps):
            self.write(self.route.weight, replace(self.state, phase="passed", base={}))
            self.say(f"passed: {decision.reason}")
            return 0
        if decision.verdict == "promote":
            self.advance(decision.reason)
        else:
            self.write(self.route.weight, self.state)
            self.say(f"hold: {decision.reason}")
        return None

    def judged(self) -> Decision:
        """What to do now; what cannot be read or judged is no data: held until the deadline."""
        try:
            return self.judge()
        except Exception as error:
            reason, deadline = f"no data: {said(error)}", self.rollout.seconds.deadline
            if self.state.elapsed < deadline:
                return Decision("hold", reason)
            return Decision("abort", f"not decided within {deadline:g} seconds: {reason}")

    def judge(self) -> Decision:
        if self.state.phase == "aborted":  # what follows an abort did not go through
            return Decision("abort", self.state.reason, self.state.evidence)
        self.seen = counts.look(self.route.space, self.state)
        if self.seen.unread:
            self.say(f"no labels: {self.seen.unread}")
        if not self.state.base:
            self.state = replace(self.state, base={"stable": counts.kept(self.seen.stable)})
        base = self.state.base
        stable, mine = self.seen.since(base)
        self.answered = stable
        times = usual(self.state, self.steps)
        found = decide(stable, mine, self.gates, self.state.elapsed, times)
        if fault := self.watch.fault(self.seen, self.state):
            return Decision("abort", fault)
        if self.state.step < 0 and found.verdict != "abort":
            return self.ready(len(self.seen.canary), stable.of(""))
        if found.verdict == "hold" and self.seen.began_anew(base):
            self.state = replace(self.state, base=self.base(self.state.step, {}))
        return found

    def ready(self, count: int, answers: float) -> Decision:
        """Whether the pods of the canary are there, and stable gave enough `answers` to compare.

        The deadline is that of `decide`.
        """
        name = f"{cluster.project()}-canary"
        wanted = cluster.get("deployment", name, self.route.space)["spec"].get("replicas", 0)
        if not wanted or count < wanted:
            return Decision("hold", f"{count} of {wanted} pods are ready")
        least = self.rollout.min_requests
        if self.steps[0] == MOST and answers < least:
            return Decision("hold", f"{answers:.0f} of {least} answers of stable before the switch")
        return Decision("promote", f"{count} pods are ready")

    def base(self, step: int, before: counts.Pods) -> dict[str, counts.Pods]:
        """The counters that `step` begins with; see `Look.begins`."""
        last = step >= 0 and self.steps[step] == MOST
        usual = {USUAL: self.state.base.get(USUAL, {})}
        return usual | self.seen.begins(before if last else None)

    def advance(self, reason: str) -> None:
        step = self.state.step + 1
        base = self.base(step, self.state.base.get("stable", {}))
        times = self.answered.seconds
        if step <= 1 and min(times.values(), default=-1.0) >= 0:  # none where a pod began anew
            # in the steps before stable had all requests, or nearly all
            base[USUAL] = {"": {str(edge): n for edge, n in times.items()}}
        self.write(self.steps[step], replace(self.state, step=step, elapsed=0.0, base=base))
        copied = ", mirrored" if self.state.strategy == "shadow" else ""
        self.say(f"promote: {reason}; now at {self.steps[step]} %{copied}")

    def abort(self, decision: Decision) -> int:
        """Everyone back to stable first; then people are told, once, and the pods go."""
        reason, evidence = decision.reason, decision.evidence
        over = replace(self.state, phase="aborted", reason=reason, evidence=evidence, base={})
        self.write(0, over)
        self.say(f"abort: {reason}; everyone is at stable again")
        if not self.state.told:
            ending.tell(self.env, self.state)
            self.state = replace(self.state, told=True)
            self.write(0, self.state)
        ending.scale_down(self.route.space)
        return ending.ABORTED

    def unwritten(self, why: str) -> None:
        """An abort does not go through: people are told once where it does not stand in the route,
        and it is tried as long again as a step may take; then raises InputError.
        """
        model, share = self.state.model[:16], max(self.route.weight, *self.asked, 0)
        text = f"the pods of the aborted model {model} stay: {why}"
        if self.route.state is None or self.route.state.phase != "aborted":
            text = f"the abort of model {model} is not written, it may get {share} %: {why}"
            if not self.alarmed:
                notify.send(f"{cluster.project()}: {self.env}: {text}")
            self.alarmed = True
        if self.state.elapsed >= 2 * self.rollout.seconds.deadline:
            raise InputError(f"canary: {text}: `make rollback ENV={self.env}`")

    def interrupted(self) -> None:
        """Nobody watches until the next driver: everyone is at stable until then."""
        how = "everyone is at stable"
        with unhindered():
            try:
                if self.state.phase == "running":
                    self.leave()
            except Exception as error:
                share = max(self.route.weight, *self.asked, 0)
                how = f"{share} % may still go to the canary: {said(error)}"
            how = f"interrupted: {how} until `make canary ENV={self.env}` goes on"
            self.say(how)
            notify.send(f"{cluster.project()}: {self.env}: model {self.state.model[:16]}: {how}")

    def leave(self) -> None:
        """Everyone to stable, with the counters if they are not what cannot be written."""
        state = replace(self.state, phase="interrupted")
        try:
            self.write(0, state)
        except cluster.NoAnswerError:
            self.write(0, replace(state, base={}))

    def write(self, weight: int, state: State) -> None:
        self.asked.add(weight)
        self.route = route.change(self.route, weight, state, self.asked)
        self.asked, self.state = set(), state

    def say(self, text: str) -> None:
        clock, model = time.strftime("%H:%M:%S"), self.state.model[:16]
        say(f"{clock} canary: {model} {self.route.weight:>3} %: {text}")


def usual(state: State, steps: Shares) -> dict[float, float] | None:
    """In a last step, where stable is all but idle: how long it took when it carried the load."""
    if state.step not in range(len(steps)) or steps[state.step] != MOST:
        return None
    return {float(edge): n for edge, n in state.base.get(USUAL, {}).get("", {}).items()}


def pause(rollout: Rollout) -> float:
    """Seconds between two looks."""
    return min(max(rollout.seconds.step / 24, 0.25), 5.0)
