"""abtest: an experiment, planned before it begins, judged once its planned size is reached.

experiment.json is the plan: commit it before a unit is exposed. Its arm is a hash (effects.arm).
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field, ValidationError, model_validator

from ..config import InputError, Names, Number, Strict, explain
from ..files import read_json, write_json, write_text
from . import effects, experiment_page
from .exposure import Seen, add, exposures, lines, number, outcomes

PLAN = Path("experiment.json")
REPORT = Path("reports/experiment.json")
PAGE = Path("reports/experiment.html")
DONE, BETTER, STAY, TOO_EARLY = 0, 0, 3, 4
UNEVEN = 0.001  # p-value of the sample ratio below which the arms are not comparable
MIXED = 0.01  # share of units that may have seen both arms
# what is given: what may be given with it
WORDS = {
    "EFFECT": {"EXPERIMENT", "METRICS", "GUARD", "BASE", "SD", "POWER", "ALPHA", "SHARE"},
    "UNITS": {"LOG"},
    "DATA": {"LOG"},
}
Values = dict[str, dict[str, np.ndarray]]  # arm: metric: values (n,)


class Plan(Strict):
    """What is asked, written down before. The first of `metrics` is the one `effect` is about.

    `effect`: smallest difference b - a worth finding; its sign says what is better. `base`: today's
    proportion, or `sd`: standard deviation of a unit. `guard`: margin by metric, see effects.holds.
    `share` of the units get b. `units`: how many of each arm are needed.
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


def run(settings: dict[str, str]) -> int:
    """EFFECT=... plans, UNITS=units.csv assigns, DATA=outcomes.csv judges.

    Exit code of the last: BETTER; STAY (worse, no difference, not comparable, a guardrail that does
    not hold); TOO_EARLY. Raises InputError naming file, column or key, and the remedy.
    """
    given = {name for name, value in settings.items() if value}
    words = given & set(WORDS)
    if len(words) != 1:
        raise InputError("abtest needs EFFECT= (plan), UNITS= (assign) or DATA= (judge), one")
    (word,) = words
    extra = given - {word} - WORDS[word]
    if extra:
        raise InputError(f"abtest: {min(extra)}= does not go with {word}=: leave it out")
    return {"EFFECT": _plan, "UNITS": _assign, "DATA": _judge}[word](settings)


def _plan(settings: dict[str, str]) -> int:
    plan = _read_plan(settings)
    if PLAN.exists():
        old = load_plan()
        if old.experiment == plan.experiment and old != plan:
            raise InputError(
                f"{PLAN}: {plan.experiment!r} has another plan, and a plan is not changed once "
                f"units are exposed: give it another name, or remove the file if none were"
            )
    write_json(PLAN, plan.model_dump(mode="json", exclude_none=True))
    a, b = plan.units.values()
    print(f"abtest: {plan.experiment}: needs {a:,} units of a and {b:,} of b -> {PLAN}: commit it")
    return DONE


def _read_plan(settings: dict[str, str]) -> Plan:
    fields: dict[str, Any] = {"experiment": settings.get("EXPERIMENT", "")}
    fields["metrics"] = tuple(_split(settings.get("METRICS")))
    guards = [text.rpartition(":") for text in _split(settings.get("GUARD"))]
    fields["guard"] = {name: number(f"GUARD={name}", margin) for name, _, margin in guards}
    for key in ("EFFECT", "BASE", "SD", "POWER", "ALPHA", "SHARE"):
        if settings.get(key):
            fields[key.lower()] = number(key, settings[key])
    try:
        return Plan.model_validate(fields)
    except ValidationError as error:
        raise explain(Path("abtest"), error) from None


def load_plan() -> Plan:
    """The plan in experiment.json; raises InputError where it is missing or damaged."""
    try:
        return Plan.model_validate(read_json(PLAN, "plan first: make abtest EFFECT=..."))
    except ValidationError as error:
        raise explain(PLAN, error) from None


def _assign(settings: dict[str, str]) -> int:
    """Add units that are not in the exposure log yet to it: they are exposed from now on."""
    plan, source = load_plan(), Path(settings["UNITS"])
    log = _log(settings, plan)
    known = exposures(log) if log.exists() else {}
    units = dict.fromkeys(unit for _, unit, _ in lines(source, ["unit"]))
    fresh = [unit for unit in units if unit not in known]
    add(log, ((unit, effects.arm(unit, plan.experiment, plan.share)) for unit in fresh))
    print(f"abtest: {len(fresh):,} units added, {len(units) - len(fresh):,} known -> {log}")
    return DONE


def _judge(settings: dict[str, str]) -> int:
    plan = load_plan()
    found = judge(
        plan,
        exposures(_log(settings, plan)),
        outcomes(Path(settings["DATA"]), (*plan.metrics, *plan.guard)),
    )
    write_json(REPORT, found)
    write_text(PAGE, experiment_page.page(found))
    for reason in found["reasons"]:
        print(f"abtest: {reason}")
    print(f"abtest: {plan.experiment}: {found['state']} -> {PAGE}")
    return {"better": BETTER, "too early": TOO_EARLY}.get(found["state"], STAY)


def judge(plan: Plan, seen: dict[str, Seen], known: dict[str, list[float]]) -> dict[str, Any]:
    """{state, reasons, metrics, guard, counts}: better, worse, no difference, refused, too early.

    No effect is computed before the planned size is reached: who looks early, and stops when it
    looks well, is wrong more often than alpha. Nor where the arms are not comparable.
    """
    exposed = Counter(each.arm for each in seen.values())
    mixed = sum(each.both for each in seen.values())
    kept = {unit: each.arm for unit, each in seen.items() if not each.both and unit in known}
    with_outcome = Counter(kept.values())
    found: dict[str, Any] = {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "plan": plan.model_dump(mode="json", exclude_none=True) | {"units": plan.units},
        "exposed": {name: exposed[name] for name in "ab"},
        "outcomes": {name: with_outcome[name] for name in "ab"},
        "both_arms": mixed,
        "not_exposed": len(known.keys() - seen.keys()),
        "metrics": [],
        "guard": [],
    }
    reasons = _incomparable(plan, found)
    if reasons:
        return found | {"state": "refused", "reasons": reasons}
    reasons = [
        f"arm {name}: {with_outcome[name]:,} of {needed:,} units have an outcome"
        for name, needed in plan.units.items()
        if with_outcome[name] < needed
    ]
    if reasons:
        return found | {"state": "too early", "reasons": reasons}
    names = (*plan.metrics, *plan.guard)
    values = {
        name: dict(zip(names, np.array([known[u] for u in kept if kept[u] == name]).T, strict=True))
        for name in "ab"
    }
    return found | _effects(plan, values)


def _incomparable(plan: Plan, found: dict[str, Any]) -> list[str]:
    """Why a difference between the arms would say nothing; sets `ratio`, p-value by stage."""
    reasons, found["ratio"] = [], {}
    for stage in ("exposed", "outcomes"):
        counts = found[stage]
        found["ratio"][stage] = p = effects.mismatch(counts["a"], counts["b"], plan.share)
        if p < UNEVEN:
            reasons.append(
                f"{stage}: {counts['a']:,} units of a and {counts['b']:,} of b are not the planned "
                f"share {plan.share:g} of b (p = {p:.1g}): find what loses units of one arm"
            )
    mixed, all_ = found["both_arms"], sum(found["exposed"].values())
    if mixed > MIXED * all_:
        reasons.append(f"{mixed:,} of {all_:,} units saw both arms: assignment is not sticky")
    return reasons


def _effects(plan: Plan, values: Values) -> dict[str, Any]:
    a, b = values["a"], values["b"]
    each = {name: effects.compare(a[name], b[name], plan.alpha) for name in plan.metrics}
    corrected = effects.holm([effect.p for effect in each.values()])
    metrics = []
    for (name, effect), p in zip(each.items(), corrected, strict=True):
        verdict = "no difference" if p >= plan.alpha else "higher" if effect.value > 0 else "lower"
        metrics.append(_row(name, values, effect) | {"p": p, "verdict": verdict})
    guard, reasons = [], []
    for name, margin in plan.guard.items():
        effect, held = effects.holds(a[name], b[name], margin, plan.alpha)
        verdict = "holds" if held else "does not hold"
        guard.append(_row(name, values, effect) | {"margin": margin, "verdict": verdict})
        if not held:
            limit = effect.high if margin > 0 else effect.low
            reasons.append(f"guardrail {name}: {limit:+.3g} is possible, allowed is {margin:+.3g}")
    wanted = "higher" if plan.effect > 0 else "lower"
    states = {wanted: "better", "no difference": "no difference"}
    state = "refused" if reasons else states.get(metrics[0]["verdict"], "worse")
    return {"metrics": metrics, "guard": guard, "reasons": reasons, "state": state}


def _row(name: str, values: Values, effect: effects.Effect) -> dict[str, Any]:
    means = {key: float(values[key][name].mean()) for key in "ab"}
    return (
        {"metric": name} | means | {"effect": effect.value, "low": effect.low, "high": effect.high}
    )


def _log(settings: dict[str, str], plan: Plan) -> Path:
    return Path(settings.get("LOG") or f"data/exposures-{plan.experiment}.csv")


def _split(text: str | None) -> list[str]:
    return [part.strip() for part in (text or "").split(",") if part.strip()]
