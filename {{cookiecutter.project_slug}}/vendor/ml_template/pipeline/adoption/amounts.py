"""The numbers of a column that nobody has described: which of their signs separates thousands."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np

from ...tables.numerals import OTHER, Thousands, is_grouped, number
from ..data.wording import DRESSED
from .source import Source
from .texts import Texts, numbers, shown

MOST_DRESSES = 3  # signs or units around the numbers of one column
_REMEDY = "write plain numbers to use it"


class Amounts(NamedTuple):
    """Each different text of a column as float64 (NaN: no number), and how their signs are read.

    `said` tells a person how, where the texts alone do not; `fault` why nobody can tell.
    """

    values: np.ndarray
    thousands: str | None = None
    said: str = ""
    fault: str = ""

    @property
    def complete(self) -> bool:
        """Whether every text is a number."""
        return not np.isnan(self.values).any()


def read(texts: list[str], source: Source) -> Amounts:
    """The numbers of `texts`, a column of `source`.

    A comma in a file of commas stands in quotes, and is no sign of thousands here.
    """
    decimal = source.decimal
    found = {sign: _look(texts, sign) for sign in OTHER if sign != source.delimiter}
    separating = [each for each in found.values() if each.separates]
    if len(separating) == 1:
        (it,) = separating
        values = numbers([text.replace(it.sign, "") for text in texts], OTHER[it.sign])
        return Amounts(values, it.sign, _said(it.proof or it.grouped, OTHER[it.sign], it.sign))
    amounts = Amounts(numbers(texts, decimal))
    if separating:
        return amounts._replace(fault=_fault(" and ".join(repr(it.grouped) for it in separating)))
    own = found.get(decimal)
    if own is not None and own.fits and own.grouped:
        if own.large:
            like = f"its numbers are written like {own.example}"
            return amounts._replace(fault=f"{like}, and may be thousands or decimals: {_REMEDY}")
        return amounts._replace(said=_said(own.grouped, decimal, None))
    return amounts if amounts.complete else amounts._replace(fault=_two_ways(texts, list(found)))


def _look(texts: list[str], sign: str) -> Thousands:
    """What `texts` say about `sign`."""
    found = Thousands(sign)
    if any(sign in text for text in texts):
        for text in texts:
            found.add(text)
            if not found.fits:
                break
    return found


def _fault(like: str) -> str:
    return f"its numbers are written like {like}: {_REMEDY}"


def _said(text: str, decimal: str, thousands: str | None) -> str:
    what = f"{thousands!r} separates thousands" if thousands else f"{decimal!r} is a decimal sign"
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


def dressed(texts: Texts, decimal: str) -> str:
    """Reason for numbers with signs around them, such as 1,234 or 12 % or 5 kg; else nothing.

    One value at least is no number that is written with `decimal`.
    """
    wrong = np.isnan(numbers(texts.values, decimal))
    odd = texts.values[int(np.argmax(wrong))]
    if wrong.mean() < 0.5:
        row = texts.first_row(odd)
        return f"most of it is numbers, but row {row:,} holds {shown(odd)}: correct that"
    some = texts.values[:1000]
    fits = [value for value in some if DRESSED.match(value)]
    signed = next((value for value in fits if np.isnan(numbers([value], decimal)[0])), odd)
    dresses = {re.sub(r"[\d,.'’\s+-]", "", value) for value in fits}
    if len(fits) < 0.9 * len(some) or len(dresses) > MOST_DRESSES:
        return ""
    sign = f" with the decimal sign {decimal!r}" if decimal != "." else ""
    return f"its numbers are written like {shown(signed)}: write plain numbers{sign} to use it"
