"""A CSV file of unknown make: its encoding, its delimiter, its decimal sign."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from ...settings.config import InputError
from ...tables import memory, reading
from ...tables.arrow import TEXT
from ...tables.numerals import OTHER, Thousands, is_grouped, number
from .dressing import find
from .texts import numbers

DELIMITERS = (",", ";", "\t", "|")
_MOST_ABOVE = 20  # lines that may stand above a header
_SNIFFED = 1 << 18  # letters of the head that decide about delimiter


def read(
    path: Path, encoding: str, memory_gb: float | None
) -> tuple[list[str], list[pa.ChunkedArray], dict[str, str]]:
    """Names and columns (TEXT) of the CSV file `path`, and how it is read.

    Raises InputError naming the file and the remedy for whatever is not a readable table.
    """
    head, is_open = _decoded(path, encoding)
    start = io.StringIO(head, newline="")
    mark = reading.marked(start)
    head = start.read()
    first, _, rest = head.replace("\r", "\n").partition("\n")
    if not first.strip(" " + "".join(DELIMITERS)):
        raise reading.nameless(path, rest)
    delimiter = _delimiter(path, head, mark or DELIMITERS)
    memory.require_room(path, memory.of_csv(path, delimiter), memory_gb)
    names = next(csv.reader(io.StringIO(head, newline=""), delimiter=delimiter))
    columns = _columns(path, len(names), delimiter, encoding, bool(mark))
    last = [column[-1].as_py() or "" for column in columns if len(column)]
    if is_open and any("\n" in value for value in last):
        raise InputError(f"{path} is cut off inside a quoted value: restore it, or export it again")
    how = {"delimiter": delimiter, "encoding": encoding, "decimal": _decimal(columns, delimiter)}
    return names, columns, how


def _decoded(path: Path, encoding: str) -> tuple[str, bool]:
    """The first lines as text, and whether the file may end inside quotes.

    The whole file is decoded once, so that a bad byte is seen.
    """
    parts, size, line, quotes, tail = [], 0, 1, 0, ""
    mark = "utf-8-sig" if encoding == "utf-8" else encoding
    try:
        with path.open(encoding=mark, newline="") as file:
            while chunk := file.read(1 << 20):
                if size < _SNIFFED:
                    parts.append(chunk[:_SNIFFED])
                size, line = size + len(chunk), line + chunk.count("\n")
                quotes, tail = quotes + chunk.count('"'), (tail + chunk)[-2:]
    except UnicodeError as error:
        why = str(error)  # UTF-16 without its mark
        if isinstance(error, UnicodeDecodeError):
            why = f"byte 0x{error.object[error.start]:02x} after line {line:,}"
        raise InputError(
            f"{path} is not {encoding} text ({why}): add ENCODING=cp1252 or ENCODING=latin-1, or "
            f"save the file as UTF-8"
        ) from None
    except LookupError:
        raise InputError(
            f"ENCODING={encoding}: there is no such encoding: try utf-8, latin-1, cp1252 or utf-16"
        ) from None
    head = "".join(parts)
    if "\0" in head:
        raise InputError(
            f"{path} is no text file (it holds zero bytes): give a CSV or Parquet file; UTF-16 "
            f"without its mark needs ENCODING=utf-16-le"
        )
    if not head.strip():
        raise InputError(f"{path} is empty: give it a header and rows")
    return head, bool(quotes % 2) and tail != '"\n'


def _delimiter(path: Path, head: str, delimiters: Sequence[str]) -> str:
    best = max(delimiters, key=lambda delimiter: _evenness(head, delimiter))
    if not _evenness(head, best)[0]:
        if above := _above(head, delimiters):
            raise InputError(
                f"{path}: its header seems to be line {above + 1}, "
                f"{head.splitlines()[above][:60]!r}: remove the lines above it"
            )
        raise InputError(
            f"{path}: its first line, {head.splitlines()[0][:60]!r}, is one column: it must name "
            f"the columns, with comma, semicolon, tab or | between them"
        )
    return best


def _above(head: str, delimiters: Sequence[str]) -> int:
    """How many lines, titles or comments, stand before lines of columns; 0 where none do."""
    lines = head.splitlines()
    for at in range(1, min(len(lines) - 2, _MOST_ABOVE)):
        rest = "\n".join(lines[at:])
        if lines[at].strip() and any(
            _evenness(rest, sign)[:2] == (True, 1.0) for sign in delimiters
        ):
            return at
    return 0


def _evenness(head: str, delimiter: str) -> tuple[bool, float, int]:
    """Whether the header has columns, the share of lines with as many, and how many."""
    whole = head if len(head) < _SNIFFED else head.rpartition("\n")[0] or head
    widths: list[int] = []
    try:
        for row in csv.reader(io.StringIO(whole, newline=""), delimiter=delimiter):
            widths += [len(row)] if row else []
    except csv.Error:
        pass  # a field larger than csv takes: another delimiter is right
    if not widths:
        return False, 0.0, 0
    return widths[0] > 1, round(widths.count(widths[0]) / len(widths), 1), widths[0]


def _columns(
    path: Path, width: int, delimiter: str, encoding: str, marked: bool
) -> list[pa.ChunkedArray]:
    places = [str(at) for at in range(width)]
    how = {"column_names": places, "skip_rows": marked, "encoding": encoding}
    options = pacsv.ReadOptions(**how, skip_rows_after_names=1, block_size=8 << 20)
    parse = pacsv.ParseOptions(delimiter=delimiter, newlines_in_values=True)
    convert = pacsv.ConvertOptions(column_types=dict.fromkeys(places, TEXT))
    fault = ""
    for threads in (True, False):  # without threads the message names the row
        options.use_threads = threads
        try:
            columns: list[pa.ChunkedArray] = pacsv.read_csv(path, options, parse, convert).columns
        except pa.ArrowInvalid as error:
            fault = " ".join(str(error).split())[:200]
        else:
            return columns
    raise InputError(f"{path} is damaged ({fault}): correct that row, or export it again")


def _decimal(columns: list[pa.ChunkedArray], delimiter: str) -> str:
    """The sign most columns of fractions use; 1,234 alone is no proof of a decimal comma.

    Where no fraction tells, it is not the sign that separates thousands.
    """
    votes: Counter[str] = Counter()
    thousands: Counter[str] = Counter()
    for column in columns:
        some = [value.strip() for value in column.chunk(0).dictionary[:200].to_pylist()]
        values = find([value for value in some if value]).digits
        separating = [sign for sign in OTHER if _separates(values, sign)]
        thousands.update(separating)
        for sign in OTHER if values and not separating else ():
            fits = ~np.isnan(numbers(values, sign))
            signed = [value for value, ok in zip(values, fits, strict=True) if ok and sign in value]
            unsure = sign == delimiter == "," and all(is_grouped(v, sign) for v in signed)
            votes[sign] += bool(signed) and not unsure and bool(fits.mean() >= 0.9)
    comma, dot = (votes[","], thousands["."]), (votes["."], thousands[","])
    return "," if comma > dot else "."


def _separates(values: list[str], sign: str) -> bool:
    """Whether `sign` separates thousands in the numbers among `values`, nearly all of them."""
    some = [value for value in values if number(value, OTHER[sign], sign) is not None]
    return (
        len(some) >= 0.9 * len(values) and Thousands.of(sign, pa.array(some, pa.string())).separates
    )
