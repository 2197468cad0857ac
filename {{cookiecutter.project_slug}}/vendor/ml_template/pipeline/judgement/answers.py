"""What a kept model answered to the hold-out, beside its verdict, which names it by digest.

The next candidate on the same rows is compared with these: after an edit of features.py the code of
today cannot ask that model any more, or asks it wrongly.
"""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np

from ...model import artifact
from ...model.shapes import Verdict
from ...registry.champion import VERDICTS
from ...settings.config import InputError, load_config
from ...storage.files import new_file
from ...storage.places import CANDIDATE, PREPARED
from ...tables import table
from ..data import answering


def digest(answers: np.ndarray) -> str:
    """SHA-256 of shape and numbers of `answers`, (n, k) or (n,) float64."""
    return hashlib.sha256(f"{answers.shape}".encode() + answers.astype("<f8").tobytes()).hexdigest()


def keep(verdict: Verdict) -> None:
    """Write the candidate's answers for its passed `verdict`, once."""
    if "answers" not in verdict or _path(verdict).exists():
        return
    test = table.read_parquet(PREPARED / "test.parquet")
    answers = answering.held_out(load_config(), CANDIDATE, artifact.load(CANDIDATE), test)
    if digest(answers) != verdict["answers"]:
        raise InputError(f"{CANDIDATE} answers otherwise than the gate was told: run `make gate`")
    with new_file(_path(verdict)) as new, new.open("wb") as file:
        np.save(file, answers, allow_pickle=False)


def read(verdict: Verdict) -> np.ndarray | None:
    """The answers that `verdict` names, None where none are here.

    Raises InputError where they were changed.
    """
    path = _path(verdict)
    if "answers" not in verdict or not path.exists():
        return None
    try:
        # not np.load, which opens an archive as well
        content = io.BytesIO(path.read_bytes())
        answers: np.ndarray = np.lib.format.read_array(content, allow_pickle=False)
        is_kept = digest(answers) == verdict["answers"]
    except (ValueError, TypeError, OverflowError, MemoryError, OSError):
        is_kept = False
    if not is_kept:
        raise InputError(f"{path} was changed: restore models/ from the DVC remote, or remove it")
    return answers


def _path(verdict: Verdict) -> Path:
    return VERDICTS / f"{verdict['digest'][:16]}.npy"
