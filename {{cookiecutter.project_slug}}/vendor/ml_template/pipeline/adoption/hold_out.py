"""Which rows adopt proposes to hold out, and why these."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

import numpy as np
import pandas as pd

from ...settings.config import Config, InputError, Split
from ...tables import arrays
from ...tables.table import Columns
from ..data import folds, split
from ..data.alike import distance
from ..data.repeats import by_nature
from . import groups
from .found import Found

DRAWS = 20  # that are tried: the first that is like the table, or else the best of them
NEAR, SMALL = 1.5, 0.02  # like the table: so many standard errors, or parts of a standard deviation
LARGEST = 0.5  # share of the rows in one group, or in none
FEW, FOLDS = 500, 5  # rows, below which a fifth of them tells little: see docs/decisions.md
Choice = tuple[Split, str]


def plan(rows: int) -> dict[str, Any]:
    """`split` of a table, before it is known what its rows are held out by."""
    return {"folds": FOLDS} if rows < FEW else {"test": 0.2}


def choose(config: Config, found: Mapping[str, Found], target: np.ndarray) -> Choice:
    """The split for the columns of `config`, and why; `target` (n,): labels or values, with gaps.

    By a column of groups where one can be held out by; else by rows.
    """
    known = ~arrays.missing(target)
    columns = {name: found[name].values[known] for name in config.columns}
    columns[config.data.target] = target[known]
    lost = [name for name in config.left_out if name in found and found[name].is_group]
    reasons = [f"not by {name}: it is left out" for name in lost]
    for name in _candidates(config, found, columns):
        chosen, why = _by_group(config, columns, name)
        if chosen is not None:
            return chosen, "; ".join([why, *reasons])
        reasons.append(why)
    chosen, why = _by_rows(config, columns)
    return chosen, "; ".join([*filter(None, (*reasons, why))])


def _candidates(config: Config, found: Mapping[str, Found], columns: Columns) -> list[str]:
    """Columns of groups: people before things, then the one with the fewest groups."""
    named = [
        name
        for name in config.columns
        if groups.rank(name) < 2
        and (found[name].is_group or (groups.is_named(name) and columns[name].dtype == object))
    ]
    return sorted(named, key=lambda name: (groups.rank(name), pd.unique(columns[name]).size))


def _by_group(config: Config, columns: Columns, name: str) -> tuple[Split | None, str]:
    """The split by the groups of the column `name` and what it is; or None and why not."""
    present = columns[name][~arrays.missing(columns[name])]
    sizes = np.unique(pd.factorize(present)[0], return_counts=True)[1]
    if len(sizes) < groups.FEWEST:
        return None, f"not by {name}: it has {len(sizes)} groups, {groups.FEWEST} are needed"
    if len(present) < LARGEST * len(columns[name]):
        return None, f"not by {name}: most rows have none"
    if sizes.max() > LARGEST * len(columns[name]):
        share = sizes.max() / len(columns[name])
        return None, f"not by {name}: one group has {share:.0%} of the rows"
    chosen = _alike(config, columns, config.split.model_copy(update={"group": name}))
    if chosen is None:
        return None, f"not by {name}: a class would be on one side only"
    return chosen, f"whole groups: no {name} is on both sides; without group, by single rows"


def _by_rows(config: Config, columns: Columns) -> Choice:
    plain = {name: columns[name] for name in config.columns}
    why = by_nature(plain, columns[config.data.target], config.split.share)
    wanted = config.split.model_copy(update={"repeats": "apart"} if why else {})
    if why:
        why += ": equal rows are on both sides; repeats: together keeps them on one"
    return _alike(config, columns, wanted) or wanted, why


def _alike(config: Config, columns: Columns, wanted: Split) -> Split | None:
    """`wanted` with the draw whose hold-out is like the table; None where a class would vanish."""
    target = columns[config.data.target]
    best: tuple[float, Split] | None = None
    for far, chosen in _tried(config, columns, wanted):
        if best is None or far < best[0]:
            best = far, chosen
        if far <= max(NEAR, SMALL * np.sqrt(len(target) * wanted.test)):
            break
    return best[1] if best else None


def _tried(config: Config, columns: Columns, wanted: Split) -> Iterator[tuple[float, Split]]:
    """How far each draw is from the table, where each class is on both sides of it."""
    target = columns[config.data.target]
    classes = len(config.data.classes)
    for draw in range(DRAWS):
        chosen = wanted.model_copy(update={"draw": draw})
        drawn = config.model_copy(update={"split": chosen})
        if chosen.folds:
            with suppress(InputError):  # that a class is in one fold only
                folds.folded(drawn, columns)
                yield 0.0, chosen
            continue
        test, _ = split.hold_out(drawn, columns)
        sides = [pd.unique(target[side]).size for side in (test, ~test)]
        if config.data.task == "regression" or min(sides) == classes:
            yield distance(target, test), chosen
