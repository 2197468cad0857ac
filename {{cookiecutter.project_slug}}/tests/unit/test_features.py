import numpy as np

from {{ cookiecutter.package_name }}.features import features


def test_loan_to_income_is_missing_where_income_is_zero_or_missing() -> None:
    columns = {
        "loan_amount": np.array([10.0, 10.0, 10.0]),
        "income": np.array([20.0, 0.0, np.nan]),
    }
    np.testing.assert_array_equal(features(columns)["loan_to_income"], [0.5, np.nan, np.nan])


def test_month_of_application() -> None:
    columns = {"applied_at": np.array(["2024-01-31", "2023-12-01", "NaT"], "datetime64[us]")}
    np.testing.assert_array_equal(features(columns)["applied_month"], [1, 12, np.nan])


def test_a_table_without_these_columns_gets_no_features() -> None:
    assert features({"height": np.array([1.0])}) == {}
