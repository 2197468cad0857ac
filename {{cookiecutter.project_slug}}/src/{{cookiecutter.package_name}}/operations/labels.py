"""join: labels that came later, put to the predictions in the log, for monitoring."""

from __future__ import annotations

import csv
import json
import math
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from .. import numerals
from ..arrays import category, spelled, spellings
from ..config import Data, InputError, load_config
from ..files import new_file
from ..places import LABELLED

KEYS = {"id", "row", "time", "model", "output"}
Key = tuple[str, int]  # request id, row of the request


def join(settings: dict[str, str]) -> None:
    """LABELS=labels.csv (id, label, row where a request had several), LOG=folder of the log.

    A label is that of a request: it counts for every model that answered it, as a shadow does.
    Writes reports/labelled.csv: id, row, time, model, predicted_..., label, feature_... (where
    features are logged).
    Raises InputError naming the file and line of a label that is not of the task.
    """
    source = Path(settings.get("LABELS") or "")
    folder = Path(settings.get("LOG") or "predictions")
    if not settings.get("LABELS"):
        raise InputError("LABELS is missing: make join LABELS=labels.csv LOG=folder")
    config = load_config()
    labels, again = _labels(source, config.data), LABELLED.exists()
    with new_file(LABELLED) as new, new.open("w", encoding="utf-8", newline="") as file:
        joined, repeated = _write(file, folder, labels)
        if not joined:
            raise InputError(f"{source}: none of its ids is in the log in {folder}")
    left, models = len(labels) - len({key for _, key in joined}), len({name for name, _ in joined})
    note = f"; {left:,} have no logged prediction" if left else ""
    if repeated:
        note += f"; {repeated:,} predictions share an id with a joined one and were left out"
    if again:
        note += "; those joined before are replaced: LABELS= holds every label there is"
    of = f" of {models} models" if models > 1 else ""
    print(f"join: {len(joined):,} predictions{of} have their label now -> {LABELLED}{note}")


def _write(file: IO[str], folder: Path, labels: dict[Key, str]) -> tuple[set[tuple[str, Key]], int]:
    """Model and key of what was written; how many predictions came under the same ones again."""
    writer = csv.writer(file)
    joined: set[tuple[str, Key]] = set()
    names: list[str] = []
    repeated = 0
    for entry in entries(folder, KEYS):
        key = (category(entry["id"]), entry["row"])
        if key not in labels:
            continue
        if (entry["model"], key) in joined:
            repeated += 1
            continue
        joined.add((entry["model"], key))
        row = _row(entry, labels[key])
        if not names:
            names = list(row)
            writer.writerow(names)
        if list(row) != names:
            raise InputError(
                f"{folder}: the log holds models with other answers or features: move the "
                f"files of the older one to a folder of their own and join each"
            )
        writer.writerow(row.values())
    return joined, repeated


def _labels(source: Path, data: Data) -> dict[Key, str]:
    if not source.is_file():
        raise InputError(f"LABELS={source}: there is no such file")
    labels: dict[Key, str] = {}
    try:
        with source.open(encoding="utf-8-sig", newline="") as file:
            for where, given in _lines(source, file):
                key, label = _label(where, given, data)
                if key in labels:
                    raise InputError(
                        f"{where}: the id {key[0]!r} (row {key[1]}) has a label already"
                    )
                labels[key] = label
    except UnicodeDecodeError:
        raise InputError(f"{source} is not UTF-8 text: save it as UTF-8") from None
    except csv.Error as error:
        raise InputError(f"{source} cannot be read ({error}): export it again") from None
    if data.task == "regression" and data.thousands is None:
        doubt = numerals.Thousands(".")
        for label in labels.values():
            doubt.add(label)
        if doubt.separates:
            raise InputError(numerals.doubtful(source, "label", doubt))
    return labels


def _lines(source: Path, file: IO[str]) -> Iterator[tuple[str, dict[str, str]]]:
    reader = csv.DictReader(file, restval="")
    if not {"id", "label"} <= set(reader.fieldnames or ()):
        raise InputError(f"{source} needs the columns id and label (and row): see the README")
    for line in reader:
        yield f"{source}: line {reader.line_num}", line


def _label(where: str, given: dict[str, str], data: Data) -> tuple[Key, str]:
    classes = data.labels
    label = spelled(given["label"].strip(), spellings(classes))
    row = category(given.get("row", "").strip()) or "0"
    if not row.isdecimal():
        raise InputError(f"{where}: row must be a whole number")
    if classes and label not in classes:
        raise InputError(f"{where}: label must be one of {', '.join(classes)}")
    if not classes:
        label = _number(where, given["label"].strip(), data.thousands)
    return (category(given["id"].strip()), int(row)), label


def _number(where: str, text: str, thousands: str | None) -> str:
    """The finite number `text` as Python writes it; a file of labels has the decimal sign `.`."""
    value = numerals.number(text, ".", thousands)
    if value is None or not math.isfinite(value):
        signs = f" with {thousands!r} between thousands" if thousands in numerals.OTHER else ""
        raise InputError(f"{where}: label must be a number{signs}")
    return repr(value) if thousands in numerals.OTHER else text


def entries(folder: Path, keys: set[str]) -> Iterator[dict[str, Any]]:
    """Entries of every file of the log, each with `keys`; a last line cut off is left out.

    Services that share a volume write a folder each. Every field that is there is of its form: `id`
    and `model` text, `row` a whole number, `time` with its offset, `milliseconds` finite, `output`
    finite numbers and perhaps a label, `features` numbers, texts, booleans and null.
    Raises InputError naming file and line of any other that is no entry.
    """
    paths = sorted(folder.rglob("*.jsonl"))
    if not paths:
        raise InputError(f"LOG={folder} holds no prediction log: serve with SERVE_LOG={folder}")
    for path in paths:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                entry = _parsed(line)
                fault = _fault(entry, keys)
                if fault is None:
                    yield entry
                elif line.endswith(b"\n"):
                    raise InputError(f"{path}: line {number} is damaged: remove it ({fault})")


def _parsed(line: bytes) -> Any:
    try:
        return json.loads(line.decode())
    except (ValueError, RecursionError):
        return None


def _fault(entry: Any, keys: set[str]) -> str | None:
    """Why `entry` is none; None where it is one."""
    if not isinstance(entry, dict):
        return "it is no JSON object"
    absent = keys - entry.keys()
    if absent:
        return f"it has no {min(absent)}"
    wrong = [
        name for name, is_right in FORMS.items() if name in entry and not is_right(entry[name])
    ]
    return f"its {wrong[0]} is not of the form of the log" if wrong else None


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_finite(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) <= sys.float_info.max


def _is_row(value: Any) -> bool:
    return type(value) is int and value >= 0


def _is_time(value: Any) -> bool:
    try:
        return datetime.fromisoformat(value).tzinfo is not None
    except (TypeError, ValueError):
        return False


def _is_output(value: Any) -> bool:
    if not isinstance(value, dict) or not value.keys() - {"label"}:
        return False
    return all(_is_text(v) if name == "label" else _is_finite(v) for name, v in value.items())


def _is_record(value: Any) -> bool:
    plain = (str, int, float, bool, type(None))
    return isinstance(value, dict) and all(isinstance(v, plain) for v in value.values())


FORMS: dict[str, Callable[[Any], bool]] = {
    "id": _is_text,
    "row": _is_row,
    "time": _is_time,
    "model": _is_text,
    "milliseconds": _is_finite,
    "output": _is_output,
    "features": _is_record,
}


def _row(entry: dict[str, Any], label: str) -> dict[str, Any]:
    answer = {f"predicted_{name}": value for name, value in entry["output"].items()}
    row = {name: entry[name] for name in ("id", "row", "time", "model")} | answer
    features = {f"feature_{name}": value for name, value in entry.get("features", {}).items()}
    return row | {"label": label} | features
