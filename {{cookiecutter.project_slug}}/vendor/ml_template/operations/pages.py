"""What the pages of monitoring and of experiments show of their reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..outside.numbers import interval, number, shown, title

LARGE = 0.25  # PSI of a change that is drawn as a whole one (Siddiqi 2006)
Facts = Mapping[str, Any]
Row = list[Any]
_NOTHING = dict.fromkeys(("value", "low", "high"), 0.0)  # no effect: every strip reaches to it


def heat(windows: Sequence[Facts]) -> list[dict[str, Any]]:
    """{column, cells} of each column, the strongest change first; a cell for each window.

    A cell is {psi, part, verdict, window}: `part` in [0, 1] is how large the change is; None where
    the window has no such column.
    """
    each = [{result["column"]: result for result in part["results"]} for part in windows]
    names = list(dict.fromkeys(name for part in each for name in part))
    found = [{"column": name, "cells": [_cell(part.get(name)) for part in each]} for name in names]

    def strongest(row: dict[str, Any]) -> float:
        return -max((cell["part"] for cell in row["cells"] if cell), default=0.0)

    return sorted(found, key=strongest)


def _cell(result: Facts | None) -> dict[str, Any] | None:
    if result is None:
        return None
    psi, drifts = result["psi"], result["verdict"] == "drift"
    part = 1.0 if psi is None and drifts else min((psi or 0.0) / LARGE, 1.0)
    text = "gone" if psi is None and drifts else "" if psi is None else f"{psi:.2f}"
    return {"psi": text, "part": part, "verdict": result["verdict"]}


def over_time(quality: Facts) -> list[Row]:
    """Rows of the quality of labelled answers in the order of their time, a strip in each."""
    parts, name = quality.get("over", []), quality.get("metric", "")
    entries = [shown(name, part) for part in parts]
    before, mark = quality.get("before"), None
    if before is not None:
        mark = shown(name, dict.fromkeys(("value", "low", "high"), before))["value"]
    return [
        [f"{part['from'][:16]} to {part['to'][:16]}", f"{part['rows']:,}", *interval(entry), strip]
        for part, entry, strip in zip(parts, entries, strips(entries, mark), strict=True)
    ]


def strips(entries: Sequence[Facts], mark: float | None) -> list[dict[str, Any]]:
    """A strip of each of {value, low, high}, all on one scale; the line is `mark`."""
    ends = [entry[key] for entry in entries for key in ("value", "low", "high")]
    known = [end for end in [*ends, mark] if end is not None]
    scale = {"start": min(known, default=0.0), "end": max(known, default=1.0)}
    scale["mark"] = scale["start"] if mark is None else mark
    return [{key: entry[key] for key in ("value", "low", "high")} | scale for entry in entries]


def effects(entries: Sequence[Facts], last: str) -> list[Row]:
    """Rows of the effects of an experiment: metric, a, b, effect in words, strip, p or margin."""
    return [
        [
            entry["metric"],
            number(entry["a"]),
            number(entry["b"]),
            effect(entry),
            strips([_estimate(entry), _NOTHING], entry.get("margin", 0.0))[0],
            "–" if entry[last] is None else f"{entry[last]:.3g}",
            entry["verdict"],
        ]
        for entry in entries
    ]


def _estimate(entry: Facts) -> Facts:
    return {"value": entry["effect"], "low": entry["low"], "high": entry["high"]}


def effect(entry: Facts) -> str:
    """The effect with its interval, of a share in points: +1.9 points [0.7, 3.1]."""
    if entry["effect"] is None:
        return "–"
    times = 100 if entry.get("share") else 1
    value, low, high = (times * entry[key] for key in ("effect", "low", "high"))
    width = high - low
    sign = "+" if value > 0 else ""
    unit = " points" if entry.get("share") else ""
    return f"{sign}{number(value, width)}{unit} [{number(low, width)}, {number(high, width)}]"


def sentence(found: Facts) -> str:
    """What an experiment found, in words; what keeps it from a finding."""
    name = found["plan"]["experiment"]
    said = {
        "better": "b is better than a",
        "worse": "b is worse than a",
        "no difference": "no difference was shown",
        "too early": "it is too early to tell",
        "refused": "b is not to be taken",
    }[found["state"]]
    first = found["metrics"][:1]
    shown_effect = f": {title(first[0]['metric'])} {effect(first[0])}" if first else ""
    return f"{name}: {said}{shown_effect}."
