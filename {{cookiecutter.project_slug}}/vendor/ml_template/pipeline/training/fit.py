"""fit: encoder and estimator on some rows; a part of train and search."""

from __future__ import annotations

from typing import Any

from sklearn.utils import get_tags
from sklearn.utils._param_validation import InvalidParameterError

from ...model import metrics
from ...model.encoder import Encoder, Encoding
from ...project import function
from ...settings.config import CONFIG_FILE, Config, InputError
from ...tables.table import Columns
from . import encoding


def fit(config: Config, columns: Columns, **changes: Any) -> tuple[Encoder, Any]:
    """Encoder and estimator fitted on `columns`; `changes` go on top of model.params.

    Raises InputError for parameters scikit-learn refuses and for a fault of features.py.
    """
    estimator = function("build")(config, **changes)
    texts = {name for name, column in config.features.items() if column.type == "text"}
    moments = {n: column for n, column in config.features.items() if column.type == "datetime"}
    how = chosen(config, estimator)
    try:
        fitted = encoding.fit(columns, list(config.features), texts, how, moments)
    except ValueError as error:
        raise InputError(str(error)) from error
    if "categorical_features" in estimator.get_params():
        estimator.set_params(categorical_features=fitted.categorical or None)
    try:
        truth = metrics.encode_target(columns[config.data.target], config.data.labels)
        estimator.fit(fitted.apply(columns), truth)
    except InvalidParameterError as error:
        raise InputError(f"{CONFIG_FILE}: model.params: {error}") from None
    return fitted, estimator


def chosen(config: Config, estimator: Any) -> Encoding:
    """`auto` is ordinal for trees that take missing values, else onehot."""
    if config.model.encoding != "auto":
        return config.model.encoding
    return "ordinal" if get_tags(estimator).input_tags.allow_nan else "onehot"
