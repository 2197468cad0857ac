"""What must hold for any model of this project."""

import numpy as np

from {{ cookiecutter.package_name }} import artifact, metrics, places, table
from {{ cookiecutter.package_name }}.pipeline import sample, train

from ..conftest import Trained


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
