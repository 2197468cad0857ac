"""A column then and now, for the page: shares of the rows by value."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Any

import numpy as np

from ..model.profile import known
from ..settings import categories
from ..tables import arrays, small

LABELS = 8  # the most frequent; others together
COLUMNS = 12
Counted = tuple[list[str], list[int], list[int]]  # names, rows then, rows now
Histogram = dict[str, Any]  # names (k,), before and now (k,): shares, None for few rows


def histogram(facts: dict[str, Any], values: np.ndarray, least: int) -> Histogram | None:
    """Of the profile `facts` of a column and its `values` (n,) in a window; None without any.

    Numbers by tenths of the training rows, or each where they were few; labels by how many.
    """
    present = values[~arrays.missing(values)]
    if facts["kind"] not in ("number", "label") or not len(present):
        return None
    counted = _labels if facts["kind"] == "label" else _numbers
    names, before, now = counted(facts, present, max(least, 1))
    return {"names": names, "before": _shares(before, least), "now": _shares(now, least)}


def _shares(counts: list[int], least: int) -> list[float | None]:
    total = max(sum(counts), 1)
    shown = small.counts(counts, least)
    return [n / total if isinstance(n, int) else None for n in shown]


def _labels(facts: dict[str, Any], present: np.ndarray, least: int) -> Counted:
    now = Counter(categories.category(str(label)) for label in present.tolist())
    before: Counter[str] = Counter()
    for label, count in facts["labels"].items():
        before[categories.category(str(label))] += count
    names = [name for name, _ in before.most_common(LABELS) if before[name] >= least]
    rest = facts["rows"] - facts["missing"] - sum(before[name] for name in names)
    others = len(present) - sum(now[name] for name in names)
    counts = [before[name] for name in names], [now[name] for name in names]
    if not rest + others:  # a group of no rows would hide another
        return names, *counts
    return [*names, "others"], [*counts[0], rest], [*counts[1], others]


def _numbers(facts: dict[str, Any], present: np.ndarray, least: int) -> Counted:
    there = facts["rows"] - facts["missing"]
    each, _ = known(facts)
    cuts, below = np.array(facts["cuts"], dtype=float), np.array(facts["below"], dtype=int)
    if len(cuts) > 20:
        cuts, below = cuts[4::5], below[4::5]
    kept, ends = [], 0
    for number, rows in enumerate(below.tolist()):
        if min(rows - ends, there - rows) >= least:
            kept.append(number)
            ends = rows
    is_whole = len(each) == len(cuts) + 1 == len(kept) + 1
    cuts, below = cuts[kept], below[kept]
    now = np.bincount(np.searchsorted(cuts, present.astype(np.float64)), minlength=len(cuts) + 1)
    before = np.diff([0, *below.tolist(), there])
    return _names([_text(cut) for cut in cuts], is_whole), before.tolist(), now.tolist()


def _text(cut: float) -> str:
    return f"{cut:,.0f}" if 1e4 <= abs(cut) < 1e9 else f"{cut:.4g}"


def _names(cuts: list[str], is_whole: bool) -> list[str]:
    """Of what lies between the cut points; each is a value where they are the whole of them."""
    if not cuts:
        return ["all"]
    if is_whole:
        return [*cuts, f"above {cuts[-1]}"]
    between = [f"{low} to {high}" for low, high in pairwise(cuts)]
    return [f"up to {cuts[0]}", *between, f"above {cuts[-1]}"]
