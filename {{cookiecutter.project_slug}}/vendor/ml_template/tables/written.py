"""Numbers as people write them, such as $1,234.50 or 12 % or (3.50) or 1.2k or 1 234, as float64.

A cell is what stands left of its digits, the digits, and what stands right of them. The rule of a
column allows few texts on either side, so that both are looked up, blanks aside.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import product
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..settings.written import Written
from . import numerals
from .numerals import BETWEEN, OTHER, decimal_sign

PARTS = r"^(?P<left>[^0-9.,]*)(?P<digits>[0-9.,][0-9.,' ]*)(?P<right>(?:[^0-9.,' ].*)?)$"
_PARTS = re.compile(PARTS)
# as print has them: blanks (no-break, thin, narrow) and the apostrophe
_PRINTED = {"\u00a0": " ", "\u2009": " ", "\u202f": " ", "’": "'"}
_ABBREVIATED = r"([A-Za-z])\. ?([0-9])"  # Rs.500
MINUS = "−"


class Side(NamedTuple):
    """What one text beside the digits says."""

    negative: bool = False
    unit: bool = False
    bracket: bool = False  # the half of a pair
    power: int = 0  # of ten


class _Rule(NamedTuple):
    digits: str  # a pattern
    decimal: str
    left: dict[str, Side]
    right: dict[str, Side]
    unit: bool  # every number has one

    def allows(self, left: Side, right: Side) -> bool:
        """Whether both sides belong together."""
        one = left.unit != right.unit if self.unit else not (left.unit or right.unit)
        twice = left.negative and right.negative and not left.bracket
        return one and left.bracket == right.bracket and not twice


def is_plain(thousands: str | None, written: Written | None) -> bool:
    """Whether a column has numbers as CSV has them, but for a sign between thousands."""
    return written is None and (thousands is None or thousands == "none" or thousands in OTHER)


def number(
    text: str, decimal: str, thousands: str | None = None, written: Written | None = None
) -> float | None:
    """`text` as a number of a column that is written so, None where it is none."""
    if is_plain(thousands, written):
        return numerals.number(text, decimal, thousands)
    rule, found = _rule(decimal, thousands, written), _PARTS.fullmatch(_typed(text))
    if not found:
        return None
    left, right = rule.left.get(_bare(found["left"])), rule.right.get(_bare(found["right"]))
    if not (left and right and rule.allows(left, right)):
        return None
    digits = found["digits"].rstrip(" ")
    if not (digits[-1].isdigit() and re.fullmatch(rule.digits, digits)):  # 5,- is five
        return None
    digits = digits.replace(thousands, "") if thousands in BETWEEN else digits
    sign = "-" if left.negative or right.negative else ""
    return float(f"{sign}{digits.replace(rule.decimal, '.')}e{right.power}")


def values(
    texts: pa.Array, decimal: str, thousands: str | None = None, written: Written | None = None
) -> pa.Array:
    """`number` of each of `texts` (n,), null where it is none: float64."""
    if is_plain(thousands, written):
        return numerals.values(texts, decimal, thousands)
    rule = _rule(decimal, thousands, written)
    left, digits, right = parts(texts)
    before, after = _looked_up(left, rule.left), _looked_up(right, rule.right)
    sides = [*rule.left.values()], [*rule.right.values()]
    allowed = np.zeros((len(sides[0]) + 1, len(sides[1]) + 1), dtype=bool)
    for at, (one, other) in zip(np.ndindex(*map(len, sides)), product(*sides), strict=True):
        allowed[at] = rule.allows(one, other)
    ends = pc.match_substring_regex(digits, "[0-9]$")
    fits = pc.and_kleene(
        pa.array(allowed[before, after]), pc.match_substring_regex(digits, f"^{rule.digits}$")
    )
    minus = np.array([*(side.negative for side in sides[0]), False])[before]
    minus |= np.array([*(side.negative for side in sides[1]), False])[after]
    power = pa.array([*(f"e{side.power}" for side in sides[1]), ""]).take(pa.array(after))
    sign = pa.array(["", "-"]).take(pa.array(minus.astype(np.int8)))
    if thousands in BETWEEN:
        digits = pc.replace_substring(digits, thousands, "")
    whole = pc.binary_join_element_wise(sign, digits, power, "")
    return numerals.cast(pc.if_else(pc.and_(fits, ends), whole, None), rule.decimal, None)


def parts(texts: pa.Array) -> tuple[pa.Array, pa.Array, pa.Array]:
    """What stands left of the digits of `texts` (n,), these, and what stands right of them.

    Null where digits stand nowhere or apart; blanks and full stops beside them are left out.
    """
    if not pc.all(pc.string_is_ascii(texts)).as_py():
        for sign, ours in _PRINTED.items():
            texts = pc.replace_substring(texts, sign, ours)
    if pc.any(pc.match_substring_regex(texts, _ABBREVIATED)).as_py():
        texts = pc.replace_substring_regex(texts, _ABBREVIATED, r"\1 \2")
    left, digits, right = pc.extract_regex(texts, PARTS).flatten()
    return _each_bare(left), pc.utf8_rtrim(digits, " "), _each_bare(right)


def _typed(text: str) -> str:
    for sign, ours in _PRINTED.items():
        text = text.replace(sign, ours)
    return re.sub(_ABBREVIATED, r"\1 \2", text)


def _bare(side: str) -> str:
    return side.replace(" ", "").rstrip(".")


def _each_bare(sides: pa.Array) -> pa.Array:
    coded = sides.dictionary_encode()
    bare = [_bare(side) for side in coded.dictionary.to_pylist()]
    return pa.array(bare, pa.string()).take(coded.indices)


def _looked_up(sides: pa.Array, known: dict[str, Side]) -> np.ndarray:
    """The place of each of `sides` (n,) in `known`, or the one behind its last."""
    places = pc.index_in(sides, pa.array(list(known), pa.string())).fill_null(len(known))
    return np.asarray(places.to_numpy(zero_copy_only=False))


def _rule(decimal: str, thousands: str | None, written: Written | None) -> _Rule:
    it = written or Written()
    return _made(decimal, thousands, it.units, tuple(it.multiples.items()), it.negatives)


@lru_cache(maxsize=1024)
def _made(
    decimal: str,
    thousands: str | None,
    units: tuple[str, ...],
    multiples: tuple[tuple[str, int], ...],
    negatives: tuple[str, ...],
) -> _Rule:
    decimal = decimal_sign(decimal, thousands)
    digits = numerals.plain(decimal)
    if thousands in BETWEEN:
        digits = f"(?:{digits}|{numerals.grouped(thousands, decimal)})"
    around = {"": False} | {_bare(unit): True for unit in units}
    brackets = ["(", ")"] if "(5)" in negatives else []
    powers = {"": 0} | {_bare(letters): len(str(value)) - 1 for letters, value in multiples}
    starts = ["", "+", "-", *([MINUS] if "−5" in negatives else []), *brackets[:1]]
    left: dict[str, Side] = {}
    for (unit, has), sign in product(around.items(), starts):
        side = Side(sign not in ("", "+"), has, sign == "(")
        left |= {sign + unit: side, unit + sign: side}
    right: dict[str, Side] = {}
    ends = ["", *(["-"] if "5-" in negatives else []), *brackets[1:]]
    for (unit, has), (letters, power), end in product(around.items(), powers.items(), ends):
        side = Side(bool(end), has, end == ")", power)
        right |= {letters + unit + end: side, letters + end + unit: side}
    return _Rule(digits, decimal, left, right, bool(units))


def described(thousands: str | None, written: Written | None) -> str:
    """How such numbers are written, for a message; nothing for plain ones."""
    it = written or Written()
    told = [f"with {' or '.join(map(repr, it.units))} beside every number"] if it.units else []
    if it.multiples:
        told.append("with " + ", ".join(f"{key!r} for {n:,}" for key, n in it.multiples.items()))
    if it.negatives:
        told.append("negative ones as " + " or ".join(it.negatives))
    if thousands in BETWEEN:
        told.append(f"with {thousands!r} between thousands")
    return ", ".join(told)
