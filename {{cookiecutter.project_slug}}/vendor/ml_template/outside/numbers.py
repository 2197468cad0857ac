"""How the report writes numbers and names of metrics."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

Json = Mapping[str, Any]


def number(value: float | str | None, width: float | None = None) -> str:
    """Three decimals, of an interval two significant digits of its `width`; whole above 1,000.

    A dash for None; a count that is not shown as it is.
    """
    if value is None:
        return "–"
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return f"{value:,}"
    if width and math.isfinite(width):
        digits = 1 - math.floor(math.log10(abs(width)))
        return f"{round(value, digits) + 0.0:,.{min(max(digits, 0), 6)}f}"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    if value == 0:
        return "0.000"  # never -0.000
    return f"{value:.3f}" if abs(value) >= 0.001 else f"{value:.1e}"


def error(name: str, *values: float | None) -> bool:
    """Whether the metric is an error with the other sign, as scikit-learn names them."""
    return name.startswith("neg_") and all(value is None or value <= 0 for value in values)


def title(name: str) -> str:
    """The metric's name for people."""
    return name.removeprefix("neg_").replace("_", " ") if name.startswith("neg_") else name


def shown(name: str, entry: Json) -> Json:
    """The entry {value, low, high} as it is shown: an error is positive."""
    value, low, high = (entry[key] for key in ("value", "low", "high"))
    if not error(name, value, low, high):
        return entry
    turned = [None if each is None else abs(each) for each in (value, high, low)]
    return {**entry} | dict(zip(("value", "low", "high"), turned, strict=True))


def interval(entry: Json) -> tuple[str, str]:
    """Value and interval; digits follow the width of the interval."""
    value, low, high = (entry[key] for key in ("value", "low", "high"))
    width = None if low is None or high is None else high - low
    return number(value, width), f"{number(low, width)} to {number(high, width)}"
