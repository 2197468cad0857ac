"""Data files: CSV and Parquet become Arrow tables, and a file that is not whole is named."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from .config import CONFIG_FILE, Column, Config, InputError
from .numerals import OTHER

_TEXT = pa.dictionary(pa.int32(), pa.string())


def header(path: Path, delimiter: str, encoding: str) -> list[str]:
    """Column names of a CSV file; raises InputError for an empty file or a wrong encoding."""
    try:
        with path.open(
            encoding="utf-8-sig" if encoding == "utf-8" else encoding, newline=""
        ) as file:
            names = next(csv.reader(file, delimiter=delimiter), [])
    except (UnicodeDecodeError, LookupError) as error:
        raise _not_encoded(path, encoding, str(error)) from None
    except csv.Error as error:
        raise InputError(f"{path}: the header cannot be read ({error}): export it again") from None
    if not names:
        raise InputError(f"{path} is empty: give it a header and rows")
    twice = sorted({name for name in names if name.strip() and names.count(name) > 1})
    if twice:
        raise InputError(f"{path}: the column {twice[0]!r} stands twice in the header: rename one")
    return names


def _not_encoded(path: Path, encoding: str, why: str) -> InputError:
    return InputError(
        f"{path} is not {encoding} text ({why}): save it as UTF-8, or name its encoding in "
        f"data.encoding of {CONFIG_FILE}"
    )


def require(path: Path, names: Iterable[str], wanted: Iterable[str]) -> None:
    """Raise InputError unless every name of `wanted` is among `names`."""
    absent = [name for name in wanted if name not in set(names)]
    if absent:
        raise InputError(
            f"{path} has no column {', '.join(map(repr, absent))}: correct columns or data.target "
            f"in {CONFIG_FILE}; the file has {', '.join(map(repr, names))}"
        )


def read_csv(config: Config, wanted: dict[str, Column]) -> pa.Table:
    """Columns `wanted` of a CSV file: numbers as float64, all else as text.

    Where a number cannot be read it comes as text too, so that the caller can name its rows; and
    so do numbers that may be of thousands, which only their texts can tell.
    """
    path, data = Path(config.data.path), config.data
    require(path, header(path, data.delimiter, data.encoding), wanted)
    try:
        table = _csv_table(path, config, wanted, pa.float64())
        doubtful = {
            name: column
            for name, column in wanted.items()
            if column.thousands is None and _may_be_grouped(table[name])
        }
        texts = _csv_table(path, config, doubtful, _TEXT) if doubtful else table
        for name in doubtful:
            table = table.set_column(table.column_names.index(name), name, texts[name])
        return table
    except pa.ArrowInvalid:
        pass  # a number that is none, or a fault that shows again below
    try:
        return _csv_table(path, config, wanted, _TEXT)
    except pa.ArrowInvalid as error:
        if "invalid UTF8" in str(error):
            raise _not_encoded(path, data.encoding, "a byte is no UTF-8") from None
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{path} is damaged ({reason}): restore it, or export it again") from None


def _may_be_grouped(column: pa.ChunkedArray) -> bool:
    """Whether a column of float64 can come of texts such as 950 and 1.200 that mean thousands.

    Then it has three digits behind the sign at most, no fraction of one, and nothing above 999.
    """
    if not pa.types.is_floating(column.type):
        return False
    for chunk in column.chunks:
        size = np.abs(chunk.drop_null().to_numpy(zero_copy_only=False))
        shifted = size * 1000
        whole = abs(shifted - shifted.round()) < 1e-6
        if not (whole & (size < 1000) & ((size == 0) | (size >= 1))).all():
            return False
    return True


def _csv_table(
    path: Path, config: Config, wanted: dict[str, Column], number: pa.DataType
) -> pa.Table:
    data = config.data
    types = {
        name: number if column.type == "numeric" and column.thousands not in OTHER else _TEXT
        for name, column in wanted.items()
    }
    return pacsv.read_csv(
        path,
        read_options=pacsv.ReadOptions(encoding=data.encoding, block_size=8 << 20),
        parse_options=pacsv.ParseOptions(delimiter=data.delimiter, newlines_in_values=True),
        convert_options=pacsv.ConvertOptions(
            column_types=types,
            include_columns=list(wanted),
            null_values=[pad.format(m) for m in data.missing for pad in ("{}", " {}", "{} ")],
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
            decimal_point=data.decimal,
        ),
    )


def read_parquet(config: Config, wanted: dict[str, Column]) -> pa.Table:
    """Columns `wanted` of a Parquet file, in the types it has."""
    path = Path(config.data.path)
    try:
        file = pq.ParquetFile(path)
        require(path, file.schema_arrow.names, wanted)
        return file.read(columns=list(wanted))
    except (pa.ArrowInvalid, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{path} is no whole Parquet file ({reason}): restore it") from None
