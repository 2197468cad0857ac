"""Rows of a table as the records a client of the API would send, a part at a time."""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..arrays import FALSE, TRUE
from ..config import Column, Data, InputError
from .records import Record

PART = 5_000  # rows read at once from Parquet
MAX_FIELD = 1 << 24  # letters
Row = tuple[int, Record | str]  # line (row, for Parquet) and its record, or what is wrong with it


def read(source: Path, data: Data, columns: dict[str, Column], needed: list[str]) -> Iterator[Row]:
    """Rows of a CSV or Parquet file, in order; columns the model does not know are left out.

    Raises InputError naming the file when it is missing, damaged, or lacks a `needed` column.
    """
    from ..reading import header

    if not source.is_file():
        raise InputError(f"DATA={source}: there is no such file")
    if source.suffix.lower() == ".parquet":
        return _parquet(source, data, columns, needed)
    names = header(source, data.delimiter, data.encoding)
    _require(source, names, needed)
    return _csv(source, data, columns, names)


def _require(source: Path, names: list[str], needed: list[str]) -> None:
    absent = [name for name in needed if name not in names]
    if absent:
        raise InputError(
            f"{source}: the model needs the column {', '.join(map(repr, absent))}: "
            f"correct the table, or name the model it is for with MODEL=folder"
        )


def _csv(source: Path, data: Data, columns: dict[str, Column], names: list[str]) -> Iterator[Row]:
    import rich.progress

    csv.field_size_limit(MAX_FIELD)  # a text that is too long is a fault of its row
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
                    yield reader.line_num, _record(names, texts, columns, data)
                elif texts:
                    yield reader.line_num, f"has {len(texts)} fields, not {len(names)}"
        except (csv.Error, UnicodeDecodeError) as error:
            raise InputError(
                f"{source}: after line {reader.line_num}: {error}: restore it, or export it again"
            ) from None


def _parquet(
    source: Path, data: Data, columns: dict[str, Column], needed: list[str]
) -> Iterator[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(source)
        names = [name for name in file.schema_arrow.names if name in columns]
        _require(source, names, needed)
        row = 0
        for batch in file.iter_batches(PART, columns=names):
            specs = [columns[name] for name in names]
            parts = map(_parquet_column, specs, batch.columns)
            for values in zip(*parts, strict=True):
                row += 1
                yield row, _record(names, values, columns, data)
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


def _record(names: list[str], texts: Any, columns: dict[str, Column], data: Data) -> Record:
    pairs = zip(names, texts, strict=True)
    return {name: _value(text, columns[name], data) for name, text in pairs if name in columns}


def _value(text: str | float | None, column: Column, data: Data) -> Any:
    """What to send for `text`; a text that is no number or boolean stays and is refused later."""
    if isinstance(text, float):
        return None if text != text else text
    text = text.strip() if text is not None else None
    if text is None or text in data.missing:
        return None
    if column.type == "numeric" and "_" not in text:  # which Python would take and CSV does not
        try:
            return float(text.replace(data.decimal, "."))
        except ValueError:
            return text
    if column.type == "boolean":
        lower = text.lower()
        return lower in TRUE if lower in TRUE or lower in FALSE else text
    return text
