"""The first sheet of an Excel workbook (.xlsx) as rows of texts, with the standard library alone.

Parts and attributes are those of ECMA-376, part 1, 18.3 (sheets), 18.4 (shared strings) and 18.8
(styles). A part with a DOCTYPE is refused: no writer makes one, and entities can grow without end.
"""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from ...settings.config import InputError
from ...tables import memory

WORKBOOK = "xl/workbook.xml"
_RELATIONS = "xl/_rels/workbook.xml.rels"
_LINK = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_DAYS = {*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)}  # formats without a code
_QUIET = re.compile(r'"[^"]*"|\[[^]]*\]|\\.|_.')  # of a format: what stands for itself
_LETTERS = re.compile(r"[A-Z]{1,3}")
_LAST_DAY = 2_958_465  # 9999-12-31


def sheet(path: Path, memory_gb: float | None) -> tuple[str, int, Iterator[list[str]]]:
    """The name of the first sheet that is shown, how many there are, and its filled rows.

    A day is written 2026-01-31. Raises InputError naming the file for what is no whole workbook.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
            require_plain(path, archive)
            head = names & {WORKBOOK, _RELATIONS}
            memory.require_room(path, sum(archive.getinfo(n).file_size for n in head), memory_gb)
            book = _root(path, archive, WORKBOOK)
            shown = [s for s in _all(book, "sheet") if s.get("state", "visible") == "visible"]
            links = _root(path, archive, _RELATIONS)
            targets = {link.get("Id"): link.get("Target", "") for link in links}
            part = targets[shown[0].get(_LINK)].removeprefix("/xl/")
            parts = {"xl/sharedStrings.xml", "xl/styles.xml", f"xl/{part}"} & names
            size = sum(archive.getinfo(name).file_size for name in parts)
            memory.require_room(path, size, memory_gb)
            texts = _shared(path, archive) if "xl/sharedStrings.xml" in names else []
            days = _days(path, archive) if "xl/styles.xml" in names else set()
            content = _part(path, archive, f"xl/{part}")
    except (zipfile.BadZipFile, ET.ParseError, KeyError, IndexError, ValueError, OSError) as error:
        raise _not_whole(path, error) from None
    late = any(pr.get("date1904") in ("1", "true") for pr in _all(book, "workbookPr"))
    start = datetime(1904, 1, 1) if late else datetime(1899, 12, 30)
    return shown[0].get("name", ""), len(shown), _rows(path, content, texts, days, start)


def require_plain(path: Path, archive: zipfile.ZipFile) -> None:
    """Refuse packings of which zipfile cannot say how much a part of them unpacks to."""
    plain = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
    if any(entry.compress_type not in plain for entry in archive.infolist()):
        raise InputError(f"{path} is packed in a way that is not usual in zip files: unpack it")


def _not_whole(path: Path, error: Exception) -> InputError:
    reason = " ".join(str(error).split())[:200]
    return InputError(f"{path} is no whole Excel workbook ({reason}): save its sheet as CSV")


def _part(path: Path, archive: zipfile.ZipFile, name: str) -> bytes:
    size = archive.getinfo(name).file_size
    with archive.open(name) as file:
        content = file.read(size + 1)
    if len(content) > size:
        raise zipfile.BadZipFile(f"{name} is longer than it says")
    if b"<!DOCTYPE" in content or b"\0" in content:
        raise InputError(f"{path}: its {name} is not what Excel writes: save the sheet as CSV")
    return content


def _root(path: Path, archive: zipfile.ZipFile, name: str) -> ET.Element:
    return ET.fromstring(_part(path, archive, name))  # noqa: S314 - without a DOCTYPE


def _all(root: ET.Element, name: str) -> list[ET.Element]:
    return [element for element in root.iter() if _tag(element) == name]


def _tag(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def _text(element: ET.Element) -> str:
    """The text of a cell or a shared string, without the reading aids of Japanese (rPh)."""
    if _tag(element) == "t":
        return element.text or ""
    return "".join(_text(child) for child in element if _tag(child) in ("si", "is", "r", "t"))


def _shared(path: Path, archive: zipfile.ZipFile) -> list[str]:
    texts = []
    content = io.BytesIO(_part(path, archive, "xl/sharedStrings.xml"))
    for _, entry in ET.iterparse(content):  # noqa: S314 - without a DOCTYPE
        if _tag(entry) == "si":
            texts.append(_text(entry))
            entry.clear()
    return texts


def _days(path: Path, archive: zipfile.ZipFile) -> set[str]:
    """The styles that show a number as a day or a time."""
    root = _root(path, archive, "xl/styles.xml")
    codes = {f.get("numFmtId"): f.get("formatCode", "") for f in _all(root, "numFmt")}
    timed = {
        key for key, code in codes.items() if re.search("[ymdhs]", _QUIET.sub("", code.lower()))
    }
    timed |= {str(number) for number in _DAYS} - codes.keys()
    styles = next(iter(_all(root, "cellXfs")), ())
    return {str(at) for at, style in enumerate(styles) if style.get("numFmtId") in timed}


def _rows(
    path: Path, content: bytes, texts: list[str], days: set[str], start: datetime
) -> Iterator[list[str]]:
    try:
        above: list[ET.Element] = []
        for event, element in ET.iterparse(io.BytesIO(content), ("start", "end")):  # noqa: S314
            if event == "start":
                above.append(element)
                continue
            above.pop()
            if any(_tag(each) == "row" for each in above):
                continue
            if above:
                above[-1].remove(element)  # nothing that is done with is kept
            if _tag(element) != "row":
                continue
            row: list[str] = []
            for cell in element:
                at = _place(cell.get("r", ""), len(row))
                if at < len(row):
                    raise ValueError(f"cell {cell.get('r')} stands out of order")
                row += [""] * (at - len(row))
                row.append(_value(cell, texts, days, start))
            if any(row):
                yield row
    except (ET.ParseError, IndexError, ValueError, OverflowError) as error:
        raise _not_whole(path, error) from None


def _place(reference: str, following: int) -> int:
    """The column of a cell such as AB12, from 0 on; where it names none, it follows the last."""
    letters = _LETTERS.match(reference)
    if not letters:
        return following
    place = 0
    for letter in letters[0]:
        place = 26 * place + ord(letter) - ord("A") + 1
    return place - 1


def _value(cell: ET.Element, texts: list[str], days: set[str], start: datetime) -> str:
    kind = cell.get("t", "n")
    if kind == "inlineStr":
        return "".join(_text(child) for child in cell)
    value = next((child.text or "" for child in cell if _tag(child) == "v"), "")
    if kind == "s" and value:
        return texts[int(value)]
    if kind == "b":
        return "TRUE" if value == "1" else "FALSE"
    if kind == "n" and value and cell.get("s") in days:
        return _moment(float(value), start)
    return value


def _moment(days: float, start: datetime) -> str:
    if not 0 <= days <= _LAST_DAY:
        return str(days)
    moment = start + timedelta(seconds=round(days * 86_400))
    if days < 1:
        return moment.strftime("%H:%M:%S")
    return moment.date().isoformat() if days == int(days) else moment.isoformat(" ")
