"""What each column of an unknown table is: its type, its range, or why it is left out."""

from __future__ import annotations

import decimal
import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pyarrow as pa

from ...settings.config import Clock, Column
from ...tables import table
from ...tables.arrow import UnfitError, is_moment, is_number, moments
from ..data import wording
from . import amounts, groups, kinds, times
from .categories import ENOUGH, LISTED, NEARLY_ALL, again, category, group
from .found import Found
from .source import Source
from .texts import Texts, as_texts, shown

FEWEST, NEARLY_NONE = 20, 0.02  # values, and their share: the hold-out may have them all
MARK = "it is somebody's split mark: the hold-out is drawn anew, see split"
_OUTWARDS = decimal.Context(prec=2, rounding=decimal.ROUND_UP)


def infer(name: str, source: Source, missing: set[str]) -> Found:
    """What the column `name` is, when the texts in `missing` are no values."""
    if name == table.ROW:
        return Found(reason="its name is the one of the row numbers here: rename it to use it")
    if wording.INDEX.fullmatch(name):
        return Found(reason="it is the index that pandas kept: rename it to use it")
    if name in source.unfit:
        return Found(reason=f"it {source.unfit[name]}")
    stored = source.columns[name]
    if is_moment(stored.type):
        return _stored_moments(stored)
    if is_number(stored.type):
        return _stored_numbers(name, stored)
    texts = as_texts(stored).without(missing)
    reason = _useless(name, texts)
    return _unused(reason, texts) if reason else _typed(name, texts, source)


def _stored_moments(stored: pa.ChunkedArray) -> Found:
    try:
        clock: Clock = "written" if getattr(stored.type, "tz", None) else "utc"
        found = moments(stored, clock).to_numpy()
    except UnfitError as error:
        return Found(reason=f"it {error}")
    return (
        Found(reason="it holds no value")
        if np.isnat(found).all()
        else _moments(found, None, clock, "")
    )


def _stored_numbers(name: str, stored: pa.ChunkedArray) -> Found:
    try:
        values = stored.cast(pa.float64()).to_numpy()
    except pa.ArrowInvalid:
        return Found(reason="its whole numbers are too long to be anything but identifiers")
    if np.isinf(values).any():
        return Found(reason="it holds infinite values")
    texts = as_texts(stored).without({"nan"})
    reason = _useless(name, texts)
    return _unused(reason, texts) if reason else _number(name, texts, values)


def _unused(reason: str, texts: Texts) -> Found:
    marks = sorted(texts.categories().values) if reason == MARK else ()
    return Found(reason=reason, marks=tuple(marks))


def _useless(name: str, texts: Texts) -> str:
    """Reason why nothing can be learned from a column, whatever its texts mean."""
    if not texts.values:
        return "it holds no value"
    if len(texts.values) == 1 and not texts.has_gaps:
        return f"every row holds the same value, {shown(texts.values[0])}"
    if texts.filled < FEWEST and texts.filled < NEARLY_NONE * len(texts.codes):
        return f"only {texts.filled} of {len(texts.codes):,} rows hold a value"
    words = _few_words(texts)
    by_name = words and wording.SPLIT_NAME.match(name)
    if by_name or (len(words) > 1 and words <= wording.SPLIT_WORDS):
        return MARK
    return ""


def _few_words(texts: Texts) -> set[str]:
    """The values in small letters; none where there are many."""
    return {value.lower() for value in texts.values} if len(texts.values) <= ENOUGH else set()


def _typed(name: str, texts: Texts, source: Source) -> Found:
    words = _few_words(texts)
    if words <= table.TRUE | table.FALSE and words & table.TRUE and words & table.FALSE:
        truth = [value.lower() in table.TRUE for value in texts.values]
        column = Column(type="boolean", missing=texts.has_gaps)
        return Found(column, texts.in_rows(truth, np.nan, np.float64))
    found = amounts.read(texts.values, source)
    if found.fault:
        return Found(reason=found.fault)
    if not found.complete:
        dressed = amounts.dressed(texts, found, source.decimal)
        return _times(texts) or category(name, texts, dressed)
    if any(value[0] == "0" and value[1:2].isdigit() for value in texts.values):
        return category(name, texts, note="codes with leading zeros")
    if wording.TIME.search(name) and all(len(value) == 8 for value in texts.values):
        days = _times(texts)
        if days is not None and days.column is not None:
            return days
    number = _number(name, texts, texts.in_rows(found.values, np.nan, np.float64))
    if number.column is None or number.column.type != "numeric":
        return number
    column = number.column.model_copy(
        update={"thousands": found.thousands, "written": found.written}
    )
    note = "; ".join(filter(None, (number.note, found.said)))
    return replace(number, column=column, note=note, said=found.said)


def _number(name: str, texts: Texts, values: np.ndarray) -> Found:
    present = values[~np.isnan(values)]
    different = len(texts.values)
    is_time = wording.TIME.search(name) and not groups.is_named(name)
    if (present == np.round(present)).all() and not is_time:
        if reason := _identifying(name, different, present):
            return Found(reason=reason)
        if groups.is_group(name, texts, numeric=True):
            return group(texts)
        if wording.CODE.search(wording.snake(name)) and (
            2 < different <= LISTED or (different > LISTED and again(texts.categories()))
        ):
            note = "numbers that look like codes: type: numeric if they count"
            return category(name, texts, note=note)
    low, high = float(present.min()), float(present.max())
    bottom, top = limits(low, high)
    column = Column(type="numeric", missing=len(present) < len(values), min=bottom, max=top)
    made = times.counted(present) if wording.TIME.search(name) else ""
    seen = f"{low:.6g} to {high:.6g} seen"
    return Found(column, values, note="; ".join(filter(None, (seen, made))), made=made)


def _identifying(name: str, different: int, present: np.ndarray) -> str:
    n = len(present)
    if n < ENOUGH or different < NEARLY_ALL * n:
        return ""
    span = present.max() - present.min() + 1
    if different == n and (span == n or (span <= 3 * n and (np.diff(present) > 0).all())):
        return "it numbers the rows"
    if wording.IDENTIFIER.search(wording.snake(name)):
        return "it is an identifier: nearly every row has its own"
    lengths = {len(f"{abs(value):.0f}") for value in present[:1000]}
    if different == n and len(lengths) == 1 and lengths.pop() >= 9:
        return "it is an identifier: long whole numbers, different in every row"
    return ""


def limits(low: float, high: float) -> Iterator[float | None]:
    """Hard limits for values seen between `low` and `high`: one whole span wider on each side.

    Rounded outwards to two digits; what is never negative stays so. Wide enough for next year's
    rows, narrow enough for a wrong unit; None where no number is that far out.
    """
    span = (high - low) or abs(high) or 1.0
    for end in (low - span if low < 0 else 0.0, high + span if high > 0 else 0.0):
        rounded = float(_OUTWARDS.create_decimal(f"{end:.10g}"))
        yield rounded if math.isfinite(rounded) else None


def _times(texts: Texts) -> Found | None:
    fits = times.time_format(texts.values)
    if fits is None:
        reason = times.mixed(texts)
        return Found(reason=kinds.named(texts.values) or reason) if reason else None
    format, note = fits
    clock: Clock = "written" if times.zoned(texts.values, format) else "utc"
    read = [table.parse_datetime(value, format, clock) for value in texts.values]
    return _moments(texts.in_rows(read, "NaT", "M8[us]"), format, clock, note)


def _moments(values: np.ndarray, format: str | None, clock: Clock, note: str) -> Found:
    absent = np.isnat(values)
    days = values[~absent].astype("M8[D]")
    parts, made = times.parts(values)
    seen = "; ".join(filter(None, (f"{days.min()} to {days.max()} seen", note, made)))
    column = Column(
        type="datetime", missing=bool(absent.any()), format=format, parts=parts, clock=clock
    )
    return Found(column, values, note=seen, made=made)
