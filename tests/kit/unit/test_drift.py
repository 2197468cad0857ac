"""Drift is found by its size and its certainty, and its column is named."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from ml_template.model.profile import column_profile, known
from ml_template.operations import drift, monitor, outputs
from ml_template.settings.oversight import Monitoring
from scipy import stats

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
        ("flag", np.zeros(2000), "it has one value only", ["0.0"]),
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
    page = monitor.page(found | {"windows": [window], "quality": quality})
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
    assert outputs.psi(shares, shares) == 0
    assert 0 < outputs.psi(shares, shares[[1, 0, 2]]) < outputs.psi(shares, shares[::-1])


def test_half_a_row_is_added_to_each_label_before_its_psi_is_taken() -> None:
    usual, now = np.array(["a"] * 600 + ["b"] * 400, object), np.array(["a"] * 999 + ["b"], object)
    (found,) = drift.compare({"x": column_profile(usual)}, {"x": now}, Monitoring())
    p, q = np.array([600.5, 400.5, 0.5]) / 1001.5, np.array([999.5, 1.5, 0.5]) / 1001.5
    assert found["psi"] == pytest.approx(((q - p) * np.log(q / p)).sum())


GRADES = DRAW.integers(1, 6, 8000).astype(np.float64)
FLAGS = DRAW.integers(0, 2, 8000).astype(np.float64)
SKEWED = DRAW.geometric(0.5, 8000).clip(max=12).astype(np.float64)
HOURS = DRAW.integers(0, 24, 8000).astype(np.float64)
CODES = DRAW.integers(1_000_001, 1_000_005, 8000).astype(np.float64)
DATES = DRAW.integers(20240101, 20240111, 8000).astype(np.float64)
DAYS = 1.7e9 + 86400 * DRAW.integers(0, 10, 8000)
Change = Callable[[np.ndarray], np.ndarray]


def one(before: np.ndarray, now: np.ndarray) -> dict[str, Any]:
    return drift.compare({"c": column_profile(before)}, {"c": now}, Monitoring())[0]


@pytest.mark.parametrize(
    ("before", "change", "says"),
    [
        (FLAGS, lambda v: v * 100, "never had: 1 of them"),
        (FLAGS, lambda v: v - 0.5, "never had: 2 of them"),
        (FLAGS, lambda v: np.where(v == 0, -1, v), "never had"),
        (GRADES, lambda v: np.where(v == 5, 99, v), "never had: 1 of them"),
        (GRADES, lambda v: np.where(v == 1, -999, v), "never had: 1 of them"),
        (GRADES, lambda v: np.where(v > 1, v - 0.5, v), "never had: 4 of them"),
        (GRADES, lambda v: np.where(v == 3, 3.0001, v), "never had: 1 of them"),
        (GRADES, lambda v: np.where(np.arange(len(v)) % 20 == 0, 2.5, v), "5.0% are values"),
        (GRADES, lambda v: np.where(v == 5, 4, v), "mean moved by"),
        (GRADES, lambda v: np.minimum(v + 1, 5), "mean moved by"),
        (SKEWED, lambda v: v * 1.1, "never had"),
        (HOURS, lambda v: v + 0.5, "never had: 24 of them"),
        (SKEWED / 1e6, lambda v: np.where(v == v.min(), 0, v), "never had"),
        (SKEWED * 1e9, lambda v: v + 1e8, "never had"),
        (np.full(8000, 7.0), lambda v: np.where(np.arange(len(v)) % 10 == 0, 8, v), "10.0% are"),
        (CODES, lambda v: np.where(v == 1_000_004, 1_000_005, v), "never had: 1 of them"),
        (DATES, lambda v: np.where(v == 20240110, 20240120, v), "never had: 1 of them"),
        (DAYS, lambda v: v + 1200, "never had: 10 of them"),
        (GRADES.astype(np.float32) / 10, lambda v: v * 10, "never had"),
    ],
)
@pytest.mark.parametrize("rows", [500, 1000, 5000])
def test_a_number_of_few_values_drifts_where_its_values_are_others(
    before: np.ndarray, change: Change, says: str, rows: int
) -> None:
    now = np.random.default_rng(rows).choice(before, rows)
    assert one(before, now)["verdict"] == "steady"
    found = one(before, change(now))
    assert found["verdict"] == "drift"
    assert says in found["reason"]
    assert found["p"] < 1e-4


@pytest.mark.parametrize(
    ("before", "change"),
    [
        (GRADES / 10, lambda v: v.astype(np.float32).astype(np.float64)),
        (CODES + 0.25, lambda v: v.astype(np.float32).astype(np.float64)),
        (CODES / 10, lambda v: v.astype(np.float32).astype(np.float64)),
        (DAYS, lambda v: v.astype(np.float32).astype(np.float64)),
        (GRADES, lambda v: v * (1 + 1e-12) + 1e-13),
        (FLAGS, lambda v: v + 1e-12),
        (GRADES, lambda v: np.where(np.arange(len(v)) == 9, 99, v)),
        (np.append(GRADES, 99.0), lambda v: np.where(np.arange(len(v)) < 2, [77], v)),
        (np.linspace(0, 1, 20), lambda v: DRAW.random(len(v))),
        (np.full(8000, 0.1), lambda v: v),
        (np.where(DRAW.random(8000) < 0.99, 0.0, DRAW.random(8000)), lambda v: v),
    ],
)
def test_the_same_few_values_are_steady(before: np.ndarray, change: Change) -> None:
    now = np.random.default_rng(7).choice(before, 1000)
    assert one(before, change(now))["verdict"] == "steady"


ZEROS = np.where(DRAW.random(8000) < 0.6, 0, DRAW.lognormal(8, 1, 8000))
SIX_HUNDRED = np.where(DRAW.random(8000) < 0.5, 600, DRAW.normal(600, 50, 8000))
CAPPED = np.minimum(DRAW.lognormal(0, 1, 8000), 1.5)
MANY_GRADES = np.where(DRAW.random(8000) < 0.7, 0.0, DRAW.integers(1, 25, 8000))


@pytest.mark.parametrize(
    ("before", "change", "named"),
    [
        (ZEROS, lambda v: np.where(v == 0, -1, v), "0.0"),
        (ZEROS, lambda v: np.where(v == 0, 0.5, v), "0.0"),
        (SIX_HUNDRED, lambda v: np.where(v == 600, 599.999, v), "600.0"),
        (SIX_HUNDRED, lambda v: np.where(v == 600, 600 + DRAW.normal(size=len(v)), v), "600.0"),
        (CAPPED, lambda v: np.where(v == 1.5, 99, v), "1.5"),
        (MANY_GRADES, lambda v: np.where(v == 0, -1, v), None),
        (MANY_GRADES, lambda v: np.where(v > 0, v - 0.5, v), None),
    ],
)
def test_a_number_of_many_values_drifts_where_its_frequent_ones_are_others(
    before: np.ndarray, change: Change, named: str | None
) -> None:
    now = np.random.default_rng(3).choice(before, 1000)
    assert one(before, now)["verdict"] == "steady"
    assert one(before, now.astype(np.float32).astype(np.float64))["verdict"] == "steady"
    found = one(before, change(now))
    assert found["verdict"] == "drift"
    assert found["p"] < 1e-4
    assert re.fullmatch(r"mean moved by \S+ sd, .* (to 0\.0%|of them)", found["reason"])
    assert named is None or found["values"] == [named]


def test_a_profile_without_frequent_values_is_compared_at_its_cut_points() -> None:
    old = column_profile(ZEROS)
    for name in ("frequent", "frequent_rows", "other_rows"):
        del old[name]
    found = drift.compare({"c": old}, {"c": np.where(ZEROS == 0, -1, ZEROS)}, Monitoring())[0]
    assert found["test"] == "Kolmogorov-Smirnov"


def test_a_value_of_few_rows_is_not_kept_as_a_frequent_one() -> None:
    many = np.where(np.arange(300) < 12, 7.0, DRAW.random(300))
    assert column_profile(many)["frequent"] == []


def test_a_profile_made_before_this_test_knows_its_values_too() -> None:
    old = {"kind": "number", "rows": 8000, "missing": 800, "mean": 3.0, "sd": 2**0.5}
    old |= {"edges": [1.0, 2.0, 3.0, 4.0, 5.0], "cuts": [1.0, 2.0, 3.0, 4.0]}
    old |= {"below": [1440, 2880, 4320, 5760]}
    values, rows = known(old)
    assert values.tolist() == [1, 2, 3, 4, 5]
    assert rows.tolist() == [1440] * 5
    now = np.where(np.arange(1000) % 9 == 0, np.nan, np.arange(1000) % 5 + 1.0)
    assert drift.compare({"c": old}, {"c": now}, Monitoring())[0]["verdict"] == "steady"
    moved = np.where(now == 5, 99, now)
    assert drift.compare({"c": old}, {"c": moved}, Monitoring())[0]["verdict"] == "drift"


@pytest.mark.parametrize(
    "many",
    [
        np.where(np.arange(8000) % 10, 0.0, DRAW.random(8000)),
        np.where(np.arange(8000) % 10, 5.0, np.arange(8000)),
        DRAW.random(100),
        np.array([], dtype=np.float64),
        np.full(100, np.nan),
    ],
)
def test_values_between_the_cut_points_are_known_to_be_there(many: np.ndarray) -> None:
    assert known(column_profile(many))[0].tolist() == []


def test_harmless_windows_of_frequent_values_are_seldom_called_drift() -> None:
    draw = np.random.default_rng(9)
    columns: list[Callable[[int], np.ndarray]] = [
        lambda n: draw.integers(0, 120, n) * 1.0,
        lambda n: np.round(draw.normal(50, 15, n)),
        lambda n: np.where(draw.random(n) < 0.6, 0, draw.lognormal(0, 5, n)),
        lambda n: np.where(np.arange(n) % 2, 0, draw.normal(1e9, 100, n)),
    ]
    wrong = [
        one(column(m), column(n))["verdict"] == "drift"
        for column in columns for m in (150, 1000, 8000) for n in (500, 2000) for _ in range(12)
    ]  # fmt: skip
    assert sum(wrong) <= 0.02 * len(wrong)


def test_harmless_windows_of_few_values_are_seldom_called_drift() -> None:
    shares = {2: [0.99, 0.01], 5: [0.2] * 5, 12: [0.5**at for at in range(1, 12)] + [0.5**11]}
    draw = np.random.default_rng(8)
    wrong = [
        one(draw.choice(k, m, p=p) * 1.0, draw.choice(k, n, p=p) * 1.0)["verdict"] == "drift"
        for k, p in shares.items() for m in (100, 1000, 8000) for n in (500, 2000)
        for _ in range(12)
    ]  # fmt: skip
    assert sum(wrong) <= 0.02 * len(wrong)
