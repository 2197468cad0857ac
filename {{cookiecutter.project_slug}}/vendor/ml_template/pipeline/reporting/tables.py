"""The tables of the report and the model card, as texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from ...model.shapes import Evaluation, Fairness, Verdict
from ...settings.config import Config
from ...tables import small

Json = Mapping[str, Any]


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


def number(value: float | str | None) -> str:
    """Three decimals; whole above 1,000; a dash for None; a count that is not shown as it is."""
    if value is None:
        return "–"
    if isinstance(value, str):
        return value
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{value:,.0f}"
    if value == 0:
        return "0.000"  # never -0.000
    return f"{value:.3f}" if abs(value) >= 0.001 else f"{value:.1e}"


def gates(verdict: Verdict | None) -> Table:
    head = ["gate", "value", "limit", "verdict", "reason"]
    if verdict is None:
        return Table("Gates", "There is no verdict on this model yet: run make gate.", head, [])
    order = {"refused": 0, "warning": 1}
    rows = [
        [
            check["gate"],
            "" if check["value"] is None else number(check["value"]),
            check["limit"] or "",
            check["verdict"],
            check["reason"] or "",
        ]
        for check in sorted(verdict["checks"], key=lambda check: order.get(check["verdict"], 2))
    ]
    return Table("Gates", "", head, rows, frozenset({"value", "limit"}))


def metrics(evaluation: Evaluation) -> Table:
    rows = [
        [
            name,
            number(found["value"]),
            f"{number(found['low'])} to {number(found['high'])}",
            number(evaluation["baseline"][name]),
        ]
        for name, found in evaluation["metrics"].items()
    ]
    note = "The naive baseline answers every row with what was usual in the training rows."
    head = ["metric", "value", "95 % interval", "naive baseline"]
    return Table("Metrics", note, head, rows, frozenset(head[1:]))


def _interval_rows(entries: Sequence[Json], mark: float) -> list[list[str | Strip]]:
    """Value, interval and strip of each entry, all strips on one scale."""
    ends = [entry[key] for entry in entries for key in ("value", "low", "high")]
    known = [mark, *(end for end in ends if end is not None)]
    start, end = min(known), max(known)
    return [
        [
            number(entry["value"]),
            entry.get("reason") or f"{number(entry['low'])} to {number(entry['high'])}",
            Strip(entry["value"], entry["low"], entry["high"], start, end, mark),
        ]
        for entry in entries
    ]


def slices(evaluation: Evaluation) -> Table:
    entries = evaluation["slices"]
    if not entries:
        return Table("Slices", "No column is cut into slices: name some in slices.", [], [])
    metric = entries[0]["metric"]
    whole = evaluation["metrics"][metric]["value"]
    rows = [
        [entry["column"], entry["group"], number(entry["rows"]), *drawn]
        for entry, drawn in zip(entries, _interval_rows(entries, whole), strict=True)
    ]
    note = (
        f"{metric} of each group in the hold-out; the mark is the whole hold-out, {number(whole)}."
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
        rows = [[g["group"], *(number(g[key]) for key in rates)] for g in entry["groups"]]
        head = [key.replace("_", " ") for key in rates]
        tables.append(Table(entry["column"], note, ["group", *head], rows, frozenset(head)))
    return tables


def importance(evaluation: Evaluation) -> Table:
    entries = evaluation["importance"]
    drawn = _interval_rows(entries, 0.0)
    rows = [[entry["feature"], *cells] for entry, cells in zip(entries, drawn, strict=True)]
    note = (
        f"Drop of {evaluation['headline']} when a column is shuffled (at most 2,000 rows, mean, "
        f"lowest and highest of 5 repeats). Columns that say the same share their importance."
    )
    head = ["column", "drop", "lowest to highest", ""]
    return Table("Feature importance", note, head, rows, frozenset(head[1:3]))


def profile(config: Config, profile: Json) -> Table:
    rows = []
    for name, entry in profile.items():
        kind = config.columns[name].type
        least = config.report.min_cell
        rows.append([name, kind, _missing(entry, least), _values(kind, entry, least)])
    head = ["column", "type", "missing", "values"]
    return Table("Data", "The training rows.", head, rows, frozenset({"missing"}))


def _missing(entry: Json, least: int) -> str:
    if isinstance(small.count(entry["missing"] or least, least), str):
        return f"{small.few(least)} rows"
    return f"{entry['missing'] / entry['rows']:.1%}"


def _values(kind: str, entry: Json, least: int) -> str:
    if kind == "text":  # may be names of people: their number is enough
        return f"{entry['distinct']:,} different"
    if entry["kind"] == "label":
        top = [(label, n) for label, n in entry["labels"].items() if n >= least][:4]
        shares = ", ".join(f"{label} {n / entry['rows']:.0%}" for label, n in top)
        said = f"{entry['distinct']:,} different{': ' if top else ''}{shares}"
        return said if entry["labels"] else "no value"
    if not entry["edges"]:
        return "no value"
    ends = entry["edges"][0], entry["edges"][-1]
    if entry["kind"] == "datetime":
        first, last = (datetime.fromtimestamp(end, UTC).date().isoformat() for end in ends)
        return f"{first} to {last}"
    if kind == "boolean":
        return f"{entry['mean']:.1%} true"
    spread = f"mean {number(entry['mean'])}, sd {number(entry['sd'])}"
    return f"{number(ends[0])} to {number(ends[1])}, {spread}"


def lineage(evaluation: Evaluation, verdict: Verdict | None, identity: Json) -> Table:
    data = evaluation["data"]
    threads = f"{identity['threads']} (another number may change the last bits of a model)"
    form = f"{identity['model']['form']}: {identity['model']['why']}"
    rows = [
        ["model", evaluation["model"]],
        ["git commit", _commit(verdict)],
        ["data", f"{data['path']}, {data['rows']:,} rows"],
        ["data sha256", data["sha256"]],
        *([f"{key} sha256", identity[key]] for key in ("config", "schema", "code", "lock")),
        ["seed", str(identity["seed"])],
        ["threads", threads],
        ["kept form", form],
        ["versions", ", ".join(f"{name} {v}" for name, v in identity["versions"].items())],
    ]
    return Table("Lineage", "", ["what", "which"], rows)


def _commit(verdict: Verdict | None) -> str:
    if verdict is None:
        return "not known: run make gate"
    lineage = verdict["lineage"]
    if lineage["commit"] is None:
        return f"none: {lineage['reason']}"
    changed = lineage["uncommitted"]
    return f"{lineage['commit']}{', with uncommitted changes' if changed else ''}"


def features(config: Config) -> Table:
    rows = [
        [name, column.type, "feature" if column.feature else "read, not a feature"]
        for name, column in config.columns.items()
    ]
    rows += [[name, "", f"left out: {reason}"] for name, reason in config.left_out.items()]
    for row in rows:
        made = config.features[row[0]].parts if row[0] in config.features else ()
        row[2] += f", and its {', '.join(made)}" if made else ""
        row[2] += ", sensitive" if row[0] in config.sensitive else ""
    return Table("Columns", "", ["column", "type", "use"], rows)
