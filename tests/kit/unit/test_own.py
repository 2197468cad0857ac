"""What a project plugs in: metrics, split, checks and stages of its own, and faults in each."""

from __future__ import annotations

import importlib
import inspect
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import ml_template
import numpy as np
import pytest
from ml_template import Columns, Fault, InputError, Metric, Project
from ml_template import command_line as command
from ml_template import project as projects
from ml_template.model import artifact, measures
from ml_template.model.metrics import METRICS
from ml_template.pipeline.data import own, prepare, validate
from ml_template.pipeline.evaluation import evaluate, figures
from ml_template.pipeline.judgement import checks, gate, register, rival
from ml_template.settings import gates
from ml_template.settings.config import Config, Metrics, load_config
from ml_template.storage import places
from ml_template.tables.table import read_parquet

from ..conftest import PACKAGE, Trained
from .test_evaluate import BINARY, REGRESSION, chances, config, halves

Extend = Callable[..., None]
TRUTH = np.array([0, 1] * 20)
SCORE = chances(np.linspace(0.05, 0.95, 40))
COLUMNS = {"useful": np.arange(40.0), "y": TRUTH, "__row__": np.arange(1, 41)}


@pytest.fixture
def extend(monkeypatch: pytest.MonkeyPatch) -> Iterator[Extend]:
    """Hand over the project with these places, each a value of the module `own` of the package."""

    def hand_over(stages: Any = None, **named: Any) -> None:
        ways = {f"s{n}": way for n, way in enumerate((stages or {}).values())}
        home = SimpleNamespace(**named, **ways)
        monkeypatch.setitem(sys.modules, f"{PACKAGE}.own", home)
        where = {place: f"own:{place}" for place in named}
        words = {word: f"own:s{n}" for n, word in enumerate(stages or {})}
        projects.hand_over(replace(Project(PACKAGE), **where, stages=words))

    yield hand_over
    projects.hand_over(Project(PACKAGE))


def wrong(truth: np.ndarray, answers: np.ndarray) -> float:
    return float(np.mean(truth != answers.argmax(axis=1)))


def right(truth: np.ndarray, answers: np.ndarray) -> float:
    return 1.0 - wrong(truth, answers)


LOSS = Metric("loss", wrong, higher_is_better=False, tasks=("binary",))


# The places


def test_nothing_is_plugged_in_unless_it_is_named() -> None:
    assert measures.known(BINARY) == METRICS["binary"]
    assert [measures.headline(c) for c in (BINARY, REGRESSION)] == ["roc_auc", "r2"]
    assert list(own.findings(COLUMNS, BINARY)) == []


@pytest.mark.parametrize(
    ("where", "says"),
    [
        ("nowhere:METRICS", f"there is no src/{PACKAGE}/nowhere.py: write it"),
        ("model:METRICS", f"src/{PACKAGE}/model.py has no 'METRICS': write it"),
        ("METRICS", f"there is no src/{PACKAGE}/METRICS.py: write it"),
    ],
)
def test_what_is_named_and_not_there_is_named_with_its_file(
    where: str, says: str, extend: Extend
) -> None:
    projects.hand_over(Project(PACKAGE, metrics=where))
    with pytest.raises(InputError) as caught:
        measures.known(BINARY)
    assert f"src/{PACKAGE}/__main__.py: metrics: '{where}': {says}" in str(caught.value)


def test_a_package_that_a_plugged_in_module_lacks_is_named_itself(
    extend: Extend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lacking.py").write_text("import no_such_package\n")
    home = importlib.import_module(PACKAGE)
    monkeypatch.setattr(home, "__path__", [*home.__path__, str(tmp_path)])
    projects.hand_over(Project(PACKAGE, metrics="lacking:METRICS"))
    with pytest.raises(ModuleNotFoundError, match="no_such_package"):
        measures.known(BINARY)


# Metrics


def test_an_own_metric_has_the_value_and_the_interval_of_the_same_one_of_the_kit(
    extend: Extend,
) -> None:
    extend(metrics=[Metric("right", right)])
    asked = {name: measures.known(BINARY)[name] for name in ("accuracy", "right")}
    found, _ = figures.measure(BINARY, TRUTH, SCORE, {}, asked)
    assert found["right"] == pytest.approx(found["accuracy"], rel=1e-12)


def test_a_metric_where_less_is_better_is_reported_with_the_other_sign(extend: Extend) -> None:
    extend(metrics=[LOSS])
    found = figures.points(measures.known(BINARY), TRUTH, SCORE)
    assert found["neg_loss"] == pytest.approx(found["accuracy"] - 1)
    assert measures.ranges(BINARY)["neg_loss"] == (-1.0, 0.0)
    assert "neg_loss" not in measures.known(REGRESSION)


def test_an_own_metric_is_headline_and_metric_of_slices_where_the_configuration_says_so(
    extend: Extend,
) -> None:
    extend(metrics=[LOSS])
    chosen = config("binary", ["no", "yes"], metrics={"headline": "neg_loss", "slices": "neg_loss"})
    assert next(iter(measures.known(chosen))) == measures.headline(chosen) == "neg_loss"
    _, found = figures.measure(chosen, TRUTH, SCORE, {"side": halves(40)}, measures.known(chosen))
    assert {part["metric"] for part in found} == {"neg_loss"}


@pytest.mark.parametrize(("task", "name"), [(t, n) for t, named in METRICS.items() for n in named])
def test_every_metric_of_the_kit_can_stand_for_a_model(task: str, name: str) -> None:
    labels = {"binary": ["no", "yes"], "multiclass": ["a", "b", "c"], "regression": []}[task]
    chosen = config(task, labels, metrics={"headline": name, "slices": name})
    assert (measures.headline(chosen), measures.sliced(chosen)) == (name, name)
    draw = np.random.default_rng(0)
    truth: np.ndarray = draw.integers(0, len(labels), 60) if labels else draw.normal(size=60)
    answers: np.ndarray = draw.dirichlet([1] * len(labels), 60) if labels else truth + 1
    found, slices = figures.measure(
        chosen, truth, answers, {"side": halves(60)}, measures.known(chosen)
    )
    assert next(iter(found)) == name
    assert {part["metric"] for part in slices} == {name}


@pytest.mark.parametrize("key", ["headline", "slices"])
def test_an_unknown_metric_in_the_configuration_is_named_with_those_to_choose_from(
    key: str, extend: Extend
) -> None:
    extend(metrics=[LOSS])
    with pytest.raises(InputError, match=rf"metrics.{key}: 'loss' is no metric.*neg_loss"):
        measures.sliced(config("binary", ["no", "yes"], metrics={key: "loss"}))


def test_a_configuration_without_the_new_key_keeps_its_digest() -> None:
    assert "metrics" not in BINARY.model_dump(mode="json")
    chosen = config("binary", ["no", "yes"], metrics={"headline": "accuracy"})
    assert chosen.model_dump(mode="json")["metrics"]["headline"] == "accuracy"


@pytest.mark.parametrize(
    ("metrics", "says"),
    [
        ({"loss": LOSS}, "must be a list of Metric"),
        ([wrong], "must be a list of Metric"),
        ([LOSS, LOSS], "'loss': there is another metric neg_loss"),
        ([Metric("accuracy", right)], "'accuracy': there is another metric accuracy"),
        ([Metric("log_loss", wrong, higher_is_better=False)], "another metric neg_log_loss"),
        ([Metric("My loss", wrong)], "'My loss': a name is made of small letters"),
        ([Metric("loss", wrong, low=1.0, high=0.0)], "low 1.0 is not below high 0.0"),
        ([Metric("loss", wrong, tasks=("ranking",))], "must be of binary, multiclass"),  # type: ignore[arg-type]
        ([Metric("loss", lambda *_: 1.5)], "'loss' is 1.5, outside its range [0, 1]"),
        ([Metric("loss", lambda *_: float("inf"))], "outside its range [0, 1]"),
        ([Metric("loss", lambda truth, _: truth)], "its function must return one number"),  # type: ignore[arg-type,return-value]
        ([Metric("loss", lambda *_: True)], "its function must return one number"),
    ],
)
def test_a_faulty_metric_is_named_with_its_file_and_the_remedy(
    metrics: Any, says: str, extend: Extend
) -> None:
    extend(metrics=metrics)
    with pytest.raises(InputError) as caught:
        figures.points(measures.known(BINARY), TRUTH, SCORE)
    assert str(caught.value).startswith(f"src/{PACKAGE}/own.py: metrics")
    assert says in str(caught.value)


def test_rounding_at_the_end_of_a_range_is_no_fault_and_nan_is_no_value(extend: Extend) -> None:
    extend(metrics=[Metric("full", lambda *_: 1 + 1e-12), Metric("none", lambda *_: np.nan)])
    found = figures.points(measures.known(BINARY), TRUTH, SCORE)
    assert found["full"] == 1.0
    assert np.isnan(found["none"])
    naive = figures.baseline(BINARY, TRUTH, np.array(["no", "yes"]))
    assert (naive["full"], naive["none"]) == (1.0, None)


def test_the_gate_judges_a_floor_of_an_own_metric_and_names_it_among_the_known(
    extend: Extend, project: Path
) -> None:
    extend(metrics=[LOSS])
    evaluate.run()
    found = json.loads(Path("reports/evaluation.json").read_bytes())
    assert found["metrics"]["neg_loss"]["value"] < 0
    evidence: Any = SimpleNamespace(
        identity={},
        config=load_config(),
        evaluation=SimpleNamespace(
            headline="roc_auc",
            baseline=found["baseline"],
            metrics={n: SimpleNamespace(**m) for n, m in found["metrics"].items()},
        ),
        headline=SimpleNamespace(**found["metrics"]["roc_auc"]),
    )
    rule = gates.Performance(gain=0.0, floors={"neg_loss": -1.0, "neg_los": -1.0})
    _, passed, unknown = checks.performance(evidence, rule)
    assert (passed["gate"], passed["verdict"]) == ("performance.floors.neg_loss", "passed")
    assert unknown["verdict"] == "refused"
    assert "neg_loss" in unknown["reason"]


def test_a_champion_judged_without_the_headline_is_replaced_by_promotion_only(
    extend: Extend, project: Path
) -> None:
    assert gate.run()
    register.run()
    test = read_parquet(places.PREPARED / "test.parquet")
    ours = artifact.load(places.CANDIDATE).predict(test)
    lineage: dict[str, Any] = {"hold_out": "of other rows", "data": {}}

    def compared(chosen: Metrics) -> dict[str, Any]:
        settings = load_config().model_copy(update={"metrics": chosen})
        return rival.compare(settings, ours, None, "0" * 64, lineage, test)

    extend(metrics=[LOSS])
    found = compared(Metrics(headline="neg_loss"))
    assert found["state"] == "turned"
    assert found["reason"].startswith("the champion was judged without neg_loss")
    assert compared(Metrics())["state"] == "apart"


# Split


def half(columns: Columns, _: Config) -> np.ndarray:
    assert "__row__" not in columns
    return np.arange(len(next(iter(columns.values())))) % 2 == 0


def test_an_own_split_decides_which_rows_are_held_out(
    extend: Extend, trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("model_config.yaml", "data/small.parquet"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes((trained.folder / name).read_bytes())
    monkeypatch.chdir(tmp_path)
    extend(split=half)
    prepare.run()
    data = json.loads(Path("data/prepared/data.json").read_bytes())
    assert (data["train"], data["test"]) == (2000, 2000)
    assert (data["split"], data["cuts"]) == (None, None)
    validate.run()
    model: Any = SimpleNamespace(identity={"data": data})
    assert rival._fair(load_config(), model, data, {}, np.arange(3), same=False) is None


@pytest.mark.parametrize(
    ("mask", "says"),
    [
        (np.ones(39, dtype=bool), "returned bool of shape (39,) for 40 rows: return one boolean"),
        (np.arange(40), "returned int64 of shape (40,) for 40 rows"),
        (None, "returned object of shape () for 40 rows"),
        (np.zeros(40, dtype=bool), "leaves no rows to test"),
        (np.ones(40, dtype=bool), "leaves no rows to learn"),
    ],
)
def test_a_split_that_is_none_of_these_rows_is_refused(
    mask: Any, says: str, extend: Extend
) -> None:
    extend(split=lambda *_: mask)
    with pytest.raises(InputError) as caught:
        own.hold_out(BINARY, COLUMNS)
    assert f"src/{PACKAGE}/own.py: {says}" in str(caught.value)


# Checks


def test_an_own_check_refuses_with_column_rows_and_remedy(extend: Extend, project: Path) -> None:
    fault = Fault("retired", "age", np.array([]), "correct the age")
    extend(checks=lambda columns, _: [replace(fault, wrong=columns["age"] > 60)])
    with pytest.raises(InputError, match=r"column 'age' fails 'retired' in [\d,]+ rows \(first: "):
        validate.run()
    extend(checks=lambda columns, _: [replace(fault, wrong=columns["age"] > 600)])
    validate.run()


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (None, "must return a list of Fault"),
        (["age"], "must return a list of Fault"),
        ([Fault("odd", "", np.ones(3, dtype=bool), "")], "'odd': wrong holds bool of shape (3,)"),
        ([Fault("odd", "", np.arange(40), "")], "'odd': wrong holds int64 of shape (40,) for 40"),
        ([Fault("odd", "aeg", np.ones(40, dtype=bool), "")], "no column 'aeg': name one of useful"),
    ],
)
def test_a_faulty_check_is_named_with_its_file(found: Any, says: str, extend: Extend) -> None:
    extend(checks=lambda *_: found)
    with pytest.raises(InputError) as caught:
        list(own.findings(COLUMNS, BINARY))
    assert str(caught.value).startswith(f"src/{PACKAGE}/own.py: ")
    assert says in str(caught.value)


# Stages


def test_own_stages_run_before_every_gate_in_their_order(extend: Extend) -> None:
    extend(stages={"costs": print, "letters": print})
    assert command._expand(["gate"]) == ["costs", "letters", "gate"]
    assert command._expand(["reproduce", "gate", "report"])[1:4] == ["costs", "letters", "gate"]
    whole = command._expand(["run"])
    assert whole[whole.index("evaluate") :][1:4] == ["costs", "letters", "gate"]
    assert command._expand(["letters", "gate"]) == ["letters", "costs", "gate"]


def test_a_stage_of_ones_own_gets_what_was_typed(extend: Extend) -> None:
    """A key may have another kind with the kit's words."""
    given: list[dict[str, str]] = []
    extend(stages={"costs": lambda settings: given.append(settings)})
    assert command.run(["costs", "PORT=none", "WAIT=5"]) == 0
    assert given == [{"PORT": "none", "WAIT": "5"}]


def test_an_own_stage_takes_keys_and_its_fault_stops_the_run_before_the_gate(
    extend: Extend, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def costs(settings: dict[str, str]) -> None:
        print(f"costs of {settings['AMOUNT']}")
        raise InputError("costs: too much: lend less")

    extend(stages={"costs": costs})
    assert command.run(["gate", "AMOUNT=5"]) == 1
    said = capsys.readouterr()
    assert "costs of 5" in said.out
    assert "gate" not in said.out
    assert said.err == "ERROR: costs: too much: lend less\n"
    extend(stages={"costs": lambda: False})
    assert command.run(["costs"]) == 1


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("gate", "'gate' is a word of the kit: take another"),
        ("run", "'run' is a word of the kit: take another"),
        ("My stage", "'My stage': a word is made of small letters"),
    ],
)
def test_a_stage_that_cannot_be_a_word_is_misuse(
    word: str, says: str, extend: Extend, capsys: pytest.CaptureFixture[str]
) -> None:
    extend(stages={word: print})
    assert command.run(["summary"]) == 2
    assert says in capsys.readouterr().err


def test_help_lists_own_stages(extend: Extend, capsys: pytest.CaptureFixture[str]) -> None:
    extend(stages={"costs": print})
    assert command.run(["--help"]) == 0
    assert "costs      yours: own:s0" in capsys.readouterr().out


# What the kit offers


@pytest.mark.parametrize("name", ml_template.__all__)
def test_what_is_offered_is_there_and_says_what_it_is(name: str) -> None:
    found = getattr(ml_template, name)
    if inspect.isclass(found) or inspect.isfunction(found):
        said = inspect.getdoc(found) or ""
        assert len(said) > 20
        assert not said.startswith(f"{name}(")  # what dataclass writes by itself


def test_what_is_not_offered_is_named_with_what_is() -> None:
    with pytest.raises(AttributeError, match="has no 'Colunm': it offers main, Project"):
        ml_template.Colunm  # noqa: B018
