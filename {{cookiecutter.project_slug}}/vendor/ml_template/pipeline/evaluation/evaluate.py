"""evaluate: measure the candidate, as it would be served, on the hold-out rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...model import artifact, bootstrap, measures, metrics
from ...model.shapes import Bin, Evaluation
from ...outside.progress import say
from ...settings.config import CONFIG_FILE, Config, InputError, load_config
from ...storage.files import new_folder, read_json, write_json
from ...storage.places import CANDIDATE, EVALUATION, METRICS_FILE, PREPARED, REPORTS
from ...tables import small, table
from ..data import answering
from . import importance, plots, response, shapley
from .chart import Plot
from .figures import judged


def run() -> None:
    """Write reports/plots, reports/evaluation.json and reports/metrics.json."""
    config = load_config()
    model = artifact.load(CANDIDATE)
    data = read_json(PREPARED / "data.json", "run `make run`")
    check_model(config, model, data)
    test = table.read_parquet(PREPARED / "test.parquet")
    truth = metrics.encode_target(test[config.data.target], config.data.labels)
    judges = answering.judges(config, CANDIDATE, model, test)
    prediction = check_prediction(answering.answers(judges, test), truth)
    drawn = bootstrap.replicates(len(truth))
    say(f"evaluate: {drawn:,} resamples of {len(truth):,} rows")
    _, found = judged(config, test, prediction, threshold=model.threshold)
    least = config.report.min_cell
    important = importance.measure(config, judges, test, truth)
    record: Evaluation = {
        "model": model.digest,
        "data": data,
        "task": config.data.task,
        "target": config.data.target,
        "seed": config.seed,
        "replicates": drawn,
        "headline": measures.headline(config),
        **found,
        "confusion": _confusion(truth, prediction, least, model.threshold),
        "importance": important,
        "plots": [
            {key: plot[key] for key in ("file", "title", "text")}
            for plot in _plots(
                config,
                truth,
                prediction,
                found["calibration"]["bins"],
                model.threshold,
                [
                    *shapley.plots(config, model, test),
                    *response.curves(config, model, test, important),
                ],
            )
        ],
    }
    write_json(EVALUATION, record)
    write_json(METRICS_FILE, record["metrics"])
    best = record["metrics"][record["headline"]]
    print(
        f"evaluate: {record['headline']} {best['value']:.3f} [{best['low']:.3f}, "
        f"{best['high']:.3f}] on {len(truth):,} rows -> {METRICS_FILE}"
    )


def check_model(config: Config, model: artifact.Model, data: dict[str, Any]) -> None:
    """Raise InputError when the candidate belongs to another configuration or other data."""
    identity = model.identity
    wanted = {
        "task": config.data.task,
        "target": config.data.target,
        "labels": list(config.data.labels),
        "data": data,
    }
    other = [key for key, value in wanted.items() if identity[key] != value]
    if other:
        raise InputError(
            f"{CANDIDATE} was trained with another {' and '.join(other)} than {CONFIG_FILE} and "
            f"{PREPARED} now hold: run `make train`"
        )


def check_prediction(prediction: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """The prediction; raises InputError for no rows and for values that are not finite."""
    if len(truth) == 0:
        raise InputError(f"{PREPARED / 'test.parquet'} has no rows: raise split.test")
    wrong = ~np.isfinite(prediction.reshape(len(truth), -1)).all(axis=1)
    if wrong.any():
        raise InputError(
            f"the model in {CANDIDATE} answers {int(wrong.sum()):,} of {len(truth):,} test rows "
            f"with values that are not finite: look at model.params and features.py"
        )
    return prediction


def _confusion(
    truth: np.ndarray, prediction: np.ndarray, least: int, threshold: float | None = None
) -> list[list[small.Count]]:
    """Rows: true class, columns: predicted class, as they are shown; empty for regression."""
    if prediction.ndim == 1:
        return []
    size = prediction.shape[1]
    cells = truth * size + metrics.chosen(prediction, threshold)
    counts: list[list[int]] = np.bincount(cells, minlength=size**2).reshape(size, size).tolist()
    return [small.counts(row, least) for row in counts]  # its total is that of the class


def _plots(
    config: Config,
    truth: np.ndarray,
    prediction: np.ndarray,
    bins: list[Bin],
    threshold: float | None,
    responses: list[Plot],
) -> list[Plot]:
    least = config.report.min_cell
    with new_folder(REPORTS / "plots") as folder:
        write_json(folder / response.DATA, responses)
        if config.data.task == "regression":
            return plots.regression(folder, truth, prediction, least)
        costs, labels = measures.costs(config), config.data.labels
        return plots.classification(
            folder, truth, prediction, labels, bins, least, threshold, costs
        )
