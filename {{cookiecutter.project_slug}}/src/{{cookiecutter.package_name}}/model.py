"""Yours: the estimator that is trained on the encoded matrix.

Add a line to ESTIMATORS, or build what you like in `build`: any scikit-learn classifier or
regressor will do. Names and parameters are chosen in model_config.yaml under `model`.
"""

from __future__ import annotations

from typing import Any

from ml_template import CONFIG_FILE, Config, InputError, library, parameters
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression, Ridge

ESTIMATORS = {  # name: (classifier, regressor)
    # of packages that requirements/extra.in names: lightgbm, xgboost-cpu
    "lightgbm": ("lightgbm:LGBMClassifier", "lightgbm:LGBMRegressor"),
    "xgboost": ("xgboost:XGBClassifier", "xgboost:XGBRegressor"),
    # of scikit-learn
    "hist_gradient_boosting": (HistGradientBoostingClassifier, HistGradientBoostingRegressor),
    "gradient_boosting": (GradientBoostingClassifier, GradientBoostingRegressor),
    "random_forest": (RandomForestClassifier, RandomForestRegressor),
    "extra_trees": (ExtraTreesClassifier, ExtraTreesRegressor),
    "linear": (LogisticRegression, Ridge),
}


def build(config: Config, **changes: Any) -> Any:
    """Unfitted estimator with the parameters of model_config.yaml, `changes` on top.

    Raises InputError naming an unknown estimator or parameter.
    """
    name = config.model.estimator
    if name not in ESTIMATORS:
        known = ", ".join(ESTIMATORS)
        raise InputError(f"{CONFIG_FILE}: model.estimator: unknown {name!r}: choose one of {known}")
    kind: Any = ESTIMATORS[name][config.data.task == "regression"]
    estimator = library(kind)() if isinstance(kind, str) else kind()
    allowed = parameters(estimator)
    params: dict[str, Any] = {"random_state": config.seed}
    if name in ("random_forest", "extra_trees"):
        params["n_jobs"] = config.compute.threads
    params = {key: value for key, value in params.items() if key in allowed}
    params |= config.model.params | changes
    for key in params:
        if key not in allowed:
            raise InputError(
                f"{CONFIG_FILE}: model.params: {name} has no parameter {key!r}: choose from "
                f"{', '.join(sorted(allowed))}"
            )
    return estimator.set_params(**params)
