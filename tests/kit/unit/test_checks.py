"""Rules across columns, and texts that tell who somebody is."""

from __future__ import annotations

import numpy as np
import pytest
from ml_template.pipeline.data import personal, rules
from ml_template.pipeline.data.repeats import repeated
from ml_template.pipeline.data.table_checks import fresh_until
from ml_template.settings.config import Config, InputError

COLUMNS = {
    "a": np.array([1.0, 2.0, 3.0, np.nan]),
    "b": np.array([2.0, 2.0, 2.0, 2.0]),
    "total cost": np.array([3.0, 4.0, 9.0, 1.0]),
    "kind": np.array(["x", "y", None, "x"], dtype=object),
    "day": np.array(["2025-01-01", "2025-01-02", "2025-01-03", "NaT"], dtype="M8[us]"),
}


@pytest.mark.parametrize(
    ("rule", "rows"),
    [
        ("a <= b", [2]),
        ("a + b == `total cost`", [2]),
        ("0 < a < 3", [2]),
        ("kind == 'x'", [1]),
        ("kind in ['x', 'y']", []),
        ("kind != 'y' or a > 2", [1]),
        ("not a > 2 and -a < 0", [2]),
        ("day < '2025-01-03'", [2]),
    ],
)
def test_a_rule_marks_the_rows_that_break_it_and_leaves_gaps_alone(
    rule: str, rows: list[int]
) -> None:
    assert np.flatnonzero(rules.broken(rule, COLUMNS)).tolist() == rows


@pytest.mark.parametrize(
    "rule",
    [
        "c < 1",
        "1 < 2",
        "a <",
        "a",
        "a.mean() > 0",
        "__import__('os')",
        "a @ b > 0",
        "kind < 3",
        "day < 'x'",
    ],
)
def test_a_faulty_rule_is_named(rule: str) -> None:
    with pytest.raises(InputError, match=r"checks\.rules"):
        rules.broken(rule, COLUMNS)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("ask jo.doe+x@mail.example.com now", "an e-mail address"),
        ("+49 (30) 1234 5678", "a phone number"),
        ("(555) 123-4567", "a phone number"),
        ("card 4111-1111-1111-1111", "a payment card number"),
        ("DE89 3704 0044 0532 0130 00", "an IBAN"),
        ("078-05-1120", "a social security number"),
        ("from 192.168.10.1", "an IP address"),
        ('=HYPERLINK("x")', "a formula"),
        ("@SUM(1+1)", "a formula"),
    ],
)
def test_personal_data_and_formulas_are_found(text: str, what: str) -> None:
    values = np.array(["plain", None, text], dtype=object)
    found = {name: rows.tolist() for _, name, rows in personal.findings(values)}
    assert found == {what: [False, False, True]}


@pytest.mark.parametrize(
    "text",
    [
        "north", "2025-01-31", "10.5.2", "1,234.50", "4111 1111 1111 1112",
        "DE00370400440532013000", "-5", "+3", "=", "@home", "12345678", "1-2-3", "000-12-3456",
        "a@b", "300.1.1.1",
    ],
)  # fmt: skip
def test_what_only_looks_like_it_is_not(text: str) -> None:
    assert list(personal.findings(np.array([text], dtype=object))) == []


def test_a_row_repeats_an_earlier_one_with_the_same_gaps() -> None:
    columns = {
        "x": np.array([1.0, np.nan, 1.0, np.nan]),
        "y": np.array(["a", None, "a", "b"], dtype=object),
    }
    assert repeated(columns).tolist() == [False, False, True, False]


@pytest.mark.parametrize(
    ("newest", "days", "until"),
    [
        ("2024-02-28", 2, "2024-03-01"),
        ("2024-02-28", 2**63 - 1, "9999-12-31"),
        ("9999-12-31", 30, "9999-12-31"),
    ],
)
def test_a_table_is_fresh_until_a_day_that_a_calendar_has(
    newest: str, days: int, until: str
) -> None:
    config = Config.model_validate(
        {
            "data": {"path": "x.csv", "target": "y", "task": "regression"},
            "columns": {"x": {"type": "numeric"}, "day": {"type": "datetime", "feature": False}},
            "checks": {"freshness": {"column": "day", "max_days": days}},
        }
    )
    assert fresh_until({"day": np.array([newest, "NaT"], "M8[us]")}, config) == until


@pytest.mark.parametrize(
    "text", ["a4111111111111111b", "4111111111111111-beef", "9f4111-1111-1111-1111-1fa1"]
)
def test_digits_inside_an_identifier_are_no_card_number(text: str) -> None:
    assert list(personal.findings(np.array([text], dtype=object))) == []
