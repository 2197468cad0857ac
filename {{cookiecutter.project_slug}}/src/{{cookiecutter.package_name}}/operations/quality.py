"""How good the answers were, once labels came (`make join` writes reports/labelled.csv)."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

import numpy as np

from ..artifact import Model
from ..config import Config, InputError
from ..metrics import HEADLINE, METRICS, encode_target, interval

LABELLED = Path("reports/labelled.csv")


def measure(model: Model, config: Config, path: Path = LABELLED) -> dict[str, Any]:
    """{verdict, reason, rows, metric, value, low, high, before} of the labelled answers of `model`.

    Verdicts: dropped, kept, not enough data. Dropped: worse than on the hold-out by more than
    max_drop, and the 95 % interval lies below it. Raises InputError for a damaged file.
    """
    task = config.data.task
    name = HEADLINE[task]
    before = model.manifest.get("metrics", {}).get(name)
    found: dict[str, Any] = {"metric": name, "before": before and before["value"]}
    if not path.exists():
        return found | {"verdict": "not enough data", "rows": 0, "reason": "no labels were joined"}
    truth, outputs = _read(path, model)
    found["rows"] = len(truth)
    least = config.monitoring.min_rows
    if len(truth) < least:
        reason = f"{len(truth)} labels, {least} are needed"
        return found | {"verdict": "not enough data", "reason": reason}
    known = encode_target(truth, config.data.labels)
    estimate = interval(METRICS[task][name], known, outputs, config.seed)
    if not all(map(math.isfinite, estimate)) or before is None:
        reason = "the labels are of one class only, or the model has no kept metrics"
        return found | {"verdict": "not enough data", "reason": reason}
    found |= estimate._asdict()
    allowed = before["value"] - config.monitoring.max_drop
    dropped = estimate.value < allowed and estimate.high < before["value"]
    reason = (
        f"{name} {estimate.value:.4g} [{estimate.low:.4g}, {estimate.high:.4g}] of "
        f"{len(truth):,} labels, {before['value']:.4g} on the hold-out"
    )
    return found | {"verdict": "dropped" if dropped else "kept", "reason": reason}


def _read(path: Path, model: Model) -> tuple[np.ndarray, np.ndarray]:
    """Labels (n,) and outputs (n, k) or (n,) of the rows that `model` answered."""
    names = [f"predicted_{name}" for name in model.outputs]
    truth, outputs = [], []
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        absent = {"model", "label", *names} - set(reader.fieldnames or ())
        if absent:
            raise InputError(f"{path} has no column {min(absent)!r}: run `make join` again")
        for line in reader:
            if line["model"] != model.digest:
                continue
            try:
                outputs.append([float(line[name]) for name in names])
                truth.append(line["label"] if model.labels else float(line["label"]))
            except (TypeError, ValueError):
                where = f"{path}: line {reader.line_num}"
                raise InputError(f"{where} is damaged: run `make join` again") from None
            if model.labels and line["label"] not in model.labels:
                raise InputError(f"{path}: line {reader.line_num}: {line['label']!r} is no label")
    kind = object if model.labels else np.float64
    numbers = np.array(outputs, dtype=np.float64).reshape(-1, len(names))
    return np.array(truth, dtype=kind), numbers if model.labels else numbers[:, 0]
