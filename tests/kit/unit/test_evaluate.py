import json
import shutil
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
from fairlearn import metrics
from ml_template.model.metrics import METRICS
from ml_template.pipeline.evaluation import calibration, evaluate, fairness, importance, plots
from ml_template.pipeline.evaluation import figures as judged
from ml_template.pipeline.evaluation.slices import Groups, group
from ml_template.settings.config import Config, InputError
from ml_template.storage import places
from sklearn.metrics import accuracy_score

from ..conftest import PACKAGE, Trained


def config(task: str, labels: list[str], **more: Any) -> Config:
    data: dict[str, Any] = {"path": "data/x.csv", "target": "y", "task": task}
    if labels:
        data["classes"] = labels
    if task == "binary":
        data["positive"] = labels[1]
    columns = {"useful": {"type": "numeric"}, "useless": {"type": "numeric"}}
    return Config.model_validate({"data": data, "columns": columns} | more)


RATES = {
    "accuracy": accuracy_score,
    "selection_rate": metrics.selection_rate,
    "true_positive_rate": metrics.true_positive_rate,
    "false_positive_rate": metrics.false_positive_rate,
}
BINARY = config("binary", ["no", "yes"])
REGRESSION = config("regression", [])


def chances(positive: Any) -> np.ndarray:
    return np.column_stack([1 - np.asarray(positive), positive])


def halves(rows: int) -> Groups:
    return Groups(["first", "second", "missing"], np.arange(rows) * 2 // rows)


# Slices: what a column is cut into


def test_a_number_of_many_values_is_cut_at_the_quartiles_of_the_training_rows() -> None:
    training = np.arange(1.0, 101.0)
    names, codes = group("age", "numeric", np.array([-5.0, 26, 75.9, 400, np.nan]), training)
    assert names == ["< 26", "[26, 51)", "[51, 76)", ">= 76", "missing"]
    assert codes.tolist() == [0, 1, 2, 3, 4]


def test_few_values_and_labels_are_groups_as_they_are() -> None:
    values = np.array([2.0, 0.5, 2.0])
    assert group("rooms", "numeric", values, values).names == ["0.5", "2", "missing"]
    flags = np.array([1.0, 0.0, np.nan])
    assert group("own", "boolean", flags, flags).names == ["false", "true", "missing"]
    labels = np.array(["b", None, "a"], dtype=object)
    assert group("kind", "categorical", labels, labels).codes.tolist() == [1, 2, 0]


def test_times_are_cut_at_whole_days() -> None:
    days = np.arange("2024-01-01", "2024-02-10", dtype="M8[D]").astype("M8[us]")
    names = group("when", "datetime", days, days).names
    assert names[:2] == ["< 2024-01-11", "[2024-01-11, 2024-01-21)"]


def test_too_many_groups_are_refused_by_name() -> None:
    labels = np.array([f"zip {at}" for at in range(60)], dtype=object)
    with pytest.raises(InputError, match="'zip' has 60 different values"):
        group("zip", "categorical", labels, labels)


# Metrics and slices


def test_a_slice_with_one_class_only_has_a_reason_and_no_value() -> None:
    random = np.random.default_rng(5)
    truth = np.array([0] * 20 + [0, 1] * 10)
    score = chances(random.random(40))
    _, found = judged.measure(BINARY, truth, score, {"side": halves(40)}, METRICS["binary"])
    assert [(part["group"], part["rows"]) for part in found] == [("first", 20), ("second", 20)]
    assert found[0]["value"] is None
    assert found[0]["reason"] == "too few rows of class 'yes' (fewer than 10)"
    assert found[1]["low"] <= found[1]["value"] <= found[1]["high"]


@pytest.mark.parametrize(
    ("settings", "truth", "reason"),
    [
        (BINARY, np.zeros(30, dtype=int), "roc_auc .* 30 test rows: too few rows of class 'yes'"),
        (config("multiclass", list("abc")), np.array([0, 1] * 9), "too few rows of class 'c'"),
        (REGRESSION, np.full(30, 7.0), "r2 cannot be computed .*different values of the target"),
    ],
)
def test_a_metric_that_cannot_be_computed_is_refused(
    settings: Config, truth: np.ndarray, reason: str
) -> None:
    random = np.random.default_rng(5)
    prediction = random.random(len(truth))
    if settings.data.labels:
        prediction = random.dirichlet(np.ones(len(settings.data.labels)), len(truth))
    with pytest.raises(InputError, match=reason):
        judged.measure(settings, truth, prediction, {}, METRICS[settings.data.task])


@pytest.mark.parametrize(("split", "raises"), [({"test": 0.2}, True), ({"folds": 5}, False)])
def test_where_folds_hold_every_row_out_nobody_is_told_to_hold_out_more(
    split: dict[str, Any], raises: bool
) -> None:
    settings, truth = config("regression", [], split=split), np.full(30, 7.0)
    with pytest.raises(InputError, match="collect more data") as refused:
        judged.measure(settings, truth, truth + 1, {}, METRICS["regression"])
    assert ("split.test" in str(refused.value)) == raises


def test_a_prediction_that_is_not_finite_is_refused() -> None:
    with pytest.raises(InputError, match="1 of 2 test rows"):
        evaluate.check_prediction(chances([0.5, np.nan]), np.array([0, 1]))


def test_the_naive_model_answers_what_was_usual_in_training() -> None:
    training = np.array(["no", "no", "no", "yes"], dtype=object)
    found = judged.baseline(BINARY, np.array([0, 1, 1, 1]), training)
    assert found["roc_auc"] == 0.5
    assert found["accuracy"] == 0.25  # it says "no"
    assert found["neg_brier_score"] == pytest.approx(-(0.25**2 + 3 * 0.75**2) / 4)


def test_calibration_error_is_zero_when_chances_come_true() -> None:
    truth = np.array([1, 0, 0, 0, 1, 1, 1, 0])
    right = calibration.calibrate(truth, chances([0.25] * 4 + [0.75] * 4), 7)
    assert right["error"] == 0
    assert [part["rows"] for part in right["bins"]] == [4, 4]
    wrong = calibration.calibrate(truth, chances([0.75] * 4 + [0.25] * 4), 7)
    assert wrong["error"] == pytest.approx(0.5)


def test_evaluation_waits_for_no_library_that_only_training_needs(
    trained: Trained, tmp_path: Path
) -> None:
    """Each stage is a process: scikit-learn alone takes a second to import."""
    code = (
        f"import sys; from ml_template.project import Project, hand_over; "
        f"hand_over(Project({PACKAGE!r})); "
        "from ml_template.pipeline.evaluation import evaluate; evaluate.run(); "
        "print({'sklearn', 'fairlearn', 'mlflow', 'scipy.stats'} & set(sys.modules))"
    )
    folder = shutil.copytree(trained.folder, tmp_path / "copy")
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"


# Fairness


def test_counting_agrees_with_fairlearn() -> None:
    random = np.random.default_rng(5)
    truth, guess = random.integers(2, size=500), random.integers(2, size=500)
    codes = random.integers(4, size=500)
    truth[codes == 3] = 1  # a group without negatives has no false positive rate
    ours = fairness.counted(truth, guess, codes, 2)
    by = {"y_true": truth, "y_pred": guess, "sensitive_features": codes}
    theirs = metrics.MetricFrame(metrics=RATES, **by).by_group
    assert ours.keys() == RATES.keys()
    for name in ours:
        known = np.isfinite(ours[name].ravel())
        assert known.tolist() == [True, True, True, name != "false_positive_rate"]
        assert ours[name].ravel()[known].tolist() == theirs[name][known].tolist()


def test_the_differences_are_those_of_the_groups() -> None:
    truth = np.array([0, 0, 1, 1, 0, 0, 1, 1])
    found = fairness.compare("side", halves(8), truth, chances([0, 1, 1, 1, 0, 0, 0, 1]))
    assert [part["selection_rate"] for part in found["groups"]] == [0.75, 0.25]
    assert found["demographic_parity_difference"] == 0.5
    assert found["equalized_odds_difference"] == 0.5
    assert found["accuracy_gap"] == 0
    assert "reason" not in found


def test_one_group_alone_is_compared_with_nothing() -> None:
    alone = Groups(["all", "missing"], np.zeros(4, dtype=int))
    found = fairness.compare("side", alone, np.array([0, 1, 0, 1]), chances([0, 1, 1, 1]))
    assert found["demographic_parity_difference"] is None
    assert "one group only ('all')" in found["reason"]


def test_with_several_classes_the_largest_difference_counts() -> None:
    truth = np.tile(np.repeat([0, 1, 2], 30), 2)
    guess = truth.copy()
    guess[:30] = 1  # in the first half every row of class 0 is missed
    found = fairness.compare("side", halves(180), truth, np.eye(3)[guess])
    assert found["equalized_odds_difference"] == 1.0
    rare = np.flatnonzero((truth > 0) | (np.arange(180) % 90 > 10))
    few = Groups(["first", "second", "missing"], halves(180).codes[rare])
    found = fairness.compare("side", few, truth[rare], np.eye(3)[guess[rare]])
    assert found["equalized_odds_difference"] < 0.5  # 19 rows of class 0 are too few for a rate


def test_the_error_gap_is_relative_to_the_overall_error() -> None:
    truth = np.zeros(4)
    found = fairness.compare("side", halves(4), truth, np.array([1.0, 1, 3, 3]))
    assert [part["mean_absolute_error"] for part in found["groups"]] == [1, 3]
    assert found["error_gap"] == 1.0


# Importance and plots


def test_only_the_column_the_model_uses_is_important() -> None:
    random = np.random.default_rng(5)
    columns = {name: random.normal(size=3000) for name in ("useless", "useful")}
    model = Mock(predict=lambda rows: chances((rows["useful"] > 0).astype(float)))
    model.encoder.parts = {}
    truth = (columns["useful"] > 0).astype(int)
    found = importance.measure(BINARY, [(model, np.arange(3000))], columns, truth)
    assert [(part["feature"], round(part["value"], 1)) for part in found] == [
        ("useful", 0.5),
        ("useless", 0.0),
    ]


def test_hostile_labels_make_plots_that_parse(tmp_path: Path) -> None:
    random = np.random.default_rng(5)
    from xml.etree import ElementTree

    labels = ["_under", "<script>--></script>", r"$\frac{x$", "日本\x00\n" + "x" * 99]
    truth, prediction = random.integers(4, size=90), random.dirichlet(np.ones(4), 90)
    bins = calibration.calibrate(truth, prediction, 7)["bins"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = plots.classification(tmp_path, truth, prediction, labels, bins)
    for plot in made:
        text = (tmp_path / plot["file"]).read_text(encoding="utf-8")
        ElementTree.fromstring(text)
        assert "<script" not in text
    shown = (tmp_path / "roc.svg").read_text(encoding="utf-8")
    assert all(word in shown for word in ("_under", "&lt;script&gt;", r"$\frac{x$", "日本"))


# The stage


def outputs() -> dict[str, bytes]:
    files = [places.EVALUATION, places.METRICS_FILE, *sorted(Path("reports/plots").iterdir())]
    return {file.name: file.read_bytes() for file in files}


def test_the_stage_measures_what_is_served_and_repeats_itself(
    trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(trained.folder)
    evaluate.run()
    first = outputs()
    record = json.loads(first["evaluation.json"])
    assert record["model"] == trained.model.digest
    assert record["metrics"] == json.loads(first["metrics.json"])
    if trained.config.data.task != "regression":
        truth = trained.test[trained.config.data.target]
        guess = np.array(trained.model.labels)[trained.model.predict(trained.test).argmax(axis=1)]
        expected = accuracy_score(truth.astype(str), guess)
        assert record["metrics"]["accuracy"]["value"] == pytest.approx(expected)
    evaluate.run()
    assert outputs() == first


def test_a_model_of_another_target_is_refused(trained: Trained) -> None:
    with pytest.raises(InputError, match=r"trained with another .*target.*make train"):
        evaluate.check_model(REGRESSION, trained.model, trained.model.identity["data"])
