"""How the model must behave for single people and things, generated from model_config.yaml."""

import numpy as np
import pytest
from ml_template.testing import Trained, take


def test_columns_that_are_no_features_do_not_change_the_answer(trained: Trained) -> None:
    """John Smith and Juan Garcia get the same answer."""
    answers = trained.predict(trained.test)
    for name in set(trained.config.columns) - set(trained.config.features):
        swapped = trained.test | {name: trained.test[name][::-1]}
        assert trained.same(trained.predict(swapped), answers)


def test_a_missing_value_still_gets_an_answer(trained: Trained) -> None:
    for name, column in trained.config.features.items():
        if column.missing:
            nothing = {"categorical": None, "text": None, "datetime": "NaT"}.get(
                column.type, np.nan
            )
            empty = np.full_like(trained.test[name], nothing)
            answers = trained.predict(trained.test | {name: empty})
            assert np.isfinite(answers).all()


def test_a_category_never_seen_still_gets_an_answer(trained: Trained) -> None:
    for name, column in trained.config.features.items():
        if column.type == "categorical":
            strange = np.full_like(trained.test[name], "never seen before")
            assert np.isfinite(trained.predict(trained.test | {name: strange})).all()


def test_a_sensitive_column_moves_no_answer_unless_it_is_a_feature(trained: Trained) -> None:
    """Swapped from group to group; where it is allowed as a feature, by little in the mean."""
    answers = trained.predict(trained.test)
    for name in trained.config.sensitive:
        swapped = trained.test | {name: np.roll(trained.test[name], 1)}
        moved = np.abs(trained.predict(swapped) - answers)
        scale = 1.0 if answers.ndim == 2 else answers.std()
        bound = SENSITIVE_BOUND * scale if name in trained.config.features else 0.0
        assert moved.mean() <= bound, f"{name} moves the mean answer by {moved.mean():.3f}"


def test_every_known_category_gets_an_answer_of_its_own_kind(trained: Trained) -> None:
    """Minimum cases by slice: each value that model_config.yaml lists is answered."""
    row = take(trained.test, [0])
    for name, column in trained.config.features.items():
        for value in column.values or ():
            answer = trained.predict(row | {name: np.array([value], dtype=object)})
            assert np.isfinite(answer).all(), f"{name}={value}"


def test_the_ends_of_every_range_get_an_answer(trained: Trained) -> None:
    row = take(trained.test, [0])
    for name, column in trained.config.features.items():
        for end in (column.min, column.max):
            if end is not None:
                answer = trained.predict(row | {name: np.array([end])})
                assert np.isfinite(answer).all(), f"{name}={end}"


# Yours: how far a sensitive column that is a feature may move an answer (share of 1, or of an sd).
SENSITIVE_BOUND = 0.1

# Yours: what follows is of the starter table. With a table of your own write your own lines, and
# its target here.
TARGET = "defaulted"

# Single people and things that every model must get right: the columns that matter (the others
# are those of a typical row), and the least and most of the last answer: probability of the
# positive class, or value.
CASES = {
    "little debt, a guarantor": ({"debt_ratio": 0.02, "has_guarantor": 1.0, "age": 60.0}, 0.0, 0.4),
    "a large loan, much debt": ({"debt_ratio": 0.9, "loan_amount": 60_000.0}, 0.4, 1.0),
}


def asks(trained: Trained, *names: str) -> bool:
    """Whether the model is of TARGET and sees all these columns."""
    return trained.config.data.target == TARGET and set(names) <= set(trained.config.features)


@pytest.mark.parametrize("case", CASES)
def test_a_minimum_case_is_right(trained: Trained, case: str) -> None:
    values, least, most = CASES[case]
    if asks(trained, *values):
        row = trained.typical()
        asked = row | {name: np.array([value]) for name, value in values.items()}
        assert least <= np.ravel(trained.predict(asked))[-1] <= most


# A column, and whether more of it raises (+1) or lowers (-1) the mean answer, where it moves it.
DIRECTIONS = {"debt_ratio": +1, "loan_amount": +1, "age": -1}


@pytest.mark.parametrize(("name", "direction"), DIRECTIONS.items())
def test_more_never_moves_the_mean_answer_the_wrong_way(
    trained: Trained, name: str, direction: int
) -> None:
    if asks(trained, name):
        low, high = np.nanquantile(trained.train[name], [0.1, 0.9])
        answers = [
            trained.predict(trained.test | {name: np.full_like(trained.test[name], value)})
            for value in (low, high)
        ]
        means = [answer.reshape(len(answer), -1)[:, -1].mean() for answer in answers]
        assert (means[1] - means[0]) * direction >= 0
