"""fit: encoder and estimator on some rows; a part of train and search."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from sklearn.utils import get_tags
from sklearn.utils.validation import has_fit_parameter

from ...model import measures, targets
from ...model.encoder import Encoder, Encoding
from ...outside.progress import say
from ...project import function
from ...settings.config import CONFIG_FILE, Config, InputError
from ...tables.table import Columns, take
from . import encoding, libraries, supervised, transformer

Fold = tuple[np.ndarray, np.ndarray]  # booleans (n,): rows to learn from, rows to answer


def out_of_fold(
    config: Config, columns: Columns, folds: Iterable[Fold], said: str = "", **changes: Any
) -> Iterator[tuple[np.ndarray, Encoder, Any]]:
    """Of each fold the rows (n,) to answer, and what was fitted on the rows to learn from.

    `said` is what a terminal is told before each, with its number.
    """
    for number, (learn, test) in enumerate(folds, start=1):
        if said:
            say(f"{said} {number}")
        yield test, *fit(config, take(columns, learn), **changes)


def fit(config: Config, columns: Columns, **changes: Any) -> tuple[Encoder, Any]:
    """Encoder and estimator fitted on `columns`; `changes` go on top of model.params.

    Raises InputError for parameters the library refuses and for a fault of features.py or the
    project's own transformer.
    """
    estimator = function("build")(config, **changes)
    features, how = config.features, chosen(config, estimator)
    texts = {name for name, c in features.items() if c.type == "text" and not c.encoding}
    moments = {name: c for name, c in features.items() if c.type == "datetime"}
    try:
        learned = supervised.learn(config, columns, how)
        own = transformer.learn(config, columns)
        fitted = encoding.fit(columns, list(features), texts, how, learned, moments, own)
    except ValueError as error:
        raise InputError(str(error)) from error
    beside = libraries.settle(config, estimator, fitted.categorical, fitted.width)
    try:
        truth = targets.learned(config, columns[config.data.target])
        beside |= row_weights(config, columns, estimator, truth)
        matrix = supervised.training_matrix(fitted, columns, learned, own.columns if own else None)
        estimator.fit(matrix, truth, **beside)
    except Exception as error:
        if not isinstance(error, ValueError) and type(error).__name__ != "LightGBMError":
            raise
        reason = str(error).strip().splitlines()[0]
        raise InputError(f"{CONFIG_FILE}: model.params: {reason}") from error
    if config.data.task != "regression" and not hasattr(estimator, "predict_proba"):
        raise InputError(
            f"model.py: {type(estimator).__name__} has no predict_proba: wrap it, as in "
            f"CalibratedClassifierCV(estimator), or set probability=True where it has that"
        )
    scale = config.model.target
    return fitted, estimator if scale is None else targets.Answering(estimator, scale)


def row_weights(
    config: Config, columns: Columns, estimator: Any, truth: np.ndarray
) -> dict[str, Any]:
    """What `fit` is given so that rows count as data.weight and model.class_weight say, multiplied.

    Raises InputError for an estimator that takes no weights.
    """
    of_class = libraries.weights(config, estimator, truth)
    counts = measures.counted(config, columns)
    if counts is None:
        return of_class
    if not has_fit_parameter(estimator, "sample_weight"):
        raise InputError(
            f"{CONFIG_FILE}: data.weight: {type(estimator).__name__} takes no sample_weight: "
            f"choose another estimator, such as hist_gradient_boosting, or remove data.weight"
        )
    return {"sample_weight": counts * of_class.get("sample_weight", 1.0)}


def chosen(config: Config, estimator: Any) -> Encoding:
    """`auto` is ordinal for trees that take missing values, else onehot."""
    if config.model.encoding != "auto":
        return config.model.encoding
    tags = get_tags(estimator) if hasattr(estimator, "__sklearn_tags__") else None
    return "ordinal" if tags and tags.input_tags.allow_nan else "onehot"
