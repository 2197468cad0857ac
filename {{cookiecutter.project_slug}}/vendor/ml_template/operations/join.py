"""join: labels that came later, put to the predictions in the log, for monitoring."""

from __future__ import annotations

import csv
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..settings.categories import category, spelled, spellings
from ..settings.config import Data, InputError, load_config
from ..storage.files import new_file
from ..storage.places import LABELLED
from ..tables import numerals, written
from . import prediction_log
from .lines import MOST_OUT, Left, records
from .prediction_log import KEYS, Entry, Key, entries

CHANCE = 0.01  # share of the fewer names, in labels or in the log, that must be in both
ENOUGH = 100  # of them are no chance, whatever their share
_DIGITS = re.compile(".*[0-9].*")
Found = dict[tuple[str, Key], Entry]  # by model and key


def run(settings: dict[str, str]) -> None:
    """LABELS=labels.csv (id, label, row where a request had several), LOG=folder of the log.

    The id is the one the service made for its answer. What a client sent joins nothing: others can
    foresee it. Writes reports/labelled.csv: id, row, time, model, predicted_..., label, feature_...
    (where features are logged).
    A line that is no label is counted, named and left out; raises InputError where none is left, or
    where hardly an id is one of the log (see `hardly`).
    """
    if not settings.get("LABELS"):
        raise InputError("LABELS is missing: make join LABELS=labels.csv LOG=folder")
    source, folder = Path(settings["LABELS"]), prediction_log.folder(settings)
    labels, wrong = _labels(source, load_config().data)
    damaged, again = Left(), LABELLED.exists()
    found, unclear = _found(entries(folder, KEYS, damaged), labels)
    matched, models = {key for _, key in found} | unclear, {name for name, _ in found}
    if not found or hardly(len(matched), len(labels), damaged.lines - damaged.out):
        raise _unmatched(source, folder, set(labels), matched, damaged)
    found = _of_one_form(folder, found, damaged)
    _write(found, labels)
    left = len(labels) - len(matched)
    note = f"; {left:,} have no logged prediction" if left else ""
    if unclear:
        note += f"; {len(unclear):,} have an id that several predictions share, and were left out"
    if again:
        note += "; those joined before are replaced: LABELS= holds every label there is"
    of = f" of {len(models)} models" if len(models) > 1 else ""
    print(
        f"join: {len(found):,} predictions{of} have their label now -> {LABELLED}{note}"
        f"{wrong}{damaged}"
    )


def _found(logged: Iterable[tuple[str, Entry]], labels: dict[Key, str]) -> tuple[Found, set[Key]]:
    """The entry of each model and labelled key; the keys of which a model has other answers too.

    Ids of earlier versions could be sent by anyone: of two answers nobody knows which is meant.
    """
    found: Found = {}
    unclear = set()
    for _, entry in logged:
        key = (category(entry["id"]), entry["row"])
        if key in labels:
            first = found.setdefault((entry["model"], key), entry)
            if first["output"] != entry["output"]:
                unclear.add(key)
    return {name: entry for name, entry in found.items() if name[1] not in unclear}, unclear


def hardly(matched: int, given: int, known: int) -> bool:
    """Whether so few of the names `given` and `known` are in both that it may be chance."""
    return matched < min(CHANCE * min(given, known), ENOUGH)


def _unmatched(
    source: Path, folder: Path, labels: set[Key], matched: set[Key], damaged: Left
) -> InputError:
    """Why no label but those `matched` found its answer, as far as the log tells."""
    there = {name for name, _ in matched}
    ids = {name for name, _ in labels} - there
    logged, sent, rows = set(), set(), 0
    for _, entry in entries(folder, KEYS, Left()):
        logged.add(category(entry["id"]))
        sent.add(entry.get("sent"))
        rows += 1
    why = alike(ids, logged)
    if {re.split("[^0-9A-Za-z]", name)[0] for name in ids} & logged:
        why = "they go on behind the id of the answer: the row has a column of its own, row"
    if ids & logged:
        why = "the ids are there, the rows are not: rows of a request count from 0"
    elif ids & sent:
        why = "they are what clients sent as x-request-id: labels go by the id in the answer"
    return InputError(
        f"{source}: {few(len(there), len(ids | there))} ids is in the log in {folder} "
        f"({rows:,} answers{damaged}): {why}"
    )


def few(matched: int, given: int) -> str:
    """How many of the names `given` are known."""
    return f"only {matched:,} of its {given:,}" if matched else f"none of its {given:,}"


def alike(given: set[str], known: set[str]) -> str:
    """What to do about names that are not known: they may differ in how they are written."""
    if {_bare(name) for name in given} & {_bare(name) for name in known}:
        return "they differ in case, quotes, spaces or leading zeros only: export them as text"
    return "name the file and the column they come from: these are of something else"


def _bare(name: str) -> str:
    return name.strip(" \t'\"").casefold().lstrip("0").removesuffix(".0")


def _of_one_form(folder: Path, found: Found, left: Left) -> Found:
    """Without answers that have other names than most of their model: such lines are damaged.

    So are those of few, of models that have other names than most of the log; of more it is no
    damage, and raises InputError.
    """
    forms: defaultdict[str, Counter[tuple[str, ...]]] = defaultdict(Counter)
    for (model, _), entry in found.items():
        forms[model][tuple(entry["output"])] += 1
    usual = {model: form.most_common(1)[0][0] for model, form in forms.items()}
    kept = _only(usual, found, "its model", folder, left)
    of_all = Counter(tuple(entry["output"]) for entry in kept.values())
    most, rows = of_all.most_common(1)[0]
    if not (rows == len(kept) or len(kept) - rows <= max(MOST_OUT * len(kept), 1) < rows):
        raise InputError(
            f"{folder}: the log holds models with other answers: move the files of the older one "
            f"to a folder of their own and join each"
        )
    return _only(dict.fromkeys(usual, most), kept, "the log", folder, left)


def _only(
    form: Mapping[str, tuple[str, ...]], found: Found, of: str, folder: Path, left: Left
) -> Found:
    """The answers whose names are those in `form`, by model."""
    kept: Found = {}
    for name, entry in found.items():
        if tuple(entry["output"]) == form[name[0]]:
            kept[name] = entry
        else:
            left.note(str(folder), f"an answer has other names than those of {of}")
    return kept


def _write(found: Found, labels: dict[Key, str]) -> None:
    """A feature that only some requests sent, or only some services logged, is empty elsewhere."""
    rows = [_row(entry, labels[key]) for (_, key), entry in found.items()]
    names = dict.fromkeys(name for row in rows for name in row)
    with new_file(LABELLED) as new, new.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(names))
        writer.writeheader()
        writer.writerows(rows)


def _labels(source: Path, data: Data) -> tuple[dict[Key, str], Left]:
    if not source.is_file():
        raise InputError(f"LABELS={source}: there is no such file")
    labels, unclear, left = dict[Key, str](), set[Key](), Left()
    doubt = numerals.Thousands(numerals.decimal_sign(".", data.thousands))
    for where, given in records(source, ["id", "label"], left):
        key, label, fault = _label(given, data)
        if not fault and not data.labels:
            doubt.add(given["label"].strip())
        if not fault and labels.setdefault(key, label) != label:
            unclear.add(key)
            fault = "its id has another label already, so it has none"
        looks = _DIGITS if data.written else numerals.SIGNS
        if not label and looks.fullmatch(given["label"].strip()):
            raise InputError(f"{where}: {fault}")  # large labels alone would be left out
        if fault:
            left.note(where, fault)
    labels = {key: label for key, label in labels.items() if key not in unclear}
    if not labels:
        raise InputError(f"{source} has no label{left}: its columns are id, label (and row)")
    plain = written.is_plain(data.thousands, data.written)
    if plain and data.thousands != "none" and doubt.separates:
        raise InputError(numerals.doubtful(source, "label", doubt))
    return labels, left


def _label(given: dict[str, str], data: Data) -> tuple[Key, str, str]:
    """Key and label of a line, and what is wrong with it."""
    name, row = category(given["id"].strip()), category(given.get("row", "").strip()) or "0"
    classes, label = data.labels, given["label"].strip()
    label = spelled(label, spellings(classes)) if classes else _number(label, data)
    fault = ""
    if not name:
        fault = "it has no id"
    elif not (row.isascii() and row.isdecimal() and len(row) < 10):
        fault, row = "row must be a whole number", "0"
    elif classes and label not in classes:
        fault = f"label must be one of {', '.join(classes)}"
    elif not label:
        told = written.described(data.thousands, data.written)
        fault = f"label must be a number{told and f', written {told}'}"
    return (name, int(row)), label, fault


def _number(text: str, data: Data) -> str:
    """The finite number `text` as Python writes it, empty for others.

    Its decimal sign is `.`, unless the target's numbers are no plain ones.
    """
    plain = written.is_plain(data.thousands, data.written)
    value = written.number(text, "." if plain else data.decimal, data.thousands, data.written)
    if value is None or not math.isfinite(value):
        return ""
    return repr(value) if data.thousands in numerals.BETWEEN or data.written else text


def _row(entry: Entry, label: str) -> dict[str, Any]:
    answer = {f"predicted_{name}": value for name, value in entry["output"].items()}
    row = {name: entry[name] for name in ("id", "row", "time", "model")} | answer
    features = {f"feature_{name}": _flat(v) for name, v in entry.get("features", {}).items()}
    return row | {"label": label} | features


def _flat(value: Any) -> Any:
    """A text on one line: whatever a client sent, a line of the file is one answer."""
    if not isinstance(value, str):
        return value
    return value.replace("\\", "\\\\").replace("\r", "\\r").replace("\n", "\\n")
