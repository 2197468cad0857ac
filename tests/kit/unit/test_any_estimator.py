"""Any scikit-learn estimator: kept by skops, types by configuration, never what may run code."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from ml_template.model import artifact, forms, manifest, trust
from ml_template.pipeline.judgement import checks
from ml_template.pipeline.training import fit, repeat
from ml_template.settings.config import InputError, ModelSpec
from ml_template.testing import Trained
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    StackingClassifier,
    VotingRegressor,
)
from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, Matern, WhiteKernel
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR

random = np.random.default_rng(0)
MATRIX = random.normal(size=(300, 4))
VALUE = MATRIX[:, 0] + MATRIX[:, 1] ** 2
CLASS2 = (VALUE > 0.8).astype(int)
CLASS3 = np.digitize(VALUE, [0.2, 1.0])
SCALED = make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression())
TREES = HistGradientBoostingClassifier(max_iter=20, random_state=7)
HERE = f"{__name__}."


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("estimator", "truth"),
    [
        (SCALED, CLASS3),
        (StackingClassifier([("t", TREES), ("l", SCALED)], LogisticRegression()), CLASS2),
        (VotingRegressor([("a", Ridge()), ("b", SVR())]), VALUE),
        (CalibratedClassifierCV(SVC(), method="isotonic"), CLASS2),
        (CalibratedClassifierCV(SVC()), CLASS3),
        (KNeighborsClassifier(algorithm="ball_tree"), CLASS3),
        (KNeighborsRegressor(), VALUE),
        (make_pipeline(MLPClassifier(max_iter=30, random_state=0)), CLASS3),
        (make_pipeline(MLPRegressor(solver="sgd", max_iter=30, random_state=0)), VALUE),
        (GaussianProcessClassifier(), CLASS3),
        (GaussianProcessRegressor(1.0 * RBF() + Matern() + WhiteKernel()), VALUE),
        (AdaBoostClassifier(random_state=0), CLASS2),
        (BaggingRegressor(random_state=0), VALUE),
    ],
    ids=lambda value: type(value).__name__ if hasattr(value, "fit") else "",
)
def test_it_is_kept_without_any_trust(estimator: Any, truth: np.ndarray) -> None:
    estimator.fit(MATRIX, truth)
    spec, content = forms.export(estimator, MATRIX)
    assert spec["form"] == "skops"
    assert "trusted" not in spec
    wanted = estimator.predict_proba(MATRIX) if truth is not VALUE else estimator.predict(MATRIX)
    np.testing.assert_allclose(forms.scorer(spec, content)(MATRIX), wanted, rtol=1e-9, atol=1e-9)


class Forest(RandomForestClassifier):  # type: ignore[misc]
    """A user's subclass that answers as its parent does."""


class Cautious(RandomForestClassifier):  # type: ignore[misc]
    """A user's subclass that answers otherwise."""

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        return 0.9 * super().predict_proba(X) + 0.05


class Shares(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A user's own class: the shares of the classes, whatever the row."""

    def __init__(self, noise: float = 0.0, random_state: int | None = None) -> None:
        self.noise, self.random_state = noise, random_state

    def fit(self, matrix: np.ndarray, truth: np.ndarray) -> Shares:
        self.classes_, counts = np.unique(truth, return_counts=True)
        draw = np.random.default_rng(self.random_state)
        self.shares_ = counts / counts.sum() + self.noise * draw.normal(size=len(counts))
        return self

    def predict_proba(self, matrix: np.ndarray) -> np.ndarray:
        return np.tile(self.shares_, (len(matrix), 1))


def test_a_subclass_that_answers_as_its_parent_has_the_fast_form_of_it() -> None:
    spec, _ = forms.export(Forest(10, random_state=0).fit(MATRIX, CLASS2), MATRIX)
    assert spec["form"] == "treelite"


@pytest.mark.parametrize("kind", [Cautious, Shares])
def test_a_class_of_ones_own_is_kept_once_it_is_trusted_and_not_before(kind: Any) -> None:
    estimator = kind(random_state=0).fit(MATRIX, CLASS2)
    name = HERE + kind.__name__
    with pytest.raises(InputError, match=rf"holds {name}.*model.trusted: {name}"):
        forms.export(estimator, MATRIX)
    spec, content = forms.export(estimator, MATRIX, [name])
    assert spec["trusted"] == [name]
    np.testing.assert_allclose(
        forms.scorer(spec, content)(MATRIX), estimator.predict_proba(MATRIX), rtol=0, atol=1e-9
    )
    with pytest.raises(InputError, match="may not be loaded"):
        forms.scorer({key: value for key, value in spec.items() if key != "trusted"}, content)


@pytest.mark.parametrize(
    "name",
    (
        *("os.system", "posix.system", "subprocess.Popen", "builtins.eval", "eval", "numpy.load"),
        *("joblib.memory.MemorizedFunc", "sklearn.utils.validation.check_array", "nowhere.Class"),
    ),
)
def test_what_may_run_code_is_never_trusted(name: str) -> None:
    with pytest.raises(InputError, match=rf"model.trusted: {name} .*remove it"):
        trust.checked([name])


def test_classes_of_libraries_and_of_ones_own_can_be_trusted() -> None:
    names = [HERE + "Shares", "sklearn.neighbors._kd_tree.KDTree"]
    assert trust.checked(names) == sorted(names)


class Harmful(BaseEstimator):  # type: ignore[misc]
    """What a forged archive would hold."""

    def fit(self, matrix: np.ndarray, truth: np.ndarray) -> Harmful:
        self.call_ = os.system
        return self

    def predict(self, matrix: np.ndarray) -> np.ndarray:
        return np.zeros(len(matrix))


def test_a_function_inside_a_trusted_class_stays_refused() -> None:
    estimator = Harmful().fit(MATRIX, VALUE)
    with pytest.raises(InputError, match="system"):
        forms.export(estimator, MATRIX, [HERE + "Harmful"])
    with pytest.raises(InputError, match="never trusted"):
        forms.export(estimator, MATRIX, [HERE + "Harmful", "posix.system"])


@pytest.mark.parametrize("named", [[], ["a.Other"]])
def test_a_model_nobody_vouches_for_is_not_loaded_with_types_only_it_trusts(
    named: list[str], in_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trusted = SimpleNamespace(model=ModelSpec(trusted=tuple(named)))
    monkeypatch.setattr(trust, "load_config", lambda: trusted)
    spec = {"file": "model.skops", "trusted": ["a.B"]}
    found: Any = {"digest": "d", "identity": {"model": spec}}
    monkeypatch.setattr(manifest, "read", lambda folder, expected: (found, {}))
    with pytest.raises(InputError, match=r"holds a\.B, which model.trusted .* does not name"):
        artifact.load(Path("models/candidate"))
    with pytest.raises(InputError, match="is no model of this code"):  # it was parsed
        artifact.load(Path("models/candidate"), "d")
    trust.agreed("here", named)


@pytest.mark.parametrize(
    ("held", "named", "verdict"),
    [([], [], None), (["a.B"], ["a.B"], "passed"), (["a.B"], [], "refused")],
)
def test_the_verdict_shows_what_is_trusted(
    held: list[str], named: list[str], verdict: str | None
) -> None:
    model = ModelSpec(trusted=tuple(named))
    found: Any = SimpleNamespace(
        identity={"model": {"trusted": held}}, config=SimpleNamespace(model=model)
    )
    lines = checks.trusted(found)
    assert [line["verdict"] for line in lines] == ([verdict] if verdict else [])
    assert all("a.B" in line["reason"] for line in lines)


def test_a_configuration_that_trusts_nothing_has_the_digest_it_had() -> None:
    assert "trusted" not in ModelSpec().model_dump(mode="json")
    assert ModelSpec(trusted=("a.B",)).model_dump(mode="json")["trusted"] == ["a.B"]


def built(monkeypatch: pytest.MonkeyPatch, make: Any) -> None:
    monkeypatch.setattr(fit, "function", lambda _: lambda config, **changes: make())


@pytest.mark.parametrize(
    "make",
    [
        lambda: RandomForestClassifier(5),
        lambda: make_pipeline(SimpleImputer(), RandomForestClassifier(5)),
        lambda: Shares(noise=0.01),
    ],
)
def test_a_forgotten_random_state_is_said_as_that(
    make: Any, trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    built(monkeypatch, make)
    with pytest.raises(InputError, match=r"two fits .* differently .*random_state is forgotten"):
        repeat.require(trained.config, trained.train, {}, make())


@pytest.mark.parametrize("make", [lambda: LogisticRegression(max_iter=2000), lambda: Shares()])
def test_an_estimator_that_draws_nothing_needs_no_random_state(
    make: Any, trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    built(monkeypatch, make)
    repeat.require(trained.config, trained.train, {}, make())


def test_what_is_seeded_is_not_fitted_again(
    trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repeat, "fit", lambda *_, **__: pytest.fail("fitted again"))
    for estimator in (
        HistGradientBoostingRegressor(random_state=1),
        RandomForestClassifier(random_state=0),
        Ridge(random_state=0),
    ):
        repeat.require(trained.config, trained.train, {}, estimator)


def test_a_classifier_without_probabilities_is_refused_with_the_remedy(
    trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    built(monkeypatch, lambda: make_pipeline(SimpleImputer(), SVC()))
    with pytest.raises(InputError, match=r"has no predict_proba.*CalibratedClassifierCV"):
        fit.fit(trained.config, trained.train)


class Plain:
    """Nothing but fit and predict_proba."""

    def fit(self, matrix: np.ndarray, truth: np.ndarray) -> None:
        self.share = float(truth.mean())

    def predict_proba(self, matrix: np.ndarray) -> np.ndarray:
        return np.tile([1 - self.share, self.share], (len(matrix), 1))


def test_a_class_with_fit_and_predict_proba_alone_will_do(
    trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    built(monkeypatch, Plain)
    encoder, estimator = fit.fit(trained.config, trained.train)
    matrix = encoder.apply(trained.test)
    spec, content = forms.export(estimator, matrix, [HERE + "Plain"])
    np.testing.assert_array_equal(
        forms.scorer(spec, content)(matrix), estimator.predict_proba(matrix)
    )
