"""Files that others write, line by line: JSON lines and CSV.

A line that cannot be read is counted, named and left out, whatever it holds; the lines after it are
read. Every reader of a log, of labels or of outcomes reads through here.
"""

from __future__ import annotations

import csv
import itertools
import json
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ..settings.config import InputError
from ..tables.reading import marked, nameless

MAX_LINE = 1 << 24  # letters
MOST_OUT = 0.01  # share of the lines
MOST_LINES = 1000  # of one record of a CSV file
Numbered = tuple[int, str]


@dataclass
class Left:
    """How many lines there were, how many were left out, where the first was and what it lacked."""

    lines: int = 0
    out: int = 0
    first: str = ""

    def note(self, where: str, why: str) -> None:
        """Count one that is left out; `why` repeats nothing of it."""
        self.out += 1
        self.first = self.first or f"{where}: {why}"

    @property
    def many(self) -> bool:
        """Whether so many were left out that what is left may not stand for all."""
        return self.out > MOST_OUT * self.lines

    def __str__(self) -> str:
        """What to say behind a result; nothing where all lines were read."""
        if not self.out:
            return ""
        return f"; {self.out:,} of {self.lines:,} lines were left out, the first is {self.first}"


def objects(path: Path, left: Left) -> Iterator[tuple[str, dict[str, Any]]]:
    """Where it is, and the object, of each JSON line; InputError where `path` cannot be read.

    A file that is gone has no lines: a service makes room in its log while it is read.
    """
    if not path.is_file():
        return
    with _opened(path, "\n") as file:
        for number, text in _lines(file):
            where = f"{path}: line {number}"
            left.lines += 1
            try:
                found = json.loads(text)
            except (ValueError, RecursionError):
                found = None
            if isinstance(found, dict) and is_text(text):
                yield where, found
            else:
                left.note(where, "it is no JSON object")


def records(
    path: Path, needed: Sequence[str], left: Left, remedy: str = "add it"
) -> Iterator[tuple[str, dict[str, str]]]:
    """Where it is, and its values by column, of each line of a CSV file with a header.

    Fields end with a comma, or with what a first line such as `sep=;` names. A line may end early:
    what it lacks is empty. Raises InputError where the file cannot be read, its header is no UTF-8
    text, or it lacks a column of `needed`.
    """
    csv.field_size_limit(MAX_LINE)
    with _opened(path, "") as file:
        mark = marked(file)
        comma, coming = mark or ",", _lines(file, 2 if mark else 1)
        _, first = next(coming, (0, ""))
        head = _parsed(first.removeprefix("\ufeff"), comma)
        if head is None or not all(map(is_text, head)):
            raise InputError(f"{path} is not UTF-8 text: save it as UTF-8")
        if first and not any(map(str.strip, head)):
            raise nameless(path, file.read(MAX_LINE))
        absent = [name for name in needed if name not in head]
        if absent:
            other = [sign for sign in ";\t|" if sign in "".join(head) and not mark]
            hint = f"its fields end with {other[0]!r}: save it with commas" if other else remedy
            raise InputError(f"{path} has no column {absent[0]!r}: {hint}")
        ahead = deque[Numbered]()
        while line := ahead.popleft() if ahead else next(coming, None):
            number, text = line
            values = _parsed(text, comma)
            if values is None:
                values = _joined(text, ahead, coming, comma, len(head))
            if values == []:
                continue  # an empty line
            left.lines += 1
            where = f"{path}: line {number}"
            if values is None or any(values[len(head) :]) or not is_text("".join(values)):
                left.note(where, "it is no line of UTF-8 text with the fields of the header")
                continue
            values += [""] * (len(head) - len(values))
            yield where, dict(zip(head, values, strict=False))


def is_text(text: str) -> bool:
    """Whether it can be written as UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _opened(path: Path, newline: str) -> IO[str]:
    try:
        return path.open(encoding="utf-8", errors="surrogateescape", newline=newline)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}: name another file") from None


def _lines(file: IO[str], first: int = 1) -> Iterator[Numbered]:
    """Lines with their numbers; one longer than MAX_LINE becomes one that is no text."""
    for number in itertools.count(first):
        text = file.readline(MAX_LINE)
        if not text:
            return
        if len(text) == MAX_LINE:
            while text and not text.endswith(("\n", "\r")):
                text = file.readline(MAX_LINE)
            text = "\udcff"
        yield number, text


def _parsed(text: str, comma: str) -> list[str] | None:
    """The fields of one record; None where it is none, or goes on in the next line."""
    try:
        return next(csv.reader([text], delimiter=comma, strict=True), [])
    except csv.Error:
        return None


def _joined(
    text: str, ahead: deque[Numbered], coming: Iterator[Numbered], comma: str, fields: int
) -> list[str] | None:
    """A record whose quoted text goes on in the lines that follow: taken only if it is whole."""
    quotes, parts = text.count('"'), [text]
    while quotes % 2 and len(parts) < MOST_LINES:
        if len(ahead) < len(parts):
            line = next(coming, None)
            if line is None:
                return None
            ahead.append(line)
        parts.append(ahead[len(parts) - 1][1])
        quotes += parts[-1].count('"')
    values = _parsed("".join(parts), comma)
    if values is None or len(values) != fields:
        return None
    for _ in parts[1:]:
        ahead.popleft()
    return values
