"""A data file of unknown make, read as it stands: encoding, delimiter, decimal sign, texts."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from ...settings.categories import category
from ...settings.config import InputError
from ...tables import memory, reading
from ...tables.arrow import TEXT, UnfitError, as_written, plain
from ...tables.numerals import OTHER, Thousands, is_grouped, number

DELIMITERS = (",", ";", "\t", "|")
_SNIFFED = 1 << 18  # bytes of the head that decide about delimiter
_NUMBER = r"[+-]?([0-9]+{0}?[0-9]*|{0}[0-9]+)([eE][+-]?[0-9]+)?"
_OTHER_FORMATS = {
    b"PK\x03\x04": "a zip or Excel file",
    b"\x1f\x8b": "a gzip file",
    b"\xd0\xcf\x11\xe0": "an old Excel file",
    b"SQLite format 3": "an SQLite file",
    b"\x89HDF": "an HDF5 file",
    b"%PDF": "a PDF",
    b"ARROW1": "an Arrow or Feather file",
    b"ORC": "an ORC file",
    b"Obj\x01": "an Avro file",
}


@dataclass(frozen=True)
class Texts:
    """One column: its different values (trimmed) and, for each row, which one (-1 = null)."""

    values: list[str]
    codes: np.ndarray

    @property
    def counts(self) -> np.ndarray:
        """Rows of each value."""
        return np.bincount(self.codes[self.codes >= 0], minlength=len(self.values))

    def without(self, missing: set[str]) -> Texts:
        """The same column with the values in `missing` as null."""
        keep = [value not in missing for value in self.values]
        if all(keep):
            return self
        kept = np.array([*keep, False])
        index = np.where(kept, np.cumsum(kept) - 1, -1)
        values = [value for value, stays in zip(self.values, keep, strict=True) if stays]
        return Texts(values, index[self.codes])

    def categories(self) -> Texts:
        """The same column with each value in the one form of its category: 1 for 1.0."""
        forms = pa.array([category(value) for value in self.values], pa.string())
        different = forms.dictionary_encode()
        place = np.append(different.indices.to_numpy(), -1)
        return Texts(different.dictionary.to_pylist(), place[self.codes])

    def first_row(self, value: str) -> int:
        """1-based row of the data file where `value` stands first."""
        return int(np.argmax(self.codes == self.values.index(value))) + 1


@dataclass(frozen=True)
class Source:
    """A data file as arrow columns (text for CSV, as stored for Parquet), and how it is read.

    A column that cannot be looked at is null in `columns`, and `unfit` has why: `holds ...`.
    """

    path: Path
    columns: dict[str, pa.ChunkedArray]
    rows: int
    delimiter: str = ","
    decimal: str = "."
    encoding: str = "utf-8"
    unnamed: int = 0
    memory_gb: float | None = None
    unfit: Mapping[str, str] = field(default_factory=dict)

    def texts(self, name: str) -> Texts:
        """The column as texts; see `as_texts`."""
        return as_texts(self.columns[name])

    def holds(self, name: str, words: frozenset[str]) -> set[str]:
        """Those of `words` that stand in a column of texts."""
        column = self.columns[name]
        if not pa.types.is_dictionary(column.type):
            column = column.cast(pa.string()).dictionary_encode()
        wanted = pa.array(sorted(words), pa.string())
        found: set[str] = set()
        for chunk in column.chunks:
            texts = pc.utf8_trim_whitespace(chunk.dictionary.cast(pa.string()))
            found |= set(texts.filter(pc.is_in(texts, wanted)).to_pylist())
        return found

    def padded(self, missing: set[str]) -> set[str]:
        """Forms of the texts in `missing` with more blanks around them than one."""
        found = set()
        for column in self.columns.values():
            if not pa.types.is_dictionary(column.type):
                continue
            for chunk in column.chunks:
                texts = chunk.dictionary
                changed = pc.not_equal(texts, pc.utf8_trim_whitespace(texts))
                found |= set(texts.filter(changed).to_pylist())
        return {
            text for text in found if text.strip() in missing and len(text.strip()) < len(text) - 1
        }


def is_text(kind: pa.DataType) -> bool:
    """Whether a stored column can be looked at as texts: text, truth, clock, or nothing at all."""
    checks = (pa.types.is_string, pa.types.is_boolean, pa.types.is_time, pa.types.is_null)
    return kind == TEXT or any(check(kind) for check in checks)


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


def numbers(values: list[str], decimal: str = ".") -> np.ndarray:
    """The values as float64 (NaN where a value is not a finite number)."""
    texts = pa.array(values, pa.string())
    fits = pc.match_substring_regex(texts, f"^{_NUMBER.format(re.escape(decimal))}$")
    plain = pc.replace_substring(texts, decimal, ".") if decimal != "." else texts
    found = pc.cast(pc.if_else(fits, plain, None), pa.float64()).to_numpy(zero_copy_only=False)
    return np.where(np.isfinite(found), found, np.nan)


def read(path: Path, encoding: str, memory_gb: float | None = None) -> Source:
    """The data file `path`; an empty `encoding` is found out (UTF-8, or UTF-16 by its mark).

    Raises InputError naming the file and the remedy for whatever is not a readable table.
    """
    _require_file(path)
    with path.open("rb") as file:
        head = file.read(_SNIFFED)
    for magic, what in _OTHER_FORMATS.items():
        if head.startswith(magic):
            raise InputError(f"{path} is {what}: save its table as CSV or Parquet")
    if reading.is_parquet(path):
        return _read_parquet(path, memory_gb)
    return _read_csv(path, encoding or _by_mark(head), memory_gb)


def _require_file(path: Path) -> None:
    if path.is_dir():
        raise InputError(f"{path} is a folder: name one CSV or Parquet file")
    if not path.is_file():
        raise InputError(f"{path} is missing: correct DATA, a file on this machine")
    if path.stat().st_size == 0:
        raise InputError(f"{path} is empty: give it a header and rows")


def _by_mark(head: bytes) -> str:
    marked = head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return "utf-16" if marked else "utf-8"


def _read_parquet(path: Path, memory_gb: float | None) -> Source:
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
    how = {"memory_gb": memory_gb, "unfit": unfit}
    return _source(path, table.column_names, columns, table.num_rows, **how)


def _source(
    path: Path, names: list[str], columns: list[pa.ChunkedArray], rows: int, **how: Any
) -> Source:
    named = [name for name in names if name.strip()]
    twice = sorted({name for name in named if named.count(name) > 1})
    if twice:
        raise InputError(f"{path}: the column {twice[0]!r} stands twice in the header: rename one")
    if rows == 0:
        raise InputError(f"{path} has a header and no rows: give it data")
    kept = {name: c for name, c in zip(names, columns, strict=True) if name.strip()}
    return Source(path, kept, rows, unnamed=len(names) - len(named), **how)


def _read_csv(path: Path, encoding: str, memory_gb: float | None) -> Source:
    start = io.StringIO(_decoded_head(path, encoding), newline="")
    mark = reading.marked(start)
    head = start.read()
    first, _, rest = head.replace("\r", "\n").partition("\n")
    if not first.strip(" " + "".join(DELIMITERS)):
        raise reading.nameless(path, rest)
    delimiter = _delimiter(path, head, mark or DELIMITERS)
    memory.require_room(path, memory.of_csv(path, delimiter), memory_gb)
    names = next(csv.reader(io.StringIO(head, newline=""), delimiter=delimiter))
    places = [str(at) for at in range(len(names))]
    for threads in (True, False):  # without threads the message names the row
        try:
            table = pacsv.read_csv(
                path,
                read_options=pacsv.ReadOptions(
                    column_names=places,
                    skip_rows=bool(mark),
                    skip_rows_after_names=1,
                    encoding=encoding,
                    use_threads=threads,
                    block_size=8 << 20,
                ),
                parse_options=pacsv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
                convert_options=pacsv.ConvertOptions(column_types=dict.fromkeys(places, TEXT)),
            )
            break
        except pa.ArrowInvalid as error:
            fault = error
    else:
        raise InputError(
            f"{path} is damaged ({_short(fault)}): correct that row, or export it again"
        )
    _require_closed_quote(path, table)
    how = {"delimiter": delimiter, "encoding": encoding, "decimal": _decimal(table, delimiter)}
    return _source(path, names, table.columns, table.num_rows, memory_gb=memory_gb, **how)


def _decoded_head(path: Path, encoding: str) -> str:
    """The first lines as text; the whole file is decoded once, so that a bad byte is seen."""
    parts, size, line = [], 0, 1
    try:
        with path.open(
            encoding="utf-8-sig" if encoding == "utf-8" else encoding, newline=""
        ) as file:
            while chunk := file.read(1 << 20):
                if size < _SNIFFED:
                    parts.append(chunk[:_SNIFFED])
                size, line = size + len(chunk), line + chunk.count("\n")
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise InputError(
            f"{path} is not {encoding} text (byte 0x{byte:02x} after line {line:,}): add "
            f"ENCODING=cp1252 or ENCODING=latin-1, or save the file as UTF-8"
        ) from None
    except LookupError:
        raise InputError(
            f"ENCODING={encoding}: there is no such encoding: try utf-8, latin-1, cp1252 or utf-16"
        ) from None
    head = "".join(parts)
    if "\0" in head:
        raise InputError(
            f"{path} is no text file (it holds zero bytes): give a CSV or Parquet file"
        )
    if not head.strip():
        raise InputError(f"{path} is empty: give it a header and rows")
    return head


def _delimiter(path: Path, head: str, delimiters: Sequence[str]) -> str:
    best = max(delimiters, key=lambda delimiter: _evenness(head, delimiter))
    if not _evenness(head, best)[0]:
        raise InputError(
            f"{path}: its first line, {head.splitlines()[0][:60]!r}, is one column: it must name "
            f"the columns, with comma, semicolon, tab or | between them"
        )
    return best


def _evenness(head: str, delimiter: str) -> tuple[bool, float, int]:
    """Whether the header has columns, the share of lines with as many, and how many."""
    widths = [len(row) for row in _head_rows(head, delimiter) if row]
    if not widths:
        return False, 0.0, 0
    return widths[0] > 1, round(widths.count(widths[0]) / len(widths), 1), widths[0]


def _head_rows(head: str, delimiter: str) -> Iterator[list[str]]:
    whole = head if len(head) < _SNIFFED else head[: head.rindex("\n")] if "\n" in head else head
    try:
        yield from csv.reader(io.StringIO(whole, newline=""), delimiter=delimiter)
    except csv.Error:  # a field larger than csv takes: another delimiter is right
        return


def _require_closed_quote(path: Path, table: pa.Table) -> None:
    """A file cut inside quotes reads as one long last value: say so."""
    if table.num_rows == 0:
        return
    last = [column[-1].as_py() for column in table.columns]
    with path.open("rb") as file:
        tail = b""
        quotes = 0
        while chunk := file.read(1 << 20):
            quotes, tail = quotes + chunk.count(b'"'), chunk
    if quotes % 2 and any("\n" in (value or "") for value in last) and not tail.endswith(b'"\n'):
        raise InputError(f"{path} is cut off inside a quoted value: restore it, or export it again")


def _decimal(table: pa.Table, delimiter: str) -> str:
    """The sign most columns of fractions use; 1,234 alone is no proof of a decimal comma.

    Where no fraction tells, it is not the sign that separates thousands.
    """
    votes, thousands = {".": 0, ",": 0}, {".": 0, ",": 0}
    for column in table.columns:
        values = [value for value in _some_values(column) if value]
        separating = [sign for sign in votes if sign != delimiter and _separates(values, sign)]
        for sign in separating:
            thousands[sign] += 1
        for sign in votes if not separating else ():
            fits = ~np.isnan(numbers(values, sign)) if values else np.zeros(0, bool)
            signed = [value for value, ok in zip(values, fits, strict=True) if ok and sign in value]
            if fits.mean() < 0.9 if len(fits) else True:
                continue
            proof = [v for v in signed if sign == "." or not is_grouped(v, sign)]
            votes[sign] += bool(proof) or bool(signed and delimiter != ",")
    comma, dot = (votes[","], thousands["."]), (votes["."], thousands[","])
    return "," if comma > dot else "."


def _separates(values: list[str], sign: str) -> bool:
    """Whether `sign` separates thousands in the numbers among `values`, nearly all of them."""
    found, read = Thousands(sign), 0
    for value in values:
        if number(value, OTHER[sign], sign) is not None:
            found.add(value)
            read += 1
    return found.separates and read >= 0.9 * len(values)


def _some_values(column: pa.ChunkedArray) -> list[str]:
    return [value.strip() for value in column.chunk(0).dictionary[:200].to_pylist()]


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
