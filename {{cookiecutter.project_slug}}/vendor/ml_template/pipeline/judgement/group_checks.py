"""The gates on parts of the hold-out: slices, and groups of the sensitive columns."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import numpy as np

from ...model import measures
from ...model.shapes import Fairness, Slice
from ...settings import gates as rules
from ...settings.categories import category
from ...settings.gates import Check, compare, line, too_small
from ...tables import small
from ..evaluation import noise
from ..evaluation.noise import LEVEL
from .evidence import Estimate, Evidence, Lines

Group = dict[str, Any]


def slices(evidence: Evidence, rule: rules.Slices) -> Lines:
    """The worst slice that is large enough to judge."""
    found = evidence.evaluation.slices
    columns = {name: [*parts] for name, parts in groupby(found, lambda part: part["column"])}
    absent = set(evidence.config.slices) - columns.keys()
    if absent:
        reason = f"no slices of {', '.join(sorted(absent))}: evaluate again"
        return [line("slices", "refused", reason)]
    judged: list[tuple[float, Check]] = []
    for parts in columns.values():
        shown = small.counts([part["rows"] for part in parts], evidence.config.report.min_cell)
        for part, rows in zip(parts, shown, strict=True):
            interval = part["value"], part["low"], part["high"]
            if part["rows"] >= rule.min_rows and None not in interval:
                judged.append((part["high"], _slice(evidence, part, rule, rows)))
    if not judged:
        reason = f"no slice of {rule.min_rows} rows or more with an interval"
        return [line("slices", "not applicable", reason)]
    refused = [check for _, check in judged if check["verdict"] == "refused"]
    worst = min(judged, key=lambda pair: pair[0])[1]
    left = f"{len(judged)} of {len(found)} slices judged"
    return refused or [worst | {"reason": f"worst: {worst['reason']}; {left}"}]


def _slice(evidence: Evidence, part: Slice, rule: rules.Slices, rows: small.Count) -> Check:
    metric, high, least = part["metric"], part["high"], evidence.config.report.min_cell
    whole = evidence.evaluation.metrics.get(metric)
    within = measures.ranges(evidence.config)[metric]
    limit = None
    if whole is not None:
        error = within[1] <= 0
        limit = whole.value * rule.max_error_ratio if error else whole.value - rule.max_drop
    reason = f"upper end of {metric} where {part['column']} is {part['group']} ({rows} rows)"
    gate = f"slices.{part['column']}={part['group']}"
    try:
        Estimate.model_validate({key: part.get(key) for key in Estimate.model_fields})
    except ValueError:
        return line(gate, "refused", f"{reason}: no interval that holds its value")
    found = compare(gate, high, ">=", limit, reason, within)
    if (part.get("chance") or 0.0) > LEVEL:
        found = too_small(found, f"of random slices of its size {part['chance']:.1%} are as low")
    if part["rows"] < least:  # type: ignore[operator]
        return _quiet(found, reason)
    return found


def _quiet(found: Check, reason: str) -> Check:
    """The line of a small group, without what was measured of it."""
    first = "too small to judge: " if found["verdict"] == "warning" else ""
    return found | {"value": None, "reason": f"{first}{reason}"}


# limit in gates.yaml: (difference in evaluation.json, the rates of a group it comes from)
_DIFFERENCES = {
    "demographic_parity": ("demographic_parity_difference", ["selection_rate"]),
    "equalized_odds": (
        "equalized_odds_difference",
        ["true_positive_rate", "false_positive_rate"],
    ),
    "accuracy_gap": ("accuracy_gap", ["accuracy"]),
    "error_gap": ("error_gap", ["mean_absolute_error"]),
}


def fairness(evidence: Evidence, rule: rules.Fairness) -> Lines:
    """Differences between the groups of each sensitive column."""
    if not evidence.config.sensitive:
        return [line("fairness", "not applicable", "no sensitive column is named: sensitive: []")]
    columns = {part["column"]: part for part in evidence.evaluation.fairness}
    lines = []
    for name in evidence.config.sensitive:
        if name in columns:
            lines += _column(evidence, columns[name], rule)
        else:
            reason = "declared as sensitive, but not in the evaluation: evaluate again"
            lines.append(line(f"fairness.{name}", "refused", reason))
    return lines


def _column(evidence: Evidence, part: Fairness, rule: rules.Fairness) -> Lines:
    task, least = evidence.config.data.task, evidence.config.report.min_cell
    gate, prefix, groups = f"fairness.{part['column']}", f"{part['column']}=", part["groups"]
    asked = ["error_gap"] if task == "regression" else [*_DIFFERENCES][:3]
    rates = [rate for name in asked for rate in _DIFFERENCES[name][1]]
    if task == "multiclass":
        rates = ["accuracy"]
    listed = [name for name in rule.accept_small_groups if name.startswith(prefix)]
    accepted = {category(name.removeprefix(prefix)) for name in listed}
    judged, lines = [], []
    shown = small.counts([group["rows"] for group in groups], least)
    for group, rows in zip(groups, shown, strict=True):
        reason = _too_small(group, rates, rule.min_rows, rows, least)
        name = f"{gate}={group['group']}"
        if reason is None:
            judged.append(group)
        elif category(group["group"]) in accepted:
            reason = f"{reason}: accepted in gates.yaml, not judged"
            lines.append(line(name, "warning", reason, rows))
        else:
            remedy = f'collect more, or list "{prefix}{group["group"]}" in accept_small_groups'
            lines.append(line(name, "refused", f"{reason}: {remedy}", rows))
    if len(groups) < 2:
        reason = "the hold-out holds one group only: nothing to compare"
        return [*lines, line(gate, "refused", reason)]
    if len(judged) < 2:
        return [*lines, line(gate, "not applicable", "fewer than two groups are large enough")]
    tiny = any(group["rows"] < least for group in judged)
    for name in asked:
        limit, value = getattr(rule.limits, name), _difference(part, judged, name)
        reason = f"largest difference of {len(judged)} groups"
        found = compare(f"{gate}.{name}", value, "<=", limit, reason, (0.0, float("inf")))
        if found["verdict"] == "refused" and found["limit"]:
            found = _told(evidence, part, judged, found, name, limit)
        lines.append(_quiet(found, f"{reason}, one of {small.few(least)} rows") if tiny else found)
    return lines


def _told(
    evidence: Evidence, part: Fairness, judged: list[Group], found: Check, name: str, limit: float
) -> Check:
    """A refusal with the groups it is about and what can be done; a warning within the noise."""
    task, rates = evidence.config.data.task, _DIFFERENCES[name][1]
    level = LEVEL / (1 if task == "regression" else 3) / len(evidence.config.sensitive)
    whole: Any = found["value"]
    gaps = {rate: _gap(judged, rate) if task == "binary" else whole for rate in rates}
    noises = {rate: _noise(part, judged, rate, level, evidence.config.seed) for rate in rates}
    beyond = {rate: gap for rate, gap in gaps.items() if gap > limit}
    if all(gap <= noises[rate] for rate, gap in beyond.items()):
        most = max(noises[rate] for rate in beyond)
        why = f"groups of these sizes may differ by {most:.3g} where a model treats them alike"
        return too_small(found, why)
    least, worst = evidence.config.report.min_cell, max(beyond, key=beyond.__getitem__)
    where = _extremes(part, judged, worst, least)
    return found | {"reason": f"{found['reason']}{where}; {_remedy(part['column'], name)}"}


def _remedy(column: str, name: str) -> str:
    return (
        f"collect more rows of the group that is worse off, leave out features that stand for "
        f"{column!r}, or raise fairness.limits.{name} in gates.yaml and say there why"
    )


def _noise(part: Fairness, judged: list[Group], rate: str, level: float, seed: int) -> float:
    """Largest difference of the `judged` groups that chance makes; 0 where nothing tells."""
    if rate not in part.get("of", {}):
        return 0.0
    of, whole = _over(part, judged, rate), np.array(part["whole"][rate])
    if rate != "mean_absolute_error":
        return noise.gap_of_rates(of, whole, level, seed)
    mean, spread = whole
    return noise.gap_of_means(of, spread, level, seed) / mean if mean else 0.0


def _over(part: Fairness, judged: list[Group], rate: str) -> np.ndarray:
    """How many rows (groups, classes) the rate of each judged group is over."""
    names = [group["group"] for group in judged]
    at = [i for i, group in enumerate(part["groups"]) if group["group"] in names]
    return np.array(part["of"][rate])[at]


def _gap(judged: list[Group], rate: str) -> float:
    values = [float(group[rate]) for group in judged]
    return max(values) - min(values)


def _extremes(part: Fairness, judged: list[Group], rate: str, least: int) -> str:
    """Which groups lie furthest apart; nothing where a rate is not shown, or is of several classes.

    Rates over fewer than `least` rows are not shown.
    """
    several = any(group.get(rate) is None for group in judged)
    if several or rate not in part.get("of", {}) or _over(part, judged, rate).min() < least:
        return ""
    low, *_, high = sorted(judged, key=lambda group: float(group[rate]))
    said = [f"{group[rate]:.3g} of {group['group']!r}" for group in (low, high)]
    return f": {rate.replace('_', ' ')} {said[0]}, {said[1]}"


def _too_small(
    group: dict[str, Any], rates: list[str], min_rows: int, rows: small.Count, least: int
) -> str | None:
    if not group["rows"] >= min_rows:
        return f"group {group['group']!r} has {rows} rows, {min_rows} are needed to judge it"
    if any(group.get(rate) is None for rate in rates):
        none = f"{small.few(least)} rows" if least > 1 else "no row"
        return f"group {group['group']!r} ({rows} rows) has {none} of one of the classes"
    return None


def _difference(part: Fairness, judged: list[dict[str, Any]], name: str) -> Any:
    """From the judged groups; several classes have no rates by group: the evaluation's own."""
    key, rates = _DIFFERENCES[name]
    known: list[list[Any]] = [[group.get(rate) for group in judged] for rate in rates]
    if any(None in values for values in known):
        return part.get(key)
    gap = max(max(values) - min(values) for values in known)
    if name != "error_gap":
        return gap
    total = sum(group["rows"] for group in part["groups"])
    errors = [(group["mean_absolute_error"] or 0.0) * group["rows"] for group in part["groups"]]
    overall = sum(errors) / total
    return gap / overall if overall else 0.0
