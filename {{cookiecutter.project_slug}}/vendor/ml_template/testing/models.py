"""A small model trained from model_config.yaml and its table, for tests."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import yaml
from sklearn.linear_model import LogisticRegression, Ridge

from ..model import artifact, bootstrap, forms, measures, metrics
from ..outside import surroundings
from ..pipeline.data import prepare, sample, validate
from ..pipeline.training import fit, train
from ..project import Project, function, hand_over, handed
from ..settings.config import Config, load_config
from ..storage import places
from ..tables import reading, schema, table

ROWS, LEAST = 4000, 20
SMALL = Path("data/small.parquet")
PARTS = ("train", "test")
Predicts = Callable[[table.Columns], np.ndarray]


@dataclass(frozen=True)
class Trained:
    """A model trained in `folder`, its configuration, and its rows: arrays of n by column name."""

    folder: Path
    config: Config
    model: artifact.Model
    train: table.Columns
    test: table.Columns

    def truth(self, columns: table.Columns) -> np.ndarray:
        """The truth of rows, as metrics take it: class numbers or values (n,)."""
        return metrics.encode_target(columns[self.config.data.target], self.config.data.labels)

    def predict(self, columns: table.Columns) -> np.ndarray:
        """Answers to rows: (n, classes) probabilities, or (n,) values of a regression."""
        return self.model.predict(columns)

    def same(self, answers: np.ndarray, others: np.ndarray) -> bool:
        """Whether two answers to the same rows are the same to the model's limit, as gates ask."""
        spec = self.model.identity["model"]
        return forms.gap(spec, answers, others) <= forms.limit(spec)

    def learn(
        self, columns: table.Columns, config: Config | None = None, **params: Any
    ) -> Predicts:
        """Fit on these rows, with other model.params where they are given; what answers to rows."""
        fitted, estimator = fit.fit(config or self.config, columns, **params)
        scorer = forms.plain_scorer(estimator)
        return lambda asked: scorer(fitted.apply(asked))

    @property
    def plain(self) -> Config:
        """The configuration of a model of the mean, for which all rows count alike."""
        model = self.config.model.model_copy(update={"quantile": None})
        data = self.config.data.model_copy(update={"weight": None})
        return self.config.model_copy(update={"model": model, "data": data})

    def linear(self, columns: table.Columns) -> Predicts:
        """Fit a plain linear model, whatever model.py builds, on these rows; what answers."""
        spec = self.plain.model.model_copy(update={"params": {}, "encoding": "onehot"})
        with using(build=_linear):
            return self.learn(columns, self.plain.model_copy(update={"model": spec}))

    def features(self, columns: table.Columns) -> table.Columns:
        """What features.py adds to these rows, given the columns that it is given in training."""
        added: table.Columns = function("features")({n: columns[n] for n in self.config.features})
        return added

    def score(self, answers: np.ndarray, columns: table.Columns, metric: str = "") -> float:
        """A metric of answers to rows, by default the headline metric of the task."""
        known = measures.known(self.config, self.model.threshold, columns)
        measure = known[metric or measures.headline(self.config)]
        return float(measure(self.truth(columns), answers, np.ones((1, len(answers))))[0])

    def lead(self, answers: np.ndarray, others: np.ndarray) -> bootstrap.Interval:
        """By how much answers to the hold-out are better than others, by the headline metric."""
        known = measures.known(self.config, self.model.threshold, self.test)
        measure = known[measures.headline(self.config)]
        return bootstrap.paired_interval(measure, self.truth(self.test), answers, others, 0)

    def again(self) -> str:
        """The digest of a model that is trained anew from the same rows."""
        train.run()
        return artifact.load(places.CANDIDATE).digest

    def best_of_starter(self) -> float | None:
        """The best ROC AUC that a model of the starter table can reach; None for another table."""
        starter = self.config.data.target == "defaulted"
        return sample.best_roc_auc(self.config) if starter else None

    def typical(self) -> table.Columns:
        """One row in the middle of the training rows."""
        return table.take(artifact.known_rows(self.model.identity), np.array([2]))

    def faults(self, columns: table.Columns) -> list[dict[str, Any]]:
        """What model_config.yaml does not allow in these rows: {column, rule, rows, first}."""
        return schema.faults(columns, self.config)


def begin(project: Project) -> None:
    """Work for `project`, as every word of the Makefile does."""
    hand_over(project)
    surroundings.settle()


@contextlib.contextmanager
def using(**roles: Any) -> Iterator[None]:
    """Hand over the project with these functions in the place of its own."""
    ours = handed()
    hand_over(replace(ours, **roles))
    try:
        yield
    finally:
        hand_over(ours)


def _linear(config: Config, **params: Any) -> Any:
    linear = Ridge if config.data.task == "regression" else LogisticRegression
    return linear(random_state=config.seed, **params)


def take(columns: table.Columns, at: Any) -> table.Columns:
    """The rows `at` (numbers or a mask) of columns."""
    return table.take(columns, np.asarray(at))


def small_table(project: Path, folder: Path) -> None:
    """Write SMALL in `folder`: at most ROWS rows of the table of `project`, as its load.py has it.

    It reads where it always does: of a database, of two files, of what its environment names. Only
    a starter table that is not there yet is made in `folder`.
    """
    with contextlib.chdir(project):
        config = load_config()
        there = Path(config.data.path) != places.STARTER or places.STARTER.exists()
    with contextlib.chdir(project if there else folder):
        if not there:
            sample.run()
        data = table.read_raw(config)
    table.write_parquet(folder / SMALL, data.drop_columns([table.ROW]).take(_some(config, data)))


def _some(config: Config, data: pa.Table) -> np.ndarray:
    """Numbers of ROWS rows by chance, of all in a smaller table; LEAST of each class among them."""
    order = np.random.default_rng(0).permutation(data.num_rows)
    rare = np.zeros(data.num_rows, dtype=bool)
    if len(order) > ROWS and config.data.classes:
        codes = data[config.data.target].combine_chunks().indices.fill_null(-1).to_numpy()[order]
        for code in np.unique(codes):
            rare[np.flatnonzero(codes == code)[:LEAST]] = True
    return np.concatenate([order[rare], order[~rare][: ROWS - rare.sum()]])


@pytest.fixture(scope="session")
def trained(
    pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Trained]:
    """A folder with data, model_config.yaml and a trained model; it is the working folder."""
    with trained_in(pytestconfig.rootpath, tmp_path_factory.mktemp("project")) as made:
        yield made


@contextlib.contextmanager
def trained_in(project: Path, folder: Path) -> Iterator[Trained]:
    """Train on a part of the table of `project`, in `folder`; there the kit reads that part."""
    for name in ("model_config.yaml", "gates.yaml"):
        shutil.copy(project / name, folder)
    shutil.copytree(project / "requirements", folder / "requirements")
    (folder / "data").mkdir()
    for path in project.glob("data/*"):  # code of yours may read more of them
        if path.name != places.PREPARED.name:
            (folder / "data" / path.name).symlink_to(path.absolute())
    small_table(project, folder)
    with contextlib.chdir(folder):
        settings = yaml.safe_load(Path("model_config.yaml").read_text(encoding="utf-8"))
        settings["data"]["path"] = SMALL.as_posix()
        settings["search"] = {"trials": 0}
        settings.get("split", {}).pop("folds", None)  # a test asks about rows of no model's own
        settings.get("checks", {}).pop("min_rows", None)
        Path("model_config.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
        with using(load=reading.read_parquet):
            prepare.run()
        validate.run()
        train.run()
        model = artifact.load(places.CANDIDATE)
        rows = [table.read_parquet(places.PREPARED / f"{part}.parquet") for part in PARTS]
        yield Trained(folder, load_config(), model, *rows)
