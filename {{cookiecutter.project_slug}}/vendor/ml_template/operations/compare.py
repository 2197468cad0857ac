"""compare: what a shadow answered next to the champion, row by row, from their prediction logs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..registry import champion
from ..settings.config import InputError
from ..storage.files import write_json
from . import prediction_log
from .lines import Left
from .prediction_log import KEYS, Key, entries

COMPARED = Path("reports/compare.json")
Output = Mapping[str, Any]
# where it is logged, and it; None: of several requests
Answers = dict[Key, tuple[str, Output] | None]


class Difference(NamedTuple):
    """Of the rows that both answered: the differences of their numbers, and of their labels."""

    rows: int
    max_difference: float
    mean_difference: float
    changed_labels: float  # share of the rows; 0 for regression


def run(settings: dict[str, str]) -> None:
    """LOG=folder with the logs of both: compare every other model in it with the champion.

    Writes reports/compare.json: {first 16 of the digest: Difference}. Raises InputError where no
    request was answered by both.
    """
    folder = prediction_log.folder(settings)
    record = champion.read(champion.CHAMPION)
    if record is None:
        raise InputError("there is no champion: run `make run` first")
    left, again = Left(), 0
    models: dict[str, Answers] = {record["digest"]: {}}
    for where, entry in entries(folder, KEYS, left):
        answers = models.setdefault(entry["model"], {})
        # Each service makes an id of its own: what was sent to both is the same. Anyone may send
        # it, so it only pairs answers where it stands once, and joins no label.
        key: Key = (({"sent": entry["id"]} | entry)["sent"], entry["row"])
        again += key in answers
        answers[key] = None if key in answers else (where, entry["output"])
    usual, found = models.pop(record["digest"]), {}
    for model, answers in sorted(models.items()):
        if both := _pairs(usual, answers, left):
            found[model[:16]] = difference(both)
    if not found:
        raise InputError(
            f"LOG={folder}: no request was answered by the champion and by another model: has your "
            f"gateway set x-request-id before it mirrors, another one each time, and are the logs "
            f"of both there, of one task?{left}"
        )
    write_json(COMPARED, {model: said._asdict() for model, said in found.items()})
    for model, said in found.items():
        print(
            f"compare: model {model}: {said.rows:,} rows: the numbers differ by "
            f"{said.mean_difference:.4g} on average, {said.max_difference:.4g} at most; "
            f"{said.changed_labels:.2%} of the labels changed -> {COMPARED}"
        )
    if again or left.out:
        print(f"compare: {again:,} answers repeat an x-request-id, which pairs nothing{left}")


def _pairs(usual: Answers, answers: Answers, left: Left) -> list[tuple[Output, Output]]:
    """Outputs of both models for what both answered; those that cannot be compared are `left`."""
    both = []
    for key, answer in answers.items():
        if answer is None or (one := usual.get(key)) is None:
            continue
        if _comparable(one[1], answer[1]):
            both.append((one[1], answer[1]))
        else:
            left.note(f"{one[0]} and {answer[0]}", "their answers cannot be compared")
    return both


def _comparable(one: Output, other: Output) -> bool:
    """Whether two outputs have the same names, and numbers with a difference that is a number."""
    return one.keys() == other.keys() and all(
        math.isfinite(float(one[name]) - float(other[name])) for name in one.keys() - {"label"}
    )


def difference(pairs: Sequence[tuple[Output, Output]]) -> Difference:
    """How the outputs of one model differ from those of another, which have the same names."""
    changed = 0
    mean = largest = 0.0
    for rows, (one, other) in enumerate(pairs, 1):
        names = [name for name in one if name != "label"]
        apart = [abs(float(one[name]) - float(other[name])) for name in names]
        changed += one.get("label") != other.get("label")
        mean += (sum(gap / len(apart) for gap in apart) - mean) / rows  # a sum may be too large
        largest = max(largest, *apart)
    return Difference(len(pairs), largest, mean, changed / len(pairs))
