"""Whether the texts of a column are written language, from whose terms a model can learn."""

from __future__ import annotations

import re
from collections import Counter

from ...model.profile import LEAST
from ...model.texts import Unit
from .texts import Texts

SOME = 5_000  # different texts that are looked at
LONG = 4  # words of a text that is no name of something
TERMS = 5  # that come again, in short texts: codes have letters too
LONG_TERMS = 2  # the same, in long ones
ENOUGH = 3 * LEAST // 2  # rows of a term, so that LEAST are left to learn from
COMMON = 0.95  # share of the rows from which on a word parts none
_WORDS = re.compile(r"[^\W\d_]{2,}").findall
# Thai to Lao, Burmese, Khmer, kana, Chinese: no blanks between words
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")


def is_long(texts: Texts) -> bool:
    """Whether texts have so many words that each stands for itself."""
    some = texts.values[:1000]
    return sum(len(value.split()) for value in some) >= LONG * len(some) or _unspaced(texts)


def unit(texts: Texts) -> Unit | None:
    """Of what to make terms; None where texts are codes, or no words come again.

    A training looks for terms that profile.LEAST of its rows have, so more are asked for here.
    """
    some, counts = texts.values[:SOME], texts.counts
    signs = "".join(some)
    if sum(map(str.isalpha, signs)) < sum(not sign.isspace() for sign in signs) / 2:
        return None
    if _unspaced(texts):
        return "characters" if texts.filled >= ENOUGH else None
    found = [set(_WORDS(value.lower())) for value in some]
    if sum(map(len, found)) < 2 * len(some):
        return None
    rows = Counter[str]()
    for words, count in zip(found, counts, strict=False):
        rows.update(dict.fromkeys(words, int(count)))
    most = COMMON * sum(counts[: len(found)])
    again = {word for word, count in rows.items() if ENOUGH <= count <= most}
    known = sum(not again.isdisjoint(words) for words in found)
    least = LONG_TERMS if is_long(texts) else TERMS
    return "words" if len(again) >= least and known >= len(some) / 2 else None


def _unspaced(texts: Texts) -> bool:
    signs = "".join(texts.values[:1000])
    marks = len(_UNSPACED.findall(signs))
    return marks >= LONG * min(len(texts.values), 1000) and marks > sum(map(str.isalpha, signs)) / 2
