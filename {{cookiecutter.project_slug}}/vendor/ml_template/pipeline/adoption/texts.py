"""A column as its different texts, and which of them are numbers."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ...settings.categories import category
from ...tables.arrow import TEXT, as_written

_NUMBER = r"[+-]?([0-9]+{0}?[0-9]*|{0}[0-9]+)([eE][+-]?[0-9]+)?"


@dataclass(frozen=True)
class Texts:
    """One column: its different values (trimmed) and, for each row, which one (-1 = null)."""

    values: list[str]
    codes: np.ndarray

    @property
    def counts(self) -> np.ndarray:
        """Rows of each value."""
        return np.bincount(self.codes[self.codes >= 0], minlength=len(self.values))

    @property
    def filled(self) -> int:
        """Rows that hold a value."""
        return int((self.codes >= 0).sum())

    @property
    def has_gaps(self) -> bool:
        """Whether a row holds none."""
        return self.filled < len(self.codes)

    def without(self, missing: Container[str]) -> Texts:
        """The same column with the values in `missing` as null."""
        kept = np.array([*(value not in missing for value in self.values), False])
        index = np.where(kept, np.cumsum(kept) - 1, -1)
        return Texts([value for value in self.values if value not in missing], index[self.codes])

    def categories(self) -> Texts:
        """The same column with each value in the one form of its category: 1 for 1.0."""
        forms = pa.array([category(value) for value in self.values], pa.string())
        different = forms.dictionary_encode()
        place = np.append(different.indices.to_numpy(), -1)
        return Texts(different.dictionary.to_pylist(), place[self.codes])

    def in_rows(self, meant: Iterable[Any], null: Any, kind: Any = object) -> np.ndarray:
        """What each of the different values is `meant` to be, and `null`, in the rows (n,)."""
        return np.array([*meant, null], dtype=kind)[self.codes]

    def first_row(self, value: str) -> int:
        """1-based row of the data file where `value` stands first."""
        return int(np.argmax(self.codes == self.values.index(value))) + 1


def as_texts(column: pa.ChunkedArray) -> Texts:
    """Different trimmed values of `column` (n,), numbers or texts, and the index of each row."""
    if not pa.types.is_dictionary(column.type):
        column = as_written(column).dictionary_encode()
    array = column.unify_dictionaries().combine_chunks()
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks)
    trimmed = pc.utf8_trim_whitespace(array.dictionary).dictionary_encode()
    place = np.append(trimmed.indices.to_numpy(), -1)
    codes = array.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return Texts(trimmed.dictionary.to_pylist(), place[codes])


def is_text(kind: pa.DataType) -> bool:
    """Whether a stored column can be looked at as texts: text, truth, clock, or nothing at all."""
    checks = (pa.types.is_string, pa.types.is_boolean, pa.types.is_time, pa.types.is_null)
    return kind == TEXT or any(check(kind) for check in checks)


def numbers(values: list[str], decimal: str = ".") -> np.ndarray:
    """The values as float64 (NaN where a value is not a finite number)."""
    texts = pa.array(values, pa.string())
    fits = pc.match_substring_regex(texts, f"^{_NUMBER.format(re.escape(decimal))}$")
    plain = pc.replace_substring(texts, decimal, ".") if decimal != "." else texts
    found = pc.cast(pc.if_else(fits, plain, None), pa.float64()).to_numpy(zero_copy_only=False)
    return np.where(np.isfinite(found), found, np.nan)


def shown(value: str) -> str:
    """A value for a message, not longer than one can read."""
    return repr(value if len(value) <= 40 else value[:37] + "...")
