"""Texts that are neither numbers nor categories, called by their name, and what can be done."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import NamedTuple

from .texts import shown

_NEARLY_ALL = 0.9
_SOME = 1_000  # values that are looked at
_DROP = "leave it out, or make features of it in features.py"


class Kind(NamedTuple):
    """What such texts are, what to do, and whether one may be shown: they may be of a person."""

    form: re.Pattern[str]
    what: str
    remedy: str = _DROP
    is_open: bool = True


KINDS = (
    Kind(re.compile(r"\{?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\}?", re.I), "UUIDs"),
    Kind(re.compile(r"(?=.*\d)(?=.*[a-f])[0-9a-f]{16,128}", re.I), "hashes"),
    Kind(re.compile(r"(https?|ftp)://\S+|www\.\S+", re.I), "web addresses"),
    Kind(re.compile(r"[^\s@]+@[^\s@]+\.\w+"), "e-mail addresses", is_open=False),
    Kind(re.compile(r"\d{1,3}(\.\d{1,3}){3}"), "IP addresses", is_open=False),
    Kind(re.compile(r"(\+|00)\d[\d ()/.-]{6,}\d"), "telephone numbers", is_open=False),
    Kind(re.compile(r"\{.*\}", re.S), "JSON", "make a column of each key"),
    Kind(re.compile(r"[\[(][^,;|]*[,;|].*[\])]", re.S), "lists", "make a column of each entry"),
    Kind(re.compile(r"-?\d{1,3}\.\d+ ?[,; ] ?-?\d{1,3}\.\d+"), "coordinates",
         "make two columns of numbers"),
    Kind(re.compile(r"v?\d+\.\d+\.\d+([.+-]\w+)*", re.I), "version numbers",
         "make a column of each part"),
    Kind(re.compile(r"-?(\d+ ?d(ays?)?,? )?\d{1,4}(:\d\d){1,2}([.,]\d+)?"), "lengths of time",
         "write them as a number, such as seconds"),
    Kind(re.compile(r"P(?=.)(\d+[YMWD])*(T[\d.HMS]+)?"), "lengths of time",
         "write them as a number, such as seconds"),
)  # fmt: skip


def named(texts: list[str]) -> str:
    """What nearly all of `texts` hold, and the remedy; nothing where that has no name."""
    some = texts[:_SOME]
    for kind in KINDS:
        fits = [text for text in some if kind.form.fullmatch(text)]
        if fits and len(fits) >= _NEARLY_ALL * len(some):
            like = f", such as {shown(fits[0])}" if kind.is_open else ""
            return f"it holds {kind.what}{like}: {kind.remedy}"
    return ""


def several(labels: list[str]) -> str:
    """A value of `labels` in which several labels stand, where that is their rule; else nothing.

    They are lists; or their parts are fewer than they, and some have more of them than others.
    """
    some = labels[:_SOME]
    if some and all(_is_list(label) for label in some):
        return max(some, key=len)
    for sign in ";", "|", ",":
        parts = [[part.strip() for part in label.split(sign)] for label in some]
        counts = Counter(part for each in parts for part in each)
        sizes = {len(each) for each in parts}
        if len(sizes) > 1 and "" not in counts and 1 < len(counts) < len(some) / 1.5:
            return max(some, key=lambda label: label.count(sign))
    return ""


def _is_list(label: str) -> bool:
    try:
        return label.startswith("[") and isinstance(json.loads(label.replace("'", '"')), list)
    except (ValueError, RecursionError):
        return False
