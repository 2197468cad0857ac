"""How the model must behave for single people and things, generated from model_config.yaml."""

import numpy as np
import pytest

from ..conftest import Trained

NOTHING = {"categorical": None, "text": None, "datetime": "NaT"}


def test_columns_that_are_no_features_do_not_change_the_answer(trained: Trained) -> None:
    """John Smith and Juan Garcia get the same answer."""
    answers = trained.model.predict(trained.test)
    for name in set(trained.config.columns) - set(trained.config.features):
        swapped = trained.test | {name: trained.test[name][::-1]}
        np.testing.assert_array_equal(trained.model.predict(swapped), answers)


def test_a_missing_value_still_gets_an_answer(trained: Trained) -> None:
    for name, column in trained.config.features.items():
        if column.missing:
            nothing = {"categorical": None, "text": None, "datetime": "NaT"}.get(
                column.type, np.nan
            )
            empty = np.full_like(trained.test[name], nothing)
            answers = trained.model.predict(trained.test | {name: empty})
            assert np.isfinite(answers).all()


def test_a_category_never_seen_still_gets_an_answer(trained: Trained) -> None:
    for name, column in trained.config.features.items():
        if column.type == "categorical":
            strange = np.full_like(trained.test[name], "never seen before")
            assert np.isfinite(trained.model.predict(trained.test | {name: strange})).all()


# Yours: a column, and whether more of it must raise (+1) or lower (-1) the mean answer.
DIRECTIONS = {"debt_ratio": +1, "loan_amount": +1, "age": -1}


@pytest.mark.parametrize(("name", "direction"), DIRECTIONS.items())
def test_more_moves_the_mean_answer_the_right_way(
    trained: Trained, name: str, direction: int
) -> None:
    if name in trained.config.features:
        low, high = np.nanquantile(trained.train[name], [0.1, 0.9])
        answers = [
            trained.model.predict(trained.test | {name: np.full_like(trained.test[name], value)})
            for value in (low, high)
        ]
        means = [answer.reshape(len(answer), -1)[:, -1].mean() for answer in answers]
        assert (means[1] - means[0]) * direction > 0
