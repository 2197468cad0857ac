"""train: fit the encoder and the estimator, and keep them as data in models/candidate."""

from __future__ import annotations

import platform
from collections import Counter
from importlib.metadata import version
from typing import Any

import numpy as np

from ...model import artifact, forms, lineage, manifest, measures, profile
from ...model.contract import TEXT
from ...model.encoder import Encoder
from ...outside.progress import say
from ...settings.config import Column, Config, InputError, load_config
from ...storage.files import read_json
from ...storage.places import CANDIDATE, PREPARED
from ...tables import arrays, table
from ...tables.table import Columns
from ..data import answering, folds
from . import encoding, epochs, operating, repeat
from .fit import fit, out_of_fold
from .search import search


def run() -> None:
    """Write models/candidate from data/prepared/train.parquet."""
    config = load_config()
    measures.sliced(config)  # a metric that is not there is named before the work, not after it
    columns = table.read_parquet(PREPARED / "train.parquet")
    test = table.read_parquet(PREPARED / "test.parquet")
    say(f"train: {config.model.estimator} on {table.rows(columns):,} rows")
    params = search(config, columns)["params"] if config.search.trials else {}
    fitted, estimator = fit(config, columns, **params)
    repeat.require(config, columns, params, estimator)
    edges, held = edge_rows(config, columns), fitted.apply(test)
    point = operating.choose(config, columns, params)
    threshold = point["value"] if point else None
    spec, content = _exported(config, fitted, estimator, held, edges, threshold)
    outputs = forms.scorer(spec, content)(held)
    judges: dict[str, Any] = {}
    if config.split.folds:
        outputs, judges[answering.FILE] = _folded(config, columns, edges, params, threshold)
    beside = judges | {
        artifact.PROFILE: profile.reference(columns, outputs, config, threshold),
        lineage.CONFIG: config.model_dump(mode="json", exclude=lineage.NO_PART),
    }
    probe = probe_rows(config, columns) | probe_texts(fitted)
    named = identity(config, params) | ({"threshold": point} if point else {})
    if trained := epochs.record(estimator):
        print(epochs.told(trained))
        beside[manifest.TRAINING] = trained
        named["device"] = trained["device"]
    model = artifact.save(CANDIDATE, fitted, spec, content, named, probe, beside)
    size = sum(facts["bytes"] for facts in model.identity["files"].values())
    print(
        f"train: {config.model.estimator} on {table.rows(columns):,} rows -> {CANDIDATE} "
        f"({model.digest[:16]}, {spec['form']} form, {size / 1e6:.1f} MB: {spec['why']})"
    )
    if point:
        print(f"train: {operating.said(config, point)}")


def _exported(
    config: Config,
    fitted: Encoder,
    estimator: Any,
    held: np.ndarray,
    edges: Columns,
    threshold: float | None,
) -> tuple[dict[str, Any], bytes]:
    edge = _edge(fitted, edges)
    check = np.concatenate([held, edge])
    return forms.export(estimator, check, config.model.trusted, threshold, len(edge))


def _folded(
    config: Config,
    columns: Columns,
    edges: Columns,
    params: dict[str, Any],
    threshold: float | None,
) -> tuple[np.ndarray, list[dict[str, Any]]]:
    """Answers to every row by a model of the same recipe that did not see it; and these models."""
    cuts = read_json(PREPARED / "data.json", "run `make run`")["cuts"]
    fold = folds.fold_of(config, columns, cuts)
    parts = [(fold != at, fold == at) for at in range(config.split.folds or 0)]
    outputs, numbers = [], []
    models: list[dict[str, Any]] = []
    fits = out_of_fold(config, columns, parts, "train: fold", **params)
    for rows, fitted, estimator in fits:
        held = fitted.apply(table.take(columns, rows))
        spec, content = _exported(config, fitted, estimator, held, edges, threshold)
        outputs.append(forms.scorer(spec, content)(held))
        numbers.append(np.flatnonzero(rows))
        models.append(answering.kept(fitted, spec, content))
    return answering.in_order(numbers, outputs), models


def identity(config: Config, found: dict[str, Any]) -> dict[str, Any]:
    """What the model was made from; the same in two folders with equal code, data, config, lock.

    `found` are parameters of a search, which go on top of model.params.
    """
    data = read_json(PREPARED / "data.json", "run `make run`")
    asked = {"quantile": config.model.quantile, "weight": config.data.weight}
    return {
        "task": config.data.task,
        "target": config.data.target,
        "labels": list(config.data.labels),
        "data": data,
        "seed": config.seed,
        "threads": config.compute.threads,
        "estimator": config.model.estimator,
        "params": config.model.params | found,
        "columns": config.model_dump(mode="json")["columns"],
        "missing": list(config.data.missing),
        **lineage.digests(config),
        **{key: value for key, value in asked.items() if value is not None},
        "versions": {"python": platform.python_version()}
        | {name: version(name) for name in ("numpy", "scikit-learn", "treelite")},
    }


def probe_rows(config: Config, columns: Columns) -> Columns:
    """Five rows for the known answers, made of quantiles and labels: no row of the table.

    Labels have profile.LEAST rows at least, or are listed in `values`.
    """
    shares = np.linspace(0.1, 0.9, 5)
    return {name: _spread(columns[name], shares, c) for name, c in config.features.items()}


def probe_texts(fitted: Encoder) -> Columns:
    """Five texts, short to long, for each column that terms are known of: of these terms alone."""
    return {
        column["name"]: np.array([_text_of(column, n) for n in (1, 10, 30, 100, 300)], object)
        for column in fitted.state
        if column["kind"] == "text"
    }


def _text_of(column: dict[str, Any], terms: int) -> str:
    known = [term.strip() for term in column["terms"]]
    return " ".join(known[at * len(known) // terms] for at in range(terms)) or TEXT


def _spread(values: np.ndarray, shares: np.ndarray, column: Column) -> np.ndarray:
    example = TEXT[: column.max_length]
    if column.type == "text":
        return np.full(len(shares), example, dtype=object)
    if values.dtype == object:
        seen = Counter(values[~arrays.missing(values)].tolist())
        listed = set(column.values or ())
        # what few rows have may be a person, and these rows are published as examples
        labels = sorted(v for v, rows in seen.items() if rows >= profile.LEAST or v in listed)
        if not labels:
            made_up = column.unseen == "allow" and bool(seen)
            labels = [example] if made_up else [value for value, _ in seen.most_common(1)] or [None]
        return np.array([labels[int(share * len(labels))] for share in shares], dtype=object)
    known = np.sort(values[~arrays.missing(values)])
    return known[(shares * (len(known) - 1)).astype(int)]


def _edge(fitted: Encoder, rows: Columns) -> np.ndarray:
    """The `rows` at the edge, encoded; raises InputError where the project's code fails on them."""
    try:
        with encoding.told("features.py"):
            return fitted.apply(rows)
    except ValueError as error:
        raise InputError(
            f"{error}: of a row of missing values or of labels never seen, as a service gets them: "
            f"answer NaN or None there"
        ) from error


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
