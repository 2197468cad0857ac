"""1,200 beside 950 is twelve hundred, 1,200 beside 1,25 is not; and a later file is read alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ml_template.operations import join
from ml_template.pipeline.adoption import adopt
from ml_template.registry import versioning
from ml_template.serving import rows
from ml_template.settings.config import Column, Config, Data, InputError, load_config
from ml_template.tables import numerals, table

from .conftest import joined

ROWS = 120
US = {",": ",", ".": "."}
EU = {",": ".", ".": ","}


@pytest.fixture(autouse=True)
def _untracked(in_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versioning, "add", lambda path: None)


def amounts(low: int, high: int) -> list[int]:
    return [int(value) for value in np.random.default_rng(2).integers(low, high, ROWS)]


def swapped(texts: list[str], signs: dict[str, str]) -> list[str]:
    return ["".join(signs.get(sign, sign) for sign in text) for text in texts]


def adopted(texts: list[str], delimiter: str, **more: str) -> tuple[Config, table.Columns | None]:
    """The configuration for a column `x` of these texts, and what it then reads."""
    rng = np.random.default_rng(1)
    lines = [delimiter.join((text, str(rng.integers(7)), rng.choice(["n", "y"]))) for text in texts]
    head = delimiter.join(("x", "age", "y"))
    Path("t.csv").write_text("\n".join([head, *lines]) + "\n", encoding="utf-8")
    adopt.run({"DATA": "t.csv", "TARGET": "y"} | more)
    config = load_config()
    if "x" not in config.columns and config.data.target != "x":
        return config, None
    return config, table.columns_of(table.read_raw(config))


@pytest.mark.parametrize(
    ("signs", "delimiter"), [(US, "\t"), (US, ";"), (US, "|"), (EU, ";"), (EU, "\t"), (EU, ",")]
)
@pytest.mark.parametrize(
    "form", ["{:,}", "-{:,}", "+{:,}", "{:,}.5", "{:,}.25"], ids=["", "minus", "plus", "5", "25"]
)
def test_thousands_are_read_as_thousands(
    form: str, signs: dict[str, str], delimiter: str, capsys: pytest.CaptureFixture[str]
) -> None:
    values = amounts(1, 2_000_000)
    texts = [form.format(value) for value in values]
    if delimiter == "," and "." in form:
        texts = [text.replace(".5", "").replace(".25", "") for text in texts]  # 1,5 needs quotes
    expected = [float(text.replace(",", "")) for text in texts]
    config, columns = adopted(swapped(texts, signs), delimiter)
    assert config.columns["x"].thousands == signs[","]
    assert columns is not None
    assert columns["x"].tolist() == expected
    assert "separates thousands" in capsys.readouterr().out
    assert "separates thousands" in Path("model_config.yaml").read_text(encoding="utf-8")


def test_a_value_below_a_thousand_is_proof_enough() -> None:
    texts = [f"{value:,}" for value in amounts(1, 20_000)]
    config, columns = adopted(swapped(texts, EU), ";")
    assert (config.columns["x"].thousands, config.data.decimal) == (".", ",")
    assert columns is not None
    assert columns["x"].tolist() == [float(text.replace(",", "")) for text in texts]


@pytest.mark.parametrize(
    "texts",
    [
        ["1.250", "2.375", "12.500"],
        ["0.950", "1.250", "2.000", "7"],
        ["-0.950", "1.250", "12"],
        ["1234.500", "1.250", "950"],
        ["1.25", "1.250", "950"],
        ["1.250e0", "1.250", "950"],
        ["1.", "1.250", "950"],
        ["1200", "950", "15000"],
        ["1.5", "2.5", "950"],
    ],
)
def test_decimals_stay_decimals(texts: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    column = [texts[at % len(texts)] for at in range(ROWS)]
    config, columns = adopted(column, ";")
    assert config.columns["x"].thousands is None
    assert columns is not None
    assert columns["x"].tolist() == [float(text) for text in column]
    said = "'1.250' is read as 1.25: '.' is a decimal sign" in capsys.readouterr().out
    assert said == (texts[0] == "1.250")
    Path("data/t.csv").unlink()
    config, columns = adopted(swapped(column, EU), ";")
    assert columns is not None
    assert columns["x"].tolist() == [float(text) for text in column]


@pytest.mark.parametrize(
    ("texts", "delimiter", "like"),
    [
        (["1.234.567", "1.25", "3"], ";", "'1.234.567' and '1.25'"),
        (["1.250", "1500", "7"], ";", "'1.250' beside '1500'"),
        (["1,200", "1.250", "7"], ";", "'1.250' and '1,200'"),
        (["1.234,5", "1,234.5", "7"], ";", "'1.234,5'"),
    ],
)
def test_numbers_that_nobody_can_tell_are_left_out_and_one_with_a_sign_is_shown(
    texts: list[str], delimiter: str, like: str
) -> None:
    config, _ = adopted(texts * (ROWS // len(texts)), delimiter)
    assert like in config.left_out["x"]


@pytest.mark.parametrize("sign", ["'", "’", " ", "\u00a0", "\u2009", "\u202f", '","'])
def test_thousands_of_other_countries_are_read(sign: str) -> None:
    comma = sign == '","'
    values = [554, *amounts(500, 9_000)[1:]]
    texts = [f"{value:,}" for value in values]
    texts = [f'"{text}"' if comma else text.replace(",", sign) for text in texts]
    config, columns = adopted(texts, "," if comma else ";")
    kind = "," if comma else "'" if sign in "'’" else " "
    assert config.columns["x"].thousands == kind
    assert columns is not None
    assert columns["x"].tolist() == values


@pytest.mark.parametrize("signs", [US, EU])
def test_a_target_of_thousands_is_read_as_such(signs: dict[str, str]) -> None:
    texts = [f"{value:,}" for value in amounts(1, 20_000)]
    config, columns = adopted(swapped(texts, signs), ";", TARGET="x")
    assert (config.data.task, config.data.thousands) == ("regression", signs[","])
    assert columns is not None
    assert columns["x"].tolist() == [float(text.replace(",", "")) for text in texts]


def test_two_columns_of_one_file_are_decided_each_for_itself() -> None:
    lines = [f"{value:,}\t{value % 9}.250\t{'ny'[value % 2]}" for value in amounts(1, 20_000)]
    Path("t.tsv").write_text("\n".join(["x\tsize\ty", *lines]) + "\n")
    adopt.run({"DATA": "t.tsv", "TARGET": "y"})
    columns = load_config().columns
    assert (columns["x"].thousands, columns["size"].thousands) == (",", None)


def config(kind: dict[str, Any], **data: Any) -> Config:
    settings = {"path": "x.csv", "target": "y", "task": "binary", "classes": ["n", "y"]}
    columns = {"x": {"type": "numeric"} | kind}
    return Config.model_validate({"data": settings | {"positive": "y"} | data, "columns": columns})


def read(texts: list[str], made: Config) -> list[float]:
    """What training reads, when `score` reads the same."""
    lines = [f"{text}{made.data.delimiter}{'ny'[at % 2]}\n" for at, text in enumerate(texts)]
    Path("x.csv").write_text(f"x{made.data.delimiter}y\n" + "".join(lines))
    found = table.columns_of(table.read_raw(made))["x"].tolist()
    assert scored(made) == found
    return [float(value) for value in found]


def scored(made: Config) -> list[Any]:
    records = rows.read(Path("x.csv"), made.data, made.columns, ["x"])
    return [record["x"] for _, record in records if isinstance(record, dict)]


@pytest.mark.parametrize(
    ("kind", "data", "texts", "values"),
    [
        ({"thousands": "."}, {"decimal": ","}, ["1.443", "950"], [1443, 950]),
        ({"thousands": "."}, {"decimal": "."}, ["1.443", "2.000"], [1443, 2000]),
        (
            {"thousands": "."},
            {},
            ["1.443", "1200", "1.234,5", "-2.000"],
            [1443, 1200, 1234.5, -2e3],
        ),
        ({"thousands": ","}, {"decimal": ","}, ["1,200", "0.5"], [1200, 0.5]),
        ({"thousands": "none"}, {}, ["1.200", "950"], [1.2, 950]),
        ({"thousands": "none"}, {"decimal": ","}, ["1,200", "950"], [1.2, 950]),
        ({}, {}, ["1.200", "950", "0.5"], [1.2, 950, 0.5]),
        ({}, {}, ["1.200", "2.500"], [1.2, 2.5]),
        ({}, {"decimal": ","}, ["1,200", "2,5", "950"], [1.2, 2.5, 950]),
        ({}, {}, ["1200", "950", "3"], [1200, 950, 3]),
        ({}, {}, ["31", "64", "7"], [31, 64, 7]),
    ],
)
def test_a_later_file_is_read_by_the_same_rule(
    kind: dict[str, Any], data: dict[str, Any], texts: list[str], values: list[float]
) -> None:
    assert read(texts, config(kind, delimiter=";", **data)) == values


@pytest.mark.parametrize(
    ("kind", "decimal", "texts"),
    [
        ({}, ",", ["1.443", "950"]),
        ({}, ",", ["1.443", "2.887"]),
        ({}, ".", ["1,200", "2.5"]),
        ({"thousands": ","}, ".", ["1,20", "2.5"]),
        ({"thousands": ","}, ".", ["0,950", "2.5"]),
        ({"thousands": ","}, ".", ["1,2345", "2.5"]),
        ({"thousands": "."}, ",", ["1.5", "2"]),
        ({"thousands": "none"}, ".", ["1,200", "950"]),
    ],
)
def test_a_later_file_with_other_signs_is_refused(
    kind: dict[str, Any], decimal: str, texts: list[str]
) -> None:
    made = config(kind, delimiter=";", decimal=decimal)
    with pytest.raises(InputError, match=r"'x' is not a number.* in 1|in 2 of 2"):
        read(texts, made)
    assert any(isinstance(value, str) for value in scored(made))  # which the service refuses


@pytest.mark.parametrize(
    ("decimal", "texts"),
    [
        (".", ["1.200", "950"]),
        (".", ["15.000", "2.000", "500"]),
        (",", ["1,200", "950"]),
        (".", ["-1.200", "0", "12.345"]),
        (".", ["1.200", "7", "19"]),
    ],
)
def test_decimals_that_look_like_thousands_are_refused_until_a_person_says_which(
    decimal: str, texts: list[str]
) -> None:
    made = config({}, delimiter=";", decimal=decimal)
    for where in (read, lambda *_: scored(made)):
        with pytest.raises(InputError, match=r"'x' has numbers like '.*' beside '.*thousands: "):
            where(texts, made)
    said = config({"thousands": decimal}, delimiter=";", decimal=decimal)
    assert max(map(abs, read(texts, said))) > 999


@pytest.mark.parametrize(("wrong", "right"), [(US, EU), (EU, US)])
@pytest.mark.parametrize("decimal", [".", ","])
@pytest.mark.parametrize("form", ["{:,}", "-{:,}", "{:,}.5"])
def test_thousands_written_with_the_other_sign_than_the_one_set_are_refused(
    form: str, decimal: str, wrong: dict[str, str], right: dict[str, str]
) -> None:
    texts = [form.format(value) for value in (1569, 952, 15000)]
    made = config({"thousands": right[","]}, delimiter=";", decimal=decimal)
    for where in (read, lambda *_: scored(made)):
        with pytest.raises(InputError, match=r"'x' (has numbers like '|is not a number)"):
            where(swapped(texts, wrong), made)
    assert max(map(abs, read(swapped(texts, right), made))) >= 15000


@pytest.mark.parametrize("texts", [["1.200,125", "950"], ["1,569", "0,5"], ["1,569", "1200"]])
def test_decimals_beside_a_sign_that_is_set_are_read(texts: list[str]) -> None:
    made = config({"thousands": "."}, delimiter=";", decimal=",")
    plain = swapped(texts, {".": "", ",": "."})
    assert read(texts, made) == [float(text) for text in plain]


def test_texts_of_a_parquet_file_are_read_by_the_same_rule() -> None:
    frame = {"x": ["1.443", "950"], "y": ["n", "y"]}
    pq.write_table(pa.table(frame), "x.parquet")
    said = config({"thousands": "."}, path="x.parquet")
    assert table.columns_of(table.read_raw(said))["x"].tolist() == [1443, 950]
    records = rows.read(Path("x.parquet"), said.data, said.columns, ["x"])
    assert [row[1]["x"] for row in records if isinstance(row[1], dict)] == [1443, 950]
    with pytest.raises(InputError, match=r"has numbers like '1\.443' beside '950'"):
        table.read_raw(config({}, path="x.parquet"))
    pq.write_table(pa.table(frame | {"x": [1.443, 950.0]}), "x.parquet")
    stored = table.columns_of(table.read_raw(config({}, path="x.parquet")))
    assert stored["x"].tolist() == [1.443, 950]


@pytest.mark.parametrize(
    ("thousands", "given", "expected"),
    [
        (None, ["1443.5", "950"], [1443.5, 950]),
        (".", ["1.443", "950"], [1443, 950]),
        (",", ["1,443", "950.5"], [1443, 950.5]),
        ("none", ["1.443", "950"], [1.443, 950]),
        (None, ["1.443", "950"], None),
        (None, ["1,443", "950"], None),
        (".", ["1.44", "950"], None),
        (".", ["950", "1,200", "15,000"], None),
        (",", ["950", "1.200", "15.000"], None),
        (".", ["950", "1.200,125"], [950, 1200.125]),
    ],
)
def test_labels_that_come_later_are_read_by_the_rule_of_the_target(
    thousands: str | None,
    given: list[str],
    expected: list[float] | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = Data(path="x.csv", target="y", task="regression", thousands=thousands)  # type: ignore[arg-type]
    made = Config(data=data, columns={"x": Column(type="numeric")})
    monkeypatch.setattr(join, "load_config", lambda: made)
    if expected is None:
        with pytest.raises(InputError, match=r"must be a number|has numbers like '1[.,](443|200)'"):
            joined(given)
        return
    assert joined(given) == expected


def test_the_key_belongs_to_numbers() -> None:
    with pytest.raises(ValueError, match="thousands belongs to numeric columns"):
        Column(type="text", thousands=",")
    with pytest.raises(ValueError, match="thousands belongs to regression"):
        config({}, thousands=",")
    assert numerals.number("1_000", ".") is None
