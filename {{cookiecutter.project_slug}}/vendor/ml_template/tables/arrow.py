"""Columns of any writer of Arrow or Parquet as few kinds: numbers, times, texts."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

TEXT = pa.dictionary(pa.int32(), pa.string())
FIRST, LAST = -62_135_596_800, 253_402_300_799  # seconds: the years 1 to 9999
_LONG = (  # texts and bytes of any length
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_string_view,
    pa.types.is_binary,
    pa.types.is_large_binary,
    pa.types.is_binary_view,
)
_REST = (pa.types.is_boolean, pa.types.is_null, pa.types.is_time)


class UnfitError(Exception):
    """Why a stored column is none of the kinds, with its own verb: `holds ...`."""


def is_number(kind: pa.DataType) -> bool:
    """Whether a column is stored as numbers."""
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)


def is_moment(kind: pa.DataType) -> bool:
    """Whether a column is stored as days or moments."""
    return pa.types.is_timestamp(kind) or pa.types.is_date(kind)


def is_written_out(kind: pa.DataType) -> bool:
    """Whether texts or bytes in a column stand one by one, not as codes of a dictionary."""
    if isinstance(kind, pa.BaseExtensionType):
        return is_written_out(kind.storage_type)
    if pa.types.is_dictionary(kind):
        return False
    parts = [kind.field(at).type for at in range(kind.num_fields)]
    return any(map(is_written_out, parts)) or any(check(kind) for check in _LONG)


def plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The values of `column` (n,) without the wrapping of its writer; TEXT where texts repeat.

    Raises UnfitError for what is nested, texts or bytes that are no UTF-8, and lengths of time.
    """
    return pa.chunked_array([_plain(chunk) for chunk in column.chunks or [column.combine_chunks()]])


def _plain(array: pa.Array) -> pa.Array:
    kind = array.type
    if isinstance(kind, pa.BaseExtensionType):
        if kind.extension_name == "arrow.uuid":
            texts = [value if value is None else str(value) for value in array.to_pylist()]
            return pa.array(texts, pa.string())
        return _plain(array.storage)
    if pa.types.is_run_end_encoded(kind):
        return _plain(pc.run_end_decode(array))
    if pa.types.is_dictionary(kind):
        return _looked_up(array.indices.cast(pa.int32()), _plain(array.dictionary))
    if any(check(kind) for check in _LONG) or pa.types.is_fixed_size_binary(kind):
        return _decoded(array)
    if pa.types.is_float16(kind):
        return array.cast(pa.float32())
    if not (is_number(kind) or is_moment(kind) or any(check(kind) for check in _REST)):
        raise UnfitError(f"holds {str(kind).partition('<')[0]}, which is no number, time or text")
    return array


def _decoded(array: pa.Array) -> pa.Array:
    try:
        texts = array.cast(pa.string())
        texts.validate(full=True)  # a writer may not have looked, and a cast does not
    except pa.ArrowInvalid:
        raise UnfitError(f"holds {array.type} that is no UTF-8 text") from None
    return texts


def _looked_up(codes: pa.Array, values: pa.Array) -> pa.Array:
    if not pa.types.is_string(values.type):
        return values.take(codes)
    if values.null_count:
        codes = pc.if_else(values.is_valid().take(codes), codes, None)
    return pa.DictionaryArray.from_arrays(codes, values)


def moments(column: pa.ChunkedArray, clock: str = "utc") -> pa.ChunkedArray:
    """Days or moments as timestamp[us]: UTC where they have a zone, or its time if so `written`.

    Raises UnfitError where one is outside of the years 1 to 9999: no datetime can say it; and for
    a zone that this machine does not know.
    """
    if clock == "written" and pa.types.is_timestamp(column.type) and column.type.tz:
        try:
            column = pc.local_timestamp(column)
        except pa.ArrowInvalid:
            raise UnfitError(f"holds times of the zone {column.type.tz}, not known here") from None
    seconds = column.cast(pa.timestamp("s"), safe=False).cast(pa.int64())
    ends = pc.min_max(seconds).as_py()
    if ends["min"] is not None and not FIRST <= ends["min"] <= ends["max"] <= LAST:
        raise UnfitError("holds times outside of the years 1 to 9999")
    return column.cast(pa.timestamp("us"), safe=False)


def typed(column: pa.ChunkedArray, wanted: str, clock: str = "utc") -> pa.ChunkedArray:
    """`column` as float64 or timestamp[us], where such are stored and `wanted`; else as TEXT.

    A whole number beyond 2**53 becomes the nearest float64, as in a CSV file. Raises UnfitError.
    """
    column = plain(column)
    kind = column.type
    if wanted == "numeric" and (is_number(kind) or pa.types.is_boolean(kind)):
        return column.cast(pa.float64(), safe=False)
    if is_moment(kind):
        times = moments(column, clock)
        if wanted == "datetime":
            return times
    if pa.types.is_dictionary(kind):
        return column
    if pa.types.is_floating(kind):  # not a number is no label
        column = pc.if_else(pc.is_nan(column), None, column)
    return as_written(column).dictionary_encode()


def as_written(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The values of `column` (n,) as string, as a CSV file has them.

    A whole number below 2**53 has all its digits: 123456789012, not 1.23456789012e+11.
    """
    if not pa.types.is_floating(column.type):
        return column.cast(pa.string())
    whole = pc.and_(pc.equal(column, pc.floor(column)), pc.less(pc.abs(column), 2.0**53))
    digits = pc.if_else(whole, column, 0.0).cast(pa.int64()).cast(pa.string())
    return pc.if_else(whole, digits, column.cast(pa.string()))
