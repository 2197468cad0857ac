"""Who answers the held-out rows: the model itself, or of folds the models that never saw them.

The models of folds are kept beside the one that is served, as data under its digest, so that what
is judged can be measured again, and compared after it became champion. No service parses them.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ...model import forms, manifest, trust
from ...model.artifact import Model
from ...model.encoder import Encoder
from ...settings.config import Config, InputError
from ...tables.table import Columns, rows, take
from . import folds

FILE = "folds.json"
Judges = list[tuple[Model, np.ndarray]]  # models, and the numbers of the rows each may answer


def kept(encoder: Encoder, spec: dict[str, Any], content: bytes) -> dict[str, Any]:
    """The model of one fold as JSON."""
    text = base64.b64encode(content).decode()
    return {"encoder": encoder.to_json(), "model": spec, "content": text}


def judges(config: Config, folder: Path, model: Model, test: Columns) -> Judges:
    """The models that answer the held-out rows `test` (n,), which are the whole table by folds.

    `model` is the one in `folder`, held out by the rule that `config` has.
    """
    if FILE not in model.identity["files"]:
        return [(model, np.arange(rows(test)))]
    content = manifest.read(folder, model.digest)[1][FILE]
    try:
        models = [_loaded(folder, model, part) for part in json.loads(content)]
        fold = folds.fold_of(config, test, model.identity["data"]["cuts"])
        if len(models) != config.split.folds:
            raise ValueError(f"{len(models)} models")
    except InputError:
        raise
    except Exception as error:  # digests agree, and yet they are no models of ours
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        raise InputError(
            f"{folder / FILE} does not hold {config.split.folds} models ({reason}): train again"
        ) from None
    return [(one, np.flatnonzero(fold == at)) for at, one in enumerate(models)]


def _loaded(folder: Path, model: Model, part: Any) -> Model:
    """The model of one fold, in the place of `model`, for which it answers."""
    trust.agreed(folder, part["model"].get("trusted", ()))
    score = forms.scorer(part["model"], base64.b64decode(part["content"], validate=True))
    return replace(model, encoder=Encoder(**part["encoder"]), score=score)


def in_order(numbers: Sequence[np.ndarray], answers: Sequence[np.ndarray]) -> np.ndarray:
    """Answers (n, k) or (n,) in the order of the rows: `answers` are those to rows `numbers`."""
    return np.concatenate(answers)[np.argsort(np.concatenate(numbers))]


def answers(judges: Judges, test: Columns) -> np.ndarray:
    """Answers (n, k) or (n,) to the held-out rows, none by a model that learned from the row."""
    if len(judges) == 1:
        return judges[0][0].predict(test)
    asked = [(model, numbers) for model, numbers in judges if len(numbers)]
    found = [model.predict(take(test, numbers)) for model, numbers in asked]
    return in_order([numbers for _, numbers in asked], found)


def held_out(config: Config, folder: Path, model: Model, test: Columns) -> np.ndarray:
    """See `judges` and `answers`."""
    return answers(judges(config, folder, model, test), test)
