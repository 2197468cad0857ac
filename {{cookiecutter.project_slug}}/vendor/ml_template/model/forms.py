"""How a fitted estimator is kept and scored: as data, never as a pickle.

treelite: trees (exact under the conditions in TREES).   linear: coefficients as JSON.
dense:    weights of nets.
skops:    any other scikit-learn estimator whose types stand in ALLOWED_TYPES; slower.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..settings.config import CONFIG_FILE, InputError
from . import dense, targets, trust
from .boosters import FLOAT32
from .fast import Scorer, export_linear, export_trees, load_linear, load_trees
from .metrics import chosen

MAX_UNPACKED = 4 << 30  # bytes of a skops archive
MAX_DIFFERENCE = 1e-9  # between a form and what was trained; a form of float32 has its own
LIBRARIES = {"lightgbm": "LightGBM", "sklearn": "scikit-learn", "xgboost": "XGBoost"}

# Beyond what skops trusts by itself; plain data holders, read one by one.
ALLOWED_TYPES = frozenset(
    {
        "collections.OrderedDict",
        "numpy.dtype",
        "sklearn._loss.loss.HalfTweedieLossIdentity",
        "sklearn.calibration._CalibratedClassifier",
        "sklearn.calibration._SigmoidCalibration",
        "sklearn.gaussian_process._gpc._BinaryGaussianProcessClassifierLaplace",
        *(
            f"sklearn.gaussian_process.kernels.{name}"
            for name in (
                *("CompoundKernel", "ConstantKernel", "DotProduct", "ExpSineSquared"),
                *("Exponentiation", "Matern", "Product", "RBF", "RationalQuadratic", "Sum"),
                *("PairwiseKernel", "WhiteKernel"),
            )
        ),
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.metrics._dist_metrics.EuclideanDistance64",
        "sklearn.neighbors._kd_tree.KDTree",
        "sklearn.neighbors._ball_tree.BallTree",
        "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
        "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
        "sklearn.tree._tree.Tree",
        "sklearn.utils._bunch.Bunch",
    }
)


def plain_scorer(estimator: Any) -> Scorer:
    """scikit-learn itself: what the fast forms are compared with."""
    return estimator.predict_proba if hasattr(estimator, "predict_proba") else estimator.predict


def export(
    estimator: Any,
    check: np.ndarray,
    trusted: Sequence[str] = (),
    threshold: float | None = None,
    edges: int = 0,
) -> tuple[dict[str, Any], bytes]:
    """Description {form, file, limit, max_difference, rows, why, ...} and content of the kept form.

    `check` (n, width) holds the rows on which a fast form must agree with what was trained, see
    `gap`; where it does not, skops is used and `why` says so. The last `edges` of them lie outside
    the data: their answers are no part of the spread of the others. Types of `trusted` may be in
    it, see trust.py. A label flips at `threshold`, see metrics.chosen. Raises InputError for an
    estimator nothing can keep.
    """
    plain, scale = plain_scorer(estimator)(check), {}
    if isinstance(estimator, targets.Answering):
        estimator, scale = estimator.inner, {"target": estimator.scale}
    name = type(estimator).__name__
    library = LIBRARIES.get(type(estimator).__module__.partition(".")[0], name)
    why = f"{name} has no fast form"
    for form, (file, make, _) in FORMS.items():
        made = make(estimator) if make else _export_skops(estimator, trusted, why)
        if made is None:
            continue
        content = made[1]
        spec: dict[str, Any] = {"form": form, "file": file, "limit": MAX_DIFFERENCE} | made[0]
        spec |= scale
        if limit(spec) > MAX_DIFFERENCE:
            spec["spread"] = float(np.ptp(plain[: len(plain) - edges]))
            spec |= {} if threshold is None else {"threshold": threshold}
        found = _found(spec, scorer(spec, content)(check), plain, edges)
        if found <= limit(spec):
            if form != SLOW:
                why = f"agrees with {library} on {len(check):,} rows"
            return spec | {"max_difference": found, "rows": len(check), "why": why}, content
        if form == dense.FORM:
            dense.require(estimator, spec, found)
        why = f"the {form} form of {name} differs from {library} by {found:.3g}"
    raise InputError(f"model.py: {name} answers differently after saving: choose another ({why})")


def _found(spec: dict[str, Any], made: np.ndarray, plain: np.ndarray, edges: int) -> float:
    """The `gap` of all rows; rows of the edge may answer in thousands of the spread, by their own.

    A net goes on as it went at the last row it learned from.
    """
    inner = len(plain) - edges
    wide = spec | ({"spread": float(np.ptp(plain))} if "spread" in spec else {})
    return max(gap(spec, made[:inner], plain[:inner]), gap(wide, made[inner:], plain[inner:]))


def limit(spec: dict[str, Any]) -> float:
    """The largest `gap` of a form; a model of an older release does not state it."""
    return min(float(spec.get("limit", MAX_DIFFERENCE)), FLOAT32)


def gap(spec: dict[str, Any], left: np.ndarray, right: np.ndarray) -> float:
    """How far apart two answers to the same rows are, to be compared with `limit`.

    Of a form of float64: see `difference`. Of float32: in parts of the spread that the answers
    had in training, and infinity where a label flips.
    """
    if "spread" not in spec:
        return difference(left, right)
    if not _comparable(left, right):
        return float("inf")
    apart = float(np.max(np.abs(left - right), initial=0.0))
    at = spec.get("threshold")
    flips = left.ndim == 2 and bool((chosen(left, at) != chosen(right, at)).any())
    if apart and (flips or not spec["spread"]):
        return float("inf")
    return apart / spec["spread"] if apart else 0.0


def _comparable(left: np.ndarray, right: np.ndarray) -> bool:
    return left.shape == right.shape and bool(np.isfinite(left).all() and np.isfinite(right).all())


def difference(left: np.ndarray, right: np.ndarray) -> float:
    """Largest absolute difference; infinity where shapes differ or a value is not finite."""
    if not _comparable(left, right):
        return float("inf")
    scale = np.maximum(1.0, np.abs(right))  # relative for large regression values
    return float(np.max(np.abs(left - right) / scale, initial=0.0))


def scorer(spec: dict[str, Any], content: bytes) -> Scorer:
    """Scorer of a kept form; raises InputError when the content is not of that form."""
    try:
        _, _, load = FORMS[spec["form"]]
        score, scale = load(spec, content), spec.get("target")
        if scale is None:
            return score
        back = targets.back(scale)
        return lambda matrix: back(score(matrix))
    except KeyError as error:
        raise InputError(f"model.json: unknown or incomplete form {error}: train again") from None
    except InputError:
        raise
    except Exception as error:  # whatever a library says of a file that is not its own
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"{spec['file']} is no {spec['form']} model ({reason}): train again"
        ) from None


def _export_skops(estimator: Any, trusted: Sequence[str], why: str) -> tuple[dict[str, Any], bytes]:
    import skops.io

    known = trust.checked(trusted)
    try:
        content = skops.io.dumps(estimator)
    except Exception as error:  # whatever a library says that is no data holder
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"model.py: {type(estimator).__name__} cannot be kept as data ({reason}): choose "
            f"another estimator; a neural network hands over dense_layers(), see docs/network.md"
        ) from error
    held = _not_allowed(content)
    if unknown := [name for name in held if name not in known]:
        raise InputError(
            f"model.py: {type(estimator).__name__} holds {', '.join(unknown)}, which may "
            f"not be loaded in serving ({why}): choose another estimator, or read that type and "
            f"name it under trusted in {CONFIG_FILE}: model.trusted: {', '.join(held)}"
        )
    return {"trusted": held} if held else {}, _without_addresses(content)


def _not_allowed(content: bytes) -> list[str]:
    import skops.io

    return sorted(set(skops.io.get_untrusted_types(data=content)) - ALLOWED_TYPES)


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
        parts = [(name, *name.partition(".")) for name in source.namelist()]
        old = {numbers[stem] + dot + end: name for name, stem, dot, end in parts if stem in numbers}
        for name in sorted(old):
            archive.writestr(zipfile.ZipInfo(name), source.read(old[name]))
    return target.getvalue()


def _load_skops(spec: dict[str, Any], content: bytes) -> Scorer:
    import skops.io

    if not zipfile.is_zipfile(io.BytesIO(content)):
        raise InputError("model.skops is no skops archive: train again")
    unpacked = sum(member.file_size for member in zipfile.ZipFile(io.BytesIO(content)).infolist())
    if unpacked > MAX_UNPACKED:  # a zip archive gives no more than it says it holds
        raise InputError(f"model.skops unpacks to more than {MAX_UNPACKED:,} bytes: train again")
    stated = spec.get("trusted", [])
    if unknown := [name for name in _not_allowed(content) if name not in stated]:
        raise InputError(f"model.skops holds types that may not be loaded: {unknown}")
    known = [*sorted(ALLOWED_TYPES), *trust.checked(stated)]
    return plain_scorer(skops.io.loads(content, trusted=known))


SLOW = "skops"
Make = Callable[[Any], tuple[dict[str, Any], bytes] | None]
# Form: its file, what makes it of an estimator (None: it is not for that one), what loads it.
FORMS: dict[str, tuple[str, Make | None, Callable[[dict[str, Any], bytes], Scorer]]] = {
    "treelite": ("model.treelite", export_trees, load_trees),
    "linear": ("linear.json", export_linear, load_linear),
    dense.FORM: ("dense.bin", dense.export, dense.load),
    SLOW: ("model.skops", None, _load_skops),
}
