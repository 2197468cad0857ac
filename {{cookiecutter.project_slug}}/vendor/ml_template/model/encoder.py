"""Columns to a float64 matrix, by one small function that a service and a training share.

The state is plain JSON. `apply` treats one row and a million rows alike, to the last bit.

ordinal: numbers stay (missing = NaN), categories become codes (missing or unseen = NaN).
onehot:  numbers are imputed with the median and standardised, each category is a 0/1 column
         (missing or unseen = all 0).
A column may have an encoding of its own: `target` looks up what is known of a label, `text` sums up
the terms of a text (see texts.py).
Parts of a moment are numbers for the one (missing = NaN), and a sine and a cosine for the other.
Columns that the project's own transformer adds (see own.py) are numbers and categories like others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import accumulate, repeat
from typing import Any, Literal

import numpy as np

from ..project import function
from ..settings.categories import spelled, spellings
from ..tables.arrays import Columns, each, rows
from . import moments, texts
from .own import Kept
from .own import features as own_features

Encoding = Literal["ordinal", "onehot"]
_DAY = np.timedelta64(1, "D")
_TURNS = ("sine", "cosine")


class Encoder:
    """State: a list of {name, kind, ...}, one for each encoded column, in matrix order."""

    def __init__(
        self, inputs: list[str], state: list[dict[str, Any]], own: Kept | None = None
    ) -> None:
        self.inputs = inputs
        self.state = state
        self.own = own
        self.width = sum(column.get("width", 1) for column in state)
        labels = {column["name"]: column["codes"] for column in state if "codes" in column}
        self.features = function("features") if own is None else own_features(own)
        self._learned = [_LEARNED.get(column["kind"], lambda _: None)(column) for column in state]
        self._known = {
            name: (frozenset([None, *labels[name]]), spellings(labels[name]))
            for name in inputs
            if name in labels
        }

    @property
    def categorical(self) -> list[int]:
        """Matrix columns that hold category codes (ordinal encoding only).

        Of one code alone a number: histogram boosting does not tell it from a missing one.
        """
        return [
            place.start
            for place, column in self._placed()
            if column["kind"] == "ordinal" and len(set(column["codes"].values())) > 1
        ]

    @property
    def names(self) -> list[str]:
        """Name of each matrix column."""
        found = []
        for column in self.state:
            if column["kind"] == "onehot":
                found += [f"{column['name']}={label}" for label in _labels(column)]
            elif "part" in column:
                title = moments.title(column["name"], column["part"])
                found += [title] if column["kind"] == "part" else [f"{title}, {x}" for x in _TURNS]
            elif column.get("width", 1) > 1:
                found += [f"{column['name']}[{at}]" for at in range(column["width"])]
            else:
                found.append(column["name"])
        return found

    @property
    def parts(self) -> dict[str, slice]:
        """Matrix columns of each part of a moment, by its title."""
        return {
            moments.title(column["name"], column["part"]): place
            for place, column in self._placed()
            if "part" in column
        }

    def _placed(self) -> Iterator[tuple[slice, dict[str, Any]]]:
        """Each column of the state with its matrix columns."""
        ends = accumulate(column.get("width", 1) for column in self.state)
        for end, column in zip(ends, self.state, strict=True):
            yield slice(end - column.get("width", 1), end), column

    def to_json(self) -> dict[str, Any]:
        """The whole state; `Encoder(**state)` is this encoder again."""
        kept = {"inputs": self.inputs, "state": self.state}
        return kept if self.own is None else kept | {"own": self.own}

    def apply(self, columns: Columns) -> np.ndarray:
        """Matrix (n, width) float64, C order, of `columns` (arrays of n; see table.columns_of)."""
        known = {name: columns[name] for name in self.inputs}
        for name, (labels, forms) in self._known.items():
            if not labels.issuperset(known[name].tolist()):
                known[name] = _spelled(known[name], labels, forms)
        known |= self.features(known)
        if rows(known) == 1:
            return self._apply_one(known)
        matrix = np.empty((rows(known), self.width))
        at = 0
        for column, learned in zip(self.state, self._learned, strict=True):
            values = known[column["name"]]
            kind = column["kind"]
            if learned:
                known_by = {value: learned(value) for value in set(values.tolist())}
                block = [known_by[value] for value in values.tolist()]
                matrix[:, at : at + column["width"]] = block
            elif kind == "number":
                matrix[:, at] = number(values)
            elif kind == "standard":
                found = number(values)
                found = np.where(np.isnan(found), column["fill"], found)
                matrix[:, at] = (found - column["mean"]) / column["scale"]
            elif kind == "part":
                matrix[:, at] = moments.numbers(values, column["part"])
            elif kind == "turn":
                matrix[:, at : at + 2] = moments.turns(values, column["part"])
            elif kind == "ordinal":
                codes = map(column["codes"].get, values.tolist(), repeat(np.nan))
                matrix[:, at] = np.fromiter(codes, np.float64, len(values))
            else:
                codes = map(column["codes"].get, values.tolist(), repeat(-1))
                index = np.fromiter(codes, np.intp, len(values))
                matrix[:, at : at + column["width"]] = index[:, None] == np.arange(column["width"])
            at += column.get("width", 1)
        return matrix

    def _apply_one(self, known: Columns) -> np.ndarray:
        """The same arithmetic on Python's floats: a third of the time for one row."""
        row: list[float] = []
        for column, learned in zip(self.state, self._learned, strict=True):
            kind, values = column["kind"], known[column["name"]]
            if learned:
                row += learned(values.item())
            elif kind == "number":
                row.append(_one_number(values))
            elif kind == "ordinal":
                row.append(column["codes"].get(values.item(), np.nan))
            elif kind == "standard":
                found = _one_number(values)
                found = column["fill"] if found != found else found
                row.append((found - column["mean"]) / column["scale"])
            elif kind == "part":
                row.append(moments.number(values, column["part"]))
            elif kind == "turn":
                row += moments.turn(values, column["part"])
            else:
                index = column["codes"].get(values.item(), -1)
                row += [float(at == index) for at in range(column["width"])]
        return np.array([row], dtype=np.float64)


def _looked_up(column: dict[str, Any]) -> Callable[[str | None], list[float]]:
    """From a label to its numbers, by a state {codes, values, missing, other}."""
    table: dict[str | None, list[float]] = {None: column["missing"]}
    table |= {label: column["values"][at] for label, at in column["codes"].items()}
    other = column["other"]
    return lambda value: table.get(value, other)


_LEARNED = {"target": _looked_up, "text": texts.scorer}


def _spelled(
    values: np.ndarray, labels: frozenset[str | None], forms: dict[str, str]
) -> np.ndarray:
    """Categories (n,) as training spelled them; what it knew by two spellings stays two."""
    return each(values, lambda text: text if text in labels else spelled(text, forms))


def _one_number(values: np.ndarray) -> float:
    return float((number(values) if values.dtype.kind == "M" else values).item())


def number(values: np.ndarray) -> np.ndarray:
    """Numbers (n,) as float64; moments are days since 1970."""
    if values.dtype.kind == "M":
        return (values - np.datetime64("1970-01-01")) / _DAY
    return values.astype(np.float64, copy=False)


def _labels(column: dict[str, Any]) -> list[str]:
    groups: dict[int, list[str]] = {}
    for label, code in column["codes"].items():
        groups.setdefault(code, []).append(label)
    return [labels[0] if len(labels) == 1 else "rare" for _, labels in sorted(groups.items())]
