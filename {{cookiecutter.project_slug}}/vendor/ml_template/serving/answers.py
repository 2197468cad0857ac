"""Outputs of a model as what is answered: a label and probabilities, or a value."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from ..model.artifact import Model
from ..model.metrics import chosen


class Answers:
    """Writes the outputs (n, k) or (n,) of one model."""

    def __init__(self, model: Model) -> None:
        self.labels = model.labels
        self.threshold = model.threshold
        self._names = [json.dumps(label) for label in model.labels]
        pairs = ", ".join(name.replace("%", "%%") + ": %r" for name in self._names)
        self._row = '{"label": %s, "probabilities": {' + pairs + "}}"
        self._all = '{"model": "' + model.digest[:16] + '", "predictions": [%s]}'
        self.names = ["label", *model.outputs] if model.labels else model.outputs

    def body(self, outputs: np.ndarray) -> bytes:
        """The JSON answer; `outputs` are finite. Floats keep every bit."""
        if self.labels:
            names, form = self._names, self._row
            if (at := self.threshold) is None:
                rows = [form % (names[row.index(max(row))], *row) for row in outputs.tolist()]
            else:
                rows = [form % (names[row[1] >= at], *row) for row in outputs.tolist()]
        else:
            rows = ['{"value": ' + repr(value) + "}" for value in outputs.tolist()]
        return (self._all % ", ".join(rows)).encode()

    def record(self, output: Any) -> dict[str, Any]:
        """One output, a row or a number, by `names`: for logs and files."""
        if not self.labels:
            return {"value": float(output)}
        values = [self.labels[int(chosen(output[None], self.threshold)[0])], *output.tolist()]
        return dict(zip(self.names, values, strict=True))
