"""What a project may bring of its own to its data: how it is split, and what it must hold."""

from __future__ import annotations

import ast
import hashlib
import inspect
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ...project import function, handed, place
from ...settings.config import Config, InputError
from ...tables.table import ROW, Columns, rows
from .table_checks import Finding, marked


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
    said = place(str(handed().split))
    test = _booleans(
        function("split")(_plain(columns), config),
        columns,
        f"{said}: returned",
        "return one boolean a row, True for the hold-out",
    )
    if not 0 < test.sum() < len(test):
        side = "learn" if test.any() else "test"
        raise InputError(
            f"{said}: leaves no rows to {side}: return True for some rows, not for all"
        )
    return test


def split_code() -> str:
    """SHA-256 of the module that has the project's own split; comments do not count."""
    source = inspect.getsource(inspect.getmodule(function("split")) or function("split"))
    return hashlib.sha256(ast.unparse(ast.parse(source)).encode()).hexdigest()


def findings(columns: Columns, config: Config) -> Iterator[Finding]:
    """Findings of the project's own checks in `columns` (n rows, ROW among them)."""
    if handed().checks is None:
        return
    said = place(str(handed().checks))
    found = function("checks")(_plain(columns), config)
    if not isinstance(found, list) or not all(isinstance(fault, Fault) for fault in found):
        raise InputError(f"{said}: must return a list of Fault: [] where there is none")
    for fault in found:
        wrong = _booleans(
            fault.wrong,
            columns,
            f"{said}: {fault.check!r}: wrong holds",
            "give one boolean a row, True for each row at fault",
        )
        if fault.column and fault.column not in columns:
            raise InputError(
                f"{said}: {fault.check!r}: there is no column {fault.column!r}: name one of "
                f"{', '.join(_plain(columns))}"
            )
        yield from marked(columns, fault.check, fault.column, wrong, fault.remedy)


def _booleans(values: object, columns: Columns, says: str, remedy: str) -> np.ndarray:
    """`values` as booleans (n,), one for each row; InputError where they are something else."""
    found = np.asarray(values)
    if found.shape != (rows(columns),) or found.dtype != np.bool_:
        form = f"{found.dtype} of shape {found.shape}"
        raise InputError(f"{says} {form} for {rows(columns):,} rows: {remedy}")
    return found


def _plain(columns: Columns) -> Columns:
    """The columns of the table, in a dictionary of their own."""
    return {name: values for name, values in columns.items() if name != ROW}
