from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ml_template.pipeline.adoption import source
from ml_template.serving import rows
from ml_template.settings.config import Config, InputError
from ml_template.tables import table

COLUMNS: dict[str, Any] = {
    "amount": {"type": "numeric", "missing": True},
    "kind": {"type": "categorical", "missing": True},
    "paid": {"type": "boolean"},
    "when": {"type": "datetime"},
}
HEADER = "amount,kind,paid,when,y"
GOOD = "1,a,yes,2024-01-02,no"


def config(path: Path, **data: Any) -> Config:
    settings = {"path": str(path), "target": "y", "task": "binary", "classes": ["no", "yes"]}
    return Config.model_validate(
        {"data": settings | {"positive": "yes"} | data, "columns": COLUMNS}
        | {"split": {}, "model": {}, "seed": 1}
    )


def read(path: Path, text: str | bytes, **data: Any) -> table.Columns:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return table.columns_of(table.read_raw(config(path, **data)))


def written(folder: Path, text: str) -> Path:
    path = folder / "x.csv"
    path.write_text(text)
    return path


def test_each_type_is_read(tmp_path: Path) -> None:
    text = f"{HEADER}\n1.5,a,yes,2024-01-02,no\n?, b ,False,2024-01-02T03:04:05Z,yes\n"
    columns = read(tmp_path / "x.csv", text, missing=["", "?"])
    np.testing.assert_array_equal(columns["amount"], [1.5, np.nan])
    assert columns["kind"].tolist() == ["a", "b"]
    assert columns["paid"].tolist() == [1.0, 0.0]
    times = columns["when"].astype("datetime64[s]").astype(str).tolist()
    assert times == ["2024-01-02T00:00:00", "2024-01-02T03:04:05"]
    assert columns["y"].tolist() == ["no", "yes"]
    assert columns[table.ROW].tolist() == [1, 2]


@pytest.mark.parametrize("encoding", ["utf-8", "UTF-8", "utf8"])
def test_delimiter_decimal_comma_and_byte_order_mark(tmp_path: Path, encoding: str) -> None:
    text = "\ufeffamount;kind;paid;when;y\n1,5;ä;1;2024-01-02;no\n"
    columns = read(tmp_path / "x.csv", text, delimiter=";", decimal=",", encoding=encoding)
    assert (columns["amount"][0], columns["kind"][0]) == (1.5, "ä")
    with pytest.raises(InputError, match=r"in 1 of 2 rows \(rows 2\)"):
        read(tmp_path / "x.csv", f"{text}ten;a;1;2024-01-02;no\n", delimiter=";", decimal=",")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            f"{HEADER}\n1,a,yes,2024-01-02,no\nten,a,yes,2024-01-02,no\n",
            "'amount' is not a number in 1 of 2 rows (rows 2)",
        ),
        (f"{HEADER}\n1,a,perhaps,2024-01-02,no\n", "'paid' is no boolean in 1 of 1 rows (rows 1)"),
        (f"{HEADER}\n1,a,yes,soon,no\n", "'when' is no datetime"),
        ("amount,kind,paid,y\n1,a,yes,no\n", "has no column 'when'"),
        ("amount,kind,paid,when,y,kind\n1,a,yes,2024-01-02,no,b\n", "'kind' stands twice"),
        (f"{HEADER}\n", "has no rows"),
        ("", "is empty"),
        (f"{HEADER}\n1,a,yes,2024-01-02,no\n1,a,y", "is damaged"),
        (f"{HEADER}\n1,\xe4,yes,2024-01-02,no\n".encode("latin-1"), "is not utf-8 text"),
    ],
)
def test_a_fault_in_the_file_is_named(tmp_path: Path, text: str | bytes, says: str) -> None:
    with pytest.raises(InputError) as refusal:
        read(tmp_path / "x.csv", text)
    assert "x.csv" in str(refusal.value)
    assert says in str(refusal.value)


def test_a_missing_and_a_cut_parquet_file_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"x\.csv is missing"):
        table.read_raw(config(tmp_path / "x.csv"))
    with pytest.raises(InputError, match=r"x\.parquet is no whole Parquet file"):
        read(tmp_path / "x.parquet", b"PAR1 cut")


def test_not_a_number_in_a_float_column_of_labels_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    columns = {"amount": [1.0], "kind": [float("nan")], "paid": [True], "when": ["2024-01-02"]}
    pq.write_table(pa.table(columns | {"y": ["no"]}), path)
    assert table.columns_of(table.read_raw(config(path)))["kind"].tolist() == [None]


def test_a_time_before_year_1_in_utc_is_no_time() -> None:
    assert table.parse_datetime("0001-01-01T00:00:00+01:00", None) is None


MARKED = "amount{0}kind{0}paid{0}when{0}y\n1.5{0}a{0}1{0}2024-01-02{0}no\n"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", "^", "~", ":", " "])
@pytest.mark.parametrize(
    "first",
    [
        "sep={0}\n",
        "SEP={0}\r\n",
        '"sep={0}"\n',
        "\ufeffsep={0}\n",
        "sep={0} \r\n",
        "sep={0}{0}{0}{0}{0}\r\n",
        '"sep={0}"{0}{0}{0}{0}\n',
        "sep={0}" + "{0}" * 40 + "\n",
    ],
)
def test_a_first_line_that_names_the_delimiter_is_understood(
    tmp_path: Path, first: str, delimiter: str
) -> None:
    text = first.format(delimiter) + MARKED.format(delimiter)
    columns = read(tmp_path / "x.csv", text, delimiter="," if delimiter == ";" else ";")
    assert (columns["amount"].tolist(), columns["kind"].tolist()) == ([1.5], ["a"])
    assert (columns["when"].astype(str)[0][:10], columns["y"].tolist()) == ("2024-01-02", ["no"])
    settings = config(tmp_path / "x.csv")
    found = list(rows.read(tmp_path / "x.csv", settings.data, settings.columns, ["amount"]))
    assert found[0][0] == 3
    assert isinstance(found[0][1], dict)
    assert found[0][1]["amount"] == 1.5
    adopted = source.read(tmp_path / "x.csv", "")
    assert (adopted.delimiter, list(adopted.columns)) == (delimiter, HEADER.split(","))
    assert adopted.rows == 1


def test_a_tab_may_be_spelled_in_that_line(tmp_path: Path) -> None:
    columns = read(tmp_path / "x.csv", "sep=\\t\n" + MARKED.format("\t"))
    assert columns["amount"].tolist() == [1.5]
    assert source.read(tmp_path / "x.csv", "").delimiter == "\t"


@pytest.mark.parametrize("begin", ["", "\ufeff", "sep=;\n"])
@pytest.mark.parametrize("empty", ["\n", "\r\n", "\n\n", "  \n", ";;;;\n"])
def test_an_empty_first_line_is_named(tmp_path: Path, begin: str, empty: str) -> None:
    path, says = tmp_path / "x.csv", "x.csv: its first line is empty.*remove it"
    text = begin + empty + MARKED.format(";")
    with pytest.raises(InputError, match=says):
        read(path, text, delimiter=";")
    with pytest.raises(InputError, match=says):
        source.read(path, "")
    settings = config(path, delimiter=";")
    with pytest.raises(InputError, match=says):
        list(rows.read(path, settings.data, settings.columns, ["amount"]))
    with pytest.raises(InputError, match="is empty: give it a header"):
        read(path, begin + empty, delimiter=";")
    with pytest.raises(InputError, match="is empty: give it a header"):
        source.read(path, "")


def test_that_line_is_understood_in_utf_16_too(tmp_path: Path) -> None:
    text = "sep=^\r\n" + MARKED.format("^")
    columns = read(tmp_path / "x.csv", text.encode("utf-16"), encoding="utf-16")
    assert columns["amount"].tolist() == [1.5]
    assert source.read(tmp_path / "x.csv", "").delimiter == "^"


def test_a_column_that_is_named_like_that_line_stays_one(tmp_path: Path) -> None:
    assert list(source.read(written(tmp_path, "sep=;,b\n1,2\n3,4\n"), "").columns) == ["sep=;", "b"]
    assert list(source.read(written(tmp_path, "b,sep=;\n1,2\n3,4\n"), "").columns) == ["b", "sep=;"]
    with pytest.raises(InputError, match="'sep=§', is one column"):
        source.read(written(tmp_path, "sep=§\nb§c\n1§2\n"), "")


def test_a_fault_after_that_line_is_named_by_its_line(tmp_path: Path) -> None:
    path = written(tmp_path, "sep=;\n" + MARKED.format(";") + "1;a\n")
    settings = config(path)
    found = list(rows.read(path, settings.data, settings.columns, ["amount"]))
    assert found[1] == (4, "has 2 fields, not 5")
    with pytest.raises(InputError, match="is empty"):
        read(path, "sep=;\n")
