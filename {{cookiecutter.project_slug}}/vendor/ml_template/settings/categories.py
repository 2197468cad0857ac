"""Categories that are written otherwise and mean the same, such as 1 and 1.0."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

MARKS = 30
_WHOLE = re.compile(r"(0|-?[1-9][0-9]*)\.0")  # as pandas writes whole numbers beside a gap


def category(text: str) -> str:
    """The one form of a category: 1.0 is 1, and letters are composed (NFC).

    No other two texts are one: 01, 1.00, -0 and 1e3 are not 1, 1, 0 and 1000; nor is one composed
    that has more than MARKS on a letter, which is no text of any language (UAX #15, stream-safe).
    """
    if text.isascii():
        return text[:-2] if text.endswith(".0") and _WHOLE.fullmatch(text) else text
    return text if _is_heaped(text) else unicodedata.normalize("NFC", text)


def _is_heaped(text: str) -> bool:
    """Whether some letter has more than MARKS: to sort them costs the square of their number."""
    if len(text) <= MARKS:
        return False
    marks = 0
    for letter in text:
        # decomposed: three marks of Tibetan are of class 0, and made of others
        plain = unicodedata.normalize("NFD", letter)
        marks = marks + 1 if unicodedata.combining(plain[0]) else 0
        if marks > MARKS:
            return True
    return False


def spellings(labels: Iterable[str]) -> dict[str, str]:
    """From the one form of each label to the label; of two that are one category, the first."""
    found: dict[str, str] = {}
    for label in labels:
        found.setdefault(category(label), label)
    return found


def spelled(text: str, known: dict[str, str]) -> str:
    """The category `text` as it is spelled in `known` (see `spellings`), or in its one form."""
    form = category(text)
    return known.get(form, form)
