"""Whether an estimator learns the same from the same rows: the digest of a model stands for it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...model import forms, targets
from ...project import handed, place
from ...settings.config import Config, InputError
from ...tables import table
from ...tables.table import Columns
from .fit import fit

ROWS = 20_000  # of the training rows; some estimators draw only from 10,000 rows on
_OWN = ("sklearn", "lightgbm", "xgboost")  # they draw by a parameter random_state and nothing else


def require(config: Config, columns: Columns, params: dict[str, Any], estimator: Any) -> None:
    """Fit twice where something may draw without a seed; raises InputError where answers differ."""
    drawing = unseeded(estimator)
    if handed().transformer:
        drawing.append(place(str(handed().transformer)))
    if not drawing:
        return
    rows = table.take(columns, np.arange(min(ROWS, table.rows(columns))))
    first, second = (_answers(config, rows, params) for _ in range(2))
    if (apart := forms.difference(first, second)) > forms.MAX_DIFFERENCE:
        raise InputError(
            f"model.py: two fits on the same rows answer differently (by {apart:.3g}): a "
            f"random_state is forgotten: pass random_state=config.seed to {' and '.join(drawing)}"
        )


def unseeded(estimator: Any) -> list[str]:
    """Names of the parts that may draw without a seed: a random_state that is None, or unknown."""
    if isinstance(estimator, targets.Answering):
        estimator = estimator.inner
    deep = estimator.get_params() if hasattr(estimator, "get_params") else {}
    found = []
    for part in (estimator, *deep.values()):
        own = type(part).__module__.partition(".")[0] in _OWN
        given = part.get_params(deep=False) if hasattr(part, "get_params") else {}
        unknown = hasattr(part, "fit") and not own and given.get("random_state") is None
        if unknown or ("random_state" in given and given["random_state"] is None):
            found.append(type(part).__name__)
    return list(dict.fromkeys(found))


def _answers(config: Config, rows: Columns, params: dict[str, Any]) -> np.ndarray:
    encoder, estimator = fit(config, rows, **params)
    return forms.plain_scorer(estimator)(encoder.apply(rows))
