"""Estimators of libraries that a project adds: where they are, and what all of them are given."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.validation import has_fit_parameter

from ...model.boosters import CLASSES, of_library
from ...settings.config import CONFIG_FILE, Config, InputError

_WEIGHTS = ("class_weight", "scale_pos_weight", "is_unbalance")
PACKAGES = {"xgboost": "xgboost-cpu"}  # the package xgboost brings hundreds of MB for GPUs


def library(where: str) -> Any:
    """The class that "module:Class" names; raises InputError where its package is missing."""
    module, _, name = where.partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        package = PACKAGES.get(module, module)
        raise InputError(
            f"{CONFIG_FILE}: model.estimator: {package} is not installed: add {package} to "
            f"requirements/extra.in, then `make lock` and `make setup`"
        ) from None


def parameters(estimator: Any) -> set[str]:
    """Names of the parameters that `estimator` takes; of LightGBM's also what only its core knows.

    LightGBM says nothing of a name that is wrong, so its list of names is asked for.
    """
    names = set(estimator.get_params())
    if of_library(estimator, "lightgbm", CLASSES["lightgbm"]):
        from lightgbm.basic import _ConfigAliases

        for name, others in _ConfigAliases._get_all_param_aliases().items():
            names |= {name, *others}
    return names


def settle(config: Config, estimator: Any, categorical: list[int], width: int) -> dict[str, Any]:
    """Give an estimator and its parts threads, silence and what makes them repeatable.

    What a person has set stays. `categorical` are the columns of the matrix, of `width` columns,
    that hold codes; the answer is what `fit` is given beside the matrix.
    """
    deep = estimator.get_params() if hasattr(estimator, "get_params") else {}
    for part in (estimator, *deep.values()):
        if of_library(part, "lightgbm", CLASSES["lightgbm"]):
            _lightgbm(config, part)
        elif of_library(part, "xgboost", CLASSES["xgboost"]) and part.n_jobs is None:
            part.set_params(n_jobs=config.compute.threads)
    if config.model.quantile is not None:
        _answer_quantile(config, estimator)
    if "categorical_features" in deep:
        estimator.set_params(categorical_features=categorical or None)
    if categorical and of_library(estimator, "xgboost", CLASSES["xgboost"]):
        kinds = ["c" if at in categorical else "q" for at in range(width)]
        estimator.set_params(enable_categorical=True, feature_types=kinds)
    if categorical and of_library(estimator, "lightgbm", CLASSES["lightgbm"]):
        return {"categorical_feature": categorical}
    return {}


def weights(config: Config, estimator: Any, truth: np.ndarray) -> dict[str, np.ndarray]:
    """What `fit` is given so that classes count by model.class_weight: a weight for each row (n,).

    `truth` (n,) are class numbers. Raises InputError for an estimator whose `fit` takes none.
    """
    wanted, name = config.model.class_weight, type(estimator).__name__
    if not wanted:
        return {}
    if not has_fit_parameter(estimator, "sample_weight"):
        raise InputError(
            f"{CONFIG_FILE}: model.class_weight: fit of {name} takes no weights: remove the key, "
            f"or in model.py give class_weight to the estimator inside of it, where there is one"
        )
    given = estimator.get_params() if hasattr(estimator, "get_params") else {}
    if twice := [key for key in _WEIGHTS if given.get(key) not in (None, False, 1)]:
        raise InputError(
            f"{CONFIG_FILE}: model.class_weight: {twice[0]} of model.params weighs classes too: "
            f"remove one of the two"
        )
    labels = config.data.labels
    each = wanted if wanted == "balanced" else {labels.index(k): v for k, v in wanted.items()}
    return {"sample_weight": compute_sample_weight(each, truth)}


# What makes an estimator answer a quantile, and the name of its parameter for which one.
_QUANTILES: dict[tuple[str, str], tuple[dict[str, Any], str]] = {
    ("sklearn", "HistGradientBoostingRegressor"): ({"loss": "quantile"}, "quantile"),
    ("sklearn", "GradientBoostingRegressor"): ({"loss": "quantile"}, "alpha"),
    ("lightgbm", "LGBMRegressor"): ({"objective": "quantile"}, "alpha"),
    ("xgboost", "XGBRegressor"): ({"objective": "reg:quantileerror"}, "quantile_alpha"),
}


def _answer_quantile(config: Config, estimator: Any) -> None:
    """Have `estimator` answer model.quantile; raises InputError for one that has no way to."""
    found = [how for (of, name), how in _QUANTILES.items() if of_library(estimator, of, (name,))]
    asks = hasattr(estimator, "get_params") and "quantile" in estimator.get_params(deep=False)
    if not found and not asks:
        raise InputError(
            f"{CONFIG_FILE}: model.quantile: {type(estimator).__name__} answers no quantile: "
            f"choose hist_gradient_boosting, gradient_boosting, lightgbm or xgboost"
        )
    wanted, name = found[0] if found else ({}, "quantile")
    if twice := sorted({*wanted, name} & config.model.params.keys()):
        raise InputError(f"{CONFIG_FILE}: model.params: model.quantile sets {twice[0]}: remove it")
    estimator.set_params(**wanted, **{name: config.model.quantile})


def _lightgbm(config: Config, part: Any) -> None:
    """Equal sums with any number of threads, and no lines of its own on the screen."""
    given = {name for name, value in part.get_params().items() if value is not None}
    wanted = {
        "n_jobs": ({"n_jobs", "num_threads", "num_thread", "nthread", "nthreads"}, None),
        "verbosity": ({"verbosity", "verbose"}, -1),
        "deterministic": ({"deterministic"}, True),
        "force_row_wise": ({"force_row_wise", "force_col_wise"}, True),
    }
    for name, (names, value) in wanted.items():
        if not given & names:
            part.set_params(**{name: config.compute.threads if value is None else value})
