"""operating: the probability from which on the positive class is answered; a part of train.

It is chosen on answers to training rows by models that have not learned from them, never on the
hold-out, which is to say afterwards what it is worth.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ...model import forms, measures, metrics
from ...model.profile import LEAST
from ...settings.config import CONFIG_FILE, Config, InputError
from ...settings.learning import Threshold
from ...tables import small, table
from ...tables.table import Columns
from ..data import folds, split
from .fit import Fold, out_of_fold

FOLDS = 5
ENOUGH = 1_000  # rows of either class: the rates of more are known to a point or two
MOST = 200_000  # rows that a fold learns from: a model of more gives hardly other probabilities
# Of the highest F1, which is a peak of chance where positive rows are few: from there on the lowest
# threshold is taken, which finds more at hardly another F1.
AS_GOOD = 0.95


def choose(config: Config, columns: Columns, params: dict[str, Any]) -> dict[str, Any] | None:
    """{value, by, rows, rarer, flagged, precision, recall} of the training rows `columns`.

    `rarer`: rows of the rarer class; where that is a few, no rates tell of them. Of `at` only value
    and by: nothing is chosen. None where model_config.yaml names no threshold. Raises InputError
    where no row of one of the classes could be answered.
    """
    rule = config.model.threshold
    if rule is None:
        return None
    if rule.at is not None:
        return {"value": rule.at, "by": str(rule)}
    truth, score, counts = _answers(config, columns, params)
    positives, rows = int(truth.sum()), len(truth)
    if not 0 < float((counts * truth).sum()) < float(counts.sum()):
        raise InputError(
            f"{CONFIG_FILE}: model.threshold: the training rows have too few of a class to choose "
            f"it by {rule}: collect more rows, or name a number, such as threshold: 0.5"
        )
    value = pick(rule, truth, score, counts)
    rarer = small.count(min(positives, rows - positives), LEAST)
    point = {"value": value, "by": str(rule), "rows": rows, "rarer": rarer}
    if isinstance(rarer, str):
        return point
    flagged = float(counts[score >= value].sum())
    hits = float((counts * truth)[score >= value].sum())
    return point | {
        "flagged": flagged / float(counts.sum()),
        "precision": hits / flagged if flagged else 0.0,
        "recall": hits / float((counts * truth).sum()),
    }


def _answers(
    config: Config, columns: Columns, params: dict[str, Any]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Truth (n,), 1 for the positive class, probability (n,) and weight (n,) of rows.

    They are those of as many folds as do.
    """
    truth = metrics.encode_target(columns[config.data.target], config.data.labels)
    counts = measures.counted(config, columns)
    counts = np.ones(len(truth)) if counts is None else counts
    found = [(np.empty(0, int), np.empty(0), np.empty(0))]
    # where the rows of a class are all in one fold nobody could learn it
    whole = (
        (_some(learn, truth, config.seed), rest)
        for learn, rest in _folds(config, columns)
        if len(np.unique(truth[learn])) == len(config.data.labels)
    )
    fitted = out_of_fold(config, columns, whole, "train: threshold, fold", **params)
    for rest, encoder, estimator in fitted:
        answer = forms.plain_scorer(estimator)(encoder.apply(table.take(columns, rest)))
        found.append((truth[rest], answer[:, 1], counts[rest]))
        seen = np.bincount(np.concatenate([each for each, _, _ in found]), minlength=2)
        if seen.min() >= ENOUGH:
            break
    known, score, weight = map(np.concatenate, zip(*found, strict=True))
    return known, score, weight


def _folds(config: Config, columns: Columns) -> Iterator[Fold]:
    """Booleans (n,) of each fold: split as the hold-out was, by rows of each class or by groups.

    By time it is one: the newest rows again.
    """
    if config.split.time:
        yield split.once(config, columns)
        return
    other = config.model_copy(update={"seed": config.seed + 1})  # not the folds of split.folds
    fold = folds.fold_of(other, columns, folds.cut(other, columns, FOLDS))
    for part in range(FOLDS):
        if (fold == part).any():
            yield fold != part, fold == part


def _some(learn: np.ndarray, truth: np.ndarray, seed: int) -> np.ndarray:
    """MOST of the rows `learn`, booleans (n,), where they hold enough of either class, else all."""
    rows = np.flatnonzero(learn)
    share = MOST / max(len(rows), 1)
    if share >= 1 or np.bincount(truth[rows], minlength=2).min() * share < ENOUGH:
        return learn
    kept = np.zeros_like(learn)
    kept[np.random.default_rng(seed).choice(rows, MOST, replace=False)] = True
    return kept


def pick(
    rule: Threshold, truth: np.ndarray, score: np.ndarray, counts: np.ndarray | None = None
) -> float:
    """The threshold that `rule` asks for where `truth` (n,), 1 for positive, has `score` (n,).

    Rows count as `counts` (n,) says. It lies between two scores. Where a wanted precision is
    nowhere reached: that of the highest.
    """
    if rule.at is not None:
        return rule.at
    order = np.argsort(-score, kind="stable")
    last = np.flatnonzero(np.diff(score[order], append=np.nan))  # of each tie: they go together
    each = np.ones(len(truth)) if counts is None else counts[order]
    flagged = np.append(0, np.cumsum(each)[last])
    hits = np.append(0, np.cumsum(each * truth[order])[last])
    return _between(score[order][last], _best(rule, flagged, hits))


def _best(rule: Threshold, flagged: np.ndarray, hits: np.ndarray) -> int:
    """Which of the steps (k,), each with so many rows flagged and of them so many positive."""
    false, positives, rows = flagged - hits, hits[-1], flagged[-1]
    if rule.recall is not None:
        return int(np.argmax(hits >= rule.recall * positives - 1e-9))
    if rule.precision is not None:
        precision = hits / np.where(flagged > 0, flagged, 1)
        enough = np.flatnonzero(precision >= min(rule.precision, precision.max()))
        return int(enough[-1])
    if rule.share is not None:
        return int(np.argmin(np.abs(flagged - rule.share * rows)))
    if rule.best == "f1":
        f1 = 2 * hits / (flagged + positives)
        return int(np.flatnonzero(f1 >= AS_GOOD * f1.max())[-1])
    if rule.best == "balanced_accuracy":
        return int(np.argmax(hits / positives - false / (rows - positives)))
    costs = rule.costs
    assert costs is not None  # a rule has one form at least
    return int(np.argmin(costs.false_positive * false + costs.false_negative * (positives - hits)))


def _between(steps: np.ndarray, at: int) -> float:
    """A short number above which the first `at` of the falling scores (k,) lie, and no other."""
    high = float(steps[at - 1]) if at else 1.0
    low = float(steps[at]) if at < len(steps) else 0.0
    if not at and low >= 1.0:
        return float(np.nextafter(1.0, 2.0))  # nothing is flagged
    middle = (low + high) / 2
    short = float(f"{middle:.3g}")
    return short if low < short <= high else high if not low < middle <= high else middle


def said(config: Config, point: dict[str, Any]) -> str:
    """The point in one line for people."""
    positive, value = config.data.positive, point["value"]
    text = f"{positive!r} is answered from probability {value:.4g} on ({point['by']})"
    if "rows" not in point:
        return text
    if "recall" not in point:
        return f"{text}, chosen on {point['rarer']} rows of a class: it may as well be another"
    return (
        f"{text}: precision {point['precision']:.3f}, recall {point['recall']:.3f}, "
        f"{point['flagged']:.2%} of {point['rows']:,} rows of the training folds"
    )
