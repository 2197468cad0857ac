"""The probability from which on the positive class is answered: chosen, kept, applied, judged."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import yaml
from ml_template.model import artifact, bootstrap, forms, lineage, measures, metrics, profile
from ml_template.operations import quality
from ml_template.pipeline.data import folds
from ml_template.pipeline.evaluation import evaluate, fairness, figures, plots, rates
from ml_template.pipeline.evaluation.slices import Groups
from ml_template.pipeline.judgement import again, definition
from ml_template.pipeline.judgement.threshold import answered
from ml_template.pipeline.training import operating, search, train
from ml_template.pipeline.training.operating import pick
from ml_template.serving.answers import Answers
from ml_template.serving.metrics import Metrics
from ml_template.settings.config import Config, InputError, load_config
from ml_template.settings.hold_out import Split
from ml_template.settings.learning import Threshold
from ml_template.storage import places
from ml_template.storage.files import digest_json
from ml_template.testing.models import using
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier

from ..conftest import Trained
from .test_evaluate import chances, config


def rule(given: Any) -> Threshold:
    return Threshold.model_validate(given)


# Ten rows by falling score; the positive ones are at 0.9, 0.7, 0.6 and 0.2.
SCORE = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.25, 0.2, 0.1])
TRUTH = np.isin(SCORE, (0.9, 0.7, 0.6, 0.2)).astype(int)


@pytest.mark.parametrize(
    ("given", "flagged"),
    [
        ({"recall": 0.75}, 4),  # three of four are among the first four
        ({"recall": 0.76}, 9),
        ({"recall": 1.0}, 9),
        ({"precision": 0.75}, 4),  # the first alone is better, and finds less
        ({"precision": 1.0}, 1),
        ({"share": 0.2}, 2),
        ({"share": 0.5}, 5),
        ("f1", 4),
        ("balanced_accuracy", 4),
        ({"costs": {"false_positive": 1, "false_negative": 1}}, 4),
        ({"costs": {"false_positive": 1, "false_negative": 10}}, 9),
        ({"costs": {"false_positive": 10, "false_negative": 1}}, 1),
        (0.35, 6),
        ({"at": 0.35, "costs": {"false_positive": 10, "false_negative": 1}}, 6),
    ],
)
def test_each_form_flags_the_rows_it_asks_for_whatever_their_order(
    given: Any, flagged: int
) -> None:
    order = np.random.default_rng(0).permutation(10)
    value = pick(rule(given), TRUTH[order], SCORE[order])
    assert (value <= SCORE).sum() == flagged


def test_rows_of_one_score_go_together_and_an_unreachable_precision_is_the_best_there_is() -> None:
    score = np.array([0.5, 0.5, 0.5, 0.1])
    truth = np.array([1, 0, 0, 1])
    assert (score >= pick(rule({"share": 0.25}), truth, score)).sum() in (0, 3)
    assert (score >= pick(rule({"precision": 0.9}), truth, score)).sum() == 4  # a half is right
    dear = rule({"costs": {"false_positive": 100, "false_negative": 1}})
    for top in (0.5, 1.0):  # to flag nothing is the cheapest
        assert pick(dear, np.array([0, 1]), np.array([top, 0.2])) > top


def test_of_thresholds_with_nearly_the_same_f1_the_one_that_finds_most_is_taken() -> None:
    truth = np.array([1, 1, 1, 0, 1, 0, 0, 1, 0, 0, 0, 0])  # F1 6/8 of three, 8/10 of five
    score = np.linspace(0.9, 0.1, 12)
    assert (score >= pick(rule("f1"), truth, score)).sum() == 8  # 10/13, all there are
    truth[7] = 0  # F1 6/7 of three, 8/9 of five
    assert (score >= pick(rule("f1"), truth, score)).sum() == 5


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"recall": 0.9, "share": 0.1}, "recall and share: name one of them"),
        ({}, "model.threshold: is empty"),
        ({"recall": 1.5}, "model.threshold.recall: Input should be less than or equal to 1"),
        (1.5, "model.threshold.at: Input should be less than 1"),
        ("accuracy", "model.threshold: 'accuracy': write a number, f1 or balanced_accuracy, or a"),
        ("0,3", "model.threshold: '0,3': write a number"),
        ({"cost": 3}, "model.threshold.cost: unknown key"),
        ({"costs": {"false_positive": 1}}, "model.threshold.costs.false_negative: this key is mis"),
        ({"costs": {"false_positive": 0, "false_negative": 1}}, "should be greater than 0"),
    ],
)
def test_a_faulty_threshold_is_refused_by_its_key(given: Any, says: str) -> None:
    content = config("binary", ["no", "yes"]).model_dump(mode="json")
    with pytest.raises(InputError, match=says):
        Config.checked(Path("model_config.yaml"), content | {"model": {"threshold": given}})


@pytest.mark.parametrize(
    ("task", "model", "says"),
    [
        ("multiclass", {"threshold": "f1"}, "belongs to a binary task: weigh the classes"),
        ("regression", {"threshold": 0.5}, "model.threshold belongs to a binary task"),
        ("regression", {"class_weight": "balanced"}, "belongs to classification"),
        ("binary", {"class_weight": {"maybe": 2}}, "'maybe' is not in data.classes"),
        ("binary", {"class_weight": "heavy"}, "write balanced, or a weight for each class"),
        ("binary", {"class_weight": {"b": 0}}, "class_weight.weights.b\n  Input should be greater"),
        ("binary", {"class_weight": {1: 5}}, "class_weight.weights.1"),
    ],
)
def test_a_key_that_is_not_of_the_task_is_refused(
    task: str, model: dict[str, Any], says: str
) -> None:
    labels = {"binary": ["a", "b"], "multiclass": ["a", "b", "c"], "regression": []}[task]
    with pytest.raises(ValueError, match=says):
        config(task, labels, model=model)


def test_a_configuration_without_them_is_what_it_was() -> None:
    for model in ({}, {"threshold": None, "class_weight": None}):
        plain = config("binary", ["a", "b"], model=model).model.model_dump()
        assert not {"threshold", "class_weight"} & plain.keys()


# Where it is chosen


@pytest.fixture(scope="module")
def point(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trained]:
    """The starter model with a wanted recall and costs, evaluated; it is the working folder."""
    folder = tmp_path_factory.mktemp("point") / "project"
    shutil.copytree(trained.folder, folder)
    with contextlib.chdir(folder):
        path = Path("model_config.yaml")
        settings = yaml.safe_load(path.read_text())
        costs = {"false_positive": 1, "false_negative": 10}
        settings["model"]["params"]["max_iter"] = 25
        settings["model"]["threshold"] = {"recall": 0.9, "costs": costs}
        path.write_text(yaml.safe_dump(settings))
        train.run()
        evaluate.run()
        model = artifact.load(places.CANDIDATE)
        yield Trained(folder, load_config(), model, trained.train, trained.test)


def measured() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(places.EVALUATION.read_text())
    return found


def test_a_wanted_recall_is_met_on_rows_nobody_chose_it_by(point: Trained) -> None:
    recall = measured()["metrics"]["recall"]
    assert recall["low"] < 0.9 < recall["high"]
    assert point.model.threshold is not None
    assert point.model.threshold < 0.3
    outputs = point.predict(point.test)
    flagged = outputs[:, 1] >= point.model.threshold
    assert flagged[point.truth(point.test) == 1].mean() == pytest.approx(recall["value"])


def test_what_was_learnt_by_heart_says_nothing_of_it(trained: Trained) -> None:
    """A forest that knows every row it has learned; of others it knows nothing."""
    random = np.random.default_rng(1)
    columns = {name: values[:600] for name, values in trained.train.items()}
    columns[trained.config.data.target] = random.choice(np.array(["no", "yes"], object), 600)
    spec = trained.config.model.model_copy(update={"threshold": rule({"precision": 0.8})})
    with using(build=lambda config, **_: RandomForestClassifier(30, random_state=0)):
        found = operating.choose(trained.config.model_copy(update={"model": spec}), columns, {})
    assert found is not None
    assert found["precision"] < 0.8 or found["recall"] < 0.05


def test_groups_are_chosen_on_whole_and_each_class_is_in_every_part() -> None:
    group = np.repeat(np.arange(40), 5)
    columns = {
        "who": np.array([f"p{at}" for at in group], object),
        "useful": np.arange(200.0),
        "useless": np.zeros(200),
        "y": np.array(["yes" if at % 25 == 0 else "no" for at in range(200)], object),
    }
    content = config("binary", ["no", "yes"]).model_dump(mode="json")
    content["columns"]["who"] = {"type": "categorical", "feature": False}
    rows = Config.model_validate(content)
    by_group = Config.model_validate(content | {"split": {"test": 0.2, "group": "who"}})
    parts = folds.fold_of(by_group, columns, folds.cut(by_group, columns, 5))
    assert all(len(set(parts[group == at])) == 1 for at in range(40))
    assert set(parts) == set(range(5))
    parts = folds.fold_of(rows, columns, folds.cut(rows, columns, 5))
    assert sorted(np.bincount(parts[columns["y"] == "yes"])) == [1, 1, 2, 2, 2]


def test_it_is_chosen_on_other_folds_than_those_that_judge_a_small_table(trained: Trained) -> None:
    by_folds = trained.config.model_copy(update={"split": Split(folds=5)})
    judged = folds.folded(by_folds, trained.train)[0]
    chosen = [rest for _, rest in operating._folds(by_folds, trained.train)]
    assert np.sum(chosen, axis=0).tolist() == [1] * len(judged)
    assert max((judged[rest] == at).mean() for rest in chosen for at in range(5)) < 0.5


def test_by_time_it_is_chosen_on_the_newest_rows_by_what_was_learned_before(
    trained: Trained,
) -> None:
    late = trained.config.split.model_copy(update={"time": "applied_at"})
    (fold,) = operating._folds(trained.config.model_copy(update={"split": late}), trained.train)
    learn, rest = fold
    moments = trained.train["applied_at"]
    assert moments[learn].max() < moments[rest].min()


def test_many_rows_need_few_folds(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = trained.config.model.model_copy(update={"threshold": rule("f1")})
    asked = trained.config.model_copy(update={"model": spec})
    with using(build=lambda config, **_: DummyClassifier(strategy="prior")):
        found = operating.choose(asked, trained.train, {})
        assert found is not None
        assert found["rows"] == len(trained.train["age"])
        monkeypatch.setattr(operating, "ENOUGH", 100)
        found = operating.choose(asked, trained.train, {})
    assert found is not None
    assert found["rows"] == pytest.approx(len(trained.train["age"]) / 5, abs=3)


def test_of_many_rows_a_fold_learns_some_unless_they_hold_few_of_a_class(
    trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    learned: list[int] = []

    class Counting(DummyClassifier):  # type: ignore[misc]
        def fit(self, matrix: Any, truth: Any, **beside: Any) -> Any:
            learned.append(len(truth))
            return super().fit(matrix, truth, **beside)

    spec = trained.config.model.model_copy(update={"threshold": rule("f1")})
    asked = trained.config.model_copy(update={"model": spec})
    monkeypatch.setattr(operating, "MOST", 500)
    with using(build=lambda config, **_: Counting(strategy="prior")):
        monkeypatch.setattr(operating, "ENOUGH", 10)
        operating.choose(asked, trained.train, {})
        monkeypatch.setattr(operating, "ENOUGH", 499)
        operating.choose(asked, trained.train, {})
    assert learned[0] == 500
    assert min(learned[1:]) > 500


def test_a_table_with_one_row_of_a_class_is_refused_and_with_three_tells_no_rates(
    trained: Trained,
) -> None:
    spec = trained.config.model.model_copy(update={"threshold": rule("f1")})
    asked = trained.config.model_copy(update={"model": spec})
    columns = {name: values[:100].copy() for name, values in trained.train.items()}
    columns[asked.data.target][:] = "no"
    columns[asked.data.target][0] = "yes"
    with using(build=lambda config, **_: DummyClassifier(strategy="prior")):
        with pytest.raises(InputError, match=r"model.threshold: the training rows have too few"):
            operating.choose(asked, columns, {})
        columns[asked.data.target][:3] = "yes"
        data = asked.data.model_copy(update={"weight": "w"})
        weighed = {"w": (columns[asked.data.target] == "no") * 1.0}
        with pytest.raises(InputError, match=r"model.threshold: the training rows have too few"):
            operating.choose(asked.model_copy(update={"data": data}), columns | weighed, {})
        found = operating.choose(asked, columns, {})
    assert found is not None
    assert found.keys() == {"value", "by", "rows", "rarer"}
    assert found["rarer"] == "fewer than 10"


def test_a_model_without_one_has_no_word_of_it(trained: Trained) -> None:
    assert "threshold" not in trained.model.identity
    assert trained.model.threshold is None


# Where it is applied


def test_the_service_answers_by_it_and_without_one_by_the_most_probable() -> None:
    outputs = chances(np.array([0.1, 0.3, 0.5, 0.7]))
    for threshold, wanted in ((0.3, "n y y y"), (0.6, "n n n y"), (None, "n n n y")):
        model: Any = SimpleNamespace(
            labels=("n", "y"), digest="0" * 64, outputs=["p_n", "p_y"], threshold=threshold
        )
        answers = Answers(model)
        said = [row["label"] for row in json.loads(answers.body(outputs))["predictions"]]
        assert " ".join(said) == wanted
        assert [answers.record(row)["label"] for row in outputs] == said
        counted = Metrics(model, [])
        counted.count(outputs, 0.001)
        assert f'predict_answers_total{{label="y"}} {said.count("y")}.0' in counted.text().decode()
        drift = profile.answer_columns(outputs, model.labels, threshold)["label"]
        assert drift.tolist() == said


def test_metrics_confusion_fairness_and_cost_are_those_of_what_is_answered(
    point: Trained,
) -> None:
    found, truth = measured(), point.truth(point.test)
    flagged = point.predict(point.test)[:, 1] >= (point.model.threshold or 0)
    false, missed = (flagged & (truth == 0)).sum(), (~flagged & (truth == 1)).sum()
    assert found["confusion"][0] == [(~flagged & (truth == 0)).sum(), false]
    cost = found["metrics"]["neg_cost"]
    assert cost["value"] == pytest.approx(-(false + 10 * missed) / len(truth))
    assert cost["low"] <= cost["value"] <= cost["high"]
    # to answer yes always costs 1 for each no; the usual answer, no, ten for each yes
    assert found["baseline"]["neg_cost"] == pytest.approx(-(truth == 0).mean())
    groups = found["fairness"][0]["groups"]
    shown = np.average([g["selection_rate"] for g in groups], weights=[g["rows"] for g in groups])
    assert shown == pytest.approx(flagged.mean())
    assert measures.ranges(point.config)["neg_cost"] == (-10.0, 0.0)
    reference = point.model.profile["answers"]["label"]["labels"]
    assert reference["yes"] == flagged.sum()


def test_the_gate_measures_it_again_and_notices_another(point: Trained) -> None:
    content = measured()
    given = point.config, point.predict(point.test), point.model.threshold, point.test
    assert not isinstance(again.measure(*given, content), list)
    forged = json.loads(json.dumps(content))
    forged["metrics"]["recall"] |= {"high": 1.0}
    (fault,) = again.measure(*given, forged)
    assert "metrics.recall.high is 1.0, measured again" in fault


def test_two_models_are_compared_each_by_its_own(point: Trained) -> None:
    truth, answers = np.array([0, 1] * 200), chances(np.tile([0.1, 0.3], 200))
    named = [measures.known(point.config, at)["accuracy"] for at in (0.2, None)]
    gain = bootstrap.paired_interval(named[0], truth, answers, answers, 0, champions=named[1])
    assert gain.value == pytest.approx(0.5)
    assert bootstrap.paired_interval(named[0], truth, answers, answers, 0).value == 0


def test_a_label_that_flips_at_the_threshold_is_no_rounding() -> None:
    spec = {"limit": 2e-6, "spread": 1.0}
    left, right = chances([0.0999999, 0.6]), chances([0.1000001, 0.6000001])
    assert forms.gap(spec, left, right) < 2e-6
    assert forms.gap(spec | {"threshold": 0.1}, left, right) == np.inf
    assert forms.gap(spec | {"threshold": 0.2}, left, right) < 2e-6


def test_labels_that_came_are_judged_by_what_was_answered() -> None:
    outputs, truth = chances([0.1, 0.2, 0.3, 0.6]), np.array(["n", "y", "y", "y"], object)
    fixed = np.array(["t"] * 4), truth, outputs
    by = {"n y y y": 0.2, "n n n y": 0.6, "n n n n": np.inf}
    for said, at in by.items():
        found = quality.Answered(*fixed, np.array(said.split(), object)).threshold("y")
        assert found == at
        assert (metrics.chosen(outputs, found) == [each == "y" for each in said.split()]).all()
    older = np.array([""] * 4, object)  # a file that does not say
    assert quality.Answered(*fixed, older).threshold("y") is None


def test_a_search_by_such_a_metric_is_judged_at_a_threshold_of_its_own(trained: Trained) -> None:
    """At 0.5 every trial would have the same F1 of rare rows: none."""
    rare = {name: values.copy() for name, values in trained.train.items()}
    yes = np.flatnonzero(rare[trained.config.data.target] == "yes")
    rare[trained.config.data.target][yes[60:]] = "no"
    spec = trained.config.model.model_copy(update={"threshold": rule("f1")})
    asked = trained.config.model_copy(update={"model": spec})
    parts = search.folds(asked, rare)[:1]
    assert search._score(trained.config, rare, parts, "f1", {}) == 0
    assert search._score(asked, rare, parts, "f1", {}) > 0.02


# What is said


def test_the_table_has_the_one_in_use_where_no_tenth_tells_anything_and_its_costs() -> None:
    score = np.linspace(0, 0.08, 1000)
    positive = np.arange(1000) >= 980
    assert rates.thresholds(positive, score, 10) == []
    lines = rates.thresholds(positive, score, 10, used=0.0721, costs=(1.0, 5.0))
    (used,) = [line for line in lines if line["used"]]
    flagged = (score >= 0.0721).sum()
    assert used["threshold"] == 0.0721
    assert used["recall"] == 1.0
    assert used["total"] == flagged - 20
    assert used["cost"] == pytest.approx((flagged - 20) / 1000)
    assert [line["threshold"] for line in lines] == sorted(line["threshold"] for line in lines)
    counts = np.diff([0, *sorted(line["flagged"] * 1000 for line in lines), 1000])
    assert counts.min() >= 10  # no line tells of fewer rows
    few = rates.thresholds(positive, score, 10, used=0.0799)  # flags two rows
    assert not any(line["used"] for line in few)


def test_curves_have_a_dot_where_they_are_used_unless_few_rows_are_answered_so(
    in_folder: Path,
) -> None:
    random = np.random.default_rng(2)
    truth = (random.random(2000) < 0.05).astype(int)
    outputs = chances(random.random(2000) * (0.05 + 0.2 * truth))
    for threshold, dots in ((0.04, 1), (0.2497, 0), (None, 0)):
        found = plots.classification(
            in_folder, truth, outputs, ["no", "yes"], [], 10, threshold, None
        )
        for plot in found:
            named = [mark for mark in plot["marks"] if mark.get("name") == "used"]
            assert len(named) == (dots if plot["title"] in ("Gain", "Precision and recall") else 0)
            for mark in named:
                assert mark["kind"] == "dots"


@pytest.mark.parametrize("kept", [{"value": "half"}, {}, 0.5])
def test_a_threshold_that_is_none_is_refused_when_the_model_is_loaded(
    trained: Trained, tmp_path: Path, kept: Any
) -> None:
    folder = shutil.copytree(trained.folder / places.CANDIDATE, tmp_path / "model")
    content = json.loads((folder / "model.json").read_text())
    content["identity"]["threshold"] = kept
    content["digest"] = digest_json(content["identity"])
    (folder / "model.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match="is no model of this code"):
        artifact.load(folder)


def judged(
    identity: dict[str, Any], model: dict[str, Any], folds: int | None = None, **values: Any
) -> dict[str, Any]:
    """The only line, or an empty one, on metrics of these values, a tenth wide."""
    whole = {"recall": 0.5, "precision": 0.5, "accuracy": 0.9, "balanced_accuracy": 0.7} | values
    parts = {
        name: SimpleNamespace(value=value, low=value - 0.05, high=value + 0.05)
        for name, value in whole.items()
    }
    evidence: Any = SimpleNamespace(
        config=config(
            "binary", ["no", "yes"], model=model, split={"folds": folds} if folds else {}
        ),
        identity=identity,
        evaluation=SimpleNamespace(metrics=parts, baseline={"accuracy": 0.9, "neg_cost": -0.5}),
    )
    lines = answered(evidence)
    return dict(lines[0]) if lines else {"verdict": "", "reason": ""}


KEPT = {"threshold": {"value": 0.1, "by": "recall 0.9", "rows": 900, "rarer": 90}}


@pytest.mark.parametrize(
    ("recall", "verdict", "says"),
    [
        (0.95, "passed", "'yes' from 0.1 on"),
        (0.86, "passed", "not shown to be less"),
        (0.80, "refused", "0.8 is below 0.9"),
    ],
)
def test_a_wanted_recall_that_is_not_kept_is_refused(
    recall: float, verdict: str, says: str
) -> None:
    found = judged(KEPT, {"threshold": {"recall": 0.9}}, recall=recall)
    assert (found["verdict"], says in found["reason"]) == (verdict, True)


def test_a_precision_that_no_threshold_reaches_is_refused_however_small_the_hold_out() -> None:
    kept = {"threshold": KEPT["threshold"] | {"by": "precision 0.9", "precision": 0.4}}
    asked = {"threshold": {"precision": 0.9}}
    found = judged(kept, asked, precision=0.9)
    assert found["verdict"] == "refused"
    assert "precision 0.9 is nowhere reached on the training folds" in found["reason"]
    kept["threshold"]["precision"] = 0.9
    assert judged(kept, asked, precision=0.86)["verdict"] == "passed"


@pytest.mark.parametrize(
    ("cost", "verdict"), [(-0.3, "passed"), (-0.54, "passed"), (-0.6, "refused")]
)
def test_mistakes_that_cost_more_than_no_model_would_are_refused(cost: float, verdict: str) -> None:
    kept = {"threshold": KEPT["threshold"] | {"by": "costs 1 : 10"}}
    costs = {"costs": {"false_positive": 1, "false_negative": 10}}
    found = judged(kept, {"threshold": costs}, neg_cost=cost)
    assert found["verdict"] == verdict
    assert "always the same answer costs" in found["reason"]


@pytest.mark.parametrize("folds", [None, 5])
def test_the_gate_says_where_a_threshold_was_chosen_on_the_rows_that_judge_it(
    folds: int | None,
) -> None:
    said = "chosen on the rows that judge it"
    assert (said in judged(KEPT, {"threshold": "f1"}, folds)["reason"]) == bool(folds)
    fixed = {"threshold": {"value": 0.3, "by": "at 0.3"}}  # nothing chose it
    assert said not in judged(fixed, {"threshold": 0.3}, folds)["reason"]


@pytest.mark.parametrize(
    ("priced", "weight", "says"),
    [
        ((1, 10), None, None),
        ((10, 100), None, "by other costs of a mistake (model.threshold)"),
        ((1, 10), "w", "with rows that counted otherwise (data.weight)"),
    ],
)
def test_a_kept_cost_of_other_prices_or_weights_is_no_measure(
    tmp_path: Path, priced: tuple[float, float], weight: str | None, says: str | None
) -> None:
    """On other rows ten times the unit was ten times worse, and a tenth let anything pass."""
    metric = {"headline": "neg_cost"}

    def asked(*costs: float) -> Config:
        model = {"threshold": {"costs": dict(zip(PRICES, costs, strict=True))}}
        return config("binary", ["no", "yes"], model=model, metrics=metric)

    before = asked(1, 10).model_dump(mode="json", exclude=lineage.NO_PART)
    (tmp_path / lineage.CONFIG).write_text(json.dumps(before))
    champion: Any = SimpleNamespace(identity={"weight": weight} if weight else {})
    verdict: Any = {"metrics": {"neg_cost": {}}}
    assert definition.judged(asked(*priced), champion, tmp_path, verdict) == says


PRICES = ("false_positive", "false_negative")
FEW = [(30, "passed"), (29, "warning"), ("fewer than 10", "warning")]


@pytest.mark.parametrize(("rarer", "verdict"), FEW)
def test_a_threshold_chosen_on_few_rows_is_a_warning(rarer: Any, verdict: str) -> None:
    kept = {"threshold": KEPT["threshold"] | {"rarer": rarer}}
    assert judged(kept, {"threshold": "f1"})["verdict"] == verdict


def test_a_class_that_is_never_answered_behind_a_high_accuracy_is_a_warning() -> None:
    found = judged({}, {}, accuracy=0.9, balanced_accuracy=0.5, recall=0.0)
    assert found["verdict"] == "warning"
    assert "'yes' is hardly ever answered" in found["reason"]
    assert "threshold: f1 under model" in found["reason"]
    other = judged({}, {}, accuracy=0.9, balanced_accuracy=0.5, recall=1.0)
    assert "'no' is hardly ever answered" in other["reason"]
    assert judged({}, {}, balanced_accuracy=0.7)["verdict"] == ""
    assert judged({}, {}, accuracy=0.95, balanced_accuracy=0.52)["verdict"] == ""
    meant = {"threshold": {"value": 0.5, "by": "at 0.5"}}
    assert judged(meant, {"threshold": 0.5}, balanced_accuracy=0.5)["verdict"] == "passed"


def test_the_naive_model_pays_for_the_cheaper_of_its_two_answers() -> None:
    truth = np.array([0] * 95 + [1] * 5)
    labels = np.array(["no", "yes"], object)[truth]
    for costs, wanted in (((1, 10), -0.5), ((1, 100), -0.95)):
        false = {"false_positive": costs[0], "false_negative": costs[1]}
        asked = config("binary", ["no", "yes"], model={"threshold": {"costs": false}})
        assert figures.baseline(asked, truth, labels)["neg_cost"] == pytest.approx(wanted)


def test_fairness_is_of_what_is_answered() -> None:
    truth, outputs = np.array([0, 1, 0, 1]), chances([0.1, 0.3, 0.1, 0.1])
    groups = Groups(["a", "b"], np.array([0, 0, 1, 1]))
    found = fairness.compare("sex", groups, truth, outputs, threshold=0.2)
    assert found["demographic_parity_difference"] == 0.5
    assert fairness.compare("sex", groups, truth, outputs)["demographic_parity_difference"] == 0
