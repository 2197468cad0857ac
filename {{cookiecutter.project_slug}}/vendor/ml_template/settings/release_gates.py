"""The parts of gates.yaml that judge a release in a load test or in a cluster, and no candidate."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from .strict import Share, Strict


def _not_negative(value: float) -> float:
    if not 0 <= value < math.inf:
        raise ValueError("must be a finite number, 0 or more")
    return value


Positive = Annotated[float, AfterValidator(_not_negative)]
Ratio = Annotated[float, Field(ge=1), AfterValidator(_not_negative)]
Rows = Annotated[int, Field(ge=1)]
Percent = Annotated[int, Field(ge=1, le=100)]


class Load(Strict):
    """What the service must hold in a load test; an older gates.yaml may lack it."""

    max_p95_ms: Positive = 50.0
    max_p99_ms: Positive = 100.0
    max_error_rate: Share = 0.0
    min_requests_per_second: Positive = 100.0


class Times(Strict):
    """Seconds of a step of a rollout: at least `step`, aborted at `deadline`."""

    step: Positive
    deadline: Positive


class Rollout(Strict):
    """Shares of the traffic (per cent) a canary takes one after another, and when it may go on."""

    steps: Annotated[tuple[Percent, ...], Field(strict=False)] = (5, 25, 50, 100)
    seconds: Times = Times(step=120, deadline=1800)
    min_requests: Rows = 200
    promote: bool = False  # what passed becomes stable and champion at once

    @model_validator(mode="after")
    def _rising(self) -> Rollout:
        if list(self.steps) != sorted(set(self.steps)) or self.steps[-1:] != (100,):
            raise ValueError("steps must rise and end with 100")
        if self.seconds.deadline <= self.seconds.step:
            raise ValueError("seconds: deadline must be longer than step")
        return self


class Ratios(Strict):
    """How many times as much as stable a canary may need."""

    p99: Ratio
    memory: Ratio


class Canary(Strict):
    """How much worse than stable is too much; `alpha`: healthy canaries that may be aborted."""

    alpha: Annotated[float, Field(gt=0, le=0.5)] = 0.01
    ratios: Ratios = Ratios(p99=2.0, memory=2.0)
    max_psi: Positive = 0.25
