"""abtest: an experiment, planned before it begins, judged once its planned size is reached.

experiment.json is the plan: commit it before a unit is exposed. Its arm is a hash (effects.arm).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from ..settings.config import CONFIG_FILE, InputError, Report, load_config
from ..storage.files import locked, write_json, write_text
from ..tables import small
from . import effects, experiment_page
from .experiment_plan import PLAN, Plan, load_plan, log, note_verdict, write_plan
from .exposure import Seen, add, exposures, lines, outcomes
from .join import alike, few, hardly
from .lines import Left

REPORT = Path("reports/experiment.json")
PAGE = Path("reports/experiment.html")
DONE, BETTER, STAY, TOO_EARLY = 0, 0, 3, 4
CODES = {"better": BETTER, "too early": TOO_EARLY}  # of all other states STAY
UNEVEN = 0.001  # p-value of the sample ratio below which the arms are not comparable
MIXED = 0.01  # share of units that may have seen both arms
# what is given: what may be given with it
WORDS = {
    "EFFECT": {"EXPERIMENT", "METRICS", "GUARD", "BASE", "SD", "POWER", "ALPHA", "SHARE"},
    "UNITS": {"LOG"},
    "DATA": {"LOG"},
}
Values = dict[str, dict[str, np.ndarray]]  # arm: metric: values (n,)


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
    plan = write_plan(settings)
    a, b = plan.units.values()
    print(f"abtest: {plan.experiment}: needs {a:,} units of a and {b:,} of b -> {PLAN}: commit it")
    return DONE


def _assign(settings: dict[str, str]) -> int:
    """Add units that are not in the exposure log yet to it: they are exposed from now on."""
    plan, source = load_plan(), Path(settings["UNITS"])
    path = _log(settings, plan)
    left, damaged = Left(), Left()
    units = dict.fromkeys(unit for _, unit, _ in lines(source, ["unit"], left))
    if left.out and not units:
        raise InputError(f"{source} has no unit{left}: name one a line in the column unit")
    with locked(path):  # two that read, then write, would lose the units of one
        known = exposures(path, damaged) if path.exists() else {}
        fresh = [unit for unit in units if unit not in known]
        add(path, ((unit, effects.arm(unit, plan.experiment, plan.share)) for unit in fresh))
    print(
        f"abtest: {len(fresh):,} units added, {len(units) - len(fresh):,} known -> {path}"
        f"{left}{damaged}"
    )
    return DONE


def _judge(settings: dict[str, str]) -> int:
    plan = load_plan()
    if plan.judged:
        print(
            f"abtest: {plan.experiment}: judged at {plan.judged.time}: {plan.judged.state}: this "
            f"stands, judging again with more data is no new evidence. Plan another experiment; "
            f"if DATA was wrong, remove `judged` from {PLAN} and say so in the commit"
        )
        return CODES.get(plan.judged.state, STAY)
    log, source, left = _log(settings, plan), Path(settings["DATA"]), (Left(), Left())
    seen = exposures(log, left[0])
    known = outcomes(source, (*plan.metrics, *plan.guard), left[1])
    for path, units, out in ((log, seen, left[0]), (source, known, left[1])):
        if not units:
            raise InputError(f"{path} has no unit{out}: name one a line in the column unit")
    matched = known.keys() & seen.keys()
    if not matched or hardly(len(matched), len(known), len(seen)):
        raise InputError(
            f"{source}: {few(len(matched), len(known))} units is among the {len(seen):,} in {log}"
            f"{left[1]}{left[0]}: {alike(known.keys() - matched, set(seen))}"
        )
    report = load_config().report if CONFIG_FILE.exists() else Report()  # it needs no model
    found = judge(plan, seen, known, left, report.min_cell)
    write_json(REPORT, found)
    write_text(PAGE, experiment_page.page(found))
    for reason in found["reasons"]:
        print(f"abtest: {reason}")
    strangers = found["not_exposed"]
    note = f"; {strangers:,} units with an outcome were not exposed" if strangers else ""
    print(f"abtest: {plan.experiment}: {found['state']} -> {PAGE}{note}{left[0]}{left[1]}")
    if found["metrics"]:  # an effect was seen: what is seen again is not another experiment
        note_verdict(plan, found["time"], found["state"])
        print(f"abtest: the verdict stands in {PLAN}: commit it")
    return CODES.get(found["state"], STAY)


def judge(
    plan: Plan,
    seen: dict[str, Seen],
    known: dict[str, list[float]],
    left: Sequence[Left] = (),
    least: int = 0,
) -> dict[str, Any]:
    """{state, reasons, metrics, guard, counts}: better, worse, no difference, refused, too early.

    No effect is computed before the planned size is reached: who looks early, and stops when it
    looks well, is wrong more often than alpha. Nor where the arms are not comparable, or where more
    than a few lines were `left` out. Arms of fewer than `least` units are judged, and their figures
    are not shown.
    """
    exposed = Counter(each.arm for each in seen.values())
    mixed = sum(each.both for each in seen.values())
    kept = {unit: each.arm for unit, each in seen.items() if not each.both and unit in known}
    with_outcome = Counter(kept.values())
    found: dict[str, Any] = {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "plan": plan.facts | {"units": plan.units},
        "exposed": {name: exposed[name] for name in "ab"},
        "outcomes": {name: with_outcome[name] for name in "ab"},
        "both_arms": mixed,
        "not_exposed": len(known.keys() - seen.keys()),
        "metrics": [],
        "guard": [],
    }
    reasons = _incomparable(plan, found, least)
    reasons += [f"{one}: correct them".removeprefix("; ") for one in left if one.many]
    for stage in ("exposed", "outcomes"):
        found[stage] = {name: small.count(units, least) for name, units in found[stage].items()}
    if reasons:
        return found | {"state": "refused", "reasons": reasons}
    reasons = [
        f"arm {name}: {_units(with_outcome[name], least)} of {needed:,} units have an outcome"
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
    judged = _effects(plan, values)
    return found | (judged if min(with_outcome.values()) >= least else _quiet(judged))


def _units(count: int, least: int) -> str:
    shown = small.count(count, least)
    return shown if isinstance(shown, str) else f"{shown:,}"


def _quiet(judged: dict[str, Any]) -> dict[str, Any]:
    """The verdicts of arms of few units, without their figures."""
    kept = ("metric", "margin", "verdict")
    rows = {
        part: [{key: row[key] if key in kept else None for key in row} for row in judged[part]]
        for part in ("metrics", "guard")
    }
    broken = [row["metric"] for row in judged["guard"] if row["verdict"] != "holds"]
    return judged | rows | {"reasons": [f"guardrail {name} does not hold" for name in broken]}


def _incomparable(plan: Plan, found: dict[str, Any], least: int) -> list[str]:
    """Why a difference between the arms would say nothing; sets `ratio`, p-value by stage."""
    reasons, found["ratio"] = [], {}
    for stage in ("exposed", "outcomes"):
        counts = found[stage]
        found["ratio"][stage] = p = effects.mismatch(counts["a"], counts["b"], plan.share)
        if p < UNEVEN:
            reasons.append(
                f"{stage}: {_units(counts['a'], least)} units of a and "
                f"{_units(counts['b'], least)} of b are not the planned "
                f"share {plan.share:g} of b (p = {p:.1g}): find what loses units of one arm"
            )
    mixed, all_ = found["both_arms"], sum(found["exposed"].values())
    if mixed > MIXED * all_:
        reasons.append(f"{mixed:,} of {all_:,} units saw both arms: assignment is not sticky")
    return reasons


def _effects(plan: Plan, values: Values) -> dict[str, Any]:
    a, b = values["a"], values["b"]
    each = {name: effects.compare(a[name], b[name], plan.alpha) for name in plan.metrics}
    for name, effect in each.items():
        _finite(name, effect)
    corrected = effects.holm([effect.p for effect in each.values()])
    metrics = []
    for (name, effect), p in zip(each.items(), corrected, strict=True):
        verdict = "no difference" if p >= plan.alpha else "higher" if effect.value > 0 else "lower"
        metrics.append(_row(name, values, effect) | {"p": p, "verdict": verdict})
    guard, reasons = [], []
    for name, margin in plan.guard.items():
        effect, held = effects.holds(a[name], b[name], margin, plan.alpha)
        _finite(name, effect)
        verdict = "holds" if held else "does not hold"
        guard.append(_row(name, values, effect) | {"margin": margin, "verdict": verdict})
        if not held:
            limit = effect.high if margin > 0 else effect.low
            reasons.append(f"guardrail {name}: {limit:+.3g} is possible, allowed is {margin:+.3g}")
    wanted = "higher" if plan.effect > 0 else "lower"
    states = {wanted: "better", "no difference": "no difference"}
    state = "refused" if reasons else states.get(metrics[0]["verdict"], "worse")
    return {"metrics": metrics, "guard": guard, "reasons": reasons, "state": state}


def _finite(name: str, effect: effects.Effect) -> None:
    if not all(map(math.isfinite, effect)):
        raise InputError(
            f"DATA: the values of {name!r} are too large or too small to compare: give them in "
            f"another unit"
        )


def _row(name: str, values: Values, effect: effects.Effect) -> dict[str, Any]:
    means = {key: float(values[key][name].mean()) for key in "ab"}
    return (
        {"metric": name} | means | {"effect": effect.value, "low": effect.low, "high": effect.high}
    )


def _log(settings: dict[str, str], plan: Plan) -> Path:
    return Path(settings["LOG"]) if settings.get("LOG") else log(plan)
