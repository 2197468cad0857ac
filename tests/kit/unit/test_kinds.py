"""What is no number, no category and no table is called by its name, with what can be done."""

from __future__ import annotations

import uuid
from pathlib import Path

import numpy as np
import pytest
from ml_template.pipeline.adoption import adopt, kinds
from ml_template.registry import versioning
from ml_template.settings.config import Config, InputError, load_config

ROWS = 120
CHANCE = np.random.default_rng(7)
SIZES = [f"{value:.2f}" for value in CHANCE.normal(size=ROWS)]
LABELS = CHANCE.choice(["no", "yes"], ROWS).tolist()


@pytest.fixture(autouse=True)
def _untracked(in_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versioning, "add", lambda path: None)


def adopted(columns: dict[str, list[str]], target: str = "y", **more: str) -> Config:
    lines = [columns.keys(), *zip(*columns.values(), strict=True)]
    return text_adopted("\n".join("\t".join(line) for line in lines) + "\n", target, **more)


def text_adopted(text: str, target: str = "y", **more: str) -> Config:
    Path("t.csv").write_text(text, encoding="utf-8")
    adopt.run({"DATA": "t.csv", "TARGET": target, **more})
    return load_config()


def hexes(letters: int) -> list[str]:
    return ["".join(CHANCE.choice(list("0123456789abcdef"), letters)) for _ in range(ROWS)]


KINDS = {
    "UUIDs": [str(uuid.UUID(int=10**30 + at)) for at in range(ROWS)],
    "hashes": hexes(32),
    "web addresses": [f"https://a.example/{text}" for text in hexes(6)],
    "e-mail addresses": [f"p{at}@a.example" for at in range(ROWS)],
    "IP addresses": [".".join(map(str, CHANCE.integers(1, 255, 4))) for _ in range(ROWS)],
    "telephone numbers": [f"+49 30 {CHANCE.integers(10**6, 10**7)}" for _ in range(ROWS)],
    "JSON": [f'{{"a": {at}}}' for at in range(ROWS)],
    "lists": [f"[{at}, {at + 1}]" for at in range(ROWS)],
    "coordinates": [f"{52 + at / 97:.4f}, {13.4 - at / 89:.4f}" for at in range(ROWS)],
    "version numbers": [f"{at % 3}.{at}.1" for at in range(ROWS)],
    "lengths of time": [f"{at // 4:02}:{at % 60:02}:30" for at in range(ROWS)],
}


@pytest.mark.parametrize("what", KINDS)
def test_a_column_that_says_nothing_is_called_by_its_name(what: str) -> None:
    reason = adopted({"size": SIZES, "x": KINDS[what], "y": LABELS}).left_out["x"]
    assert reason.startswith(f"it holds {what}")
    assert ": " in reason
    personal = what in ("e-mail addresses", "IP addresses", "telephone numbers")
    assert (KINDS[what][0][:20] in reason) != personal


@pytest.mark.parametrize("what", ["UUIDs", "JSON", "coordinates", "lengths of time"])
def test_a_target_of_such_is_refused_by_its_name(what: str) -> None:
    with pytest.raises(InputError, match=f"target 'x': it holds {what}.* choose another TARGET"):
        adopted({"size": SIZES, "x": KINDS[what]}, "x")


def test_an_identifier_of_no_known_form_is_one() -> None:
    codes = [f"AB-{at * 37}/x" for at in range(ROWS)]
    reason = adopted({"size": SIZES, "x": codes, "y": LABELS}).left_out["x"]
    assert reason == "it is an identifier: nearly every row has its own"


SETS = ["a", "b", "c", "a;b", "b;c", "a;c", "a;b;c", "c;a"]


@pytest.mark.parametrize("sign", [";", "|", ",", ", "])
def test_several_labels_in_a_cell_are_said_to_be_that(sign: str) -> None:
    labels = [SETS[at % len(SETS)].replace(";", sign) for at in range(ROWS)]
    with pytest.raises(
        InputError, match=r"several labels in one cell.*make a column of each label"
    ):
        adopted({"size": SIZES, "y": labels})
    config = adopted({"size": SIZES, "y": labels}, TASK="multiclass")
    assert len(config.data.classes) == len(SETS)


def test_lists_of_labels_are_several_labels() -> None:
    labels = [f"['{SETS[at % 8]}']".replace(";", "', '") for at in range(ROWS)]
    with pytest.raises(InputError, match="several labels in one cell"):
        adopted({"size": SIZES, "y": labels})


@pytest.mark.parametrize(
    "labels",
    [
        ["Paris, France", "Lyon, France", "Bonn"],
        ["black;male", "black;female", "white;male", "white;female"],
        ["a", "b", "a;b"],
        ["one, of many", "none"],
    ],
)
def test_a_sign_inside_of_labels_is_no_list(labels: list[str]) -> None:
    config = adopted({"size": SIZES, "y": [labels[at % len(labels)] for at in range(ROWS)]})
    assert len(config.data.classes) == len(labels)


@pytest.mark.parametrize(
    ("columns", "target"),
    [
        ([SIZES, ["setosa", "virginica"], SIZES], "setosa"),
        ([SIZES, ["Private", "State-gov"], ["<=50K", ">50K"]], "<=50K"),
        ([["p", "e"], ["x", "b", "f"], ["n", "g"]], "p"),
        ([["p", "e"], ["x", "p", "f"], ["p", "g"]], "p"),
        ([["p", "e"], ["x", "b", "f"], ["n", "g"]], "class"),
    ],
)
def test_a_file_without_a_header_is_said_to_have_none(
    columns: list[list[str]], target: str
) -> None:
    rows = [[values[at % len(values)] for values in columns] for at in range(ROWS)]
    with pytest.raises(InputError, match="first line looks like data: add a line with the column"):
        text_adopted("\n".join(",".join(row) for row in rows) + "\n", target)


def test_columns_named_like_one_of_their_values_have_a_header() -> None:
    more = {name: [(name, "none")[at % 2] for at in range(ROWS)] for name in ("red", "blue")}
    assert adopted({"size": SIZES, "age": SIZES, "y": LABELS} | more).data.target == "y"


BODY = "".join(f"{size},{label}\n" for size, label in zip(SIZES, LABELS, strict=True))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Report 2026\n\nsize,y\n" + BODY, "header seems to be line 3, 'size,y': remove the lines"),
        ("# made by x\n# today\nsize,y\n" + BODY, "header seems to be line 3, 'size,y'"),
        ("Report 2026,,\n,,\n" + BODY.replace("\n", ",1\n"), "remove what stands above the header"),
        ("size,y\n" + BODY + "Total,60\n", r"last row, 121, seems to hold totals \('Total' in"),
    ],
)
def test_lines_around_a_table_are_named(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        text_adopted(text)


def test_a_category_called_total_is_a_category() -> None:
    kinds = [("total", "part")[at % 2] for at in range(ROWS)]
    kinds[-1] = "total"
    assert "x" in adopted({"size": SIZES, "x": kinds, "y": LABELS}).columns


@pytest.mark.parametrize(
    ("yes", "no"), [("ja", "nein"), ("oui", "non"), ("sí", "no"), ("да", "нет")]
)
def test_yes_is_the_positive_class_in_other_languages(yes: str, no: str) -> None:
    labels = [yes if at % 3 else no for at in range(ROWS)]  # the more frequent one
    assert adopted({"size": SIZES, "y": labels}).data.positive == yes


def test_cells_that_never_end_a_list_and_labels_of_brackets_alone_are_looked_at() -> None:
    open_lists = [f"[{at}, " + "1, " * 20_000 for at in range(30)]
    assert kinds.named(open_lists) == ""
    assert kinds.several(["[" * 100_000] * 3) == ""
