"""The plan of an experiment, committed before a unit is exposed; exposures, and what came later."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field, ValidationError, model_validator

from ..settings.categories import category
from ..settings.config import InputError, Names, Number, Strict, explain
from ..storage.files import new_file, read_json, write_json
from ..tables import numerals
from . import effects
from .lines import Left, records

PLAN = Path("experiment.json")
MOST = 10**10  # units of an arm: there are not so many people
COLUMNS = ["unit", "arm", "time"]  # of the exposure log


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
    def log(self) -> Path:
        """Where its units are exposed, unless LOG= says otherwise."""
        return Path(f"data/exposures-{self.experiment}.csv")

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
    if old and old.experiment == plan.experiment:
        if old.model_copy(update={"judged": None}) != plan:
            raise InputError(
                f"{PLAN}: {plan.experiment!r} has another plan, and a plan is not changed once "
                f"units are exposed: give it another name, or remove the file if none were"
            )
        return old
    if old and old.log.exists() and not old.judged:
        raise InputError(
            f"{PLAN}: {old.experiment!r} has begun and is not judged: judge it first (DATA=)"
        )
    if plan.log.exists():
        raise InputError(f"{plan.log}: units were exposed by that name before: give it another")
    write_json(PLAN, plan.facts)
    return plan


def _of(settings: dict[str, Any]) -> Plan:
    fields: dict[str, Any] = {"experiment": settings.get("EXPERIMENT", "")}
    fields["metrics"] = tuple(_split(settings.get("METRICS")))
    guards = [text.rpartition(":") for text in _split(settings.get("GUARD"))]
    fields["guard"] = {name: number(f"GUARD={name}", margin) for name, _, margin in guards}
    if len(fields["guard"]) < len(guards):
        raise InputError("GUARD names a column twice: give it one margin")
    for key in ("EFFECT", "BASE", "SD", "POWER", "ALPHA", "SHARE"):
        if key in settings:
            fields[key.lower()] = settings[key]
    return _plan(Path("abtest"), fields)


def _split(text: str | None) -> list[str]:
    return [part.strip() for part in (text or "").split(",") if part.strip()]


class Seen(NamedTuple):
    """What the exposure log says of a unit: its first exposure, and whether it saw both arms."""

    time: datetime
    arm: str
    both: bool


def exposures(log: Path, left: Left) -> dict[str, Seen]:
    """What each unit saw, by the exposure log (unit, arm, time; a line for each exposure)."""
    if not log.is_file():
        raise InputError(f"LOG={log}: there is no exposure log: make abtest UNITS=units.csv")
    seen: dict[str, Seen] = {}
    for where, unit, line in lines(log, COLUMNS, left):
        time = _moment(line["time"])
        if line["arm"] not in ("a", "b"):
            left.note(where, "arm must be a or b")
        elif time is None:
            left.note(where, "time must be like 2026-01-31T12:00:00+00:00")
        else:
            now = Seen(time, line["arm"], False)
            before = seen.setdefault(unit, now)
            first = min(before, now, key=lambda each: each.time)
            seen[unit] = first._replace(both=before.both or before.arm != now.arm)
    return seen


def add(log: Path, plan: Plan, units: Iterable[str]) -> None:
    """Add units with their arms to the log: they are exposed now."""
    time = datetime.now(UTC).isoformat(timespec="seconds")
    kept = [line for _, _, line in lines(log, COLUMNS, Left())] if log.exists() else []
    arms = ((unit, effects.arm(unit, plan.experiment, plan.share)) for unit in units)
    with new_file(log) as new, new.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows([line[name] for name in COLUMNS] for line in kept)
        writer.writerows([*unit, time] for unit in arms)


def outcomes(source: Path, names: Sequence[str], left: Left) -> dict[str, list[float]]:
    """The columns `names` of each unit.

    Raises InputError for a unit that is there twice, and where a sign may separate thousands: large
    values alone would be left out, or read as small ones.
    """
    known: dict[str, list[float]] = {}
    doubts = {name: numerals.Thousands(".") for name in names}
    for where, unit, line in lines(source, ["unit", *names], left):
        if unit in known:
            raise InputError(f"{where}: unit {unit!r} has a line already: sum up to one a unit")
        try:
            known[unit] = [number(name, line[name]) for name in names]
        except InputError as error:
            texts = [line[name].strip() for name in names]
            wrong = [text for text in texts if numerals.number(text, ".") is None]
            if any(numerals.SIGNS.fullmatch(text) for text in wrong):
                raise InputError(f"{where}: {error}") from None
            left.note(where, str(error))
        else:
            for name, doubt in doubts.items():
                doubt.add(line[name].strip())
    for name, doubt in doubts.items():
        if doubt.separates:
            remedy = "write thousands as 1200, decimals as 1.2000"
            raise InputError(numerals.doubtful(source, name, doubt, remedy))
    return known


def lines(
    source: Path, needed: Sequence[str], left: Left
) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Where it is, its unit and all of it, of each line; InputError where a column is missing."""
    if not source.is_file():
        raise InputError(f"{source}: there is no such file")
    for where, line in records(source, needed, left):
        if unit := category(line["unit"].strip()):
            yield where, unit, line
        else:
            left.note(where, "unit is empty")


def number(where: str, text: str) -> float:
    """A finite number, written like 1234.5; raises InputError that begins with `where`."""
    found = numerals.number(text.strip(), ".")
    if found is None or not math.isfinite(found):
        raise InputError(f"{where}: {text!r} is not a number: correct it or leave it out")
    return found


def _moment(text: str) -> datetime | None:
    """A time without an offset is UTC; None where it is no time."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
