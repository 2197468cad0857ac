"""Permutation importance of the columns a model is given (Breiman 2001)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from ...model import artifact, measures
from ...model.shapes import Importance
from ...settings.config import Config
from ...tables import table
from ...tables.table import Columns
from ..data.answering import Judges, in_order

ROWS = 2_000
REPEATS = 5


class Asked(NamedTuple):
    """A model, and the numbers and columns of the rows that it answers."""

    model: artifact.Model
    at: np.ndarray
    rows: Columns


def measure(config: Config, judges: Judges, test: Columns, truth: np.ndarray) -> list[Importance]:
    """Mean drop of the headline metric when a column is shuffled, with the lowest and highest.

    Parts of a time are shuffled one by one as well, each without the time itself.
    """
    random = np.random.default_rng(config.seed)
    chosen = _sample(random, truth, config.data.labels)
    known, rows = truth[chosen], table.take({n: test[n] for n in config.features}, chosen)
    places = ((model, np.flatnonzero(np.isin(chosen, numbers))) for model, numbers in judges)
    asked = [Asked(model, at, table.take(rows, at)) for model, at in places if len(at)]
    counted = {config.data.weight: test[config.data.weight]} if config.data.weight else {}
    named = measures.known(config, judges[0][0].threshold, table.take(counted, chosen))
    metric = named[measures.headline(config)]
    ones = np.ones((1, len(chosen)))
    usual = [one.model.predict(one.rows) for one in asked]
    whole = float(metric(known, _in_order(asked, usual), ones)[0])
    found: list[Importance] = []
    shuffled: dict[str, Callable[[np.ndarray], np.ndarray]]
    shuffled = {name: partial(_of_column, asked, rows, name) for name in rows}
    if parts := judges[0][0].encoder.parts:
        encoded = [one.model.encoder.apply(rows) for one in asked]
        shuffled |= {name: partial(_of_part, asked, encoded, name) for name in parts}
    for name, answer in shuffled.items():
        orders = (random.permutation(len(chosen)) for _ in range(REPEATS))
        drops = [whole - float(metric(known, answer(order), ones)[0]) for order in orders]
        mean = float(np.mean(drops))
        found.append({"feature": name, "value": mean, "low": min(drops), "high": max(drops)})
    return sorted(found, key=lambda entry: -entry["value"])


def _in_order(asked: list[Asked], answers: list[np.ndarray]) -> np.ndarray:
    return in_order([one.at for one in asked], answers)


def _of_column(asked: list[Asked], rows: Columns, name: str, order: np.ndarray) -> np.ndarray:
    """Answers to `rows` with the column `name` in another order."""
    mixed = rows[name][order]
    return _in_order(asked, [one.model.predict(one.rows | {name: mixed[one.at]}) for one in asked])


def _of_part(
    asked: list[Asked], encoded: list[np.ndarray], name: str, order: np.ndarray
) -> np.ndarray:
    """Answers to rows whose part `name` of a moment is in another order; `encoded` by each."""
    answers = []
    for one, matrix in zip(asked, encoded, strict=True):
        place, mixed = one.model.encoder.parts[name], matrix[one.at]
        mixed[:, place] = matrix[order[one.at], place]
        answers.append(one.model.score(mixed))
    return _in_order(asked, answers)


def _sample(random: np.random.Generator, truth: np.ndarray, labels: Sequence[str]) -> np.ndarray:
    """Up to ROWS row numbers, with at least one row of every class."""
    order = random.permutation(len(truth))
    if labels:
        first = np.unique(truth[order], return_index=True)[1]
        order = np.concatenate([order[first], np.delete(order, first)])
    return order[:ROWS]
