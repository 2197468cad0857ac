"""Data files: CSV and Parquet become Arrow tables, and a file that is not whole is named."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from .config import CONFIG_FILE, Column, Config, InputError

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

    Where a number cannot be read it comes as text too, so that the caller can name its rows.
    """
    path, data = Path(config.data.path), config.data
    require(path, header(path, data.delimiter, data.encoding), wanted)
    try:
        return _csv_table(path, config, wanted, pa.float64())
    except pa.ArrowInvalid:
        pass  # a number that is none, or a fault that shows again below
    try:
        return _csv_table(path, config, wanted, _TEXT)
    except pa.ArrowInvalid as error:
        if "invalid UTF8" in str(error):
            raise _not_encoded(path, data.encoding, "a byte is no UTF-8") from None
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{path} is damaged ({reason}): restore it, or export it again") from None


def _csv_table(
    path: Path, config: Config, wanted: dict[str, Column], number: pa.DataType
) -> pa.Table:
    data = config.data
    types = {n: number if column.type == "numeric" else _TEXT for n, column in wanted.items()}
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
