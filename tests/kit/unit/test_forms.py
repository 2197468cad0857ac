from typing import Any

import numpy as np
import pytest
from ml_template.model import fast, forms
from ml_template.settings.config import InputError
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB

random = np.random.default_rng(0)
MATRIX = random.normal(size=(400, 4))
MATRIX[:, 3] = random.integers(0, 6, 400)
VALUE = MATRIX[:, 0] - (MATRIX[:, 3] > 2)
CLASS2 = (VALUE > 0).astype(int)
CLASS3 = np.digitize(VALUE, [-0.6, 0.4])


@pytest.mark.parametrize(
    ("estimator", "target", "form"),
    [
        (HistGradientBoostingClassifier(max_iter=20, categorical_features=[3]), CLASS2, "treelite"),
        (HistGradientBoostingClassifier(max_iter=20, categorical_features=[3]), CLASS3, "treelite"),
        (HistGradientBoostingRegressor(max_iter=20), VALUE, "treelite"),
        (RandomForestClassifier(10), CLASS3, "treelite"),
        (ExtraTreesRegressor(10), VALUE, "treelite"),
        (GradientBoostingClassifier(n_estimators=10), CLASS2, "treelite"),
        (LogisticRegression(), CLASS2, "linear"),
        (LogisticRegression(), CLASS3, "linear"),
        (Ridge(), VALUE, "linear"),
        (GaussianNB(), CLASS3, "skops"),
    ],
)
def test_the_kept_form_answers_as_scikit_learn(estimator, target, form) -> None:  # type: ignore[no-untyped-def]
    estimator.fit(MATRIX, target)
    spec, content = forms.export(estimator, MATRIX)
    assert spec["form"] == form
    answers = forms.scorer(spec, content)(MATRIX)
    np.testing.assert_allclose(answers, forms.plain_scorer(estimator)(MATRIX), rtol=0, atol=1e-9)
    assert forms.export(estimator, MATRIX)[1] == content


def test_a_fast_form_that_differs_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    estimator = RandomForestClassifier(10, random_state=0).fit(MATRIX, CLASS2)
    monkeypatch.setitem(fast.TREES, "RandomForestClassifier", ("float32", "logistic"))
    spec, _ = forms.export(estimator, MATRIX)
    assert spec["form"] == "skops"
    assert "differs from scikit-learn by" in spec["why"]


class Foreign(GaussianNB):  # type: ignore[misc]
    """A type that nobody allowed."""


def test_a_type_that_is_not_allowed_is_refused() -> None:
    with pytest.raises(InputError, match=r"holds .*Foreign, which may not be loaded in serving"):
        forms.export(Foreign().fit(MATRIX, CLASS2), MATRIX)


class Unkept(GaussianNB):  # type: ignore[misc]
    """Holds what cannot be taken apart, as a module of PyTorch."""

    def __getstate__(self) -> Any:
        raise RuntimeError("cannot construct TensorBase")


def test_what_cannot_be_taken_apart_is_named_with_what_can_be_done() -> None:
    with pytest.raises(InputError, match=r"Unkept cannot be kept .*TensorBase.*dense_layers\(\)"):
        forms.export(Unkept().fit(MATRIX, CLASS2), MATRIX)


def test_a_pickle_in_disguise_is_refused() -> None:
    import pickle

    spec = {"form": "skops", "file": "model.skops"}
    with pytest.raises(InputError, match="is no skops archive"):
        forms.scorer(spec, pickle.dumps({"a": 1}))


def test_many_rows_on_every_core_get_the_answers_of_few() -> None:
    estimator = HistGradientBoostingRegressor(max_iter=5).fit(MATRIX, VALUE)
    spec, content = forms.export(estimator, MATRIX)
    score = forms.scorer(spec, content)
    many = np.resize(MATRIX, (fast.MANY + 7, 4))
    np.testing.assert_array_equal(score(many)[:400], score(many[:400]))
    np.testing.assert_array_equal(score(many)[-400:], score(many[-400:]))
