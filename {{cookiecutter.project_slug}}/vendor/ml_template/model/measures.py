"""The metrics of a project: the kit's for its task and its own, and which of them stand for it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import isclose, isnan, nan
from typing import get_args

import numpy as np

from ..project import handed, named, place
from ..settings.config import CONFIG_FILE, Config, InputError, Task
from ..tables.arrays import Columns
from . import metrics, quantiles
from .metrics import METRICS, RANGES, Array, Weighted

TASKS: tuple[Task, ...] = get_args(Task)
# The metric of a slice: several classes are seldom all there, and R2 depends on a slice's variance.
_SLICED: dict[Task, str] = {
    "binary": "roc_auc",
    "multiclass": "accuracy",
    "regression": "neg_mean_absolute_error",
}
# Of a threshold by its form: the metric that says whether it is what was wanted.
WANTED = {"recall": "recall", "precision": "precision", "costs": "neg_cost"}
_ROUNDING = 1e-9  # at the ends of a range


@dataclass(frozen=True)
class Metric:
    """A metric of your own; `Project(metrics="metrics:METRICS")` names a list of them.

    function(truth, answers) -> float, NaN where it is not defined. Classification: `truth` (n,) are
    numbers of classes (binary: 1 is the positive one), `answers` (n, classes) are probabilities.
    Regression: both are values (n,). It is called for each of about a thousand resamples, in which
    a row stands never, once or more than once, in any order; by several threads at once. With
    data.weight it is function(truth, answers, weights), where each row stands once with what it
    counts.

    Its values lie within [low, high]. Where less is better it is reported as neg_<name> with the
    other sign, as scikit-learn does: so higher is better everywhere.
    """

    name: str
    function: Callable[..., float]
    low: float = 0.0
    high: float = 1.0
    higher_is_better: bool = True
    tasks: tuple[Task, ...] = TASKS

    @property
    def reported(self) -> str:
        """Its name in reports, model_config.yaml and gates.yaml."""
        return self.name if self.higher_is_better else f"neg_{self.name}"


def known(
    config: Config, threshold: float | None = None, columns: Columns | None = None
) -> dict[str, Weighted]:
    """Every metric of the task by name, the headline first; raises InputError for a faulty one.

    `threshold` is that of the model whose answers are measured: see artifact.Described. Of the n
    rows `columns` each counts as much as data.weight says; without them all alike.
    """
    quantile = config.model.quantile
    found = (quantiles.of_quantile(quantile) if quantile else {}) | METRICS[config.data.task]
    if threshold is not None:
        found |= {each.__name__: partial(each, threshold=threshold) for each in metrics.BY_CLASS}
    if each := costs(config):
        found["neg_cost"] = partial(metrics.neg_cost, threshold=threshold, costs=each)
    found |= {m.reported: _weighted(m, bool(config.data.weight)) for m in _own(config)}
    usual = quantiles.HEADLINE if quantile else metrics.HEADLINE[config.data.task]
    first = _chosen(config, "headline", found, usual)
    counts = None if columns is None else counted(config, columns)
    found = {first: found[first]} | found
    return {name: by_row(metric, counts) for name, metric in found.items()}


def counted(config: Config, columns: Columns) -> Array | None:
    """How much each of n rows counts, 1 in the mean; None where data.weight names no column.

    Raises InputError where no row counts.
    """
    name = config.data.weight
    if name is None:
        return None
    found: Array = columns[name].astype(np.float64)
    if not found.sum() > 0:
        rows = f"all of {len(found):,} rows to learn from or to test"
        raise InputError(f"{CONFIG_FILE}: data.weight: {name!r} is 0 in {rows}: correct the data")
    return found / found.mean()


def by_row(metric: Weighted, counts: Array | None) -> Weighted:
    """`metric` of rows that count as much as `counts` (n,) says, in each resample of them."""
    if counts is None:
        return metric
    return lambda truth, prediction, weights: metric(truth, prediction, weights * counts)


def costs(config: Config) -> tuple[float, float] | None:
    """Costs of a false positive and of a false negative, where model.threshold names them."""
    named = config.model.threshold.costs if config.model.threshold else None
    return (named.false_positive, named.false_negative) if named else None


def headline(config: Config) -> str:
    """Name of the metric that stands for a model: metrics.headline, else that of the task."""
    return next(iter(known(config)))


def judged(config: Config) -> list[str]:
    """Names of the metrics whose intervals gates read: the headline, and what is wanted."""
    wanted = WANTED.get(config.model.threshold.form) if config.model.threshold else None
    return list(dict.fromkeys([headline(config), *([wanted] if wanted else [])]))


def sliced(config: Config) -> str:
    """Name of the metric that is measured in slices: metrics.slices, else that of the task."""
    usual = "neg_mean_pinball_loss" if config.model.quantile else _SLICED[config.data.task]
    return _chosen(config, "slices", known(config), usual)


def ranges(config: Config) -> dict[str, tuple[float, float]]:
    """Lowest and highest value of each metric."""
    own = {
        m.reported: (m.low, m.high) if m.higher_is_better else (-m.high, -m.low)
        for m in _own(config)
    }
    return _ranges(config) | own


def _ranges(config: Config) -> dict[str, tuple[float, float]]:
    each = costs(config)
    cost = {"neg_cost": (-max(each), 0.0)} if each else {}
    return RANGES | cost | (quantiles.RANGES if config.model.quantile else {})


def _chosen(config: Config, key: str, found: dict[str, Weighted], usual: str) -> str:
    name: str = getattr(config.metrics, key) or usual
    if name not in found:
        raise InputError(
            f"{CONFIG_FILE}: metrics.{key}: {name!r} is no metric of a {config.data.task} task: "
            f"choose one of {', '.join(found)}"
        )
    return name


def _own(config: Config) -> list[Metric]:
    """The project's own metrics for the task, each as it may be."""
    where = handed().metrics
    if where is None:
        return []
    listed = named("metrics", where)
    if not isinstance(listed, list | tuple) or not all(isinstance(m, Metric) for m in listed):
        raise InputError(f"{_place()} must be a list of Metric")
    names = [*_ranges(config), *(metric.reported for metric in listed)]
    for metric in listed:
        fault = _fault(metric, names.count(metric.reported) > 1)
        if config.data.weight and len(inspect.signature(metric.function).parameters) < 3:
            fault = "data.weight is set: let its function take (truth, answers, weights)"
        if fault:
            raise InputError(f"{_place()}: {metric.name!r}: {fault}")
    return [metric for metric in listed if config.data.task in metric.tasks]


def _fault(metric: Metric, twice: bool) -> str | None:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", metric.name):
        return "a name is made of small letters, digits and _: name it so"
    if twice:
        return f"there is another metric {metric.reported}: take another name"
    if not metric.low < metric.high:
        return f"low {metric.low} is not below high {metric.high}: correct them"
    if not set(metric.tasks) <= set(TASKS):
        return f"tasks {list(metric.tasks)} must be of {', '.join(TASKS)}: correct them"
    return None


def _weighted(metric: Metric, counts: bool) -> Weighted:
    """The metric as the kit's are: a value for each weighting, that is resample, of the rows.

    Where rows count differently it is given the weights of those that count at all.
    """
    sign = 1 if metric.higher_is_better else -1

    def measured(truth: Array, prediction: Array, weights: Array) -> Array:
        if counts:
            some = [(np.flatnonzero(each), each) for each in weights]
            values = [_value(metric, truth[at], prediction[at], each[at]) for at, each in some]
            return sign * np.array(values)
        drawn = (np.repeat(np.arange(len(truth)), each) for each in weights.astype(np.intp))
        values = [_value(metric, truth[rows], prediction[rows]) for rows in drawn]
        return sign * np.array(values)

    return measured


def _value(metric: Metric, truth: Array, *answers: Array) -> float:
    if not len(truth):
        return nan
    found = metric.function(truth, *answers)
    said = f"{_place()}: {metric.name!r} is {found!r}"
    if isinstance(found, bool) or not isinstance(found, int | float | np.number):
        raise InputError(f"{said}: its function must return one number")
    value = float(found)
    within = min(max(value, metric.low), metric.high)
    if not (isnan(value) or isclose(value, within, rel_tol=_ROUNDING, abs_tol=_ROUNDING)):
        raise InputError(
            f"{said}, outside its range [{metric.low:g}, {metric.high:g}]: correct its function, "
            f"or low and high"
        )
    return value if isnan(value) else within


def _place() -> str:
    where = str(handed().metrics)
    return f"{place(where)}: {where.partition(':')[2]}"
