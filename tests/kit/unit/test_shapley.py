"""Shapley values of the report are exact, whatever the model is, and show no single row."""

from __future__ import annotations

from itertools import permutations
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from ml_template.pipeline.evaluation import shapley
from ml_template.settings.config import Config, InputError
from ml_template.tables.table import Columns
from sklearn.tree import DecisionTreeRegressor

NAMES = ("a", "b", "c", "d")


def drawn(rows: int, seed: int = 0) -> Columns:
    random = np.random.default_rng(seed)
    return {name: random.normal(size=rows) for name in NAMES}


def matrix(columns: Columns) -> np.ndarray:
    return np.stack([columns[name] for name in NAMES], axis=1)


def config(columns: int = 4, **report: Any) -> Config:
    return Config.model_validate(
        {
            "data": {"path": "x.csv", "target": "y", "task": "regression"},
            "columns": {f"c{at}": {"type": "numeric"} for at in range(columns)},
            "report": report,
        }
    )


def test_they_are_the_mean_gain_over_all_orders_of_the_columns_of_a_tree() -> None:
    train = drawn(200)
    y = train["a"] * train["b"] + np.where(train["c"] > 0, 3, 0)
    tree = DecisionTreeRegressor(max_depth=6, random_state=0).fit(matrix(train), y)
    rows, others = drawn(3, 1), drawn(5, 2)
    found = shapley.values(lambda asked: tree.predict(matrix(asked)), rows, others)
    for at in range(3):
        gains = dict.fromkeys(NAMES, 0.0)
        for order in permutations(range(4)):
            asked = matrix(others)
            before = tree.predict(asked).mean()
            for column in order:
                asked[:, column] = rows[NAMES[column]][at]
                now = tree.predict(asked).mean()
                gains[NAMES[column]] += (now - before) / 24
                before = now
        for name in NAMES:
            assert found[name][at, 0] == pytest.approx(gains[name], abs=1e-12)


def test_a_line_gives_its_slope_times_the_distance_from_the_mean() -> None:
    rows, others = drawn(4, 1), drawn(6, 2)
    found = shapley.values(lambda asked: 2 * asked["a"] - asked["c"], rows, others)
    np.testing.assert_allclose(found["a"][:, 0], 2 * (rows["a"] - others["a"].mean()), atol=1e-12)
    np.testing.assert_allclose(found["c"][:, 0], others["c"].mean() - rows["c"], atol=1e-12)
    assert abs(found["b"]).max() < 1e-12


MODEL: Any = SimpleNamespace(predict=lambda asked: asked["c0"] * 3)


def test_the_report_has_them_where_they_are_asked_for_and_of_no_few_rows() -> None:
    test = {f"c{at}": np.random.default_rng(at).normal(size=30) for at in range(4)}
    (plot,) = shapley.plots(config(shap=True), MODEL, test)
    assert plot["names"][0] == "c0"
    assert plot["marks"][0]["x"][1:] == [0.0, 0.0, 0.0]
    assert plot["marks"][0]["x"][0] > 1
    assert shapley.plots(config(), MODEL, test) == []
    few = {name: values[:9] for name, values in test.items()}
    assert shapley.plots(config(shap=True), MODEL, few) == []


def test_more_columns_than_can_be_asked_in_all_sets_are_refused_with_what_to_do() -> None:
    with pytest.raises(InputError, match=r"report.shap: .* up to 10 columns, these are 11: set"):
        shapley.plots(config(11, shap=True), MODEL, {})
    assert shapley.plots(config(11), MODEL, {}) == []


def test_a_configuration_without_them_is_written_as_before() -> None:
    assert config().model_dump(mode="json")["report"] == {"min_cell": 10}
