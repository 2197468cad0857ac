"""Other people's splits are kept, and the future of groups that nobody has seen is held out."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import yaml
from ml_template.pipeline.adoption import adopt
from ml_template.pipeline.data import prepare, split, validate
from ml_template.pipeline.judgement import rival
from ml_template.pipeline.training import search
from ml_template.registry import versioning
from ml_template.settings.config import Config, InputError, load_config
from ml_template.storage.places import PREPARED
from ml_template.tables import table
from ml_template.tables.table import Columns

ROWS = 400
MARK = {"type": "categorical", "feature": False, "values": ["train", "valid", "test"]}


def config(rule: dict[str, Any], mark: dict[str, Any] | None = None) -> Config:
    data = {"path": "data/t.csv", "target": "y", "task": "binary"}
    data |= {"classes": ["no", "yes"], "positive": "yes"}
    columns: dict[str, Any] = {
        "size": {"type": "numeric"},
        "when": {"type": "datetime", "feature": False},
        "who": {"type": "categorical", "feature": False, "missing": True},
        "part": mark or MARK,
    }
    return Config.model_validate({"data": data, "columns": columns, "split": rule})


def columns(rows: int = ROWS) -> Columns:
    random = np.random.default_rng(4)
    start = np.datetime64("2025-01-01", "us")
    size = random.normal(size=rows)
    return {
        "size": size,
        "when": start + random.integers(0, 365, rows) * np.timedelta64(1, "D"),
        "who": random.choice([f"p{at}" for at in range(40)], rows).astype(object),
        "part": random.choice(["train", "valid", "test"], rows, p=[0.7, 0.1, 0.2]).astype(object),
        "y": np.where(size + random.normal(size=rows) > 0, "yes", "no").astype(object),
    }


def write(rule: dict[str, Any], there: Columns, mark: dict[str, Any] | None = None) -> None:
    Path("data").mkdir(exist_ok=True)
    cells = zip(*(there[name].tolist() for name in there), strict=True)
    lines = [
        ",".join(there),
        *(",".join("" if v is None else str(v) for v in row) for row in cells),
    ]
    Path("data/t.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    made = config(rule, mark).model_dump(mode="json", exclude_defaults=True)
    Path("model_config.yaml").write_text(yaml.safe_dump(made), encoding="utf-8")


HELD = {"column": "part", "holds": ["test", "valid"]}


def test_the_marks_of_a_column_say_which_rows_are_held_out(in_folder: Path) -> None:
    there = columns()
    write(HELD, there)
    prepare.run()
    validate.run()
    held = {str(mark) for mark in table.read_parquet(PREPARED / "test.parquet")["part"]}
    kept = {str(mark) for mark in table.read_parquet(PREPARED / "train.parquet")["part"]}
    assert (held, kept) == ({"test", "valid"}, {"train"})
    data = json.loads((PREPARED / "data.json").read_bytes())
    assert data["test"] == int(np.isin(there["part"].astype(str), ["test", "valid"]).sum())
    # somebody may mark an old row anew: of a later table nobody knows what was learned from
    assert (data["split"], data["cuts"]) == (None, None)
    model: Any = SimpleNamespace(identity={"data": data})
    assert rival._fair(load_config(), model, data, {}, np.arange(3), same=False) is None


@pytest.mark.parametrize("mark", ["0", "0.0"])
def test_numbers_of_folds_are_marks_in_one_form(mark: str) -> None:
    there = columns() | {"part": np.array(["0", "1", "2", "3"] * 100, dtype=object)}
    made = config({"column": "part", "holds": [mark]}, MARK | {"values": None})
    test, _ = split.hold_out(made, there)
    assert np.flatnonzero(test).tolist() == list(range(0, ROWS, 4))


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("tset", "column 'part' holds 'tset', which its values do not list, in 1 of 400 rows"),
        (None, "column 'part' is missing, so that nobody knows its side, in 1 of 400 rows"),
    ],
)
def test_a_mark_that_nobody_knows_is_refused_with_its_row(value: object, says: str) -> None:
    there = columns()
    there["part"][6] = value
    with pytest.raises(InputError, match=says) as refused:
        split.hold_out(config(HELD), there)
    assert "(rows 7)" in str(refused.value)


def test_marks_that_no_row_has_and_sides_without_a_row_are_refused() -> None:
    there = columns() | {"part": np.array(["a", "b"] * 200, dtype=object)}
    free = MARK | {"values": None}
    with pytest.raises(
        InputError, match=r"no row of data/t.csv has 'test' in 'part': it holds 'a'"
    ):
        split.hold_out(config({"column": "part", "holds": ["test"]}, free), there)
    with pytest.raises(InputError, match="split leaves no rows"):
        split.hold_out(config({"column": "part", "holds": ["a", "b"]}, free), there)


@pytest.mark.parametrize(
    ("rule", "mark", "says"),
    [
        ({"column": "part"}, MARK, "column and holds belong together"),
        ({"holds": ["test"]}, MARK, "column and holds belong together"),
        (HELD | {"group": "who"}, MARK, "remove the other keys"),
        (HELD | {"draw": 2}, MARK, "remove the other keys"),
        (HELD | {"column": "prat"}, MARK, "split.column: 'prat' is not in columns"),
        (HELD, MARK | {"feature": True}, "must be categorical and feature: false"),
        (HELD, {"type": "numeric", "feature": False}, "must be categorical and feature: false"),
        (HELD | {"holds": ["tset"]}, MARK, "split.holds: 'tset' is not in values of 'part'"),
    ],
)
def test_marks_that_cannot_be_used_are_refused(
    rule: dict[str, Any], mark: dict[str, Any], says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        config(rule, mark)


def test_folds_of_a_search_draw_rows_where_marks_made_the_hold_out() -> None:
    made = search.folds(config(HELD), columns())
    assert all(not (learn & test).any() and (learn | test).all() for learn, test in made)
    assert all(80 < test.sum() < 120 for _, test in made)


BOTH = {"test": 0.2, "time": "when", "group": "who"}


def strangers(there: Columns, learn: np.ndarray, test: np.ndarray) -> None:
    """No group on both sides, nothing learned from after what is tested on."""
    assert test.any()
    assert learn.any()
    assert not set(there["who"][learn]) & set(there["who"][test])
    assert there["when"][learn].max() < there["when"][test].min()


def test_by_time_and_group_the_future_of_unseen_groups_is_held_out() -> None:
    there, rule = columns(4000), config(BOTH)
    test, cuts = split.hold_out(rule, there)
    learn = split.learned(rule, there, test, cuts)
    strangers(there, learn, test)
    assert 0.13 < test.mean() < 0.27
    assert 0.2 < learn.mean() < 0.45
    for learn, test in search.folds(rule, there):
        strangers(there, learn, test)


def test_what_is_added_moves_no_row_by_time_and_group() -> None:
    late, rule = columns(), config(BOTH)
    early = {name: values[:300] for name, values in late.items()}
    test, cuts = split.hold_out(rule, early)
    again = split.held(rule, late, cuts)
    assert again[:300].tolist() == test.tolist()
    before = split.learned(rule, early, test, cuts)
    assert split.learned(rule, late, again, cuts)[:300].tolist() == before.tolist()


def test_rows_that_fit_neither_side_are_counted(
    in_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(BOTH, columns())
    prepare.run()
    validate.run()
    data = json.loads((PREPARED / "data.json").read_bytes())
    assert data["train"] + data["test"] + data["neither"] == ROWS
    assert data["neither"] > 50
    assert f"{data['neither']:,} left out" in capsys.readouterr().out


def test_one_moment_or_one_group_only_is_refused() -> None:
    there = columns()
    for name in ("when", "who"):
        with pytest.raises(InputError, match="split leaves no rows"):
            same = there | {name: np.full(ROWS, there[name][0], dtype=there[name].dtype)}
            split.hold_out(config(BOTH), same)


@pytest.mark.parametrize(
    ("name", "marks", "holds"),
    [
        ("split", ["train", "valid", "test"], "[test]"),
        ("is_train", ["1", "0", "1"], '["0"]'),
        ("is_test", ["False", "True", "False"], '["True"]'),
        ("fold", ["3", "1", "2"], '["1"]'),
    ],
)
def test_adopt_says_how_the_marks_of_a_column_are_used(
    name: str, marks: list[str], holds: str, in_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(versioning, "add", lambda path: None)
    there = columns(300)
    there[name] = np.array(marks * 100, dtype=object)
    del there["part"], there["when"], there["who"]
    lines = [
        ",".join(there),
        *(",".join(map(str, row)) for row in zip(*there.values(), strict=True)),
    ]
    Path("t.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    adopt.run({"DATA": "t.csv", "TARGET": "y"})
    text = Path("model_config.yaml").read_text(encoding="utf-8")
    assert name in load_config().left_out
    use, declare = (line for line in text.splitlines() if line.startswith("# ") and name in line)
    asked = use.partition("split: ")[2]
    assert asked == f"{{column: {name}, holds: {holds}}}"
    content = yaml.safe_load(text)
    content["left_out"].pop(name)
    content["split"] = yaml.safe_load(asked)
    content["columns"] |= yaml.safe_load(declare.partition("left_out:  ")[2])
    Path("model_config.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    prepare.run()
    validate.run()
    assert table.rows(table.read_parquet(PREPARED / "test.parquet")) == 100


def test_adopt_offers_the_future_of_unseen_groups_where_a_table_has_both(
    in_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(versioning, "add", lambda path: None)
    there = columns(400) | {"user_id": columns(400)["who"]}
    del there["part"], there["who"]
    lines = [
        ",".join(there),
        *(",".join(map(str, row)) for row in zip(*there.values(), strict=True)),
    ]
    Path("t.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    adopt.run({"DATA": "t.csv", "TARGET": "y"})
    text = Path("model_config.yaml").read_text(encoding="utf-8")
    assert "split: {test: 0.2, time: when, group: user_id}" in text
