"""adopt finds columns with many labels and written texts, and a model learns from them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ml_template.model import artifact
from ml_template.pipeline.adoption import adopt
from ml_template.pipeline.data import prepare, validate
from ml_template.pipeline.training import train
from ml_template.registry import versioning
from ml_template.serving.records import Records, RefusedError
from ml_template.settings.config import Config, load_config
from ml_template.storage.places import CANDIDATE, PREPARED
from ml_template.tables import table
from sklearn.metrics import r2_score, roc_auc_score

ROWS = 3_000
DRAW = np.random.default_rng(4)
NOUNS = ["lamp", "chair", "table", "shelf", "mirror", "carpet", "sofa", "stool", "bench", "vase"]
COLOURS = ["red", "green", "blue", "black", "white", "oak", "steel", "linen", "walnut", "grey"]
PEOPLE = ["Anna", "Boris", "Clara", "David", "Emma", "Farid", "Greta", "Hugo", "Ines", "Jonas"]


@pytest.fixture(autouse=True)
def _untracked(in_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versioning, "add", lambda path: None)


def adopted(target: str = "y", sensitive: str = "", **columns: object) -> Config:
    pd.DataFrame(columns).to_csv("my.csv", index=False)
    adopt.run({"DATA": "my.csv", "TARGET": target, "SENSITIVE": sensitive})
    config = load_config()
    table.read_raw(config)
    return config


def numbers() -> np.ndarray:
    return DRAW.normal(size=ROWS).round(3)


def pairs(left: list[str], right: list[str]) -> list[str]:
    """All different: two words and a mark of the row."""
    a, b = DRAW.integers(0, len(left), ROWS), DRAW.integers(0, len(right), ROWS)
    marks = ["".join(chr(97 + int(d)) for d in f"{at:04d}") for at in range(ROWS)]
    return [f"{left[i]} {right[j]} {mark}" for i, j, mark in zip(a, b, marks, strict=True)]


CODES = DRAW.integers(10_000, 10_400, ROWS)


@pytest.mark.parametrize("name", ["plz", "zip", "ZipCode", "post_code", "code_postal", "naics"])
def test_whole_numbers_that_are_named_as_codes_are_labels(name: str) -> None:
    column = adopted(**{name: CODES, "y": numbers()}).columns[name]
    assert (column.type, column.encoding, column.values) == ("categorical", "target", None)
    assert "each is the mean of the target" in Path("model_config.yaml").read_text()


@pytest.mark.parametrize("name", ["metres", "income", "codec_rate"])
def test_whole_numbers_of_another_name_stay_numbers(name: str) -> None:
    assert adopted(**{name: CODES, "y": numbers()}).columns[name].type == "numeric"


@pytest.mark.parametrize("labels", [60, 300, 1_500])
def test_labels_that_come_again_are_learned_however_many_there_are(labels: int) -> None:
    town = [f"town{at}" for at in DRAW.integers(0, labels, ROWS)]
    assert adopted(town=town, y=numbers()).columns["town"].encoding == "target"


def test_few_labels_are_listed_as_before() -> None:
    town = [f"town{at}" for at in DRAW.integers(0, 40, ROWS)]
    column = adopted(town=town, y=numbers()).columns["town"]
    assert column.encoding is None
    assert len(column.values or ()) == 40


@pytest.mark.parametrize(
    ("name", "values", "reason"),
    [
        ("token", [f"t{at * 7919:x}" for at in range(ROWS)], "identifier"),
        ("invoice", [f"INV No {at:06d}" for at in range(ROWS)], "identifier"),
        ("passenger", pairs(PEOPLE, PEOPLE), "names or addresses of people"),
        ("patient_name", pairs(PEOPLE, PEOPLE), "names or addresses of people"),
        ("mail", [f"user{at}@example.com" for at in range(ROWS)], "e-mail addresses"),
        ("dump", [f"{at} {at * 7} {at % 9} {at % 7} {at % 5}" for at in range(ROWS)], "free text"),
        ("ticket", [f"t{at if at % 4 else 7}" for at in range(ROWS)], "are no categories"),
    ],
)
def test_what_says_nothing_or_names_people_is_left_out(
    name: str, values: list[str], reason: str
) -> None:
    assert reason in adopted(x=numbers(), **{name: values}, y=numbers()).left_out[name]


@pytest.mark.parametrize(
    ("values", "encoding"),
    [
        (pairs(COLOURS, NOUNS), "words"),
        ([f"we like the {w}" for w in pairs(COLOURS, NOUNS)], "words"),
        (
            ["".join(DRAW.choice(list("我们在北京学习机器天地人和"), 9)) for _ in range(ROWS)],
            "characters",
        ),
        (["".join(DRAW.choice(list("กขคงจฉชซญฐ"), 9)) for _ in range(ROWS)], "characters"),
    ],
    ids=["titles", "sentences", "Chinese", "Thai"],
)
def test_written_texts_are_learned_from(values: list[str], encoding: str) -> None:
    column = adopted(item=values, x=numbers(), y=numbers()).columns["item"]
    assert (column.type, column.encoding) == ("text", encoding)


def test_a_sensitive_column_with_many_labels_is_no_feature() -> None:
    town = [f"town{at}" for at in DRAW.integers(0, 300, ROWS)]
    column = adopted(town=town, x=numbers(), y=numbers(), sensitive="town").columns["town"]
    assert (column.feature, column.encoding) == (False, None)


def test_labels_that_name_the_answer_are_still_a_leak() -> None:
    of = np.where(DRAW.random(400) < 0.5, "yes", "no")
    at = DRAW.integers(0, 400, ROWS)
    config = adopted(case=[f"c{code}" for code in at], x=numbers(), y=of[at])
    assert "gives the target away" in config.left_out["case"]


@pytest.mark.parametrize(("every", "kept"), [(50, True), (2, False)])
def test_texts_of_which_few_hold_an_address_are_kept_with_the_finding_allowed(
    every: int, kept: bool
) -> None:
    values = pairs(COLOURS, NOUNS)
    values[::every] = [f"{text} of a{at}@example.com" for at, text in enumerate(values[::every])]
    config = adopted(item=values, x=numbers(), y=numbers())
    assert ("item" in config.columns) == kept
    assert config.checks.allow.personal_data == (("item",) if kept else ())


def trained() -> tuple[artifact.Model, table.Columns]:
    for stage in (prepare, validate, train):
        stage.run()
    return artifact.load(CANDIDATE), table.read_parquet(PREPARED / "test.parquet")


def test_a_table_of_one_column_of_text_becomes_a_model() -> None:
    values = pairs(COLOURS, NOUNS)
    likes = np.array([text.split()[0] in COLOURS[:5] for text in values])
    config = adopted(message=values, y=np.where(likes ^ (DRAW.random(ROWS) < 0.1), "spam", "ham"))
    assert config.model.estimator == "linear"
    model, test = trained()
    positive = test["y"] == model.labels[-1]
    assert roc_auc_score(positive, model.predict(test)[:, -1]) > 0.85  # 0.9 is the best there is
    assert model.manifest["identity"]["model"]["form"] == "linear"


def test_neither_texts_nor_what_few_rows_have_are_in_the_files_of_a_model() -> None:
    values = pairs(COLOURS, NOUNS)
    values[:9] = [f"{text} Zwetschkenbaum" for text in values[:9]]
    values[9:60] = ["oak bench for Mr Quandt"] * 51
    adopted(item=values, x=numbers(), y=numbers() + [text.count("oak") for text in values])
    model, _ = trained()
    written = "".join(path.read_text("utf-8", "ignore") for path in CANDIDATE.iterdir()).lower()
    assert "zwetschken" not in written
    assert "oak bench for mr quandt" not in written
    (state,) = (column for column in model.encoder.state if column["name"] == "item")
    public = {word for term in state["terms"] for word in term.split()}
    shown = model.identity["known_answers"]["columns"]["item"]
    assert {word for text in shown for word in text.split()} <= public
    assert len(set(shown)) == 5  # short to long: speed is measured on them


def test_five_thousand_postcodes_are_worth_what_they_know() -> None:
    draw, rows = np.random.default_rng(0), 20_000
    effects, at, size = (
        draw.normal(size=5_000),
        draw.integers(0, 5_000, rows),
        draw.normal(size=rows),
    )
    y = effects[at] + 0.5 * size + 0.5 * draw.normal(size=rows)
    adopted(postcode=10_000 + at, size=size.round(4), y=y.round(4))
    model, test = trained()
    assert r2_score(test["y"], model.predict(test)) > 0.6
    batch = model.predict(test)
    alone = [model.predict(table.take(test, np.array([row])))[0] for row in range(50)]
    np.testing.assert_array_equal(alone, batch[:50])


def test_a_service_answers_unseen_labels_and_texts_of_any_script_as_a_table_does() -> None:
    values = pairs(COLOURS, NOUNS)
    towns = [f"town{at}" if at % 9 else None for at in DRAW.integers(0, 300, ROWS)]
    adopted(item=values, town=towns, x=numbers(), y=np.array(["a", "b", "c"])[np.arange(ROWS) % 3])
    model, _ = trained()
    assert len(model.encoder.state) == 3
    assert model.encoder.width == 7
    records = Records(model, 100)
    sent = [
        {"item": "oak Lamp 👍🏽 İstanbul مرحبا 北京", "town": "never seen", "x": 0.5},
        {"item": "!!!", "town": None, "x": 0.5},
        {"item": "red vase", "town": "town7", "x": -1.0},
    ]
    columns = records.columns(records.check({"records": sent}))
    batch = model.predict(columns)
    assert np.isfinite(batch).all()
    alone = [model.predict(records.columns([record]))[0] for record in sent]
    np.testing.assert_array_equal(alone, batch)
    with pytest.raises(RefusedError) as refused:
        records.check({"records": [sent[0] | {"item": "x" * 10_001}]})
    assert refused.value.faults == [("records[0].item", "must have at most 10,000 letters")]


@pytest.mark.parametrize("rows", [40, 60])
def test_a_small_table_of_messages_is_adopted(rows: int) -> None:
    values = [f"we {'like' if at % 2 else 'hate'} the {COLOURS[at % 10]} x{at}" for at in range(60)]
    labels = ["yes" if at % 2 else "no" for at in range(60)]
    config = adopted(message=values[:rows], y=labels[:rows])
    assert config.columns["message"].encoding == "words"


def test_gaps_of_a_text_are_room_for_the_next_table() -> None:
    notes = [text if at % 9 else "" for at, text in enumerate(pairs(COLOURS, NOUNS))]
    config = adopted(x=numbers(), note=notes, y=numbers())
    assert config.columns["note"].encoding
    assert config.checks.missing > 0.112
