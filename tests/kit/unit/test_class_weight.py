"""Classes that count more than others in training, whatever the estimator."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from ml_template.model import forms
from ml_template.pipeline.training import fit, libraries
from ml_template.settings.config import Config, InputError
from ml_template.testing.models import using
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from .test_evaluate import config

RANDOM = np.random.default_rng(4)
X = RANDOM.normal(size=(400, 2))
RARE = np.where(X[:, 0] + RANDOM.normal(size=400) > 2, "yes", "no").astype(object)
COLUMNS = {"useful": X[:, 0], "useless": X[:, 1], "y": RARE}


def answers(weight: Any, make: Any, columns: dict[str, np.ndarray] = COLUMNS) -> np.ndarray:
    """Answers to COLUMNS of what is learned from `columns` with that model.class_weight."""
    asked = config("binary", ["no", "yes"], model={"class_weight": weight})
    with using(build=lambda config, **_: make()):
        encoder, estimator = fit.fit(asked, columns)
    found: np.ndarray = forms.plain_scorer(estimator)(encoder.apply(COLUMNS))
    return found


def twice(rows: np.ndarray) -> dict[str, np.ndarray]:
    """COLUMNS with these rows three times."""
    order = np.concatenate([np.arange(400), np.flatnonzero(rows), np.flatnonzero(rows)])
    return {name: values[order] for name, values in COLUMNS.items()}


def test_a_weight_of_three_is_as_three_rows() -> None:
    def make() -> Any:
        return GradientBoostingClassifier(n_estimators=5, max_depth=2, random_state=0)

    weighed = answers({"yes": 3}, make)
    np.testing.assert_allclose(weighed, answers(None, make, twice(RARE == "yes")), atol=1e-9)
    assert abs(weighed - answers(None, make)).max() > 0.05
    np.testing.assert_allclose(weighed, answers({"yes": 9, "no": 3}, make), atol=1e-9)


@pytest.mark.parametrize(
    "make",
    [
        lambda: LogisticRegression(),
        lambda: HistGradientBoostingClassifier(max_iter=10, random_state=0),
        lambda: GradientBoostingClassifier(n_estimators=10, random_state=0),
        lambda: pytest.importorskip("lightgbm").LGBMClassifier(n_estimators=10),
        lambda: pytest.importorskip("xgboost").XGBClassifier(n_estimators=10, max_depth=1),
    ],
)
def test_balanced_classes_have_the_same_weight_by_any_estimator(make: Any) -> None:
    mean = answers("balanced", make)[:, 1].mean()
    assert answers(None, make)[:, 1].mean() < 0.2
    assert 0.25 < mean < 0.6


def test_several_classes_are_weighed_by_their_names() -> None:
    asked = config("multiclass", ["a", "b", "c"], model={"class_weight": {"c": 4, "a": 2}})
    weights = libraries.weights(asked, LogisticRegression(), np.array([0, 1, 2, 2]))
    assert weights["sample_weight"].tolist() == [2, 1, 4, 4]
    assert libraries.weights(config("multiclass", ["a", "b"]), LogisticRegression(), X) == {}


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (KNeighborsClassifier, "fit of KNeighborsClassifier takes no weights"),
        (lambda: make_pipeline(StandardScaler(), LogisticRegression()), "fit of Pipeline takes no"),
        (lambda: LogisticRegression(class_weight="balanced"), "class_weight of model.params weig"),
    ],
)
def test_an_estimator_that_cannot_weigh_or_does_already_is_refused(make: Any, says: str) -> None:
    with pytest.raises(InputError, match=f"model.class_weight: {says}"):
        answers("balanced", make)


def test_the_weights_are_written_as_they_are_read() -> None:
    asked = config("binary", ["no", "yes"], model={"class_weight": {"yes": 3.5}})
    again = Config.model_validate(asked.model_dump(mode="json"))
    assert again.model.class_weight == {"yes": 3.5}
