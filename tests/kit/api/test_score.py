"""make score: a whole table, and what becomes of its bad rows."""

from __future__ import annotations

import csv
import dataclasses
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ml_template.model import artifact
from ml_template.serving import score
from ml_template.settings.config import InputError
from ml_template.tables import table

from ..conftest import Trained
from .conftest import sent, write_csv

ROWS = 20


@dataclasses.dataclass(frozen=True)
class Sheet:
    """A data file whose third row, on line 4, can be made bad."""

    trained: Trained
    folder: Path

    def score(self, change: dict[str, Any] | None = None, **settings: str) -> None:
        records = sent(self.trained.config, table.take(self.trained.test, np.arange(ROWS)))
        records[2] |= change or {}
        write_csv(self.folder / "in.csv", records, self.trained.config.data)
        model = str(self.trained.folder / "models/candidate")
        given = {"DATA": str(self.folder / "in.csv"), "OUT": str(self.folder / "out.csv")}
        score.run(given | {"MODEL": model} | settings)

    def read(self, name: str) -> list[dict[str, str]]:
        with (self.folder / name).open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    @property
    def column(self) -> str:
        """A column that takes no text of our own making."""
        kinds = {"numeric", "boolean", "datetime"}
        features = self.trained.config.features.items()
        return next((name for name, column in features if column.type in kinds), "")


@pytest.fixture
def sheet(trained: Trained, tmp_path: Path) -> Sheet:
    found = Sheet(trained, tmp_path)
    if not found.column:
        pytest.skip("every column of this table takes any text")
    return found


def test_a_bad_row_is_named_by_its_line_and_nothing_is_written(sheet: Sheet) -> None:
    with pytest.raises(InputError, match=re.escape(f"line 4: {sheet.column}: must be")):
        sheet.score({sheet.column: "never"})
    assert [path.name for path in sheet.folder.iterdir()] == ["in.csv"]


def named(sheet: Sheet, name: str = "customer", suffix: str = ".csv", groups: int = 7) -> str:
    """A table with one more column, whose values are no numbers to anybody who reads them."""
    records = sent(sheet.trained.config, table.take(sheet.trained.test, np.arange(ROWS)))
    records[2] |= {sheet.column: "never"} if suffix == ".csv" else {}
    own = [record | {name: f" 00{at}" if at else None} for at, record in enumerate(records)]
    path = sheet.folder / f"named{suffix}"
    if suffix == ".csv":
        write_csv(path, own, sheet.trained.config.data)
    else:
        pq.write_table(pa.Table.from_pylist(own), path, row_group_size=groups)
    return str(path)


@pytest.mark.parametrize(("suffix", "first"), [(".csv", 2), (".parquet", 1)])
def test_the_column_of_ids_comes_with_the_answers_as_it_is(
    sheet: Sheet, suffix: str, first: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over parts and row groups that end in different places, and with a row left out."""
    monkeypatch.setattr(score.rows, "PART", 3)
    sheet.score(DATA=named(sheet, suffix=suffix), IDS="customer", BAD="skip")
    found = {int(row["line"]): row["customer"] for row in sheet.read("out.csv")}
    left_out = {4} if suffix == ".csv" else set()
    expected = {at + first: f" 00{at}" if at else "" for at in range(ROWS)}
    assert found == {line: own for line, own in expected.items() if line not in left_out}
    assert [*sheet.read("out.csv")[0]][:2] == ["line", "customer"]


@pytest.mark.parametrize(
    ("name", "asked", "says"),
    [("customer", "costumer", "IDS=costumer: .* has no such column: name one of"),
     ("line", "line", "IDS=line: the answers have that name")],
)  # fmt: skip
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_an_id_that_is_not_there_or_is_called_as_an_answer_is_refused(
    sheet: Sheet, name: str, asked: str, says: str, suffix: str
) -> None:
    with pytest.raises(InputError, match=says):
        sheet.score(DATA=named(sheet, name, suffix), IDS=asked)
    assert not (sheet.folder / "out.csv").exists()


def test_with_skip_the_other_rows_are_scored_and_the_bad_one_is_listed(sheet: Sheet) -> None:
    sheet.score({sheet.column: "never"}, BAD="skip")
    lines = [int(row["line"]) for row in sheet.read("out.csv")]
    assert lines == [line for line in range(2, ROWS + 2) if line != 4]
    (refused,) = sheet.read("out.refused.csv")
    assert (refused["line"], refused["field"]) == ("4", sheet.column)
    assert "never" not in refused["problem"]


def test_a_list_for_people_holds_no_formula(sheet: Sheet, monkeypatch: pytest.MonkeyPatch) -> None:
    fault = (4, "=HYPERLINK(1)", "@SUM(1): must be a number")
    checked = score._checked
    monkeypatch.setattr(score, "_checked", lambda *given: (checked(*given)[0], [fault]))
    sheet.score(BAD="skip")
    (refused,) = sheet.read("out.refused.csv")
    assert list(refused.values()) == ["4", "'=HYPERLINK(1)", "'@SUM(1): must be a number"]


def test_a_row_without_a_finite_answer_is_a_bad_row(
    sheet: Sheet, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(folder: Path, expected: str | None = None) -> artifact.Model:
        model = load(folder, expected)

        def answer(matrix: np.ndarray) -> np.ndarray:
            outputs = model.score(matrix)
            outputs[2] = np.nan
            return outputs

        return dataclasses.replace(model, score=answer)

    load = artifact.load
    monkeypatch.setattr(artifact, "load", broken)
    with pytest.raises(InputError, match="line 4: row: the model has no finite answer"):
        sheet.score()
    sheet.score(BAD="skip")
    assert len(sheet.read("out.csv")) == ROWS - 1
    assert sheet.read("out.refused.csv")[0]["line"] == "4"


def test_a_table_without_a_column_that_the_model_needs_is_refused(sheet: Sheet) -> None:
    records = sent(sheet.trained.config, table.take(sheet.trained.test, np.arange(ROWS)))
    for record in records:
        del record[sheet.column]
    write_csv(sheet.folder / "less.csv", records, sheet.trained.config.data)
    with pytest.raises(InputError, match=re.escape(f"needs the column '{sheet.column}'")):
        sheet.score(DATA=str(sheet.folder / "less.csv"))


@pytest.mark.parametrize("wrong", [{"DATA": "no.csv"}, {"OUT": ""}])
def test_a_wrong_word_is_refused(wrong: dict[str, str], sheet: Sheet) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        sheet.score(**wrong)


@pytest.mark.parametrize("out", ["in.csv", ".", "in.csv/out.csv", "nowhere/out.csv", "out.parquet"])
def test_a_place_that_cannot_be_written_is_refused_before_a_row_is_read(
    out: str, sheet: Sheet
) -> None:
    with pytest.raises(InputError, match=r"OUT: .*(choose another file|name it so)"):
        sheet.score(OUT=str(sheet.folder / out))
    assert "probability" not in (sheet.folder / "in.csv").read_text(encoding="utf-8")


def test_parquet_numbers_of_32_bits_are_those_that_training_reads(
    trained: Trained, tmp_path: Path
) -> None:
    columns = table.take(trained.test, np.arange(200))
    records = sent(trained.config, columns)
    numeric = {n for n, c in trained.config.features.items() if c.type == "numeric"}
    arrays = {}
    for name in trained.config.features:
        values = [record[name] for record in records]
        if name in numeric:
            wide = pa.array(values, pa.float64())
            arrays[name] = wide.cast(pa.float32(), safe=False)
            columns[name] = columns[name].astype(np.float32).astype(np.float64)
        else:
            arrays[name] = pa.array([None if v is None else str(v) for v in values], pa.string())
    pq.write_table(pa.table(arrays), tmp_path / "in.parquet")
    model = str(trained.folder / "models/candidate")
    files = {"DATA": str(tmp_path / "in.parquet"), "OUT": str(tmp_path / "out.csv")}
    score.run(files | {"MODEL": model, "BAD": "skip"})
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    expected = trained.model.predict(columns)
    for row in rows:
        found = [float(value) for key, value in row.items() if key not in ("line", "label")]
        np.testing.assert_array_equal(found, np.ravel(expected[int(row["line"]) - 1]))
    assert len(rows) > 100
