"""The figures of a report, measured again: a report that was changed or is stale counts nothing."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from ...model import measures
from ...model.metrics import encode_target
from ...model.shapes import Evaluation, Figures
from ...settings.config import Config, InputError
from ...storage.places import EVALUATION
from ...tables.table import Columns
from ..evaluation.figures import judged, points

MAX_GAP = 1e-9  # relative or absolute: another machine rounds differently
SHOWN = 60  # letters of a value in a message


def measure(
    config: Config,
    prediction: np.ndarray,
    threshold: float | None,
    test: Columns,
    content: Evaluation,
) -> Figures | list[str]:
    """Every figure of the answers `prediction` to the rows `test`; or faults of a report.

    `content` is the report: a fault is a figure shown there that the model has not.
    """
    try:
        found, shown = judged(config, test, prediction, again=True, threshold=threshold)
        truth = encode_target(test[config.data.target], config.data.labels)
        named = points(measures.known(config, threshold, test), truth, prediction)
    except InputError as error:
        return [f"not measured again by the gate: {error}"]
    values = {name: {"value": value} for name, value in named.items()}
    measured = {**shown, "metrics": values | shown["metrics"]}
    faults = [
        f"{EVALUATION}: {path} is {_shown(known)}, measured again by the gate it is {_shown(now)}"
        for path, known, now in _unequal(content, measured, "")
    ]
    return faults or found


def _unequal(known: Any, found: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    """(path, known, found) wherever `known` does not hold what `found` holds."""
    if isinstance(found, dict) and isinstance(known, dict):
        for key, value in found.items():
            yield from _unequal(known.get(key), value, f"{path}.{key}" if path else key)
    elif isinstance(found, list) and isinstance(known, list) and len(found) == len(known):
        for at, value in enumerate(found):
            yield from _unequal(known[at], value, f"{path}[{at}]")
    elif not _same(known, found):
        yield path, known, found


def _shown(value: Any) -> str:
    text = str(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def _same(known: Any, found: Any) -> bool:
    if isinstance(known, float) and isinstance(found, float):
        return math.isclose(known, found, rel_tol=MAX_GAP, abs_tol=MAX_GAP)
    return bool(known == found)
