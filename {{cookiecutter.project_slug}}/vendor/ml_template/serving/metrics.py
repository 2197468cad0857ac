"""What /metrics tells: counts and times, never a value that was sent."""

from __future__ import annotations

import math
import os
from functools import partial

import numpy as np
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

from ..model.artifact import Model
from ..model.profile import known

SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
TENTHS = tuple(n / 10 for n in range(1, 11))
CODES = ("200", "400", "408", "413", "415", "422", "500", "503")


disable_created_metrics()  # type: ignore[no-untyped-call]


class Metrics:
    """The series of one service; children with few labels are made once, here."""

    def __init__(self, model: Model, columns: list[str]) -> None:
        self.threshold = model.threshold
        self.registry = registry = CollectorRegistry()
        counter = partial(Counter, registry=registry)
        histogram = partial(Histogram, registry=registry)
        requests = counter("predict_requests", "Answers of /predict by status code", ["code"])
        self.requests = {int(code): requests.labels(code) for code in CODES}
        self.seconds = histogram(
            "predict_seconds", "From the whole body to the answer", buckets=SECONDS
        )
        self.rows = counter("predict_rows", "Records that were answered")
        unseen = counter("predict_unseen", "Categories training did not know", ["column"])
        self.unseen = {name: unseen.labels(name) for name in columns}
        self.not_finite = counter("predict_not_finite", "Requests whose answer was not finite")
        self.dropped = counter("prediction_log_dropped", "Lines the prediction log left out")
        gauge = partial(Gauge, registry=registry, multiprocess_mode="max")
        info = gauge("model_info", "The model that is served", ["digest"])
        info.labels(model.digest[:16]).set(1)
        ProcessCollector(registry=registry)
        if model.labels:
            self.positive = histogram(
                "predict_probability", "Probability of the last class", buckets=TENTHS
            )
            answers = counter("predict_answers", "Answers by class", ["label"])
            self.answers = [answers.labels(label) for label in model.labels]
        else:
            self.value = histogram("predict_value", "Predicted values", buckets=edges(model))

    def count(self, outputs: np.ndarray, seconds: float) -> None:
        """One answered request: its outputs (n, k) or (n,)."""
        self.seconds.observe(seconds)
        self.rows.inc(len(outputs))
        if outputs.ndim == 2:
            for row in outputs.tolist():
                self.positive.observe(row[-1])
                if self.threshold is None:
                    self.answers[row.index(max(row))].inc()
                else:
                    self.answers[row[1] >= self.threshold].inc()
        else:
            for value in outputs.tolist():
                self.value.observe(value)

    def text(self) -> bytes:
        """The exposition format; of all worker processes where there are several."""
        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
            return generate_latest(self.registry)
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)


def edges(model: Model) -> tuple[float, ...]:
    """10 to 18 edges over what a regression model answered to its hold-out, 2 over one answer.

    Over the middle 96 %, or over all where there were few different ones; the first edge lies below
    the least. They are multiples of a power of two, so that two models share the coarser one's
    edges inside both ranges: buckets can be compared where `le` is the same.
    """
    facts = model.profile.get("answers", {}).get("value", {})
    marks = known(facts)[0].tolist() or facts.get("cuts")
    marks = marks or model.identity["known_answers"]["outputs"]
    low, high = min(marks), max(marks)
    step = 2.0 ** math.ceil(math.log2((high - low) / 16 or abs(high) / 16 or 1.0))
    first, last = math.ceil(low / step) - 1, math.ceil(high / step)
    return tuple(at * step for at in range(first, last + 1))
