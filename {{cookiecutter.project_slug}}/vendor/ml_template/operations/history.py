"""history: what was champion when, by whom and why."""

from __future__ import annotations

from ..outside.text import aligned
from ..registry import champion


def run() -> None:
    """Print every champion, oldest first."""
    rows = [("since", "model", "how", "by", "commit", "why")]
    for record in champion.history():
        commit = record["commit"] or "none"
        row = (record["since"], record["digest"][:16], record["action"], record["by"], commit[:12])
        rows.append((*row, record["why"]))
    print(aligned(rows) if rows[1:] else "history: there was no champion yet")
