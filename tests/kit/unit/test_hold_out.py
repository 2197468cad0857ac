"""The hold-out is like the table: of each kind of rows, of whole groups, and a row stays there."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import yaml
from ml_template.model import bootstrap
from ml_template.pipeline.data import prepare, split, validate
from ml_template.pipeline.data.alike import distance
from ml_template.pipeline.data.repeats import by_nature
from ml_template.pipeline.judgement import rival
from ml_template.settings.config import Config, InputError, load_config
from ml_template.storage.places import PREPARED
from ml_template.tables import table
from ml_template.tables.table import Columns

ROWS = 2000


def config(rule: dict[str, Any], task: str = "binary", **more: Any) -> Config:
    data: dict[str, Any] = {"path": "data/cells.csv", "target": "y", "task": task}
    if task == "binary":
        data |= {"classes": ["no", "yes"], "positive": "yes"}
    columns = {"class": {"type": "categorical"}, "sex": {"type": "categorical"}}
    columns["who"] = {"type": "categorical", "feature": False, "missing": True}
    return Config.model_validate(
        {"data": data, "columns": columns, "split": rule, "seed": 7, **more}
    )


def cells(rows: int = ROWS, seed: int = 0) -> Columns:
    """Eight kinds of rows, the most frequent one 32 % of them, and what became of each."""
    random = np.random.default_rng(seed)
    where = random.choice(["1st", "2nd", "3rd", "crew"], rows, p=[0.1, 0.1, 0.4, 0.4])
    sex = random.choice(["m", "f"], rows, p=[0.8, 0.2])
    chance = np.where(sex == "f", 0.7, 0.2)
    return {
        "class": where.astype(object),
        "sex": sex.astype(object),
        "who": np.full(rows, None, dtype=object),
        "y": np.where(random.random(rows) < chance, "yes", "no").astype(object),
    }


def kinds(columns: Columns, rows: np.ndarray) -> Counter[tuple[str, ...]]:
    return Counter(zip(*(columns[name][rows] for name in ("class", "sex", "y")), strict=True))


APART = {"test": 0.2, "repeats": "apart"}


def test_of_each_kind_of_rows_its_share_is_held_out() -> None:
    columns = cells()
    test, _ = split.hold_out(config(APART), columns)
    held, there = kinds(columns, test), kinds(columns, np.ones(ROWS, dtype=bool))
    assert len(there) == 16
    assert all(abs(held[kind] - 0.2 * count) <= 2.5 for kind, count in there.items())


@pytest.mark.parametrize("task", ["binary", "regression"])
def test_what_is_added_changes_no_side(task: str) -> None:
    rule, late = config(APART, task), cells()
    late |= {"y": np.arange(float(ROWS))} if task == "regression" else {}
    early = {name: values[:1500] for name, values in late.items()}
    test, cuts = split.hold_out(rule, early)
    assert split.held(rule, late, cuts)[:1500].tolist() == test.tolist()


def test_another_order_of_the_table_holds_out_rows_of_the_same_kinds() -> None:
    columns = cells()
    mixed = table.take(columns, np.random.default_rng(1).permutation(ROWS))
    (here, _), (there, _) = (split.hold_out(config(APART), c) for c in (columns, mixed))
    assert kinds(columns, here) == kinds(mixed, there)


def test_rows_that_are_all_equal_are_held_out_by_their_share() -> None:
    columns = {name: np.full(100, "a", dtype=object) for name in ("class", "sex", "who")}
    columns["y"] = np.array(["yes"] * 10 + ["no"] * 90, dtype=object)
    test, _ = split.hold_out(config(APART), columns)
    assert Counter(columns["y"][test]) == {"yes": 2, "no": 18}


def test_a_configuration_without_the_new_keys_has_the_digest_it_had() -> None:
    plain = config({"test": 0.2})
    assert plain.model_dump(mode="json")["split"] == {"test": 0.2, "time": None, "group": None}
    digests = {split.rule(config(rule)) for rule in ({}, {"draw": 1}, {"repeats": "apart"})}
    assert len(digests) == 3


@pytest.mark.parametrize("other", [{"time": "when"}, {"group": "who"}])
def test_repeats_apart_beside_another_rule_is_refused(other: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="repeats belongs to a split by rows"):
        config(APART | other)


def measured(rows: int = 400, seed: int = 0) -> Columns:
    """Rows of which no two are equal, and a class that they do not tell for sure."""
    random = np.random.default_rng(seed)
    size = random.normal(size=rows)
    return {
        "size": size,
        "kind": random.choice(["a", "b"], rows).astype(object),
        "y": np.where(size + random.normal(size=rows) > 0, "yes", "no").astype(object),
    }


def copied(columns: Columns, times: np.ndarray) -> Columns:
    return {name: np.repeat(values, times) for name, values in columns.items()}


def why(columns: Columns) -> str:
    features = {name: values for name, values in columns.items() if name != "y"}
    return by_nature(features, columns["y"], 0.2)


def test_a_table_of_few_kinds_of_rows_repeats_by_nature() -> None:
    assert "1,992 of 2,000 rows repeat another one" in why(cells())


def test_a_frequent_kind_of_rows_among_different_ones_is_found() -> None:
    columns = measured()
    columns["size"][:150], columns["kind"][:150] = 0.0, "a"
    assert "150 are equal" in why(columns)


@pytest.mark.parametrize(
    "times",
    [
        np.ones(400, dtype=int),
        np.r_[np.full(120, 2), np.ones(280, dtype=int)],  # an export that wrote a third twice
        np.full(400, 3),  # a join that wrote each three times
    ],
)
def test_copies_of_records_are_kept_together(times: np.ndarray) -> None:
    assert why(copied(measured(), times)) == ""


def write(columns: Columns, rule: dict[str, Any], **more: Any) -> None:
    """The table and its configuration in this folder."""
    Path("data").mkdir(exist_ok=True)
    names = list(columns)
    rows = zip(*(columns[name] for name in names), strict=True)
    lines = [names, *([("" if v is None else str(v)) for v in row] for row in rows)]
    Path("data/cells.csv").write_text("\n".join(map(",".join, lines)) + "\n", encoding="utf-8")
    dumped = config(rule, **more).model_dump(mode="json", exclude_defaults=True)
    Path("model_config.yaml").write_text(yaml.safe_dump(dumped), encoding="utf-8")


def test_prepare_warns_where_whole_kinds_of_rows_are_held_out(
    in_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(cells(), {"test": 0.2})
    prepare.run()
    said = capsys.readouterr().out
    assert "prepare: warning: 1,992 of 2,000 rows repeat another one" in said
    assert "repeats: apart under split in model_config.yaml" in said
    write(cells(), APART)
    prepare.run()
    said = capsys.readouterr().out
    assert "warning" not in said
    assert "equal rows are on both sides of the split" in said
    share = float(np.mean(cells()["y"] == "yes"))
    assert "hold-out: 20.0% of the rows; yes 29." in said
    assert f"(table {share:.1%})" in said
    validate.run()


def test_a_hold_out_that_is_not_like_the_table_is_named_with_the_remedy(
    in_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    columns = cells()
    columns["who"] = np.array([f"g{at % 20}" for at in range(ROWS)], dtype=object)
    columns["y"] = np.where(np.arange(ROWS) % 20 < 6, "yes", "no").astype(object)
    warned = []
    for draw in range(20):
        write(columns, {"test": 0.2, "group": "who", "draw": draw})
        prepare.run()
        said = capsys.readouterr().out
        held = table.read_parquet(PREPARED / "test.parquet")["y"] == "yes"
        assert ("not like the table" in said) == (abs(held.mean() - 0.3) > 0.07), said
        warned.append(f"set draw: {draw + 1} under split" in said)
    assert 0 < sum(warned) < 20


def test_of_added_rows_those_are_compared_that_the_champion_did_not_learn_from(
    in_folder: Path,
) -> None:
    early = {name: values[:1500] for name, values in cells().items()}
    write(early, APART)
    rule = load_config()
    _, cuts = split.hold_out(rule, early)
    write(cells(), APART)
    prepare.run()
    test = table.read_parquet(PREPARED / "test.parquet")
    data = {"split": split.rule(rule), "cuts": cuts}
    model: Any = SimpleNamespace(identity={"data": data}, labels=())
    rows = rival._fair(rule, model, data, test, np.zeros(table.rows(test)), same=False)
    assert rows is not None
    whole = split.held(rule, cells(), cuts)
    numbers = test[table.ROW].astype(int) - 1
    assert rows.tolist() == np.flatnonzero(whole[numbers]).tolist()
    assert len(rows) > 300


def grouped(missing: int = 0) -> Columns:
    columns = cells()
    who = np.array([f"p{at % 100}" for at in range(ROWS)], dtype=object)
    who[:missing] = None
    return columns | {"who": who}


GROUP = {"test": 0.2, "group": "who"}


def test_rows_without_a_group_are_not_one_group(in_folder: Path) -> None:
    columns = grouped(missing=600)
    columns["class"][:600] = [f"c{at}" for at in range(600)]
    test, _ = split.hold_out(config(GROUP), columns)
    assert 60 < test[:600].sum() < 180
    assert not set(columns["who"][600:][test[600:]]) & set(columns["who"][600:][~test[600:]])
    write(columns, GROUP)
    prepare.run()
    validate.run()


def test_the_side_of_a_group_follows_from_its_name_and_the_seed() -> None:
    columns, rule = grouped(), config(GROUP)
    test, cuts = split.hold_out(rule, columns)
    order = np.random.default_rng(2).permutation(ROWS)
    other = table.take(columns, order) | {"y": columns["y"], "class": columns["class"]}
    assert split.held(rule, other, cuts).tolist() == test[order].tolist()


def test_one_group_only_is_refused() -> None:
    columns = grouped() | {"who": np.full(ROWS, "p", dtype=object)}
    with pytest.raises(InputError, match="split leaves no rows"):
        split.hold_out(config(GROUP), columns)


def test_the_distance_of_a_hold_out_counts_in_standard_errors() -> None:
    labels = np.array(["no"] * 900 + ["yes"] * 100, dtype=object)
    test = np.zeros(1000, dtype=bool)
    test[:90] = test[900:910] = True
    assert distance(labels, test) == pytest.approx(0.0)
    test[910:919] = True  # 19 of 109 instead of 10 %
    assert distance(labels, test) == pytest.approx((19 / 109 - 0.1) / 0.3 * np.sqrt(109))
    values = np.arange(1000.0)
    assert distance(values, values % 5 == 2) < 0.1
    values[1:3] = 1e6  # both outliers are on one side, or each on its own
    assert distance(values, values % 5 == 2) > 10
    test = np.arange(1000) % 5 == 2
    test[1:3] = False, True
    assert distance(values, test) < 3
    assert distance(values, values >= 800) > 10


def mean(truth: np.ndarray, answers: np.ndarray, weights: np.ndarray) -> np.ndarray:
    found: np.ndarray = (weights * (truth - answers)).sum(axis=1) / weights.sum(axis=1)
    return found


def test_rows_of_a_group_that_is_held_out_whole_tell_no_more_than_one() -> None:
    random = np.random.default_rng(3)
    levels = random.normal(size=60)
    groups = np.repeat(np.arange(60), 16)
    truth, nothing = levels[groups], np.zeros(960)
    few = bootstrap.interval(mean, levels, np.zeros(60), 7)
    rows = bootstrap.interval(mean, truth, nothing, 7)
    whole = bootstrap.interval(mean, truth, nothing, 7, groups)
    paired = bootstrap.paired_interval(mean, truth, nothing, nothing - truth, 7, groups)
    assert whole.high - whole.low == pytest.approx(few.high - few.low, rel=0.1)
    assert whole.high - whole.low > 3 * (rows.high - rows.low)
    assert paired.high - paired.low == pytest.approx(whole.high - whole.low, rel=0.1)


def test_a_row_without_a_group_is_drawn_alone_and_without_groups_each_row_is() -> None:
    columns = cells(6)
    columns["who"] = np.array(["a", "a", None, "b", None, "b"], dtype=object)
    columns["class"] = np.array(["1st", "2nd", "3rd", "1st", "2nd", "3rd"], dtype=object)
    found = split.clusters(config({"test": 0.2, "group": "who"}), columns)
    assert found is not None
    assert sorted(Counter(found.tolist()).values()) == [1, 1, 2, 2]
    assert found.max() == 3
    assert found[0] == found[1]
    assert split.clusters(config({"test": 0.2}), columns) is None


@pytest.mark.parametrize("units", [1, 2, 5])
def test_an_interval_of_few_groups_is_no_narrower_than_one_of_rows(units: int) -> None:
    random = np.random.default_rng(9)
    truth, nothing = random.normal(size=60), np.zeros(60)
    rows = bootstrap.interval(mean, truth, nothing, 7)
    whole = bootstrap.interval(mean, truth, nothing, 7, np.arange(60) % units)
    assert whole.low <= rows.low
    assert whole.high >= rows.high
    assert whole.value == rows.value
