"""LightGBM and XGBoost: by naming them, kept as treelite, equal to their arithmetic."""

from __future__ import annotations

import importlib
import os
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from ml_template.model import boosters, fast, forms
from ml_template.pipeline.judgement import checks
from ml_template.pipeline.training import fit, libraries
from ml_template.settings.config import InputError
from ml_template.settings.gates import Determinism
from ml_template.testing import Trained

random = np.random.default_rng(0)
ROWS = 3000
MATRIX = random.normal(size=(ROWS, 6))
MATRIX[:, 5] = random.integers(0, 8, ROWS)
MATRIX[random.random((ROWS, 6)) < 0.1] = np.nan
NOISE = random.normal(size=ROWS) / 3
VALUE = np.nan_to_num(MATRIX[:, 0]) - (np.nan_to_num(MATRIX[:, 5]) > 2) + NOISE
CLASS2 = (VALUE > 0).astype(int)
CLASS3 = np.digitize(VALUE, [-0.6, 0.4])
EDGE = np.array([[np.nan] * 6, [1e12] * 6, [-1e12] * 6, [0.0] * 5 + [99.0]])
CHECK = np.concatenate([MATRIX, EDGE])


def needed(name: str) -> Any:
    """A library, or a skip that says how to have it; tests/test_boosters.py runs them with it."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        package = libraries.PACKAGES.get(name, name)
        if os.environ.get("NEEDS_BOOSTERS"):
            raise
        pytest.skip(f"{package} is in no lock of the template: tests/test_boosters.py installs it")


CASES = [
    ("lightgbm", "Classifier", CLASS2, {}),
    ("lightgbm", "Classifier", CLASS2, {"sigmoid": 2.5}),
    ("lightgbm", "Classifier", CLASS3, {}),
    ("lightgbm", "Regressor", VALUE + 2010, {}),
    ("lightgbm", "Regressor", np.abs(VALUE), {"objective": "poisson"}),
    ("lightgbm", "Regressor", VALUE * 1e3, {"reg_sqrt": True}),
    (
        "lightgbm",
        "Regressor",
        VALUE,
        {"boosting_type": "rf", "subsample": 0.6, "subsample_freq": 1},
    ),
    ("xgboost", "Classifier", CLASS2, {}),
    ("xgboost", "Classifier", CLASS3, {}),
    ("xgboost", "Classifier", CLASS2, {"base_score": 0.9}),
    ("xgboost", "Regressor", VALUE * 3e3 + 5e4, {}),
    ("xgboost", "Regressor", VALUE + 2010, {}),
    ("xgboost", "Regressor", VALUE, {"base_score": 3.0}),
    ("xgboost", "Regressor", VALUE, {"booster": "dart", "rate_drop": 0.3}),
    ("xgboost", "Regressor", np.abs(VALUE), {"objective": "count:poisson"}),
    ("xgboost", "Regressor", np.full(ROWS, 7e6), {}),
]


def made(name: str, task: str, truth: np.ndarray, params: dict[str, Any]) -> Any:
    library = needed(name)
    prefix = {"lightgbm": "LGBM", "xgboost": "XGB"}[name]
    estimator = getattr(library, f"{prefix}{task}")(n_estimators=60, n_jobs=1, **params)
    if name == "xgboost":
        estimator.set_params(enable_categorical=True, feature_types=["q"] * 5 + ["c"])
        return estimator.fit(MATRIX, truth)
    return estimator.set_params(verbosity=-1).fit(MATRIX, truth, categorical_feature=[5])


@pytest.mark.parametrize(("name", "task", "truth", "params"), CASES)
def test_the_kept_form_answers_as_the_library(
    name: str, task: str, truth: np.ndarray, params: dict[str, Any]
) -> None:
    estimator = made(name, task, truth, params)
    known = CHECK if name == "lightgbm" else np.concatenate([MATRIX, EDGE[:1]])  # codes it knows
    spec, content = forms.export(estimator, known)
    answers = forms.scorer(spec, content)(known)
    wanted = estimator.predict_proba(known) if task == "Classifier" else estimator.predict(known)
    assert spec["form"] == "treelite"
    assert answers.dtype == np.float64
    if name == "lightgbm":
        assert spec["limit"] == 1e-9
        np.testing.assert_allclose(answers, wanted, rtol=1e-9, atol=1e-9)
        return
    assert spec["limit"] == 2e-6
    np.testing.assert_allclose(answers, wanted, rtol=0, atol=2e-6 * np.ptp(wanted))
    if task == "Classifier":
        np.testing.assert_array_equal(answers.argmax(axis=1), wanted.argmax(axis=1))


@pytest.mark.filterwarnings("ignore:The argument 'eval_set'")
@pytest.mark.parametrize("name", ["lightgbm", "xgboost"])
def test_early_stopping_keeps_the_best_iteration(name: str) -> None:
    library = needed(name)
    hold_out = [(MATRIX[:500], -VALUE[:500])]  # the opposite: the first round is the best
    if name == "lightgbm":
        stop = library.early_stopping(3, verbose=False)
        estimator = library.LGBMRegressor(verbosity=-1)
        estimator.fit(MATRIX, VALUE, eval_set=hold_out, callbacks=[stop])
    else:
        estimator = library.XGBRegressor(early_stopping_rounds=3)
        estimator.fit(MATRIX, VALUE, eval_set=hold_out, verbose=False)
    spec, content = forms.export(estimator, MATRIX)
    answers = forms.scorer(spec, content)(MATRIX)
    np.testing.assert_allclose(answers, estimator.predict(MATRIX), rtol=0, atol=5e-6)


def test_a_wrong_base_score_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    right = boosters._bases
    monkeypatch.setattr(boosters, "_bases", lambda head: [base + 1e-4 for base in right(head)])
    with pytest.raises(InputError, match=r"the treelite form of XGBRegressor differs from XGBoost"):
        forms.export(made("xgboost", "Regressor", VALUE, {}), MATRIX)


@pytest.mark.parametrize("name", ["lightgbm", "xgboost"])
def test_a_mistranslated_booster_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    estimator = made(name, "Classifier", CLASS2, {})
    forms.export(estimator, MATRIX)  # its twin without the fault
    monkeypatch.setitem(boosters.LINKS, "sigmoid", "identity")
    with pytest.raises(InputError, match=r"the treelite form of .* differs from"):
        forms.export(estimator, MATRIX)


@pytest.mark.parametrize(
    ("name", "task", "params", "says"),
    [
        ("lightgbm", "Regressor", {"linear_tree": True}, "linear trees"),
        ("lightgbm", "Classifier", {"objective": "multiclassova"}, "multiclass_ova"),
        ("xgboost", "Classifier", {"objective": "binary:hinge"}, "hinge"),
    ],
)
def test_what_has_no_form_is_refused_with_the_reason(
    name: str, task: str, params: dict[str, Any], says: str
) -> None:
    truth = CLASS3 if "ova" in says else CLASS2 if task == "Classifier" else VALUE
    with pytest.raises(InputError, match=says):
        forms.export(made(name, task, truth, params), MATRIX)


SPEC = {"limit": 2e-6, "spread": 4.0}


def test_the_gap_of_float32_is_in_parts_of_the_spread() -> None:
    right = np.array([1.0, 5.0])
    assert forms.gap(SPEC, right + 4e-6, right) == pytest.approx(1e-6)
    assert forms.gap(SPEC, right + 4e-6, right) <= forms.limit(SPEC)
    assert forms.gap(SPEC, right + 2e-5, right) > forms.limit(SPEC)
    assert forms.gap(SPEC, np.array([1.0, np.nan]), right) == float("inf")


def test_a_label_that_flips_is_refused_however_small_the_step() -> None:
    right = np.array([[0.5 + 1e-9, 0.5 - 1e-9]])
    assert forms.gap(SPEC, right[:, ::-1], right) > forms.limit(SPEC)
    assert forms.gap(SPEC, right, right) == 0


def test_answers_that_are_all_the_same_have_no_spread_and_must_be_equal() -> None:
    flat, right = {"limit": 2e-6, "spread": 0.0}, np.array([7.0, 7.0])
    assert forms.gap(flat, right, right) == 0
    assert forms.gap(flat, right + 1e-9, right) == float("inf")


def test_a_model_of_an_older_release_keeps_the_old_limit() -> None:
    assert forms.limit({"form": "treelite"}) == 1e-9
    right = np.array([2000.0])
    assert forms.gap({"form": "treelite"}, right + 1e-6, right) == pytest.approx(5e-10)


def test_no_file_can_state_a_limit_of_its_own_choice() -> None:
    assert forms.limit({"limit": 0.5}) == 2e-6


@pytest.mark.parametrize(
    ("spec", "verdict"), [({}, "refused"), (SPEC | {"dtype": "float32"}, "passed")]
)
def test_the_gate_asks_of_float32_what_float32_can_keep(spec: dict[str, Any], verdict: str) -> None:
    found: Any = SimpleNamespace(identity={"model": spec}, measured={"difference": 1e-7})
    (line,) = checks.determinism(found, Determinism(max_difference=1e-9))
    assert line["verdict"] == verdict


@pytest.mark.parametrize(
    ("name", "package"), [("lightgbm", "lightgbm"), ("xgboost", "xgboost-cpu")]
)
def test_a_package_that_is_missing_is_named_with_the_remedy(
    name: str, package: str, trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    spec = trained.config.model.model_copy(update={"estimator": name, "params": {}})
    with pytest.raises(InputError) as said:
        trained.learn(trained.train, trained.config.model_copy(update={"model": spec}))
    assert f"add {package} to requirements/extra.in, then `make lock` and `make setup`" in str(said)


@pytest.mark.parametrize(
    ("name", "params"),
    [("lightgbm", {"verbose": -1, "num_leaves": 7}), ("xgboost", {"verbosity": 0, "max_depth": 3})],
)
def test_a_booster_is_trained_by_naming_it(
    name: str, params: dict[str, Any], trained: Trained, capfd: pytest.CaptureFixture[str]
) -> None:
    needed(name)
    spec = trained.config.model.model_copy(update={"estimator": name, "params": params})
    config = trained.config.model_copy(update={"model": spec})
    encoder, estimator = fit.fit(config, trained.train, n_estimators=20)
    matrix = encoder.apply(trained.test)
    assert encoder.categorical
    assert estimator.get_params()["random_state"] == config.seed
    assert estimator.n_jobs == config.compute.threads
    made, content = forms.export(estimator, matrix)
    answers = forms.scorer(made, content)(matrix)
    assert trained.score(answers, trained.test) > 0.6
    again = fit.fit(config, trained.train, n_estimators=20)[1]
    assert forms.export(again, matrix)[1] == content
    captured = capfd.readouterr()
    assert "[LightGBM]" not in captured.out + captured.err


@pytest.mark.parametrize("name", ["lightgbm", "xgboost"])
def test_a_parameter_that_is_misspelt_or_wrong_is_refused_by_name(
    name: str, trained: Trained
) -> None:
    needed(name)
    for params, says in [
        ({"n_estimatorz": 5}, "no parameter 'n_estimatorz'"),
        ({"learning_rate": -1}, "learning_rate"),
    ]:
        spec = trained.config.model.model_copy(update={"estimator": name, "params": params})
        with pytest.raises(InputError, match=f"model.params: .*{says}"):
            trained.learn(trained.train, trained.config.model_copy(update={"model": spec}))


def test_only_boosters_of_their_library_are_taken_for_boosters() -> None:
    class LGBMClassifier:
        """Of another module."""

    assert boosters.export(LGBMClassifier()) is None
    assert fast.export_trees(LGBMClassifier()) is None


def test_catboost_is_refused_with_the_reason() -> None:
    kind = type(
        "CatBoostClassifier",
        (),
        {"__module__": "catboost.core", "predict": lambda _, rows: rows[:, 0]},
    )
    with pytest.raises(InputError, match="CatBoost is not kept: treelite does not read it"):
        forms.export(kind(), MATRIX)
