import numpy as np
import pytest
from ml_template.model.encoder import Encoder, Encoding
from ml_template.pipeline.training import encoding as fitting
from sklearn.ensemble import HistGradientBoostingClassifier

COLUMNS = {
    "size": np.array([1.0, 3.0, np.nan, 5.0]),
    "kind": np.array(["a", "b", "a", None], dtype=object),
    "day": np.array(["1970-01-02", "1970-01-03", "NaT", "1970-01-02"], "datetime64[us]"),
}


def test_ordinal_keeps_numbers_and_makes_codes() -> None:
    fitted = fitting.fit(COLUMNS, list(COLUMNS), set(), "ordinal")
    expected = [[1, 0, 1], [3, 1, 2], [np.nan, 0, np.nan], [5, np.nan, 1]]
    np.testing.assert_array_equal(fitted.apply(COLUMNS), expected)
    assert fitted.categorical == [1]


def test_onehot_standardises_and_imputes_the_median() -> None:
    fitted = fitting.fit(COLUMNS, ["size", "kind"], set(), "onehot")
    matrix = fitted.apply(COLUMNS)
    np.testing.assert_array_equal(matrix[:, 1:], [[1, 0], [0, 1], [1, 0], [0, 0]])
    np.testing.assert_allclose(matrix[:, 0].mean(), 0, atol=1e-12)
    assert matrix[2, 0] == (3.0 - 3.0) / np.std([1, 3, 3, 5])


@pytest.mark.parametrize("encoding", ["ordinal", "onehot"])
def test_one_row_is_encoded_as_in_the_batch(encoding: Encoding) -> None:
    fitted = fitting.fit(COLUMNS, list(COLUMNS), set(), encoding)
    batch = fitted.apply(COLUMNS)
    for at in range(4):
        row = {name: values[at : at + 1] for name, values in COLUMNS.items()}
        np.testing.assert_array_equal(fitted.apply(row)[0], batch[at])


def test_an_unseen_category_is_missing() -> None:
    fitted = fitting.fit(COLUMNS, ["kind"], set(), "ordinal")
    assert np.isnan(fitted.apply({"kind": np.array(["z"], dtype=object)}))[0, 0]


def test_rare_categories_share_a_code() -> None:
    many = np.array([f"k{at}" for at in range(300)] + ["common"] * 50, dtype=object)
    fitted = fitting.fit({"kind": many}, ["kind"], set(), "ordinal")
    codes = fitted.state[0]["codes"]
    assert len(codes) == 301
    assert len(set(codes.values())) == fitting.MAX_CATEGORIES["ordinal"]
    assert list(codes.values()).count(codes["common"]) == 1


def test_the_state_survives_json() -> None:
    import json

    fitted = fitting.fit(COLUMNS, list(COLUMNS), set(), "onehot")
    again = Encoder(**json.loads(json.dumps(fitted.to_json())))
    np.testing.assert_array_equal(again.apply(COLUMNS), fitted.apply(COLUMNS))


def test_a_feature_of_the_wrong_length_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "function", lambda _: lambda columns: {"mean": np.array([1.0])})
    with pytest.raises(ValueError, match=r"features\.py: 'mean' must be an array"):
        fitting.fit(COLUMNS, ["size"], set(), "ordinal")


def test_a_feature_that_looks_at_other_rows_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    rank = lambda columns: {"rank": np.argsort(np.argsort(columns["size"])) * 1.0}  # noqa: E731
    monkeypatch.setattr(fitting, "function", lambda _: rank)
    with pytest.raises(ValueError, match="'rank' of a row depends on the other rows"):
        fitting.fit(COLUMNS, ["size"], set(), "ordinal")


def test_a_fault_in_features_is_named_with_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "function", lambda _: lambda columns: {"a": columns["sise"]})
    with pytest.raises(ValueError, match=r"features\.py: line \d+: KeyError: 'sise'"):
        fitting.fit(COLUMNS, ["size"], set(), "ordinal")


def test_a_column_that_is_empty_in_all_rows_is_named() -> None:
    with pytest.raises(ValueError, match="'size' is empty in all training rows"):
        fitting.fit({"size": np.array([np.nan, np.nan])}, ["size"], set(), "ordinal")


def test_a_category_of_one_value_is_told_from_a_missing_one() -> None:
    """scikit-learn 1.9 sends both to one side where the column is called categorical."""
    flag = np.array(["x", None] * 100, dtype=object)
    fitted = fitting.fit({"flag": flag}, ["flag"], set(), "ordinal")
    assert fitted.categorical == []
    assert fitted.apply({"flag": flag[:2]})[0, 0] == 0.0
    model = HistGradientBoostingClassifier(categorical_features=fitted.categorical or None)
    answers = model.fit(fitted.apply({"flag": flag}), flag == "x").predict(
        fitted.apply({"flag": flag})
    )
    assert (answers == (flag == "x")).all()


def test_an_empty_column_of_the_projects_code_is_not_to_be_set_in_the_configuration() -> None:
    empty = {"made": np.array([np.nan, np.nan])}
    own = fitting.Own({"state": {}, "columns": ["made"]}, empty)
    with pytest.raises(ValueError, match="'made' is empty in all training rows: make no such"):
        fitting.fit({"x": np.array([1.0, 2.0])}, ["x"], set(), "ordinal", own=own)
    with pytest.raises(ValueError, match="'x' is empty in all training rows: give it feature"):
        fitting.fit({"x": empty["made"]}, ["x"], set(), "ordinal")
