"""How the answer follows one column: partial dependence (Friedman 2001) on rows of the hold-out."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...model import artifact, moments
from ...model.shapes import Importance
from ...settings.config import Config
from ...tables import arrays, table
from ...tables.table import Columns
from .chart import Mark, Plot, plain

DATA = "responses.json"
COLUMNS = 15
ROWS = 400
VALUES = 11  # of a number
PARTS = 31  # values of a part of a moment, at most
LABELS = 10  # of a column of labels, the most frequent
CLASSES = 3  # of several, the most frequent
INNER = 0.05  # below and above this share of the rows no value is shown


def curves(
    config: Config, model: artifact.Model, test: Columns, important: list[Importance]
) -> list[Plot]:
    """One plot for each of the most important columns: the mean answer where all rows had a value.

    Values are quantiles or labels that `report.min_cell` rows or more have, or lie beyond.
    """
    rows = table.rows(test)
    chosen = np.random.default_rng(config.seed).permutation(rows)[:ROWS]
    inputs = table.take({name: test[name] for name in config.features}, np.sort(chosen))
    usual = model.predict(inputs)
    outputs = _outputs(usual, model.labels)
    found = []
    for entry in important[:COLUMNS]:
        name = entry["feature"]
        if name not in test:  # a part of a time
            values, means = _of_part(model, inputs, name, max(config.report.min_cell, 1))
            texts: list[str] = []
        else:
            values, texts = _values(config, name, test[name])
            means = [_mean(model, inputs, name, value) for value in values]
        if len(values) < 2:
            continue
        answers = np.array(means)
        found.append(_plot(config, name, values, texts, answers.reshape(len(values), -1), outputs))
    return found


def _outputs(usual: np.ndarray, labels: tuple[str, ...]) -> list[tuple[int, str]]:
    """Which answers are drawn, and their names."""
    if usual.ndim == 1:
        return [(0, "")]
    if usual.shape[1] == 2:
        return [(1, "")]
    often = np.argsort(-usual.mean(axis=0), kind="stable")[:CLASSES]
    return [(at, labels[at]) for at in sorted(often.tolist())]


def _mean(model: artifact.Model, inputs: Columns, name: str, value: Any) -> np.ndarray:
    same = np.empty_like(inputs[name])
    same[:] = value
    mean: np.ndarray = model.predict(inputs | {name: same}).mean(axis=0)
    return mean


def _of_part(
    model: artifact.Model, inputs: Columns, title: str, least: int
) -> tuple[list[Any], list[np.ndarray]]:
    """Whole numbers of a part of a moment that `least` rows have, and the mean answer to each."""
    (column,) = (
        column
        for column in model.encoder.state
        if "part" in column and moments.title(column["name"], column["part"]) == title
    )
    numbers = np.floor(moments.numbers(inputs[column["name"]], column["part"]))
    values, first, counts = np.unique(numbers, return_index=True, return_counts=True)
    kept = np.flatnonzero((counts >= least) & ~np.isnan(values))
    kept = kept[:: math.ceil(len(kept) / PARTS) or 1]
    matrix, at = model.encoder.apply(inputs), model.encoder.parts[title]
    means = []
    for row in first[kept]:
        same = matrix.copy()
        same[:, at] = matrix[row, at]
        means.append(model.score(same).mean(axis=0))
    return values[kept].tolist(), means


def _values(config: Config, name: str, values: np.ndarray) -> tuple[list[Any], list[str]]:
    """Values of a column to be asked for, and their names where it is one of labels."""
    least, kind = max(config.report.min_cell, 1), config.columns[name].type
    present = values[~arrays.missing(values)]
    if kind == "text":
        return [], []
    if kind in ("categorical", "boolean"):
        labels, counts = np.unique(present, return_counts=True)
        most = np.argsort(-counts, kind="stable")[:LABELS]
        kept = labels[most[counts[most] >= least]].tolist()
        names = {0: "false", 1: "true"} if kind == "boolean" else {}
        return kept, [str(names.get(value, value)) for value in kept]
    share = max(INNER, least / max(len(present), 1))
    if share >= 0.5:
        return [], []
    quantiles = np.quantile(_numbers(present), np.linspace(share, 1 - share, VALUES))
    found = np.unique(_days(quantiles) if kind == "datetime" else _rounded(quantiles))
    return list(found.astype("M8[s]").astype(values.dtype) if kind == "datetime" else found), []


def _numbers(values: np.ndarray) -> np.ndarray:
    is_time = values.dtype.kind == "M"
    return (values.astype("M8[s]") if is_time else values).astype(np.float64)


def _days(seconds: np.ndarray) -> np.ndarray:
    """Whole days: the second of a row may tell whose it is."""
    days: np.ndarray = seconds // 86_400 * 86_400
    return days


def _rounded(values: np.ndarray) -> np.ndarray:
    """Three digits: a value on an axis must read well."""
    return np.array([float(f"{value:.3g}") for value in values])


def _plot(
    config: Config,
    name: str,
    values: list[Any],
    texts: list[str],
    answers: np.ndarray,
    outputs: list[tuple[int, str]],
) -> Plot:
    answer = "value" if config.data.task == "regression" else "probability"
    what = config.data.positive or config.data.target
    marks: list[Mark] = []
    for color, (at, label) in enumerate(outputs):
        drawn = [float(f"{each:.5g}") for each in answers[:, at]]
        named = {"name": label} if label else {}
        if texts:
            axes: Mark = {"kind": "dots", "x": drawn, "y": [*range(len(drawn))]}
        else:
            axes = {"kind": "line", "x": _numbers(np.array(values)).tolist(), "y": drawn}
        marks.append(axes | {"color": color} | named)
    y = f"mean {answer} of {plain(what)}" if len(outputs) == 1 else f"mean {answer}"
    plot: Plot = {"title": name, "text": y, "x": y if texts else plain(name), "y": y}
    if name in config.columns and config.columns[name].type == "datetime":
        plot["time"] = True
    return plot | ({"names": texts} if texts else {}) | {"marks": marks}
