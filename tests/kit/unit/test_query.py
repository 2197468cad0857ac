"""A table that lies elsewhere: its rows are noticed, its query is kept, its tests read it."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from ml_template import project as projects
from ml_template.model import lineage
from ml_template.pipeline.data import prepare
from ml_template.pipeline.judgement.rival import rows_digest
from ml_template.registry import reproduce
from ml_template.settings.config import Config
from ml_template.tables.table import read_parquet
from ml_template.testing import trained_in

from ..conftest import PACKAGE, ROOT

COLUMNS = {"x": {"type": "numeric"}}
DATA = {"target": "y", "task": "regression"}
NOISE = np.random.default_rng(0).normal(0, 2000, 5000)
WAREHOUSE = Path("warehouse.db")
ELSEWHERE = Path("elsewhere.json")  # stands for what a database holds: no stage names it
STAGES = {
    "prepare": {
        "cmd": f"mkdir -p data/prepared; cp {ELSEWHERE} data/prepared/data.json; echo p >> ran",
        "deps": ["${data.path}"],
        "outs": ["data/prepared"],
    },
    "evaluate": {
        "cmd": "cp data/prepared/data.json measured.json; echo e >> ran",
        "deps": ["data/prepared"],
        "outs": ["measured.json"],
    },
}
Hands = Callable[..., None]
of_dvc_alone = pytest.mark.filterwarnings("ignore:_NoneStep")


@pytest.fixture
def hand(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hands]:
    """Hand over the project with these functions in a load.py of its own."""

    def over(**functions: Any) -> None:
        monkeypatch.setitem(sys.modules, f"{PACKAGE}.own", SimpleNamespace(**functions))
        named = {role: f"own:{role}" for role in functions}
        projects.hand_over(replace(projects.Project(PACKAGE), **named))

    yield over
    projects.hand_over(projects.Project(PACKAGE))


def born(folder: Path, path: str) -> None:
    """A folder with a configuration and the file that it names."""
    (folder / "data").mkdir()
    (folder / "requirements").mkdir()
    (folder / path).write_text("SELECT x, y FROM t ORDER BY x")
    content = {
        "data": DATA | {"path": path},
        "columns": COLUMNS,
        "model": {"params": {"max_iter": 5}},
        "seed": 3,
    }
    (folder / "model_config.yaml").write_text(json.dumps(content))
    (folder / "gates.yaml").write_text((ROOT / "gates.yaml").read_text())


def stages(path: str) -> None:
    born(Path(), path)
    Path(".dvc/tmp").mkdir(parents=True)
    Path(".dvc/config").write_text("[core]\n    no_scm = true\n    analytics = false\n")
    Path("dvc.yaml").write_text(json.dumps({"vars": ["model_config.yaml"], "stages": STAGES}))


def ran(rows: int, state: object = None) -> str:
    """Which stages `make run` begins when the database holds so many rows."""
    ELSEWHERE.write_text(json.dumps({"rows": rows, "state": state}))
    Path("ran").write_text("")
    reproduce.run({"STAGE": "evaluate"})
    assert json.loads(Path("measured.json").read_text())["rows"] <= rows
    return Path("ran").read_text().replace("\n", "")


@of_dvc_alone
def test_new_rows_of_a_database_are_noticed_and_the_same_rows_train_nothing(
    in_folder: Path,
) -> None:
    stages("data/q.sql")
    assert [ran(rows) for rows in (1, 1, 2, 2)] == ["pe", "p", "pe", "p"]


@of_dvc_alone
def test_a_table_that_dvc_sees_is_not_read_again(in_folder: Path) -> None:
    stages("data/q.csv")
    assert [ran(rows) for rows in (1, 1)] == ["pe", ""]


@of_dvc_alone
@pytest.mark.parametrize("path", ["data/q.sql", "data/q.csv"])
def test_a_state_that_is_cheap_to_ask_spares_the_reading(
    path: str, in_folder: Path, hand: Hands
) -> None:
    stages(path)
    now = {"state": "first"}
    hand(state=lambda config: now["state"])
    assert [ran(1, "first") for _ in range(2)] == ["pe", ""]
    now["state"] = "second"
    assert [ran(2, "second") for _ in range(2)] == ["pe", ""]


def filled(rows: int, shift: float = 0.0) -> None:
    """A database with a table t: y is x, and `shift` more."""
    x = np.arange(float(rows))
    with sqlite3.connect(WAREHOUSE) as connection:
        table = pd.DataFrame({"x": x, "y": x + NOISE[:rows] + shift})
        table.to_sql("t", connection, index=False, if_exists="replace")


def load(config: Config, wanted: Any) -> pa.Table:
    """As docs/data.md says: it can read nothing but a query."""
    query = Path(config.data.path).read_text(encoding="utf-8")
    with sqlite3.connect(WAREHOUSE) as connection:
        return pa.Table.from_pandas(pd.read_sql(query, connection))


def named() -> str:
    """Prepare, and name the hold-out rows."""
    prepare.run()
    data = json.loads(Path("data/prepared/data.json").read_text())
    return rows_digest(data, read_parquet(Path("data/prepared/test.parquet")))


def test_other_rows_of_the_same_query_are_another_hold_out(in_folder: Path, hand: Hands) -> None:
    """Else a champion would be compared on rows that it has seen, as if they were the same."""
    born(in_folder, "data/q.sql")
    hand(load=load)
    filled(200)
    first = named()
    assert named() == first
    filled(200, shift=1.0)
    assert named() != first


def test_a_load_that_reads_only_a_query_is_asked_where_it_lies_and_tested_on_a_part(
    tmp_path: Path, hand: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, folder = tmp_path / "source", tmp_path / "folder"
    source.mkdir()
    folder.mkdir()
    born(source, "data/q.sql")
    monkeypatch.chdir(source)
    filled(5000)
    hand(load=load)
    with trained_in(source, folder) as made:
        assert len(made.train["y"]) + len(made.test["y"]) == 4000
        assert made.score(made.predict(made.test), made.test) > 0.1
    assert projects.handed().load == "own:load"
    assert not (source / "data/small.parquet").exists()


def test_a_part_of_a_large_table_has_rows_of_every_class(tmp_path: Path, hand: Hands) -> None:
    source, folder = tmp_path / "source", tmp_path / "folder"
    source.mkdir()
    folder.mkdir()
    born(source, "data/q.sql")
    content = json.loads((source / "model_config.yaml").read_text())
    content["data"] |= {"task": "multiclass", "classes": ["a", "b", "rare"]}
    (source / "model_config.yaml").write_text(json.dumps(content))
    labels = ["a", "b"] * 50_000 + ["rare"] * 30
    table = pa.table({"x": np.arange(len(labels)) % 7.0, "y": labels})
    hand(load=lambda config, wanted: table)
    with trained_in(source, folder) as made:
        rare = sum((part["y"] == "rare").sum() for part in (made.train, made.test))
        assert rare >= 20
        assert len(made.train["y"]) + len(made.test["y"]) == 4000


@pytest.mark.parametrize("name", ["data/q.sql", "queries/q.sql"])
def test_a_query_that_is_not_committed_is_told(
    name: str, in_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[tuple[str, ...]] = []

    def git(*words: str, errors: str = "replace") -> str:
        said.append(words)
        return {"ls-tree": "model_config.yaml\ngates.yaml\n"}.get(words[0], "")

    monkeypatch.setattr(lineage, "git", git)
    lineage.commit()
    assert "*.sql" in said[-1]
