"""Tables: a data file becomes typed columns, and a fault in it becomes a message with rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..project import function
from ..settings.categories import spelled, spellings
from ..settings.config import CONFIG_FILE, Column, Config, Data, InputError
from . import numerals, written
from .arrays import BOOLEANS
from .arrays import FALSE as FALSE
from .arrays import ROW as ROW
from .arrays import TRUE as TRUE
from .arrays import Columns as Columns
from .arrays import parse_datetime as parse_datetime
from .arrays import rows as rows
from .arrays import take as take
from .arrow import UnfitError, typed
from .reading import require

_MAX_SHOWN = 5
MOST_LETTERS = 40  # of a value in a message


def read_raw(config: Config) -> pa.Table:
    """The data file as typed columns, the target and `__row__`.

    numeric and boolean: float64 with nulls; datetime: timestamp[us]; categorical, text and class
    labels: dictionary of strings, a category spelled as model_config.yaml lists it (1 for 1.0).
    Raises InputError naming file, column, rows and remedy.
    """
    path = config.data_file()
    wanted = dict(config.columns)
    wanted[config.data.target] = _target_column(config)
    table = function("load")(config, wanted)
    require(path, table.column_names, wanted)
    if table.num_rows == 0:
        raise InputError(f"{path} has no rows: give it data")
    fields = {name: _convert(path, name, table[name], wanted[name], config) for name in wanted}
    fields[ROW] = pa.array(np.arange(1, table.num_rows + 1))
    return pa.table(fields)


def _target_column(config: Config) -> Column:
    if config.data.task == "regression":
        return Column(
            type="numeric",
            missing=True,
            thousands=config.data.thousands,
            written=config.data.written,
        )
    return Column(type="categorical", missing=True, values=config.data.classes)


def refuse_rows(path: Path, name: str, wrong: np.ndarray, what: str, how: str = "") -> None:
    """Raise InputError that counts the rows marked in `wrong` (n,) and names the first."""
    first = (np.flatnonzero(wrong)[:_MAX_SHOWN] + 1).tolist()
    count = int(wrong.sum())
    more = ", ..." if count > len(first) else ""
    raise InputError(
        f"{path}: column {name!r} {what} in {count:,} of {len(wrong):,} rows (rows "
        f"{', '.join(map(str, first))}{more}){how}: correct the data, or the column in "
        f"{CONFIG_FILE}"
    )


def _convert(
    path: Path, name: str, chunks: pa.ChunkedArray, column: Column, config: Config
) -> pa.Array:
    try:
        chunks = typed(chunks, column.type, column.clock)
    except (UnfitError, pa.ArrowException) as error:
        reason = str(error) if isinstance(error, UnfitError) else f"cannot be read ({error})"
        raise InputError(
            f"{path}: column {name!r} {reason}: correct the data, or the column in {CONFIG_FILE}"
        ) from None
    array = chunks.combine_chunks()
    if not pa.types.is_dictionary(array.type):
        return array
    return _convert_text(path, name, array, column, config)


def _convert_text(
    path: Path, name: str, array: pa.DictionaryArray, column: Column, config: Config
) -> pa.Array:
    """Convert through the dictionary: each different text is looked at once."""
    codes = array.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    if column.type == "numeric":
        return _numbers(path, name, array.dictionary, codes, column, config.data)
    texts = [str(text).strip() for text in array.dictionary.to_pylist()]
    absent = np.array([text in config.data.missing for text in texts] + [True])
    if column.is_text:
        if column.type == "categorical":
            known = spellings(column.values or ())
            texts = [spelled(text, known) for text in texts]
        different = pa.array(texts, pa.string()).dictionary_encode()
        index = different.indices.take(pa.array(codes, mask=absent[codes]))
        return pa.DictionaryArray.from_arrays(index, different.dictionary)
    values = [*(_value(text, column) for text in texts), None]
    wrong = np.array([value is None for value in values]) & ~absent
    if wrong[codes].any():
        refuse_rows(path, name, wrong[codes], f"is no {column.type}")
    kind = pa.timestamp("us") if column.type == "datetime" else pa.float64()
    return pa.array(values, kind).take(pa.array(np.where(absent[codes], len(texts), codes)))


def _value(text: str, column: Column) -> object:
    """What `text` stands for in a column of truth or times; None where that is nothing."""
    if column.type == "boolean":
        return BOOLEANS.get(text.lower())
    return parse_datetime(text, column.format, column.clock)


def _numbers(
    path: Path, name: str, different: pa.Array, codes: np.ndarray, column: Column, data: Data
) -> pa.Array:
    """The numbers that `different` texts stand for, in the rows with these `codes` (n,)."""
    texts = pc.utf8_trim_whitespace(different)
    absent = pc.is_in(texts, pa.array(data.missing, pa.string()))
    values = written.values(texts, data.decimal, column.thousands, column.written)
    odd = pc.and_(values.is_null(), pc.invert(absent)).to_numpy(zero_copy_only=False)
    wrong = np.append(odd, False)[codes]
    if wrong.any():
        first = texts[int(codes[np.argmax(wrong)])].as_py()
        shown = first if len(first) <= MOST_LETTERS else f"{first[:MOST_LETTERS]}..."
        how = f", such as {shown!r}{_signs(column, data.decimal)}"
        refuse_rows(path, name, wrong, "is not a number", how)
    present = texts.filter(pc.invert(absent))
    if written.is_plain(column.thousands, column.written) and column.thousands != "none":
        sign = numerals.decimal_sign(data.decimal, column.thousands)
        doubt = numerals.Thousands.of(sign, present)
        if doubt.separates:
            raise InputError(numerals.doubtful(path, name, doubt))
    missing = np.append(absent.to_numpy(zero_copy_only=False), True)[codes]
    return pc.if_else(absent, None, values).take(pa.array(codes, mask=missing))


def _signs(column: Column, decimal: str) -> str:
    """How a number is written, where that is set."""
    if told := written.described(column.thousands, column.written):
        return f", written {told}"
    return ", written with the decimal sign ','" if decimal == "," else ""


def columns_of(table: pa.Table) -> Columns:
    """Numpy columns: float64, datetime64[us], or object (str or None); texts are shared objects."""
    return {name: _values(table[name]) for name in table.column_names}


def _values(chunks: pa.ChunkedArray) -> np.ndarray:
    kind = chunks.type
    if pa.types.is_dictionary(kind):
        chunks = chunks.unify_dictionaries()
        parts = []
        for chunk in chunks.chunks:
            texts = np.array([*chunk.dictionary.to_pylist(), None], dtype=object)
            parts.append(texts[chunk.indices.fill_null(-1).to_numpy(zero_copy_only=False)])
        return np.concatenate(parts) if parts else np.empty(0, dtype=object)
    return chunks.to_numpy()


def write_parquet(path: Path, table: pa.Table) -> None:
    """Write `table` as Parquet."""
    pq.write_table(table, path, compression="zstd", write_statistics=False)


def read_parquet(path: Path, names: list[str] | None = None) -> Columns:
    """Columns (all, or `names`) of a file of `write_parquet`; InputError where it is not whole."""
    try:
        return columns_of(pq.ParquetFile(path).read(columns=names))
    except FileNotFoundError:
        raise InputError(f"{path} is missing: run `make run`") from None
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(f"{path} is damaged ({error}): remove it and run `make run`") from None
