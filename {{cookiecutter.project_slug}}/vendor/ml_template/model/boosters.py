"""LightGBM and XGBoost as treelite keeps them: what training needs of them, the service does not.

LightGBM counts in float64, XGBoost in float32: its limit is that of its arithmetic.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Any

import numpy as np

from ..settings.config import InputError

FLOAT32 = 2e-6  # of the spread of the answers
CLASSES = {
    "lightgbm": ("LGBMClassifier", "LGBMRegressor"),
    "xgboost": ("XGBClassifier", "XGBRegressor"),
}
# What treelite says the sum of the trees becomes -> the link of fast.py.
LINKS = {
    "identity": "identity",
    "sigmoid": "logistic",
    "softmax": "logistic",
    "exponential": "exp",
    "signed_square": "signed_square",
}
_TASKS = {0: "kBinaryClf", 1: "kRegressor", 2: "kMultiClf"}


def of_library(estimator: Any, library: str, names: Container[str]) -> str | None:
    """The first class of `names` that `estimator` is one of, or a subclass of; None for another."""
    for kind in type(estimator).__mro__:
        if kind.__module__.partition(".")[0] == library and kind.__name__ in names:
            return str(kind.__name__)
    return None


def export(estimator: Any) -> tuple[dict[str, Any], bytes] | None:
    """What is kept of a fitted booster; None for what is none.

    Raises InputError for one that treelite does not read, or whose answers no link makes.
    """
    if type(estimator).__module__.partition(".")[0] == "catboost":
        raise InputError(
            "model.py: CatBoost is not kept: treelite does not read it, and its own file needs all "
            "of CatBoost in the service: choose lightgbm or xgboost"
        )
    library = next((name for name in CLASSES if of_library(estimator, name, CLASSES[name])), None)
    if library is None:
        return None
    import treelite

    name = type(estimator).__name__
    try:
        model = _from_lightgbm(estimator) if library == "lightgbm" else _from_xgboost(estimator)
    except (ValueError, treelite.TreeliteError) as error:  # XGBoost's own is a ValueError
        reason = " ".join(str(error).rpartition(": ")[2].split())[:200]
        raise InputError(
            f"model.py: treelite cannot keep {name} with these parameters ({reason}): choose others"
        ) from None
    head = model.get_header_accessor()
    found = head.get_field("postprocessor")
    if found not in LINKS:
        raise InputError(
            f"model.py: {name}: the answers of this objective ({found}) have no form: choose "
            f"another"
        )
    spec: dict[str, Any] = {"dtype": "float64", "link": LINKS[found]}
    if found == "sigmoid":
        spec["scale"] = float(head.get_field("sigmoid_alpha")[0])
    if library == "xgboost":
        spec |= {"dtype": "float32", "limit": FLOAT32}
    return spec, model.serialize_bytes()


def _from_lightgbm(estimator: Any) -> Any:
    from treelite.frontend import from_lightgbm

    return from_lightgbm(estimator.booster_)  # up to the best iteration, as LightGBM writes it


def _from_xgboost(estimator: Any) -> Any:
    """XGBoost begins a sum with the base score, treelite ends with it.

    In float32 that is another number (1e-4 of the spread for years): so the base scores become
    the first trees, of one leaf each.
    """
    import treelite
    from treelite.frontend import from_xgboost

    booster = estimator.get_booster()
    best = booster.attr("best_iteration")  # early stopping: what comes after is not asked
    model = from_xgboost(booster if best is None else booster[: int(best) + 1])
    head = model.get_header_accessor()
    if tuple(head.get_field("leaf_vector_shape")) != (1, 1):
        return model
    bases = _bases(head)
    head.set_field("base_scores", np.zeros(len(bases)))
    return treelite.Model.concatenate([_leaves(model, head, bases), model])


def _bases(head: Any) -> list[float]:
    """Margins before the first tree, rounded as XGBoost rounds them."""
    return [float(np.float32(base)) for base in head.get_field("base_scores")]


def _leaves(model: Any, head: Any, values: list[float]) -> Any:
    """A model of one leaf for each class, of the kind of `model`."""
    from treelite.model_builder import Metadata, ModelBuilder, PostProcessorFunc, TreeAnnotation

    count = len(values)
    task = _TASKS[int(head.get_field("task_type")[0])]
    classes = [int(number) for number in head.get_field("num_class")]
    builder = ModelBuilder(
        threshold_type="float32",
        leaf_output_type="float32",
        metadata=Metadata(model.num_feature, task, False, 1, classes, (1, 1)),
        tree_annotation=TreeAnnotation(count, [0] * count, list(range(count))),
        postprocessor=PostProcessorFunc(head.get_field("postprocessor")),
        base_scores=[0.0] * count,
    )
    for value in values:
        builder.start_tree()
        builder.start_node(0)
        builder.leaf(value)
        builder.end_node()
        builder.end_tree()
    return builder.commit()
