"""Parts of a moment that come again: the hour of the day, the day of the week, of the year.

Each part is a whole number below its size, looked up in a table of sines and cosines or of plain
numbers: a row alone and a million rows get the same bits. Hours are those of the moments as they
are kept, see `clock` in model_config.yaml.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

import numpy as np

_MINUTE, _DAY = np.timedelta64(1, "m"), np.timedelta64(1, "D")
THURSDAY = 3  # 1970-01-01, where Monday is 0


class Part(NamedTuple):
    """`of` moments (n,) without NaT and of `one`; the number shown is `first` + place / `unit`."""

    size: int
    of: Callable[[np.ndarray], np.ndarray]
    one: Callable[[datetime], int]
    first: int = 1
    unit: int = 1


PARTS = {
    "hour": Part(  # 14.5 is 14:30
        1440,
        lambda moments: (moments - moments.astype("M8[D]")) // _MINUTE,
        lambda moment: 60 * moment.hour + moment.minute,
        first=0,
        unit=60,
    ),
    "weekday": Part(  # 1 is Monday, as in ISO 8601
        7,
        lambda moments: (moments.astype("M8[D]").astype(np.int64) + THURSDAY) % 7,
        datetime.weekday,
    ),
    "day": Part(
        31,
        lambda moments: (moments.astype("M8[D]") - moments.astype("M8[M]")) // _DAY,
        lambda moment: moment.day - 1,
    ),
    "month": Part(
        12,
        lambda moments: moments.astype("M8[M]").astype(np.int64) % 12,
        lambda moment: moment.month - 1,
    ),
    "day_of_year": Part(
        366,
        lambda moments: (moments.astype("M8[D]") - moments.astype("M8[Y]")) // _DAY,
        lambda moment: moment.timetuple().tm_yday - 1,
    ),
}


def title(column: str, part: str) -> str:
    """How a part is called where people read it."""
    return f"{column}: {part.replace('_', ' ')}"


def places(values: np.ndarray, part: str) -> np.ndarray:
    """Places (n,) in the tables of `part`; the last one is that of a missing moment."""
    absent = np.isnat(values)
    found = PARTS[part].of(np.where(absent, np.datetime64(0, "us"), values))
    return np.where(absent, PARTS[part].size, found).astype(np.intp)


def place(values: np.ndarray, part: str) -> int:
    """The place of one moment (1,) of datetime64[us]."""
    moment = values.item()
    return PARTS[part].size if moment is None else PARTS[part].one(moment)


def numbers(values: np.ndarray, part: str) -> np.ndarray:
    """The part of each moment (n,) as a plain number, NaN where it is missing."""
    return _PLAIN[part][places(values, part)]


def turns(values: np.ndarray, part: str) -> np.ndarray:
    """Sine and cosine (n, 2) of the part as an angle; both 0 where the moment is missing."""
    return _TURNS[part][places(values, part)]


def number(values: np.ndarray, part: str) -> float:
    """`numbers` of one moment (1,)."""
    return _LISTED[part][place(values, part)]


def turn(values: np.ndarray, part: str) -> list[float]:
    """`turns` of one moment (1,)."""
    return _LISTED_TURNS[part][place(values, part)]


def _turns(size: int) -> np.ndarray:
    angles = [2 * math.pi * at / size for at in range(size)]
    return np.array([*((math.sin(angle), math.cos(angle)) for angle in angles), (0.0, 0.0)])


_PLAIN = {
    name: np.append(part.first + np.arange(part.size) / part.unit, np.nan)
    for name, part in PARTS.items()
}
_TURNS = {name: _turns(part.size) for name, part in PARTS.items()}
_LISTED = {name: table.tolist() for name, table in _PLAIN.items()}
_LISTED_TURNS = {name: table.tolist() for name, table in _TURNS.items()}
