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

from ..outside import html
from ..settings.config import CONFIG_FILE, InputError, load_config
from ..settings.oversight import Report
from ..storage.files import locked, write_json, write_text
from ..tables import small
from . import effects, experiment_plan, pages
from .experiment_plan import PLAN, Plan, Seen
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
STYLES = {"better": "steady", "holds": "steady"} | dict.fromkeys(
    ("worse", "refused", "does not hold"), "alarm"
)
Values = dict[str, np.ndarray]  # by metric, of one arm: (n,)


def run(settings: dict[str, Any]) -> int:
    """EFFECT=... plans, UNITS=units.csv assigns, DATA=outcomes.csv judges.

    Exit code of the last: BETTER; STAY (worse, no difference, not comparable, a guardrail that does
    not hold); TOO_EARLY. Raises InputError naming file, column or key, and the remedy.
    """
    given = settings.keys()
    words = given & set(WORDS)
    if len(words) != 1:
        raise InputError("abtest needs EFFECT= (plan), UNITS= (assign) or DATA= (judge), one")
    (word,) = words
    extra = given - {word} - WORDS[word]
    if extra:
        raise InputError(f"abtest: {min(extra)}= does not go with {word}=: leave it out")
    return {"EFFECT": _plan, "UNITS": _assign, "DATA": _judge}[word](settings)


def _plan(settings: dict[str, Any]) -> int:
    plan = experiment_plan.write_plan(settings)
    a, b = plan.units.values()
    print(f"abtest: {plan.experiment}: needs {a:,} units of a and {b:,} of b -> {PLAN}: commit it")
    return DONE


def _assign(settings: dict[str, Any]) -> int:
    """Add units that are not in the exposure log yet to it: they are exposed from now on."""
    plan, source = experiment_plan.load_plan(), Path(settings["UNITS"])
    path, left, damaged = Path(settings.get("LOG") or plan.log), Left(), Left()
    units = dict.fromkeys(unit for _, unit, _ in experiment_plan.lines(source, ["unit"], left))
    if left.out and not units:
        raise _empty(source, left)
    with locked(path):  # two that read, then write, would lose the units of one
        known = experiment_plan.exposures(path, damaged) if path.exists() else {}
        fresh = [unit for unit in units if unit not in known]
        experiment_plan.add(path, plan, fresh)
    print(
        f"abtest: {len(fresh):,} units added, {len(units) - len(fresh):,} known -> {path}"
        f"{left}{damaged}"
    )
    return DONE


def _judge(settings: dict[str, Any]) -> int:
    plan = experiment_plan.load_plan()
    if plan.judged:
        print(
            f"abtest: {plan.experiment}: judged at {plan.judged.time}: {plan.judged.state}: this "
            f"stands, judging again with more data is no new evidence. Plan another experiment; "
            f"if DATA was wrong, remove `judged` from {PLAN} and say so in the commit"
        )
        return CODES.get(plan.judged.state, STAY)
    path, source = Path(settings.get("LOG") or plan.log), Path(settings["DATA"])
    left = Left(), Left()
    seen = experiment_plan.exposures(path, left[0])
    known = experiment_plan.outcomes(source, (*plan.metrics, *plan.guard), left[1])
    for file, units, out in ((path, seen, left[0]), (source, known, left[1])):
        if not units:
            raise _empty(file, out)
    matched = known.keys() & seen.keys()
    if hardly(len(matched), len(known), len(seen)):
        raise InputError(
            f"{source}: {few(len(matched), len(known))} units is among the {len(seen):,} in {path}"
            f"{left[1]}{left[0]}: {alike(known.keys() - matched, set(seen))}"
        )
    report = load_config().report if CONFIG_FILE.exists() else Report()  # it needs no model
    found = judge(plan, seen, known, left, report.min_cell)
    write_json(REPORT, found)
    write_text(PAGE, _page(found))
    for reason in found["reasons"]:
        print(f"abtest: {reason}")
    strangers = found["not_exposed"]
    note = f"; {strangers:,} units with an outcome were not exposed" if strangers else ""
    print(f"abtest: {plan.experiment}: {found['state']} -> {PAGE}{note}{left[0]}{left[1]}")
    if found["metrics"]:  # an effect was seen: what is seen again is not another experiment
        write_json(PLAN, plan.facts | {"judged": {key: found[key] for key in ("time", "state")}})
        print(f"abtest: the verdict stands in {PLAN}: commit it")
    return CODES.get(found["state"], STAY)


def _empty(path: Path, left: Left) -> InputError:
    return InputError(f"{path} has no unit{left}: name one a line in the column unit")


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
    kept = {unit: each.arm for unit, each in seen.items() if not each.both and unit in known}
    counts = {"exposed": Counter(each.arm for each in seen.values())}
    counts["outcomes"] = with_outcome = Counter(kept.values())
    ratio = {at: effects.mismatch(n["a"], n["b"], plan.share) for at, n in counts.items()}
    found: dict[str, Any] = {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "plan": plan.facts | {"units": plan.units},
        "both_arms": sum(each.both for each in seen.values()),
        "not_exposed": len(known.keys() - seen.keys()),
        "metrics": [],
        "guard": [],
        "ratio": ratio,
    }
    for stage, units in counts.items():
        found[stage] = {arm: small.count(units[arm], least) for arm in "ab"}
    reasons = _incomparable(plan, found, len(seen))
    reasons += [f"{one}: correct them".removeprefix("; ") for one in left if one.many]
    if reasons:
        return found | {"state": "refused", "reasons": reasons}
    reasons = [
        f"arm {arm}: {_text(found['outcomes'][arm])} of {needed:,} units have an outcome"
        for arm, needed in plan.units.items()
        if with_outcome[arm] < needed
    ]
    if reasons:
        return found | {"state": "too early", "reasons": reasons}
    names = (*plan.metrics, *plan.guard)
    a, b = (
        dict(zip(names, np.array([known[u] for u in kept if kept[u] == arm]).T, strict=True))
        for arm in "ab"
    )
    return found | _effects(plan, a, b, min(with_outcome.values()) >= least)


def _text(value: Any) -> str:
    """A count, a name, or several of them, for people."""
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_text(part)}" for key, part in value.items())
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    return f"{value:,}" if isinstance(value, int) else str(value)


def _incomparable(plan: Plan, found: dict[str, Any], units: int) -> list[str]:
    """Why a difference between the arms of so many units would say nothing."""
    reasons = [
        f"{stage}: {_text(found[stage]['a'])} units of a and {_text(found[stage]['b'])} of b are "
        f"not the planned share {plan.share:g} of b (p = {p:.1g}): find what loses units of one arm"
        for stage, p in found["ratio"].items()
        if p < UNEVEN
    ]
    mixed = found["both_arms"]
    if mixed > MIXED * units:
        reasons.append(f"{mixed:,} of {units:,} units saw both arms: assignment is not sticky")
    return reasons


def _effects(plan: Plan, a: Values, b: Values, shown: bool) -> dict[str, Any]:
    """The verdicts, with their figures where those are to be `shown`."""
    each = {name: effects.compare(a[name], b[name], plan.alpha) for name in plan.metrics}
    corrected = effects.holm([effect.p for effect in each.values()])
    metrics = []
    for (name, effect), p in zip(each.items(), corrected, strict=True):
        verdict = "no difference" if p >= plan.alpha else "higher" if effect.value > 0 else "lower"
        row = _row(name, a, b, effect, shown)
        metrics.append(row | {"p": p if shown else None, "verdict": verdict})
    guard, reasons = [], []
    for name, margin in plan.guard.items():
        effect, held = effects.holds(a[name], b[name], margin, plan.alpha)
        verdict = "holds" if held else "does not hold"
        row = _row(name, a, b, effect, shown)
        guard.append(row | {"margin": margin, "verdict": verdict})
        if not held:
            limit = effect.high if margin > 0 else effect.low
            why = f": {limit:+.3g} is possible, allowed is {margin:+.3g}"
            reasons.append(f"guardrail {name}{why if shown else ' does not hold'}")
    wanted = "higher" if plan.effect > 0 else "lower"
    states = {wanted: "better", "no difference": "no difference"}
    state = "refused" if reasons else states.get(metrics[0]["verdict"], "worse")
    return {"metrics": metrics, "guard": guard, "reasons": reasons, "state": state}


def _row(name: str, a: Values, b: Values, effect: effects.Effect, shown: bool) -> dict[str, Any]:
    if not all(map(math.isfinite, effect)):
        raise InputError(
            f"DATA: the values of {name!r} are too large or too small to compare: give them in "
            f"another unit"
        )
    figures = {"a": float(a[name].mean()), "b": float(b[name].mean()), "effect": effect.value}
    figures |= {"low": effect.low, "high": effect.high}
    is_share = all(np.isin(arm[name], (0, 1)).all() for arm in (a, b))
    return {"metric": name, "share": is_share} | (figures if shown else dict.fromkeys(figures))


def _page(found: dict[str, Any]) -> str:
    """The page of one judgement, in the style of the page of monitoring."""
    plan = found["plan"]
    values = {"found": found, "plan": plan, "styles": STYLES, "text": _text}
    values |= {"said": pages.sentence(found), "metrics": pages.effects(found["metrics"], "p")}
    values |= {"guard": pages.effects(found["guard"], "margin")}
    return html.page("operations/abtest.html", title=f"Experiment {plan['experiment']}", **values)
