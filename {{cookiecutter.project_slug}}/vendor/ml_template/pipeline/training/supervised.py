"""supervised: columns that are encoded by what the target was with them; a part of fit.

The rows of a training see what the other rows say (cross-fitting): a number made from a row's own
target would be trusted more than it is worth. A service has what all training rows say.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import Ridge
from sklearn.model_selection import GroupKFold, KFold
from sklearn.preprocessing import TargetEncoder

from ...model import targets
from ...model.encoder import Encoder, Encoding
from ...model.profile import LEAST
from ...model.texts import LENGTHS, Unit
from ...project import function
from ...settings.config import Config
from ...tables.arrays import Columns, missing, rows
from ..data import split

FOLDS = 5
TERMS = 20_000  # of a column of texts, the most frequent ones
PENALTIES = (0.3, 1.0, 3.0, 10.0, 30.0)
ANALYZERS: dict[Unit, str] = {"words": "word", "characters": "char_wb"}
Folds = list[tuple[np.ndarray, np.ndarray]]  # rows to learn from, rows to encode
# What the training rows are encoded as (n, k), and the state that gives (value - shift) / scale.
Fitted = tuple[np.ndarray, Callable[[Any, Any], dict[str, Any]]]


@dataclass(frozen=True)
class Learned:
    """The state of a column, and what its training rows are encoded as: (n, width)."""

    state: dict[str, Any]
    crossed: np.ndarray


def learn(config: Config, columns: Columns, encoding: Encoding) -> dict[str, Learned]:
    """Each feature with an `encoding` of its own; for onehot on the scale that numbers have.

    Raises ValueError for texts without a term that is in enough rows.
    """
    wanted = {name: column.encoding for name, column in config.features.items() if column.encoding}
    if not wanted:
        return {}
    truth, parts, found = _truth(config, columns), folds(config, columns), {}
    for name, how in wanted.items():
        values = columns[name]
        if missing(values).all():
            continue  # the encoder says so of a column of any kind
        if how == "target":
            crossed, state = labels(values, truth, parts)
        else:
            crossed, state = texts(name, values, truth, parts, how)
        shift, scale = _scale(crossed) if encoding == "onehot" else (0.0, 1.0)
        found[name] = Learned(state(shift, scale), (crossed - shift) / scale)
    return found


def training_matrix(
    encoder: Encoder, columns: Columns, learned: dict[str, Learned], own: Columns | None = None
) -> np.ndarray:
    """The matrix (n, width) to train on: `apply`, with learned columns as they are cross-fitted.

    `own` are those of the project's own transformer.
    """
    others = [entry for entry in encoder.state if entry["name"] not in learned]
    others_alone = Encoder(encoder.inputs, others, encoder.own)
    if own is not None:
        plainly = function("features")
        others_alone.features = lambda known: plainly(known) | own
    plain = others_alone.apply(columns)
    if not learned:
        return plain
    blocks, at = [], 0
    for entry in encoder.state:
        if entry["name"] in learned:
            blocks.append(learned[entry["name"]].crossed)
        else:
            blocks.append(plain[:, at : (at := at + entry.get("width", 1))])
    return np.ascontiguousarray(np.concatenate(blocks, axis=1))


def _truth(config: Config, columns: Columns) -> np.ndarray:
    """What is averaged (n, k): the target, whether it is the positive class, or each class."""
    classes = config.data.labels
    truth = targets.learned(config, columns[config.data.target])
    if len(classes) <= 2:
        return truth.astype(np.float64)[:, None]
    return (truth[:, None] == np.arange(len(classes))).astype(np.float64)


def folds(config: Config, columns: Columns) -> Folds:
    """Whole groups where the hold-out is made of them, else rows by chance of the seed."""
    n, groups = rows(columns), split.clusters(config, columns)
    if groups is not None and groups.max() > 0:
        count = min(FOLDS, int(groups.max()) + 1)
        return list(GroupKFold(count).split(groups, groups=groups))
    draw = KFold(min(FOLDS, n), shuffle=True, random_state=config.seed)
    return list(draw.split(np.arange(n)))


def _scale(crossed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation (k,); 1 where all rows are alike."""
    deviation = crossed.std(axis=0)
    return crossed.mean(axis=0), np.where(deviation > 0, deviation, 1.0)


def labels(values: np.ndarray, truth: np.ndarray, folds: Folds) -> Fitted:
    """Each label of (n,) as the mean of `truth` (n, k) of its rows, drawn to that of all rows.

    A label of one row is as one never seen: in no fold was it known when it was asked for.
    """
    codes, known = pd.factorize(values, sort=True)
    codes[codes < 0] = len(known)  # a missing value is one more label
    size = len(known) + 2  # and the last was never seen
    often = np.bincount(codes, minlength=size) > 1
    draws = [smoothing(codes, column) for column in truth.T]

    def means(seen: np.ndarray) -> np.ndarray:
        found = [
            TargetEncoder(smooth=draw, target_type="continuous")
            .fit(codes[seen, None], column[seen])
            .transform(np.arange(size)[:, None])[:, 0]
            for column, draw in zip(truth.T, draws, strict=True)
        ]
        return np.stack(found, axis=1)

    def state(shift: Any, scale: Any) -> dict[str, Any]:
        table = ((whole - shift) / scale).tolist()
        kept = [at for at in range(len(known)) if often[at]]
        return {
            "kind": "target",
            "width": truth.shape[1],
            "codes": {known[at]: row for row, at in enumerate(kept)},
            "values": [table[at] for at in kept],
            "missing": table[-2 if often[-2] else -1],
            "other": table[-1],
        }

    whole = means(np.arange(len(codes)))
    return _crossed(truth, folds, lambda seen, rest: means(seen)[codes[rest]]), state


def smoothing(codes: np.ndarray, truth: np.ndarray) -> float:
    """Rows of the mean of all that are added to each label: its noise by what labels differ.

    Variance within by that between labels (n,), by the method of moments of one-way random effects
    (Searle, Casella and McCulloch 1992). scikit-learn's own choice takes the variance of each label
    by itself, and believes two rows that are alike without a doubt.
    """
    counts, sums = np.bincount(codes), np.bincount(codes, truth)
    counts, sums = counts[counts > 0], sums[counts > 0]
    n, k = len(codes), len(counts)
    if n == k:
        return float(n)
    explained = (sums**2 / counts).sum()
    within = ((truth**2).sum() - explained) / (n - k)
    spread = n - (counts**2).sum() / n
    between = (explained - truth.sum() ** 2 / n - (k - 1) * within) / max(spread, 1e-9)
    return float(min(within / between, n)) if between > 0 else float(n)


def texts(name: str, values: np.ndarray, truth: np.ndarray, folds: Folds, unit: Unit) -> Fitted:
    """TF-IDF of (n,) texts into a ridge regression on `truth` (n, k); see model/texts.py."""
    there = ~missing(values)
    vectorizer = TfidfVectorizer(
        analyzer=ANALYZERS[unit],
        ngram_range=LENGTHS[unit],
        min_df=LEAST,  # what fewer rows have may be a person
        max_features=TERMS,
        sublinear_tf=True,
    )
    try:
        vectorizer.fit(values[there])
    except ValueError:
        raise ValueError(
            f"{name!r}: none of its {unit} is in {LEAST} training rows: give it feature: false"
        ) from None
    matrix = vectorizer.transform(np.where(there, values, ""))
    penalty = _penalty(matrix, truth, *folds[0])

    def scores(seen: np.ndarray, rest: np.ndarray) -> np.ndarray:
        filled = seen[there[seen]]
        if not len(filled):  # one group has all texts
            return np.tile(_gap(truth[seen], ~there[seen]), (len(rest), 1))
        found = _ridge(matrix, truth, filled, penalty).predict(matrix[rest])
        found = found.reshape(len(rest), -1)
        found[~there[rest]] = _gap(truth[seen], ~there[seen])
        return found

    def state(shift: Any, scale: Any) -> dict[str, Any]:
        weights = np.atleast_2d(final.coef_) / np.reshape(scale, (-1, 1))
        names = vectorizer.get_feature_names_out().tolist()
        facts = zip(names, vectorizer.idf_.tolist(), weights.T.tolist(), strict=True)
        return {
            "kind": "text",
            "width": truth.shape[1],
            "unit": unit,
            "terms": {term: [idf, *row] for term, idf, row in facts},
            "intercepts": ((np.atleast_1d(final.intercept_) - shift) / scale).tolist(),
            "missing": ((_gap(truth, ~there) - shift) / scale).tolist(),
        }

    final = _ridge(matrix, truth, np.flatnonzero(there), penalty)
    return _crossed(truth, folds, scores), state


def _ridge(matrix: Any, truth: np.ndarray, at: np.ndarray, penalty: float) -> Ridge:
    return Ridge(penalty).fit(matrix[at], truth[at])


def _penalty(matrix: Any, truth: np.ndarray, seen: np.ndarray, rest: np.ndarray) -> float:
    """The penalty with the least squared error on the rows `rest`."""

    def error(penalty: float) -> float:
        found = _ridge(matrix, truth, seen, penalty).predict(matrix[rest])
        return float(((found.reshape(len(rest), -1) - truth[rest]) ** 2).sum())

    return min(PENALTIES, key=error)


def _gap(truth: np.ndarray, absent: np.ndarray) -> np.ndarray:
    """Mean (k,) of `truth` where a text is absent, with LEAST rows of the mean of all."""
    return (truth[absent].sum(axis=0) + LEAST * truth.mean(axis=0)) / (absent.sum() + LEAST)


def _crossed(
    truth: np.ndarray, folds: Folds, encode: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> np.ndarray:
    crossed = np.empty(truth.shape)
    for seen, rest in folds:
        crossed[rest] = encode(seen, rest)
    return crossed
