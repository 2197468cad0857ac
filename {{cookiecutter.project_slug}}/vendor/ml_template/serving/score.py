"""score: a whole table through the champion, in parts, with the checks and answers of the API."""

from __future__ import annotations

import csv
from collections import Counter
from contextlib import ExitStack
from itertools import compress, islice
from pathlib import Path
from typing import Any

import numpy as np

from ..model import artifact
from ..outside.text import cell
from ..settings.config import CONFIG_FILE, InputError, load_config
from ..storage.files import new_file
from ..tables.reading import PARQUET
from . import rows
from .answers import Answers
from .records import Record, Records, RefusedError
from .serve import which

SHOWN = 10
Fault = tuple[int, str, str]  # line, field, problem


def run(settings: dict[str, str]) -> None:
    """DATA=in.csv (or .parquet), OUT=out.csv, BAD=refuse|skip, MODEL=folder, IDS=column.

    Writes line, the column that IDS names, label and probabilities (or value) of each row. With
    BAD=refuse one bad row and nothing is written; with BAD=skip OUT.refused.csv names what is wrong
    with the rows left out.
    Rows with categories that training did not see are scored and counted; with BAD=refuse no more
    than checks.unseen of them, as in `validate`.
    """
    source, target = Path(_given(settings, "DATA")), Path(_given(settings, "OUT"))
    refused = target.with_suffix(".refused.csv")
    bad = settings.get("BAD", "refuse")
    if target.suffix.lower() in PARQUET:
        raise InputError(f"OUT: {target}: answers are written as CSV: name it so, OUT=out.csv")
    for path in (target, refused):
        _check_free(path, source)
    model = artifact.load(*which(settings))
    checks, answers = Records(model, rows.PART), Answers(model)
    config, strange = load_config(), Counter[str]()
    checks.unseen = lambda column: strange.update([column])
    ids = rows.Ids(settings["IDS"]) if settings.get("IDS") else None
    head = ["line", *([ids.name] if ids is not None else ()), *answers.names]
    if len(set(head)) < len(head):
        raise InputError(f"IDS={settings['IDS']}: the answers have that name: rename the column")
    table = rows.read(source, config.data, checks.columns_, checks.inputs, ids)
    with np.errstate(all="ignore"), ExitStack() as files:
        out = _writer(files, target, head)
        skip = _writer(files, refused, ["line", "field", "problem"]) if bad == "skip" else None
        scored = left_out = 0
        while part := list(islice(table, rows.PART)):
            good, faults = _checked(part, checks)
            answered, silent = _answered(model, checks, good)
            faults = sorted(faults + silent)
            if skip is not None:
                skip.writerows((line, cell(field), cell(why)) for line, field, why in faults)
            elif faults:
                raise _refusal(source, faults)
            for line, output in answered:
                own = (ids[line],) if ids is not None else ()
                out.writerow([line, *own, *answers.record(output).values()])
            if ids is not None:
                ids.clear()
            scored += len(answered)
            left_out += len(part) - len(answered)
        counts = {name: strange[name] for name in checks.inputs if strange[name]}
        if skip is None:
            _require_known(source, counts, scored, checks, config.checks.unseen)
    note = f", {left_out:,} left out -> {refused}" if skip is not None else ""
    print(f"score: {scored:,} rows by model {model.digest[:16]} -> {target}{note}")
    for name, count in counts.items():
        print(f"score: {name!r}: {count:,} rows hold a category that training did not see")


def _given(settings: dict[str, str], word: str) -> str:
    if not settings.get(word):
        raise InputError(f"{word} is missing: make score DATA=in.csv OUT=out.csv")
    return settings[word]


def _check_free(path: Path, source: Path) -> None:
    """Raise InputError unless a file can take the place of `path` without harm."""
    why = None
    if path.resolve() == source.resolve():
        why = "is the table itself"
    elif path.exists() and not path.is_file():
        why = "is no plain file"
    elif not path.parent.is_dir():
        why = f"lies in {path.parent}, which is no folder"
    if why:
        raise InputError(f"OUT: {path} {why}: choose another file")


def _writer(files: ExitStack, path: Path, head: list[str]) -> Any:
    new = files.enter_context(new_file(path))
    writer = csv.writer(files.enter_context(new.open("w", encoding="utf-8", newline="")))
    writer.writerow(head)
    return writer


def _checked(part: list[rows.Row], checks: Records) -> tuple[list[tuple[int, Record]], list[Fault]]:
    """The rows that the API would accept, with their lines, and the faults of the others."""
    faults = [(line, "row", record) for line, record in part if isinstance(record, str)]
    sent = [(line, record) for line, record in part if not isinstance(record, str)]
    try:
        records = checks.check({"records": [record for _, record in sent]}) if sent else []
        return list(zip([line for line, _ in sent], records, strict=True)), faults
    except RefusedError:
        pass  # one by one, to know which
    good = []
    for line, record in sent:
        try:
            good.append((line, checks.check({"records": [record]})[0]))
        except RefusedError as refusal:
            faults += [(line, field.removeprefix("records[0]."), p) for field, p in refusal.faults]
    return good, faults


def _require_known(
    source: Path, strange: dict[str, int], count: int, checks: Records, limit: float | None
) -> None:
    """Raise InputError where more than `limit` of `count` rows are `strange` in a listed column."""
    listed = [name for name in strange if checks.columns_[name].values is not None]
    lines = [
        f"{source}: {name!r}: {strange[name]:,} of {count:,} rows hold a category that training "
        f"did not see, checks.unseen in {CONFIG_FILE} is {limit:.1%}"
        for name in listed
        if limit is not None and strange[name] > limit * count
    ]
    if lines:
        advice = "nothing was written: correct the data, or train on such rows; BAD=skip scores all"
        raise InputError("\n".join([*lines, advice]))


def _answered(
    model: artifact.Model, checks: Records, good: list[tuple[int, Record]]
) -> tuple[list[tuple[int, Any]], list[Fault]]:
    """Lines with their outputs, and the faults of rows without a finite one."""
    if not good:
        return [], []
    outputs = model.predict(checks.columns([record for _, record in good]))
    finite = np.isfinite(outputs.reshape(len(good), -1)).all(axis=1)
    answers = [(line, output) for (line, _), output in zip(good, outputs, strict=True)]
    why = "the model has no finite answer to it"
    silent = [(line, "row", why) for line, _ in compress(good, ~finite)]
    return list(compress(answers, finite)), silent


def _refusal(source: Path, faults: list[Fault]) -> InputError:
    lines = [f"{source}: line {line}: {field}: {problem}" for line, field, problem in faults]
    advice = "nothing was written: correct the data, or leave such rows out with BAD=skip"
    return InputError("\n".join([*lines[:SHOWN], advice]))
