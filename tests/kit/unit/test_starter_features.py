"""The features of the starter table, which a project begins with."""

import numpy as np
from example_model.features import features

STARTER = {
    "loan_amount": np.array([10.0, 10.0, 10.0]),
    "income": np.array([20.0, 0.0, np.nan]),
    "debt_ratio": np.array([0.1, 0.2, 0.3]),
    "applied_at": np.array(["2024-01-31", "2023-12-01", "NaT"], "datetime64[us]"),
}


def test_loan_to_income_is_missing_where_income_is_zero_or_missing() -> None:
    np.testing.assert_array_equal(features(STARTER)["loan_to_income"], [0.5, np.nan, np.nan])


def test_month_of_application() -> None:
    np.testing.assert_array_equal(features(STARTER)["applied_month"], [1, 12, np.nan])


def test_another_table_gets_no_features() -> None:
    assert features({"income": np.array(["high"], dtype=object)}) == {}
