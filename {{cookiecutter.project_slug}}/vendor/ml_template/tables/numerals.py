"""Numbers as texts: which sign is the decimal one, and which one separates thousands.

1,200 beside 950 are thousands, 1,200 beside 1,25 are decimals. Where every value has three digits
behind its one sign, nothing tells, and the sign is the decimal one.
"""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc

from ..settings.config import CONFIG_FILE

OTHER = {".": ",", ",": "."}  # a sign and the one that is then the decimal sign
BETWEEN = {".": r"\.", ",": ",", " ": " ", "'": "'"}  # what may stand between thousands: patterns


def grouped(sign: str, decimal: str) -> str:
    """The pattern of a number with `sign` between thousands; 12,34,567 is how India groups."""
    between, point = BETWEEN[sign], re.escape(decimal)
    india = "|[1-9][0-9]?(?:,[0-9]{2})+,[0-9]{3}" if sign == "," else ""
    return f"(?:[1-9][0-9]?[0-9]?(?:{between}[0-9][0-9][0-9])+{india})(?:{point}[0-9]*)?"


def plain(decimal: str) -> str:
    """The pattern of a number of digits and at most a decimal sign."""
    point = re.escape(decimal)
    return f"(?:[0-9]+(?:{point}[0-9]*)?|{point}[0-9]+)"


_GROUPED = {sign: f"[+-]?{grouped(sign, decimal)}" for sign, decimal in OTHER.items()}
_IS_GROUPED = {sign: re.compile(pattern) for sign, pattern in _GROUPED.items()}
SIGNS = re.compile(r"[-+]?\d[\d.,'\s]*")  # a number, with whatever signs


def is_grouped(text: str, sign: str) -> bool:
    """Whether `sign` stands in `text` only where it may separate thousands."""
    return _IS_GROUPED[sign].fullmatch(text) is not None


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


def values(texts: pa.Array, decimal: str, thousands: str | None = None) -> pa.Array:
    """`number` of each of `texts` (n,), null where it is none: most of them at once."""
    decimal = decimal_sign(decimal, thousands)
    kind = f"(?:{plain(decimal)}|{grouped(thousands, decimal)})" if thousands in OTHER else ""
    fits = pc.match_substring_regex(texts, f"^[+-]?{kind or plain(decimal)}$")
    found = cast(pc.if_else(fits, texts, None), decimal, thousands)
    odd = pc.filter(texts, pc.invert(fits)).to_pylist()
    if not odd:
        return found
    rest = pa.array([number(text, decimal, thousands) for text in odd], pa.float64())
    return pc.replace_with_mask(found, pc.invert(fits), rest)


def cast(texts: pa.Array, decimal: str, thousands: str | None) -> pa.Array:
    """Texts (n,) that are numbers with these signs as float64; null stays null."""
    if thousands in BETWEEN:
        texts = pc.replace_substring(texts, thousands, "")
    texts = pc.replace_substring(texts, decimal, ".") if decimal != "." else texts
    return pc.cast(pc.utf8_ltrim(texts, "+"), pa.float64())


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

    @classmethod
    def of(cls, sign: str, texts: pa.Array) -> Thousands:
        """What all of `texts` (n,) say, as `add` would find."""
        found = cls(sign)
        signed = pc.match_substring(texts, pattern=sign)
        if not pc.any(signed).as_py():
            return found
        groups = pc.match_substring_regex(texts, f"^{_GROUPED[sign]}$")
        if not pc.all(pc.or_(groups, pc.invert(signed))).as_py():
            found.fits = False
            return found
        shows = pc.or_(
            pc.match_substring(texts, pattern=OTHER[sign]),
            pc.greater(pc.count_substring(texts, pattern=sign), 1),
        )
        for which in (shows, pc.invert(shows)):
            for text in texts.filter(pc.and_(groups, which))[:1].to_pylist():
                found.add(text)
        plain = texts.filter(pc.invert(signed))
        sizes = pc.abs(values(plain, OTHER[sign]))
        if sizes.null_count:
            found.fits = False
            return found
        for which in (pc.less(sizes, 1000), pc.greater_equal(sizes, 1000)):
            for text in plain.filter(which)[:1].to_pylist():
                found.add(text)
        return found

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
