"""What an experiment found, from its exposures and outcomes. No I/O."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from ..settings.config import InputError
from ..tables import small
from . import effects
from .experiment_plan import Plan
from .exposure import Seen
from .lines import Left

UNEVEN = 0.001  # p-value of the sample ratio below which the arms are not comparable
MIXED = 0.01  # share of units that may have seen both arms
Values = dict[str, np.ndarray]  # by metric, of one arm: (n,)


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
        f"arm {arm}: {text(found['outcomes'][arm])} of {needed:,} units have an outcome"
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
    judged = _effects(plan, a, b)
    return found | (judged if min(with_outcome.values()) >= least else _quiet(judged))


def text(value: Any) -> str:
    """A count, a name, or several of them, for people."""
    if isinstance(value, dict):
        return ", ".join(f"{key}: {text(part)}" for key, part in value.items())
    if isinstance(value, list):
        return ", ".join(map(text, value))
    return f"{value:,}" if isinstance(value, int) else str(value)


def _quiet(judged: dict[str, Any]) -> dict[str, Any]:
    """The verdicts of arms of few units, without their figures."""
    kept = ("metric", "margin", "verdict")
    rows = {
        part: [{key: row[key] if key in kept else None for key in row} for row in judged[part]]
        for part in ("metrics", "guard")
    }
    broken = [row["metric"] for row in judged["guard"] if row["verdict"] != "holds"]
    return judged | rows | {"reasons": [f"guardrail {name} does not hold" for name in broken]}


def _incomparable(plan: Plan, found: dict[str, Any], units: int) -> list[str]:
    """Why a difference between the arms of so many units would say nothing."""
    reasons = [
        f"{stage}: {text(found[stage]['a'])} units of a and {text(found[stage]['b'])} of b are not "
        f"the planned share {plan.share:g} of b (p = {p:.1g}): find what loses units of one arm"
        for stage, p in found["ratio"].items()
        if p < UNEVEN
    ]
    mixed = found["both_arms"]
    if mixed > MIXED * units:
        reasons.append(f"{mixed:,} of {units:,} units saw both arms: assignment is not sticky")
    return reasons


def _effects(plan: Plan, a: Values, b: Values) -> dict[str, Any]:
    each = {name: effects.compare(a[name], b[name], plan.alpha) for name in plan.metrics}
    corrected = effects.holm([effect.p for effect in each.values()])
    metrics = []
    for (name, effect), p in zip(each.items(), corrected, strict=True):
        verdict = "no difference" if p >= plan.alpha else "higher" if effect.value > 0 else "lower"
        metrics.append(_row(name, a, b, effect) | {"p": p, "verdict": verdict})
    guard, reasons = [], []
    for name, margin in plan.guard.items():
        effect, held = effects.holds(a[name], b[name], margin, plan.alpha)
        verdict = "holds" if held else "does not hold"
        guard.append(_row(name, a, b, effect) | {"margin": margin, "verdict": verdict})
        if not held:
            limit = effect.high if margin > 0 else effect.low
            reasons.append(f"guardrail {name}: {limit:+.3g} is possible, allowed is {margin:+.3g}")
    wanted = "higher" if plan.effect > 0 else "lower"
    states = {wanted: "better", "no difference": "no difference"}
    state = "refused" if reasons else states.get(metrics[0]["verdict"], "worse")
    return {"metrics": metrics, "guard": guard, "reasons": reasons, "state": state}


def _row(name: str, a: Values, b: Values, effect: effects.Effect) -> dict[str, Any]:
    if not all(map(math.isfinite, effect)):
        raise InputError(
            f"DATA: the values of {name!r} are too large or too small to compare: give them in "
            f"another unit"
        )
    row = {"metric": name, "a": float(a[name].mean()), "b": float(b[name].mean())}
    return row | {"effect": effect.value, "low": effect.low, "high": effect.high}
