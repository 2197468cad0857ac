"""Rows that are equal in every column, found by a hash of their values."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ...tables.table import Columns

MOST = 0.5  # share of rows that repeat another one, from which on they are looked into
FEWEST = 10  # equal rows: fewer are no reason to put any of them apart
DIFFERENT = 0.1  # of the difference that chance makes: copies of one record have one target
# Steps that lie evenly in [0, 1), however many: Weyl's sequence of the golden ratio
# (Knuth, The Art of Computer Programming 3, section 6.4).
GOLDEN = 0.6180339887498949


def hashes(columns: Columns) -> np.ndarray:
    """64 bits (n,) of each row's values: equal for equal rows, missing values being equal."""
    return pd.util.hash_pandas_object(pd.DataFrame(columns, copy=False), index=False).to_numpy()


def repeated(columns: Columns) -> np.ndarray:
    """Booleans (n,): rows that repeat an earlier one."""
    return pd.Series(hashes(columns)).duplicated().to_numpy()


def spread(drawn: np.ndarray) -> np.ndarray:
    """Draws (n,) in [0, 1), equal ones moved apart by their order: evenly, so that each part of
    [0, 1) gets its share of every kind of row; a row that is added moves none before it.
    """
    place = pd.Series(drawn).groupby(drawn).cumcount().to_numpy()
    return (drawn + place * GOLDEN) % 1.0


def by_nature(columns: Columns, target: np.ndarray, share: float) -> str:
    """Why equal rows cannot stay on one side of a hold-out that resembles the table, or nothing.

    `columns` without the `target` (n,), `share` of the rows to hold out. They can where they are
    few, and must where they are copies of one record, which have one target.
    """
    kind, sizes = np.unique(hashes(columns), return_inverse=True, return_counts=True)[1:]
    n, largest = len(kind), int(sizes.max())
    again = n - len(sizes)
    said = f"{again:,} of {n:,} rows repeat another one, {len(sizes):,} are different"
    if largest >= max(FEWEST, n * share / 2):
        return f"{said}, {largest:,} are equal"
    if again > MOST * n and _differs(kind, target):
        return said
    return ""


def _differs(kind: np.ndarray, target: np.ndarray) -> bool:
    """Whether equal rows have different targets, as different cases have."""
    codes, labels = pd.factorize(target, use_na_sentinel=False)
    order = np.argsort(kind, kind="stable")
    equal = np.diff(kind[order]) == 0
    differ = (np.diff(codes[order]) != 0)[equal].mean()
    by_chance = 1 - ((np.bincount(codes, minlength=len(labels)) / len(codes)) ** 2).sum()
    return bool(differ > DIFFERENT * by_chance)
