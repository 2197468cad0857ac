"""join: labels that came later, put to the predictions in the log, for monitoring."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from ..config import InputError, load_config
from ..files import new_file

JOINED = Path("reports/labelled.csv")
KEYS = {"id", "row", "time", "model", "output"}
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
    found = repeated = 0
    seen: set[Key] = set()
    names: list[str] = []
    with new_file(JOINED) as new, new.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        for entry in entries(folder, KEYS):
            key = (entry["id"], entry["row"])
            if key in seen:
                repeated += 1
            if key not in labels:
                continue
            seen.add(key)
            row = _row(entry, labels.pop(key))
            if not names:
                names = list(row)
                writer.writerow(names)
            if list(row) != names:
                raise InputError(
                    f"{folder}: the log holds models with other answers or features: move the "
                    f"files of the older one to a folder of their own and join each"
                )
            writer.writerow(row.values())
            found += 1
        if not found:
            raise InputError(f"{source}: none of its ids is in the log in {folder}")
    note = f"; {len(labels):,} have no logged prediction" if labels else ""
    if repeated:
        note += f"; {repeated:,} predictions share an id with a joined one and were left out"
    print(f"join: {found:,} labels joined -> {JOINED}{note}")


def _labels(source: Path, classes: tuple[str, ...]) -> dict[Key, str]:
    if not source.is_file():
        raise InputError(f"LABELS={source}: there is no such file")
    labels: dict[Key, str] = {}
    try:
        with source.open(encoding="utf-8-sig", newline="") as file:
            for where, given in _lines(source, file):
                key, label = _label(where, given, classes)
                if key in labels:
                    raise InputError(
                        f"{where}: the id {key[0]!r} (row {key[1]}) has a label already"
                    )
                labels[key] = label
    except UnicodeDecodeError:
        raise InputError(f"{source} is not UTF-8 text: save it as UTF-8") from None
    except csv.Error as error:
        raise InputError(f"{source} cannot be read ({error}): export it again") from None
    return labels


def _lines(source: Path, file: IO[str]) -> Iterator[tuple[str, dict[str, str]]]:
    reader = csv.DictReader(file, restval="")
    if not {"id", "label"} <= set(reader.fieldnames or ()):
        raise InputError(f"{source} needs the columns id and label (and row): see the README")
    for line in reader:
        yield f"{source}: line {reader.line_num}", line


def _label(where: str, given: dict[str, str], classes: tuple[str, ...]) -> tuple[Key, str]:
    label, row = given["label"].strip(), given.get("row", "").strip() or "0"
    if not row.isdecimal():
        raise InputError(f"{where}: row must be a whole number")
    if classes and label not in classes:
        raise InputError(f"{where}: label must be one of {', '.join(classes)}")
    if not classes and not _is_number(label):
        raise InputError(f"{where}: label must be a number")
    return (given["id"].strip(), int(row)), label


def _is_number(text: str) -> bool:
    try:
        return abs(float(text)) < float("inf")
    except ValueError:
        return False


def entries(folder: Path, keys: set[str]) -> Iterator[dict[str, Any]]:
    """Entries of every file of the log, each with `keys`; a last line cut off is left out.

    Services that share a volume write a folder each.
    Raises InputError naming file and line of any other that is no entry.
    """
    paths = sorted(folder.rglob("*.jsonl"))
    if not paths:
        raise InputError(f"LOG={folder} holds no prediction log: serve with SERVE_LOG={folder}")
    for path in paths:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                try:
                    entry = json.loads(line)
                except ValueError:
                    entry = None
                if isinstance(entry, dict) and entry.keys() >= keys:
                    yield entry
                elif line.endswith("\n"):
                    raise InputError(f"{path}: line {number} is damaged: remove it")


def _row(entry: dict[str, Any], label: str) -> dict[str, Any]:
    answer = {f"predicted_{name}": value for name, value in entry["output"].items()}
    row = {name: entry[name] for name in ("id", "row", "time", "model")} | answer
    return row | {"label": label} | entry.get("features", {})
