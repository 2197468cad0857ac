import os
from functools import partial

import numpy as np
import pytest
from ml_template.model import bootstrap, metrics
from ml_template.model.bootstrap import Interval
from ml_template.model.metrics import METRICS
from sklearn import metrics as scikit

ROWS = 400
EQUAL, UNEQUAL = np.ones(ROWS), np.arange(ROWS) % 4.0

CLASSES = {"binary": 2, "multiclass": 4}
SCIKIT = {
    "roc_auc": lambda y, p, w: scikit.roc_auc_score(y, p[:, 1], sample_weight=w),
    "roc_auc_ovr": lambda y, p, w: scikit.roc_auc_score(y, p, multi_class="ovr", sample_weight=w),
    "average_precision": lambda y, p, w: scikit.average_precision_score(
        y, p[:, 1], sample_weight=w
    ),
    "accuracy": lambda y, p, w: scikit.accuracy_score(y, p.argmax(1), sample_weight=w),
    "balanced_accuracy": lambda y, p, w: scikit.balanced_accuracy_score(
        y, p.argmax(1), sample_weight=w
    ),
    "f1": lambda y, p, w: scikit.f1_score(y, p.argmax(1), sample_weight=w),
    "f1_macro": lambda y, p, w: scikit.f1_score(y, p.argmax(1), average="macro", sample_weight=w),
    "precision": lambda y, p, w: scikit.precision_score(y, p.argmax(1), sample_weight=w),
    "recall": lambda y, p, w: scikit.recall_score(y, p.argmax(1), sample_weight=w),
    "neg_log_loss": lambda y, p, w: -scikit.log_loss(y, p, sample_weight=w),
    "neg_brier_score": lambda y, p, w: -scikit.brier_score_loss(y, p[:, 1], sample_weight=w),
    "r2": lambda y, p, w: scikit.r2_score(y, p, sample_weight=w),
    "neg_mean_absolute_error": lambda y, p, w: -scikit.mean_absolute_error(y, p, sample_weight=w),
    "neg_root_mean_squared_error": lambda y, p, w: (
        -scikit.root_mean_squared_error(y, p, sample_weight=w)
    ),
    "neg_median_absolute_error": lambda y, p, w: (
        -scikit.median_absolute_error(y, p, sample_weight=w)
    ),
}


def rows_of(task: str) -> tuple[np.ndarray, np.ndarray]:
    """Truth and a prediction that knows something; rounded, so that many scores are tied."""
    random = np.random.default_rng(3)
    if task == "regression":
        truth = 1e6 + random.normal(size=ROWS).round(1)
        return truth, truth + random.normal(size=ROWS).round(1)
    truth = random.integers(CLASSES[task], size=ROWS)
    score = (random.random((ROWS, CLASSES[task])) + np.eye(CLASSES[task])[truth] / 2).round(1) + 0.1
    return truth, score / score.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("weights", [EQUAL, UNEQUAL], ids=["equal", "unequal"])
@pytest.mark.parametrize(("task", "name"), [(t, n) for t, named in METRICS.items() for n in named])
def test_a_metric_equals_scikit_learn(task: str, name: str, weights: np.ndarray) -> None:
    truth, prediction = rows_of(task)
    found = METRICS[task][name](truth, prediction, np.stack([weights, EQUAL]))
    assert found[0] == pytest.approx(SCIKIT[name](truth, prediction, weights), rel=1e-9)
    assert found[1] == pytest.approx(SCIKIT[name](truth, prediction, EQUAL), rel=1e-9)


@pytest.mark.parametrize("task", METRICS)
def test_every_metric_stays_in_its_range(task: str) -> None:
    truth, prediction = rows_of(task)
    for name, metric in METRICS[task].items():
        low, high = metrics.RANGES[name]
        assert low <= metric(truth, prediction, EQUAL[None])[0] <= high


def test_equal_scores_for_all_rows_are_worth_one_half() -> None:
    truth, constant = np.array([0, 1, 1]), np.full((3, 2), 0.5)
    assert metrics.roc_auc(truth, constant, np.ones((1, 3))).tolist() == [0.5]


@pytest.mark.parametrize("name", ["roc_auc", "average_precision"])
def test_the_order_of_rows_changes_no_bit_of_an_area(name: str) -> None:
    truth, prediction = rows_of("binary")
    order = np.argsort(-prediction[:, 1], kind="stable")
    metric, weights = METRICS["binary"][name], np.stack([EQUAL, UNEQUAL])
    found = metric(truth, prediction, weights)
    assert metric(truth[order], prediction[order], weights[:, order]).tolist() == found.tolist()


def test_an_area_without_one_of_the_classes_is_not_defined() -> None:
    truth, prediction = np.array([0, 0]), np.array([[0.9, 0.1], [0.2, 0.8]])
    assert np.isnan(metrics.roc_auc(truth, prediction, np.ones((1, 2)))).all()
    assert np.isnan(metrics.average_precision(truth, prediction, np.ones((1, 2)))).all()


def test_r2_of_one_repeated_value_is_not_defined() -> None:
    truth = np.array([0.1, 0.7, 1e9 / 3])
    repeated = np.concatenate([times * np.eye(3) for times in range(1, 50)])  # one row only
    assert np.isnan(metrics.r2(truth, truth + 1, repeated)).all()


def test_a_class_that_is_not_there_does_not_count() -> None:
    truth, prediction = np.array([0, 1]), np.eye(3)[[0, 1]]
    assert metrics.balanced_accuracy(truth, prediction, np.ones((1, 2))).tolist() == [1.0]
    assert metrics.f1_macro(truth, prediction, np.ones((1, 2))).tolist() == [1.0]


def test_the_median_of_an_even_number_lies_between_the_middle_two() -> None:
    found = metrics.neg_median_absolute_error(
        np.zeros(4), np.array([1.0, 10, 2, 3]), np.ones((1, 4))
    )
    assert found.tolist() == [-2.5]


def test_labels_become_their_index() -> None:
    values = np.array(["yes", "no", "yes"], dtype=object)
    assert metrics.encode_target(values, ["no", "yes"]).tolist() == [1, 0, 1]


def test_a_resample_draws_as_many_rows_as_there_are() -> None:
    drawn = np.concatenate(list(bootstrap.resamples(50, seed=1)))
    assert drawn.shape == (1000, 50)
    assert (drawn.sum(axis=1) == 50).all()
    assert 0.9 < drawn.var() < 1.1  # with replacement: close to Poisson(1)


def test_large_tables_take_fewer_resamples() -> None:
    assert [bootstrap.replicates(n) for n in (30, 20_000, 40_000, 10**7)] == [1000, 1000, 500, 200]


def guesses(right: int) -> np.ndarray:
    """Probabilities that name class 1 in the first `right` rows, else class 0."""
    hits = np.arange(ROWS) < right
    return np.column_stack([~hits, hits]).astype(float)


def test_the_interval_of_a_mean_is_that_of_theory() -> None:
    found = bootstrap.interval(metrics.accuracy, np.ones(ROWS, dtype=int), guesses(280), seed=1)
    half = 1.96 * np.sqrt(0.7 * 0.3 / ROWS)
    assert found.low == pytest.approx(0.7 - half, abs=0.1 * half)
    assert found.high == pytest.approx(0.7 + half, abs=0.1 * half)


def test_the_number_of_cores_changes_no_bit_of_an_interval(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    truth, prediction = rows_of("binary")
    measures = {n: partial(m, truth, prediction) for n, m in METRICS["binary"].items()}
    found = []
    for cores in (1, 8):
        monkeypatch.setattr(os, "cpu_count", lambda cores=cores: cores)
        found.append(bootstrap.intervals(measures, ROWS, 7))
    assert found[0] == found[1]


def test_the_same_seed_gives_the_same_interval() -> None:
    truth, prediction = rows_of("binary")
    first, second, other = (
        bootstrap.interval(metrics.roc_auc, truth, prediction, seed) for seed in (5, 5, 6)
    )
    assert first == second
    assert first != other


@pytest.mark.parametrize("sign", [1, -1])
def test_an_interval_holds_its_value(sign: int) -> None:
    def drawn(truth: np.ndarray, prediction: np.ndarray, weights: np.ndarray) -> np.ndarray:
        return sign * (weights > 0).mean(axis=1)  # all rows once; in a resample about 63 %

    found = bootstrap.interval(drawn, np.zeros(50), np.zeros(50), seed=1)
    assert found.value == sign
    assert found.low <= found.value <= found.high
    assert found.high - found.low > 0.3


def test_an_interval_that_most_resamples_cannot_tell_is_not_given() -> None:
    truth, prediction = np.arange(5), np.eye(5)  # one row of each class: few resamples hold all
    found = bootstrap.interval(metrics.roc_auc_ovr, truth, prediction, seed=1)
    assert found.value == 1.0
    assert np.isnan([found.low, found.high]).all()


def test_a_model_does_not_differ_from_itself() -> None:
    truth, prediction = rows_of("binary")
    found = bootstrap.paired_interval(metrics.roc_auc, truth, prediction, prediction, seed=1)
    assert found == Interval(0.0, 0.0, 0.0)


def test_a_difference_on_the_same_rows_is_sharper_than_two_intervals() -> None:
    truth, better, worse = np.ones(ROWS, dtype=int), guesses(280), guesses(270)
    paired = bootstrap.paired_interval(metrics.accuracy, truth, better, worse, seed=1)
    assert paired.value == pytest.approx(10 / ROWS)
    half = 1.96 * np.sqrt(10) / ROWS  # only the 10 rows on which they differ count
    assert paired.low == pytest.approx(paired.value - half, abs=0.15 * half)
    assert paired.high == pytest.approx(paired.value + half, abs=0.15 * half)


def test_no_weights_make_more_of_a_metric_than_there_is() -> None:
    """Sums of weights round: a slice ranked all right was refused as 1.0000000000000002."""
    random, truth = np.random.default_rng(0), np.arange(9) % 2
    right = np.stack([1 - truth, truth], axis=1) * 0.8 + 0.1
    weights = random.gamma(2, 1, (20_000, 9)).round(2)
    for name in ("roc_auc", "average_precision", "accuracy", "balanced_accuracy", "f1"):
        found = METRICS["binary"][name](truth, right, weights)
        assert (found.min() > 1 - 1e-9, found.max()) == (True, 1.0), name
