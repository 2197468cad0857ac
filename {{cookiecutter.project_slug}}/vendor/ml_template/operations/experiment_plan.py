"""The plan of an experiment: experiment.json, committed before a unit is exposed."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from ..settings.config import InputError, Names, Number, Strict, explain
from ..storage.files import read_json, write_json
from . import effects
from .exposure import number

PLAN = Path("experiment.json")
MOST = 10**10  # units of an arm: there are not so many people


class Judged(Strict):
    """When effects were computed for the first time, and the verdict: it stands."""

    time: str
    state: Literal["better", "worse", "no difference", "refused"]


class Plan(Strict):
    """What is asked, written down before. The first of `metrics` is the one `effect` is about.

    `effect`: smallest difference b - a worth finding; its sign says what is better. `base`: today's
    proportion, or `sd`: standard deviation of a unit. `guard`: margin by metric, see effects.holds.
    `share` of the units get b. `units`: how many of each arm are needed. `judged` comes last.
    """

    experiment: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    metrics: Annotated[Names, Field(min_length=1)]
    guard: dict[str, Number] = Field(default_factory=dict)
    effect: Number
    base: Annotated[float, Field(gt=0, lt=1)] | None = None
    sd: Annotated[Number, Field(gt=0)] | None = None
    power: Annotated[float, Field(ge=0.5, lt=1)] = 0.8
    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    share: Annotated[float, Field(gt=0, lt=1)] = 0.5
    judged: Judged | None = None

    @model_validator(mode="after")
    def _possible(self) -> Plan:
        names = [*self.metrics, *self.guard]
        if len(set(names)) != len(names) or {"", "unit"} & set(names):
            raise ValueError(f"metrics and guard must be different columns, not {names}")
        if self.effect == 0 or 0 in self.guard.values():
            raise ValueError("effect and margins of guard must not be 0")
        if (self.base is None) == (self.sd is None):
            raise ValueError("give base= (a proportion) or sd= (anything else), one of them")
        if self.base is not None and not 0 < self.base + self.effect < 1:
            raise ValueError(f"base + effect is {self.base + self.effect:g}, no proportion")
        if _most(self) > MOST:
            raise ValueError(f"effect {self.effect:g} needs more than {MOST:,} units: too small")
        return self

    @property
    def units(self) -> dict[str, int]:
        """Units needed in each arm: the first step of Holm's correction is allowed for."""
        if self.base is not None:
            after = self.base + self.effect
            variances = (self.base * (1 - self.base), after * (1 - after))
        else:
            variances = ((self.sd or 0.0) ** 2,) * 2
        level = self.alpha / len(self.metrics)
        sizes = effects.sample_size(variances, self.effect, self.share, self.power, level)
        return dict(zip("ab", sizes, strict=True))

    @property
    def facts(self) -> dict[str, Any]:
        """As it stands in experiment.json."""
        return self.model_dump(mode="json", exclude_none=True)


def _most(plan: Plan) -> float:
    try:
        return max(plan.units.values())
    except (ArithmeticError, ValueError):  # floats that overflow
        return math.inf


def load_plan() -> Plan:
    """The plan in experiment.json; raises InputError where it is missing or damaged."""
    return _plan(PLAN, read_json(PLAN, "plan first: make abtest EFFECT=..."))


def _plan(where: Path, fields: Any) -> Plan:
    try:
        return Plan.model_validate(fields)
    except ValidationError as error:
        raise explain(where, error) from None


def write_plan(settings: dict[str, str]) -> Plan:
    """The plan of `settings`, in experiment.json; raises InputError where it cannot be, or where
    the experiment has another one already.
    """
    plan = _of(settings)
    old = load_plan() if PLAN.exists() else None
    if old and old.experiment != plan.experiment and log(old).exists() and not old.judged:
        raise InputError(
            f"{PLAN}: {old.experiment!r} has begun and is not judged: judge it first (DATA=)"
        )
    if (old is None or old.experiment != plan.experiment) and log(plan).exists():
        raise InputError(f"{log(plan)}: units were exposed by that name before: give it another")
    if old and old.experiment == plan.experiment:
        if old.model_copy(update={"judged": None}) != plan:
            raise InputError(
                f"{PLAN}: {plan.experiment!r} has another plan, and a plan is not changed once "
                f"units are exposed: give it another name, or remove the file if none were"
            )
        return old
    write_json(PLAN, plan.facts)
    return plan


def log(plan: Plan) -> Path:
    """Where units of `plan` are exposed, unless LOG= says otherwise."""
    return Path(f"data/exposures-{plan.experiment}.csv")


def _of(settings: dict[str, str]) -> Plan:
    fields: dict[str, Any] = {"experiment": settings.get("EXPERIMENT", "")}
    fields["metrics"] = tuple(_split(settings.get("METRICS")))
    guards = [text.rpartition(":") for text in _split(settings.get("GUARD"))]
    fields["guard"] = {name: number(f"GUARD={name}", margin) for name, _, margin in guards}
    if len(fields["guard"]) < len(guards):
        raise InputError("GUARD names a column twice: give it one margin")
    for key in ("EFFECT", "BASE", "SD", "POWER", "ALPHA", "SHARE"):
        if settings.get(key):
            fields[key.lower()] = number(key, settings[key])
    return _plan(Path("abtest"), fields)


def _split(text: str | None) -> list[str]:
    return [part.strip() for part in (text or "").split(",") if part.strip()]
