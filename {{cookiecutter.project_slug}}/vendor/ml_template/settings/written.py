"""How the numbers of a column are written, where more than digits stands in its cells."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from .strict import ABSENT, Names, Strict

Thousands = Annotated[Literal[".", ",", " ", "'", "none"] | None, ABSENT]
_UNIT = re.compile(r"[^\d\s.,()'’+−-](?:[^()\n]*[^\s()+−-])?")


def _units(units: tuple[str, ...]) -> tuple[str, ...]:
    for bad in [unit for unit in units if not _UNIT.fullmatch(unit)]:
        raise ValueError(f"{bad!r} is no unit: name what stands before or behind the numbers")
    return units


def _powers(multiples: dict[str, int]) -> dict[str, int]:
    for letters, value in multiples.items():
        if not _UNIT.fullmatch(letters) or not re.fullmatch("10+", str(value)):
            raise ValueError(f"{letters}: {value} must be a power of ten, such as k: 1000")
    return multiples


class Written(Strict):
    """What stands around the digits of every number of a column; anything else is no number."""

    units: Annotated[Names, AfterValidator(_units)] = ()  # spellings of one unit, in every number
    multiples: Annotated[dict[str, int], AfterValidator(_powers)] = Field(default_factory=dict)
    negatives: Annotated[tuple[Literal["(5)", "5-", "−5"], ...], Field(strict=False)] = ()


How = Annotated[Written | None, ABSENT]
