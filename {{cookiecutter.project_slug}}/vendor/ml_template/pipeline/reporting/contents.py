"""Tables of what went into a model: its data, parameters and lineage."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from ...model.profile import known
from ...model.shapes import Evaluation, Verdict
from ...outside.numbers import Json, number
from ...settings.config import Config
from ...tables import small
from .tables import Table

TRIALS = 10  # of a search that are shown, the best


def profile(config: Config, profile: Json) -> Table:
    """The training rows by column, and the columns that were left out."""
    rows, least = [], config.report.min_cell
    for name, entry in profile.items():
        column = config.columns[name]
        use = "feature" if column.feature else "read, not a feature"
        use = "target" if name == config.data.target else use
        use += _made(config, name) + (", sensitive" if name in config.sensitive else "")
        rows.append(
            [name, column.type, use, _missing(entry, least), _values(column.type, entry, least)]
        )
    rows += [[name, "", f"left out: {why}", "", ""] for name, why in config.left_out.items()]
    head = ["column", "type", "use", "missing", "values"]
    note = "The training rows. Ranges leave out what few rows have."
    return Table("Data", note, head, rows, frozenset({"missing"}))


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
    if kind == "boolean":
        return f"{entry['mean']:.1%} true"
    ends = _ends(entry, least)
    if entry["kind"] == "datetime":
        if ends is None:
            return f"{small.few(least)} rows"
        first, last = (datetime.fromtimestamp(end, UTC).date().isoformat() for end in ends)
        return f"{first} to {last}"
    if entry["rows"] - entry["missing"] < least:
        return f"{small.few(least)} rows"
    spread = f"mean {number(entry['mean'])}, sd {number(entry['sd'])}"
    if ends is None:
        return spread
    whole = all(end == int(end) for end in ends)
    low, high = (f"{end:,.0f}" if whole else number(end) for end in ends)
    return f"{low} to {high}, {spread}"


def _ends(entry: Json, least: int) -> tuple[float, float] | None:
    """Lowest and highest value that `least` rows or more have, or lie beyond."""
    if "cuts" not in entry:
        return None
    values, rows = known(dict(entry)) if "mean" in entry else (np.empty(0), np.empty(0))
    if len(values):
        kept = values[rows >= least]
        return (float(kept[0]), float(kept[-1])) if len(kept) else None
    cuts, below = np.array(entry["cuts"]), np.array(entry["below"])
    present = entry["rows"] - entry["missing"]
    kept = cuts[(below >= least) & (present - below >= least)]
    return (float(kept[0]), float(kept[-1])) if len(kept) else None


def features(config: Config) -> Table:
    """What becomes of each column, for the card."""
    rows = [
        [name, column.type, "feature" if column.feature else "read, not a feature"]
        for name, column in config.columns.items()
    ]
    rows += [[name, "", f"left out: {reason}"] for name, reason in config.left_out.items()]
    for row in rows:
        row[2] += _made(config, row[0]) + (", sensitive" if row[0] in config.sensitive else "")
    return Table("Columns", "", ["column", "type", "use"], rows)


def _made(config: Config, name: str) -> str:
    parts = config.features[name].parts if name in config.features else ()
    return f", and its {', '.join(parts)}" if parts else ""


def parameters(identity: Json) -> Table:
    """The estimator and what it was given."""
    params: Json = identity.get("params", {})
    rows = [["estimator", str(identity["estimator"])]]
    rows += [[name, str(value)] for name, value in params.items()]
    return Table("Parameters", "All others as the library has them.", ["name", "value"], rows)


def search(found: Json | None) -> Table:
    """The best trials of `make search`; empty where there was none."""
    if not found:
        return Table("Search", "No search: make search looks for better parameters.", [], [])
    best = sorted(found["trials"], key=lambda trial: -trial["value"])[:TRIALS]
    rows = [[number(trial["value"]), _params(trial["params"])] for trial in best]
    note = (
        f"{len(found['trials'])} trials on training folds; as configured: {found['metric']} "
        f"{number(found['configured'])}. The best {len(rows)}:"
    )
    head = [found["metric"], "parameters"]
    return Table("Search", note, head, rows, frozenset({found["metric"]}))


def _params(params: Json) -> str:
    return ", ".join(
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in params.items()
    )


def lineage(evaluation: Evaluation, verdict: Verdict | None, identity: Json) -> Table:
    """Digests, seed and versions."""
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
        *(["trained on", identity[key]] for key in ("device",) if key in identity),
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
