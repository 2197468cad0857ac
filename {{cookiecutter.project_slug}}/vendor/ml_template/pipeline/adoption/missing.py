"""Which texts of a table say that a value is missing."""

from __future__ import annotations

from ..data.wording import LIKELY_MISSING, SURE_MISSING, USUAL_MISSING
from .amounts import read
from .source import Source
from .texts import Texts, is_text
from .times import time_format


def markers(source: Source, target: str) -> set[str]:
    """Missing markers that are really in the table; never a value that is a label of the target."""
    named = [name for name, column in source.columns.items() if is_text(column.type)]
    labels = set(source.texts(target).values) if target in named else set()
    found: set[str] = set()
    for name in named:
        texts = source.texts(name)
        found |= (USUAL_MISSING | SURE_MISSING).intersection(texts.values)
        likely = LIKELY_MISSING.intersection(texts.values) - labels
        if likely and name != target and _only_marks_disturb(texts, likely, source):
            found |= likely
    return found


def _only_marks_disturb(texts: Texts, likely: frozenset[str], source: Source) -> bool:
    rest = texts.without(likely | USUAL_MISSING | SURE_MISSING)
    if len(rest.values) < 2 or rest.filled < 0.5 * texts.filled:
        return False
    return read(rest.values, source).whole or time_format(rest.values) is not None
