"""A data file of unknown make, read as it stands: columns of texts, or as Parquet stores them."""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ...settings.config import InputError
from ...tables import reading
from ...tables.arrow import UnfitError, plain
from . import delimited
from .texts import Texts, as_texts, numbers

_OTHER_FORMATS = {
    b"PK\x03\x04": "a zip or Excel file in another one",
    b"\x1f\x8b": "a gzip file in another one",
    b"\x28\xb5\x2f\xfd": "a zstd file",
    b"\xd0\xcf\x11\xe0": "an old Excel file",
    b"SQLite format 3": "an SQLite file",
    b"\x89HDF": "an HDF5 file",
    b"%PDF": "a PDF",
    b"ARROW1": "an Arrow or Feather file",
    b"ORC": "an ORC file",
    b"Obj\x01": "an Avro file",
    b'{"': "JSON",
    b"[{": "JSON",
    b"[\n": "JSON",
    b"{\n": "JSON",
    b"<!DOCTYPE": "a web page",
    b"<html": "a web page",
    b"<table": "a web page",
    b"<?xml": "XML",
}


HEADLESS = "its first line looks like data: add a line with the column names"


@dataclass(frozen=True)
class Source:
    """A data file as arrow columns (text for CSV, as stored for Parquet), and how it is read.

    A column that cannot be looked at is null in `columns`, and `unfit` has why: `holds ...`.
    """

    path: Path
    columns: dict[str, pa.ChunkedArray]
    rows: int
    unnamed: int
    memory_gb: float | None
    delimiter: str = ","
    decimal: str = "."
    encoding: str = "utf-8"
    unfit: Mapping[str, str] = field(default_factory=dict)

    def texts(self, name: str) -> Texts:
        """The column as texts; see `as_texts`."""
        return as_texts(self.columns[name])

    def holds(self, name: str, words: frozenset[str]) -> set[str]:
        """Those of `words` that stand in a column of texts."""
        column = self.columns[name]
        if not pa.types.is_dictionary(column.type):
            column = column.cast(pa.string()).dictionary_encode()
        wanted = pa.array(words, pa.string())
        found: set[str] = set()
        for chunk in column.chunks:
            texts = pc.utf8_trim_whitespace(chunk.dictionary.cast(pa.string()))
            found |= set(texts.filter(pc.is_in(texts, wanted)).to_pylist())
        return found

    def padded(self, missing: set[str]) -> set[str]:
        """Forms of the texts in `missing` with more blanks around them than one."""
        found: set[str] = set()
        for column in self.columns.values():
            for chunk in column.chunks if pa.types.is_dictionary(column.type) else ():
                texts = chunk.dictionary
                changed = pc.not_equal(texts, pc.utf8_trim_whitespace(texts))
                found |= set(texts.filter(changed).to_pylist())
        return {
            text for text in found if text.strip() in missing and len(text.strip()) < len(text) - 1
        }


def read(path: Path, encoding: str, memory_gb: float | None = None) -> Source:
    """The data file `path`; an empty `encoding` is found out (UTF-8, or UTF-16 by its mark).

    Raises InputError naming the file and the remedy for whatever is not a readable table.
    """
    head = _head(path)
    for magic, what in _OTHER_FORMATS.items():
        if head.startswith(magic):
            raise InputError(f"{path} is {what}: save its table as CSV or Parquet")
    how: dict[str, Any]
    if reading.is_parquet(path):
        names, columns, unfit = _parquet(path, memory_gb)
        how = {"unfit": unfit}
    else:
        is_utf_16 = head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        encoding = encoding or ("utf-16" if is_utf_16 else "utf-8")
        names, columns, how = delimited.read(path, encoding, memory_gb)
    named = [name for name in names if name.strip()]
    twice = sorted({name for name in named if named.count(name) > 1})
    if not np.isnan(numbers(twice)).all() or says_itself(dict(zip(names, columns, strict=True))):
        raise InputError(f"{path}: {HEADLESS}")
    if twice:
        raise InputError(f"{path}: the column {twice[0]!r} stands twice in the header: rename one")
    rows = len(columns[0]) if columns else 0
    if rows == 0:
        raise InputError(f"{path} has a header and no rows: give it data")
    kept = {name: c for name, c in zip(names, columns, strict=True) if name.strip()}
    return Source(path, kept, rows, len(names) - len(named), memory_gb, **how)


def says_itself(columns: Mapping[str, pa.ChunkedArray]) -> bool:
    """Whether names, in letters, are values of their own columns, two and half of such at least."""
    worded = [(n, c) for n, c in columns.items() if any(map(str.isalpha, n))]
    found = 0
    for name, column in worded:
        if pa.types.is_dictionary(column.type):
            found += any(pc.index(chunk.dictionary, name).as_py() >= 0 for chunk in column.chunks)
    return found > 1 and 2 * found >= len(worded)


def _head(path: Path) -> bytes:
    """The first bytes of a file that there are some of."""
    if path.is_dir():
        raise InputError(f"{path} is a folder: name one CSV or Parquet file")
    if not path.is_file():
        raise InputError(f"{path} is missing: correct DATA, a file on this machine")
    with path.open("rb") as file:
        head = file.read(1 << 10)
    if not head:
        raise InputError(f"{path} is empty: give it a header and rows")
    return head


def _parquet(
    path: Path, memory_gb: float | None
) -> tuple[list[str], list[pa.ChunkedArray], dict[str, str]]:
    file = reading.open_parquet(path)
    names = list(dict.fromkeys(file.schema_arrow.names))
    table = reading.parquet_table(path, file, names, memory_gb)
    columns, unfit = [], {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        try:
            columns.append(plain(column))
        except UnfitError as error:  # it is left out, or refused as the target
            columns.append(pa.chunked_array([pa.nulls(table.num_rows)]))
            unfit[name] = str(error)
    return table.column_names, columns, unfit
