"""Which rows are held out: by time, by group, or by the row itself (stratified by class).

By a column of marks it is what the column says; nothing is drawn then.

What a row draws follows from the row alone and the seed. So it stays where it is when rows are
added, and a later table still knows which rows an earlier model was not trained on.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd

from ...settings.categories import category
from ...settings.config import CONFIG_FILE, Config, InputError
from ...storage.files import digest_json
from ...storage.places import PREPARED
from ...tables import table
from ...tables.arrays import missing
from ...tables.table import Columns
from .repeats import hashes, spread

Cut = float | str | None  # what is held out: draws up to it; moments from it on; nothing


def rule(config: Config) -> str:
    """Digest of all that draws depend on beside the rows."""
    full = config.model_dump(mode="json", include={"data", "columns", "split", "seed"})
    full["data"].pop("weight", None)  # how much a row counts moves none
    for column in full["columns"].values():  # what is made of a moment moves no row
        column.pop("parts", None)
        column.pop("instant", None)
    columns = config.columns.values()
    if any(c.type == "categorical" and c.values is None for c in columns):
        full["categories"] = "one form"  # where no list spells them, 1.0 was hashed as it stood
    if config.split.group and config.columns[config.split.group].missing:
        full["no group"] = "by row"  # all of them were one group
    return digest_json(full | {"pandas": pd.__version__.split(".")[:2]})  # it hashes the rows


def hold_out(config: Config, columns: Columns) -> tuple[np.ndarray, list[Cut]]:
    """Booleans (n,), True for test rows, and where each stratum was cut; see `held`."""
    where: list[Cut] = []
    if config.split.column:
        test = _marked(config, columns)
    elif config.split.time and config.split.group:
        share = math.sqrt(config.split.test)  # of the moments, and of the groups
        where = [_newest(_moments(config, columns), share)]
        where += [_cut(_uniform(_grouped(config, columns), config), share)]
        test = held(config, columns, where)
    else:
        drawn = draws(config, columns)
        cut = _newest if config.split.time else _cut
        where = [cut(drawn[rows], config.split.test) for rows in strata(config, columns)]
        test = _held(config, columns, drawn, where)
    if not (test.any() and learned(config, columns, test, where).any()):
        raise InputError(f"{CONFIG_FILE}: split leaves no rows to learn or none to test: change it")
    return test, where


def held(config: Config, columns: Columns, where: list[Cut]) -> np.ndarray:
    """Booleans (n,): the rows that the cuts `where`, of this or an earlier table, hold out."""
    if config.split.time and config.split.group:
        return np.logical_and(*_late_and_strange(config, columns, where))
    return _held(config, columns, draws(config, columns), where)


def learned(config: Config, columns: Columns, test: np.ndarray, where: list[Cut]) -> np.ndarray:
    """Booleans (n,): the rows to learn from beside the hold-out `test` (n,) of the cuts `where`.

    By time and group neither the later rows of the same groups, nor earlier ones of the others.
    """
    if config.split.time and config.split.group:
        return ~np.logical_or(*_late_and_strange(config, columns, where))
    return ~test


def once(config: Config, columns: Columns) -> tuple[np.ndarray, np.ndarray]:
    """Booleans (n,): the rows to learn from and those to hold out."""
    test, where = hold_out(config, columns)
    return learned(config, columns, test, where), test


def _late_and_strange(
    config: Config, columns: Columns, where: list[Cut]
) -> tuple[np.ndarray, np.ndarray]:
    """Booleans (n,): rows from the moment of the cuts on, and rows of groups that are held out."""
    moment, draw = where
    late = _moments(config, columns) >= np.datetime64(str(moment))
    if draw is None:
        return late, np.zeros_like(late)
    return late, _uniform(_grouped(config, columns), config) <= draw


def _marked(config: Config, columns: Columns) -> np.ndarray:
    """Booleans (n,): rows that split.column marks; InputError for marks that nobody listed."""
    name = str(config.split.column)
    marks, path = columns[name], Path(config.data.path)
    if (absent := missing(marks)).any():
        table.refuse_rows(path, name, absent, "is missing, so that nobody knows its side,")
    known = config.columns[name].values
    if known is not None and (strange := ~np.isin(marks, np.array(known, dtype=object))).any():
        found = ", ".join(map(repr, sorted(set(marks[strange]))[:3]))
        table.refuse_rows(path, name, strange, f"holds {found}, which its values do not list,")
    held = {category(value) for value in config.split.holds}
    there = {value: category(value) for value in set(marks)}
    if absent_marks := sorted(held - set(there.values())):
        seen = ", ".join(map(repr, sorted(there)[:10]))
        raise InputError(
            f"{CONFIG_FILE}: split.holds: no row of {path} has {absent_marks[0]!r} in {name!r}: "
            f"it holds {seen}"
        )
    return np.array([there[mark] in held for mark in marks], dtype=bool)


def held_before(config: Config, test: Columns, where: list[Cut]) -> np.ndarray:
    """Booleans (n,): the prepared hold-out rows `test` that the cuts `where` hold out as well.

    The place of a row among its equals, which it may draw by, is that in the whole table.
    """
    if config.split.repeats == "together":
        return held(config, test, where)
    train = table.read_parquet(PREPARED / "train.parquet")
    both = {name: np.concatenate([train[name], values]) for name, values in test.items()}
    order = np.argsort(both[table.ROW])
    out = np.empty(len(order), dtype=bool)
    out[order] = held(config, table.take(both, order), where)
    return out[table.rows(train) :]


def _held(config: Config, columns: Columns, drawn: np.ndarray, where: list[Cut]) -> np.ndarray:
    test = np.zeros(len(drawn), dtype=bool)
    for rows, cut in zip(strata(config, columns), where, strict=True):
        if config.split.time:
            test[rows] = drawn[rows] >= np.datetime64(str(cut))
        elif cut is not None:
            test[rows] = drawn[rows] <= cut
    return test


def draws(config: Config, columns: Columns) -> np.ndarray:
    """A number (n,) in [0, 1) for each row; equal for rows of a group, and for equal rows.

    The target does not count. Equal rows of a class draw by their order too where split.repeats
    says `apart`; where all rows of a class are equal they cannot stay together, and draw by their
    place. By time it is the moment of the row; raises InputError where it is missing.
    """
    if config.split.time:
        return _moments(config, columns)
    if config.split.group:
        return _uniform(_grouped(config, columns), config)
    drawn = _uniform(hashes({name: columns[name] for name in config.columns}), config)
    for rows in strata(config, columns):
        if config.split.repeats == "apart":
            drawn[rows] = spread(drawn[rows])
        elif len(rows) > 1 and (drawn[rows] == drawn[rows[0]]).all():
            drawn[rows] = _uniform(np.arange(len(rows), dtype=np.uint64), config)
    return drawn


def _moments(config: Config, columns: Columns) -> np.ndarray:
    moments = columns[str(config.split.time)]
    if (absent := np.isnat(moments)).any():
        table.refuse_rows(Path(config.data.path), str(config.split.time), absent, "is missing")
    return moments


def clusters(config: Config, columns: Columns) -> np.ndarray | None:
    """Numbers (n,) from 0 of the groups that are held out whole; None where rows are."""
    if not config.split.group:
        return None
    return np.unique(_grouped(config, columns), return_inverse=True)[1]


def _grouped(config: Config, columns: Columns) -> np.ndarray:
    """64 bits (n,) of each row's group; a row without one is alone with its equals."""
    group = columns[str(config.split.group)]
    codes = hashes({"": group.astype(str)})
    if not (alone := missing(group)).any():
        return codes
    return np.where(alone, hashes({name: columns[name] for name in config.columns}), codes)


def _uniform(codes: np.ndarray, config: Config) -> np.ndarray:
    """Numbers (n,) in [0, 1): the finaliser of SplitMix64 (Steele, Lea and Flood 2014)."""
    number = (config.split.draw << 32) + config.seed + 1
    mixed = codes + np.uint64(number * 0x9E3779B97F4A7C15 % 2**64)
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


def strata(config: Config, columns: Columns) -> list[np.ndarray]:
    """Numbers of the rows of each class, where rows are held out; else of all rows."""
    if config.data.task == "regression" or config.split.group or config.split.time:
        return [np.arange(table.rows(columns))]
    labels = columns[config.data.target]
    return [np.flatnonzero(labels == label) for label in config.data.labels]
