"""Columns in memory, without any library but numpy: what training and serving share.

numeric and boolean: float64, NaN is missing.   datetime: datetime64[us], NaT is missing.
categorical and text: object, None is missing.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np

Columns = dict[str, np.ndarray]
ROW = "__row__"  # 1-based row of the data file, so that a later refusal can name it
# What a table may say for a boolean, in any case.
TRUE = frozenset({"true", "t", "yes", "y", "1", "1.0"})
FALSE = frozenset({"false", "f", "no", "n", "0", "0.0"})
BOOLEANS = dict.fromkeys(TRUE, True) | dict.fromkeys(FALSE, False)


def rows(columns: Columns) -> int:
    """Number of rows; 0 for no columns."""
    return len(next(iter(columns.values()), ()))


def take(columns: Columns, index: np.ndarray) -> Columns:
    """The rows `index` (integers or booleans) of every column."""
    return {name: values[index] for name, values in columns.items()}


def missing(values: np.ndarray) -> np.ndarray:
    """Booleans (n,): True where the value is missing."""
    if values.dtype == object:
        return np.asarray(values == None)  # noqa: E711 - elementwise
    return np.isnat(values) if values.dtype.kind == "M" else np.isnan(values)


def each(texts: np.ndarray, change: Callable[[str], str]) -> np.ndarray:
    """`change` of every different text of (n,), put in the place of each."""
    listed = texts.tolist()
    changed = {text: change(text) for text in set(listed)}
    return np.array([changed[text] for text in listed], dtype=object)


def parse_datetime(text: str, format: str | None, clock: str = "utc") -> datetime | None:
    """Time without zone, or None where `text` is no time.

    Where the text names a zone it is that of UTC, or with the `clock` written the local one as it
    stands. `format` is a strptime pattern; without one the text is ISO 8601.
    """
    try:
        moment = datetime.strptime(text, format) if format else datetime.fromisoformat(text)
        if moment.tzinfo and clock == "utc":
            moment = moment.astimezone(UTC)
        return moment.replace(tzinfo=None)
    except (ValueError, OverflowError):  # the zone may lead out of the years 1 to 9999
        return None
