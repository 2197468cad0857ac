"""Which moments of a window tell how its hours and weekdays are spread.

Part of a week has other weekdays than a year, and Sunday has other hours than a Monday. So the
newest whole weeks are looked at. In less than one, but a day or more, only a change counts that
does not come of the day of the week, such as requests that are all of the night.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..model.moments import title
from ..model.profile import whole_part

DAY, WEEK = 1.0, 7.0
SOME = 0.1  # least PSI of whole weeks: each day has more or fewer rows than another by chance
GROSS = 1.0  # of less: the hours of a Sunday beside those of all days have about a third of that
_OUTER = 0.01  # share of the moments on each side that may be far from the others


def parts(
    name: str, facts: dict[str, Any], values: np.ndarray | None
) -> Iterator[tuple[str, dict[str, Any], np.ndarray, dict[str, Any]]]:
    """Title, profile and numbers of each watched part of a time, and more of its result.

    A missing time counts for the column, not for its parts.
    """
    if values is None:
        return
    present = values[~np.isnat(values)] if "parts" in facts else values
    for part, of in facts.get("parts", {}).items():
        judged, effect = whole(present, part)
        more: dict[str, Any] = {"missing": None, "missing_p": None, "effect": effect}
        if len(present) and not len(judged):
            cycle = "day" if part == "hour" else "week"
            more["reason"] = f"the rows span less than a {cycle}, see monitoring.window"
        yield title(name, part), of, whole_part(judged, part), more


def whole(moments: np.ndarray, part: str) -> tuple[np.ndarray, float]:
    """Those of `moments` (n,) that can be judged, and the least PSI that counts there.

    None of them where they span too little.
    """
    days = (moments - np.datetime64(0, "us")) / np.timedelta64(1, "D")
    if not len(days):
        return moments, SOME
    first, last = np.quantile(days, [_OUTER, 1 - _OUTER])
    span = (last - first) / (1 - 2 * _OUTER)
    if weeks := int(span / WEEK + 1e-6):
        end = days[days <= last + span * _OUTER].max()
        return moments[(days > end - weeks * WEEK) & (days <= end)], SOME
    return (moments if part == "hour" and span >= DAY else moments[:0]), GROSS
