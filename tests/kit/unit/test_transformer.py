"""A transformer of the project's own: fitted on training rows, kept as data, the same anywhere."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from ml_template import Columns, InputError, Project
from ml_template import project as projects
from ml_template.model import artifact
from ml_template.model.encoder import Encoder
from ml_template.pipeline.training import fit, supervised, train, transformer
from ml_template.serving.records import Records
from ml_template.settings.config import load_config
from ml_template.storage import places
from ml_template.tables.arrays import take
from sklearn.linear_model import LogisticRegression

from ..conftest import PACKAGE, Trained
from .test_learned_columns import configured

N = 400
Extend = Callable[[Any], None]
CONFIG = configured({"town": {"type": "categorical", "missing": True}, "size": {"type": "numeric"}})


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Iterator[Extend]:
    """Hand over the project with this transformer."""

    def hand_over(own: Any) -> None:
        monkeypatch.setitem(sys.modules, f"{PACKAGE}.usual", SimpleNamespace(OWN=own))
        projects.hand_over(replace(Project(PACKAGE), transformer="usual:OWN"))

    yield hand_over
    projects.hand_over(Project(PACKAGE))


def towns(seed: int = 0) -> Columns:
    draw = np.random.default_rng(seed)
    names = np.array(["Łódź", "Bonn", "İzmir", None], dtype=object)[draw.integers(0, 4, N)]
    y = np.where(draw.random(N) < 0.5, "yes", "no").astype(object)
    return {"town": names, "size": draw.lognormal(size=N), "y": y}


class Usual:
    """The size as a part of what is usual in the town; a town of few rows by its name."""

    def fit(self, columns: Columns) -> dict[str, Any]:
        town, size = columns["town"], columns["size"]
        known = sorted({name for name in town if name is not None})
        return {"usual": {name: np.median(size[town == name]) for name in known}}

    def transform(self, columns: Columns, state: dict[str, Any]) -> Columns:
        usual = [state["usual"].get(name, np.nan) for name in columns["town"]]
        share = columns["size"] / np.array(usual)
        kind = np.where(share > 1, "much", "little").astype(object)
        kind[np.isnan(share)] = None
        return {"share": share, "kind": kind}


class Rate:
    """The share of positive rows of a size, each size by itself: it knows each row by heart."""

    def fit(self, columns: Columns, target: np.ndarray) -> dict[str, Any]:
        return {"rates": {f"{s!r}": float(t) for s, t in zip(columns["size"], target, strict=True)}}

    def transform(self, columns: Columns, state: dict[str, Any]) -> Columns:
        return {"rate": np.array([state["rates"].get(f"{s!r}", 0.5) for s in columns["size"]])}


def changed(**ways: Any) -> Any:
    return type("Changed", (Usual,), {name: staticmethod(way) for name, way in ways.items()})


def fitted(columns: Columns) -> Encoder:
    return fit.fit(CONFIG, columns, min_samples_leaf=5, max_iter=5)[0]


def test_a_project_without_one_has_the_encoder_it_had() -> None:
    assert transformer.learn(CONFIG, towns()) is None
    assert set(fitted(towns()).to_json()) == {"inputs", "state"}


@pytest.mark.parametrize("own", [Usual, Usual(), Rate])
def test_the_state_is_json_and_a_row_is_answered_as_in_the_table(use: Extend, own: Any) -> None:
    use(own)
    encoder, columns = fitted(towns()), towns(1)
    again = Encoder(**json.loads(json.dumps(encoder.to_json(), allow_nan=False)))
    table = again.apply(columns)
    np.testing.assert_array_equal(table, encoder.apply(columns))
    rows = [again.apply(take(columns, np.array([at]))) for at in range(N)]
    np.testing.assert_array_equal(np.concatenate(rows), table)


def test_it_is_fitted_on_the_rows_of_the_training_alone(use: Extend) -> None:
    use(Usual)
    columns = towns()
    half = np.arange(N // 2)
    state = fitted(take(columns, half)).to_json()["own"]["state"]
    rows = half[columns["town"][half] == "Bonn"]
    assert state["usual"]["Bonn"] == np.median(columns["size"][rows])


def test_where_it_uses_the_target_the_training_rows_see_what_others_say(use: Extend) -> None:
    use(Rate)
    columns = towns()
    own = transformer.learn(CONFIG, columns)
    assert own is not None
    assert (own.columns["rate"] == 0.5).all()  # no row is known to the others
    encoder = fitted(columns)
    known = encoder.apply(columns)[:, encoder.names.index("rate")]
    np.testing.assert_array_equal(known, columns["y"] == "yes")  # and a service knows all
    matrix = supervised.training_matrix(encoder, columns, {}, own.columns)
    assert (matrix[:, encoder.names.index("rate")] == 0.5).all()
    assert matrix.shape == (N, encoder.width)


def test_cross_fitted_rows_stand_where_they_stood(use: Extend) -> None:
    ends = changed(
        fit=lambda columns, target: {"rows": len(target)},
        transform=lambda columns, state: {
            "at": columns["size"] + 0.0 * state["rows"],
            "name": columns["town"].copy(),
        },
    )
    use(ends)
    columns = towns()
    own = transformer.learn(CONFIG, columns)
    assert own is not None
    np.testing.assert_array_equal(own.columns["at"], columns["size"])
    assert own.columns["name"].tolist() == columns["town"].tolist()


@pytest.mark.parametrize(
    ("state", "says"),
    [
        ({"a": np.array([1.0])}, r"state\['a'\] that is a ndarray"),
        ({"a": [1.0, float("nan")]}, r"state\['a'\]\[1\] that is nan"),
        ({"a": {"b": float("inf")}}, r"state\['a'\]\['b'\] that is inf"),
        ({"a": {1: 2.0}}, r"state\['a'\] that is a dict with keys that are no texts"),
        ({"a": (1, 2)}, r"state\['a'\] that is a tuple"),
        ({"a": np.int64(1)}, r"state\['a'\] that is a int64"),
        ([1, 2], "state that is a list"),
        (None, "state that is a NoneType"),
    ],
)
def test_a_state_that_is_no_plain_data_is_refused_with_its_place(
    use: Extend, state: Any, says: str
) -> None:
    use(changed(fit=lambda columns: state))
    with pytest.raises(InputError, match=rf"src/{PACKAGE}/usual\.py: fit returned a {says}"):
        fitted(towns())


def test_a_state_of_every_plain_kind_is_kept(use: Extend) -> None:
    state = {"a": [1, 2.5, "ü", None, True], "b": {}, "c": {"d": np.float64(1.5)}}
    use(changed(fit=lambda columns: state, transform=lambda c, s: {"n": c["size"] * s["a"][1]}))
    assert fitted(towns()).to_json()["own"] == {"state": state, "columns": ["n"]}


@pytest.mark.parametrize(
    ("transform", "says"),
    [
        (lambda c, s: {"m": c["size"] - c["size"].mean()}, "'m' of a row depends on the other"),
        (lambda c, s: {"m": c["size"][:1]}, "'m' must be an array with one value for each"),
        (lambda c, s: {"m": c["size"] / 0.0}, "'m' is infinite in some rows: return NaN"),
        (lambda c, s: {"size": c["size"]}, "'size' is a column already"),
        (lambda c, s: {f"m{len(c['size'])}": c["size"]}, "one row gets other columns than a table"),
        (lambda c, s: {"m": c["sise"]}, r"line \d+: KeyError: 'sise'"),
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_wrong_columns_are_refused_by_name(use: Extend, transform: Any, says: str) -> None:
    use(changed(transform=transform))
    with pytest.raises(InputError, match=rf"usual\.py: {says}"):
        fitted(towns())


def test_other_columns_than_in_training_are_refused_when_they_come(use: Extend) -> None:
    use(Usual)
    encoder = fitted(towns())
    more = {"more": lambda c, s: Usual().transform(c, s) | {"more": c["size"]}}
    for transform in (more["more"], lambda c, s: {"share": c["size"]}):
        use(changed(transform=transform))
        with pytest.raises(InputError, match=r"usual\.py: transform returned the columns"):
            Encoder(**encoder.to_json()).apply(towns())


def test_a_model_with_it_in_a_project_without_it_is_named_with_the_remedy(use: Extend) -> None:
    use(Usual)
    state = fitted(towns()).to_json()
    projects.hand_over(Project(PACKAGE))
    with pytest.raises(InputError, match="the model has columns of a transformer: name it"):
        Encoder(**state)


@contextlib.contextmanager
def copied(trained: Trained, folder: Path) -> Iterator[None]:
    """The project of `trained` in another folder, to train there."""
    import shutil

    shutil.copytree(trained.folder, folder)
    with contextlib.chdir(folder):
        yield


class Region:
    """The income by that of the region."""

    def fit(self, columns: Columns, target: np.ndarray) -> dict[str, Any]:
        income, region = columns["income"], columns["region"]
        return {
            "usual": {n: float(np.nanmedian(income[region == n])) for n in sorted(set(region))},
            "rate": float(target.mean()),
        }

    def transform(self, columns: Columns, state: dict[str, Any]) -> Columns:
        usual = np.array([state["usual"].get(name, np.nan) for name in columns["region"]])
        return {"income_here": columns["income"] / usual * state["rate"]}


def test_training_and_service_answer_the_same_to_the_last_bit(
    use: Extend, trained: Trained, tmp_path: Path
) -> None:
    use(Region)
    with copied(trained, tmp_path / "own"):
        train.run()
        model = artifact.load(places.CANDIDATE)
        columns = take(trained.test, np.arange(50))
        records = Records(model, 100)
        sent = records.columns(
            [
                {n: None if v[at] is None or v[at] != v[at] else v[at] for n, v in columns.items()}
                for at in range(50)
            ]
        )
        whole = model.predict(columns)
        np.testing.assert_array_equal(model.predict(sent), whole)
        one = [model.predict(take(columns, np.array([at]))) for at in range(50)]
        np.testing.assert_array_equal(np.concatenate(one), whole)
        assert "income_here" in model.encoder.names
        assert load_config().data.target not in model.encoder.inputs


def test_a_label_that_a_service_alone_sees_is_tried_in_training(
    use: Extend, trained: Trained, tmp_path: Path
) -> None:
    strict = type(
        "Strict",
        (Region,),
        {
            "transform": lambda self, c, s: {
                "m": np.array([s["usual"][name] for name in c["region"]])
            }
        },
    )
    use(strict)
    with copied(trained, tmp_path / "own"), pytest.raises(InputError) as caught:
        train.run()
    assert "KeyError" in str(caught.value)
    assert "labels never seen, as a service gets them" in str(caught.value)


def test_one_that_draws_without_a_seed_is_named(
    use: Extend, trained: Trained, tmp_path: Path
) -> None:
    random = np.random.default_rng()
    use(
        changed(
            fit=lambda columns: {"d": float(random.random())},
            transform=lambda c, s: {"m": np.cos(c["income"] * s["d"])},
        )
    )
    with copied(trained, tmp_path / "own"), pytest.raises(InputError, match="answer differently"):
        train.run()


def test_a_linear_model_takes_it_on_the_scale_of_the_training_rows(use: Extend) -> None:
    use(Rate)
    columns = towns()
    with projects_build(lambda config, **_: LogisticRegression()):
        encoder, _ = fit.fit(CONFIG, columns)
    (entry,) = [entry for entry in encoder.state if entry["name"] == "rate"]
    assert (entry["mean"], entry["scale"]) == (0.5, 1.0)


@contextlib.contextmanager
def projects_build(build: Any) -> Iterator[None]:
    before = projects.handed()
    projects.hand_over(replace(before, build=build))
    try:
        yield
    finally:
        projects.hand_over(before)
