"""What a candidate is judged by: its report files as strict types, and whether they are its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ...model import artifact, measures, shapes
from ...settings.config import Config, explain
from ...settings.gates import Check, Gates, fault
from ...storage.files import read_json
from ...storage.places import EVALUATION, METRICS_FILE, PREPARED
from ...tables import table
from ...tables.table import Columns
from ..data import proxies
from . import again

Count = Annotated[int, Field(ge=1)]
Lines = list[Check]


class Record(BaseModel):
    """Part of a report: numbers are finite numbers, never text or true; more keys may follow."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True, allow_inf_nan=False)


class Estimate(Record):
    """A value within its 95 % interval."""

    value: float
    low: float
    high: float

    @model_validator(mode="after")
    def _holds(self) -> Estimate:
        if not self.low <= self.value <= self.high:
            raise ValueError(f"the interval [{self.low}, {self.high}] does not hold {self.value}")
        return self


class Calibration(Record):
    """Expected calibration error and its noise; null for regression."""

    error: float | None
    noise: float | None = None


class Evaluation(Record):
    """reports/evaluation.json, as far as gates read it."""

    model: str
    data: dict[str, Any]
    task: str
    target: str
    rows: Count
    headline: str
    metrics: dict[str, Estimate]
    baseline: dict[str, float | None]
    slices: list[Any]  # of shapes.Slice
    fairness: list[Any]  # of shapes.Fairness
    calibration: Calibration


@dataclass(frozen=True)
class Evidence:
    """All a gate may look at.

    `measured`: see measure.figures; `rival`: see rival.compare; `told`: see proxies.find.
    """

    config: Config
    gates: Gates
    identity: dict[str, Any]
    evaluation: Evaluation
    lineage: shapes.Lineage
    measured: dict[str, float]
    rival: shapes.Rival
    told: Sequence[proxies.Proxy] = ()

    @property
    def headline(self) -> Estimate:
        """The metric that stands for the model."""
        return self.evaluation.metrics[self.evaluation.headline]


def told(config: Config, gates: Gates, identity: dict[str, Any]) -> list[proxies.Proxy]:
    """Features of the model of `identity` from which a sensitive column can be told."""
    rule, inputs = gates.sensitive_features, identity["known_answers"]["types"]
    if not rule or not config.sensitive:
        return []
    train = table.read_parquet(PREPARED / "train.parquet")
    seen = {
        name: train[name]
        for name, column in config.columns.items()
        if name in inputs and name not in config.sensitive and column.type != "text"
    }
    return proxies.find(seen, {name: train[name] for name in config.sensitive}, rule.max_told)


def vouched(
    config: Config,
    model: str,
    identity: dict[str, Any],
    test: Columns,
    answers: np.ndarray,
    content: shapes.Evaluation,
) -> Evaluation | list[str]:
    """The evaluation of the candidate `model`, whose report is `content`, as far as gates read it.

    `answers` are the candidate's to the hold-out rows `test`.

    Of small groups the report shows less than is judged: those figures are measured here. Where the
    report is no evidence it is one sentence for each reason.
    """
    found = read_evaluation(content, {"slices": [], "fairness": []})
    if isinstance(found, list):
        return found
    wrong = faults(found, config, model, identity, content)
    if wrong:
        return wrong
    every = again.measure(config, answers, artifact.threshold(identity), test, content)
    if isinstance(every, list):
        return every
    return read_evaluation(content, {"slices": every["slices"], "fairness": every["fairness"]})


def read_evaluation(content: Any, groups: Any = None) -> Evaluation | list[str]:
    """The evaluation, or one sentence for each fault of its form.

    `groups`, slices and fairness, stand for those of a report, which shows less of small ones.
    """
    try:
        is_whole = isinstance(content, dict) and groups and groups.keys() <= content.keys()
        return Evaluation.model_validate(content | groups if is_whole else content)
    except ValidationError as error:
        return str(explain(EVALUATION, error)).splitlines()


def faults(
    evaluation: Evaluation, config: Config, model: str, identity: dict[str, Any], content: Any
) -> list[str]:
    """Why the reports are no evidence on the candidate `model`: one sentence for each fault.

    `content` is the evaluation as it was read.
    """
    data = read_json(PREPARED / "data.json", "run `make run`")
    metrics = read_json(METRICS_FILE, "run `make run`")
    task = config.data.task
    wrong = []
    if evaluation.model != model:
        wrong.append(f"{EVALUATION} measures model {evaluation.model[:16]}, not {model[:16]}")
    if evaluation.data != data or identity["data"] != data:
        wrong.append(f"{EVALUATION}, the candidate and data/prepared are not of the same data")
    if evaluation.rows != data.get("test"):
        wrong.append(
            f"{EVALUATION} measures {evaluation.rows} rows of {data.get('test')} hold-out rows"
        )
    if metrics != content["metrics"]:
        wrong.append(f"{METRICS_FILE} and {EVALUATION} hold different metrics")
    expected = {"task": task, "target": config.data.target, "headline": measures.headline(config)}
    for key, value in expected.items():
        if getattr(evaluation, key) != value:
            wrong.append(f"{EVALUATION}: {key} is {getattr(evaluation, key)!r}, not {value!r}")
    known, ranges = measures.known(config), measures.ranges(config)
    for name in known.keys() ^ evaluation.metrics.keys():
        state = "is missing" if name in known else f"is no metric of a {task} task"
        wrong.append(f"{EVALUATION}: metrics.{name} {state}")
    for name, estimate in evaluation.metrics.items():
        for key, value in estimate:
            reason = fault(value, *ranges.get(name, (0.0, 0.0)))
            if name in ranges and reason:
                wrong.append(f"{EVALUATION}: metrics.{name}.{key}: {reason}")
    return wrong
