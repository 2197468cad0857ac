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

ROWS = 2_000
REPEATS = 5


def measure(
    config: Config, model: artifact.Model, test: Columns, truth: np.ndarray
) -> list[Importance]:
    """Mean drop of the headline metric when a column is shuffled, with the lowest and highest.

    Parts of a time are shuffled one by one as well, each without the time itself.
    """
    random = np.random.default_rng(config.seed)
    chosen = _sample(random, truth, config.data.labels)
    known, rows = truth[chosen], table.take({n: test[n] for n in config.features}, chosen)
    counted = {config.data.weight: test[config.data.weight]} if config.data.weight else {}
    metric = measures.known(config, table.take(counted, chosen))[measures.headline(config)]
    ones = np.ones((1, len(chosen)))
    whole = float(metric(known, model.predict(rows), ones)[0])
    found: list[Importance] = []
    shuffled: dict[str, Callable[[np.ndarray], np.ndarray]]
    shuffled = {name: partial(_of_column, model, rows, name) for name in rows}
    if parts := model.encoder.parts:
        matrix = model.encoder.apply(rows)
        shuffled |= {name: partial(_of_part, model, matrix, at) for name, at in parts.items()}
    for name, answer in shuffled.items():
        orders = (random.permutation(len(chosen)) for _ in range(REPEATS))
        drops = [whole - float(metric(known, answer(order), ones)[0]) for order in orders]
        mean = float(np.mean(drops))
        found.append({"feature": name, "value": mean, "low": min(drops), "high": max(drops)})
    return sorted(found, key=lambda entry: -entry["value"])


def _of_column(model: artifact.Model, rows: Columns, name: str, order: np.ndarray) -> np.ndarray:
    """Answers to `rows` with the column `name` in another order."""
    return model.predict(rows | {name: rows[name][order]})


def _of_part(model: artifact.Model, matrix: np.ndarray, at: slice, order: np.ndarray) -> np.ndarray:
    """Answers to the encoded rows (n, width) with their columns `at` in another order."""
    mixed = matrix.copy()
    mixed[:, at] = matrix[order, at]
    return model.score(mixed)


def _sample(random: np.random.Generator, truth: np.ndarray, labels: Sequence[str]) -> np.ndarray:
    """Up to ROWS row numbers, with at least one row of every class."""
    order = random.permutation(len(truth))
    if labels:
        first = np.unique(truth[order], return_index=True)[1]
        order = np.concatenate([order[first], np.delete(order, first)])
    return order[:ROWS]
