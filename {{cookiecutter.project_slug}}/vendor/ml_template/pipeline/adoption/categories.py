"""Columns of texts that come again: categories, groups, many labels, written texts, or neither."""

from __future__ import annotations

from typing import Any

from ...model.profile import LEAST
from ...settings.config import MAX_LENGTH, Column
from ..data import wording
from . import groups, kinds, writing
from .found import Found
from .texts import Texts

# A category is worth learning when half of the rows have one that comes again; nobody reads a list
# of more than 50; below 20 rows "all different" says nothing.
LISTED = 50
AGAIN = 0.5
ENOUGH = 20
NEARLY_ALL = 0.95


def category(name: str, texts: Texts, dressed: str = "", note: str = "") -> Found:
    """What a column of texts is; `dressed` is why its numbers cannot be read, where it has any."""
    texts = texts.categories()
    different, present = len(texts.values), texts.filled
    every_row = different >= NEARLY_ALL * present and present >= ENOUGH
    repeated = different <= max(2, present / 2) or present < ENOUGH
    if wording.PERSON.search(wording.snake(name)) and different > ENOUGH:
        return Found(reason="it holds names or addresses of people")
    unit = writing.unit(texts) if every_row or different > LISTED else None
    long = writing.is_long(texts)
    if unit and wording.WHO.search(name):
        return Found(reason="it holds names or addresses of people")
    is_again = again(texts)
    kind = "" if is_again and not every_row else kinds.named(texts.values)
    if different > ENOUGH and (kind or (every_row and not unit and not long)):
        known = "it is an identifier: nearly every row has its own"
        return Found(reason=dressed or kind or known)
    if groups.is_group(name, texts, numeric=False):
        return group(texts)
    if different > ENOUGH and dressed:
        return Found(reason=dressed)
    if unit and (long or not is_again):
        note = f"text: TF-IDF of its {unit}, those of {LEAST} rows and more, into a linear score"
        return labelled(texts, note, type="text", encoding=unit)
    if long and different > LISTED:
        why = "its words do not come again, make features of it in features.py"
        return Found(reason=f"it is free text: {why}")
    if not (is_again if different > LISTED else repeated):
        return Found(reason=f"{different:,} different texts in {present:,} rows are no categories")
    if different > LISTED:
        seen = f"{different:,} labels: each is the mean of the target of its rows"
        return labelled(texts, f"{note}; {seen}" if note else seen, encoding="target")
    return labelled(texts, note, values=tuple(sorted(texts.values)))


def again(texts: Texts) -> bool:
    """Whether most rows have a value, in its one form, that another row has too."""
    return bool(texts.counts[texts.counts > 1].sum() >= AGAIN * texts.filled)


def group(texts: Texts) -> Found:
    """A column that says which rows belong together."""
    texts = texts.categories()
    groups = f"identifies {len(texts.values):,} groups of rows, see split"
    return labelled(texts, f"{groups}; type: numeric if it is an amount", feature=False)


def labelled(texts: Texts, note: str, **more: Any) -> Found:
    longest = max(MAX_LENGTH, *map(len, texts.values))
    facts = {"type": "categorical", "missing": texts.has_gaps, "max_length": longest} | more
    column = Column.model_validate(facts)
    return Found(column, texts.in_rows(texts.values, None), note=note)
