"""join: labels that came later, put to the predictions in the log, for monitoring."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..config import InputError, load_config
from ..files import new_file

JOINED = Path("reports/labelled.csv")
Key = tuple[str, int]  # request id, row of the request


def join(settings: dict[str, str]) -> None:
    """LABELS=labels.csv (id, label, row where a request had several), LOG=folder of the log.

    Writes reports/labelled.csv: id, row, time, model, the answer, the label, logged features.
    Raises InputError naming the file and line of a label that is not of the task.
    """
    source = Path(settings.get("LABELS") or "")
    folder = Path(settings.get("LOG") or "predictions")
    if not settings.get("LABELS"):
        raise InputError("LABELS is missing: make join LABELS=labels.csv LOG=folder")
    config = load_config()
    labels = _labels(source, config.data.labels)
    found = 0
    names: list[str] = []
    with new_file(JOINED) as new, new.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        for entry in _entries(folder):
            key = (entry["id"], entry["row"])
            if key not in labels:
                continue
            row = _row(entry, labels.pop(key))
            if not names:
                names = list(row)
                writer.writerow(names)
            if list(row) != names:
                raise InputError(f"{folder}: the log holds models with other answers or features")
            writer.writerow(row.values())
            found += 1
        if not found:
            raise InputError(f"{source}: none of its ids is in the log in {folder}")
    note = f"; {len(labels):,} have no logged prediction" if labels else ""
    print(f"join: {found:,} labels joined -> {JOINED}{note}")


def _labels(source: Path, classes: tuple[str, ...]) -> dict[Key, str]:
    if not source.is_file():
        raise InputError(f"LABELS={source}: there is no such file")
    labels: dict[Key, str] = {}
    with source.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        if not {"id", "label"} <= set(reader.fieldnames or ()):
            raise InputError(f"{source} needs the columns id and label (and row): see the README")
        for line in reader:
            where = f"{source}: line {reader.line_num}"
            label, row = (line["label"] or "").strip(), (line.get("row") or "0").strip()
            if not row.isdecimal():
                raise InputError(f"{where}: row must be a whole number")
            if classes and label not in classes:
                raise InputError(f"{where}: label must be one of {', '.join(classes)}")
            if not classes and not _is_number(label):
                raise InputError(f"{where}: label must be a number")
            key = (line["id"].strip(), int(row))
            if key in labels:
                raise InputError(f"{where}: the id {key[0]!r} (row {row}) has a label already")
            labels[key] = label
    return labels


def _is_number(text: str) -> bool:
    try:
        return abs(float(text)) < float("inf")
    except ValueError:
        return False


def _entries(folder: Path) -> Iterator[dict[str, Any]]:
    """Entries of every file of the log; a last line cut off by a crash is left out."""
    paths = sorted(folder.glob("*.jsonl"))
    if not paths:
        raise InputError(f"LOG={folder} holds no prediction log: serve with SERVE_LOG={folder}")
    for path in paths:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                try:
                    yield json.loads(line)
                except ValueError:
                    if line.endswith("\n"):
                        raise InputError(f"{path}: line {number} is damaged: remove it") from None


def _row(entry: dict[str, Any], label: str) -> dict[str, Any]:
    answer = {f"predicted_{name}": value for name, value in entry["output"].items()}
    row = {name: entry[name] for name in ("id", "row", "time", "model")} | answer
    return row | {"label": label} | entry.get("features", {})
