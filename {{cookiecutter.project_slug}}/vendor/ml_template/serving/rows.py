"""Rows of a table as the records a client of the API would send, a part at a time."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from ..outside.progress import say
from ..settings.config import Column, Data, InputError
from ..tables import memory, numerals, reading, written
from ..tables.arrays import BOOLEANS
from ..tables.arrow import UnfitError, typed
from ..tables.schema import sent
from .records import Record

PART = 5_000  # rows that are read at once from Parquet, and told of
MAX_FIELD = 1 << 24  # letters
Row = tuple[int, Record | str]  # line (row, for Parquet) and its record, or what is wrong with it
_ID = Column(type="text")


class Ids(dict[int, str]):
    """Values of the column `name` by line, as the table has them: for one part, then cleared."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def place(self, source: Path, names: list[str]) -> int:
        """Where it stands among `names`; raises InputError where it does not."""
        if self.name in names:
            return names.index(self.name)
        raise InputError(
            f"IDS={self.name}: {source} has no such column: name one of {', '.join(names)}"
        )


class _Values:
    """What to send for the texts of a table, and what its numbers say about their signs."""

    def __init__(self, data: Data, columns: dict[str, Column]) -> None:
        self.data = data
        self.columns = columns
        self.doubts = {
            name: numerals.Thousands(numerals.decimal_sign(data.decimal, column.thousands))
            for name, column in columns.items()
            if column.type == "numeric"
            and column.thousands != "none"
            and written.is_plain(column.thousands, column.written)
        }
        self.dressed = [
            name
            for name, column in columns.items()
            if not written.is_plain(column.thousands, column.written)
        ]

    def record(self, names: list[str], texts: Any) -> Record | str:
        """A row as a record, or what is wrong; columns the model does not know are left out."""
        pairs = zip(names, texts, strict=True)
        record = {name: self._value(text, name) for name, text in pairs if name in self.columns}
        for name in self.dressed:
            if isinstance(text := record.get(name), str):
                column = self.columns[name]
                told = written.described(column.thousands, column.written)
                return f"{name}: {text[:40]!r} is no number, written {told}: correct it"
        return record

    def _value(self, text: str | float | None, name: str) -> Any:
        """What to send for `text`; one that is no number or boolean stays and is refused later."""
        if isinstance(text, float):
            return None if text != text else text
        text = text.strip() if text is not None else None
        if text is None or text in self.data.missing:
            return None
        column = self.columns[name]
        if column.type == "numeric":
            doubt = self.doubts.get(name)
            if doubt is not None and not doubt.large:  # that settles it
                doubt.add(text)
            value = written.number(text, self.data.decimal, column.thousands, column.written)
            return text if value is None else value
        if column.type == "boolean":
            return BOOLEANS.get(text.lower(), text)
        return text


def read(
    source: Path, data: Data, columns: dict[str, Column], needed: list[str], ids: Ids | None = None
) -> Iterator[Row]:
    """Rows of a CSV or Parquet file, in order; columns the model does not know are left out.

    `ids` gets the id of each row that is given. Raises InputError naming the file when it is
    missing, damaged, or lacks a `needed` column; and at its end where the decimal sign of a column
    looks like one between thousands.
    """
    if not source.is_file():
        raise InputError(f"DATA={source}: there is no such file")
    values = _Values(data, columns)
    if reading.is_parquet(source):
        yield from _parquet(source, values, needed, ids)
    else:
        names = reading.header(source, data.delimiter, data.encoding)
        _require(source, names, needed)
        yield from _csv(source, values, names, ids)
    for name, doubt in values.doubts.items():
        if doubt.separates:
            raise InputError(numerals.doubtful(source, name, doubt))


def _require(source: Path, names: list[str], needed: list[str]) -> None:
    absent = [name for name in needed if name not in names]
    if absent:
        raise InputError(
            f"{source}: the model needs the column {', '.join(map(repr, absent))}: "
            f"correct the table, or name the model it is for with MODEL=folder"
        )


def _csv(source: Path, values: _Values, names: list[str], ids: Ids | None) -> Iterator[Row]:
    at = ids.place(source, names) if ids is not None else 0
    csv.field_size_limit(MAX_FIELD)  # a text that is too long is a fault of its row
    data, size = values.data, source.stat().st_size
    with source.open(encoding=reading.without_mark(data.encoding), newline="") as file:
        mark = reading.marked(file)
        reader, before = csv.reader(file, delimiter=mark or data.delimiter, strict=True), bool(mark)
        try:
            next(reader)
            for row, texts in enumerate(reader):
                if row % PART == 0:
                    share = os.lseek(file.fileno(), 0, os.SEEK_CUR) / size
                    say(f"score: {row:,} rows, {share:.0%} of {source}")
                if len(texts) == len(names):
                    if ids is not None:
                        ids[reader.line_num + before] = texts[at]
                    yield reader.line_num + before, values.record(names, texts)
                elif texts:
                    yield reader.line_num + before, f"has {len(texts)} fields, not {len(names)}"
        except (csv.Error, UnicodeDecodeError) as error:
            after = reader.line_num + before
            raise InputError(
                f"{source}: after line {after}: {error}: restore it, or export it again"
            ) from None


def _parquet(source: Path, values: _Values, needed: list[str], ids: Ids | None) -> Iterator[Row]:
    file = reading.open_parquet(source)
    there = file.schema_arrow.names
    names = [name for name in dict.fromkeys(there) if name in values.columns]
    _require(source, names, needed)
    if ids is not None:
        ids.place(source, there)
    asked = list(dict.fromkeys([*names, *([ids.name] if ids is not None else ())]))
    reading.require(source, there, asked)
    row, name = 0, ""
    try:
        memory.require_room(source, memory.of_parquet(file, asked), values.data.memory_gb)
        for batch in file.iter_batches(PART, columns=asked):
            say(f"score: {row:,} of {file.metadata.num_rows:,} rows of {source}")
            parts = []
            for name in names:
                parts.append(_parquet_column(values.columns[name], batch.column(name)))
            name = ids.name if ids is not None else ""
            own = _parquet_column(_ID, batch.column(name)) if name else []
            for at, texts in enumerate(zip(*parts, strict=True)):
                row += 1
                if ids is not None:
                    ids[row] = own[at] or ""
                yield row, values.record(names, texts)
    except UnfitError as error:
        raise InputError(f"{source}: column {name!r} {error}: correct the table") from None
    except MemoryError:
        raise memory.spent(source) from None
    except (pa.ArrowException, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{source} cannot be read ({reason}): export it again") from None


def _parquet_column(column: Column, values: Any) -> list[Any]:
    """Numbers as training reads them, with every bit; all else as text."""
    array = typed(pa.chunked_array([values]), column.type, column.clock).combine_chunks()
    if pa.types.is_floating(array.type):
        return list(array.to_pylist())
    if pa.types.is_timestamp(array.type):
        return [sent(column, moment) for moment in array.to_numpy(zero_copy_only=False)]
    texts = array.dictionary.to_pylist()
    return [None if code is None else texts[code] for code in array.indices.to_pylist()]
