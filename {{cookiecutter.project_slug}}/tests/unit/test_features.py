"""What features.py must keep to with any table. Yours: what your own lines must give."""

import numpy as np
from ml_template.testing import Trained, take


def test_a_feature_is_numbers_or_categories_with_one_value_for_each_row(trained: Trained) -> None:
    rows = len(trained.test["__row__"])
    for name, values in trained.features(trained.test).items():
        assert values.shape == (rows,), name
        assert values.dtype.kind in "biufMO", name


def test_a_row_alone_gets_the_features_that_it_gets_in_the_table(trained: Trained) -> None:
    together = trained.features(trained.test)
    for at in range(min(20, len(trained.test["__row__"]))):
        alone = trained.features(take(trained.test, [at]))
        for name, values in together.items():
            np.testing.assert_array_equal(alone[name], values[at : at + 1], err_msg=name)


def test_features_leave_the_columns_as_they_are(trained: Trained) -> None:
    before = {name: values.copy() for name, values in trained.test.items()}
    trained.features(trained.test)
    for name, values in before.items():
        np.testing.assert_array_equal(trained.test[name], values, err_msg=name)
