"""Dense nets: kept as arrays, equal to who trained them, one row as in a million."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from ml_template.model import dense, forms
from ml_template.settings.config import InputError
from scipy.special import expit, softmax
from sklearn.neural_network import MLPClassifier, MLPRegressor

random = np.random.default_rng(0)
ROWS, WIDTH = 2000, 7
MATRIX = random.normal(size=(ROWS, WIDTH))
EDGE = np.array([[0.0] * WIDTH, [1e12] * WIDTH, [-1e12] * WIDTH])
CHECK = np.concatenate([MATRIX, EDGE])
VALUE = MATRIX[:, 0] + MATRIX[:, 1] ** 2
BENDS = {
    "relu": lambda x: np.maximum(x, 0),
    "tanh": np.tanh,
    "silu": lambda x: x * expit(x),
    "identity": lambda x: x,
}
Layers = list[tuple[np.ndarray, np.ndarray, str]]


def layers(*widths: int, bend: str = "relu") -> Layers:
    """Layers of these widths with numbers by chance."""
    draw, sizes = np.random.default_rng(1), list(pairwise(widths))
    names = [bend] * (len(sizes) - 1) + ["identity"]
    return [
        (draw.normal(size=(o, i)) / np.sqrt(i), draw.normal(size=o), name)
        for (i, o), name in zip(sizes, names, strict=True)
    ]


class Net:
    """What PyTorch would have trained: a net that answers by products of matrices, in `kind`."""

    def __init__(self, made: Layers, kind: str = "float64", scale: float = 1.0) -> None:
        self.kind, self.scale = kind, scale
        self.made = [(w.astype(kind), b.astype(kind), name) for w, b, name in made]

    def fit(self, matrix: np.ndarray, truth: np.ndarray) -> Net:
        return self

    def margin(self, matrix: np.ndarray) -> np.ndarray:
        rows = matrix.astype(self.kind)
        for weights, biases, name in self.made:
            rows = BENDS[name](rows @ weights.T + biases)
        return rows

    def predict(self, matrix: np.ndarray) -> np.ndarray:
        return self.margin(matrix)[:, 0].astype(np.float64)

    def dense_layers(self) -> Any:
        return self.made


class Classifier(Net):
    """One number a row is a probability of two, more are one of each class."""

    def predict_proba(self, matrix: np.ndarray) -> np.ndarray:
        margin = self.margin(matrix).astype(np.float64)
        if margin.shape[1] == 1:
            return np.concatenate((expit(-margin), expit(margin)), axis=1)
        return np.asarray(softmax(margin, axis=1))


NETS = [
    Net(layers(WIDTH, 16, 8, 1)),
    Net(layers(WIDTH, 16, 1, bend="tanh"), "float32"),
    Classifier(layers(WIDTH, 16, 8, 1, bend="silu")),
    Classifier(layers(WIDTH, 16, 2), "float32"),
    Classifier(layers(WIDTH, 5, 3, bend="tanh")),
]


@pytest.mark.parametrize("net", NETS)
def test_a_net_is_kept_as_arrays_and_answers_as_it_did(net: Net) -> None:
    spec, content = forms.export(net, CHECK, edges=len(EDGE))
    assert spec["form"] == "dense"
    assert f"agrees with {type(net).__name__}" in spec["why"]
    assert forms.limit(spec) == (1e-9 if net.kind == "float64" else 2e-6)
    plain = forms.plain_scorer(net)(MATRIX)
    atol = 1e-12 if net.kind == "float64" else 1e-5
    np.testing.assert_allclose(forms.scorer(spec, content)(MATRIX), plain, rtol=0, atol=atol)
    assert len(content) == sum(w.nbytes + b.nbytes for w, b, _ in net.made)


@pytest.mark.parametrize("net", [*NETS, Net(layers(1, 1)), Classifier(layers(40, 130, 1))])
def test_one_row_has_the_bits_it_has_among_many(net: Net) -> None:
    width = net.made[0][0].shape[1]
    spec, content = forms.export(net, random.normal(size=(50, width)))
    score = forms.scorer(spec, content)
    many = random.normal(size=(dense.BLOCK + 77, width))
    whole = score(many)
    for n in (1, 2, 3, 7, 64, 1001):
        np.testing.assert_array_equal(score(many[:n]), whole[:n])
        np.testing.assert_array_equal(score(np.asfortranarray(many[-n:])), whole[-n:])


def wrong_bias(made: Layers) -> Layers:
    return [(w, b + 1e-4 * (at == 0), name) for at, (w, b, name) in enumerate(made)]


def swapped_activation(made: Layers) -> Layers:
    return [(w, b, {"relu": "silu", "tanh": "relu"}.get(name, name)) for w, b, name in made]


def turned_weights(made: Layers) -> Layers:
    return [(w[::-1], b, name) for w, b, name in made]


@pytest.mark.parametrize("fault", [wrong_bias, swapped_activation, turned_weights])
@pytest.mark.parametrize("kind", ["float64", "float32"])
@pytest.mark.parametrize("what", [Net, Classifier])
def test_layers_that_are_not_of_the_net_are_refused(
    what: type[Net], kind: str, fault: Callable[[Layers], Layers]
) -> None:
    net = what(layers(WIDTH, 16, 8, 1), kind)
    forms.export(net, CHECK, edges=len(EDGE))
    handed = [
        (w.astype(kind), b.astype(kind), name) for w, b, name in fault(layers(WIDTH, 16, 8, 1))
    ]
    net.dense_layers = lambda: handed  # type: ignore[method-assign]
    with pytest.raises(
        InputError, match=rf"dense_layers\(\) of {what.__name__} answers differently"
    ):
        forms.export(net, CHECK, edges=len(EDGE))


def test_answers_at_the_edge_do_not_hide_a_fault_of_the_others() -> None:
    """There a net of float32 answers in 1e12, by which a whole unit would be nothing."""
    net = Net(layers(WIDTH, 16, 1), "float32")
    (first, bias, name), last = net.made
    net.dense_layers = lambda: [(first, bias + np.float32(1e-3), name), last]  # type: ignore[method-assign]
    assert np.ptp(net.predict(EDGE)) * 2e-6 > 1
    with pytest.raises(InputError, match=r"net.double\(\) makes that float64"):
        forms.export(net, CHECK, edges=len(EDGE))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ([], "gives no layer"),
        ([(np.ones((2, 7)), np.ones(2))], r"layer 1: give \(weights, biases, activation\)"),
        ([(np.ones((7, 2)), np.ones(2), "relu")], r"layer 1: weights \(7, 2\) and biases \(2,\)"),
        ([(np.ones((2, 7)), np.ones(2), "swish")], "layer 1: 'swish' is none of identity, relu"),
        ([(np.full((2, 7), np.nan), np.ones(2), "relu")], "layer 1 has a weight that is no number"),
        (
            [(np.ones((2, 7)), np.ones(2), "relu"), (np.ones((1, 3)), np.ones(1), "identity")],
            "layer 2 takes 3 numbers, and the one before gives 2",
        ),
    ],
)
def test_layers_that_cannot_be_ones_are_named(given: Any, says: str) -> None:
    net = Net(layers(WIDTH, 1))
    net.dense_layers = lambda: given  # type: ignore[method-assign]
    with pytest.raises(InputError, match=says):
        forms.export(net, MATRIX)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("estimator", "truth"),
    [
        (MLPClassifier((9, 5), "logistic", max_iter=5, random_state=0), (VALUE > 0).astype(int)),
        (MLPClassifier((6,), "tanh", max_iter=5, random_state=0), np.digitize(VALUE, [0, 1, 2])),
        (MLPRegressor(hidden_layer_sizes=(8,), max_iter=5, random_state=0), VALUE * 1e4 + 2010),
    ],
)
def test_nets_of_scikit_learn_are_kept_so_too(estimator: Any, truth: np.ndarray) -> None:
    estimator.fit(MATRIX, truth)
    spec, content = forms.export(estimator, CHECK, edges=len(EDGE))
    assert (spec["form"], spec["limit"]) == ("dense", 1e-9)
    plain = forms.plain_scorer(estimator)(MATRIX)
    np.testing.assert_allclose(forms.scorer(spec, content)(MATRIX), plain, rtol=1e-12, atol=1e-12)
    with pytest.raises(InputError, match=r"dense\.bin is no dense model"):
        forms.scorer(spec, content[:-8])
