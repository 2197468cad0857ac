"""Numbers as people write them are read as what they are, and by one rule wherever rows come in."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import yaml
from ml_template.operations import join
from ml_template.pipeline.adoption import adopt
from ml_template.registry import versioning
from ml_template.serving import rows
from ml_template.settings.config import Column, Config, Data, InputError, load_config
from ml_template.settings.written import Written
from ml_template.tables import numerals, table, written

from .conftest import joined

ROWS = 120
VALUES = np.random.default_rng(4).integers(1, 3_000, ROWS).tolist()
US = {",": ",", ".": "."}
EU = {",": ".", ".": ","}


@pytest.fixture(autouse=True)
def _untracked(in_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versioning, "add", lambda path: None)


def write(texts: list[str], delimiter: str = ",") -> Path:
    """A table with the column `x` of these texts, an honest feature and a target `y`."""
    chance = np.random.default_rng(5)
    with Path("t.csv").open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file, delimiter=delimiter)
        out.writerow(["x", "age", "y"])
        out.writerows([text, chance.integers(70), chance.choice(["n", "y"])] for text in texts)
    return Path("t.csv")


def adopted(texts: list[str], delimiter: str = ",", target: str = "y", **more: str) -> Config:
    adopt.run({"DATA": str(write(texts, delimiter)), "TARGET": target, **more})
    return load_config()


def read(config: Config) -> list[float]:
    """What training reads of `x`, when `score` reads the same to the last bit."""
    found = table.columns_of(table.read_raw(config))["x"].tolist()
    records = rows.read(Path(config.data.path), config.data, config.columns, [])
    if "x" in config.columns:
        assert [row["x"] for _, row in records if isinstance(row, dict)] == found
    return [float(value) for value in found]


def swapped(text: str, signs: dict[str, str]) -> str:
    return "".join(signs.get(sign, sign) for sign in text)


FORMS = {
    "dollar": ("${}", {"units": ["$"]}),
    "euro": ("{} €", {"units": ["€"]}),
    "no-break": ("€\u00a0{}", {"units": ["€"]}),
    "code": ("USD {}", {"units": ["USD"]}),
    "code behind": ("{} EUR", {"units": ["EUR"]}),
    "country": ("R$ {}", {"units": ["R$"]}),
    "abbreviation": ("Rs. {}", {"units": ["Rs"]}),
    "percent": ("{}%", {"units": ["%"]}),
    "blank percent": ("{} %", {"units": ["%"]}),
    "kilograms": ("{} kg", {"units": ["kg"]}),
    "degrees": ("{} °C", {"units": ["°C"]}),
    "speed": ("{}km/h", {"units": ["km/h"]}),
    "area": ("{} m2", {"units": ["m2"]}),
}


@pytest.mark.parametrize("signs", [US, EU], ids=["us", "eu"])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("target", ["x", "y"], ids=["target", "feature"])
def test_numbers_with_a_unit_are_read_and_said(
    form: str, signs: dict[str, str], target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    how, expected = FORMS[form]
    texts = [how.format(swapped(f"{value + 0.25:,.2f}", signs)) for value in VALUES]
    config = adopted(texts, target=target)
    told: Column | Data = config.data if target == "x" else config.columns["x"]
    assert told.written is not None
    assert told.written.model_dump(exclude_defaults=True) == {"units": tuple(expected["units"])}
    assert read(config) == [value + 0.25 for value in VALUES]
    largest = max(texts, key=lambda text: VALUES[texts.index(text)])
    assert f"{largest!r} as {max(VALUES)}.25" in capsys.readouterr().out
    assert f"{largest!r} as {max(VALUES)}.25" in Path("model_config.yaml").read_text("utf-8")
    if target == "y":
        assert config.columns["x"].max is not None
        assert config.columns["x"].max >= max(VALUES)


@pytest.mark.parametrize(
    ("negative", "form"),
    [("(5)", "({:,})"), ("(5)", "(${:,})"), ("(5)", "$({:,})"), ("5-", "{:,}-"), ("−5", "−{:,}")],
)
def test_negative_numbers_of_accountants_and_of_print_are_negative(
    negative: str, form: str
) -> None:
    plain = "${:,}" if "$" in form else "{:,}"
    texts = [(form if v > 1000 else plain).format(v) for v in VALUES]
    config = adopted(texts)
    found = config.columns["x"].written
    assert found is not None
    assert found.negatives == (negative,)
    assert read(config) == [-v if v > 1000 else v for v in VALUES]


def test_a_column_in_which_every_number_stands_in_brackets_is_not_negative() -> None:
    config = adopted([f"({value % 9})" for value in VALUES])
    assert config.columns["x"].type == "categorical"


def test_k_and_m_are_multiples_and_exact() -> None:
    texts = [("{}.001k", "{}M", "{}", "{}.5 k")[at % 4].format(v) for at, v in enumerate(VALUES)]
    config = adopted(texts)
    found = config.columns["x"].written
    assert found is not None
    assert found.multiples == {"k": 1000, "M": 1_000_000}
    expected = [(v * 1000 + 1, v * 10**6, v, v * 1000 + 500)[at % 4] for at, v in enumerate(VALUES)]
    assert read(config) == expected


def test_a_large_k_is_a_thousand_where_some_have_none() -> None:
    config = adopted([f"{v}K" if v > 900 else str(v) for v in VALUES])
    assert read(config) == [v * 1000 if v > 900 else v for v in VALUES]


def test_a_dash_for_no_cents_is_no_minus() -> None:
    texts = [f"{v},-" if v > 1500 else f"{v},50" for v in VALUES]
    assert "x" not in adopted(texts, ";").columns
    assert written.number("5,-", ",", None, Written(negatives=("5-",))) is None


@pytest.mark.parametrize("alone", ["K", "m", "M", "B"])
def test_one_letter_behind_every_number_is_a_unit(alone: str) -> None:
    config = adopted([f"{value}.5 {alone}" for value in VALUES])
    assert config.columns["x"].written == Written(units=(alone,))
    assert read(config) == [value + 0.5 for value in VALUES]


def test_day_and_days_are_one_unit() -> None:
    config = adopted([f"{v % 5} {'day' if v % 5 == 1 else 'days'}" for v in VALUES])
    assert config.columns["x"].written == Written(units=("day", "days"))
    assert read(config) == [v % 5 for v in VALUES]


def test_india_groups_by_two() -> None:
    texts = [f"₹{v},34,567" if v < 100 else f"₹{v % 90 + 1},999" for v in VALUES]
    expected = [v * 100_000 + 34_567 if v < 100 else (v % 90 + 1) * 1000 + 999 for v in VALUES]
    assert read(adopted(texts)) == expected


@pytest.mark.parametrize(
    ("one", "other"), [("${}", "€{}"), ("{} kg", "{} lb"), ("{}%", "{}"), ("{} mW", "{} MW")]
)
@pytest.mark.parametrize("target", ["x", "y"], ids=["target", "feature"])
def test_two_units_in_a_column_are_not_read_as_one(one: str, other: str, target: str) -> None:
    texts = [(one if at % 3 else other).format(v) for at, v in enumerate(VALUES)]
    if target == "x":
        with pytest.raises(InputError, match=r"target 'x': its numbers .* not of one unit"):
            adopted(texts, target=target)
        return
    reason = adopted(texts).left_out["x"]
    assert "write all in one, or plain numbers" in reason
    assert any(repr(one.format(v)) in reason for v in VALUES)
    assert any(repr(other.format(v)) in reason for v in VALUES)


@pytest.mark.parametrize("odd", ["free", "€5", "1.2.3"])
def test_the_one_value_that_does_not_fit_is_named_with_its_row(odd: str) -> None:
    texts = [f"${value}.25" for value in VALUES]
    texts[76] = odd
    reason = adopted(texts).left_out["x"]
    assert repr(odd) in reason
    assert odd == "€5" or "row 77" in reason
    with pytest.raises(InputError, match=r"target 'x': ") as caught:
        adopted(texts, target="x")
    assert repr(odd) in str(caught.value)


@pytest.mark.parametrize(
    "texts",
    [
        [f"C{v}" for v in VALUES],
        [f"0{v % 10}A" for v in VALUES],
        [f"{v % 5 + 1}{'ABC'[v % 3]}" for v in VALUES],
        [("1st", "2nd", "3rd", "4th")[v % 4] for v in VALUES],
        [f"{v % 5}+" for v in VALUES],
        [f"1.{v % 7}.0" for v in VALUES],
        [f"<{v % 5}" for v in VALUES],
        [f"{v % 7} {['North', 'South'][v % 2]} Road" for v in VALUES],
    ],
)
def test_codes_and_words_beside_digits_are_no_numbers(texts: list[str]) -> None:
    config = adopted(texts)
    assert "x" not in config.columns or config.columns["x"].type == "categorical"


def test_numbers_that_are_plain_have_nothing_to_say() -> None:
    config = adopted([f"{value}.5" for value in VALUES])
    facts = config.columns["x"].model_dump()
    assert "written" not in facts
    assert "thousands" not in facts


@pytest.mark.parametrize("mark", ["-", "n.a.", "unknown"])
def test_a_mark_of_missing_values_stays_one_beside_amounts(mark: str) -> None:
    texts = [f"${value}.25" for value in VALUES]
    texts[3] = mark
    config = adopted(texts)
    assert mark in config.data.missing
    assert np.isnan(table.columns_of(table.read_raw(config))["x"][3])


def made(kind: dict[str, Any], **data: Any) -> Config:
    settings = {"path": "t.csv", "target": "y", "task": "binary", "classes": ["n", "y"]}
    columns = {"x": {"type": "numeric"} | kind}
    return Config.model_validate({"data": settings | {"positive": "y"} | data, "columns": columns})


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ({"written": {"units": ["$"]}}, "€5"),
        ({"written": {"units": ["$"]}}, "5"),
        ({"written": {"units": ["$"]}}, "$5$"),
        ({"written": {"units": ["$"]}}, "($5)"),
        ({"written": {"units": ["$"]}}, "$1,234"),
        ({"written": {"units": ["%"]}}, "5 % of it"),
        ({"written": {"multiples": {"k": 1000}}}, "5M"),
        ({"written": {"negatives": ["(5)"]}}, "(5"),
        ({"written": {"negatives": ["(5)"]}}, "(-5)"),
        ({"written": {"negatives": ["5-"]}}, "-5-"),
        ({"thousands": " "}, "1 23"),
        ({"thousands": " "}, "1'234"),
    ],
)
def test_a_later_value_that_does_not_fit_is_refused_with_its_row(
    kind: dict[str, Any], text: str
) -> None:
    fits = "5%" if "%" in str(kind) else "$5" if "$" in str(kind) else "5"
    write([fits, text, fits])
    config = made(kind)
    with pytest.raises(InputError) as caught:
        table.read_raw(config)
    said = str(caught.value)
    assert "t.csv: column 'x' is not a number in 1 of 3 rows (rows 2), such as" in said
    assert repr(text) in said
    assert "written " in said
    read_rows = list(rows.read(Path("t.csv"), config.data, config.columns, ["x"]))
    assert [row["x"] for _, row in read_rows if isinstance(row, dict)] == [5, 5]
    (refused,) = [(line, row) for line, row in read_rows if isinstance(row, str)]
    assert refused[0] == 3
    assert refused[1].startswith(f"x: {text!r} is no number, written ")


def test_one_value_and_a_million_are_read_alike() -> None:
    chance = np.random.default_rng(8)
    letters = np.array(list("0123456789" * 3 + ",.,.  '’$%k()-+−M€"))
    texts = ["".join(chance.choice(letters, n)).strip() for n in chance.integers(1, 8, 4_000)]
    how = Written(
        units=("$", "%"), multiples={"k": 1000, "M": 10**6}, negatives=("(5)", "5-", "−5")
    )
    read_some = 0
    for decimal in ".", ",":
        for thousands in None, ",", ".", " ", "'", "none":
            for rule in None, how, Written(negatives=("(5)",)), Written(multiples={"k": 1000}):
                signs = (decimal, thousands, rule)
                each = [written.number(text, *signs) for text in texts]
                assert written.values(pa.array(texts), *signs).to_pylist() == each
                read_some += sum(value is not None for value in each)
    assert read_some > 1_000


def test_what_texts_say_of_thousands_is_the_same_one_by_one() -> None:
    chance = np.random.default_rng(9)
    words = [
        "1,234",
        "950",
        "1,25",
        "1.234",
        "12,345.5",
        "1,234,567",
        "1500",
        "-3",
        "x",
        "0.5",
        "1e5",
    ]
    for _ in range(500):
        texts = chance.choice(words, chance.integers(1, 5)).tolist()
        for sign in numerals.OTHER:
            slowly = numerals.Thousands(sign)
            for text in texts:
                slowly.add(text)
            at_once = numerals.Thousands.of(sign, pa.array(texts))
            signed = any(sign in text for text in texts)
            assert at_once.separates == slowly.separates
            if signed and slowly.fits:
                assert at_once.example == slowly.example


@pytest.mark.parametrize(
    ("data", "given", "expected"),
    [
        ({"written": Written(units=("$",)), "thousands": ","}, ["$1,443", "$950"], [1443, 950]),
        ({"written": Written(units=("%",)), "decimal": ","}, ["12,5 %", "3 %"], [12.5, 3]),
        ({"thousands": " "}, ["1\u00a0443", "950"], [1443, 950]),
        ({"written": Written(units=("$",))}, ["$5", "€5"], None),
        ({"written": Written(units=("$",))}, ["$5", "5"], None),
        ({"written": Written(units=("$",))}, ["$5", "n/a"], [5]),
    ],
)
def test_labels_that_come_later_are_read_by_the_rule_of_the_target(
    data: dict[str, Any],
    given: list[str],
    expected: list[float] | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    facts = Data(path="x.csv", target="y", task="regression", **data)
    config = Config(data=facts, columns={"x": Column(type="numeric")})
    monkeypatch.setattr(join, "load_config", lambda: config)
    if expected is None:
        with pytest.raises(InputError, match=r"labels.csv.*must be a number, written with '\$'"):
            joined(given)
        return
    assert joined(given) == expected


@pytest.mark.parametrize(
    ("how", "fault"),
    [
        ({"units": ["5"]}, "is no unit"),
        ({"units": [""]}, "is no unit"),
        ({"multiples": {"dozen": 12}}, "power of ten"),
        ({"multiples": {"k": 1}}, "power of ten"),
        ({"negatives": ["[5]"]}, "negatives"),
        ({"unit": ["$"]}, "unit"),
    ],
)
def test_a_rule_that_says_nothing_is_refused(how: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        made({"written": how})
    with pytest.raises(ValueError, match="written belongs to numeric columns"):
        Column(type="text", written=Written(units=("$",)))
    with pytest.raises(ValueError, match="written belongs to regression"):
        made({}, written={"units": ["$"]})


def test_what_adopt_writes_reads_as_the_rule() -> None:
    texts = [f"({v}%)" if v > 1500 else f"{v}%" for v in VALUES]
    adopted(texts)
    raw = yaml.safe_load(Path("model_config.yaml").read_text("utf-8"))["columns"]["x"]
    assert raw["written"] == {"units": ["%"], "negatives": ["(5)"]}


def test_billions_beside_millions_are_multiples() -> None:
    texts = [f"{at}.5M" if at % 3 else f"{at + 1}.5B" for at in range(ROWS)]
    assert read(adopted(texts))[:3] == [1.5e9, 1.5e6, 2.5e6]
