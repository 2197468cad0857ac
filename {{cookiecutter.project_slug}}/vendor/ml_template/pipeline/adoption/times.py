"""In which form the times of a column are written."""

from __future__ import annotations

import numpy as np

from ...model import moments
from ...settings.config import Part
from ...tables.table import parse_datetime
from ..data.wording import FORMATS, ONLY_CLOCKS
from .texts import Texts, shown

MIXED = ""  # no single form
A_WEEK, MOST_OF_A_YEAR = 7, 270  # days
CLOSER = 4  # times, of two readings: the one in which all lie so close together is meant
_UNITS = {10: "seconds", 13: "milliseconds"}  # since 1970, by their digits from 2001 to 2286


def time_format(values: list[str]) -> tuple[str | None, str] | None:
    """The first format that reads every value, and a remark where another one would too."""
    if not all(any(sign.isdigit() for sign in value) for value in values[:50]):
        return None
    few = [f for f in FORMATS if _all_parse(values[:50], f)]
    format = next((f for f in few if _all_parse(values, f)), MIXED)
    if not format:
        return None if format == MIXED else (format, "")
    if format in ONLY_CLOCKS:
        return format, "a time of day is a guess: a length of time must be a number"
    swapped = format.replace("%m", "%q").replace("%d", "%m").replace("%q", "%d")
    some = values[:5000]
    if swapped == format or swapped not in few or not _all_parse(some, swapped):
        return format, ""
    if CLOSER * _span(some, swapped) < _span(some, format) and _all_parse(values, swapped):
        return swapped, "month first is a guess: day first fits as well, farther apart"
    return format, "day first is a guess: month first fits as well"


def _span(values: list[str], format: str) -> float:
    found = [moment for value in values if (moment := parse_datetime(value, format))]
    return (max(found) - min(found)).total_seconds()


def _all_parse(values: list[str], format: str | None) -> bool:
    return all(parse_datetime(value, format) is not None for value in values)


def mixed(texts: Texts) -> str:
    """Reason for times of which no single form is that of all; nothing where they are no times."""
    some = texts.values[:200]
    likely = [f for end in (some[0], some[-1]) for f in FORMATS if _all_parse([end], f)]
    read = [any(_all_parse([value], f) for f in likely) for value in some]
    if not likely or sum(read) < 0.8 * len(some):
        return ""
    odd = next((value for value, ok in zip(some, read, strict=True) if not ok), some[-1])
    return (
        f"its times are not all of one form ({shown(some[0])}, but {shown(odd)} in row "
        f"{texts.first_row(odd):,}): write them all as 2026-01-31"
    )


def zoned(values: list[str], format: str | None) -> bool:
    """Whether a value names a zone in which its clock does not show the time of UTC."""
    if format and "%z" not in format:
        return False
    local = (parse_datetime(value, format, "written") for value in values)
    return any(moment != parse_datetime(v, format) for v, moment in zip(values, local, strict=True))


def parts(values: np.ndarray) -> tuple[tuple[Part, ...], str]:
    """The parts of the moments (n,) that come again in them, and a remark on what is made of them.

    NaT is missing; one of them is not.
    """
    present = values[~np.isnat(values)]
    days = np.unique(present.astype("M8[D]")).astype("M8[us]")
    months = np.unique(days.astype("M8[M]"))
    span = int((days[-1] - days[0]) / np.timedelta64(1, "D"))
    differ = {part: len(np.unique(moments.places(days, part))) > 1 for part in moments.PARTS}
    differ["hour"] = len(np.unique(moments.places(present, "hour"))) > 1
    daily = len(days) > len(months)
    wanted: dict[Part, bool] = {
        "hour": span >= 1,
        "weekday": span > A_WEEK and daily,
        "month": span >= MOST_OF_A_YEAR,
        "day_of_year": span >= MOST_OF_A_YEAR and daily,
    }
    made = tuple(part for part, enough in wanted.items() if enough and differ[part])
    rest = [part for part in wanted if part not in made]
    said = f"{', '.join(made)} made of it" if made else "only the instant is used"
    kind = "times" if differ["hour"] else "dates" if daily or not span else "months"
    why = f" (no {', '.join(rest)}: {kind} of {span + 1:,} day{'s' * bool(span)})"
    return made, said + (why if rest else "")


def counted(values: np.ndarray) -> str:
    """What to do about numbers (n,) of a column of times that count from 1970; else nothing."""
    ends = {len(f"{end:.0f}") for end in (values.min(), values.max())}
    unit = _UNITS.get(ends.pop()) if len(ends) == 1 and (values == np.round(values)).all() else None
    if not unit:
        return ""
    return (
        f"{values[0]:.0f} looks like {unit} since 1970 and is a number only: write times as "
        f"2026-01-31T12:00:00 to have their hour and weekday"
    )
