"""Rows that count as much as a column says: in training, metrics, slices and search."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from ml_template import InputError, Metric, Project
from ml_template import project as projects
from ml_template.model import measures
from ml_template.pipeline.data import split
from ml_template.pipeline.evaluation import figures
from ml_template.pipeline.evaluation.slices import Groups
from ml_template.pipeline.training import fit, search
from ml_template.settings.config import Config
from ml_template.tables.arrays import Columns, take
from ml_template.testing.models import using
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    RandomForestRegressor,
    StackingRegressor,
)
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ..conftest import PACKAGE, Trained
from .test_boosters import needed
from .test_learned_columns import configured

N = 300
WEIGHT = {"type": "numeric", "feature": False, "min": 0}
SIZE = {"type": "numeric"}


def asked(task: str = "regression", weight: Any = WEIGHT, **more: Any) -> Config:
    config = configured({"size": SIZE, "w": weight}, task, **more)
    data = config.data.model_dump() | {"weight": "w"}
    return Config.model_validate(config.model_dump() | {"data": data}, strict=False)


def rows(task: str = "regression", seed: int = 0) -> Columns:
    """Two populations that say opposite things of a size; the second counts three times."""
    draw = np.random.default_rng(seed)
    size, second = draw.normal(size=N), np.arange(N) % 2 == 1
    y: Any = np.where(second, -size, size) + 0.1 * draw.normal(size=N)
    if task == "binary":
        y = np.where(y > 0, "yes", "no").astype(object)
    return {"size": size, "w": np.where(second, 3.0, 1.0), "y": y}


def thrice(columns: Columns) -> Columns:
    """Each row as often as it counts, which is then once."""
    found = take(columns, np.repeat(np.arange(N), columns["w"].astype(int)))
    return found | {"w": np.ones(len(found["w"]))}


def fitted(estimator: Any, config: Config, columns: Columns) -> Any:
    with using(build=lambda config, **_: estimator):
        encoder, made = fit.fit(config, columns)
    return lambda asked: getattr(made, "predict_proba", made.predict)(encoder.apply(asked))


def test_without_it_nothing_changes() -> None:
    plain = configured({"size": SIZE, "w": WEIGHT}, "regression")
    assert "weight" not in plain.model_dump(mode="json")["data"]
    assert measures.counted(plain, rows()) is None
    assert fit.row_weights(plain, rows(), KNeighborsRegressor(), np.zeros(0)) == {}
    assert split.rule(plain) == split.rule(asked())


@pytest.mark.parametrize(
    "weight",
    [
        {"type": "categorical", "feature": False},
        WEIGHT | {"feature": True},
        WEIGHT | {"missing": True},
        WEIGHT | {"min": -1.0},
        {"type": "numeric", "feature": False},
    ],
)
def test_a_weight_is_a_number_of_0_or_more_that_is_there_and_no_feature(weight: Any) -> None:
    with pytest.raises(ValueError, match=r"data\.weight: 'w' must stand in columns as .*min: 0"):
        asked(weight=weight)


@pytest.mark.parametrize("least", [0, 0.5])
def test_a_column_that_is_as_it_says_is_taken(least: float) -> None:
    assert asked(weight=WEIGHT | {"min": least}).data.weight == "w"


def test_a_name_that_is_no_column_is_refused() -> None:
    with pytest.raises(ValueError, match=r"data\.weight: 'v' must stand in columns"):
        Config.model_validate(
            configured({"size": SIZE}, "regression").model_dump()
            | {"data": {"path": "x.csv", "target": "y", "task": "regression", "weight": "v"}},
            strict=False,
        )


@pytest.mark.parametrize("name", ["linear", "logistic", "hist", "forest", "lightgbm", "xgboost"])
def test_a_row_that_counts_three_times_is_learned_as_three_rows(name: str) -> None:
    task = "binary" if name in ("logistic", "hist") else "regression"
    made = {
        "linear": LinearRegression,
        "logistic": lambda: LogisticRegression(C=1e6),
        "hist": lambda: HistGradientBoostingClassifier(max_iter=5, min_samples_leaf=20),
        "forest": lambda: RandomForestRegressor(5, bootstrap=False, max_depth=3, random_state=0),
        "lightgbm": lambda: needed("lightgbm").LGBMRegressor(n_estimators=5),
        "xgboost": lambda: needed("xgboost").XGBRegressor(n_estimators=5),
    }[name]
    config, columns = asked(task), rows(task)
    weighted = fitted(made(), config, columns)(columns)
    repeated = fitted(made(), config, thrice(columns))(columns)
    alike = fitted(made(), config, columns | {"w": np.ones(N)})(columns)
    near = np.abs(weighted - repeated).mean()
    assert near < 0.5 * np.abs(weighted - alike).mean()


@pytest.mark.parametrize("factor", [0.01, 1000.0])
def test_weights_of_another_scale_make_the_same_model(factor: float) -> None:
    columns = rows()
    found = fitted(Ridge(100.0), asked(), columns)(columns)
    other = fitted(Ridge(100.0), asked(), columns | {"w": factor * columns["w"]})(columns)
    np.testing.assert_allclose(other, found, rtol=1e-9)


@pytest.mark.parametrize(
    "estimator",
    [
        KNeighborsRegressor(),
        make_pipeline(StandardScaler(), Ridge()),
        StackingRegressor([("a", Ridge())]),
    ],
)
def test_an_estimator_without_weights_is_refused_by_name(estimator: Any) -> None:
    name = type(estimator).__name__
    with pytest.raises(InputError, match=rf"data\.weight: {name} takes no sample_weight: choose"):
        fitted(estimator, asked(), rows())


def test_rows_that_count_nothing_are_refused_and_a_few_of_them_are_not() -> None:
    columns = rows()
    with pytest.raises(InputError, match=r"data\.weight: 'w' is 0 in all of 300 rows"):
        fitted(Ridge(), asked(), columns | {"w": np.zeros(N)})
    some = columns | {"w": np.where(np.arange(N) < 200, 0.0, 2.0)}
    last = take(columns, np.arange(200, N))
    found = fitted(LinearRegression(), asked(), some)(columns)
    np.testing.assert_allclose(
        found, fitted(LinearRegression(), asked(), last | {"w": np.ones(100)})(columns), rtol=1e-6
    )


@pytest.mark.parametrize("task", ["regression", "binary"])
def test_metrics_and_the_naive_model_are_those_of_the_repeated_rows(task: str) -> None:
    config, columns = asked(task), rows(task)
    more, draw = thrice(columns), np.random.default_rng(1)
    answers = draw.random(N)
    copies = np.repeat(answers, columns["w"].astype(int))
    if task == "binary":
        answers, copies = (np.column_stack([1 - p, p]) for p in (answers, copies))
    labels = np.array(["no", "yes"])

    def truth(of: Columns) -> np.ndarray:
        return np.searchsorted(labels, of["y"].astype(str)) if task == "binary" else of["y"]

    found = figures.points(measures.known(config, columns=columns), truth(columns), answers)
    wanted = figures.points(measures.known(config, columns=more), truth(more), copies)
    assert found == pytest.approx(wanted, rel=1e-9)
    assert found != pytest.approx(figures.points(measures.known(config), truth(columns), answers))
    counts = measures.counted(config, columns)
    naive = figures.baseline(config, truth(columns), columns["y"], counts, counts)
    assert naive == pytest.approx(figures.baseline(config, truth(more), more["y"]), abs=1e-9)


def test_slices_count_their_rows_by_weight_and_only_theirs() -> None:
    config, columns = asked(), rows()
    answers = columns["size"]  # right of the first population, wrong of the second
    halves = Groups(["first", "second"], np.arange(N) * 2 // N)
    counts = measures.counted(config, columns)
    named = measures.known(config)
    metrics, slices = figures.measure(
        config, columns["y"], answers, {"half": halves}, named, None, counts=counts
    )
    error = np.abs(columns["y"] - answers)
    for part, at in zip(slices, (slice(0, N // 2), slice(N // 2, N)), strict=True):
        assert part["value"] == pytest.approx(-np.average(error[at], weights=columns["w"][at]))
        assert part["low"] <= part["value"] <= part["high"]
    whole = metrics["neg_mean_absolute_error"]
    assert whole["value"] == pytest.approx(-np.average(error, weights=columns["w"]))
    assert whole["value"] < -error.mean() - 0.1


def test_a_search_scores_by_the_weights_of_its_rows() -> None:
    config = asked(
        search={"trials": 1, "folds": 2}, metrics={"headline": "neg_mean_absolute_error"}
    )
    columns = rows()
    parts = search.folds(config, columns)
    with using(build=lambda config, **_: LinearRegression()):
        score = search._score(config, columns, parts, measures.headline(config), {})
        wanted = []
        for learn, test in parts:
            some = take(columns, test)
            answers = fitted(LinearRegression(), config, take(columns, learn))(some)
            wanted.append(-np.average(np.abs(some["y"] - answers), weights=some["w"]))
    assert score == pytest.approx(np.mean(wanted))


def test_tests_of_a_project_learn_rows_by_heart_that_count_nothing_in_it() -> None:
    columns = take(rows(), np.arange(30)) | {"w": np.where(np.arange(30) < 15, 0.0, 1.0)}
    config = asked(model={"quantile": 0.9})
    made = Trained(Path(), config, None, columns, columns)  # type: ignore[arg-type]
    free = {"min_samples_leaf": 1, "max_iter": 300, "learning_rate": 0.3}
    answers = made.learn(columns, made.plain, **free)(columns)
    assert np.corrcoef(answers, columns["y"])[0, 1] > 0.9
    assert made.plain.data.weight is made.plain.model.quantile is None


def test_an_own_metric_is_given_the_weights_or_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def off(truth: np.ndarray, answers: np.ndarray, weights: np.ndarray) -> float:
        return float(np.average(np.abs(truth - answers), weights=weights))

    home = SimpleNamespace(METRICS=[Metric("off", off, high=100.0, higher_is_better=False)])
    monkeypatch.setitem(sys.modules, f"{PACKAGE}.own", home)
    projects.hand_over(replace(Project(PACKAGE), metrics="own:METRICS"))
    try:
        columns = rows()
        found = figures.points(
            measures.known(asked(), columns=columns), columns["y"], columns["size"]
        )
        assert found["neg_off"] == pytest.approx(found["neg_mean_absolute_error"])
        home.METRICS = [Metric("off", lambda truth, answers: 0.5)]
        with pytest.raises(InputError, match=r"'off': data\.weight is set: let its function take"):
            measures.known(asked())
        measures.known(configured({"size": SIZE}, "regression"))
    finally:
        projects.hand_over(Project(PACKAGE))
