"""A regression of the logarithm of its target, or of a quantile: answers in the target's unit."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from ml_template.model import artifact, forms, measures, targets
from ml_template.model.quantiles import of_quantile
from ml_template.pipeline.data import prepare, validate
from ml_template.pipeline.evaluation import evaluate, figures
from ml_template.pipeline.judgement import again as measured_again
from ml_template.pipeline.judgement import rival
from ml_template.pipeline.reporting.sentence import sentence
from ml_template.pipeline.training import fit, search, train
from ml_template.settings.config import Config, InputError, load_config
from ml_template.storage import places
from ml_template.tables.arrays import Columns
from ml_template.tables.table import read_parquet
from ml_template.tables.table import take as taken
from ml_template.testing.models import using
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import GradientBoostingRegressor, HistGradientBoostingRegressor
from sklearn.linear_model import Lasso, QuantileRegressor, Ridge
from sklearn.metrics import mean_pinball_loss

from ..conftest import Trained
from .test_boosters import needed
from .test_learned_columns import configured

N = 600
COLUMNS = {"size": {"type": "numeric", "missing": True}, "kind": {"type": "categorical"}}


def prices(seed: int = 0, shift: float = 0.0) -> Columns:
    """Prices of a long tail, of what a size and a kind say and of chance."""
    draw = np.random.default_rng(seed)
    size, kind = draw.normal(size=N), np.array(["a", "b"], object)[draw.integers(0, 2, N)]
    noise = draw.normal(size=N) * 0.4
    price = np.exp(10 + size + (kind == "a") + noise) + shift
    return {"size": np.where(draw.random(N) < 0.05, np.nan, size), "kind": kind, "y": price}


def asked(**model: Any) -> Config:
    return configured(COLUMNS, "regression", model=model)


def learned(estimator: Any, columns: Columns, **model: Any) -> tuple[Any, Any]:
    with using(build=lambda config, **_: estimator):
        return fit.fit(asked(**model), columns)


def booster(name: str, kind: str, **params: Any) -> Any:
    return getattr(needed(name), kind)(n_estimators=20, **params)


ESTIMATORS = {
    "hist": lambda: HistGradientBoostingRegressor(max_iter=20),
    "boosting": lambda: GradientBoostingRegressor(n_estimators=20),
    "lightgbm": lambda: booster("lightgbm", "LGBMRegressor"),
    "xgboost": lambda: booster("xgboost", "XGBRegressor"),
}


def test_a_configuration_without_them_is_written_as_before() -> None:
    assert {"target", "quantile"}.isdisjoint(asked().model_dump(mode="json")["model"])
    assert measures.headline(asked()) == "r2"
    assert "coverage" not in measures.known(asked()) | measures.ranges(asked())


@pytest.mark.parametrize("key", [{"target": "log"}, {"quantile": 0.9}])
def test_they_belong_to_a_regression(key: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=rf"model\.{next(iter(key))} belongs to regression"):
        configured(COLUMNS, "binary", model=key)


@pytest.mark.parametrize("quantile", [0.0, 1.0, "0.9", 90])
def test_a_quantile_lies_between_0_and_1(quantile: Any) -> None:
    with pytest.raises(ValueError, match="quantile"):
        asked(quantile=quantile)


# The logarithm


@pytest.mark.parametrize("scale", ["log", "log1p"])
@pytest.mark.parametrize("name", [*ESTIMATORS, "ridge", "lasso"])
def test_the_kept_form_answers_in_the_unit_as_the_library_does(name: str, scale: str) -> None:
    make = {**ESTIMATORS, "ridge": Ridge, "lasso": lambda: Lasso(0.01)}[name]
    encoder, estimator = learned(make(), prices(), target=scale)
    edge = {"size": np.array([np.nan, 1e12, -1e12]), "kind": np.array(["z", None, "a"], object)}
    check = np.concatenate([encoder.apply(prices(1)), encoder.apply(edge)])
    spec, content = forms.export(estimator, check)
    form = {"ridge": "linear", "lasso": "skops"}.get(name, "treelite")
    assert (spec["form"], spec["target"]) == (form, scale)
    answers = forms.scorer(spec, content)(check)
    exact = {"log": np.exp, "log1p": np.expm1}[scale]
    plain = exact(np.minimum(estimator.inner.predict(check), 700))
    assert forms.gap(spec, answers, plain) <= forms.limit(spec)
    rows = [forms.scorer(spec, content)(check[at : at + 1]) for at in range(len(check))]
    if form != "skops":
        np.testing.assert_array_equal(np.concatenate(rows), answers)
    assert np.corrcoef(np.log(answers[:N]), np.log(prices(1)["y"]))[0, 1] > 0.8


def test_a_form_without_a_scale_is_as_before_and_one_unknown_is_refused() -> None:
    encoder, estimator = learned(ESTIMATORS["hist"](), prices())
    spec, content = forms.export(estimator, encoder.apply(prices()))
    assert "target" not in spec
    with pytest.raises(InputError, match="unknown or incomplete form 'cube'"):
        forms.scorer(spec | {"target": "cube"}, content)


@pytest.mark.parametrize(
    ("scale", "value", "remedy"),
    [
        ("log", 0.0, "is 0 in some rows.*: set it to log1p, which takes 0"),
        ("log", -1.0, "is below 0 in some rows.*: remove model.target"),
        ("log1p", -0.5, "is below 0 in some rows.*: remove model.target"),
    ],
)
def test_a_target_without_a_logarithm_is_refused_with_the_remedy(
    scale: str, value: float, remedy: str
) -> None:
    columns = prices()
    columns["y"][3] = value
    with pytest.raises(InputError, match=rf"model\.target: {scale}: 'y' {remedy}"):
        learned(Ridge(), columns, target=scale)


def test_a_target_of_0_is_taken_by_log1p() -> None:
    columns = prices()
    columns["y"][:5] = 0.0
    encoder, estimator = learned(ESTIMATORS["hist"](), columns, target="log1p")
    assert (estimator.predict(encoder.apply(columns)) > -1).all()


def test_labels_are_encoded_by_the_logarithm_too() -> None:
    config = configured(
        {"kind": {"type": "categorical", "encoding": "target"}},
        "regression",
        model={"target": "log"},
    )
    columns = prices()
    with using(build=lambda config, **_: HistGradientBoostingRegressor(max_iter=2)):
        encoder, _ = fit.fit(config, columns)
    mean = np.log(columns["y"][columns["kind"] == "a"]).mean()
    assert encoder.state[0]["values"][0][0] == pytest.approx(mean, rel=0.01)


# Quantiles


@pytest.mark.parametrize("scale", [None, "log"])
@pytest.mark.parametrize("name", ESTIMATORS)
def test_that_share_of_rows_stays_below_and_the_form_is_exact(name: str, scale: Any) -> None:
    encoder, estimator = learned(ESTIMATORS[name](), prices(), quantile=0.8, target=scale)
    matrix, truth = encoder.apply(prices(1)), prices(1)["y"]
    spec, content = forms.export(estimator, matrix)
    assert spec["form"] == "treelite"
    share = np.mean(truth <= forms.scorer(spec, content)(matrix))
    assert 0.7 < share < 0.88  # 0.4 to 0.65 are what a mean or a median covers


def test_a_quantile_regressor_answers_it_too() -> None:
    encoder, estimator = learned(QuantileRegressor(alpha=0), prices(), quantile=0.8)
    share = np.mean(prices(1)["y"] <= estimator.predict(encoder.apply(prices(1))))
    assert 0.7 < share < 0.9


@pytest.mark.parametrize("estimator", [Ridge(), DummyRegressor(), Lasso()])
def test_an_estimator_without_quantiles_is_refused_with_those_that_have_them(
    estimator: Any,
) -> None:
    if type(estimator) is DummyRegressor:  # has one of its own, and takes it
        learned(estimator, prices(), quantile=0.9)
        assert estimator.quantile == 0.9
        return
    with pytest.raises(InputError, match=r"model\.quantile: \w+ answers no quantile: choose hist"):
        learned(estimator, prices(), quantile=0.9)


def test_a_parameter_that_says_otherwise_is_refused() -> None:
    with pytest.raises(InputError, match=r"model\.params: model\.quantile sets loss: remove it"):
        learned(ESTIMATORS["hist"](), prices(), quantile=0.9, params={"loss": "squared_error"})


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_the_metrics_of_a_quantile_are_those_of_scikit_learn(share: float) -> None:
    draw = np.random.default_rng(0)
    truth, answers = draw.normal(size=101) + 1e6, draw.normal(size=101) + 1e6
    weights = np.stack([np.ones(101), draw.integers(0, 4, 101)]).astype(float)
    found = {n: metric(truth, answers, weights) for n, metric in of_quantile(share).items()}
    for at, each in enumerate(weights):
        loss = mean_pinball_loss(truth, answers, sample_weight=each, alpha=share)
        same = [np.full(101, value) for value in truth]
        losses = [mean_pinball_loss(truth, c, sample_weight=each, alpha=share) for c in same]
        assert found["neg_mean_pinball_loss"][at] == pytest.approx(-loss)
        assert found["d2_pinball"][at] == pytest.approx(1 - loss / min(losses), abs=1e-6)
        assert found["coverage"][at] == pytest.approx(np.average(truth <= answers, weights=each))


def test_of_one_repeated_value_no_share_is_explained() -> None:
    truth = np.full(20, 0.1)
    found = of_quantile(0.9)["d2_pinball"](truth, truth + 1, np.ones((1, 20)))
    assert np.isnan(found).all()


def test_the_headline_and_the_naive_model_are_those_of_the_quantile() -> None:
    config = asked(quantile=0.9)
    assert (measures.headline(config), measures.sliced(config)) == (
        "d2_pinball",
        "neg_mean_pinball_loss",
    )
    training, truth = prices()["y"], prices(1)["y"]
    naive = figures.baseline(config, truth, training)
    assert naive["d2_pinball"] == pytest.approx(0, abs=0.02)
    assert naive["coverage"] == pytest.approx(0.9, abs=0.03)


# Both, through the stages


@contextmanager
def project(trained: Trained, folder: Path, **model: Any) -> Iterator[Config]:
    """A project with a table of prices, prepared, in a folder that becomes the working folder."""
    import contextlib
    import csv
    import shutil

    shutil.copytree(trained.folder, folder)
    columns = prices()
    with contextlib.chdir(folder):
        with Path("data/prices.csv").open("w", newline="") as file:
            rows = zip(*(columns[name] for name in ("size", "kind", "y")), cycle([1, 2, 0]))
            csv.writer(file).writerows([("size", "kind", "y", "w"), *rows])
        settings = {
            "data": {"path": "data/prices.csv", "target": "y", "task": "regression", "weight": "w"},
            "columns": COLUMNS | {"w": {"type": "numeric", "feature": False, "min": 0}},
            "model": {"params": {"max_iter": 40, "max_leaf_nodes": 4}} | model,
            "search": {"trials": 2, "folds": 2, "space": {"max_iter": [20, 40]}},
        }
        settings["data"]["missing"] = ["nan"]
        Path("model_config.yaml").write_text(yaml.safe_dump(settings))
        prepare.run()
        validate.run()
        yield load_config()


def test_a_quantile_of_a_logarithm_goes_through_every_stage_in_the_unit(
    trained: Trained, tmp_path: Path
) -> None:
    with project(trained, tmp_path / "prices", target="log", quantile=0.9) as config:
        train.run()
        evaluate.run()
        found = json.loads(places.EVALUATION.read_bytes())
        assert found["headline"] == "d2_pinball"
        assert found["metrics"]["coverage"]["value"] == pytest.approx(0.9, abs=0.1)
        assert found["metrics"]["d2_pinball"]["value"] > 0.3
        said = sentence(config, found)
        assert said.startswith("Predicts the y that 90 of 100 rows stay below: its misses cost ")
        assert "of 100 rows stay below the answer." in said
        model = artifact.load(places.CANDIDATE)
        assert model.identity["model"]["target"] == "log"
        test = read_parquet(places.PREPARED / "test.parquet")
        whole = model.predict(test)
        assert 1e4 < np.median(whole) < 1e6
        rows = [model.predict(taken(test, np.array([at]))) for at in range(len(whole))]
        np.testing.assert_array_equal(np.concatenate(rows), whole)
        again = measured_again.measure(config, whole, None, test, found)
        assert isinstance(again, dict), again  # the gate finds what the report says
        assert model.identity["weight"] == "w"
        assert "w" not in model.encoder.inputs
        tried = search.search(config, read_parquet(places.PREPARED / "train.parquet"))
        assert tried["metric"] == "d2_pinball"
        mean = config.model_copy(
            update={"model": config.model.model_copy(update={"quantile": None})}
        )
        assert rival._other_question(config, model) is None
        assert rival._other_question(mean, model) == "predicts quantile 0.9"


def test_a_damaged_scale_of_a_model_is_refused() -> None:
    with pytest.raises(KeyError, match="cube"):
        targets.back("cube")
