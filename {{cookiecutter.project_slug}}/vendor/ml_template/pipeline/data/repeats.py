"""Rows that are equal in every column, found by a hash of their values."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ...tables.table import Columns


def hashes(columns: Columns) -> np.ndarray:
    """64 bits (n,) of each row's values: equal for equal rows, missing values being equal."""
    return pd.util.hash_pandas_object(pd.DataFrame(columns, copy=False), index=False).to_numpy()


def repeated(columns: Columns) -> np.ndarray:
    """Booleans (n,): rows that repeat an earlier one."""
    return pd.Series(hashes(columns)).duplicated().to_numpy()
