"""The gates: each takes the evidence and returns its lines of the verdict."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ...model import forms, measures, shapes
from ...model.lineage import in_ci
from ...settings import gates as rules
from ...settings.gates import Check, compare, line
from .evidence import Evidence, Lines
from .group_checks import fairness, slices
from .threshold import answered


def performance(evidence: Evidence, rule: rules.Performance) -> Lines:
    """Better than the naive model, and above the absolute floors."""
    name = evidence.evaluation.headline
    naive = evidence.evaluation.baseline.get(name)
    limit = None if naive is None else naive + rule.gain
    low = evidence.headline.low
    reason = (
        f"lower end of {name}; the naive model has {naive if naive is None else f'{naive:.4g}'}"
    )
    ranges = measures.ranges(evidence.config)
    found = [_gain(evidence, rule, compare("performance.gain", low, ">=", limit, reason))]
    for metric, floor in rule.floors.items():
        estimate = evidence.evaluation.metrics.get(metric)
        gate = f"performance.floors.{metric}"
        if estimate is None:
            known = ", ".join(measures.known(evidence.config))
            found.append(line(gate, "refused", f"no such metric: choose from {known}"))
        else:
            found.append(compare(gate, estimate.value, ">=", floor, within=ranges[metric]))
    return [*found, *answered(evidence)]


FAR = 0.4  # of the way from the naive model to the best: an error of that size tells little
FAIR_SHARE = 0.15  # of the rows: a smaller hold-out can be made larger


def _gain(evidence: Evidence, rule: rules.Performance, found: Check) -> Check:
    """A refusal of a hold-out that could not show a good model either is no judgement."""
    if found["verdict"] != "refused" or found["limit"] is None:
        return found
    naive = evidence.evaluation.baseline[evidence.evaluation.headline] or 0.0
    _, best = measures.ranges(evidence.config)[evidence.evaluation.headline]
    estimate, data = evidence.headline, evidence.evaluation.data
    far = FAR * (best - naive)
    if estimate.value < naive + rule.gain or estimate.value - estimate.low < far:
        return found
    if data["test"] < FAIR_SHARE * (data["train"] + data["test"]):
        small = f"the hold-out is small: {evidence.config.split.larger}"
        return found | {"reason": f"{found['reason']}; {small}"}
    rows = f"on {evidence.evaluation.rows:,} rows the interval reaches {far:.3g} below the value"
    if rule.accept_too_small:
        return rules.too_small(found, f"{rows} or more; collect more rows")
    setting = rules.setting(rule, "accept_too_small")
    return found | {"reason": f"{found['reason']}; too small to judge: {rows}, {setting}"}


def champion(evidence: Evidence, rule: rules.Champion) -> Lines:
    """Not worse than the champion."""
    rival, gate = evidence.rival, "champion"
    simple: dict[str, rules.Verdict] = {
        "first": "not applicable",
        "same": "passed",
        "other": "not applicable",
        "absent": "warning",
        "turned": "warning",
        "damaged": "refused",
    }
    if rival["state"] == "redefined":
        return [_redefined(gate, rival, rule)]
    if rival["state"] in simple:
        return [line(gate, simple[rival["state"]], rival["reason"])]
    lines = [_difference(gate, rival, rule.max_drop)]
    if "kept" in rival:  # labels that are noise harm both models alike: only the past tells
        lines.append(_difference(f"{gate}.kept", rival["kept"], rule.max_drop))
    return lines


def _redefined(gate: str, rival: shapes.Rival, rule: rules.Champion) -> Check:
    setting = rules.setting(rule, "require_same_definition")
    undo = "to compare with it, undo that and run `make run`"
    if rule.require_same_definition:
        anew = f"to begin anew, set champion.{setting.split(':')[0]}: false in gates.yaml"
        return line(gate, "refused", f"{rival['reason']}, {setting}; {undo}; {anew}")
    back = "to have it back, `make rollback`"
    return line(gate, "warning", f"{rival['reason']}, treated as the first model; {undo}; {back}")


_NO_MEASURE = (
    "if the champion is no measure because its data were wrong, say champion: false in "
    "gates.yaml, `make run`, `make promote`, and put the gate back"
)


def _difference(gate: str, rival: shapes.Rival | shapes.Gap, max_drop: float) -> Check:
    numbers: list[Any] = [rival["value"], rival["low"], rival["high"]]
    value, low, high = numbers
    wrong = next(filter(None, map(rules.fault, numbers)), None)
    if wrong or not low <= value <= high:
        return line(gate, "refused", wrong or "an interval that does not hold its value")
    reason = f"{rival['reason']}, 95 % interval [{low:.4g}, {high:.4g}]"
    found = compare(gate, value, ">=", -max_drop, reason)
    if found["verdict"] == "refused" and high >= 0:
        return found | {"verdict": "passed", "reason": f"{reason}: not shown to be worse"}
    if found["verdict"] == "refused":
        return found | {"reason": f"{found['reason']}; {_NO_MEASURE}"}
    return found


def calibration(evidence: Evidence, rule: rules.Calibration) -> Lines:
    """Whether probabilities mean what they say."""
    if evidence.config.data.task == "regression":
        return [line("calibration", "not applicable", "a regression has no probabilities")]
    error, noise = evidence.evaluation.calibration.error, evidence.evaluation.calibration.noise
    reason = "expected calibration error"
    judged = compare("calibration", error, "<=", rule.max_error, reason, (0.0, 1.0))
    if error is not None and noise is not None and error <= noise:
        rows = f"on {evidence.evaluation.rows:,} rows a perfectly calibrated model may show"
        judged = rules.too_small(judged, f"{rows} {noise:.3g}")
    return [judged]


def artifact(evidence: Evidence, rule: rules.Latency | rules.Size) -> Lines:
    """Speed of the real artifact, and what it costs."""
    lines, gate = [], type(rule).__name__.lower()
    for name, limit in rule:  # such as max_p99_ms
        side, _, key = name.partition("_")
        value, direction = evidence.measured.get(key), _DIRECTIONS[side]
        found = compare(f"{gate}.{key}", value, direction, limit, _HOW.get(key, ""), _AT_LEAST_0)
        lines.append(found)
    return lines


_AT_LEAST_0 = (0.0, math.inf)
_DIRECTIONS: dict[str, rules.Direction] = {"max": "<=", "min": ">="}
_HOW = {"p99_ms": "one row at a time", "rows_per_second": "a batch"}


def determinism(evidence: Evidence, rule: rules.Determinism) -> Lines:
    """Whether the same row always gets the same answer."""
    difference, reason = evidence.measured.get("difference"), "the same rows twice, and row by row"
    limit, spec = rule.max_difference, evidence.identity.get("model", {})
    if forms.limit(spec) > forms.MAX_DIFFERENCE:  # float32 keeps no limit of float64
        limit = max(limit, forms.limit(spec))
        reason += f", in parts of the spread of the answers (a model of {spec['dtype']})"
    return [compare("determinism", difference, "<=", limit, reason, _AT_LEAST_0)]


def trusted(evidence: Evidence) -> Lines:
    """Which types the kept model may make when it is loaded, because a person trusts them."""
    held = evidence.identity.get("model", {}).get("trusted", [])
    if not held:
        return []
    wrong = [name for name in held if name not in evidence.config.model.trusted]
    if wrong:
        reason = f"model.trusted does not name {', '.join(wrong)}: read these types, or train again"
        return [line("trusted", "refused", reason)]
    return [line("trusted", "passed", f"model.trusted: {', '.join(held)}", str(len(held)))]


def lineage(evidence: Evidence, rule: rules.Lineage) -> Lines:
    """Whether candidate, code, configuration and locks belong together and can be found again."""
    names = {
        "code": "code in src/ or vendor/ that can change a model",
        "config": "model_config.yaml",
        "lock": "the locks in requirements/",
    }
    lines, today = [], {**evidence.lineage}
    for key, what in names.items():
        now = str(today[key])
        if evidence.identity.get(key) == now:
            lines.append(line(f"lineage.{key}", "passed", "", now[:12]))
        else:
            reason = f"{what} changed after training: run `make run`"
            lines.append(line(f"lineage.{key}", "refused", reason, now[:12]))
    return [*lines, _commit(evidence.lineage, rule.require_commit or in_ci())]


def _commit(lineage: shapes.Lineage, required: bool) -> Check:
    paths = lineage["uncommitted"]
    reason = lineage["reason"]
    if paths:
        more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
        reason = f"not committed: {', '.join(paths[:3])}{more}"
    if not reason:
        return line("lineage.commit", "passed", "", (lineage["commit"] or "")[:12])
    return line("lineage.commit", "refused" if required else "warning", reason)


def sensitive_features(evidence: Evidence, rule: rules.SensitiveFeatures) -> Lines:
    """Whether the model sees a sensitive column."""
    if not evidence.config.sensitive:
        return [line("sensitive_features", "not applicable", "no sensitive column is named")]
    inputs = evidence.identity["known_answers"]["types"]
    seen = [name for name in evidence.config.sensitive if name in inputs]
    refused = [name for name in seen if name not in rule.allowed]
    gate = "sensitive_features"
    if refused:
        reason = f"sensitive and a feature: {', '.join(refused)}: set feature: false, or allow it"
        return [line(gate, "refused", reason)]
    reason = f"allowed: {', '.join(seen)}" if seen else "no sensitive column is a feature"
    return [line(gate, "passed", reason), *_told(evidence, rule)]


def _told(evidence: Evidence, rule: rules.SensitiveFeatures) -> Lines:
    """Features that tell a sensitive column; where that is a feature itself they tell no more."""
    setting, lines = rules.setting(rule, "max_told"), []
    for column, sensitive, told, reason in evidence.told:
        if sensitive in rule.allowed:
            continue
        gate = f"sensitive_features.{column}"
        if column in rule.allowed:
            lines.append(line(gate, "warning", f"{reason}: allowed in gates.yaml", told))
        else:
            remedy = f"set feature: false, or list {column!r} in sensitive_features.allowed"
            lines.append(line(gate, "refused", f"{reason} ({setting}): {remedy}", told))
    return lines


CHECKS: dict[str, Callable[[Evidence, Any], Lines]] = {
    "performance": performance,
    "champion": champion,
    "slices": slices,
    "fairness": fairness,
    "calibration": calibration,
    "latency": artifact,
    "size": artifact,
    "lineage": lineage,
    "sensitive_features": sensitive_features,
    "determinism": determinism,
}


def judge(evidence: Evidence) -> Lines:
    """The lines of every gate, in the order of gates.yaml."""
    lines = []
    for name, check in CHECKS.items():
        rule = getattr(evidence.gates, name)
        lines += check(evidence, rule) if rule else [line(name, "off", "off in gates.yaml")]
    return [*lines, *trusted(evidence)]
