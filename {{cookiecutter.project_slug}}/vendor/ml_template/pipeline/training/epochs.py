"""What a net of the user's says of its training: the device, and the figures of each epoch."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any

from ...settings.config import InputError


def record(estimator: Any) -> dict[str, Any]:
    """{device, epochs: [{name: number}]} of a class with `dense_layers()`; empty for another.

    They are its `device_` and `history_` once it is fitted. Raises InputError for a history that is
    none.
    """
    if not hasattr(estimator, "dense_layers"):
        return {}
    said = f"model.py: history_ of {type(estimator).__name__}"
    history = getattr(estimator, "history_", [])
    for at, figures in enumerate(history, start=1):
        if not isinstance(figures, dict) or not all(map(_is_figure, figures.items())):
            raise InputError(f"{said}: give a dict of names and numbers for each epoch")
        for name, value in figures.items():
            if not math.isfinite(value):
                raise InputError(
                    f"{said}: {name} of epoch {at} is {value}: lower the learning rate"
                )
    epochs = [{name: float(value) for name, value in figures.items()} for figures in history]
    return {"device": str(getattr(estimator, "device_", "cpu")), "epochs": epochs}


def _is_figure(figure: tuple[Any, Any]) -> bool:
    return str(figure[0]).isidentifier() and isinstance(figure[1], Real)


def told(found: dict[str, Any]) -> str:
    """One line on a record."""
    last = found["epochs"][-1] if found["epochs"] else {}
    figures = ", ".join(f"{name} {value:.4g}" for name, value in last.items())
    count = f"{len(found['epochs']):,} epochs on {found['device']}"
    return f"train: {count}{', the last with ' if figures else ''}{figures}"
