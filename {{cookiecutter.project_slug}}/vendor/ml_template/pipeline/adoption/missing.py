"""Which texts of a table say that a value is missing."""

from __future__ import annotations

from ..data.wording import LIKELY_MISSING, SURE_MISSING
from .amounts import read
from .source import Source
from .texts import Texts, is_text
from .times import time_format


def markers(source: Source, target: str) -> set[str]:
    """Missing markers that are really in the table; never a value that is a label of the target."""
    named = [name for name, column in source.columns.items() if is_text(column.type)]
    labels = source.holds(target, LIKELY_MISSING) if target in named else set()
    found: set[str] = set()
    for name in named:
        there = source.holds(name, SURE_MISSING | LIKELY_MISSING)
        likely = (there & LIKELY_MISSING) - labels
        found |= there & SURE_MISSING
        if likely and name != target and _only_marks_disturb(source.texts(name), likely, source):
            found |= likely
    return found


def _only_marks_disturb(texts: Texts, likely: set[str], source: Source) -> bool:
    rest = texts.without(likely | SURE_MISSING)
    if len(rest.values) < 2 or rest.filled < 0.5 * texts.filled:
        return False
    return read(rest.values, source).complete or time_format(rest.values) is not None
