"""docs/data.md: its example of a database is put into a project and lived with (slow)."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import bake
import pytest
import service as services
from life import make, twin
from test_extend import examples

pytestmark = pytest.mark.slow


def fill(path: Path, lines: list[str]) -> None:
    """A database with the table `loans` of these lines of CSV."""
    names = lines[0].replace('"', "").split(",")
    rows = [[cell.strip('"') for cell in line.split(",")] for line in lines[1:]]
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DROP TABLE IF EXISTS loans")
        connection.execute(f"CREATE TABLE loans ({', '.join(names)})")
        connection.executemany(f"INSERT INTO loans VALUES ({', '.join('?' * len(names))})", rows)


# It needs a column of its table, and numpy warns where zero is divided by zero.
FEATURES = """\"\"\"Yours: of this table alone.\"\"\"

from __future__ import annotations

import numpy as np


def features(columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    \"\"\"Debt by age.\"\"\"
    return {"debt_by_age": columns["debt_ratio"] / columns["age"]}
"""


def test_the_example_of_a_database_runs_notices_new_rows_and_turns_no_test_red(
    lived: Path, tmp_path: Path
) -> None:
    project, warehouse = twin(lived, tmp_path / "project"), tmp_path / "warehouse.db"
    lines = (project / "data/starter.csv").read_text(encoding="utf-8").splitlines()
    blocks = examples((project / "docs/data.md").read_text(encoding="utf-8"))
    package = project / "src" / services.package(project)
    (project / "data/loans.sql").write_text(blocks["data/loans.sql"], encoding="utf-8")
    (package / "load.py").write_text(blocks["src/<package>/load.py"], encoding="utf-8")
    (package / "features.py").write_text(FEATURES, encoding="utf-8")
    config = project / "model_config.yaml"
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace("data/starter.csv", "data/loans.sql"), encoding="utf-8")
    (project / "data/starter.csv").unlink()  # the database alone has the rows
    for name in ("champion.json", "challenger.json"):  # of features that are no more
        (project / "models" / name).unlink()

    fill(warehouse, lines[:2001])
    where = {"WAREHOUSE": str(warehouse)}
    bake.commit(project, "A database")
    assert "data/loans.sql" in bake.run("git", "ls-files", cwd=project).stdout
    assert "prepare: 2,000 rows" in make(project, "run", **where)
    again = make(project, "run", **where)
    assert "prepare: 2,000 rows" in again
    assert "train: " not in again

    main = package / "__main__.py"
    named = main.read_text(encoding="utf-8").replace(
        '"load:load",', '"load:load", state="load:state",'
    )
    main.write_text(named, encoding="utf-8")
    make(project, "run", **where)
    assert "Running stage" not in make(project, "run", **where)
    fill(warehouse, lines[:2501])
    assert re.search(
        r"(?s)prepare: 2,500 rows.*train: .* on 2,000 rows", make(project, "run", **where)
    )
    make(project, "format", "test", "check", **where)
