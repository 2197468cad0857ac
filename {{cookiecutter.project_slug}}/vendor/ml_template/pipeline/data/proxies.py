"""Columns from which a sensitive one can be told: a model that sees them sees it as well.

A column that is merely correlated is none. Height names 82 % of women and men; titles and `who` of
the Titanic's list name 97 %. Each score leaves the judged row out, so that a column of many values
is no better for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ...settings.categories import category
from ...tables import arrays
from ...tables.table import Columns
from . import leakage_scores as scores
from .leakage import DISCRETE, ENOUGH_ROWS, FEWEST, ORDERED

SAMPLE = 5_000  # rows looked at
TOLD = 0.9  # mean share of each group named right, or share of the variance of a number explained
CERTAIN = 0.3  # share of the rows with a value that only one group has, such as husband and wife
EACH = 0.1  # share of a group that those values must cover, of two groups at least
Groups = tuple[np.ndarray, np.ndarray]  # rows, and the index of their group


class Proxy(NamedTuple):
    """A column, the sensitive one it tells, how well (0 to 1), and how that shows."""

    column: str
    sensitive: str
    told: float
    reason: str


def find(features: Columns, sensitive: Columns, most: float = TOLD) -> list[Proxy]:
    """Columns of `features` (arrays of n) that tell one of `sensitive` to `most` or more.

    Tables of fewer than ENOUGH_ROWS rows are not judged; of more than SAMPLE a sample is.
    """
    found = []
    for name, values in sensitive.items():
        known = np.flatnonzero(~arrays.missing(values))
        if len(known) < ENOUGH_ROWS:
            continue
        if len(known) > SAMPLE:
            known = np.sort(np.random.default_rng(0).choice(known, SAMPLE, replace=False))
        judged = values[known]
        is_number = judged.dtype != object and len(np.unique(judged)) > DISCRETE
        named = None if is_number else _groups(judged)
        for column, others in features.items():
            told, reason = max(_tells(others[known], judged, named, most), default=(0.0, ""))
            if reason:
                found.append(Proxy(column, name, told, f"it tells {name!r}: {reason}"))
    return found


def _tells(
    values: np.ndarray, sensitive: np.ndarray, named: Groups | None, most: float
) -> Iterator[tuple[float, str]]:
    """How well (n,) `values` tell `sensitive`, and the reason, where they do.

    `named` are its groups; None where it is a number.
    """
    values = scores.seconds(values) if values.dtype.kind == "M" else values
    groups, discrete = scores.group_codes(values, DISCRETE)
    if named is None:
        yield from _number(values, groups, discrete, sensitive, most)
        return
    kept, truth = named
    if len(np.unique(truth)) < 2:
        return
    for codes, how in ((groups, "its values name"), (arrays.missing(values), "its gaps name")):
        told = scores.recall(np.unique(codes[kept], return_inverse=True)[1], truth)
        if told >= most:
            yield told, f"{how} {told:.1%} of each group"
    if discrete:
        yield from _certain(np.unique(groups[kept], return_inverse=True)[1], truth)


def _groups(sensitive: np.ndarray) -> Groups:
    """Rows (k,) of groups that have FEWEST rows at least, and the index (k,) of their group."""
    texts = np.array([category(str(value)) for value in sensitive.tolist()], dtype=object)
    codes = scores.text_codes(texts)
    kept = np.flatnonzero(np.bincount(codes)[codes] >= FEWEST)
    return kept, np.unique(codes[kept], return_inverse=True)[1]


def _certain(groups: np.ndarray, truth: np.ndarray) -> Iterator[tuple[float, str]]:
    """Values that one group has alone, where they fill much of two groups."""
    named, table = scores.pure_groups(groups, truth)
    pure = table * (named[:, None] == np.arange(table.shape[1]))
    shares = pure.sum(axis=0) / np.maximum(table.sum(axis=0), 1)
    covered = float(pure.sum() / len(truth))
    if covered >= CERTAIN and (shares >= EACH).sum() > 1:
        yield covered, f"values that one group has alone fill {covered:.1%} of its rows"


def _number(
    values: np.ndarray, groups: np.ndarray, discrete: bool, sensitive: np.ndarray, most: float
) -> Iterator[tuple[float, str]]:
    """The same of a sensitive number or time, such as an age."""
    is_time = sensitive.dtype.kind == "M"
    truth = scores.seconds(sensitive) if is_time else sensitive.astype(np.float64)
    if discrete and (share := scores.order_share(groups, truth)) >= ORDERED:
        yield share, f"it is cut into groups ({share:.1%} of the best possible order)"
    if (share := scores.r_squared(groups, truth)) >= most:
        yield share, f"its values explain {share:.1%} of it"
