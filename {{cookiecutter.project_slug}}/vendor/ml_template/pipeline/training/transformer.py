"""transformer: the project's own columns, learned from the training rows; a part of fit."""

from __future__ import annotations

import inspect
import math
from typing import Any

import numpy as np

from ...model import metrics
from ...model.own import transformer
from ...project import handed, place
from ...settings.config import Config
from ...tables.arrays import Columns, take
from . import encoding, supervised
from .encoding import Own


def learn(config: Config, columns: Columns) -> Own | None:
    """The columns of the project's own transformer; None where it has none.

    Where its `fit` asks for the target, the training rows see what the other rows say. Raises
    ValueError, naming file and remedy, for a state that is no plain data and for wrong columns.
    """
    if handed().transformer is None:
        return None
    said, own = place(str(handed().transformer)), transformer()
    known = {name: columns[name] for name in config.features}
    known |= encoding.checked_features(known)
    target = metrics.encode_target(columns[config.data.target], config.data.labels)
    supervises = len(inspect.signature(own.fit).parameters) > 1

    def fitted(rows: Columns, truth: np.ndarray) -> dict[str, Any]:
        with encoding.told(said):
            state = own.fit(rows, truth) if supervises else own.fit(rows)
        found: dict[str, Any] = _plain(state, said)
        return found

    def added(rows: Columns, state: dict[str, Any]) -> Columns:
        found = encoding.checked(rows, lambda some: own.transform(some, state), said)
        for name, values in found.items():
            if values.dtype.kind == "f" and np.isinf(values).any():
                raise ValueError(f"{said}: {name!r} is infinite in some rows: return NaN there")
        return found

    state = fitted(known, target)
    found = added(known, state)
    kept = {name: values.copy() for name, values in found.items()}
    for seen, rest in supervised.folds(config, columns) if supervises else ():
        part = added(take(known, rest), fitted(take(known, seen), target[seen]))
        if part.keys() != found.keys():
            raise ValueError(f"{said}: other rows get other columns: return the same for any rows")
        for name, values in part.items():
            kept[name][rest] = values
    return Own({"state": state, "columns": [*found]}, kept)


def _plain(value: Any, said: str, where: str = "") -> Any:
    """`value` as JSON gives it back; raises ValueError naming what in it has no such form."""
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: _plain(item, said, f"{where}[{key!r}]") for key, item in value.items()}
    if where and isinstance(value, list):
        return [_plain(item, said, f"{where}[{at}]") for at, item in enumerate(value)]
    if where and (value is None or isinstance(value, str | bool | int)):
        return value
    if where and isinstance(value, float) and math.isfinite(value):
        return float(value)
    what = f"{value!r}" if isinstance(value, float) else f"a {type(value).__name__}"
    what += " with keys that are no texts" if isinstance(value, dict) else ""
    raise ValueError(
        f"{said}: fit returned a state{where} that is {what}: keep a dictionary by texts of "
        f"finite numbers, texts, None, lists (array.tolist()) and such dictionaries"
    )
