"""Rows of a table as the records a client of the API would send, a part at a time."""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .. import numerals
from ..arrays import FALSE, TRUE
from ..config import Column, Data, InputError
from .records import Record

PART = 5_000  # rows read at once from Parquet
Row = tuple[int, Record | str]  # line (row, for Parquet) and its record, or what is wrong with it


class _Values:
    """What to send for the texts of a table, and what its numbers say about their signs."""

    def __init__(self, data: Data, columns: dict[str, Column]) -> None:
        self.data = data
        self.columns = columns
        self.doubts = {
            name: numerals.Thousands(data.decimal)
            for name, column in columns.items()
            if column.type == "numeric" and column.thousands is None
        }

    def record(self, names: list[str], texts: Any) -> Record:
        """A row as a record; columns the model does not know are left out."""
        pairs = zip(names, texts, strict=True)
        return {name: self._value(text, name) for name, text in pairs if name in self.columns}

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
            value = numerals.number(text, self.data.decimal, column.thousands)
            return text if value is None else value
        if column.type == "boolean":
            lower = text.lower()
            return lower in TRUE if lower in TRUE or lower in FALSE else text
        return text


def read(source: Path, data: Data, columns: dict[str, Column], needed: list[str]) -> Iterator[Row]:
    """Rows of a CSV or Parquet file, in order; columns the model does not know are left out.

    Raises InputError naming the file when it is missing, damaged, or lacks a `needed` column; and
    at its end where the decimal sign of a column looks like one between thousands.
    """
    from ..reading import header

    if not source.is_file():
        raise InputError(f"DATA={source}: there is no such file")
    values = _Values(data, columns)
    if source.suffix.lower() == ".parquet":
        yield from _parquet(source, values, needed)
    else:
        names = header(source, data.delimiter, data.encoding)
        _require(source, names, needed)
        yield from _csv(source, values, names)
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


def _csv(source: Path, values: _Values, names: list[str]) -> Iterator[Row]:
    import rich.progress

    data = values.data
    quiet = "CI" in os.environ or not sys.stderr.isatty()
    encoding = "utf-8-sig" if data.encoding.lower() in ("utf-8", "utf8") else data.encoding
    with rich.progress.open(
        source,
        "r",
        encoding=encoding,
        newline="",
        disable=quiet,
        transient=True,
        description="score",
    ) as file:
        reader = csv.reader(file, delimiter=data.delimiter, strict=True)
        try:
            next(reader)
            for texts in reader:
                if len(texts) == len(names):
                    yield reader.line_num, values.record(names, texts)
                elif texts:
                    yield reader.line_num, f"has {len(texts)} fields, not {len(names)}"
        except (csv.Error, UnicodeDecodeError) as error:
            raise InputError(
                f"{source}: after line {reader.line_num}: {error}: restore it, or export it again"
            ) from None


def _parquet(source: Path, values: _Values, needed: list[str]) -> Iterator[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(source)
        names = [name for name in file.schema_arrow.names if name in values.columns]
        _require(source, names, needed)
        row = 0
        for batch in file.iter_batches(PART, columns=names):
            specs = [values.columns[name] for name in names]
            parts = map(_parquet_column, specs, batch.columns)
            for texts in zip(*parts, strict=True):
                row += 1
                yield row, values.record(names, texts)
    except pa.ArrowException as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{source} cannot be read ({reason}): export it again") from None


def _parquet_column(column: Column, values: Any) -> list[Any]:
    """Numbers as training reads them, with every bit; all else as text."""
    import pyarrow as pa

    numbers = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)
    if column.type == "numeric" and any(is_kind(values.type) for is_kind in numbers):
        return list(values.cast(pa.float64()).to_pylist())
    return list(values.cast(pa.string()).to_pylist())
