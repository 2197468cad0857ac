"""The numbers of a column that nobody has described: which of their signs separates thousands."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from ...settings.written import Written
from ...tables import written
from ...tables.numerals import OTHER, Thousands, is_grouped, number
from ..data.wording import DRESSED
from .dressing import Dress, find
from .source import Source
from .texts import Texts, numbers, shown

MOST_DRESSES = 3  # signs or units around the numbers of one column
NEARLY_NONE = 0.1  # of the different texts: these are slips
_REMEDY = "write plain numbers to use it"


class Amounts(NamedTuple):
    """Each different text of a column as float64 (NaN: no number), and how these are written.

    `said` tells a person how, where the texts alone do not; `fault` why nobody can tell, and
    `mixed` why they are of several units, if they are numbers at all.
    """

    values: np.ndarray
    thousands: str | None = None
    said: str = ""
    fault: str = ""
    written: Written | None = None
    mixed: str = ""

    @property
    def complete(self) -> bool:
        """Whether every text is a number."""
        return not np.isnan(self.values).any()


NO_AMOUNTS = Amounts(np.empty(0))


def read(texts: list[str], source: Source) -> Amounts:
    """The numbers of `texts`, a column of `source`."""
    plain = Amounts(numbers(texts, source.decimal))
    dress = Dress(texts) if plain.complete else find(texts)
    if dress.fault:
        return plain._replace(mixed=dress.fault)
    if not (dress.written or dress.thousands):
        return _signed(texts, source.decimal, plain)
    core = Amounts(numbers(dress.digits, source.decimal))
    if not dress.thousands:
        core = _signed(dress.digits, source.decimal, core)
    if core.fault or not core.complete:
        return plain._replace(fault=core.fault or _fault(repr(_longest(texts))))
    how = (source.decimal, core.thousands or dress.thousands, dress.written)
    values = written.values(pa.array(texts, pa.string()), *how)
    found = np.asarray(values.to_numpy(zero_copy_only=False), dtype=np.float64)
    found = np.where(np.isfinite(found), found, np.nan)
    return Amounts(found, how[1], _told(texts, found, *how), written=dress.written)


def _signed(texts: list[str], decimal: str, plain: Amounts) -> Amounts:
    """The numbers of `texts` with `,` and `.`, one of which may separate thousands."""
    found = {sign: Thousands.of(sign, pa.array(texts, pa.string())) for sign in OTHER}
    separating = [each for each in found.values() if each.separates]
    own, other = found[decimal], found[OTHER[decimal]]
    if not separating and other.fits and other.grouped and not (other.small or other.large):
        separating = [other]  # nothing else is written so
    if len(separating) == 1:
        (it,) = separating
        values = numbers([text.replace(it.sign, "") for text in texts], OTHER[it.sign])
        return Amounts(values, it.sign, _said(it.proof or it.grouped, OTHER[it.sign], it.sign))
    if separating:
        return plain._replace(fault=_fault(" and ".join(repr(it.grouped) for it in separating)))
    if own.fits and own.grouped:
        if own.large:
            like = f"its numbers are written like {own.example}"
            return plain._replace(fault=f"{like}, and may be thousands or decimals: {_REMEDY}")
        return plain._replace(said=_said(own.grouped, decimal, None))
    if plain.complete:
        return plain
    values = numbers(texts, OTHER[decimal])
    if not np.isnan(values).any():  # 12,5 among columns with 3.5
        text = next(text for text in texts if OTHER[decimal] in text)
        return Amounts(values, decimal, _said(text, OTHER[decimal], decimal))
    return plain._replace(fault=_two_ways(texts, list(OTHER)))


def _longest(texts: list[str]) -> str:
    return max(texts[:1000], key=len)


def _told(
    texts: list[str], values: np.ndarray, decimal: str, thousands: str | None, how: Written | None
) -> str:
    """How a value of each kind is read: a large one, a negative one, one of a multiple."""
    kinds = [texts[int(np.nanargmax(values))], texts[int(np.nanargmin(values))]]
    kinds += [next((t for t in texts if m in t), "") for m in (how.multiples if how else ())]
    pairs = [(text, written.number(text, decimal, thousands, how)) for text in dict.fromkeys(kinds)]
    read_as = ", ".join(f"{text!r} as {n:.15g}" for text, n in pairs if n is not None)
    units = f": the unit is {how.units[0]}" if how and how.units else ""
    return f"read {read_as}{units}"


def _fault(like: str) -> str:
    return f"its numbers are written like {like}: {_REMEDY}"


def _said(text: str, decimal: str, thousands: str | None) -> str:
    separates = thousands is not None and thousands in text
    what = f"{thousands!r} separates thousands" if separates else f"{decimal!r} is a decimal sign"
    return f"{text!r} is read as {number(text, decimal, thousands):.15g}: {what}"


def _two_ways(texts: list[str], signs: list[str]) -> str:
    """Why these are numbers that contradict each other, where a sign may be one of thousands."""
    grouped = next((t for t in texts for s in signs if s in t and is_grouped(t, s)), "")
    if not grouped:
        return ""
    rest = [text for text in texts if not any(is_grouped(text, sign) for sign in signs)]
    if any(all(number(text, sign) is None for sign in OTHER) for text in rest):
        return ""  # a word
    other = next((text for text in rest if any(sign in text for sign in OTHER)), "")
    return _fault(f"{grouped!r} and {other!r}" if other else repr(grouped))


def dressed(texts: Texts, amounts: Amounts, decimal: str) -> str:
    """Reason for numbers with signs around them that no rule reads; else nothing.

    One value at least of `amounts`, those of `texts`, is no number.
    """
    wrong = np.isnan(amounts.values)
    if amounts.mixed and wrong.mean() > NEARLY_NONE:
        return amounts.mixed
    odd = texts.values[int(np.argmax(wrong))]
    if wrong.mean() < 0.5:
        row = texts.first_row(odd)
        like = f" like {shown(texts.values[int(np.argmin(wrong))])}" if amounts.written else ""
        return f"most of it is numbers{like}, but row {row:,} holds {shown(odd)}: correct that"
    some = texts.values[:1000]
    fits = [value for value in some if DRESSED.match(value)]
    signed = next((value for value in fits if np.isnan(numbers([value], decimal)[0])), odd)
    dresses = {re.sub(r"[\d,.'’\s+-]", "", value) for value in fits}
    if len(fits) < 0.9 * len(some) or len(dresses) > MOST_DRESSES:
        return ""
    sign = f" with the decimal sign {decimal!r}" if decimal != "." else ""
    return f"its numbers are written like {shown(signed)}: write plain numbers{sign} to use it"
