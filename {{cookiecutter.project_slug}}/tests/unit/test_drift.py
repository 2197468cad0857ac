"""Drift is found by its size and its certainty, and its column is named."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from scipy import stats

from {{ cookiecutter.package_name }}.config import Monitoring
from {{ cookiecutter.package_name }}.operations import drift, monitor_page
from {{ cookiecutter.package_name }}.profile import column_profile

DRAW = np.random.default_rng(4)
QUARTER = np.arange(2000) % 4 == 0
FEW_NEW = np.arange(2000) < 200
BEFORE = {
    "x": DRAW.normal(size=8000),
    "flag": (DRAW.random(8000) < 0.3).astype(np.float64),
    "kind": DRAW.choice(np.array(["a", "b", "c"], object), 8000, p=[0.6, 0.3, 0.1]),
    "when": np.array("2025-01-01", "M8[us]") + np.arange(8000) * np.timedelta64(1, "h"),
}
REFERENCE = {name: column_profile(values) for name, values in BEFORE.items()}
NOW = {name: values[::4].copy() for name, values in BEFORE.items()}


def verdicts(**changes: Any) -> dict[str, dict[str, Any]]:
    columns = {name: values for name, values in (NOW | changes).items() if values is not None}
    results = drift.compare(REFERENCE, columns, Monitoring())
    return {result["column"]: result for result in results}


def test_the_same_rows_are_steady_and_time_is_not_judged() -> None:
    found = {name: result["verdict"] for name, result in verdicts().items()}
    assert found == {"x": "steady", "flag": "steady", "kind": "steady", "when": "not judged"}


@pytest.mark.parametrize(
    ("column", "values", "reason", "named"),
    [
        ("x", NOW["x"] + 0.3, r"mean moved by \+0\.\d+ sd", []),
        ("x", np.full(2000, 1.5), "it has one value only", ["1.5"]),
        (
            "x",
            np.where(QUARTER, np.nan, NOW["x"]),
            r"the missing rate went from 0\.0% to 25\.0%",
            [],
        ),
        ("x", None, "the column is not there any more", []),
        ("flag", 1 - NOW["flag"], r"mean moved by \+\S+ sd", []),
        ("kind", np.full(2000, "a", object), "it has one value only", ["a"]),
        (
            "kind",
            np.where(FEW_NEW, "new", NOW["kind"]),
            r"10\.0% .* did not see: 1 of them",
            ["new"],
        ),
        ("kind", NOW["kind"][NOW["kind"] != "c"], r"one label went from \d+\.\d% to 0\.0%", ["c"]),
    ],
)
def test_a_change_is_drift_and_its_reason_has_no_value_of_the_data(
    column: str, values: Any, reason: str, named: list[str]
) -> None:
    found = verdicts(**{column: values})
    changed = found.pop(column)
    assert changed["verdict"] == "drift"
    assert re.fullmatch(reason, changed["reason"])
    assert changed["values"] == named
    assert "drift" not in {result["verdict"] for result in found.values()}


def test_the_local_page_shows_the_values() -> None:
    result = verdicts(kind=np.where(FEW_NEW, "<new>", NOW["kind"]))["kind"]
    window = {"rows": 2000, "from": "1", "to": "2", "inputs": True, "results": [result]}
    window |= {"drifting": ["kind"]}
    quality = {"verdict": "not enough data", "reason": "no labels"}
    found = {"model": "1" * 64, "time": "2", "state": "alarm", "alarms": [], "health": {}}
    page = monitor_page.page(found | {"windows": [window], "quality": quality})
    assert "did not see: 1 of them: &#x27;&lt;new&gt;&#x27;" in page
    assert "1 of 1 windows drift" in page


def test_a_certain_but_tiny_change_is_none() -> None:
    many = {"x": DRAW.normal(size=200_000) + 0.03}
    result = drift.compare({"x": REFERENCE["x"]}, many, Monitoring())[0]
    assert result["verdict"] == "steady"
    assert result["psi"] < Monitoring().min_psi


def test_a_label_of_few_rows_is_not_named() -> None:
    kinds = np.where(FEW_NEW, "new", NOW["kind"])
    kinds[:9] = "Ann Example"
    found = verdicts(kind=kinds)["kind"]
    assert found["verdict"] == "drift"
    assert found["values"] == ["new"]
    others = np.where(QUARTER | np.roll(QUARTER, 1), "a", "b")
    kinds = np.where(NOW["kind"] == "c", others, NOW["kind"])
    kinds[:9] = "c"
    assert re.search(r"from \d+\.\d% to fewer than 10 rows", verdicts(kind=kinds)["kind"]["reason"])


def test_few_rows_are_not_judged() -> None:
    few = {name: values[:499] for name, values in NOW.items()}
    found = {result["verdict"] for result in drift.compare(REFERENCE, few, Monitoring())}
    assert found == {"not enough data"}


def test_the_distance_is_that_of_scipy_up_to_the_cut_points() -> None:
    shifted = NOW["x"] + 0.2
    exact = stats.ks_2samp(BEFORE["x"], shifted).statistic
    assert exact - 0.02 <= verdicts(x=shifted)["x"]["statistic"] <= exact


def test_psi_of_equal_shares_is_zero_and_grows_with_the_shift() -> None:
    shares = np.array([100.0, 200.0, 300.0])
    assert drift.psi(shares, shares) == 0
    assert 0 < drift.psi(shares, shares[[1, 0, 2]]) < drift.psi(shares, shares[::-1])
