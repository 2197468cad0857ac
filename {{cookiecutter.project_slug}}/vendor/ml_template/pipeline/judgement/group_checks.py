"""The gates on parts of the hold-out: slices, and groups of the sensitive columns."""

from __future__ import annotations

from ...model import measures
from ...settings import gates as rules
from ...settings.categories import category
from ...settings.gates import Check, Verdict, compare, line
from ...tables import small
from .evidence import Estimate, Evidence, Fairness, Group, Lines, Slice


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
        reason = f"no slice of {rule.min_rows} rows or more with an interval"
        return [line("slices", "not applicable", reason)]
    rows = _shown_rows(evidence)
    lines = [_slice(evidence, part, rule, rows[part.column, part.group]) for part in judged]
    refused = [entry for entry in lines if entry["verdict"] == "refused"]
    worst = min(zip(judged, lines, strict=True), key=lambda pair: pair[0].high or 0.0)[1]
    left = f"{len(judged)} of {len(found)} slices judged"
    return refused or [worst | {"reason": f"worst: {worst['reason']}; {left}"}]


def _shown_rows(evidence: Evidence) -> dict[tuple[str, str], small.Count]:
    """Rows of each group of a slice, as they are shown."""
    found: dict[str, dict[str, int]] = {}
    for part in evidence.evaluation.slices:
        found.setdefault(part.column, {})[part.group] = part.rows
    least = evidence.config.report.min_cell
    return {
        (column, group): shown
        for column, rows in found.items()
        for group, shown in zip(rows, small.counts([*rows.values()], least), strict=True)
    }


def _slice(evidence: Evidence, part: Slice, rule: rules.Slices, rows: small.Count) -> Check:
    whole = evidence.evaluation.metrics.get(part.metric)
    within = measures.ranges(evidence.config)[part.metric]
    limit = None
    if whole is not None:
        error = within[1] <= 0
        limit = whole.value * rule.max_error_ratio if error else whole.value - rule.max_drop
    reason = f"upper end of {part.metric} where {part.column} is {part.group} ({rows} rows)"
    gate = f"slices.{part.column}={part.group}"
    try:
        Estimate(value=part.value, low=part.low, high=part.high)  # type: ignore[arg-type]
    except ValueError:
        return line(gate, "refused", f"{reason}: no interval that holds its value")
    found = compare(gate, part.high, ">=", limit, reason, within)
    return _quiet(found, reason) if part.rows < evidence.config.report.min_cell else found


def _quiet(found: Check, reason: str) -> Check:
    """The line of a small group, without what was measured of it."""
    return found | {"value": None, "reason": reason}


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
    least = evidence.config.report.min_cell
    shown = small.counts([group.rows for group in part.groups], least)
    judged, lines = [], []
    accepted = {
        category(name.removeprefix(f"{part.column}="))
        for name in rule.accept_small_groups
        if name.startswith(f"{part.column}=")
    }
    for group, rows in zip(part.groups, shown, strict=True):
        asked_of = rates if by_group else ["accuracy"]
        reason = _too_small(group, asked_of, rule.min_rows, rows, least)
        if reason is None:
            judged.append(group)
            continue
        name = f"{part.column}={group.group}"
        verdict: Verdict = "refused"
        remedy = f'collect more, or list "{name}" in accept_small_groups'
        if category(group.group) in accepted:
            verdict, remedy = "warning", "accepted in gates.yaml, not judged"
        lines.append(line(f"fairness.{name}", verdict, f"{reason}: {remedy}", rows))
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
        found = compare(f"{gate}.{name}", value, "<=", limit, reason, (0.0, float("inf")))
        tiny = any(group.rows < least for group in judged)
        lines.append(_quiet(found, f"{reason}, one of {small.few(least)} rows") if tiny else found)
    return lines


def _too_small(
    group: Group, rates: list[str], min_rows: int, rows: small.Count, least: int
) -> str | None:
    if not group.rows >= min_rows:
        return f"group {group.group!r} has {rows} rows, {min_rows} are needed to judge it"
    if any(getattr(group, rate) is None for rate in rates):
        none = f"{small.few(least)} rows" if least > 1 else "no row"
        return f"group {group.group!r} ({rows} rows) has {none} of one of the classes"
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
