"""Which rows are held out: by time, by group, or by the row itself (stratified by class).

What a row draws follows from the row alone and the seed. So it stays where it is when rows are
added, and a later table still knows which rows an earlier model was not trained on.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from ...settings.config import CONFIG_FILE, Config, InputError
from ...storage.files import digest_json
from ...tables import table
from ...tables.table import Columns
from .repeats import hashes

Cut = float | str | None  # what is held out: draws up to it; moments from it on; nothing


def rule(config: Config) -> str:
    """Digest of all that draws depend on beside the rows."""
    full = config.model_dump(mode="json", include={"data", "columns", "split", "seed"})
    for column in full["columns"].values():  # what is made of a moment moves no row
        column.pop("parts", None)
        column.pop("instant", None)
    columns = config.columns.values()
    if any(c.type == "categorical" and c.values is None for c in columns):
        full["categories"] = "one form"  # where no list spells them, 1.0 was hashed as it stood
    return digest_json(full | {"pandas": pd.__version__.split(".")[:2]})  # it hashes the rows


def hold_out(config: Config, columns: Columns) -> tuple[np.ndarray, list[Cut]]:
    """Booleans (n,), True for test rows, and where each stratum was cut; see `held`."""
    drawn = draws(config, columns)
    cut = _newest if config.split.time else _cut
    where: list[Cut] = [cut(drawn[s], config.split.test) for s in _strata(config, columns)]
    test = _held(config, columns, drawn, where)
    if not 0 < test.sum() < len(test):
        raise InputError(f"{CONFIG_FILE}: split leaves no rows to learn or none to test: change it")
    return test, where


def held(config: Config, columns: Columns, where: list[Cut]) -> np.ndarray:
    """Booleans (n,): the rows that the cuts `where`, of this or an earlier table, hold out."""
    return _held(config, columns, draws(config, columns), where)


def _held(config: Config, columns: Columns, drawn: np.ndarray, where: list[Cut]) -> np.ndarray:
    test = np.zeros(len(drawn), dtype=bool)
    for rows, cut in zip(_strata(config, columns), where, strict=True):
        if config.split.time:
            test[rows] = drawn[rows] >= np.datetime64(str(cut))
        elif cut is not None:
            test[rows] = drawn[rows] <= cut
    return test


def draws(config: Config, columns: Columns) -> np.ndarray:
    """A number (n,) in [0, 1) for each row; equal for rows of a group, and for equal rows.

    The target does not count. Where all rows of a class are equal they cannot stay together, and
    draw by their place. By time it is the moment of the row; raises InputError where it is missing.
    """
    if config.split.time:
        moments = columns[config.split.time]
        if (absent := np.isnat(moments)).any():
            table.refuse_rows(Path(config.data.path), config.split.time, absent, "is missing")
        return moments
    if config.split.group:
        return _uniform(hashes({"": columns[config.split.group].astype(str)}), config.seed)
    drawn = _uniform(hashes({name: columns[name] for name in config.columns}), config.seed)
    for rows in _strata(config, columns):
        if len(rows) > 1 and (drawn[rows] == drawn[rows[0]]).all():
            drawn[rows] = _uniform(np.arange(len(rows), dtype=np.uint64), config.seed)
    return drawn


def _uniform(codes: np.ndarray, seed: int) -> np.ndarray:
    """Numbers (n,) in [0, 1): the finaliser of SplitMix64 (Steele, Lea and Flood 2014)."""
    mixed = codes + np.uint64((seed + 1) * 0x9E3779B97F4A7C15 % 2**64)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((mixed ^ (mixed >> np.uint64(31))) >> np.uint64(11)) * 2.0**-53


def _cut(drawn: np.ndarray, share: float) -> float | None:
    """The draw up to which about that share of the rows lies; at least one, never all."""
    different, sizes = np.unique(drawn, return_counts=True)
    wanted = max(1, round(len(drawn) * share))
    count = max(1, int(np.searchsorted(np.cumsum(sizes), wanted, "right")))
    count = min(count, len(different) - 1)
    return float(different[count - 1]) if count > 0 else None


def _newest(moments: np.ndarray, share: float) -> str:
    """The moment from which on about that share of the rows lies."""
    last = len(moments) - 1
    return str(np.sort(moments)[min(last, round(len(moments) * (1 - share)))])


def _strata(config: Config, columns: Columns) -> list[np.ndarray]:
    if config.data.task == "regression" or config.split.group or config.split.time:
        return [np.arange(table.rows(columns))]
    labels = columns[config.data.target]
    return [np.flatnonzero(labels == label) for label in config.data.labels]
