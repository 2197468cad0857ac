"""A model is a folder: model.json, encoder.json and one file of numbers.

`identity` in model.json says all that makes the model what it is; its canonical digest is the
model's name everywhere. Nothing is parsed before its size and digest were checked.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from . import forms
from .arrays import Columns
from .config import InputError
from .encoder import Encoder
from .files import digest, digest_json, new_folder, read_json, write_json, write_text

FORMAT = 1
MANIFEST = "model.json"
ENCODER = "encoder.json"
MAX_BYTES = 1 << 30  # of one file
MAX_MANIFEST_BYTES = 16 << 20


@dataclass(frozen=True)
class Model:
    """A loaded model that has answered its known answers."""

    manifest: dict[str, Any]
    encoder: Encoder
    score: Callable[[np.ndarray], np.ndarray]

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
            "columns": {name: probe[name].tolist() for name in encoder.inputs},
            "types": {name: probe[name].dtype.str for name in encoder.inputs},
            "outputs": forms.scorer(spec, content)(encoder.apply(probe)).tolist(),
        }
        full = identity | {"files": files, "model": spec, "known_answers": _to_json(known)}
        manifest = {"format": FORMAT, "digest": digest_json(full), "identity": full}
        write_json(new / MANIFEST, manifest)
        load(new)
    return load(folder)


def _to_json(known: dict[str, Any]) -> dict[str, Any]:
    columns = {
        name: [None if value != value or value is None else value for value in values]
        if not known["types"][name].startswith("<M")
        else [None if value is None else value.isoformat() for value in values]
        for name, values in known["columns"].items()
    }
    return known | {"columns": columns}


def known_rows(identity: dict[str, Any]) -> Columns:
    """The rows of the known answers as columns."""
    known = identity["known_answers"]
    return {name: np.array(v, dtype=known["types"][name]) for name, v in known["columns"].items()}


def load(folder: Path, expected: str | None = None) -> Model:
    """The model in `folder`; with `expected`, only the model of that digest.

    Order: size, digest, form by content, types, format, known answers. Raises InputError with the
    reason; nothing of a refused file has been parsed.
    """
    path = folder / MANIFEST
    if path.is_file() and path.stat().st_size > MAX_MANIFEST_BYTES:
        raise InputError(f"{path} is larger than {MAX_MANIFEST_BYTES:,} bytes: it is no manifest")
    manifest = read_json(path, "run `make train`")
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise InputError(f"{path} is not of format {FORMAT}: train again with this code")
    identity = manifest.get("identity")
    if not isinstance(identity, dict) or digest_json(identity) != manifest.get("digest"):
        raise InputError(f"{path}: identity does not match its digest: it was changed")
    if expected is not None and manifest["digest"] != expected:
        raise InputError(
            f"{path}: this is model {manifest['digest'][:16]}, not {expected[:16]}: it was swapped"
        )
    content = _read_files(folder, identity["files"])
    encoder = Encoder(**json.loads(content[ENCODER]))
    score = forms.scorer(identity["model"], content[identity["model"]["file"]])
    model = Model(manifest, encoder, score)
    _check_known_answers(folder, model)
    return model


def _read_files(folder: Path, files: dict[str, Any]) -> dict[str, bytes]:
    present = {path.name for path in folder.iterdir()} - {MANIFEST}
    for name in sorted(present ^ set(files)):
        state = "is not part of the model" if name in present else "is missing"
        raise InputError(f"{folder / name} {state}: restore the folder or train again")
    content = {}
    for name, facts in files.items():
        path = folder / name
        if path.is_symlink() or not path.is_file():
            raise InputError(f"{path} is no plain file: restore the folder or train again")
        if path.stat().st_size != facts["bytes"] or path.stat().st_size > MAX_BYTES:
            raise InputError(f"{path} has {path.stat().st_size:,} bytes, not {facts['bytes']:,}")
        content[name] = path.read_bytes()
        if hashlib.sha256(content[name]).hexdigest() != facts["sha256"]:
            raise InputError(f"{path} does not match its digest: it was changed")
    return content


def _check_known_answers(folder: Path, model: Model) -> None:
    outputs = np.array(model.identity["known_answers"]["outputs"])
    answers = model.predict(known_rows(model.identity))
    worst = forms.difference(answers, outputs)
    if not worst <= forms.MAX_DIFFERENCE:
        raise InputError(
            f"{folder}: the model answers its known rows differently (by {worst:.3g}): features.py "
            f"or a library is not the one it was trained with"
        )
