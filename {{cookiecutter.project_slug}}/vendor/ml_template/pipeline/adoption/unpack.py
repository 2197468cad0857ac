"""A table that comes packed (gz, bz2, xz, zip) or in a workbook becomes a plain file."""

from __future__ import annotations

import bz2
import csv
import gzip
import itertools
import lzma
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from ...settings.config import InputError
from ...tables import memory
from . import excel

_PART = 16 << 20
_ROWS = 1_000  # between two looks at how much is written
_LOOKED_AT = 50  # rows of a sheet among which its header is
_STREAMS: dict[bytes, Callable[..., Any]] = {
    b"\x1f\x8b": gzip.open,
    **{b"BZh%d1AY" % level: bz2.open for level in range(1, 10)},
    b"\xfd7zXZ\0": lzma.open,
}
_ZIP = b"PK\x03\x04"
_OTHERS = {  # what else is a zip file, by a file in it
    "xl/workbook.bin": "a binary Excel workbook",
    "content.xml": "an OpenDocument file",
    "word/document.xml": "a Word document",
}
_DAMAGED = (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, RuntimeError)


@contextmanager
def unpacked(path: Path, memory_gb: float | None) -> Iterator[tuple[Path, str]]:
    """`path`, or a plain file of what is in it while the block lasts, and what to say of that.

    What it holds decides, not how it is named. Messages of the block name `path`. Raises
    InputError for a damaged file, for several in one, and for more than memory holds.
    """
    head = b""
    if path.is_file():
        with path.open("rb") as file:
            head = file.read(8)
    opened = next((open_ for magic, open_ in _STREAMS.items() if head.startswith(magic)), None)
    if not (opened or head.startswith(_ZIP)):
        yield path, ""
        return
    with tempfile.TemporaryDirectory() as folder:
        try:
            if opened:
                inner = Path(folder) / (path.stem if path.suffix else "table")
                said = f"unpacked from {path.name}"
                with opened(path) as stream:
                    _copy(path, stream, inner, memory_gb)
            else:
                inner, said = _of_zip(path, Path(folder), memory_gb)
        except _DAMAGED as error:
            raise InputError(f"{path} cannot be unpacked ({error}): restore it") from None
        try:
            yield inner, said
        except InputError as error:
            raise InputError(str(error).replace(str(inner), str(path))) from None


def _copy(path: Path, stream: IO[bytes], inner: Path, memory_gb: float | None) -> None:
    """Write what `stream` has to `inner`, as long as memory could hold it as a table."""
    size = 0
    with inner.open("wb") as file:
        while part := stream.read(_PART):
            size += len(part)
            memory.require_room(path, size, memory_gb)
            file.write(part)


def _of_zip(path: Path, folder: Path, memory_gb: float | None) -> tuple[Path, str]:
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/")]
        if excel.WORKBOOK in names:
            return _of_workbook(path, folder / f"{path.stem}.csv", memory_gb)
        if what := next((what for name, what in _OTHERS.items() if name in names), ""):
            raise InputError(f"{path} is {what}: save its table as CSV")
        shown = [n for n in names if Path(n).name[:1] not in ("", ".")]
        names = [name for name in shown if not name.startswith("__MACOSX/")]
        if len(names) != 1:
            held = ", ".join(map(repr, names[:10])) or "none"
            raise InputError(
                f"{path} is a zip file of {len(names)} files ({held}): unpack it and name one"
            )
        if archive.getinfo(names[0]).flag_bits & 1:
            raise InputError(f"{path} is locked by a password: unpack it")
        excel.require_plain(path, archive)
        inner = folder / Path(names[0]).name
        with archive.open(names[0]) as stream:
            _copy(path, stream, inner, memory_gb)
        return inner, f"unpacked from {path.name}"


def _of_workbook(path: Path, inner: Path, memory_gb: float | None) -> tuple[Path, str]:
    name, sheets, rows = excel.sheet(path, memory_gb)
    first = list(itertools.islice(rows, _LOOKED_AT))
    if not first:
        raise InputError(f"{path}: its sheet {name!r} is empty: put the table in the first sheet")
    filled = [sum(map(bool, row)) for row in first]
    start = next(at for at, count in enumerate(filled) if 2 * count > max(filled))
    width = max(at + 1 for at, value in enumerate(first[start]) if value)
    with inner.open("w", newline="", encoding="utf-8") as file:
        writer, size = csv.writer(file), 0
        for number, row in enumerate(itertools.chain(first[start:], rows), start + 1):
            if any(row[width:]):
                raise InputError(
                    f"{path}: row {number:,} of sheet {name!r} (empty ones do not count) has a "
                    f"value right of the last column name, {first[start][width - 1]!r}: name its "
                    f"column, or remove it"
                )
            writer.writerow((row + [""] * width)[:width])
            size += width + sum(map(len, row))
            if number % _ROWS == 0:
                memory.require_room(path, size, memory_gb)
    said = f"sheet {name!r}" + (f", the first of {sheets}" if sheets > 1 else "")
    above = f"; {start} of its rows, above the header, left out" if start else ""
    return inner, said + above
