"""By folds each row is held out once, and nobody who learned from a row is asked about it."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from ml_template import project
from ml_template.model import artifact, bootstrap
from ml_template.model.metrics import METRICS
from ml_template.pipeline.data import answering, folds, prepare, validate
from ml_template.pipeline.evaluation import evaluate
from ml_template.pipeline.judgement import gate, measure, register
from ml_template.pipeline.reporting import rivals
from ml_template.pipeline.training import train
from ml_template.registry import champion, tracking
from ml_template.settings.config import Config, InputError, Split, load_config
from ml_template.storage import places
from ml_template.storage.files import digest, digest_json
from ml_template.tables import table
from ml_template.tables.table import Columns
from ml_template.testing import trained_in
from sklearn.tree import DecisionTreeClassifier

from ..conftest import PACKAGE, ROOT
from .conftest import write_gates

NUMBERS = ("a", "b", "c")
CONFIG: dict[str, Any] = {
    "data": {"path": "data/few.csv", "target": "y", "task": "binary", "positive": "yes"}
    | {"classes": ["no", "yes"]},
    "columns": {"who": {"type": "categorical", "feature": False}}
    | {name: {"type": "numeric"} for name in NUMBERS},
    "split": {"folds": 5},
    "model": {"estimator": "linear", "encoding": "onehot"},
}


def config(**sections: Any) -> Config:
    return Config.model_validate(CONFIG | sections)


def few(rows: int = 80, seed: int = 0, classes: tuple[str, ...] = ("no", "yes")) -> Columns:
    """Numbers and a class of them all that chance alone decides, and whose row it is."""
    random = np.random.default_rng(seed)
    columns = {name: random.normal(size=rows).round(3) for name in NUMBERS}
    people = np.array([f"p{at // 4}" for at in range(rows)], dtype=object)
    return columns | {"who": people, "y": random.choice(np.array(classes, dtype=object), rows)}


def test_each_fold_has_its_share_of_each_class_and_equal_rows_stand_in_one() -> None:
    columns = few(83)
    for name in ("who", *NUMBERS):
        columns[name][1] = columns[name][0]
    numbers, _ = folds.folded(config(), columns)
    assert numbers[0] == numbers[1]
    for label in ("no", "yes"):
        counts = Counter(numbers[columns["y"] == label].tolist())
        assert len(counts) == 5
        assert max(counts.values()) - min(counts.values()) <= 2


def test_classes_of_few_rows_do_not_meet_in_the_same_folds() -> None:
    labels = tuple(f"kind {at:02d}" for at in range(20))
    columns = few(60) | {"y": np.repeat(np.array(labels, dtype=object), 3)}
    data = CONFIG["data"] | {"task": "multiclass", "positive": None, "classes": labels}
    numbers, _ = folds.folded(config(data=data), columns)
    assert sorted(Counter(numbers.tolist()).values()) == [12] * 5
    assert all(len(set(numbers[columns["y"] == label].tolist())) == 3 for label in labels)


def test_groups_stay_whole_and_rows_that_are_added_move_none() -> None:
    rule, late = config(split={"folds": 5, "group": "who"}), few(120)
    early = {name: values[:80] for name, values in late.items()}
    numbers, cuts = folds.folded(rule, early)
    for person in set(early["who"]):
        assert len(set(numbers[early["who"] == person].tolist())) == 1
    assert folds.fold_of(rule, late, cuts)[:80].tolist() == numbers.tolist()


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ({"folds": 5, "test": 0.2}, "remove test, or folds"),
        ({"folds": 5, "time": "day"}, "later than those they answer"),
        ({"folds": 5, "column": "who", "holds": ["p1"]}, "remove folds, or time and column"),
        ({"folds": 1}, "greater than or equal to 2"),
    ],
)
def test_folds_beside_what_they_are_not_for_are_refused(rule: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        config(split=rule)


def test_a_class_of_one_group_and_a_large_table_are_refused_with_what_to_do() -> None:
    columns = few(80)
    columns["y"] = np.where(columns["who"] == "p3", "yes", "no").astype(object)
    rule = config(split={"folds": 5, "group": "who"})
    with pytest.raises(InputError, match=r"holds out all of class 'yes'.* group by another column"):
        folds.folded(rule, columns)
    folds.folded(config(), columns)  # by rows there are some in each
    with pytest.raises(InputError, match=r"10,001 rows are more than 10,000: test: 0.2"):
        folds.folded(config(), few(10_001))


def test_a_configuration_without_folds_has_the_digest_it_had() -> None:
    assert "folds" not in config(split={"test": 0.2}).model_dump(mode="json")["split"]


def least_squares(x: np.ndarray, y: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    found = np.linalg.lstsq(np.c_[x, np.ones(len(x))], y, rcond=None)[0]
    return lambda asked: np.c_[asked, np.ones(len(asked))] @ found


def test_intervals_of_folds_hold_the_truth_as_those_of_a_hold_out_and_are_narrower(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of 150 tables of 60 rows; the truth is what the model says of 4,000 other rows."""
    monkeypatch.setattr(bootstrap, "replicates", lambda _: 200)
    r2, random = METRICS["regression"]["r2"], np.random.default_rng(1)
    weights = random.normal(size=6)
    found: dict[str, list[tuple[bool, float]]] = {"hold-out": [], "folds": [], "as rows": []}
    for _ in range(150):
        x = random.normal(size=(4060, 6))
        y = x @ weights + 2 * random.normal(size=4060)
        rows, rest, fold = x[:60], (x[60:], y[60:]), np.arange(60) % 5

        def note(name: str, model: Any, truth: Any, answers: Any, worth: float = 1.0) -> None:
            made = bootstrap.interval(r2, truth, answers, 7, worth=worth)
            value = r2(rest[1], model(rest[0]), np.ones((1, 4000)))[0]  # noqa: B023
            found[name].append((made.low <= value <= made.high, made.high - made.low))

        part = least_squares(rows[fold > 0], y[:60][fold > 0])
        note("hold-out", part, y[:60][fold == 0], part(rows[fold == 0]))
        answers = np.empty(60)
        for at in range(5):
            one = least_squares(rows[fold != at], y[:60][fold != at])
            answers[fold == at] = one(rows[fold == at])
        whole = least_squares(rows, y[:60])
        note("folds", whole, y[:60], answers, Split(folds=5).worth)
        note("as rows", whole, y[:60], answers)
    covers = {name: np.mean([held for held, _ in all_]) for name, all_ in found.items()}
    width = {name: np.median([size for _, size in all_]) for name, all_ in found.items()}
    assert covers["folds"] >= 0.92
    assert covers["as rows"] < 0.85  # as if the models had nothing in common
    assert covers["folds"] >= covers["hold-out"]
    assert width["folds"] < 0.8 * width["hold-out"]


def by_heart(config: Config, **params: Any) -> Any:
    """A tree that knows every row it saw, and of others nothing but chance."""
    return DecisionTreeClassifier(random_state=0, **params)


Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(in_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """`make run` on a table, with `build` in the place of model.py; the lines of the verdict."""
    shutil.copytree(ROOT / "requirements", "requirements")
    shutil.copy(ROOT / "pyproject.toml", ".")
    Path("data").mkdir()
    monkeypatch.setattr(measure, "measure", lambda _: {"difference": 0.0})
    monkeypatch.setattr(evaluate, "_plots", lambda *_: [])
    monkeypatch.setattr(bootstrap, "replicates", lambda _: 200)
    monkeypatch.setattr(tracking, "mirror", lambda *_: {})
    monkeypatch.delenv("CI", raising=False)
    ours = project.handed()

    def made(columns: Columns, build: Any = None, **sections: Any) -> dict[str, Any]:
        pd.DataFrame(columns).to_csv("data/few.csv", index=False)
        Path("model_config.yaml").write_text(yaml.safe_dump(CONFIG | sections))
        write_gates(champion="{max_drop: 0.005}")
        build = {"build": build} if build else {}
        project.hand_over(project.Project(PACKAGE, **build))
        for stage in (prepare, validate, train, evaluate, gate, register):
            stage.run()
        verdict = json.loads(places.VERDICT.read_text())
        return {line["gate"]: line for line in verdict["checks"]} | {"rival": verdict["rival"]}

    yield made
    project.hand_over(ours)


def test_a_model_that_knows_its_rows_by_heart_is_judged_by_what_it_says_of_others(run: Run) -> None:
    lines = run(few(), by_heart)
    model = artifact.load(places.CANDIDATE)
    test = table.read_parquet(places.PREPARED / "test.parquet")
    known = (test["y"] == "yes").astype(int)
    assert (model.predict(test).argmax(axis=1) == known).all()  # it is served, and saw them all
    found = json.loads(places.EVALUATION.read_text())
    assert found["rows"] == 80
    assert 0.3 < found["metrics"]["accuracy"]["value"] < 0.7
    assert all(abs(entry["value"]) < 0.2 for entry in found["importance"])
    assert "5 models of the same recipe" in lines["evidence"]["reason"]
    assert "learned from all 80" in lines["evidence"]["reason"]


def test_no_model_of_a_fold_has_seen_the_rows_it_answers(run: Run) -> None:
    run(few(), by_heart)
    model, test = (
        artifact.load(places.CANDIDATE),
        table.read_parquet(places.PREPARED / "test.parquet"),
    )
    known = (test["y"] == "yes").astype(int)
    judges = answering.judges(load_config(), places.CANDIDATE, model, test)
    assert sorted(np.concatenate([rows for _, rows in judges]).tolist()) == list(range(80))
    for one, rows in judges:
        others = np.delete(np.arange(80), rows)
        right = one.predict(test).argmax(axis=1) == known
        assert right[others].all()
        assert not right[rows].all()


def test_a_champion_is_asked_by_its_own_folds_when_rows_were_added(run: Run) -> None:
    late = few(110)
    run({name: values[:80] for name, values in late.items()}, by_heart)
    line = run(late)
    assert line["rival"]["state"] == "paired"
    assert "110 rows by models that did not see them" in line["rival"]["reason"]
    assert abs(line["rival"]["value"]) < 0.25  # the one that learned by heart would have 1.0
    read = rivals.read(load_config(), json.loads(places.VERDICT.read_text()))
    assert read is not None
    assert read.tables[0].rows[0] == ["rows compared", "110"]


@pytest.mark.parametrize("other", [{"split": {"test": 0.3}}, {"seed": 8}, {"split": {"folds": 4}}])
def test_a_champion_of_other_folds_or_of_a_hold_out_counts_by_its_kept_figure(
    run: Run, other: dict[str, Any]
) -> None:
    run(few(), by_heart, **other)
    before = (champion.read(champion.CHAMPION) or {})["digest"]
    line = run(few())
    assert line["rival"]["state"] == "apart"
    assert (champion.read(champion.CHAMPION) or {})["digest"] == before


def test_a_model_of_a_fold_that_was_changed_is_refused(run: Run) -> None:
    run(few(), by_heart)
    path = places.CANDIDATE / answering.FILE
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content[::-1], ensure_ascii=False) + "\n")
    with pytest.raises(InputError, match="does not match its digest"):
        artifact.load(places.CANDIDATE)


def test_models_of_folds_that_are_none_are_refused_with_what_to_do(run: Run) -> None:
    run(few(), by_heart)
    path = places.CANDIDATE / answering.FILE
    told, known = places.CANDIDATE / "model.json", json.loads(path.read_text())
    test, first = table.read_parquet(places.PREPARED / "test.parquet"), known[0]
    for content in (
        known[:-1],  # nobody answers the rows of the last
        [first | {"content": "%%" + first["content"]}, *known[1:]],
        [first | {"content": "é"}, *known[1:]],
        [first | {"model": first["model"] | {"form": "treelite"}}, *known[1:]],
        [first | {"encoder": {"inputs": []}}, *known[1:]],
        [{}] * 5,
        {"a": 1},
        7,
    ):
        path.write_text(json.dumps(content))
        manifest = json.loads(told.read_text())
        facts = {"sha256": digest(path), "bytes": path.stat().st_size}
        manifest["identity"]["files"][answering.FILE] = facts
        manifest["digest"] = digest_json(manifest["identity"])
        told.write_text(json.dumps(manifest))
        model = artifact.load(places.CANDIDATE)
        with pytest.raises(InputError, match="train again"):
            answering.judges(load_config(), places.CANDIDATE, model, test)


def test_tests_of_a_project_ask_about_rows_that_their_model_has_not_seen(
    in_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = tmp_path_factory.mktemp("home")
    shutil.copytree(ROOT / "requirements", home / "requirements")
    shutil.copy(ROOT / "gates.yaml", home)
    (home / "data").mkdir()
    pd.DataFrame(few()).to_csv(home / "data/few.csv", index=False)
    (home / "model_config.yaml").write_text(yaml.safe_dump(CONFIG))
    with trained_in(home, in_folder) as made:
        assert not set(made.train["__row__"]) & set(made.test["__row__"])
