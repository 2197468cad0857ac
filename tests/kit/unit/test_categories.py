"""A category is one, however a file writes it: 1 and 1.0, composed and decomposed letters."""

from __future__ import annotations

import contextlib
import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from ml_template.model import artifact, encoder
from ml_template.model.profile import column_profile
from ml_template.operations import abtest, drift, experiment_plan, join
from ml_template.operations.lines import Left
from ml_template.pipeline.adoption import adopt
from ml_template.pipeline.data import prepare, rules, split, validate
from ml_template.pipeline.training import train
from ml_template.registry import versioning
from ml_template.serving import score
from ml_template.serving.records import Records
from ml_template.settings import categories
from ml_template.settings.config import Config, Data, InputError, load_config
from ml_template.settings.oversight import Monitoring
from ml_template.storage import places
from ml_template.storage.files import digest_json
from ml_template.tables import table

COMPOSED, DECOMPOSED = "Zürich", "Zu\u0308rich"
ROWS = 400
HEADER = "plan,usage,late\n"


@pytest.mark.parametrize(
    ("text", "form"),
    [("1.0", "1"), ("0.0", "0"), ("-7.0", "-7"), ("120.0", "120"), (DECOMPOSED, COMPOSED)],
)
def test_two_spellings_of_one_category_have_one_form(text: str, form: str) -> None:
    assert categories.category(text) == categories.category(form) == form


@pytest.mark.parametrize(
    "text",
    [
        *("1.10", "1.1", "01", "01.0", "1.00", "1.0.0", "-0", "-0.0", "1e3", "+1.0", "v1.0"),
        *("1.", ".0", "1.0 ", "10", "", "ß", "ﬁ"),
    ],
)
def test_whatever_else_looks_alike_stays_what_it_is(text: str) -> None:
    assert categories.category(text) == text


def config(path: str, kind: dict[str, Any], **more: Any) -> Config:
    data = {"path": path, "target": "late", "task": "binary", "classes": ["0.0", "1"]}
    columns = {"plan": {"type": "categorical"} | kind, "usage": {"type": "numeric"}}
    return Config.model_validate({"data": data | {"positive": "1"}, "columns": columns} | more)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (None, ["1", "1", "01", COMPOSED, COMPOSED, "1.10"]),
        (["1.0", "2.0"], ["1.0", "1.0", "01", COMPOSED, COMPOSED, "1.10"]),
        (["1", "1.0", DECOMPOSED], ["1", "1", "01", DECOMPOSED, DECOMPOSED, "1.10"]),
    ],
)
def test_a_table_holds_one_spelling_and_it_is_that_of_the_configuration(
    values: list[str] | None, expected: list[str], in_folder: Path
) -> None:
    texts = ["1", "1.0", "01", COMPOSED, DECOMPOSED, "1.10"]
    lines = [f"{text},1,{'0' if at % 2 else '1.0'}\n" for at, text in enumerate(texts)]
    Path("x.csv").write_text(HEADER + "".join(lines), encoding="utf-8")
    columns = table.columns_of(table.read_raw(config("x.csv", {"values": values})))
    assert columns["plan"].tolist() == expected
    assert columns["late"].tolist() == ["1", "0.0"] * 3


def test_classes_that_are_one_are_no_two_classes() -> None:
    data = {"path": "x.csv", "target": "y", "task": "binary", "positive": "1"}
    with pytest.raises(ValueError, match="at least two different labels"):
        Data.model_validate(data | {"classes": ["1.0", "1"]})


def coded(*texts: str) -> dict[str, np.ndarray]:
    return {"plan": np.array(texts, dtype=object)}


def matrix(state: dict[str, int], *texts: str) -> list[float]:
    made = encoder.Encoder(["plan"], [{"name": "plan", "kind": "ordinal", "codes": state}])
    whole = made.apply(coded(*texts))[:, 0].tolist()
    alone = [made.apply(coded(text))[0, 0] for text in texts]
    np.testing.assert_array_equal(alone, whole)
    return [float(value) for value in whole]


def test_a_model_knows_its_categories_by_either_spelling() -> None:
    old = {"1.0": 0, "2.0": 1, DECOMPOSED: 2}
    assert matrix(old, "1", "1.0", "2", COMPOSED, DECOMPOSED) == [0, 0, 1, 2, 2]
    assert np.isnan(matrix(old, "01", "1.00", "3")).all()


def test_a_model_that_learned_both_spellings_keeps_them_apart() -> None:
    assert matrix({"1": 0, "1.0": 1, "2.0": 2}, "1", "1.0", "2") == [0, 1, 2]


def test_features_see_the_spelling_that_was_trained_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder, "function", lambda _: lambda known: {"is": known["plan"] == "1.0"})
    state = [{"name": "plan", "kind": "ordinal", "codes": {"1.0": 0}}]
    made = encoder.Encoder(["plan"], [*state, {"name": "is", "kind": "number"}])
    assert made.apply(coded("1", "1.0"))[:, 1].tolist() == [1, 1]


def test_rows_are_drawn_as_before_where_a_list_spells_the_categories() -> None:
    for kind, same in (({"values": ["1.0"]}, True), ({}, False)):
        made = config("x.csv", kind)
        full = made.model_dump(mode="json", include={"data", "columns", "split", "seed"})
        assert "thousands" not in json.dumps(full)  # a key of later: it would be another digest
        before = digest_json(full | {"pandas": pd.__version__.split(".")[:2]})
        assert (split.rule(made) == before) == same


def test_a_rule_means_either_spelling() -> None:
    columns = coded("1", "1.0", "2") | {"note": np.array(["1.0", "1.0", "x"], dtype=object)}
    assert rules.broken('plan == "1.0"', columns).tolist() == [False, False, True]
    assert rules.broken('plan in ["1", "3.0"]', columns).tolist() == [False, False, True]
    assert rules.broken('note != "1.0"', columns).tolist() == [True, True, False]


def test_a_window_spelled_another_way_does_not_drift() -> None:
    rows = np.arange(4000)
    before = {"plan": column_profile(np.array(["1.0", "2.0", "3.0"], object)[rows % 3])}
    same = {"plan": np.array(["1", "2.0", "3", "1.0", "2", "3"], object)[rows % 6]}
    other = {"plan": np.array(["1", "2", "4"], object)[rows % 3]}
    assert drift.compare(before, same, Monitoring())[0]["verdict"] == "steady"
    assert drift.compare(before, other, Monitoring())[0]["verdict"] == "drift"


def test_labels_and_ids_that_pandas_made_floats_are_joined(
    in_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = {"row": 1, "time": "2026-01-01T10:00:00+00:00", "model": "m", "output": {"p": 1.0}}
    Path("log").mkdir()
    lines = [json.dumps(entry | {"id": number}) + "\n" for number in ("17", "18", "v1.0")]
    Path("log/1.jsonl").write_text("".join(lines))
    Path("labels.csv").write_text("id,row,label\n17.0,1.0,0\n18,1,1.0\nv1.0,1,1\n")
    monkeypatch.setattr(join, "load_config", lambda: config("x.csv", {}))
    join.run({"LABELS": "labels.csv", "LOG": "log"})
    with join.LABELLED.open(newline="") as file:
        found = [(row["id"], row["label"]) for row in csv.DictReader(file)]
    assert found == [("17", "0.0"), ("18", "1"), ("v1.0", "1")]


def test_a_unit_that_pandas_made_a_float_is_the_unit_that_was_exposed(in_folder: Path) -> None:
    plan = {"EXPERIMENT": "offer", "METRICS": "spent", "BASE": 0.3, "EFFECT": 0.15}
    abtest.run(plan)
    for units in ("1\n2\n", "1.0\n2.0\n3.0\n"):
        Path("units.csv").write_text(f"unit\n{units}")
        abtest.run({"UNITS": "units.csv", "LOG": "log.csv"})
    assert list(experiment_plan.exposures(Path("log.csv"), Left())) == ["1", "2", "3"]
    Path("outcomes.csv").write_text("unit,spent\n1.0,5\n2,6\n")
    known = experiment_plan.outcomes(Path("outcomes.csv"), ["spent"], Left())
    assert known == {"1": [5.0], "2": [6.0]}
    Path("outcomes.csv").write_text("unit,spent\n1.0,5\n1,6\n")
    with pytest.raises(InputError, match="has a line already"):
        experiment_plan.outcomes(Path("outcomes.csv"), ["spent"], Left())


@pytest.fixture(scope="module")
def plans(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a model of a table whose codes have gaps, so that pandas wrote floats."""
    rng = np.random.default_rng(5)
    plan, noise = rng.integers(1, 7, ROWS), rng.random(ROWS)
    late = np.where(noise * 6 < plan, "yes", "no")
    codes = ["" if at % 50 == 0 else f"{code}.0" for at, code in enumerate(plan)]
    lines = [f"{codes[at]},{at * 7 % 31}.5,{late[at]}\n" for at in range(ROWS)]
    folder = tmp_path_factory.mktemp("plans")
    (folder / "requirements").mkdir()
    with contextlib.chdir(folder), pytest.MonkeyPatch.context() as patch:
        patch.setattr(versioning, "add", lambda path: None)
        Path("plans.csv").write_text(HEADER.replace("plan", "plan_type") + "".join(lines))
        adopt.run({"DATA": "plans.csv", "TARGET": "late"})
        for stage in (prepare, validate, train):
            stage.run()
        yield folder


def batch(folder: Path, codes: list[str], **settings: str) -> list[str]:
    """What `score` writes for these codes."""
    lines = [f"{code},{at % 31}.5\n" for at, code in enumerate(codes)]
    (folder / "in.csv").write_text("plan_type,usage\n" + "".join(lines))
    (folder / "out.csv").unlink(missing_ok=True)
    given = {"DATA": "in.csv", "OUT": "out.csv", "MODEL": places.CANDIDATE.as_posix()}
    with contextlib.chdir(folder):
        score.run(given | settings)
    return (folder / "out.csv").read_text().splitlines()


def test_codes_of_a_column_with_gaps_are_those_of_one_without(
    plans: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with contextlib.chdir(plans):
        assert load_config().columns["plan_type"].values == ("1", "2", "3", "4", "5", "6")
    whole = [str(at % 6 + 1) for at in range(60)]
    assert batch(plans, whole) == batch(plans, [f"{code}.0" for code in whole])
    assert len(set(batch(plans, whole))) > 6
    assert "did not see" not in capsys.readouterr().out


def test_the_service_takes_either_spelling_and_counts_only_what_is_new(plans: Path) -> None:
    model = artifact.load(plans / places.CANDIDATE)
    checks, seen = Records(model, 9), list[str]()
    checks.unseen = seen.append
    sent = [{"plan_type": code, "usage": 2.5} for code in ("1", "1.0", "01", "1.00")]
    answers = model.predict(checks.columns(checks.check({"records": sent})))
    assert answers[0].tolist() == answers[1].tolist()
    assert seen == ["plan_type", "plan_type"]
    with pytest.raises(Exception, match="do not fit"):
        checks.check({"records": [{"plan_type": 1, "usage": 2.5}]})


def test_score_refuses_more_unseen_codes_than_validate_lets_pass_and_counts_the_others(
    plans: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    known = ["1"] * 96
    with pytest.raises(InputError, match="'plan_type': 8 of 104 rows hold a category"):
        batch(plans, known + ["A"] * 8)
    assert not (plans / "out.csv").exists()
    assert len(batch(plans, known + ["A"] * 8, BAD="skip")) == 105
    assert "'plan_type': 8 rows hold a category that training" in capsys.readouterr().out
    assert len(batch(plans, [*known, "", "A", "B"])) == 100
    assert "'plan_type': 2 rows hold a category" in capsys.readouterr().out
