"""How a fitted estimator is kept and scored: as data, never as a pickle.

treelite: trees (exact under the conditions in TREES).   linear: coefficients as JSON.
skops:    any other scikit-learn estimator whose types stand in ALLOWED_TYPES; slower.

A scorer takes the encoded matrix (n, width), float64, and returns probabilities (n, k) or values
(n,).
"""

from __future__ import annotations

import ctypes
import io
import json
import os
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from scipy.special import expit

from ..settings.config import InputError

Scorer = Callable[[np.ndarray], np.ndarray]
MANY = 50_000  # rows from which trees are scored on every core
MAX_UNPACKED = 4 << 30  # bytes of a skops archive
MAX_DIFFERENCE = 1e-9  # between a fast form and scikit-learn

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

# Beyond what skops trusts by itself; plain data holders of scikit-learn, read one by one.
ALLOWED_TYPES = frozenset(
    {
        "sklearn._loss.loss.HalfTweedieLossIdentity",
        "sklearn.calibration._CalibratedClassifier",
        "sklearn.calibration._SigmoidCalibration",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.metrics._dist_metrics.EuclideanDistance64",
        "sklearn.neighbors._kd_tree.KDTree",
        "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
        "sklearn.tree._tree.Tree",
    }
)


def plain_scorer(estimator: Any) -> Scorer:
    """scikit-learn itself: what the fast forms are compared with."""
    return estimator.predict_proba if hasattr(estimator, "predict_proba") else estimator.predict


def export(estimator: Any, check: np.ndarray) -> tuple[dict[str, Any], bytes]:
    """Description {form, file, max_difference, rows, why, ...} and content of the kept form.

    `check` (n, width) holds the rows on which a fast form must agree with scikit-learn; where it
    does not, skops is used and `why` says so. Raises InputError for an estimator nothing can keep.
    """
    name = type(estimator).__name__
    why = f"{name} has no fast form"
    for form, make in (("treelite", _export_trees), ("linear", _export_linear)):
        made = make(estimator)
        if made is None:
            continue
        spec, content = made
        spec = {"form": form, "file": FILES[form]} | spec
        gap = difference(scorer(spec, content)(check), plain_scorer(estimator)(check))
        if gap <= MAX_DIFFERENCE:
            why = f"agrees with scikit-learn on {len(check):,} rows"
            return spec | {"max_difference": gap, "rows": len(check), "why": why}, content
        why = f"the {form} form of {name} differs from scikit-learn by {gap:.3g}"
    spec = {"form": "skops", "file": FILES["skops"]}
    content = _export_skops(estimator)
    gap = difference(scorer(spec, content)(check), plain_scorer(estimator)(check))
    if not gap <= MAX_DIFFERENCE:
        raise InputError(f"model.py: {name} answers differently after saving: choose another")
    return spec | {"max_difference": gap, "rows": len(check), "why": why}, content


def difference(left: np.ndarray, right: np.ndarray) -> float:
    """Largest absolute difference; infinity where shapes differ or a value is not finite."""
    if left.shape != right.shape or not (np.isfinite(left).all() and np.isfinite(right).all()):
        return float("inf")
    scale = np.maximum(1.0, np.abs(right))  # relative for large regression values
    return float(np.max(np.abs(left - right) / scale, initial=0.0))


def scorer(spec: dict[str, Any], content: bytes) -> Scorer:
    """Scorer of a kept form; raises InputError when the content is not of that form."""
    try:
        return LOADERS[spec["form"]](spec, content)
    except KeyError as error:
        raise InputError(f"model.json: unknown or incomplete form {error}: train again") from None
    except InputError:
        raise
    except Exception as error:  # whatever a library says of a file that is not its own
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"{spec['file']} is no {spec['form']} model ({reason}): train again"
        ) from None


def _answer(margin: np.ndarray, link: str) -> np.ndarray:
    """Margins (n, k) to probabilities (n, max(k, 2)) by logistic or softmax; or to values (n,)."""
    if link == "identity":
        return margin[:, 0] if margin.shape[1] == 1 else margin
    if margin.shape[1] == 1:
        positive = expit(margin)
        return np.concatenate((1 - positive, positive), axis=1)
    power = np.exp(margin - margin.max(axis=1, keepdims=True))
    return power / power.sum(axis=1, keepdims=True)


def _export_trees(estimator: Any) -> tuple[dict[str, Any], bytes] | None:
    kind = TREES.get(type(estimator).__name__)
    if kind is None:
        return None
    import treelite.sklearn

    with np.errstate(invalid="ignore"):  # a missing value among the categories is no number
        content = treelite.sklearn.import_model(estimator).serialize_bytes()
    return {"dtype": kind[0], "link": kind[1]}, content


def _load_trees(spec: dict[str, Any], content: bytes) -> Scorer:
    """Calls treelite's documented C function itself: its Python wrapper costs a row 17 us more."""
    import treelite
    from treelite.core import _LIB
    from treelite.gtil.gtil import GTILConfig

    cast, link = spec["dtype"], spec["link"]
    model = treelite.Model.deserialize_bytes(content)
    settings = GTILConfig(nthread=1, predict_type="raw")
    kind, features = model.input_type, model.num_feature
    probe = np.zeros((1, features), dtype=kind)
    sample = treelite.gtil.predict(model, probe, nthread=1, pred_margin=True)
    width, dtype, name = sample.shape[2], sample.dtype, kind.encode()
    if sample.shape[1] != 1:
        raise InputError("model.treelite has several targets: train again")
    predict = _LIB["TreeliteGTILPredict"]  # a function object of our own
    address = ctypes.c_void_p
    predict.argtypes = [address, address, ctypes.c_char_p, ctypes.c_uint64, address, address]

    def margins(rows: np.ndarray) -> np.ndarray:
        margin = np.zeros((len(rows), width), dtype)
        if predict(
            model.handle, rows.ctypes.data, name, len(rows), margin.ctypes.data, settings.handle
        ):
            raise RuntimeError(_LIB.TreeliteGetLastError().decode())
        return margin

    def score(matrix: np.ndarray) -> np.ndarray:
        if matrix.shape[1] != features:  # the C function would read past the end
            raise ValueError(f"{matrix.shape[1]} columns, not {features}")
        if matrix.dtype != cast:
            matrix = matrix.astype(cast)
        rows = np.ascontiguousarray(matrix, kind)
        if len(rows) < MANY:
            return _answer(margins(rows), link)
        cores = os.cpu_count() or 1  # rows do not know of each other: the answers are the same
        with ThreadPoolExecutor(cores) as pool:
            parts = list(pool.map(margins, np.array_split(rows, cores)))
        return _answer(np.concatenate(parts), link)

    return score


def _export_linear(estimator: Any) -> tuple[dict[str, Any], bytes] | None:
    link = LINEAR.get(type(estimator).__name__)
    if link is None:
        return None
    state = {
        "coefficients": np.atleast_2d(estimator.coef_).tolist(),
        "intercepts": np.atleast_1d(estimator.intercept_).astype(float).tolist(),
    }
    return {"link": link}, json.dumps(state, allow_nan=False).encode()


def _load_linear(spec: dict[str, Any], content: bytes) -> Scorer:
    state = json.loads(content)
    coefficients = np.array(state["coefficients"], dtype=np.float64)
    intercepts = np.array(state["intercepts"], dtype=np.float64)
    link = spec["link"]

    def score(matrix: np.ndarray) -> np.ndarray:
        # A sum for each row, not a matrix product: its last bits would depend on n.
        margin = np.stack([(matrix * row).sum(axis=1) for row in coefficients], axis=1)
        return _answer(margin + intercepts, link)

    return score


def _export_skops(estimator: Any) -> bytes:
    import skops.io

    content = skops.io.dumps(estimator)
    unknown = set(skops.io.get_untrusted_types(data=content)) - ALLOWED_TYPES
    if unknown:
        raise InputError(
            f"model.py: {type(estimator).__name__} holds {', '.join(sorted(unknown))}, which may "
            f"not be loaded in serving: choose another estimator, or read that type and add it to "
            f"ALLOWED_TYPES in forms.py"
        )
    return _without_addresses(content)


def _without_addresses(content: bytes) -> bytes:
    """The same skops archive without memory addresses and times, so that equal models are equal."""
    source = zipfile.ZipFile(io.BytesIO(content))
    numbers: dict[str, str] = {}

    def renumber(node: Any) -> Any:
        if isinstance(node, dict):
            if "__id__" in node:
                node["__id__"] = int(numbers.setdefault(str(node["__id__"]), str(len(numbers))))
            if isinstance(node.get("file"), str):
                stem, dot, suffix = node["file"].partition(".")
                node["file"] = numbers.setdefault(stem, str(len(numbers))) + dot + suffix
            return {key: renumber(value) for key, value in node.items()}
        return [renumber(value) for value in node] if isinstance(node, list) else node

    schema = renumber(json.loads(source.read("schema.json")))
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("schema.json"), json.dumps(schema))
        renamed = {}
        for name in source.namelist():
            stem, dot, suffix = name.partition(".")
            if stem in numbers:
                renamed[numbers[stem] + dot + suffix] = source.read(name)
        for name, data in sorted(renamed.items()):
            archive.writestr(zipfile.ZipInfo(name), data)
    return target.getvalue()


def _load_skops(spec: dict[str, Any], content: bytes) -> Scorer:
    import skops.io

    if not zipfile.is_zipfile(io.BytesIO(content)):
        raise InputError("model.skops is no skops archive: train again")
    unpacked = sum(member.file_size for member in zipfile.ZipFile(io.BytesIO(content)).infolist())
    if unpacked > MAX_UNPACKED:  # a zip archive gives no more than it says it holds
        raise InputError(f"model.skops unpacks to more than {MAX_UNPACKED:,} bytes: train again")
    unknown = set(skops.io.get_untrusted_types(data=content)) - ALLOWED_TYPES
    if unknown:
        raise InputError(f"model.skops holds types that may not be loaded: {sorted(unknown)}")
    return plain_scorer(skops.io.loads(content, trusted=sorted(ALLOWED_TYPES)))


FILES = {"treelite": "model.treelite", "linear": "linear.json", "skops": "model.skops"}
LOADERS: dict[str, Callable[[dict[str, Any], bytes], Scorer]] = {
    "treelite": _load_trees,
    "linear": _load_linear,
    "skops": _load_skops,
}
