"""train: fit the encoder and the estimator, and keep them as data in models/candidate."""

from __future__ import annotations

import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils import get_tags
from sklearn.utils._param_validation import InvalidParameterError

from .. import artifact, encoder, forms, lineage, metrics, table
from ..config import CONFIG_FILE, Config, InputError, load_config
from ..files import read_json
from ..model import build
from ..table import Columns
from .prepare import PREPARED
from .search import search

CANDIDATE = Path("models/candidate")


def run() -> None:
    """Write models/candidate from data/prepared/train.parquet."""
    config = load_config()
    columns = table.read_parquet(PREPARED / "train.parquet")
    test = table.read_parquet(PREPARED / "test.parquet")
    params = search(config, columns)["params"] if config.search.trials else {}
    fitted, estimator = fit(config, columns, **params)
    check = np.concatenate([fitted.apply(test), fitted.apply(edge_rows(config, columns))])
    spec, content = forms.export(estimator, check)
    model = artifact.save(
        CANDIDATE, fitted, spec, content, identity(config, params), probe_rows(config, columns)
    )
    size = sum(facts["bytes"] for facts in model.identity["files"].values())
    print(
        f"train: {config.model.estimator} on {table.rows(columns):,} rows -> {CANDIDATE} "
        f"({model.digest[:16]}, {spec['form']} form, {size / 1e6:.1f} MB: {spec['why']})"
    )


def fit(config: Config, columns: Columns, **changes: Any) -> tuple[encoder.Encoder, Any]:
    """Encoder and estimator fitted on `columns`; `changes` go on top of model.params.

    Raises InputError for parameters scikit-learn refuses and for a fault of features.py.
    """
    estimator = build(config, **changes)
    texts = {name for name, column in config.features.items() if column.type == "text"}
    try:
        fitted = encoder.fit(columns, list(config.features), texts, encoding(config, estimator))
    except ValueError as error:
        raise InputError(str(error)) from error
    if "categorical_features" in estimator.get_params():
        estimator.set_params(categorical_features=fitted.categorical or None)
    try:
        truth = metrics.encode_target(columns[config.data.target], config.data.labels)
        estimator.fit(fitted.apply(columns), truth)
    except InvalidParameterError as error:
        raise InputError(f"{CONFIG_FILE}: model.params: {error}") from None
    return fitted, estimator


def encoding(config: Config, estimator: Any) -> encoder.Encoding:
    """`auto` is ordinal for trees that take missing values, else onehot."""
    if config.model.encoding != "auto":
        return config.model.encoding
    return "ordinal" if get_tags(estimator).input_tags.allow_nan else "onehot"


def identity(config: Config, found: dict[str, Any]) -> dict[str, Any]:
    """What the model was made from; the same in two folders with equal code, data, config, lock.

    `found` are parameters of a search, which go on top of model.params.
    """
    data = read_json(PREPARED / "data.json", "run `make run`")
    return {
        "task": config.data.task,
        "target": config.data.target,
        "labels": list(config.data.labels),
        "data": data,
        "seed": config.seed,
        "threads": config.compute.threads,
        "estimator": config.model.estimator,
        "params": config.model.params | found,
        **lineage.digests(config),
        "versions": {"python": platform.python_version()}
        | {name: version(name) for name in ("numpy", "scikit-learn", "treelite")},
    }


def probe_rows(config: Config, columns: Columns) -> Columns:
    """Five rows for the known answers, made of quantiles and labels: no row of the table."""
    shares = np.linspace(0.1, 0.9, 5)
    return {name: _spread(columns[name], shares) for name in config.features}


def _spread(values: np.ndarray, shares: np.ndarray) -> np.ndarray:
    if values.dtype == object:
        labels = sorted(set(values[encoder.present(values)])) or [None]
        return np.array([labels[int(share * len(labels))] for share in shares], dtype=object)
    known = np.sort(values[encoder.present(values)])
    return known[(shares * (len(known) - 1)).astype(int)]


def edge_rows(config: Config, columns: Columns) -> Columns:
    """Rows at the edge: all missing, categories never seen, extremes far outside the data."""
    edges = {}
    for name in config.features:
        values = columns[name]
        if values.dtype == object:
            edges[name] = np.array([None, "never seen", "", None, values[0]], dtype=object)
        elif values.dtype.kind == "M":
            edges[name] = np.array(["NaT", "1900-01-01", "2100-01-01", "NaT", values[0]], "M8[us]")
        else:
            edges[name] = np.array([np.nan, -1e12, 1e12, 0.0, values[0]])
    return edges
