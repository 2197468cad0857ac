"""Numbers as texts: which sign is the decimal one, and which one separates thousands.

1,200 beside 950 are thousands, 1,200 beside 1,25 are decimals. Where every value has three digits
behind its one sign, nothing tells, and the sign is the decimal one.
"""

from __future__ import annotations

import re

from ..settings.config import CONFIG_FILE

OTHER = {".": ",", ",": "."}  # a sign and the one that is then the decimal sign
_GROUPED = {
    sign: re.compile(rf"[+-]?[1-9]\d?\d?(?:\{sign}\d\d\d)+(?:\{decimal}\d*)?", re.ASCII)
    for sign, decimal in OTHER.items()
}
SIGNS = re.compile(r"[-+]?\d[\d.,'\s]*")  # a number, with whatever signs


def is_grouped(text: str, sign: str) -> bool:
    """Whether `sign` stands in `text` only where it may separate thousands."""
    return _GROUPED[sign].fullmatch(text) is not None


def number(text: str, decimal: str, thousands: str | None = None) -> float | None:
    """`text` as a number, None where it is none; `thousands` settles the decimal sign as well."""
    decimal = decimal_sign(decimal, thousands)
    if thousands in OTHER:
        if thousands in text:
            if not is_grouped(text, thousands):
                return None
            text = text.replace(thousands, "")
    elif "." in text and decimal != ".":
        return None
    if "_" in text:  # which Python would take and CSV does not
        return None
    try:
        return float(text.replace(decimal, "."))
    except ValueError:
        return None


def decimal_sign(decimal: str, thousands: str | None) -> str:
    """The sign of decimals where `thousands` is set, or is not and leaves it to `decimal`."""
    return OTHER.get(thousands or "", decimal)


def doubtful(where: object, name: str, found: Thousands, remedy: str = "") -> str:
    """Message of a column whose decimal sign looks like one between thousands."""
    remedy = remedy or (
        f"write 1200 or 1.2 as such, or say thousands: {found.sign!r} (or none, where they are "
        f"decimals) at the column in {CONFIG_FILE} (at data for the target)"
    )
    return (
        f"{where}: column {name!r} has numbers like {found.example}, and {found.sign!r} is its "
        f"decimal sign: {remedy}"
    )


class Thousands:
    """Whether `sign` separates thousands in a column, from its texts, one after another."""

    def __init__(self, sign: str) -> None:
        self.sign = sign
        self.fits = True  # every text is a number then
        self.proof = ""  # a number with two of the sign, or with both signs
        self.grouped = ""  # one that may be of thousands or a decimal
        self.small = self.large = ""  # those without the sign: below 1000, and others

    def add(self, text: str) -> None:
        """Look at one more text of the column, which is not missing."""
        if not self.fits:
            return
        if self.sign not in text:
            value = number(text, OTHER[self.sign])
            if value is None:
                self.fits = False
            elif abs(value) < 1000:
                self.small = self.small or text
            elif abs(value) >= 1000:  # no nan
                self.large = self.large or text
        elif not is_grouped(text, self.sign):
            self.fits = False
        elif OTHER[self.sign] in text or text.count(self.sign) > 1:
            self.proof = self.proof or text
        else:
            self.grouped = self.grouped or text

    @property
    def separates(self) -> bool:
        """Whether it does: a value says so, or those without the sign are all below 1000."""
        beside = self.grouped and self.small and not self.large
        return self.fits and bool(self.proof or beside)

    @property
    def example(self) -> str:
        """Values that tell, for a message."""
        pair = (self.proof, "") if self.proof else (self.grouped, self.large or self.small)
        return " beside ".join(repr(text) for text in pair if text)
