"""Groups of rows: what a column is cut into for slices and fairness."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from ...settings.config import CONFIG_FILE, InputError
from ...tables import arrays

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
    if values.dtype == object:
        names = sorted({value for value in values if value is not None})
        index = {name: at for at, name in enumerate(names)}
        codes = np.array([index.get(value, len(names)) for value in values], dtype=np.intp)
    else:
        names, codes = _numbers(kind, values, training[~arrays.missing(training)])
        codes = np.where(arrays.missing(values), len(names), codes)
    if len(names) > MAX_GROUPS:
        raise InputError(
            f"{CONFIG_FILE}: column {name!r} has {len(names):,} different values in the test set, "
            f"a column of sensitive or slices at most {MAX_GROUPS}: name a coarser column"
        )
    return Groups([*names, MISSING], codes)


def _numbers(kind: str, values: np.ndarray, training: np.ndarray) -> tuple[list[str], np.ndarray]:
    if len(np.unique(training)) > MAX_VALUES:
        return _quarters(values, training)
    different = np.unique(values[~arrays.missing(values)])
    return [_text(value, kind) for value in different], np.searchsorted(different, values)


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
