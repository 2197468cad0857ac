"""evaluate: measure the candidate, as it would be served, on the hold-out rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from .. import artifact, metrics, table
from ..config import CONFIG_FILE, Config, InputError, Task, load_config
from ..files import new_folder, read_json, write_json
from ..metrics import HEADLINE, METRICS, Interval
from ..places import CANDIDATE, EVALUATION, METRICS_FILE, PREPARED
from ..progress import say
from ..table import Columns
from .evaluation import fairness, importance
from .evaluation.slices import MAX_VALUES, Groups, group

REPORTS = Path("reports")
BINS = 10

# The metric of a slice: several classes are seldom all there, and R2 depends on a slice's variance.
SLICED: dict[Task, str] = {
    "binary": "roc_auc",
    "multiclass": "accuracy",
    "regression": "neg_mean_absolute_error",
}


def run() -> None:
    """Write reports/plots, reports/evaluation.json and reports/metrics.json."""
    config = load_config()
    model = artifact.load(CANDIDATE)
    data = read_json(PREPARED / "data.json", "run `make run`")
    check_model(config, model, data)
    test = table.read_parquet(PREPARED / "test.parquet")
    truth = metrics.encode_target(test[config.data.target], config.data.labels)
    prediction = check_prediction(model.predict(test), truth)
    sliced = slice_columns(config, test)
    used = [config.data.target, *dict.fromkeys([*config.sensitive, *sliced])]
    training = table.read_parquet(PREPARED / "train.parquet", used)
    groups = {
        name: group(name, config.columns[name].type, test[name], training[name])
        for name in used[1:]
    }
    drawn = metrics.replicates(len(truth))
    say(f"evaluate: {drawn:,} resamples of {len(truth):,} rows")
    measured = measure(config, truth, prediction, {name: groups[name] for name in sliced})
    calibration = calibrate(truth, prediction)
    record = {
        "model": model.digest,
        "data": data,
        "task": config.data.task,
        "target": config.data.target,
        "rows": len(truth),
        "seed": config.seed,
        "replicates": drawn,
        "classes": _counts(truth, config.data.labels),
        "headline": HEADLINE[config.data.task],
        **measured,
        "baseline": baseline(config, truth, training[config.data.target]),
        "fairness": [
            fairness.compare(name, groups[name], truth, prediction) for name in config.sensitive
        ],
        "calibration": calibration,
        "confusion": _confusion(truth, prediction),
        "importance": importance.measure(config, model, test, truth),
        "plots": _plots(config, truth, prediction, calibration["bins"]),
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


def slice_columns(config: Config, test: Columns) -> list[str]:
    """The sensitive columns and slices; if none is named, categorical features of few values."""
    named = list(dict.fromkeys([*config.sensitive, *config.slices]))
    return named or [
        name
        for name, column in config.features.items()
        if column.type == "categorical" and len(set(test[name])) <= MAX_VALUES
    ]


def measure(
    config: Config, truth: np.ndarray, prediction: np.ndarray, groups: dict[str, Groups]
) -> dict[str, Any]:
    """`metrics` with intervals, and the metric SLICED of each group of `slices` in the test set.

    One set of resamples serves all. Raises InputError for a metric that cannot be computed.
    """
    named, sliced = METRICS[config.data.task], SLICED[config.data.task]
    # Rows in the order of their score: each metric sorts them again for each set of resamples,
    # which costs little when they are sorted already.
    order = np.argsort(-prediction.reshape(len(truth), -1)[:, -1], kind="stable")
    truth, prediction = truth[order], prediction[order]
    groups = {name: Groups(found.names, found.codes[order]) for name, found in groups.items()}
    measures: dict[tuple[str, ...], Callable[[np.ndarray], np.ndarray]] = {
        (name,): partial(metric, truth, prediction) for name, metric in named.items()
    }
    members = {
        (column, name): np.flatnonzero(found.codes == code)
        for column, found in groups.items()
        for code, name in enumerate(found.names)
    }
    members = {key: index for key, index in members.items() if len(index)}
    for key, index in members.items():
        measures[key] = _within(index, partial(named[sliced], truth[index], prediction[index]))
    found = metrics.intervals(measures, len(truth), config.seed)
    for name in named:
        if not all(map(math.isfinite, found[name,])):
            reason = undefined(truth, config.data.labels)
            raise InputError(
                f"{name} cannot be computed on the {len(truth):,} test rows: {reason}; raise "
                f"split.test in {CONFIG_FILE}, or collect more data"
            )
    slices = [
        {"column": key[0], "group": key[1], "rows": len(index), "metric": sliced}
        | _slice(found[key], undefined(truth[index], config.data.labels))
        for key, index in members.items()
    ]
    return {"metrics": {name: found[name,]._asdict() for name in named}, "slices": slices}


def _within(
    index: np.ndarray, metric: Callable[[np.ndarray], np.ndarray]
) -> Callable[[np.ndarray], np.ndarray]:
    return lambda weights: metric(np.take(weights, index, axis=1))


def _slice(found: Interval, reason: str) -> dict[str, Any]:
    numbers = {
        key: value if math.isfinite(value) else None for key, value in found._asdict().items()
    }
    return numbers | ({"reason": reason} if None in numbers.values() else {})


def undefined(truth: np.ndarray, labels: Sequence[str]) -> str:
    """Why a headline metric has no value or no interval on these rows."""
    if not labels:
        return f"too few different values of the target ({len(np.unique(truth))})"
    counts = np.bincount(truth, minlength=len(labels))
    at = int(counts.argmin())
    return f"too few rows of class {labels[at]!r} ({counts[at]})"


def baseline(config: Config, truth: np.ndarray, training: np.ndarray) -> dict[str, float | None]:
    """Metrics of the naive model: class frequencies or mean of the training rows, for every row."""
    known = metrics.encode_target(training, config.data.labels)
    if config.data.task == "regression":
        naive = np.full(len(truth), known.mean())
    else:
        shares = np.bincount(known, minlength=len(config.data.labels)) / len(known)
        naive = np.tile(shares, (len(truth), 1))
    ones = np.ones((1, len(truth)))
    named = METRICS[config.data.task]
    return {name: float(metric(truth, naive, ones)[0]) for name, metric in named.items()}


def calibrate(truth: np.ndarray, prediction: np.ndarray) -> dict[str, Any]:
    """Expected calibration error (Guo et al. 2017) over BINS equal bins, and the bins in use.

    Binary: the probability of the positive class; several classes: that of the predicted class.
    """
    if prediction.ndim == 1:
        return {"error": None, "bins": []}
    if prediction.shape[1] == 2:
        chance, right = prediction[:, 1], truth == 1
    else:
        chance, right = prediction.max(axis=1), truth == prediction.argmax(axis=1)
    at = np.minimum((chance * BINS).astype(int), BINS - 1)
    rows = np.bincount(at, minlength=BINS)
    used = np.flatnonzero(rows)
    predicted = np.bincount(at, weights=chance, minlength=BINS)[used] / rows[used]
    observed = np.bincount(at, weights=right, minlength=BINS)[used] / rows[used]
    error = float(np.abs(predicted - observed) @ rows[used] / len(truth))
    columns = {"low": used / BINS, "high": (used + 1) / BINS, "rows": rows[used]}
    columns |= {"predicted": predicted, "observed": observed}
    used_bins = zip(*(column.tolist() for column in columns.values()), strict=True)
    return {
        "error": error,
        "bins": [dict(zip(columns, values, strict=True)) for values in used_bins],
    }


def _counts(truth: np.ndarray, labels: Sequence[str]) -> dict[str, int]:
    counts = np.bincount(truth, minlength=len(labels)).tolist() if labels else []
    return dict(zip(labels, counts, strict=True))


def _confusion(truth: np.ndarray, prediction: np.ndarray) -> list[list[int]]:
    """Rows: true class, columns: predicted class; empty for regression."""
    if prediction.ndim == 1:
        return []
    size = prediction.shape[1]
    cells = truth * size + prediction.argmax(axis=1)
    counts: list[list[int]] = np.bincount(cells, minlength=size**2).reshape(size, size).tolist()
    return counts


def _plots(
    config: Config, truth: np.ndarray, prediction: np.ndarray, bins: list[dict[str, float]]
) -> list[dict[str, str]]:
    from .evaluation import plots  # matplotlib

    with new_folder(REPORTS / "plots") as folder:
        if config.data.task == "regression":
            return plots.regression(folder, truth, prediction, config.seed)
        return plots.classification(folder, truth, prediction, config.data.labels, bins)
