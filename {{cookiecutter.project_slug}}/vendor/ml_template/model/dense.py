"""Dense nets as arrays: weights and biases in a row, scored by numpy alone.

A class of the user's that has `dense_layers()` is kept so, whatever trained it, and so are
scikit-learn's own nets.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from scipy.special import expit, ndtr

from ..settings.config import InputError
from .boosters import FLOAT32, of_library
from .fast import Scorer, answer

FORM = "dense"
BLOCK = 4096  # rows that are between two layers at once
# As PyTorch has them when nothing is set: another slope is seen, since the answers differ.
ACTIVATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "identity": lambda x: x,
    "relu": lambda x: np.maximum(x, 0),
    "leaky_relu": lambda x: np.maximum(x, 0.01 * x),
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "gelu": lambda x: x * ndtr(x),
    "silu": lambda x: x * expit(x),
    "sigmoid": expit,
    "softplus": lambda x: np.logaddexp(0, x),
    "tanh": np.tanh,
}
_OWN = {"logistic": "sigmoid", "softmax": "identity"}  # scikit-learn's names
Layer = tuple[np.ndarray, np.ndarray, str]  # weights (outputs, inputs), biases (outputs,), name


def export(estimator: Any) -> tuple[dict[str, Any], bytes] | None:
    """What is kept of a dense net; None for what is none.

    Answers of weights that are not float64 are held to the limit of float32. Raises InputError
    naming the layer that cannot be one.
    """
    layers = list(_layers(estimator))
    if not layers:
        return None
    kind = "<f8" if all(w.dtype == b.dtype == np.float64 for w, b, _ in layers) else "<f4"
    spec: dict[str, Any] = {
        "link": "logistic" if hasattr(estimator, "predict_proba") else "identity",
        "dtype": kind,
        "layers": [[*weights.shape, name] for weights, _, name in layers],
    }
    if kind == "<f4":
        spec["limit"] = FLOAT32
    parts = [part for weights, biases, _ in layers for part in (weights, biases)]
    return spec, b"".join(part.astype(kind).tobytes() for part in parts)


def _layers(estimator: Any) -> Iterator[Layer]:
    if hasattr(estimator, "dense_layers"):
        yield from _checked(type(estimator).__name__, estimator.dense_layers())
    elif of_library(estimator, "sklearn", ("MLPClassifier", "MLPRegressor")):
        last = estimator.out_activation_
        if last in ("identity", "logistic", "softmax"):  # the link makes probabilities
            inner = [estimator.activation] * (len(estimator.coefs_) - 1)
            for weights, biases, name in zip(
                estimator.coefs_, estimator.intercepts_, [*inner, "identity"], strict=True
            ):
                yield weights.T, biases, _OWN.get(name, name)


def _checked(owner: str, layers: Any) -> Iterator[Layer]:
    """What `dense_layers()` gives, as arrays; raises InputError naming the layer at fault."""
    before = None
    for at, layer in enumerate(layers, start=1):
        said = f"model.py: dense_layers() of {owner}: layer {at}"
        if not isinstance(layer, list | tuple) or len(layer) != 3:
            raise InputError(f"{said}: give (weights, biases, activation)")
        weights, biases, name = np.asarray(layer[0]), np.asarray(layer[1]), layer[2]
        if weights.ndim != 2 or biases.shape != weights.shape[:1]:
            raise InputError(
                f"{said}: weights {weights.shape} and biases {biases.shape} are not (outputs, "
                f"inputs) and (outputs,): hand them over as torch.nn.Linear has them"
            )
        if before is not None and weights.shape[1] != before:
            raise InputError(
                f"{said} takes {weights.shape[1]} numbers, and the one before gives {before}: "
                f"hand over every layer, in order"
            )
        if name not in ACTIVATIONS:
            raise InputError(f"{said}: {name!r} is none of {', '.join(ACTIVATIONS)}")
        if not (np.isfinite(weights).all() and np.isfinite(biases).all()):
            raise InputError(f"{said} has a weight that is no number: lower the learning rate")
        before = len(weights)
        yield weights, biases, name
    if before is None:
        raise InputError(f"model.py: dense_layers() of {owner} gives no layer: fit it first")


def require(estimator: Any, spec: dict[str, Any], found: float) -> None:
    """Raise InputError for layers that answer otherwise than who handed them over, by `found`."""
    if not hasattr(estimator, "dense_layers"):
        return
    asked = "predict_proba" if spec["link"] == "logistic" else "predict"
    raise InputError(
        f"model.py: dense_layers() of {type(estimator).__name__} answers differently from its "
        f"{asked} (by {found:.3g}, {spec['limit']:.0e} is allowed): hand over every layer with its "
        f"own activation, in the arithmetic that the net answers in (net.double() makes that "
        f"float64)"
    )


def load(spec: dict[str, Any], content: bytes) -> Scorer:
    """The scorer of layers; one row and many have the same bits.

    Each number of a layer is one sum over a row, by einsum: the last bits of a product of matrices
    depend on how many rows there are.
    """
    numbers, layers, at = np.frombuffer(content, spec["dtype"]).astype(np.float64), [], 0
    for outputs, inputs, name in spec["layers"]:
        weights = numbers[at : at + outputs * inputs].reshape(outputs, inputs)
        at += outputs * inputs + outputs
        layers.append((weights, numbers[at - outputs : at], ACTIVATIONS[name]))
    if at != len(numbers):
        raise ValueError(f"{len(numbers)} numbers, not {at}")
    link = spec["link"]

    def block(rows: np.ndarray) -> np.ndarray:
        for weights, biases, bend in layers:
            rows = bend(np.einsum("ij,kj->ik", rows, weights) + biases)
        return answer(rows, link)

    def score(matrix: np.ndarray) -> np.ndarray:
        rows = np.ascontiguousarray(matrix, np.float64)
        if len(rows) <= BLOCK:
            return block(rows)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            parts = pool.map(block, np.array_split(rows, -(-len(rows) // BLOCK)))
            return np.concatenate(list(parts))

    return score
