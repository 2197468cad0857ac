"""The numbers of a column that nobody has described: which of their signs separates thousands."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...tables.numerals import OTHER, Thousands, is_grouped, number
from .source import Source, numbers

_REMEDY = "write plain numbers to use it"


class Amounts(NamedTuple):
    """Each different text of a column as float64 (NaN: no number), and how their signs are read.

    `said` tells a person how, where the texts alone do not; `fault` why nobody can tell.
    """

    values: np.ndarray
    thousands: str | None = None
    said: str = ""
    fault: str = ""


def read(texts: list[str], source: Source) -> Amounts:
    """The numbers of `texts`, a column of `source`.

    A comma in a file of commas stands in quotes, and is no sign of thousands here.
    """
    decimal = source.decimal
    found = {sign: look(texts, sign) for sign in OTHER if sign != source.delimiter}
    separating = [each for each in found.values() if each.separates]
    values = numbers(texts, decimal)
    if len(separating) == 1:
        return _thousands(texts, separating[0])
    if separating:
        pair = " and ".join(repr(each.grouped) for each in separating)
        return Amounts(values, fault=f"its numbers are written like {pair}: {_REMEDY}")
    own = found.get(decimal)
    if own is not None and own.fits and own.grouped:
        if own.large:
            like = f"its numbers are written like {own.example}"
            fault = f"{like}, and may be thousands or decimals: {_REMEDY}"
            return Amounts(values, fault=fault)
        return Amounts(values, said=_said(own.grouped, decimal, None))
    return Amounts(values, fault=_two_ways(texts, list(found)) if np.isnan(values).any() else "")


def look(texts: list[str], sign: str) -> Thousands:
    """What `texts` say about `sign`."""
    found = Thousands(sign)
    if any(sign in text for text in texts):
        for text in texts:
            found.add(text)
            if not found.fits:
                break
    return found


def _thousands(texts: list[str], found: Thousands) -> Amounts:
    sign = found.sign
    values = numbers([text.replace(sign, "") for text in texts], OTHER[sign])
    return Amounts(values, sign, _said(found.proof or found.grouped, OTHER[sign], sign))


def _said(text: str, decimal: str, thousands: str | None) -> str:
    what = f"{thousands!r} separates thousands" if thousands else f"{decimal!r} is a decimal sign"
    return f"{text!r} is read as {number(text, decimal, thousands):.15g}: {what}"


def _two_ways(texts: list[str], signs: list[str]) -> str:
    """Why these are numbers that contradict each other, where a sign may be one of thousands."""
    grouped = next((t for t in texts for s in signs if s in t and is_grouped(t, s)), "")
    if not grouped or any(_is_word(text, signs) for text in texts):
        return ""
    rest = [text for text in texts if not any(is_grouped(text, sign) for sign in signs)]
    other = next((text for text in rest if any(sign in text for sign in OTHER)), "")
    both = f"{grouped!r} and {other!r}" if other else repr(grouped)
    return f"its numbers are written like {both}: {_REMEDY}"


def _is_word(text: str, signs: list[str]) -> bool:
    plain = any(number(text, sign) is not None for sign in OTHER)
    return not plain and not any(is_grouped(text, sign) for sign in signs)
