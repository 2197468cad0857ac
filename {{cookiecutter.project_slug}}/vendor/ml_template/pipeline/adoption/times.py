"""In which form the times of a column are written."""

from __future__ import annotations

from ...tables.table import parse_datetime
from ..data.wording import FORMATS
from .texts import Texts, shown

MIXED = ""  # no single form


def time_format(values: list[str]) -> tuple[str | None, str] | None:
    """The first format that reads every value, and a remark where another one would too."""
    if not all(any(sign.isdigit() for sign in value) for value in values[:50]):
        return None
    few = [f for f in FORMATS if _all_parse(values[:50], f)]
    format = next((f for f in few if _all_parse(values, f)), MIXED)
    if not format:
        return None if format == MIXED else (format, "")
    swapped = format.replace("%m", "%q").replace("%d", "%m").replace("%q", "%d")
    both = swapped != format and swapped in few and _all_parse(values[:5000], swapped)
    return format, "day first is a guess: month first fits as well" if both else ""


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
