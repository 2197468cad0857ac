"""What an experiment reads: the exposure log, and outcomes that came later."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from ..settings.categories import category
from ..settings.config import InputError
from ..storage.files import new_file
from ..tables import numerals
from .lines import Left, records

COLUMNS = ["unit", "arm", "time"]  # of the exposure log


class Seen(NamedTuple):
    """What the exposure log says of a unit: its first exposure, and whether it saw both arms."""

    time: datetime
    arm: str
    both: bool


def exposures(log: Path, left: Left) -> dict[str, Seen]:
    """What each unit saw, by the exposure log (unit, arm, time; a line for each exposure)."""
    if not log.is_file():
        raise InputError(f"LOG={log}: there is no exposure log: make abtest UNITS=units.csv")
    seen: dict[str, Seen] = {}
    for where, unit, line in lines(log, COLUMNS, left):
        time = _moment(line["time"])
        if line["arm"] not in ("a", "b"):
            left.note(where, "arm must be a or b")
        elif time is None:
            left.note(where, "time must be like 2026-01-31T12:00:00+00:00")
        else:
            now = Seen(time, line["arm"], False)
            before = seen.setdefault(unit, now)
            first = min(before, now, key=lambda each: each.time)
            seen[unit] = first._replace(both=before.both or before.arm != now.arm)
    return seen


def add(log: Path, units: Iterable[tuple[str, str]]) -> None:
    """Add units and their arms to the log: they are exposed now."""
    time = datetime.now(UTC).isoformat(timespec="seconds")
    kept = [line for _, _, line in lines(log, COLUMNS, Left())] if log.exists() else []
    with new_file(log) as new, new.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows([line[name] for name in COLUMNS] for line in kept)
        writer.writerows([*unit, time] for unit in units)


def outcomes(source: Path, names: Sequence[str], left: Left) -> dict[str, list[float]]:
    """The columns `names` of each unit.

    Raises InputError for a unit that is there twice, and where a sign may separate thousands: large
    values alone would be left out, or read as small ones.
    """
    known: dict[str, list[float]] = {}
    doubts = {name: numerals.Thousands(".") for name in names}
    for where, unit, line in lines(source, ["unit", *names], left):
        if unit in known:
            raise InputError(f"{where}: unit {unit!r} has a line already: sum up to one a unit")
        try:
            known[unit] = [number(name, line[name]) for name in names]
        except InputError as error:
            texts = [line[name].strip() for name in names]
            wrong = [text for text in texts if numerals.number(text, ".") is None]
            if any(numerals.SIGNS.fullmatch(text) for text in wrong):
                raise InputError(f"{where}: {error}") from None
            left.note(where, str(error))
        else:
            for name, doubt in doubts.items():
                doubt.add(line[name].strip())
    for name, doubt in doubts.items():
        if doubt.separates:
            remedy = "write thousands as 1200, decimals as 1.2000"
            raise InputError(numerals.doubtful(source, name, doubt, remedy))
    return known


def lines(
    source: Path, needed: Sequence[str], left: Left
) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Where it is, its unit and all of it, of each line; InputError where a column is missing."""
    if not source.is_file():
        raise InputError(f"{source}: there is no such file")
    for where, line in records(source, needed, left):
        if unit := category(line["unit"].strip()):
            yield where, unit, line
        else:
            left.note(where, "unit is empty")


def number(where: str, text: str) -> float:
    """A finite number, written like 1234.5; raises InputError that begins with `where`."""
    found = numerals.number(text.strip(), ".")
    if found is None or not math.isfinite(found):
        raise InputError(f"{where}: {text!r} is not a number: correct it or leave it out")
    return found


def _moment(text: str) -> datetime | None:
    """A time without an offset is UTC; None where it is no time."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
