"""Permutation importance of the columns a model is given (Breiman 2001)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from ...model import artifact, measures
from ...model.shapes import Importance
from ...settings.config import Config
from ...tables import table
from ...tables.table import Columns
from ..data.answering import Judges, together

ROWS = 2_000
REPEATS = 5


def measure(config: Config, judges: Judges, test: Columns, truth: np.ndarray) -> list[Importance]:
    """Mean drop of the headline metric when a column is shuffled, with the lowest and highest.

    Parts of a time are shuffled one by one as well, each without the time itself.
    """
    random = np.random.default_rng(config.seed)
    chosen = _sample(random, truth, config.data.labels)
    known, rows = truth[chosen], table.take({n: test[n] for n in config.features}, chosen)
    places = [(model, np.flatnonzero(np.isin(chosen, numbers))) for model, numbers in judges]
    counted = {config.data.weight: test[config.data.weight]} if config.data.weight else {}
    named = measures.known(config, judges[0][0].threshold, table.take(counted, chosen))
    metric = named[measures.headline(config)]
    ones = np.ones((1, len(chosen)))
    usual = together(places, lambda model, at: model.predict(table.take(rows, at)))
    whole = float(metric(known, usual, ones)[0])
    found: list[Importance] = []
    shuffled: dict[str, Callable[[np.ndarray], np.ndarray]]
    shuffled = {name: partial(_of_column, places, rows, name) for name in rows}
    parts = judges[0][0].encoder.parts
    shuffled |= {name: partial(_of_part, places, rows, name) for name in parts}
    for name, answer in shuffled.items():
        orders = (random.permutation(len(chosen)) for _ in range(REPEATS))
        drops = [whole - float(metric(known, answer(order), ones)[0]) for order in orders]
        mean = float(np.mean(drops))
        found.append({"feature": name, "value": mean, "low": min(drops), "high": max(drops)})
    return sorted(found, key=lambda entry: -entry["value"])


def _of_column(judges: Judges, rows: Columns, name: str, order: np.ndarray) -> np.ndarray:
    """Answers to `rows` with the column `name` in another order."""
    mixed = rows | {name: rows[name][order]}
    return together(judges, lambda model, at: model.predict(table.take(mixed, at)))


def _of_part(judges: Judges, rows: Columns, name: str, order: np.ndarray) -> np.ndarray:
    """Answers to `rows` whose part `name` of a moment, once encoded, is in another order."""

    def ask(model: artifact.Model, at: np.ndarray) -> np.ndarray:
        place, matrix = model.encoder.parts[name], model.encoder.apply(rows)
        mixed = matrix[at]
        mixed[:, place] = matrix[order[at], place]
        return model.score(mixed)

    return together(judges, ask)


def _sample(random: np.random.Generator, truth: np.ndarray, labels: Sequence[str]) -> np.ndarray:
    """Up to ROWS row numbers, with at least one row of every class."""
    order = random.permutation(len(truth))
    if labels:
        first = np.unique(truth[order], return_index=True)[1]
        order = np.concatenate([order[first], np.delete(order, first)])
    return order[:ROWS]
