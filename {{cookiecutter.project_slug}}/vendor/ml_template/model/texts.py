"""Texts to numbers: TF-IDF of words or of characters into linear scores, on Python's own texts.

Equal to scikit-learn's TfidfVectorizer(sublinear_tf=True) with the same n-grams, whose tokens,
small letters and smooth idf these are; a text is as long as 1 (L2) whatever its length. A text is
taken as it was sent: letters are neither composed nor stripped of accents.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from itertools import pairwise
from operator import mul
from typing import Any, Literal

Unit = Literal["words", "characters"]
LENGTHS: dict[Unit, tuple[int, int]] = {"words": (1, 2), "characters": (1, 4)}  # of n-grams
_WORDS = re.compile(r"\b\w\w+\b").findall


def words(text: str) -> Iterable[str]:
    """Words of two letters and more, and pairs of neighbours."""
    found: list[str] = _WORDS(text.lower())
    return found + list(map(" ".join, pairwise(found)))


def characters(text: str) -> Iterable[str]:
    """One to four letters in a row inside words, which begin and end with a blank."""
    for word in text.lower().split():
        padded = f" {word} "
        for length in range(LENGTHS["characters"][0], LENGTHS["characters"][1] + 1):
            for at in range(max(1, len(padded) - length + 1)):
                yield padded[at : at + length]
            if len(padded) <= length:
                break


GRAMS: dict[Unit, Callable[[str], Iterable[str]]] = {"words": words, "characters": characters}


def scorer(state: dict[str, Any]) -> Callable[[str | None], list[float]]:
    """From a text to its scores (width), by a state {unit, terms, intercepts, missing}.

    terms: of each term [idf, its weight in each score]; missing: the scores where there is no text.
    """
    grams, terms, intercepts = GRAMS[state["unit"]], state["terms"], state["intercepts"]

    def score(text: str | None) -> list[float]:
        if text is None:
            return list(state["missing"])
        counts: dict[str, int] = {}
        for term in grams(text):
            if term in terms:
                counts[term] = counts.get(term, 0) + 1
        if not counts:
            return list(intercepts)
        idfs, *weights = zip(*map(terms.__getitem__, counts), strict=True)
        values = [
            idf if count == 1 else (1.0 + math.log(count)) * idf
            for idf, count in zip(idfs, counts.values(), strict=True)
        ]
        length = math.sqrt(math.fsum(map(mul, values, values)))
        pairs = zip(weights, intercepts, strict=True)
        return [math.fsum(map(mul, values, column)) / length + base for column, base in pairs]

    return score
