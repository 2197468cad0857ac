from typing import Any

import numpy as np
import pytest
from ml_template.pipeline.data.split import held, hold_out
from ml_template.settings.config import Config, InputError
from ml_template.tables.table import Columns


def config(split: dict[str, Any]) -> Config:
    data = {"path": "x.csv", "target": "y", "task": "binary", "classes": ["a", "b"]}
    columns = {"when": {"type": "datetime"}, "who": {"type": "categorical"}}
    return Config.model_validate(
        {"data": data | {"positive": "b"}, "columns": columns, "split": split}
        | {"model": {}, "seed": 3}
    )


COLUMNS = {
    "y": np.array(["a"] * 90 + ["b"] * 10, dtype=object),
    "when": np.arange("2024-01-01", "2024-04-10", dtype="datetime64[D]").astype("datetime64[us]"),
    "who": np.array([f"person {at % 25}" for at in range(100)], dtype=object),
}


def test_each_class_has_its_share_in_the_hold_out() -> None:
    test, _ = hold_out(config({"test": 0.2}), COLUMNS)
    assert COLUMNS["y"][test].tolist().count("a") == 18
    assert COLUMNS["y"][test].tolist().count("b") == 2


def test_equal_rows_are_on_one_side_of_the_split() -> None:
    columns = COLUMNS | {"who": np.array([f"k{at % 7}" for at in range(100)], object)}
    columns["when"] = np.full(100, COLUMNS["when"][0])
    test, _ = hold_out(config({"test": 0.2}), columns)
    for label in ("a", "b"):
        held = {str(who) for who in columns["who"][test & (columns["y"] == label)]}
        kept = {str(who) for who in columns["who"][~test & (columns["y"] == label)]}
        assert held
        assert not held & kept


def taken(index: np.ndarray) -> Columns:
    return {name: values[index] for name, values in COLUMNS.items()}


def test_a_row_stays_on_its_side_when_rows_are_added() -> None:
    split, first = config({"test": 0.2}), np.flatnonzero(np.arange(100) % 5)
    early, cuts = hold_out(split, taken(first))
    late, _ = hold_out(split, COLUMNS)
    assert (late[first] != early).mean() < 0.1  # the cut moves a little
    assert held(split, COLUMNS, cuts)[first].tolist() == early.tolist()
    mixed = np.random.default_rng(0).permutation(100)
    assert hold_out(split, taken(mixed))[0].tolist() == late[mixed].tolist()


def test_by_time_the_newest_rows_are_held_out() -> None:
    test, _ = hold_out(config({"test": 0.2, "time": "when"}), COLUMNS)
    assert COLUMNS["when"][~test].max() < COLUMNS["when"][test].min()
    assert test.sum() == 20


def test_by_group_nobody_is_on_both_sides() -> None:
    test, _ = hold_out(config({"test": 0.2, "group": "who"}), COLUMNS)
    assert not set(COLUMNS["who"][test]) & set(COLUMNS["who"][~test])
    assert test.sum() == 20


def test_a_split_that_leaves_nothing_is_refused() -> None:
    same = COLUMNS | {"when": np.full(100, COLUMNS["when"][0])}
    with pytest.raises(InputError, match="leaves no rows to learn"):
        hold_out(config({"time": "when"}), same)
