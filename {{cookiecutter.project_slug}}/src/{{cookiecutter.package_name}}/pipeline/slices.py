"""Groups of rows: what a column is cut into for slices and fairness."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from ..config import CONFIG_FILE, InputError

MAX_VALUES = 10  # a number or time with more different values is cut into quarters
MAX_GROUPS = 50
MISSING = "missing"


class Groups(NamedTuple):
    """Names of the groups in their order, and the index of each row's group (n,)."""

    names: list[str]
    codes: np.ndarray


def group(name: str, kind: str, values: np.ndarray, training: np.ndarray) -> Groups:
    """Groups of `values` (n,) of the column `name`; the cuts come from `training` (m,).

    A number or time with more than MAX_VALUES values in `training` is cut at its quartiles there.
    Raises InputError for more than MAX_GROUPS groups.
    """
    absent = _absent(values)
    present = np.unique(training[~_absent(training)])
    if values.dtype != object and len(present) > MAX_VALUES:
        names, codes = _quarters(values, training[~_absent(training)])
    else:
        different, codes = np.unique(values[~absent], return_inverse=True)
        names = [_text(value, kind) for value in different]
        codes = _spread(codes, absent)
    if len(names) > MAX_GROUPS:
        raise InputError(
            f"{CONFIG_FILE}: column {name!r} has {len(names):,} different values in the test set, "
            f"a column of sensitive or slices at most {MAX_GROUPS}: name a coarser column"
        )
    return Groups([*names, MISSING], np.where(absent, len(names), codes))


def _absent(values: np.ndarray) -> np.ndarray:
    if values.dtype == object:
        return np.array([value is None for value in values], dtype=bool)
    absent: np.ndarray = np.isnat(values) if values.dtype.kind == "M" else np.isnan(values)
    return absent


def _spread(codes: np.ndarray, absent: np.ndarray) -> np.ndarray:
    spread = np.zeros(len(absent), dtype=np.intp)
    spread[~absent] = codes
    return spread


def _quarters(values: np.ndarray, training: np.ndarray) -> tuple[list[str], np.ndarray]:
    ordered = np.sort(training)
    cuts = np.unique(_rounded(ordered[(len(ordered) * np.array([0.25, 0.5, 0.75])).astype(int)]))
    texts = [_text(cut, "") for cut in cuts]
    between = [f"[{low}, {high})" for low, high in pairwise(texts)]
    names = [f"< {texts[0]}", *between, f">= {texts[-1]}"]
    return names, np.searchsorted(cuts, values, side="right")


def _rounded(cuts: np.ndarray) -> np.ndarray:
    """Whole days, or three significant digits: a cut must read well."""
    if cuts.dtype.kind == "M":
        return cuts.astype("M8[D]")
    return np.array([float(f"{cut:.3g}") for cut in cuts])


def _text(value: object, kind: str) -> str:
    if kind == "boolean":
        return "true" if value else "false"
    if isinstance(value, np.datetime64):
        return str(np.datetime_as_string(value, unit="auto"))
    return np.format_float_positional(value, trim="-") if isinstance(value, float) else str(value)
