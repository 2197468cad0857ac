"""Texts to numbers: TF-IDF of words or of characters into linear scores, on Python's own texts.

Equal to scikit-learn's TfidfVectorizer(sublinear_tf=True) with the same n-grams, whose tokens,
small letters and smooth idf these are; a text is as long as 1 (L2) whatever its length. A text is
taken as it was sent: letters are neither composed nor stripped of accents.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from typing import Any, Literal

Term = str | tuple[str, str]
Unit = Literal["words", "characters"]
LENGTHS: dict[Unit, tuple[int, int]] = {"words": (1, 2), "characters": (1, 4)}  # of n-grams
_WORDS = re.compile(r"\b\w\w+\b").findall


def words(text: str) -> list[Term]:
    """Words of two letters and more, and pairs of neighbours."""
    found: list[str] = _WORDS(text.lower())
    return [*found, *pairwise(found)]  # a pair is looked up as it is: not joined, nor hashed


def characters(text: str) -> list[Term]:
    """One to four letters in a row inside words, which begin and end with a blank."""
    found: list[Term] = []
    for word in text.lower().split():
        padded = f" {word} "
        for length in range(LENGTHS["characters"][0], LENGTHS["characters"][1] + 1):
            found += [padded[at : at + length] for at in range(max(1, len(padded) - length + 1))]
            if len(padded) <= length:
                break
    return found


GRAMS: dict[Unit, Callable[[str], list[Term]]] = {"words": words, "characters": characters}


def scorer(state: dict[str, Any]) -> Callable[[str | None], list[float]]:
    """From a text to its scores (width), by a state {unit, terms, intercepts, missing}.

    terms: of each term [idf, its weight in each score]; missing: the scores where there is no text.
    """
    grams, intercepts = GRAMS[state["unit"]], state["intercepts"]
    known = {_term(term, state["unit"]): facts for term, facts in state["terms"].items()}
    once = {t: (idf * idf, *(idf * w for w in weights)) for t, (idf, *weights) in known.items()}
    look_up = once.get

    def more(term: Term, count: int) -> tuple[float, ...]:
        idf, *weights = known[term]
        value = (1.0 + math.log(count)) * idf
        return (value * value, *(value * weight for weight in weights))

    def score(text: str | None) -> list[float]:
        if text is None:
            return list(state["missing"])
        found = grams(text)
        if len(set(found)) == len(found):
            hits = list(filter(None, map(look_up, found)))
        else:
            counts = Counter(term for term in found if term in once)
            hits = [once[term] if n == 1 else more(term, n) for term, n in counts.items()]
        if not hits:
            return list(intercepts)
        squares, *columns = zip(*hits, strict=True)
        length = math.sqrt(math.fsum(squares))
        pairs = zip(columns, intercepts, strict=True)
        return [math.fsum(column) / length + base for column, base in pairs]

    return score


def _term(term: str, unit: Unit) -> Term:
    first, blank, second = term.partition(" ")
    return (first, second) if blank and unit == "words" else term
