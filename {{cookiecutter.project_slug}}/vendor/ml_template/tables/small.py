"""Small groups: what is shown of few rows. Whoever judges, judges by every figure."""

from __future__ import annotations

from collections.abc import Sequence

Count = int | str


def few(least: int) -> str:
    """How a count below `least` is shown."""
    return f"fewer than {least}"


def count(rows: int, least: int) -> Count:
    """One count; its total is not known to who reads it."""
    return few(least) if rows < least and least > 1 else rows


def counts(rows: Sequence[int], least: int) -> list[Count]:
    """Counts whose total is known, those below `least` hidden.

    The others would tell what is hidden, where it is one count or few rows in all: then the
    smallest of them are hidden too, as `least` or more.
    """
    shown = [count(each, least) for each in rows]
    hidden = [each for each, text in zip(rows, shown, strict=True) if isinstance(text, str)]
    for at in sorted(range(len(rows)), key=rows.__getitem__):
        if isinstance(shown[at], str):
            continue
        if not hidden or (len(hidden) > 1 and sum(hidden) >= least):
            break
        shown[at] = f"{least} or more"
        hidden.append(rows[at])
    return shown
