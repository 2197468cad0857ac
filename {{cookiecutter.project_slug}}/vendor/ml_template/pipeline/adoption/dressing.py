"""What stands around the numbers of a column nobody has described: units, k and M, brackets."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ...settings.written import Written
from ...tables import numerals, written
from ..data import wording

MOST_UNITS = 3  # of one column, to be told so; more are no units
MOST = 0.9  # of its different texts must be numbers
_SOME = 200
_BEFORE = re.compile(r"[+−-]?(\(?)([^()+−-]*)(\(?)[+−-]?")
_BEHIND = re.compile(r"(\)?)([^()]*?)([)-]?)")

_NUMBER = "|".join(
    f"^{kind}$"
    for point in numerals.OTHER
    for kind in (
        numerals.plain(point),
        *(numerals.grouped(sign, point) for sign in numerals.BETWEEN if sign != point),
    )
)


class Dress(NamedTuple):
    """How the numbers of a column are written, beside `,` and `.`; `fault` why they are none.

    `digits` are those of the texts that are numbers, as they stand but for `thousands`.
    """

    digits: list[str]
    written: Written | None = None
    thousands: str | None = None
    fault: str = ""


class _Look(NamedTuple):
    """One way in which a column writes its numbers, and one that is written so."""

    text: str
    unit: str
    multiple: str
    negative: str


def find(texts: list[str]) -> Dress:
    """The dress of `texts`: none where it is not that of nearly all, or these are plain."""
    if not texts or _looked_at(texts[:_SOME])[1].mean() < MOST / 2:
        return Dress(texts)
    digits, known, looks = _looked_at(texts)
    inner = digits.filter(pa.array(known))
    signs = [sign for sign in " '" if pc.any(pc.match_substring(inner, sign)).as_py()]
    if known.mean() < MOST or len(signs) > 1 or not _are_amounts(inner, *signs):
        return Dress(texts)
    made, fault = _made(looks)
    if fault or not (made or signs):
        return Dress(texts, fault=fault)
    for sign in signs:
        inner = pc.replace_substring(inner, sign, "")
    return Dress(inner.to_pylist(), made, signs[0] if signs else None)


def _are_amounts(digits: pa.Array, sign: str = "") -> bool:
    """Whether no leading zeros make codes of them, and `sign` stands between thousands only."""
    if pc.any(pc.match_substring_regex(digits, "^0[0-9]")).as_py():
        return False
    signed = digits.filter(pc.match_substring(digits, sign)) if sign else digits[:0]
    kinds = "|".join(numerals.grouped(sign, point) for point in numerals.OTHER) if sign else ""
    return bool(pc.all(pc.match_substring_regex(signed, f"^(?:{kinds})$")).as_py() in (True, None))


def _looked_at(texts: list[str]) -> tuple[pa.Array, np.ndarray, list[_Look]]:
    """The digits (n,) of `texts`, which of them may be numbers, and the ways they are written."""
    left, digits, right = written.parts(pa.array(texts, pa.string()))
    shapes = pc.binary_join_element_wise(left, right, "\n").dictionary_encode()
    codes = shapes.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    numbers = pc.match_substring_regex(digits, _NUMBER).fill_null(False)
    numbers = pc.and_(numbers, pc.match_substring_regex(digits, "[0-9]$").fill_null(False))
    codes = np.where(numbers, codes, -1)
    shown = dict(zip(*np.unique(codes, return_index=True), strict=True))
    looks: list[_Look | None] = [
        _look(texts[shown[code]], *shape.split("\n", 1)) if code in shown else None
        for code, shape in enumerate(shapes.dictionary.to_pylist())
    ]
    known = np.array([*(look is not None for look in looks), False])[codes]
    return digits, known, [look for look in looks if look]


def _look(text: str, left: str, right: str) -> _Look | None:
    """What both sides of the digits of `text` say; None where that is nothing of numbers."""
    before, behind = _BEFORE.fullmatch(left), _BEHIND.fullmatch(right)
    if not (before and behind):
        return None
    opened, closed = before[1] or before[3], behind[1] or (behind[3] if behind[3] == ")" else "")
    unit, tail = before[2], behind[2]
    if bool(opened) != bool(closed) or (unit and not wording.CURRENCY.fullmatch(unit)):
        return None
    multiple = next((m for m in wording.MULTIPLES if _is_multiple(m, tail, unit)), "")
    unit, tail = (
        unit or tail.removeprefix(multiple),
        "" if not unit else tail.removeprefix(multiple),
    )
    if tail or (unit and not (wording.CURRENCY.fullmatch(unit) or wording.UNIT.fullmatch(unit))):
        return None
    negative = "(5)" if opened else "5-" if behind[3] == "-" else ""
    return _Look(text, unit, multiple, negative or ("−5" if written.MINUS in left else ""))


def _is_multiple(letters: str, tail: str, unit: str) -> bool:
    """Whether `letters` begin `tail`, and it has only a currency beside them."""
    rest = tail.removeprefix(letters)
    if rest == tail or (letters in wording.DOUBTFUL_MULTIPLES and not (unit or rest)):
        return False
    return not rest or (not unit and wording.CURRENCY.fullmatch(rest) is not None)


def _made(looks: list[_Look]) -> tuple[Written | None, str]:
    """What the configuration says of numbers that look so, or why they are not of one unit."""
    plain = next((look for look in looks if not look.unit), None)
    several = len({look.unit for look in looks} & wording.DOUBTFUL_MULTIPLES) > 1
    if plain or several or any(look.multiple for look in looks):  # 3M beside 950: not the unit M
        looks = [
            look._replace(unit="", multiple=look.unit)
            if look.unit in wording.MULTIPLES
            and (several or look.unit in "KMB" or any(each.multiple for each in looks))
            else look
            for look in looks
        ]
    units = {look.unit: look.text for look in reversed(looks)}
    for one in [unit for unit in units if unit and f"{unit}s" in units]:
        units.pop(f"{one}s")  # day, days
    if len(units) > 1:
        if len(units) > MOST_UNITS:
            return None, ""
        one, other = list(units.values())[:2]
        return None, (
            f"its numbers are written like {one!r} and {other!r}, which are not of one unit: "
            f"write all in one, or plain numbers"
        )
    negatives = sorted({look.negative for look in looks} - {""})
    if not any(look.negative in ("", "−5") for look in looks):
        return None, ""  # all in brackets: marks, not amounts
    named = sorted({look.unit for look in looks} - {""})
    multiples = {m: wording.MULTIPLES[m] for look in looks if (m := look.multiple)}
    if not (named or multiples or negatives):
        return None, ""
    found = {"units": named, "multiples": multiples, "negatives": negatives}
    return Written.model_validate(found), ""
