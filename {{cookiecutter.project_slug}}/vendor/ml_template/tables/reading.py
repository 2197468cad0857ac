"""Data files: CSV and Parquet become Arrow tables, and a file that is not whole is named."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from ..settings.config import CONFIG_FILE, Column, Config, Data, InputError
from . import memory
from .arrow import TEXT

PARQUET = (".parquet", ".pq")  # how names of its files end
_MARK = re.compile(r'"?sep=(\\t|[\t -~](?<![\w"]))"?', re.ASCII | re.IGNORECASE)
_LONGEST = 1 << 16  # letters of that line; and those of a file that tell whether it is empty


def is_parquet(path: Path) -> bool:
    """Whether a file is Parquet, by its name or its first bytes."""
    if path.suffix.lower() in PARQUET:
        return True
    with path.open("rb") as file:
        return file.read(4) == b"PAR1"


def marked(file: IO[str]) -> str:
    """The delimiter that a first line such as `sep=;` names, as Excel has it; none without one.

    `file` stands behind that line afterwards, or at its beginning.
    """
    first = file.readline(_LONGEST).removeprefix("\ufeff")
    found = _MARK.match(first)
    mark = found[1].replace("\\t", "\t") if found else ""
    # Excel fills the line up with delimiters, where it saves a file that it opened
    if found and not first[found.end() :].strip(f"{mark} \t\r\n"):
        return mark
    file.seek(0)
    return ""


def without_mark(encoding: str) -> str:
    """The encoding that also reads a file that begins with the mark of UTF-8."""
    return "utf-8-sig" if encoding.lower() in ("utf-8", "utf8") else encoding


def _opened(path: Path, encoding: str) -> IO[str]:
    return path.open(encoding=without_mark(encoding), newline="")


def _dialect(path: Path, data: Data) -> tuple[str, int]:
    """The delimiter of a CSV file, and how many lines stand before its header."""
    with _opened(path, data.encoding) as file:
        mark = marked(file)
    return mark or data.delimiter, int(bool(mark))


def header(path: Path, delimiter: str, encoding: str) -> list[str]:
    """Column names of a CSV file; raises InputError for an empty file or a wrong encoding."""
    try:
        with _opened(path, encoding) as file:
            names = next(csv.reader(file, delimiter=marked(file) or delimiter), [])
            rest = "" if any(map(str.strip, names)) else file.read(_LONGEST)
    except (UnicodeDecodeError, LookupError) as error:
        raise _not_encoded(path, encoding, str(error)) from None
    except csv.Error as error:
        raise InputError(f"{path}: the header cannot be read ({error}): export it again") from None
    if not any(map(str.strip, names)):
        raise nameless(path, rest)
    twice = sorted({name for name in names if name.strip() and names.count(name) > 1})
    if twice:
        raise InputError(f"{path}: the column {twice[0]!r} stands twice in the header: rename one")
    return names


def nameless(path: Path, rest: str) -> InputError:
    """What to say of a CSV file whose first line names no column; `rest` comes after that line."""
    if rest.strip():
        return InputError(f"{path}: its first line is empty: it must name the columns: remove it")
    return InputError(f"{path} is empty: give it a header and rows")


def _not_encoded(path: Path, encoding: str, why: str) -> InputError:
    return InputError(
        f"{path} is not {encoding} text ({why}): save it as UTF-8, or name its encoding in "
        f"data.encoding of {CONFIG_FILE}"
    )


def require(path: Path, names: Iterable[str], wanted: Iterable[str]) -> None:
    """Raise InputError unless every name of `wanted` is among `names`, once."""
    names, wanted = list(names), list(wanted)
    absent = [name for name in wanted if name not in set(names)]
    if absent:
        raise InputError(
            f"{path} has no column {', '.join(map(repr, absent))}: correct columns or data.target "
            f"in {CONFIG_FILE}; the file has {', '.join(map(repr, names))}"
        )
    twice = next((name for name in wanted if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"{path}: the column {twice!r} stands twice: rename one")


def read_csv(config: Config, wanted: dict[str, Column]) -> pa.Table:
    """Columns `wanted` of a CSV file: numbers as float64, all else as text.

    Where a number cannot be read it comes as text too, so that the caller can name its rows; and
    so do numbers that may be of thousands, which only their texts can tell.
    """
    path, data = Path(config.data.path), config.data
    require(path, header(path, data.delimiter, data.encoding), wanted)
    memory.require_room(path, memory.of_csv(path, _dialect(path, data)[0]), data.memory_gb)
    try:
        table = _csv_table(path, config, wanted, pa.float64())
        doubtful = {
            name: column
            for name, column in wanted.items()
            if _has_plain(column) and column.thousands is None and _may_be_grouped(table[name])
        }
        texts = _csv_table(path, config, doubtful, TEXT) if doubtful else table
        for name in doubtful:
            table = table.set_column(table.column_names.index(name), name, texts[name])
        return table
    except pa.ArrowInvalid:
        pass  # a number that is none, or a fault that shows again below
    try:
        return _csv_table(path, config, wanted, TEXT)
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


def _has_plain(column: Column) -> bool:
    """Whether its numbers are written as CSV has them."""
    return column.written is None and column.thousands in (None, "none")


def _csv_table(
    path: Path, config: Config, wanted: dict[str, Column], number: pa.DataType
) -> pa.Table:
    data = config.data
    delimiter, before = _dialect(path, data)
    types = {
        name: number if column.type == "numeric" and _has_plain(column) else TEXT
        for name, column in wanted.items()
    }
    return pacsv.read_csv(
        path,
        read_options=pacsv.ReadOptions(
            encoding=data.encoding, block_size=8 << 20, skip_rows=before
        ),
        parse_options=pacsv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
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
    file = open_parquet(path)
    require(path, file.schema_arrow.names, wanted)
    return parquet_table(path, file, list(wanted), config.data.memory_gb)


def open_parquet(path: Path) -> pq.ParquetFile:
    """A Parquet file whose texts stay a dictionary: a long one that repeats is kept once.

    Not those with pages of differences (DELTA_): Arrow reads them without a dictionary only.
    """
    try:
        file = pq.ParquetFile(path)
        leaves = [file.schema.column(at) for at in range(len(file.schema))]
        texts = {at for at, leaf in enumerate(leaves) if leaf.physical_type == "BYTE_ARRAY"}
        for number in range(file.metadata.num_row_groups):
            group = file.metadata.row_group(number)
            texts = {at for at in texts if "DELTA_" not in " ".join(group.column(at).encodings)}
        return pq.ParquetFile(path, read_dictionary=[leaves[at].path for at in sorted(texts)])
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise _not_whole(path, error) from None


def parquet_table(
    path: Path, file: pq.ParquetFile, names: list[str], memory_gb: float | None
) -> pa.Table:
    """Columns `names` of an open Parquet file; InputError where memory cannot hold them."""
    try:
        memory.require_room(path, memory.of_parquet(file, names), memory_gb)
        return file.read(columns=names)
    except MemoryError:
        raise memory.spent(path) from None
    except (pa.ArrowException, OSError) as error:
        raise _not_whole(path, error) from None


def _not_whole(path: Path, error: Exception) -> InputError:
    reason = " ".join(str(error).split())[:200]
    if "Not yet implemented" in reason or isinstance(error, pa.ArrowNotImplementedError):
        return InputError(
            f"{path} holds a column in a form that Arrow does not read ({reason}): write it again "
            f"with another encoding, such as PLAIN"
        )
    return InputError(f"{path} is no whole Parquet file ({reason}): restore it")
