"""What each column adds to an answer: Shapley values, exact, of any model (`report: {shap: true}`).

All sets of columns are asked, so nothing is assumed of trees, encodings or categories; and so the
columns must be few.
"""

from __future__ import annotations

from collections.abc import Callable
from math import comb

import numpy as np

from ...model import artifact
from ...settings.config import CONFIG_FILE, Config, InputError
from ...tables import table
from ...tables.table import Columns
from .chart import Plot, plain

MOST = 10  # columns: 1,024 sets of them
ROWS, OTHERS = 50, 20  # rows of the hold-out that are explained, and that they are compared with


def values(
    answer: Callable[[Columns], np.ndarray], explained: Columns, others: Columns
) -> dict[str, np.ndarray]:
    """Of each column what it adds (n, k) to the answers to the n rows `explained` (Shapley 1953).

    A set of columns is worth the mean answer, (n, k) or (n,), where these are of the row and the
    rest are of each of the rows `others` (Lundberg and Lee 2017, interventional).
    """
    names, n, m = [*explained], table.rows(explained), table.rows(others)
    own = table.take(explained, np.repeat(np.arange(n), m))
    theirs = table.take(others, np.tile(np.arange(m), n))
    worth = []
    for chosen in range(2 ** len(names)):
        mixed = {name: (own if chosen >> at & 1 else theirs)[name] for at, name in enumerate(names)}
        worth.append(answer(mixed).reshape(n, m, -1).mean(axis=1))
    return {name: _of(at, len(names), worth) for at, name in enumerate(names)}


def _of(at: int, count: int, worth: list[np.ndarray]) -> np.ndarray:
    """Mean gain by the column `at` over all orders in which the `count` columns may come."""
    found = np.zeros_like(worth[0])
    for chosen in range(2**count):
        if not chosen >> at & 1:
            gain = worth[chosen | 1 << at] - worth[chosen]
            found += gain / (count * comb(count - 1, chosen.bit_count()))
    return found


def plots(config: Config, model: artifact.Model, test: Columns) -> list[Plot]:
    """The mean size of what each column adds, of rows by chance; no row is shown by itself.

    Raises InputError for more columns than can be asked in all sets.
    """
    if not config.report.shap:
        return []
    if len(config.features) > MOST:
        raise InputError(
            f"{CONFIG_FILE}: report.shap: it is exact for up to {MOST} columns, these are "
            f"{len(config.features)}: set feature: false where you can do without, or remove it"
        )
    order = np.random.default_rng(config.seed).permutation(table.rows(test))
    inputs = {name: test[name] for name in config.features}
    if min(len(order), ROWS) < config.report.min_cell:
        return []
    asked = table.take(inputs, order[:ROWS]), table.take(inputs, order[-OTHERS:])
    size = {name: float(np.abs(v).mean()) for name, v in values(model.predict, *asked).items()}
    names = sorted(size, key=lambda name: -size[name])
    answer = "value" if config.data.task == "regression" else "probability"
    text = f"mean size of what a column adds to the {answer} (Shapley value)"
    return [
        {
            "title": "What each column adds",
            "text": f"{text}, over {table.rows(asked[0])} rows",
            "x": f"mean change of the {answer}",
            "y": "",
            "names": [plain(name) for name in names],
            "marks": [
                {"kind": "dots", "x": [size[n] for n in names], "y": [*range(len(names))]}
                | {"color": 0}
            ],
        }
    ]
