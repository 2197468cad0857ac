"""adopt proposes rows or groups to hold out, and says why."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ml_template.pipeline.adoption import adopt
from ml_template.pipeline.data import prepare, split
from ml_template.registry import versioning
from ml_template.settings.config import Config, load_config
from ml_template.storage.places import PREPARED
from ml_template.tables import table

ROWS = 600
Cells = dict[str, Sequence[object]]


@pytest.fixture(autouse=True)
def _untracked(in_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versioning, "add", lambda path: None)


def cells(seed: int = 3, rows: int = ROWS) -> Cells:
    random = np.random.default_rng(seed)
    size = random.normal(size=rows)
    return {
        "size": [f"{value:.4f}" for value in size],
        "y": np.where(size + random.normal(size=rows) > 0.5, "yes", "no").tolist(),
    }


def adopted(columns: Cells, **more: Any) -> Config:
    lines = [columns.keys(), *zip(*columns.values(), strict=True)]
    text = "\n".join(",".join(map(str, line)) for line in lines) + "\n"
    Path("table.csv").write_text(text, encoding="utf-8")
    adopt.run({"DATA": "table.csv", "TARGET": "y", **more})
    return load_config()


@pytest.mark.parametrize(
    ("rows", "split"), [(60, {"folds": 5}), (499, {"folds": 5}), (500, {"test": 0.2})]
)
def test_a_small_table_is_held_out_row_by_row_and_says_why(
    rows: int, split: dict[str, Any]
) -> None:
    config = adopted(cells(rows=rows))
    assert config.split.model_dump(exclude_unset=True, exclude_defaults=True) | split == split
    text = Path("model_config.yaml").read_text(encoding="utf-8")
    said = f"# {rows} rows are few: each is held out once, the model learns from all"
    assert (said in text) == ("folds" in split)


def test_groups_of_a_small_table_are_whole_in_its_folds_and_a_time_is_offered_by_itself() -> None:
    rows = 160
    days = [f"2024-{1 + at % 12:02}-{1 + at % 28:02}" for at in range(rows)]
    people = {"user_id": [f"u{at % 40}" for at in range(rows)], "day": days}
    config = adopted(people | cells(rows=rows))
    assert (config.split.folds, config.split.group) == (5, "user_id")
    text = Path("model_config.yaml").read_text(encoding="utf-8")
    assert "split: {test: 0.2, time: day, group: user_id}" in text
    prepare.run()  # what is written can be read


def test_a_group_that_alone_has_a_class_is_not_split_by() -> None:
    people = [f"u{at % 40}" for at in range(160)]
    columns = cells(rows=160) | {"y": ["yes" if who == "u7" else "no" for who in people]}
    assert adopted({"user_id": people} | columns).split.group is None


def names(groups: int, form: str = "{}") -> list[str]:
    return [form.format(at % groups) for at in range(ROWS)]


@pytest.mark.parametrize(
    ("name", "form", "groups"),
    [
        ("patient_id", "P{:04}", 60),
        ("PatientID", "{}", 60),
        ("customer", "C-{}", 60),
        ("kunde_nr", "{}", 30),
        ("Kundennummer", "{}", 60),
        ("subject", "{}", 24),
        ("subject#", "{}", 40),
        ("user_id", "u{}", 60),
        ("userId", "{}", 60),
        ("id_cliente", "{}", 45),
        ("numéro_patient", "x{}", 45),
        ("session", "s{}", 60),
        ("device_id", "{}", 12),
        ("household", "{}", 60),
        ("Household ID", "{}", 60),
        ("candidate_id", "{}", 60),
        ("store_id", "{}", 60),
        ("ID", "{}", 40),
        ("participant", "p{}", 400),
    ],
)
def test_whole_groups_are_held_out_where_a_column_names_them(
    name: str, form: str, groups: int, capsys: pytest.CaptureFixture[str]
) -> None:
    config = adopted(cells() | {name: names(groups, form)})
    assert config.split.group == name
    assert not config.columns[name].feature
    assert f"hold-out: whole groups: no {name} is on both sides" in capsys.readouterr().out
    text = Path("model_config.yaml").read_text(encoding="utf-8")
    assert "without group, by single rows" in text


@pytest.mark.parametrize(
    ("name", "form", "groups"),
    [
        ("rooms_no", "{}", 60),  # may be an amount
        ("number", "{}", 60),
        ("household", "{}", 9),  # its size
        ("subject", "maths {}", 4),
        ("user", "{}", 2),
        ("sessions", "{}", 60),  # how many
        ("revenue_per_customer", "{}", 60),
        ("visits per patient", "{}", 30),
        ("device", "model {}", 12),
        ("color", "c{}", 12),
        ("year", "{}", 30),
        ("customer_id", "{}", 600),  # each row its own
    ],
)
def test_other_columns_are_not_split_by(name: str, form: str, groups: int) -> None:
    config = adopted(cells() | {name: names(groups, form)})
    assert config.split.group is None
    counted = name not in ("rooms_no", "number", "customer_id")
    assert (name in config.features) == counted


def test_too_few_groups_are_said_and_rows_are_held_out(
    capsys: pytest.CaptureFixture[str],
) -> None:
    config = adopted(cells() | {"patient_id": names(6, "P{}")})
    assert config.split.group is None
    assert "not by patient_id: it has 6 groups, 10 are needed" in capsys.readouterr().out


def test_groups_that_would_take_a_class_away_are_said_and_rows_are_held_out(
    capsys: pytest.CaptureFixture[str],
) -> None:
    columns = cells() | {"patient_id": names(20, "P{}")}
    columns["y"] = ["yes" if name == "P7" else "no" for name in columns["patient_id"]]
    assert adopted(columns).split.group is None
    said = capsys.readouterr().out
    assert "not by patient_id: a class would be on one side only" in said


@pytest.mark.parametrize(
    ("most", "says"), [("P0", "one group has 67% of the rows"), ("", "most rows have none")]
)
def test_one_group_of_most_rows_and_groups_of_few_rows_are_not_held_out_by(
    most: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    columns = cells() | {"patient_id": [most] * 400 + names(60, "P{}")[400:]}
    assert adopted(columns).split.group is None
    assert f"not by patient_id: {says}" in capsys.readouterr().out


def test_of_several_columns_of_groups_people_come_first_and_the_widest_group() -> None:
    more = {"device_id": names(20), "user_id": names(60), "household_id": names(30)}
    config = adopted(cells() | more)
    assert config.split.group == "household_id"
    text = Path("model_config.yaml").read_text(encoding="utf-8")
    assert "split: {test: 0.2, group: user_id}" in text
    assert "split: {test: 0.2, group: device_id}" in text


def test_groups_held_out_have_nearly_the_share_of_the_classes() -> None:
    columns = cells()
    columns["patient_id"] = [f"P{at // 10}" for at in range(ROWS)]
    columns["y"] = ["yes" if at // 10 % 3 == 0 else "no" for at in range(ROWS)]
    config = adopted(columns)
    assert config.split.group == "patient_id"
    prepare.run()
    held = table.read_parquet(PREPARED / "test.parquet")["y"] == "yes"
    assert abs(held.mean() - 1 / 3) < 0.07  # one patient of twelve is 0.083


@pytest.mark.parametrize("seed", range(4))
def test_a_number_with_outliers_is_held_out_like_the_table(seed: int) -> None:
    columns = cells(seed)
    random = np.random.default_rng(seed)
    columns["y"] = [f"{value:.3f}" for value in [500, 900, *random.normal(size=ROWS - 2)]]
    adopted(columns)
    prepare.run()
    test, train = (
        np.sort(table.read_parquet(PREPARED / f"{part}.parquet")["y"]) for part in ("test", "train")
    )
    both = np.r_[test, train]
    assert (test[-1], train[-1]) in ((500, 900), (900, 500))
    assert abs((test > np.median(both)).mean() - 0.5) < 0.14


def test_a_table_of_few_kinds_of_rows_is_held_out_row_by_row(
    capsys: pytest.CaptureFixture[str],
) -> None:
    random = np.random.default_rng(5)
    size = random.integers(0, 4, ROWS)
    columns: Cells = {
        "size": [f"s{value}" for value in size],
        "kind": random.choice(["a", "b", "c"], ROWS).tolist(),
        "y": np.where(random.random(ROWS) < (size + 1) / 6, "yes", "no").tolist(),
    }
    config = adopted(columns)
    assert config.split.repeats == "apart"
    assert "588 of 600 rows repeat another one, 12 are different" in capsys.readouterr().out
    text = Path("model_config.yaml").read_text(encoding="utf-8")
    assert "repeats: together keeps them on one" in text


def test_copies_in_an_export_stay_together() -> None:
    columns = cells()
    columns = {name: [*values, *list(values)[:250]] for name, values in columns.items()}
    config = adopted(columns)
    assert config.split.repeats == "together"
    data = table.columns_of(table.read_raw(config))
    test, _ = split.hold_out(config, data)
    sizes = [set(data["size"][side]) for side in (test, ~test)]
    assert not sizes[0] & sizes[1]
