"""The gates: each takes the evidence and returns its lines of the verdict."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import gates as rules
from ..gates import compare, line
from ..lineage import in_ci
from ..metrics import METRICS, RANGES
from .evidence import Estimate, Evidence, Fairness, Group, Slice

Lines = list[dict[str, Any]]


def performance(evidence: Evidence, rule: rules.Performance) -> Lines:
    """Better than the naive model, and above the absolute floors."""
    name = evidence.evaluation.headline
    naive = evidence.evaluation.baseline.get(name)
    limit = None if naive is None else naive + rule.gain
    low = evidence.headline.low
    reason = f"lower end of {name}; the naive model has {naive}"
    found = [compare("performance.gain", low, ">=", limit, reason)]
    for metric, floor in rule.floors.items():
        estimate = evidence.evaluation.metrics.get(metric)
        gate = f"performance.floors.{metric}"
        if estimate is None:
            known = ", ".join(METRICS[evidence.config.data.task])
            found.append(line(gate, "refused", f"no such metric: choose from {known}"))
        else:
            found.append(compare(gate, estimate.value, ">=", floor, within=RANGES[metric]))
    return found


def champion(evidence: Evidence, rule: rules.Champion) -> Lines:
    """Not worse than the champion."""
    rival, gate = evidence.rival, "champion"
    simple: dict[str, rules.Verdict] = {
        "first": "not applicable",
        "same": "passed",
        "other": "not applicable",
        "absent": "warning",
        "damaged": "refused",
    }
    if rival["state"] in simple:
        return [line(gate, simple[rival["state"]], rival["reason"])]
    value, low, high = (rival[key] for key in ("value", "low", "high"))
    wrong = next(filter(None, map(rules.fault, (value, low, high))), None)
    if wrong or not low <= value <= high:
        return [line(gate, "refused", wrong or "an interval that does not hold its value")]
    reason = f"{rival['reason']}, 95 % interval [{low:.4g}, {high:.4g}]"
    found = compare(gate, value, ">=", -rule.max_drop, reason)
    if found["verdict"] == "refused" and high >= 0:
        found |= {"verdict": "passed", "reason": f"{reason}: not shown to be worse"}
    return [found]


def slices(evidence: Evidence, rule: rules.Slices) -> Lines:
    """The worst slice that is large enough to judge."""
    found = evidence.evaluation.slices
    absent = set(evidence.config.slices) - {part.column for part in found}
    if absent:
        return [
            line("slices", "refused", f"no slices of {', '.join(sorted(absent))}: evaluate again")
        ]
    judged = [
        part
        for part in found
        if part.rows >= rule.min_rows and None not in (part.value, part.low, part.high)
    ]
    if not judged:
        reason = f"no slice of {rule.min_rows} rows or more with a {evidence.evaluation.headline}"
        return [line("slices", "not applicable", reason)]
    lines = [_slice(evidence, part, rule) for part in judged]
    refused = [entry for entry in lines if entry["verdict"] == "refused"]
    worst = min(zip(judged, lines, strict=True), key=lambda pair: pair[0].high or 0.0)[1]
    left = f"{len(judged)} of {len(found)} slices judged"
    return refused or [worst | {"reason": f"worst: {worst['reason']}; {left}"}]


def _slice(evidence: Evidence, part: Slice, rule: rules.Slices) -> dict[str, Any]:
    whole = evidence.evaluation.metrics.get(part.metric)
    limit = None
    if whole is not None:
        error = part.metric.startswith("neg_")
        limit = whole.value * rule.max_error_ratio if error else whole.value - rule.max_drop
    reason = f"upper end of {part.metric} where {part.column} is {part.group} ({part.rows} rows)"
    gate = f"slices.{part.column}={part.group}"
    try:
        Estimate(value=part.value, low=part.low, high=part.high)  # type: ignore[arg-type]
    except ValueError:
        return line(gate, "refused", f"{reason}: no interval that holds its value")
    return compare(gate, part.high, ">=", limit, reason, RANGES[part.metric])


# limit in gates.yaml: (differences in evaluation.json, the rates of a group they come from)
_DIFFERENCES: dict[str, tuple[str, tuple[str, ...]]] = {
    "demographic_parity": ("demographic_parity_difference", ("selection_rate",)),
    "equalized_odds": (
        "equalized_odds_difference",
        ("true_positive_rate", "false_positive_rate"),
    ),
    "accuracy_gap": ("accuracy_gap", ("accuracy",)),
    "error_gap": ("error_gap", ("mean_absolute_error",)),
}


def fairness(evidence: Evidence, rule: rules.Fairness) -> Lines:
    """Differences between the groups of each sensitive column."""
    if not evidence.config.sensitive:
        return [line("fairness", "not applicable", "no sensitive column is named: sensitive: []")]
    columns = {part.column: part for part in evidence.evaluation.fairness}
    lines = []
    for name in evidence.config.sensitive:
        if name in columns:
            lines += _column(evidence, columns[name], rule)
        else:
            reason = "declared as sensitive, but not in the evaluation: evaluate again"
            lines.append(line(f"fairness.{name}", "refused", reason))
    return lines


def _column(evidence: Evidence, part: Fairness, rule: rules.Fairness) -> Lines:
    gate = f"fairness.{part.column}"
    asked = ["error_gap"] if evidence.config.data.task == "regression" else list(_DIFFERENCES)[:3]
    rates = [rate for name in asked for rate in _DIFFERENCES[name][1]]
    by_group = evidence.config.data.task != "multiclass"
    judged, lines = [], []
    for group in part.groups:
        reason = _too_small(group, rates if by_group else ["accuracy"], rule.min_rows)
        if reason is None:
            judged.append(group)
        elif f"{part.column}={group.group}" not in rule.accept_small_groups:
            remedy = f'collect more, or list "{part.column}={group.group}" in accept_small_groups'
            lines.append(
                line(f"{gate}={group.group}", "refused", f"{reason}: {remedy}", group.rows)
            )
    if len(part.groups) < 2:
        return [
            *lines,
            line(gate, "refused", "the hold-out holds one group only: nothing to compare"),
        ]
    if len(judged) < 2:
        return [*lines, line(gate, "not applicable", "fewer than two groups are large enough")]
    for name in asked:
        limit = getattr(rule.limits, name)
        value = _difference(part, judged, name)
        reason = f"largest difference of {len(judged)} groups"
        lines.append(compare(f"{gate}.{name}", value, "<=", limit, reason, (0.0, float("inf"))))
    return lines


def _too_small(group: Group, rates: list[str], min_rows: int) -> str | None:
    if not group.rows >= min_rows:
        return f"group {group.group!r} has {group.rows} rows, {min_rows} are needed to judge it"
    if any(getattr(group, rate) is None for rate in rates):
        return f"group {group.group!r} ({group.rows} rows) has no row of one of the classes"
    return None


def _difference(part: Fairness, judged: list[Group], name: str) -> float | None:
    """From the judged groups; several classes have no rates by group: the evaluation's own."""
    key, rates = _DIFFERENCES[name]
    gaps = []
    for rate in rates:
        values: list[float] = [getattr(group, rate) for group in judged]
        if None in values:
            reported: dict[str, float | None] = part.model_dump()
            return reported[key]
        gaps.append(max(values) - min(values))
    if name != "error_gap":
        return max(gaps)
    total = sum(group.rows for group in part.groups)
    overall = sum((group.mean_absolute_error or 0.0) * group.rows for group in part.groups) / total
    return gaps[0] / overall if overall else 0.0


def calibration(evidence: Evidence, rule: rules.Calibration) -> Lines:
    """Whether probabilities mean what they say."""
    if evidence.config.data.task == "regression":
        return [line("calibration", "not applicable", "a regression has no probabilities")]
    error = evidence.evaluation.calibration.error
    reason = "expected calibration error"
    return [compare("calibration", error, "<=", rule.max_error, reason, (0.0, 1.0))]


def latency(evidence: Evidence, rule: rules.Latency) -> Lines:
    """Speed of the real artifact."""
    measured = evidence.measured
    p99, speed = measured.get("p99_ms"), measured.get("rows_per_second")
    return [
        compare("latency.p99_ms", p99, "<=", rule.max_p99_ms, "one row at a time", _AT_LEAST_0),
        compare(
            "latency.rows_per_second", speed, ">=", rule.min_rows_per_second, "a batch", _AT_LEAST_0
        ),
    ]


def size(evidence: Evidence, rule: rules.Size) -> Lines:
    """What the real artifact costs."""
    asked = {
        "mb": rule.max_mb,
        "load_seconds": rule.max_load_seconds,
        "memory_mb": rule.max_memory_mb,
    }
    return [
        compare(f"size.{name}", evidence.measured.get(name), "<=", limit, "", _AT_LEAST_0)
        for name, limit in asked.items()
    ]


def determinism(evidence: Evidence, rule: rules.Determinism) -> Lines:
    """Whether the same row always gets the same answer."""
    difference = evidence.measured.get("difference")
    reason = "the same rows twice, and row by row"
    return [compare("determinism", difference, "<=", rule.max_difference, reason, _AT_LEAST_0)]


_AT_LEAST_0 = (0.0, float("inf"))


def lineage(evidence: Evidence, rule: rules.Lineage) -> Lines:
    """Whether candidate, code, configuration and locks belong together and can be found again."""
    names = {
        "code": "features.py, model.py, encoder.py or forms.py",
        "config": "model_config.yaml",
        "lock": "the locks in requirements/",
    }
    lines = []
    for key, what in names.items():
        same = evidence.identity.get(key) == evidence.lineage[key]
        reason = "" if same else f"{what} changed after training: run `make run`"
        lines.append(
            line(
                f"lineage.{key}",
                "passed" if same else "refused",
                reason,
                evidence.lineage[key][:12],
            )
        )
    return [*lines, _commit(evidence.lineage, rule.require_commit or in_ci())]


def _commit(lineage: dict[str, Any], required: bool) -> dict[str, Any]:
    paths = lineage["uncommitted"]
    reason = lineage["reason"]
    if paths:
        more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
        reason = f"not committed: {', '.join(paths[:3])}{more}"
    if not reason:
        return line("lineage.commit", "passed", "", lineage["commit"][:12])
    return line("lineage.commit", "refused" if required else "warning", reason)


def sensitive_features(evidence: Evidence, rule: rules.SensitiveFeatures) -> Lines:
    """Whether the model sees a sensitive column."""
    if not evidence.config.sensitive:
        return [line("sensitive_features", "not applicable", "no sensitive column is named")]
    inputs = evidence.identity["known_answers"]["types"]
    seen = [name for name in evidence.config.sensitive if name in inputs]
    refused = [name for name in seen if name not in rule.allowed]
    if refused:
        reason = f"sensitive and a feature: {', '.join(refused)}: set feature: false, or allow it"
        return [line("sensitive_features", "refused", reason)]
    reason = f"allowed: {', '.join(seen)}" if seen else "no sensitive column is a feature"
    return [line("sensitive_features", "passed", reason)]


CHECKS: dict[str, Callable[[Evidence, Any], Lines]] = {
    "performance": performance,
    "champion": champion,
    "slices": slices,
    "fairness": fairness,
    "calibration": calibration,
    "latency": latency,
    "size": size,
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
    return lines
