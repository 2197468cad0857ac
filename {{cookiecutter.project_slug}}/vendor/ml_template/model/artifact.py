"""A model is a folder: model.json (see manifest.py), encoder.json and one file of numbers.

Nothing is parsed before its size and digest were checked.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from ..settings.config import InputError
from ..storage.files import digest, digest_json, new_folder, write_json, write_text
from ..tables.arrays import Columns
from . import forms, manifest, trust
from .encoder import Encoder

ENCODER = "encoder.json"
_BACK = "train again, or go back to the code of its commit (`make history` names it)"
PROFILE = "profile.json"  # what was trained on and answered, for monitoring


def output_names(labels: Sequence[str]) -> list[str]:
    """Names of the numbers of an answer, in order: probability_<label>, or value."""
    return [f"probability_{label}" for label in labels] or ["value"]


def threshold(identity: Mapping[str, Any]) -> float | None:
    """See Model; None for a model of an older release too."""
    return float(identity["threshold"]["value"]) if "threshold" in identity else None


@dataclass(frozen=True)
class Described:
    """What model.json says of a model, whether or not the code of today can load it."""

    manifest: dict[str, Any]

    @property
    def digest(self) -> str:
        """SHA-256 (64 hex) of the canonical identity."""
        return str(self.manifest["digest"])

    @property
    def identity(self) -> dict[str, Any]:
        """What makes the model what it is; see `save`."""
        return dict(self.manifest["identity"])

    @property
    def task(self) -> str:
        """binary, multiclass or regression."""
        return str(self.manifest["identity"]["task"])

    @property
    def labels(self) -> tuple[str, ...]:
        """Class labels in the order of the probability columns; empty for regression."""
        return tuple(self.manifest["identity"]["labels"])

    @property
    def threshold(self) -> float | None:
        """The probability from which on the positive class is answered; None: the most probable."""
        return threshold(self.manifest["identity"])

    @property
    def outputs(self) -> list[str]:
        """See `output_names`."""
        return output_names(self.labels)


@dataclass(frozen=True)
class Model(Described):
    """A loaded model that has answered its known answers."""

    encoder: Encoder
    score: Callable[[np.ndarray], np.ndarray]
    profile: dict[str, Any]  # see profile.py; empty for a model from before there was one

    def predict(self, columns: Columns) -> np.ndarray:
        """Probabilities (n, k) in the order of `labels`, or values (n,), float64."""
        return self.score(self.encoder.apply(columns))


def save(
    folder: Path,
    encoder: Encoder,
    spec: dict[str, Any],
    content: bytes,
    identity: dict[str, Any],
    probe: Columns,
    beside: Mapping[str, Any],
) -> Model:
    """Write the model folder whole or not at all, load it back and return it.

    `spec` and `content` come from forms.export; `probe` are the rows of the known answers;
    `beside` are JSON files, by name, that travel with the model under its digest.
    """
    with new_folder(folder) as new:
        for name, value in ({ENCODER: encoder.to_json()} | dict(beside)).items():
            write_text(new / name, json.dumps(value, ensure_ascii=False, allow_nan=False) + "\n")
        (new / spec["file"]).write_bytes(content)
        files = {
            name: {"sha256": digest(new / name), "bytes": (new / name).stat().st_size}
            for name in (ENCODER, *beside, spec["file"])
        }
        known = {
            "columns": {name: _to_json(probe[name]) for name in encoder.inputs},
            "types": {name: probe[name].dtype.str for name in encoder.inputs},
            "outputs": forms.scorer(spec, content)(encoder.apply(probe)).tolist(),
        }
        full = identity | {"files": files, "model": spec, "known_answers": known}
        named = {"format": manifest.FORMAT, "digest": digest_json(full), "identity": full}
        write_json(new / manifest.FILE, named)
        load(new)
    return load(folder)


def _to_json(values: np.ndarray) -> list[Any]:
    plain = [None if value is None or value != value else value for value in values.tolist()]
    return [value.isoformat() if isinstance(value, datetime) else value for value in plain]


def known_rows(identity: dict[str, Any]) -> Columns:
    """The rows of the known answers as columns."""
    known = identity["known_answers"]
    return {name: np.array(v, dtype=known["types"][name]) for name, v in known["columns"].items()}


def load(folder: Path, expected: str | None = None) -> Model:
    """The model in `folder`; with `expected`, only the model of that digest.

    Order: size, digest, form by content, types, format, known answers. Raises InputError with the
    reason; nothing of a refused file has been parsed.
    """
    found, content = manifest.read(folder, expected)
    identity = found["identity"]
    try:
        if expected is None:
            trust.agreed(folder, identity["model"].get("trusted", ()))
        encoder = Encoder(**json.loads(content[ENCODER]))
        score = forms.scorer(identity["model"], content[identity["model"]["file"]])
        model = Model(found, encoder, score, json.loads(content.get(PROFILE, b"{}")))
        if "threshold" in identity and not _sound(identity["threshold"], model.labels):
            raise InputError(f"{folder}: its threshold is no probability of two: train again")
        _check_known_answers(folder, model)
    except InputError:
        raise
    except Exception as error:  # digests agree, and yet it is no model of ours
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        raise InputError(f"{folder} is no model of this code ({reason}): {_BACK}") from None
    return model


def _sound(point: Any, labels: Sequence[str]) -> bool:
    """Whether a threshold is one; it may lie a bit above 1, from where on nothing is positive."""
    value, by = point["value"], point["by"]
    known = type(value) in (int, float) and isinstance(by, str) and len(labels) == 2
    return known and 0 <= value <= np.nextafter(1.0, 2.0)


def _check_known_answers(folder: Path, model: Model) -> None:
    outputs = np.array(model.identity["known_answers"]["outputs"])
    answers = model.predict(known_rows(model.identity))
    if len(model.labels) != (answers.shape[1] if answers.ndim == 2 else 0):
        raise InputError(f"{folder}: {len(model.labels)} labels are not of this model: train again")
    worst = forms.gap(model.identity["model"], answers, outputs)
    if not worst <= forms.limit(model.identity["model"]):
        raise InputError(
            f"{folder}: the model answers its known rows differently (by {worst:.3g}): features.py "
            f"or a library is not the one it was trained with: {_BACK}"
        )
