"""models/retraining.jsonl: every decision of `retrain`, and how what it began here ended."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from ..registry.champion import MODELS
from ..settings.config import InputError
from ..storage.files import parsed, write_text

JOURNAL = MODELS / "retraining.jsonl"
Entry = dict[str, Any]  # time, decision, asked, triggers, brakes; place where CI trains


def read_journal() -> list[Entry]:
    """Its entries, oldest first; raises InputError where one is damaged."""
    if not JOURNAL.exists():
        return []
    lines = JOURNAL.read_bytes().splitlines()
    entries = [parsed(line, JOURNAL, "restore it from git") for line in lines]
    try:
        for entry in entries:
            _ = days_since(entry["time"]), entry["decision"], entry["asked"]
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"{JOURNAL} is damaged ({error}): restore it from git") from None
    return entries


def note(entry: Entry) -> None:
    """Add an entry; who calls holds the lock of the file."""
    lines = [json.dumps(known, ensure_ascii=False) for known in [*read_journal(), entry]]
    write_text(JOURNAL, "\n".join(lines) + "\n")


def days_since(time: str) -> float:
    """Days from `time`, in ISO 8601 with its offset, to now."""
    return (datetime.now(UTC) - datetime.fromisoformat(time)).total_seconds() / 86400


def begun(entries: list[Entry]) -> list[Entry]:
    """Every retraining, however it ended."""
    return [entry for entry in entries if entry["decision"] == "retrain"]


def done(entries: list[Entry]) -> list[Entry]:
    """Retrainings whose result is known, or is known elsewhere.

    One that failed or was killed here is to be tried again. One that CI was asked for counts from
    its start, since it may be running: CI tells how it ended, and there it is started again.
    """
    ended = {entry["time"] for entry in entries if entry["decision"] == "finished"}
    return [entry for entry in begun(entries) if entry.get("place") or entry["time"] in ended]
