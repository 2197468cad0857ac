"""Rows of a table as the records a client of the API would send, a part at a time."""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..arrays import FALSE, TRUE
from ..config import Column, Data, InputError
from ..schema import sent
from .records import Record

PART = 5_000  # rows read at once from Parquet
Row = tuple[int, Record | str]  # line (row, for Parquet) and its record, or what is wrong with it


def read(source: Path, data: Data, columns: dict[str, Column], needed: list[str]) -> Iterator[Row]:
    """Rows of a CSV or Parquet file, in order; columns the model does not know are left out.

    Raises InputError naming the file when it is missing, damaged, or lacks a `needed` column.
    """
    from ..reading import header, is_parquet

    if not source.is_file():
        raise InputError(f"DATA={source}: there is no such file")
    if is_parquet(source):
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

    from ..reading import marked

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
        mark = marked(file)
        reader, before = csv.reader(file, delimiter=mark or data.delimiter, strict=True), bool(mark)
        try:
            next(reader)
            for texts in reader:
                if len(texts) == len(names):
                    yield reader.line_num + before, _record(names, texts, columns, data)
                elif texts:
                    yield reader.line_num + before, f"has {len(texts)} fields, not {len(names)}"
        except (csv.Error, UnicodeDecodeError) as error:
            after = reader.line_num + before
            raise InputError(
                f"{source}: after line {after}: {error}: restore it, or export it again"
            ) from None


def _parquet(
    source: Path, data: Data, columns: dict[str, Column], needed: list[str]
) -> Iterator[Row]:
    import pyarrow as pa

    from .. import memory, reading
    from ..arrow import UnfitError

    file = reading.open_parquet(source)
    there = file.schema_arrow.names
    names = [name for name in dict.fromkeys(there) if name in columns]
    _require(source, names, needed)
    reading.require(source, there, names)
    memory.require_room(source, memory.of_parquet(file, names), data.memory_gb)
    row, name = 0, ""
    try:
        for batch in file.iter_batches(PART, columns=names):
            parts = []
            for name in names:
                parts.append(_parquet_column(columns[name], batch.column(name)))
            for values in zip(*parts, strict=True):
                row += 1
                yield row, _record(names, values, columns, data)
    except UnfitError as error:
        raise InputError(f"{source}: column {name!r} {error}: correct the table") from None
    except (pa.ArrowException, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{source} cannot be read ({reason}): export it again") from None


def _parquet_column(column: Column, values: Any) -> list[Any]:
    """Numbers as training reads them, with every bit; all else as text."""
    import pyarrow as pa

    from ..arrow import typed

    array = typed(pa.chunked_array([values]), column.type).combine_chunks()
    if pa.types.is_floating(array.type):
        return list(array.to_pylist())
    if pa.types.is_timestamp(array.type):
        moments = array.to_numpy(zero_copy_only=False)
        return [None if np.isnat(moment) else sent(column, moment) for moment in moments]
    texts = array.dictionary.to_pylist()
    return [None if code is None else texts[code] for code in array.indices.to_pylist()]


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
