"""How good the answers were, once labels came (`make join` writes reports/labelled.csv)."""

from __future__ import annotations

import math
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..model import manifest, measures
from ..model.artifact import Model, output_names
from ..model.bootstrap import Interval, interval
from ..model.metrics import encode_target
from ..model.shapes import Verdict
from ..registry.champion import folder
from ..settings.config import Config, InputError, load_config
from ..storage.places import LABELLED
from .evidence import Range
from .lines import Left, records
from .prediction_log import moment

PARTS = 8  # of the labels, by time
Both = tuple[Range | None, Range | None]  # of stable, of the one that is tried


class Answered(NamedTuple):
    """Labelled answers of one model: times and labels (n,), outputs (n, k) or (n,).

    `answers` (n,) are the classes that were answered, or nothing where the file does not say.
    """

    times: np.ndarray
    truth: np.ndarray
    outputs: np.ndarray
    answers: np.ndarray

    def threshold(self, positive: str | None) -> float | None:
        """The probability from which on `positive` was answered here; None where none is told."""
        if positive is None or not self.answers.all():
            return None
        return float(self.outputs[self.answers == positive, 1].min(initial=math.inf))

    def since(self, time: str) -> Answered:
        """Those from `time` (ISO 8601) on."""
        return Answered(*(part[self.times >= time] for part in self))


def measure(model: Model, kept: Verdict, config: Config, path: Path = LABELLED) -> dict[str, Any]:
    """{verdict, reason, rows, metric, value, low, high, before} of the labelled answers of `model`.

    `kept` is the verdict it passed, with the figures of its hold-out.

    Verdicts: dropped, kept, not enough data. Dropped: worse than on the hold-out by more than
    max_drop, and the 95 % interval lies below it. Raises InputError for a damaged file, and for one
    of which no label is of a model that is kept here.
    """
    name = measures.headline(config)
    before = kept["metrics"].get(name)
    found: dict[str, Any] = {"metric": name, "before": before and before["value"], "rows": 0}
    found["verdict"] = "not enough data"
    if not path.exists():
        return found | {"reason": "no labels were joined"}
    answered, others, left = _read(path, model.digest, config.data.labels)
    found["rows"] = count = len(answered.truth)
    if others and not count:
        reason = f"{path} has labels, none of an answer of this champion{left}"
        if not any((folder(name) / manifest.FILE).is_file() for name in others):
            raise InputError(
                f"{reason}, nor of any model that is kept here: run `make join` with the log "
                f"of this project, or remove the file"
            )
        return found | {"reason": reason}
    if count < config.monitoring.min_rows:
        return found | {"reason": f"{count} labels, {config.monitoring.min_rows} are needed{left}"}
    estimate = _headline(answered, config)
    if not all(map(math.isfinite, estimate)) or before is None:
        reason = "the labels are of one class only, or the model has no kept metrics"
        return found | {"reason": reason}
    found |= estimate._asdict() | {"over": _over(answered, config)}
    allowed = before["value"] - config.monitoring.max_drop
    dropped = estimate.value < allowed and estimate.high < before["value"]
    weighed = ", by data.weight, which labels have not" if config.data.weight else ""
    reason = (
        f"{name} {estimate.value:.4g} [{estimate.low:.4g}, {estimate.high:.4g}] of "
        f"{count:,} labels, {before['value']:.4g} on the hold-out{weighed}{left}"
    )
    return found | {"verdict": "dropped" if dropped else "kept", "reason": reason}


def _over(answered: Answered, config: Config) -> list[dict[str, Any]]:
    """{from, to, rows, value, low, high} of parts of min_rows labels or more, oldest first."""
    order = np.argsort(answered.times, kind="stable")
    parts = np.array_split(order, min(PARTS, len(order) // max(config.monitoring.min_rows, 1)))
    found = []
    for rows in parts if len(parts) > 1 else ():
        part = Answered(*(each[rows] for each in answered))
        estimate = _headline(part, config)
        if all(map(math.isfinite, estimate)):
            span = {"from": str(part.times[0]), "to": str(part.times[-1]), "rows": len(rows)}
            found.append(span | estimate._asdict())
    return found


def compare(stable: str, tried: str, path: Path = LABELLED) -> Both:
    """95 % intervals of the headline metric of the models `stable` and `tried` (digests).

    Judged are labels of answers since the first of `tried`. None for both where there is no file,
    or one of them has fewer than `min_rows` labels or no interval.
    Raises InputError for a damaged file.
    """
    if not path.exists():
        return None, None
    known = path.stat()
    return _compared(stable, tried, path.resolve(), (known.st_mtime_ns, known.st_size))


@lru_cache(maxsize=1)
def _compared(stable: str, tried: str, path: Path, version: tuple[int, int]) -> Both:
    """`compare` of one version (time, size) of the file: a driver looks every few seconds."""
    config = load_config()
    mine, _, left = _read(path, tried, config.data.labels)
    if len(mine.truth) < config.monitoring.min_rows:
        return None, None
    usual = _read(path, stable, config.data.labels)[0].since(min(mine.times))
    if len(usual.truth) < config.monitoring.min_rows:
        return None, None
    found = [_headline(answered, config) for answered in (usual, mine)]
    if left.out:
        print(f"labels: {path} is read{left}")
    if not all(math.isfinite(number) for estimate in found for number in estimate):
        return None, None
    return found[0][1:], found[1][1:]


def _headline(answered: Answered, config: Config) -> Interval:
    threshold = answered.threshold(config.data.positive)
    metric = measures.known(config, threshold)[measures.headline(config)]
    known = encode_target(answered.truth, config.data.labels)
    return interval(metric, known, answered.outputs, config.seed)


def _read(path: Path, digest: str, labels: tuple[str, ...]) -> tuple[Answered, set[str], Left]:
    """What the model `digest` answered, which other models there are, and what was left out."""
    names = [f"predicted_{name}" for name in output_names(labels)]
    times, truth, outputs, answers = [], [], [], []
    left, others = Left(), set[str]()
    for where, line in records(path, ["model", "time", "label", *names], left, "run `make join`"):
        if line["model"] != digest:
            others.add(line["model"])
            continue
        try:
            moment(line["time"])
            text = line["label"]
            label = labels[labels.index(text)] if labels else _finite(text)
            output = [_finite(line[name]) for name in names]
        except ValueError:
            left.note(where, "its answer or label is none of the task")
            continue
        outputs.append(output)
        truth.append(label)
        times.append(line["time"])
        answers.append(line.get("predicted_label", ""))
    kind = object if labels else np.float64
    numbers = np.array(outputs, dtype=np.float64).reshape(-1, len(names))
    rows = numbers if labels else numbers[:, 0]
    texts = np.array(times, dtype=str), np.array(truth, dtype=kind)
    return Answered(*texts, rows, np.array(answers, dtype=object)), others, left


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("it is no number to reckon with")
    return number
