"""The fast forms of an estimator: trees, scored by treelite, and the coefficients of linear models.

Trees of LightGBM and XGBoost are translated by boosters.py.

A scorer takes the encoded matrix (n, width), float64, and returns probabilities (n, k) or values
(n,).
"""

from __future__ import annotations

import ctypes
import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from scipy.special import expit

from ..settings.config import InputError
from . import boosters
from .boosters import of_library

Scorer = Callable[[np.ndarray], np.ndarray]
MANY = 50_000  # rows from which trees are scored on every core

# Class -> (what scikit-learn casts the matrix to, how the sum of the trees becomes the answer).
TREES = {
    "HistGradientBoostingClassifier": ("float64", "logistic"),
    "HistGradientBoostingRegressor": ("float64", "identity"),
    "GradientBoostingClassifier": ("float32", "logistic"),
    "GradientBoostingRegressor": ("float32", "identity"),
    "RandomForestClassifier": ("float32", "identity"),
    "RandomForestRegressor": ("float32", "identity"),
    "ExtraTreesClassifier": ("float32", "identity"),
    "ExtraTreesRegressor": ("float32", "identity"),
}
LINEAR = {"LogisticRegression": "logistic", "Ridge": "identity", "LinearRegression": "identity"}


# Values of a margin; `logistic` alone makes probabilities: by softmax where there are more of them.
VALUES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "identity": lambda margin: margin,
    "exp": np.exp,
    "signed_square": lambda margin: margin * np.abs(margin),
}


def answer(margin: np.ndarray, link: str) -> np.ndarray:
    """Margins (n, k) to probabilities (n, max(k, 2)) by logistic or softmax; or to values (n,)."""
    if link in VALUES:
        values = VALUES[link](margin)
        return values[:, 0] if values.shape[1] == 1 else values
    if margin.shape[1] == 1:
        positive = expit(margin)
        return np.concatenate((1 - positive, positive), axis=1)
    power = np.exp(margin - margin.max(axis=1, keepdims=True))
    return power / power.sum(axis=1, keepdims=True)


def export_trees(estimator: Any) -> tuple[dict[str, Any], bytes] | None:
    """What is kept of trees; None for what is none."""
    name = of_library(estimator, "sklearn", TREES)
    if name is None:
        return boosters.export(estimator)
    import treelite.sklearn

    dtype, link = TREES[name]
    with np.errstate(invalid="ignore"):  # a missing value among the categories is no number
        content = treelite.sklearn.import_model(estimator).serialize_bytes()
    return {"dtype": dtype, "link": link}, content


def load_trees(spec: dict[str, Any], content: bytes) -> Scorer:
    """Calls treelite's documented C function itself: its Python wrapper costs a row 17 us more."""
    import treelite
    from treelite.core import _LIB
    from treelite.gtil.gtil import GTILConfig

    cast, link, scale = spec["dtype"], spec["link"], spec.get("scale", 1.0)
    model = treelite.Model.deserialize_bytes(content)
    settings = GTILConfig(nthread=1, predict_type="raw")
    kind, features = model.input_type, model.num_feature
    probe = np.zeros((1, features), dtype=kind)
    sample = treelite.gtil.predict(model, probe, nthread=1, pred_margin=True)
    width, dtype, name = sample.shape[2], sample.dtype, kind.encode()
    if sample.shape[1] != 1:
        raise InputError("model.treelite has several targets: train again")
    plain = dtype == np.float64 and scale == 1.0
    predict = _LIB["TreeliteGTILPredict"]  # a function object of our own
    address = ctypes.c_void_p
    predict.argtypes = [address, address, ctypes.c_char_p, ctypes.c_uint64, address, address]

    def margins(rows: np.ndarray) -> np.ndarray:
        margin = np.zeros((len(rows), width), dtype)
        if predict(
            model.handle, rows.ctypes.data, name, len(rows), margin.ctypes.data, settings.handle
        ):
            raise RuntimeError(_LIB.TreeliteGetLastError().decode())
        return margin if plain else margin.astype(np.float64) * scale

    def score(matrix: np.ndarray) -> np.ndarray:
        if matrix.shape[1] != features:  # the C function would read past the end
            raise ValueError(f"{matrix.shape[1]} columns, not {features}")
        if matrix.dtype != cast:
            matrix = matrix.astype(cast)
        rows = np.ascontiguousarray(matrix, kind)
        if len(rows) < MANY:
            return answer(margins(rows), link)
        cores = os.cpu_count() or 1  # rows do not know of each other: the answers are the same
        with ThreadPoolExecutor(cores) as pool:
            parts = list(pool.map(margins, np.array_split(rows, cores)))
        return answer(np.concatenate(parts), link)

    return score


def export_linear(estimator: Any) -> tuple[dict[str, Any], bytes] | None:
    """What is kept of a linear model; None for what is none."""
    name = of_library(estimator, "sklearn", LINEAR)
    if name is None:
        return None
    state = {
        "coefficients": np.atleast_2d(estimator.coef_).tolist(),
        "intercepts": np.atleast_1d(estimator.intercept_).astype(float).tolist(),
    }
    return {"link": LINEAR[name]}, json.dumps(state, allow_nan=False).encode()


def load_linear(spec: dict[str, Any], content: bytes) -> Scorer:
    """The scorer of coefficients."""
    state = json.loads(content)
    coefficients = np.array(state["coefficients"], dtype=np.float64)
    intercepts = np.array(state["intercepts"], dtype=np.float64)
    link = spec["link"]

    def score(matrix: np.ndarray) -> np.ndarray:
        # A sum for each row, not a matrix product: its last bits would depend on n.
        margin = np.stack([(matrix * row).sum(axis=1) for row in coefficients], axis=1)
        return answer(margin + intercepts, link)

    return score
