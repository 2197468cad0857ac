"""What must hold for any model of this project."""

import numpy as np
import pytest
from fairlearn import metrics
from ml_template.pipeline.evaluation import fairness
from ml_template.testing import Trained, take

SLACK = 0.05  # of the headline metric
RATES = {
    "selection_rate": metrics.selection_rate,
    "true_positive_rate": metrics.true_positive_rate,
    "false_positive_rate": metrics.false_positive_rate,
}


def test_the_model_beats_one_that_ignores_the_features(trained: Trained) -> None:
    answers = trained.predict(trained.test)
    naive = np.broadcast_to(answers.mean(axis=0), answers.shape)
    assert trained.score(answers, trained.test) > trained.score(naive, trained.test)


@pytest.mark.filterwarnings("ignore")
def test_no_linear_model_is_clearly_better(trained: Trained) -> None:
    """Otherwise complexity buys nothing: set `estimator: linear`."""
    linear = trained.linear(trained.train)
    assert trained.lead(linear(trained.test), trained.predict(trained.test)).low < SLACK


def test_more_rounds_of_learning_fit_the_training_rows_better(trained: Trained) -> None:
    """The loss falls: what is learned comes from the data."""
    params = trained.config.model.params
    if "max_iter" not in params or trained.config.model.estimator != "hist_gradient_boosting":
        pytest.skip("for boosting: write the like for your estimator")
    name = "r2" if trained.config.data.task == "regression" else "neg_log_loss"
    fits = [
        trained.score(trained.learn(trained.train, max_iter=n)(trained.train), trained.train, name)
        for n in (1, 5, 25)
    ]
    assert fits == sorted(fits)
    assert fits[0] < fits[-1]


def test_ten_rows_can_be_learned_by_heart(trained: Trained) -> None:
    """A model that cannot is fed with the wrong columns or labels."""
    if trained.config.model.estimator != "hist_gradient_boosting":
        pytest.skip("for boosting: write the like for your estimator")
    features = trained.config.features.values()
    if any(column.encoding for column in features):
        pytest.skip("a column with an encoding of its own tells no training row its own target")
    if all(column.is_text or column.type == "boolean" for column in features):
        pytest.skip("no column of numbers, and boosting joins categories of few rows")
    rows = zip(*(trained.train[name].tolist() for name in trained.config.features), strict=True)
    different = take(trained.train, sorted({str(row): at for at, row in enumerate(rows)}.values()))
    target = different[trained.config.data.target]
    kinds = np.unique(target)[:10]
    first = [np.flatnonzero(target == kind)[: 10 // len(kinds) + 1] for kind in kinds]
    few = take(different, np.sort(np.concatenate(first))[:20])
    free = {"min_samples_leaf": 1, "max_iter": 300, "learning_rate": 0.3, "l2_regularization": 0.0}
    answers = trained.learn(few, trained.plain, **free)(few)
    if trained.config.data.task == "regression":
        assert np.corrcoef(answers, trained.truth(few))[0, 1] > 0.9
    else:
        assert (answers.argmax(axis=1) == trained.truth(few)).mean() > 0.8


def test_labels_by_another_name_get_the_same_answers(trained: Trained) -> None:
    """Metamorphic: the names of the classes carry no information."""
    data = trained.config.data
    if data.task == "regression":
        pytest.skip("a regression has no labels")
    other = {label: f"class {at:03d}" for at, label in enumerate(data.labels)}
    renamed = np.array([other[label] for label in trained.train[data.target]], dtype=object)
    changes = {"classes": tuple(other.values())}
    changes |= {"positive": other[data.positive]} if data.positive is not None else {}
    spec = trained.config.model
    if isinstance(spec.class_weight, dict):
        weights = {other[label]: weight for label, weight in spec.class_weight.items()}
        spec = spec.model_copy(update={"class_weight": weights})
    both = {"data": data.model_copy(update=changes), "model": spec}
    config = trained.config.model_copy(update=both)
    answers = trained.learn(trained.train | {data.target: renamed}, config)(trained.test)
    np.testing.assert_allclose(answers, trained.predict(trained.test), atol=1e-6)


def test_probabilities_mean_what_they_say(trained: Trained) -> None:
    """Calibration in the large: the mean probability of a class is about its share."""
    data = trained.config.data
    if data.task == "regression" or data.weight or trained.config.model.class_weight:
        pytest.skip("no probabilities, or those of rows or classes that count differently")
    shares = [(trained.test[data.target] == label).mean() for label in data.labels]
    means = trained.predict(trained.test).mean(axis=0)
    chance = 4 * np.sqrt(0.25 / len(trained.test[data.target]))
    np.testing.assert_allclose(means, shares, atol=0.05 + chance)


@pytest.mark.filterwarnings("ignore")
def test_groups_have_the_rates_that_fairlearn_measures(trained: Trained) -> None:
    if trained.config.data.task != "binary" or not trained.config.sensitive:
        pytest.skip("two classes and a sensitive column have such rates")
    truth, guess = trained.truth(trained.test), trained.predict(trained.test).argmax(axis=1)
    for name in trained.config.sensitive:
        codes = np.unique(trained.test[name].astype(str), return_inverse=True)[1] % 50
        ours = fairness.counted(truth, guess, codes, 2)
        given = {"y_true": truth, "y_pred": guess, "sensitive_features": codes}
        theirs = metrics.MetricFrame(metrics=RATES, **given).by_group
        for rate in RATES:
            known = np.isfinite(ours[rate][:, 0])
            np.testing.assert_allclose(ours[rate][known, 0], theirs[rate][known], rtol=1e-12)


def test_no_model_of_the_starter_table_beats_the_truth(trained: Trained) -> None:
    """Above the best reachable AUC (plus noise of the hold-out) something leaks."""
    best = trained.best_of_starter()
    if best is not None:
        assert trained.score(trained.predict(trained.test), trained.test) < best + 0.05


def test_training_again_gives_the_same_model(trained: Trained) -> None:
    assert trained.again() == trained.model.digest


def test_one_row_gets_the_answer_it_gets_in_the_batch(trained: Trained) -> None:
    batch = trained.predict(trained.test)
    for at in range(min(20, len(batch))):
        assert trained.same(trained.predict(take(trained.test, [at])), batch[[at]])


def test_the_order_of_rows_and_columns_does_not_matter(trained: Trained) -> None:
    answers = trained.predict(trained.test)
    order = np.random.default_rng(0).permutation(len(answers))
    shuffled = dict(reversed(take(trained.test, order).items()))
    assert trained.same(trained.predict(shuffled), answers[order])


def test_probabilities_add_up_to_one(trained: Trained) -> None:
    answers = trained.predict(trained.test)
    assert np.isfinite(answers).all()
    if trained.config.data.task != "regression":
        np.testing.assert_allclose(answers.sum(axis=1), 1, atol=1e-6)
