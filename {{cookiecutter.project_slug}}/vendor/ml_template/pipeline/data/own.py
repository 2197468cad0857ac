"""What a project may bring of its own to its data: how it is split, and what it must hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ...project import function, handed, place
from ...settings.config import Config, InputError
from ...tables.table import ROW, Columns, rows
from .table_checks import Finding, finding


@dataclass(frozen=True)
class Fault:
    """What a check of your own found; `Project(checks="checks:checks")` returns a list of them.

    check: its name; column: a name, or "" for the table; wrong: booleans (n,), True for each row at
    fault; remedy: what to do. Where no row is at fault it counts as passed.
    """

    check: str
    column: str
    wrong: np.ndarray
    remedy: str


def hold_out(config: Config, columns: Columns) -> np.ndarray:
    """Booleans (n,) of the project's own split, True for test rows.

    It is given the labelled rows: `columns` of n rows, the target among them. Raises InputError for
    what is no split of them.
    """
    test = np.asarray(function("split")(_plain(columns), config))
    said = place(str(handed().split))
    if test.shape != (rows(columns),) or test.dtype != np.bool_:
        raise InputError(
            f"{said}: returned {_form(test)} for {rows(columns):,} rows: return one boolean a row, "
            f"True for the hold-out"
        )
    if not 0 < test.sum() < len(test):
        side = "learn" if test.any() else "test"
        raise InputError(
            f"{said}: leaves no rows to {side}: return True for some rows, not for all"
        )
    return test


def findings(columns: Columns, config: Config) -> Iterator[Finding]:
    """Findings of the project's own checks in `columns` (n rows, ROW among them)."""
    if handed().checks is None:
        return
    said = place(str(handed().checks))
    found = function("checks")(_plain(columns), config)
    if not isinstance(found, list) or not all(isinstance(fault, Fault) for fault in found):
        raise InputError(f"{said}: must return a list of Fault: [] where there is none")
    for fault in found:
        wrong = np.asarray(fault.wrong)
        if wrong.shape != (rows(columns),) or wrong.dtype != np.bool_:
            raise InputError(
                f"{said}: {fault.check!r}: wrong holds {_form(wrong)} for {rows(columns):,} rows: "
                f"give one boolean a row, True for each row at fault"
            )
        if fault.column and fault.column not in columns:
            raise InputError(
                f"{said}: {fault.check!r}: there is no column {fault.column!r}: name one of "
                f"{', '.join(_plain(columns))}"
            )
        if wrong.any():
            yield finding(fault.check, fault.column, wrong, columns[ROW], fault.remedy)


def _plain(columns: Columns) -> Columns:
    """The columns of the table, in a dictionary of their own."""
    return {name: values for name, values in columns.items() if name != ROW}


def _form(values: np.ndarray) -> str:
    return f"{values.dtype} of shape {values.shape}"
