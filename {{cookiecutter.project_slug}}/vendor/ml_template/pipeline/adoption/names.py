"""Names of columns that a person gave, and whether a table has a header to name them by."""

from __future__ import annotations

import difflib

import numpy as np

from ...settings.config import InputError
from ..data.wording import TOTALS
from .source import HEADLESS, Source
from .texts import numbers

LONGEST_NAME = 300
MOST_SHOWN = 30
NEAR = 0.75  # likeness of two names, from which on one may be meant by the other


def named(table: Source, key: str, name: str) -> str:
    """The column of that name; blanks around it do not count."""
    matches = [column for column in table.columns if column.strip() == name.strip()]
    if name in table.columns or len(matches) == 1:
        return name if name in table.columns else matches[0]
    folded = {column.strip().casefold(): column for column in table.columns}
    near = [folded[c] for c in difflib.get_close_matches(name.strip().casefold(), folded, 3, NEAR)]
    known = ", ".join(map(repr, list(table.columns)[:MOST_SHOWN]))
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"it has {known}"
    if table.unnamed > len(table.columns):
        few = f"its first line names {len(table.columns)} of its columns"
        hint = f"{few}: remove what stands above the header"
    if _looks_headless(table):
        hint = HEADLESS
    raise InputError(f"{key}={name}: {table.path} has no such column; {hint}")


def _looks_headless(table: Source) -> bool:
    numeric = ~np.isnan(numbers([name.strip() for name in table.columns], table.decimal))
    return bool(numeric.sum() >= 2 or numeric.mean() > 0.3)


def require_header(table: Source, name: str) -> None:
    """Refuse a table whose first line is no header; `name` is its target."""
    names = [column.strip() for column in table.columns]
    values = numbers(names, table.decimal)
    headed = np.isnan(values) | (values == np.round(values))
    itself = [
        name for name in names if name in table.columns and table.holds(name, frozenset([name]))
    ]
    if (
        (not headed.all() and any(np.isnan(numbers(itself))))
        or not headed.any()
        or (not np.isnan(numbers([name])[0]) and not headed.all())
    ):
        raise InputError(f"{table.path}: {HEADLESS}")
    if longest := next((n for n in names if len(n) > LONGEST_NAME), ""):
        raise InputError(
            f"{table.path}: a column name of {len(longest)} letters ({longest[:40]!r}...): is the "
            f"first line a header? Shorten it"
        )


def require_no_totals(table: Source) -> None:
    """Refuse a last row that says in one cell, and nowhere else, that it sums the others up."""
    for name, column in table.columns.items():
        last = column[-1].as_py()
        if isinstance(last, str) and TOTALS.fullmatch(last.strip()):
            texts = table.texts(name)
            if texts.counts[texts.codes[-1]] == 1:
                raise InputError(
                    f"{table.path}: its last row, {table.rows:,}, seems to hold totals ({last!r} "
                    f"in column {name!r}): remove it"
                )


def sensitive_named(table: Source, name: str, given: str) -> list[str]:
    """The columns that `given`, SENSITIVE=a,b, names; `name` is the target, which none may be."""
    words = [part.strip() for part in given.split(",")]
    parts = [given] if given in table.columns else words
    found = list(dict.fromkeys(named(table, "SENSITIVE", part) for part in parts if part))
    if name in found:
        raise InputError(f"SENSITIVE: {name!r} is the target: name other columns")
    return found
