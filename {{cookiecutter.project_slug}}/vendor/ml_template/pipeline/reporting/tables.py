"""The tables of the report and the model card, as texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ...model.shapes import Estimate, Evaluation, Fairness, Verdict
from ...outside.numbers import Json, error, interval, number, shown, title
from .remedies import remedy


class Strip(NamedTuple):
    """A value with its interval, drawn from `start` to `end`; `mark` is what to compare with."""

    value: float | None
    low: float | None
    high: float | None
    start: float
    end: float
    mark: float


class Table(NamedTuple):
    """`numbers` names the columns of numbers; a column without a name holds strips."""

    title: str
    note: str
    head: Sequence[str]
    rows: Sequence[Sequence[str | Strip]]
    numbers: frozenset[str] = frozenset()


def gates(verdict: Verdict | None) -> Table:
    head = ["gate", "verdict", "value", "limit", "reason", "what to do"]
    if verdict is None:
        return Table("Gates", "There is no verdict on this model yet: run make gate.", head, [])
    order = {"refused": 0, "warning": 1}
    rows = [
        [
            check["gate"],
            check["verdict"],
            "" if check["value"] is None else number(check["value"]),
            check["limit"] or "",
            check["reason"] or "",
            remedy(check["gate"], check["verdict"]),
        ]
        for check in sorted(verdict["checks"], key=lambda check: order.get(check["verdict"], 2))
    ]
    return Table("Gates", "", head, rows, frozenset({"value", "limit"}))


def headline(evaluation: Evaluation, champion: tuple[str, Estimate] | None) -> Table:
    """The headline of the model, of the champion (name, estimate) and of the naive model."""
    name = evaluation["headline"]
    entries: list[tuple[str, Json]] = [("this model", evaluation["metrics"][name])]
    if champion:
        entries.append(champion)
    naive = evaluation["baseline"].get(name)
    if naive is not None:
        entries.append(("naive model", {"value": naive, "low": naive, "high": naive}))
    each = [shown(name, entry) for _, entry in entries]
    drawn = _interval_rows(each, each[-1]["value"])
    rows = [[whose, *cells] for (whose, _), cells in zip(entries, drawn, strict=True)]
    if naive is not None:
        rows[-1][1:3] = [number(each[-1]["value"], _width(each[0])), ""]
    better = "less is better" if error(name, entries[0][1]["value"]) else "more is better"
    head = ["", title(name), "95 % interval", ""]
    note = f"{title(name)}, {better}."
    return Table("Headline", note, ["model", *head[1:]], rows, frozenset(head[1:3]))


def _width(entry: Json) -> float | None:
    return None if entry["low"] is None or entry["high"] is None else entry["high"] - entry["low"]


def metrics(evaluation: Evaluation) -> Table:
    rows, turned = [], False
    for name, entry in evaluation["metrics"].items():
        found, naive = shown(name, entry), evaluation["baseline"][name]
        is_error = error(name, entry["value"], entry["high"])
        turned |= is_error
        if is_error and naive is not None:
            naive = abs(naive)
        rows.append(
            [title(name) if is_error else name, *interval(found), number(naive, _width(found))]
        )
    note = "The naive baseline answers every row with what was usual in the training rows."
    if turned:
        note += " Errors: less is better; in metrics.json and gates.yaml they are below 0, as neg_."
    head = ["metric", "value", "95 % interval", "naive baseline"]
    return Table("Metrics", note, head, rows, frozenset(head[1:]))


def thresholds(lines: Sequence[Json], used: str) -> Table:
    """Precision, recall, share flagged and costs at several thresholds; `used` says which is."""
    rows = [
        [
            f"{line['threshold']:.3g}" + (" (used)" if line.get("used") else ""),
            *(_percent(line[key]) for key in ("flagged", "precision", "recall")),
            f"{line['lift']:.2f}",
            *([number(line["cost"]), f"{line['total']:,.6g}"] if "cost" in line else []),
        ]
        for line in lines
    ]
    head = ["threshold", "rows flagged", "precision", "recall", "lift"]
    head += ["cost of a row", "cost of the hold-out"] if lines and "cost" in lines[0] else []
    note = (
        f"What counts as positive from each probability on. {used} "
        "Precision: share of the flagged rows that are positive. Recall: share of the positive "
        "rows that are flagged. Lift: how many times more often positive than a row by chance."
    )
    return Table("Thresholds", note if rows else "", head, rows, frozenset(head))


def classes(lines: Sequence[Json]) -> Table:
    """Precision and recall of each class."""
    rows = [
        [line["class"], number(line["rows"]), _percent(line["precision"]), _percent(line["recall"])]
        for line in lines
    ]
    head = ["class", "rows", "precision", "recall"]
    return Table("Classes", "", head, rows, frozenset(head[1:]))


def _percent(value: float | None) -> str:
    return number(value) if value is None else f"{value:.1%}"


def _interval_rows(entries: Sequence[Json], mark: float) -> list[list[str | Strip]]:
    """Value, interval and strip of each entry, all strips on one scale."""
    ends = [entry[key] for entry in entries for key in ("value", "low", "high")]
    known = [mark, *(end for end in ends if end is not None)]
    start, end = min(known), max(known)
    return [
        [
            interval(entry)[0],
            entry.get("reason") or interval(entry)[1],
            Strip(entry["value"], entry["low"], entry["high"], start, end, mark),
        ]
        for entry in entries
    ]


def slices(evaluation: Evaluation) -> Table:
    entries: Sequence[Json] = evaluation["slices"]
    if not entries:
        return Table("Slices", "No column is cut into slices: name some in slices.", [], [])
    metric = entries[0]["metric"]
    found = shown(metric, evaluation["metrics"][metric])
    whole, entries = found["value"], [shown(metric, entry) for entry in entries]
    rows = [
        [entry["column"], entry["group"], number(entry["rows"]), *drawn]
        for entry, drawn in zip(entries, _interval_rows(entries, whole), strict=True)
    ]
    metric = title(metric)
    note = (
        f"{metric} of each group in the hold-out; the line is the whole hold-out, "
        f"{interval(found)[0]}."
    )
    head = ["column", "group", "rows", metric, "95 % interval", ""]
    return Table("Slices", note, head, rows, frozenset({"rows", metric, "95 % interval"}))


def fairness(entries: Sequence[Fairness]) -> list[Table]:
    if not entries:
        note = "Not applicable: model_config.yaml names no sensitive column."
        return [Table("Fairness", note, [], [])]
    tables = []
    for entry in entries:
        gaps: Json = {k: v for k, v in entry.items() if k not in ("column", "groups", "reason")}
        texts = [f"{name.replace('_', ' ')} {number(gap)}" for name, gap in gaps.items()]
        note = "; ".join([*texts, *([entry["reason"]] if "reason" in entry else [])])
        rates = [key for key in entry["groups"][0] if key != "group"]
        drawn = _rates(entry["groups"], rates)
        rows = [
            [g["group"], *(number(g[key]) for key in rates), each]
            for g, each in zip(entry["groups"], drawn, strict=True)
        ]
        head = [key.replace("_", " ") for key in rates]
        tables.append(Table(entry["column"], note, ["group", *head, ""], rows, frozenset(head)))
    return tables


def _rates(groups: Sequence[Json], rates: Sequence[str]) -> list[Strip]:
    """A strip of each group: its selection rate, or its only rate; the line is their mean."""
    key = "selection_rate" if "selection_rate" in rates else rates[-1]
    values = [group[key] if isinstance(group[key], float) else None for group in groups]
    known = [value for value in values if value is not None]
    mark, end = sum(known) / len(known) if known else 0.0, max([1.0, *known])
    if "error" in key:
        end = max(known, default=1.0)
    return [Strip(value, None, None, 0.0, end, mark) for value in values]


def importance(evaluation: Evaluation) -> Table:
    entries = evaluation["importance"]
    drawn = _interval_rows(entries, 0.0)
    rows = [[entry["feature"], *cells] for entry, cells in zip(entries, drawn, strict=True)]
    name = evaluation["headline"]
    change = "Rise" if error(name, evaluation["metrics"][name]["value"]) else "Drop"
    note = (
        f"{change} of {title(name)} when a column is shuffled (at most 2,000 rows, mean, "
        f"lowest and highest of 5 repeats). Columns that say the same share their importance."
    )
    head = ["column", change.lower(), "lowest to highest", ""]
    return Table("Feature importance", note, head, rows, frozenset(head[1:3]))
