"""What each column of an unknown table is: its type, its range, or why it is left out."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from ...settings.config import MAX_LENGTH, Column
from ...tables import table
from ...tables.arrow import UnfitError, is_moment, is_number, moments
from ..data.wording import (
    CAMEL,
    CODE,
    DRESSED,
    FORMATS,
    IDENTIFIER,
    INDEX,
    LIKELY_MISSING,
    PERSON,
    SPLIT_NAME,
    SPLIT_WORDS,
    SURE_MISSING,
    TIME,
    USUAL_MISSING,
)
from .amounts import read as amounts_of
from .source import Source, Texts, as_texts, is_text, numbers

# Limits, in one place. A category is worth learning when its values come again (5 rows each on
# average); nobody reads a list of more than 50; below 20 rows "all different" says nothing.
LISTED = 50
MOST_CATEGORIES = 1000
ROWS_PER_CATEGORY = 5
ENOUGH = 20
NEARLY_ALL = 0.95
FEWEST, NEARLY_NONE = 20, 0.02  # values, and their share: the hold-out may have them all
MIXED = ""  # no single form of time
MOST_DRESSES = 3  # signs or units around the numbers of one column


@dataclass(frozen=True)
class Found:
    """What a column is: how it is declared and its values, or why it is left out."""

    column: Column | None = None
    values: np.ndarray | None = None
    reason: str = ""
    note: str = ""
    group: bool = False
    said: str = ""  # how the signs of its numbers are read, where a person must know


def markers(source: Source, target: str) -> set[str]:
    """Missing markers that are really in the table; never a value that is a label of the target."""
    named = [name for name, column in source.columns.items() if is_text(column.type)]
    labels = source.holds(target, LIKELY_MISSING) if target in named else set()
    found: set[str] = set()
    for name in named:
        found |= source.holds(name, USUAL_MISSING | SURE_MISSING)
        likely = source.holds(name, LIKELY_MISSING) - labels
        if not likely or name == target:
            continue
        if _only_marks_disturb(source.texts(name), likely, source):
            found |= likely
    return found


def _only_marks_disturb(texts: Texts, likely: set[str], source: Source) -> bool:
    rest = texts.without(likely | USUAL_MISSING | SURE_MISSING)
    if len(rest.values) < 2 or rest.counts.sum() < 0.5 * texts.counts.sum():
        return False
    amounts = amounts_of(rest.values, source)
    return not np.isnan(amounts.values).any() or time_format(rest.values) is not None


def infer(name: str, source: Source, missing: set[str]) -> Found:
    """What the column `name` is, when the texts in `missing` are no values."""
    if name == table.ROW:
        return Found(reason="its name is the one of the row numbers here: rename it to use it")
    if INDEX.fullmatch(name):
        return Found(reason="it is the index that pandas kept: rename it to use it")
    if name in source.unfit:
        return Found(reason=f"it {source.unfit[name]}")
    stored = source.columns[name]
    if is_number(stored.type):
        return _stored_number(name, stored)
    if is_moment(stored.type):
        return _stored_moments(stored)
    texts = as_texts(stored).without(missing)
    return _without_value(texts) or _split_mark(name, texts) or _typed(name, texts, source)


def _stored_moments(stored: pa.ChunkedArray) -> Found:
    try:
        times = moments(stored).to_numpy()
    except UnfitError as error:
        return Found(reason=f"it {error}")
    return Found(reason="it holds no value") if np.isnat(times).all() else _moments(times, None, "")


def _stored_number(name: str, stored: pa.ChunkedArray) -> Found:
    try:
        values = stored.cast(pa.float64()).to_numpy()
    except pa.ArrowInvalid:
        return Found(reason="its whole numbers are too long to be anything but identifiers")
    if np.isinf(values).any():
        return Found(reason="it holds infinite values")
    if np.isnan(values).all():
        return Found(reason="it holds no value")
    texts = as_texts(stored).without({"nan"})
    return _without_value(texts) or _split_mark(name, texts) or _number(name, texts, values)


def _without_value(texts: Texts) -> Found | None:
    if not texts.values:
        return Found(reason="it holds no value")
    if len(texts.values) == 1 and (texts.codes >= 0).all():
        return Found(reason=f"every row holds the same value, {_shown(texts.values[0])}")
    if (filled := int(texts.counts.sum())) < FEWEST and filled < NEARLY_NONE * len(texts.codes):
        return Found(reason=f"only {filled} of {len(texts.codes):,} rows hold a value")
    return None


def _split_mark(name: str, texts: Texts) -> Found | None:
    words = _few_words(texts)
    by_name = SPLIT_NAME.match(name) and words
    if by_name or (words <= SPLIT_WORDS and len(words) > 1):
        return Found(reason="it is somebody's split mark: the hold-out is drawn anew")
    return None


def _few_words(texts: Texts) -> set[str]:
    """The values in small letters; none where there are many."""
    return {value.lower() for value in texts.values} if len(texts.values) <= ENOUGH else set()


def _typed(name: str, texts: Texts, source: Source) -> Found:
    words = _few_words(texts)
    if words <= table.TRUE | table.FALSE and words & table.TRUE and words & table.FALSE:
        truth = np.array([*(float(v.lower() in table.TRUE) for v in texts.values), np.nan])
        return Found(Column(type="boolean", missing=_gaps(texts)), truth[texts.codes])
    found = amounts_of(texts.values, source)
    if found.fault:
        return Found(reason=found.fault)
    if np.isnan(found.values).any():
        return _times(texts) or _category(name, texts, _dressed(texts, source.decimal))
    if any(value[0] == "0" and value[1:2].isdigit() for value in texts.values):
        return _category(name, texts, note="codes with leading zeros")
    if TIME.search(name) and all(len(value) == 8 for value in texts.values):
        days = _times(texts)
        if days is not None and days.column is not None:
            return days
    number = _number(name, texts, np.append(found.values, np.nan)[texts.codes])
    if number.column is None or number.column.type != "numeric":
        return number
    column = number.column.model_copy(update={"thousands": found.thousands})
    return replace(number, column=column, said=found.said)


def _gaps(texts: Texts) -> bool:
    return bool((texts.codes < 0).any())


def _number(name: str, texts: Texts, values: np.ndarray) -> Found:
    present = values[~np.isnan(values)]
    different = len(texts.values)
    whole = bool((present == np.round(present)).all())
    if whole and not TIME.search(name):
        reason = _identifying(name, different, present)
        if reason:
            return Found(reason=reason)
        if IDENTIFIER.search(_snake(name)) and different > LISTED:
            return _group(texts)
        if CODE.search(_snake(name)) and 2 < different <= LISTED:
            return _category(
                name, texts, note="numbers that look like codes: type: numeric if they count"
            )
    low, high = limits(float(present.min()), float(present.max()))
    column = Column(type="numeric", missing=len(present) < len(values), min=low, max=high)
    return Found(column, values, note=f"{_plain(present.min())} to {_plain(present.max())} seen")


def _snake(name: str) -> str:
    return CAMEL.sub("_", name)


def _identifying(name: str, different: int, present: np.ndarray) -> str:
    n = len(present)
    if n < ENOUGH or different < NEARLY_ALL * n:
        return ""
    span = present.max() - present.min() + 1
    if different == n and (span == n or (span <= 3 * n and (np.diff(present) > 0).all())):
        return "it numbers the rows"
    if IDENTIFIER.search(_snake(name)):
        return "it is an identifier: nearly every row has its own"
    lengths = {len(f"{abs(value):.0f}") for value in present[:1000]}
    if different == n and len(lengths) == 1 and lengths.pop() >= 9:
        return "it is an identifier: long whole numbers, different in every row"
    return ""


def _group(texts: Texts) -> Found:
    texts = texts.categories()
    column = Column(
        type="categorical", feature=False, missing=_gaps(texts), max_length=_longest(texts)
    )
    groups = f"identifies {len(texts.values):,} groups of rows, see split"
    note = f"{groups}; type: numeric if it is an amount"
    return Found(column, _objects(texts), note=note, group=True)


def _objects(texts: Texts) -> np.ndarray:
    return np.array([*texts.values, None], dtype=object)[texts.codes]


def limits(low: float, high: float) -> tuple[float, float]:
    """Hard limits for values seen between `low` and `high`: one whole span wider on each side.

    Rounded outwards to two digits; what is never negative stays so. Wide enough for next year's
    rows, narrow enough for a wrong unit.
    """
    span = (high - low) or abs(high) or 1.0
    bottom = 0.0 if low >= 0 else -_rounded_up(span - low)
    top = 0.0 if high <= 0 else _rounded_up(high + span)
    return bottom, top


def _rounded_up(value: float) -> float:
    step = 10.0 ** (math.floor(math.log10(value)) - 1) if value > 0 else 1.0
    return float(f"{math.ceil(value / step - 1e-9) * step:.2g}") if value > 0 else value


def _plain(value: float) -> str:
    return f"{value:.6g}"


def _times(texts: Texts) -> Found | None:
    values = texts.values
    fits = time_format(values)
    if fits is None:
        return _mixed_times(texts)
    format, note = fits
    moments = [table.parse_datetime(value, format) for value in values]
    return _moments(np.array([*moments, "NaT"], dtype="M8[us]")[texts.codes], format, note)


def _moments(moments: np.ndarray, format: str | None, note: str) -> Found:
    absent = np.isnat(moments)
    days = moments[~absent].astype("M8[D]")
    seen = f"{days.min()} to {days.max()} seen" + (f"; {note}" if note else "")
    column = Column(type="datetime", missing=bool(absent.any()), format=format)
    return Found(column, moments, note=seen)


def time_format(values: list[str]) -> tuple[str | None, str] | None:
    """The first format that reads every value, and a remark where another one would too."""
    if not all(any(sign.isdigit() for sign in value) for value in values[:50]):
        return None
    few = [f for f in FORMATS if _all_parse(values[:50], f)]
    format = next((f for f in few if _all_parse(values, f)), MIXED)
    if format == MIXED or format is None:
        return None if format == MIXED else (None, "")
    swapped = format.replace("%m", "%q").replace("%d", "%m").replace("%q", "%d")
    both = swapped != format and swapped in few and _all_parse(values[:5000], swapped)
    return format, "day first is a guess: month first fits as well" if both else ""


def _all_parse(values: list[str], format: str | None) -> bool:
    return all(table.parse_datetime(value, format) is not None for value in values)


def _mixed_times(texts: Texts) -> Found | None:
    some = texts.values[:200]
    likely = [f for f in FORMATS if table.parse_datetime(some[0], f) is not None]
    likely += [f for f in FORMATS if table.parse_datetime(some[-1], f) is not None]
    read = [any(table.parse_datetime(value, f) is not None for f in likely) for value in some]
    if not likely or sum(read) < 0.8 * len(some):
        return None
    odd = next((value for value, ok in zip(some, read, strict=True) if not ok), some[-1])
    return Found(
        reason=f"its times are not all of one form ({_shown(some[0])}, but {_shown(odd)} in row "
        f"{texts.first_row(odd):,}): write them all as 2026-01-31"
    )


def _category(name: str, texts: Texts, dressed: str = "", note: str = "") -> Found:
    texts = texts.categories()
    different, present = len(texts.values), int(texts.counts.sum())
    every_row = different >= NEARLY_ALL * present and present >= ENOUGH
    repeated = different <= max(2, present / 2) or present < ENOUGH
    if PERSON.search(_snake(name)) and different > ENOUGH:
        return Found(reason="it holds names or addresses of people")
    if every_row and not _words(texts):
        return Found(reason=dressed or "it is an identifier: nearly every row has its own")
    if IDENTIFIER.search(_snake(name)) and different > LISTED and repeated:
        return _group(texts)
    if different > ENOUGH and dressed:
        return Found(reason=dressed)
    if _words(texts) and different > LISTED:
        return Found(reason="it is free text: make features of it in features.py")
    most = max(LISTED, min(MOST_CATEGORIES, present // ROWS_PER_CATEGORY))
    if different > most or not repeated:
        return Found(reason=f"{different:,} different texts in {present:,} rows are no categories")
    values = tuple(sorted(texts.values)) if different <= LISTED else None
    note = note or ("" if values else f"{different:,} different values")
    column = Column(
        type="categorical", missing=_gaps(texts), values=values, max_length=_longest(texts)
    )
    return Found(column, _objects(texts), note=note)


def _longest(texts: Texts) -> int:
    return max(MAX_LENGTH, *map(len, texts.values))


def _words(texts: Texts) -> bool:
    some = texts.values[:1000]
    return sum(len(value.split()) for value in some) >= 4 * len(some)


def _dressed(texts: Texts, decimal: str) -> str:
    """Reason for numbers with signs around them, such as 1,234 or 12 % or 5 kg; else nothing.

    One value at least is no number that is written with `decimal`.
    """
    wrong = np.isnan(numbers(texts.values, decimal))
    odd = texts.values[int(np.argmax(wrong))]
    if wrong.mean() < 0.5:
        row = texts.first_row(odd)
        return f"most of it is numbers, but row {row:,} holds {_shown(odd)}: correct that"
    some = texts.values[:1000]
    fits = [value for value in some if DRESSED.match(value)]
    signed = next((value for value in fits if np.isnan(numbers([value], decimal)[0])), odd)
    dresses = {re.sub(r"[\d,.'’\s+-]", "", value) for value in fits}
    if len(fits) < 0.9 * len(some) or len(dresses) > MOST_DRESSES:
        return ""
    sign = f" with the decimal sign {decimal!r}" if decimal != "." else ""
    return f"its numbers are written like {_shown(signed)}: write plain numbers{sign} to use it"


def _shown(value: str) -> str:
    return repr(value if len(value) <= 40 else value[:37] + "...")


def infer_all(source: Source, missing: set[str], target: str) -> Mapping[str, Found]:
    """What every column but the target is, in the order of the file."""
    return {name: infer(name, source, missing) for name in source.columns if name != target}
