"""Columns, types and ranges of model_config.yaml as checks of a whole table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pandera.pandas as pa

from .config import Column, Config
from .table import ROW, Columns


def frame_schema(config: Config) -> pa.DataFrameSchema:
    """Checks of the feature and other columns; the types were settled when the file was read."""
    columns = {
        name: pa.Column(None, _checks(column), nullable=column.missing, required=True)
        for name, column in config.columns.items()
    }
    return pa.DataFrameSchema(columns, strict=False)


def _checks(column: Column) -> list[pa.Check]:
    checks = []
    if column.type == "numeric":
        checks.append(pa.Check(np.isfinite, error="finite"))
    if column.min is not None:
        checks.append(pa.Check.ge(column.min, error=f"at least {column.min:g}"))
    if column.max is not None:
        checks.append(pa.Check.le(column.max, error=f"at most {column.max:g}"))
    if column.values is not None and column.unseen == "refuse":
        checks.append(pa.Check.isin(column.values, error="one of values"))
    return checks


def frame(columns: Columns, config: Config) -> pd.DataFrame:
    """The columns of model_config.yaml as a frame, indexed by the row of the data file."""
    series = {
        name: pd.Series(columns[name], dtype=columns[name].dtype, copy=False)
        for name in config.columns
    }
    table = pd.DataFrame(series, copy=False)
    table.index = pd.Index(columns[ROW], name=ROW)
    return table


def faults(columns: Columns, config: Config) -> list[dict[str, Any]]:
    """Each failed check as {column, check, rows, first}: count and first rows of the data file."""
    try:
        frame_schema(config).validate(frame(columns, config), lazy=True)
    except pa.errors.SchemaErrors as error:
        found = []
        for (column, check), cases in error.failure_cases.groupby(["column", "check"], sort=False):
            found.append(
                {
                    "column": str(column),
                    "check": "present" if check == "not_nullable" else str(check),
                    "rows": len(cases),
                    "first": [int(row) for row in sorted(cases["index"])[:5]],
                }
            )
        return found
    return []
