"""What a driver needs no count of answers for: that nobody would answer any more."""

from __future__ import annotations

import math

from . import counts
from .route import State

BARE_SECONDS = 10.0  # that a share may have no pod that is ready
MIRROR_EFFECT = 2.0  # seconds until a gateway has read a changed route
MIRROR_SECONDS = 5.0  # without any answer of stable after which a mirror is taken away again


class Watch:
    """What was seen from look to look by one driver in one step."""

    def __init__(self) -> None:
        # seconds into the step, answers of each pod of stable then
        self.heard: tuple[float, dict[str, float]] | None = None
        self.bare: float | None = None  # seconds into the step when no pod of the canary was ready

    def fault(self, seen: counts.Look, state: State) -> str:
        """Why everyone goes back to stable at once; empty where there is no reason."""
        if state.step < 0 or seen.canary:
            self.bare = None
        elif self.bare is None or self.bare > state.elapsed:  # the step is another one
            self.bare = state.elapsed
        if self.bare is not None and state.elapsed - self.bare >= BARE_SECONDS:
            return f"no pod of the canary was ready for {BARE_SECONDS:g} seconds"
        if state.mirrored and self.silenced(seen, state.elapsed):
            # a gateway that does not know the filter answers nobody, and says so in its log only
            return "stable gets no requests: can your gateway RequestMirror?"
        return ""

    def silenced(self, seen: counts.Look, elapsed: float) -> bool:
        """Whether no pod of stable answered for MIRROR_SECONDS once the mirror had taken effect."""
        now = {key: counts.counts({key: pod}, {}).of("") for key, pod in seen.stable.items()}
        if self.heard is None and elapsed >= MIRROR_EFFECT:
            self.heard = (elapsed, now)
        since, before = self.heard or (math.inf, {})
        answered = any(n not in (0, before.get(key)) for key, n in now.items())
        return elapsed - since >= MIRROR_SECONDS and not answered
