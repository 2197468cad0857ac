"""What must hold for any model of this project."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from {{ cookiecutter.package_name }} import artifact, forms, metrics, places, table
from {{ cookiecutter.package_name }}.pipeline import fit, sample, train

from ..conftest import Trained

SLACK = 0.05  # of the headline metric


def headline(trained: Trained, answers: np.ndarray) -> float:
    task = trained.config.data.task
    truth = metrics.encode_target(
        trained.test[trained.config.data.target], trained.config.data.labels
    )
    measure = metrics.METRICS[task][metrics.HEADLINE[task]]
    return float(measure(truth, answers, np.ones((1, len(truth))))[0])


def test_the_model_beats_one_that_ignores_the_features(trained: Trained) -> None:
    answers = trained.model.predict(trained.test)
    naive = np.broadcast_to(answers.mean(axis=0), answers.shape)
    assert headline(trained, answers) > headline(trained, naive)


@pytest.mark.filterwarnings("ignore")
def test_no_linear_model_is_clearly_better(trained: Trained) -> None:
    """Otherwise complexity buys nothing: set `estimator: linear`."""
    plain = {"estimator": "linear", "params": {}, "encoding": "onehot"}
    spec = trained.config.model.model_copy(update=plain)
    config = trained.config.model_copy(update={"model": spec})
    fitted, estimator = fit.fit(config, trained.train)
    task = trained.config.data.task
    truth = metrics.encode_target(
        trained.test[trained.config.data.target], trained.config.data.labels
    )
    linear = forms.plain_scorer(estimator)(fitted.apply(trained.test))
    ours = trained.model.predict(trained.test)
    measure = metrics.METRICS[task][metrics.HEADLINE[task]]
    assert metrics.paired_interval(measure, truth, linear, ours, 0).low < SLACK


def test_more_rounds_of_learning_fit_the_training_rows_better(trained: Trained) -> None:
    """The loss falls: what is learned comes from the data."""
    params = trained.config.model.params
    if "max_iter" not in params or trained.config.model.estimator != "hist_gradient_boosting":
        pytest.skip("for boosting: write the like for your estimator")
    task = trained.config.data.task
    name = "r2" if task == "regression" else "neg_log_loss"
    labels = trained.config.data.labels
    truth = metrics.encode_target(trained.train[trained.config.data.target], labels)
    fits = []
    for rounds in (1, 5, 25):
        fitted, estimator = fit.fit(trained.config, trained.train, max_iter=rounds)
        answers = forms.plain_scorer(estimator)(fitted.apply(trained.train))
        fits.append(metrics.METRICS[task][name](truth, answers, np.ones((1, len(truth))))[0])
    assert fits == sorted(fits)
    assert fits[0] < fits[-1]


def test_ten_rows_can_be_learned_by_heart(trained: Trained) -> None:
    """A model that cannot is fed with the wrong columns or labels."""
    target = trained.train[trained.config.data.target]
    kinds = np.unique(target)[:10]
    first = [np.flatnonzero(target == kind)[: 10 // len(kinds) + 1] for kind in kinds]
    few = table.take(trained.train, np.sort(np.concatenate(first))[:20])
    if trained.config.model.estimator != "hist_gradient_boosting":
        pytest.skip("for boosting: write the like for your estimator")
    free = {"min_samples_leaf": 1, "max_iter": 300, "learning_rate": 0.3, "l2_regularization": 0.0}
    fitted, estimator = fit.fit(trained.config, few, **free)
    answers = forms.plain_scorer(estimator)(fitted.apply(few))
    truth = metrics.encode_target(few[trained.config.data.target], trained.config.data.labels)
    if trained.config.data.task == "regression":
        assert np.corrcoef(answers, truth)[0, 1] > 0.9
    else:
        assert (answers.argmax(axis=1) == truth).mean() > 0.8


def test_the_kept_model_survives_a_journey(trained: Trained, tmp_path: Path) -> None:
    shutil.copytree(trained.folder / places.CANDIDATE, tmp_path / "elsewhere")
    travelled = artifact.load(tmp_path / "elsewhere", trained.model.digest)
    answers = trained.model.predict(trained.test)
    np.testing.assert_array_equal(travelled.predict(trained.test), answers)


def test_labels_by_another_name_get_the_same_answers(trained: Trained) -> None:
    """Metamorphic: the names of the classes carry no information."""
    data = trained.config.data
    if data.task == "regression":
        pytest.skip("a regression has no labels")
    other = {label: f"class {at:03d}" for at, label in enumerate(data.labels)}
    renamed = np.array([other[label] for label in trained.train[data.target]], dtype=object)
    changes = {"classes": tuple(other.values())}
    changes |= {"positive": other[data.positive]} if data.positive is not None else {}
    config = trained.config.model_copy(update={"data": data.model_copy(update=changes)})
    fitted, estimator = fit.fit(config, trained.train | {data.target: renamed})
    answers = forms.plain_scorer(estimator)(fitted.apply(trained.test))
    np.testing.assert_allclose(answers, trained.model.predict(trained.test), atol=1e-6)


def test_probabilities_mean_what_they_say(trained: Trained) -> None:
    """Calibration in the large: the mean probability of a class is about its share."""
    data = trained.config.data
    if data.task == "regression":
        pytest.skip("a regression has no probabilities")
    shares = [(trained.test[data.target] == label).mean() for label in data.labels]
    means = trained.model.predict(trained.test).mean(axis=0)
    chance = 4 * np.sqrt(0.25 / len(trained.test[data.target]))
    np.testing.assert_allclose(means, shares, atol=0.05 + chance)


def test_no_model_of_the_starter_table_beats_the_truth(trained: Trained) -> None:
    """Above the best reachable AUC (plus noise of the hold-out) something leaks."""
    if trained.config.data.target == "defaulted":
        best = sample.best_roc_auc(trained.config)
        assert headline(trained, trained.model.predict(trained.test)) < best + 0.05


def test_training_again_gives_the_same_model(trained: Trained) -> None:
    train.run()
    assert artifact.load(places.CANDIDATE).digest == trained.model.digest


def test_one_row_gets_the_answer_it_gets_in_the_batch(trained: Trained) -> None:
    batch = trained.model.predict(trained.test)
    for at in range(20):
        row = table.take(trained.test, np.array([at]))
        np.testing.assert_array_equal(trained.model.predict(row)[0], batch[at])


def test_the_order_of_rows_and_columns_does_not_matter(trained: Trained) -> None:
    order = np.random.default_rng(0).permutation(table.rows(trained.test))
    shuffled = dict(reversed(table.take(trained.test, order).items()))
    answers = trained.model.predict(trained.test)
    np.testing.assert_array_equal(trained.model.predict(shuffled), answers[order])


def test_probabilities_add_up_to_one(trained: Trained) -> None:
    answers = trained.model.predict(trained.test)
    assert np.isfinite(answers).all()
    if trained.config.data.task != "regression":
        np.testing.assert_allclose(answers.sum(axis=1), 1, atol=1e-6)
