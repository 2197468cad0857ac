"""Which fold holds a row out: split.folds, where each row is held out once.

As of a hold-out, what a row draws follows from the row and the seed: rows that are added move none.
"""

from __future__ import annotations

import numpy as np

from ...settings.config import CONFIG_FILE, Config, InputError
from ...tables.table import Columns
from . import split

Cuts = list[float]  # of a stratum: draws up to each of these
MOST = 10_000  # rows: of more a hold-out tells as much, by one model instead of many


def folded(config: Config, columns: Columns) -> tuple[np.ndarray, list[Cuts]]:
    """Numbers (n,) from 0: the fold that holds each row out, and where each stratum was cut.

    Raises InputError for too many rows, and where a class is in one fold only.
    """
    count, target = config.split.folds or 0, columns[config.data.target]
    says = f"{CONFIG_FILE}: split.folds"
    if len(target) > MOST:
        reason = f"{len(target):,} rows are more than {MOST:,}"
        raise InputError(f"{says}: {reason}: test: 0.2 tells as much of them")
    cuts = cut(config, columns, count)
    numbers = fold_of(config, columns, cuts)
    for at in range(count):
        rest = target[numbers != at]
        lacking = [f"class {c!r}" for c in config.data.labels if c not in rest]
        if lacking or not len(rest):
            what = lacking[0] if lacking else "any row"
            raise InputError(
                f"{says}: fold {at + 1} of {count} holds out all of {what}: nothing is left to "
                f"learn that from; set draw, or group by another column"
            )
    return numbers, cuts


def cut(config: Config, columns: Columns, count: int) -> list[Cuts]:
    """Where each stratum is cut into `count` parts."""
    drawn = split.draws(config, columns)
    return [_cuts(drawn[rows], count) for rows in split.strata(config, columns)]


def fold_of(config: Config, columns: Columns, cuts: list[Cuts]) -> np.ndarray:
    """Numbers (n,): the fold, of this or an earlier table that was cut so, that holds rows out.

    Each class begins with another fold: else those of few rows would all meet in the same ones.
    """
    drawn = split.draws(config, columns)
    numbers = np.empty(len(drawn), dtype=int)
    for at, (rows, where) in enumerate(zip(split.strata(config, columns), cuts, strict=True)):
        numbers[rows] = (np.searchsorted(where, drawn[rows]) + at) % (len(where) + 1)
    return numbers


def _cuts(drawn: np.ndarray, count: int) -> Cuts:
    """The draws (count - 1,) up to which the parts lie, that have about as many rows each."""
    different, sizes = np.unique(drawn, return_counts=True)
    middle = (np.cumsum(sizes) - sizes / 2) / max(len(drawn), 1)
    last = np.searchsorted(middle, np.arange(1, count) / count) - 1
    return [float(different[at]) if at >= 0 else -1.0 for at in last]
