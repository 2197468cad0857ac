"""What is predicted: the task, its classes and the positive one, from the target column."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import cast, get_args

import numpy as np

from ...settings.config import InputError, Task
from ...tables.arrow import is_number
from .amounts import NO_AMOUNTS, Amounts, dressed, read
from .kinds import named, several
from .source import Source
from .texts import Texts, is_text, numbers, shown
from .times import time_format

# Whole numbers with at most 10 different values are classes (grades, stages), more are amounts.
# A class needs 2 rows (one to learn, one to test); grades so rare are better met as amounts.
MOST_GRADES = 10
MOST_CLASSES = 100
RARE = 0.2  # share of a class
CHOOSABLE = 10  # rows of a class that a threshold can be chosen on
FEWEST_ROWS = 20  # as in prepare
_POSITIVE = re.compile(
    r"^(true|t|yes|y|on|ja|oui|s[ií]|sim|tak|да|pos|positive|bad|default(ed)?|churn(ed)?|attrit(ed|ion).*|exit(ed)?|"
    r"fraud(ulent)?|spam|malignant|sick|ill|disease(d)?|died|dead|death|fail(ed|ure)?|"
    r"abnormal|anomaly|attack|late|high|>.*|converted|subscribed|won|responded|clicked)\.?$",
    re.IGNORECASE,
)
_NEGATIVE = re.compile(
    r"^(0|0\.0|-1|-1\.0|false|f|no|n|off|nein|nej|nee|non|n[aã]o|nie|нет|neg|negative|good|benign|healthy|normal|ok|ham|low|<.*|"
    r"pass(ed)?|stay(ed)?|alive|non?[ _-].*|not[ _-].*|existing.*|lost)\.?$",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Target:
    """The task and why; labels (object, None = missing) or values (float64, NaN) of the rows."""

    task: Task
    values: np.ndarray
    why: str
    classes: tuple[str, ...] = ()
    positive: str | None = None
    positive_why: str = ""
    amounts: Amounts = NO_AMOUNTS  # how its numbers are written, where it has some
    threshold: str | None = None  # what it is chosen by where one of two classes is rare
    threshold_why: str = ""


def decide(name: str, source: Source, missing: set[str], task: str) -> Target:
    """The target `name`; an empty `task` is chosen here.

    Raises InputError naming the column and the remedy where nothing can be learned from it.
    """
    if task and task not in get_args(Task):
        raise InputError(f"TASK={task}: choose one of {', '.join(get_args(Task))}")
    where = f"{source.path}: target {name!r}"
    texts = _texts(where, source, name, missing)
    amounts = read(texts.values, source)
    if texts.filled < FEWEST_ROWS:
        raise InputError(
            f"{where}: {texts.filled} rows with a value are too few: {FEWEST_ROWS} are needed"
        )
    chosen, why = (
        (cast(Task, task), "by TASK") if task else _choose(where, texts, amounts, source.decimal)
    )
    if chosen == "regression":
        return _regression(where, texts, amounts, why)
    return _classification(where, texts, chosen, why, source.decimal)


def _texts(where: str, source: Source, name: str, missing: set[str]) -> Texts:
    kind = source.columns[name].type
    if name in source.unfit or not (is_text(kind) or is_number(kind)):
        holds = source.unfit.get(name, f"holds {kind}")
        raise InputError(f"{where} {holds}: classes or numbers are needed")
    texts = source.texts(name).without(missing | {"nan"} if is_number(kind) else missing)
    if not texts.values:
        raise InputError(f"{where} holds no value: choose another TARGET")
    if len(texts.values) == 1:
        raise InputError(
            f"{where} has one value only ({texts.values[0]!r}): there is nothing to learn"
        )
    return texts


def _choose(where: str, texts: Texts, amounts: Amounts, decimal: str) -> tuple[Task, str]:
    values, which = np.unique(amounts.values, return_inverse=True)
    different = len(texts.values)
    if different == 2 or (amounts.complete and len(values) == 2):
        return "binary", "two values"
    if amounts.complete:
        return _choose_number(values, np.bincount(which, texts.counts))
    if label := several(texts.values):
        raise InputError(
            f"{where} holds several labels in one cell, such as {shown(label)}: make a column of "
            f"each label (yes or no) and adopt with one of them as TARGET, or say TASK=multiclass "
            f"if each combination is a class of its own"
        )
    if time_format(texts.values) is not None:
        raise InputError(f"{where} holds times: choose a TARGET of classes or numbers")
    if different > min(MOST_CLASSES, texts.filled / 5):
        if fault := amounts.fault or amounts.mixed:
            raise InputError(f"{where}: {fault}")
        if reason := dressed(texts, amounts, decimal):
            raise InputError(f"{where}: {reason}")
        if kind := named(texts.values):
            raise InputError(f"{where}: {kind}; or choose another TARGET")
        odd, row = _no_number(texts, amounts)
        raise InputError(
            f"{where} has {different:,} different texts, such as {odd!r} in row {row:,}: neither "
            f"classes nor numbers. Write plain numbers, choose another TARGET, or say "
            f"TASK=multiclass"
        )
    return "multiclass", f"{different} different labels"


def _choose_number(values: np.ndarray, rows: np.ndarray) -> tuple[Task, str]:
    """The task of different numbers (k,), each of which so many `rows` (k,) hold."""
    different = len(values)
    if different > MOST_GRADES or not (values == np.round(values)).all():
        return "regression", f"{different:,} different numbers"
    if rows.min() < 10:
        return "regression", f"{different} different whole numbers, some in fewer than 10 rows"
    return "multiclass", f"{different} different whole numbers; TASK=regression if they are amounts"


def _no_number(texts: Texts, amounts: Amounts) -> tuple[str, int]:
    """The first text that is none, and its row."""
    odd = texts.values[int(np.argmax(np.isnan(amounts.values)))]
    return odd, texts.first_row(odd)


def _regression(where: str, texts: Texts, amounts: Amounts, why: str) -> Target:
    if fault := amounts.fault or amounts.mixed:
        raise InputError(f"{where}: {fault}")
    if not amounts.complete:
        odd, row = _no_number(texts, amounts)
        raise InputError(
            f"{where}: {odd!r} in row {row:,} is not a number: regression needs numbers, "
            f"written like the others or plainly, such as 1234.5"
        )
    values = texts.in_rows(amounts.values, np.nan, np.float64)
    return Target("regression", values, why, amounts=amounts)


def _classification(where: str, texts: Texts, task: Task, why: str, decimal: str) -> Target:
    _require_different(where, _ordered(texts.values), decimal)
    texts = texts.categories()
    labels = tuple(_ordered(texts.values))
    if task == "binary" and len(labels) != 2:
        raise InputError(f"{where} has {len(labels):,} different values: binary needs two")
    rare = texts.values[int(texts.counts.argmin())]
    if texts.counts.min() < 2:
        raise InputError(
            f"{where}: class {rare!r} has 1 row (row {texts.first_row(rare):,}), two are needed: "
            f"collect more, or join it with another class"
        )
    if len(labels) > 2 * MOST_CLASSES:
        raise InputError(f"{where} has {len(labels):,} different values: too many for classes")
    values = texts.in_rows(texts.values, None)
    if task == "multiclass":
        return Target(task, values, why, labels)
    positive, reason = _positive(texts, rare)
    answered = _threshold(int(texts.counts.min()), texts.filled, rare, positive)
    return Target(task, values, why, labels, positive, reason, NO_AMOUNTS, *answered)


def _threshold(rows: int, of: int, rare: str, positive: str) -> tuple[str | None, str]:
    """What the threshold is chosen by, where one of two classes is `rare`, and why."""
    if rows >= RARE * of:
        return None, ""
    why = f"{100 * rows / of:.2g} % of the rows are {rare}: at 0.5 it would hardly be answered"
    if rows < CHOOSABLE:
        return None, f"{why}; its rows are too few to choose a threshold on"
    return "f1" if rare == positive else "balanced_accuracy", why


def _ordered(labels: list[str]) -> list[str]:
    """Labels by their numbers; those that are none come after them."""
    values = np.nan_to_num(numbers(labels), nan=np.inf).tolist()
    return [label for _, label in sorted(zip(values, labels, strict=True))]


def _require_different(where: str, labels: list[str], decimal: str) -> None:
    """Refuse labels that are the same word (yes, Yes) or the same number (1, 1.0)."""
    seen: dict[str | float, str] = {}
    for label, amount in zip(labels, numbers(labels, decimal).tolist(), strict=True):
        other = seen.setdefault(label.casefold() if np.isnan(amount) else amount, label)
        if other != label:
            raise InputError(
                f"{where}: {other!r} and {label!r} differ in writing only: make them one"
            )


def _positive(texts: Texts, rare: str) -> tuple[str, str]:
    """The class that is looked for, and why it is this one."""
    speaking = [label for label in texts.values if _POSITIVE.match(label)]
    plain = [label for label in texts.values if _NEGATIVE.match(label)]
    if len(speaking) == 1:
        return speaking[0], "its name says so"
    if len(plain) == 1:
        other = next(label for label in texts.values if label != plain[0])
        return other, f"the other one, {plain[0]!r}, is the usual negative"
    if texts.counts[0] == texts.counts[1]:
        return sorted(texts.values)[-1], "the last of two equally frequent ones"
    return rare, f"the rarer one ({texts.counts.min() / texts.filled:.1%} of the rows)"
