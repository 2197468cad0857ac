"""The candidate next to the champion, on the same hold-out rows."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...model import artifact, measures
from ...model.bootstrap import Interval, interval, paired_interval
from ...model.metrics import encode_target
from ...registry import champion
from ...settings.categories import category
from ...settings.config import Config, InputError
from ...tables.table import ROW, Columns
from ..data import split

FEWEST = 100  # rows of a comparison where rows were added


def rows_digest(data: dict[str, Any], test: Columns) -> str:
    """Name of the hold-out rows: SHA-256 of the data's digest and the row numbers."""
    rows = np.ascontiguousarray(test[ROW], dtype="<i8").tobytes()
    return hashlib.sha256(bytes.fromhex(data["sha256"]) + rows).hexdigest()


def compare(
    config: Config, candidate: Path, digest: str, lineage: dict[str, Any], test: Columns
) -> dict[str, Any]:
    """{state, champion, reason, value, low, high}: headline of the candidate minus the champion's.

    States: first, same, absent, other (another question), turned (the other class is positive, or
    the headline was never measured), damaged, and the compared ones: paired (same rows, same
    resamples; where rows were added, those that neither was trained on) and apart (the champion's
    kept figure, from other rows: it may have been trained on these, which would flatter it). Where
    rows were added, `kept` has both.
    """
    try:
        record = champion.read(champion.CHAMPION)
        if record is None:
            return {"state": "first", "champion": None, "reason": "there is no champion yet"}
        found = {"champion": record["digest"]}
        if record["digest"] == digest:
            return found | {"state": "same", "reason": "the candidate is the champion"}
        folder = Path(record["model"])
        if not folder.exists():
            reason = f"{folder} is not here: fetch it to compare (dvc pull)"
            return found | {"state": "absent", "reason": reason}
        verdict = champion.verify(record)
        model = artifact.load(folder, record["digest"])
        question = _other_question(config, model)
        if question:
            reason = f"the champion {question}: not comparable, treated as the first"
            return found | {"state": "other", "reason": reason}
        if _forms(model.labels) != _forms(config.data.labels):
            reason = "the champion has the other class as positive: only `make promote` replaces it"
            return found | {"state": "turned", "reason": reason}
    except InputError as error:
        return {"state": "damaged", "champion": None, "reason": str(error)}
    name = measures.headline(config)
    metric = measures.known(config)[name]
    known = encode_target(test[config.data.target], config.data.labels)
    ours = artifact.load(candidate).predict(test)
    reason = f"difference to champion {record['digest'][:16]}"
    gap = _gap(model, test)
    same = verdict["lineage"]["hold_out"] == lineage["hold_out"]
    rows = None if gap else _fair(config, model, lineage["data"], test, known, same)
    if rows is not None:
        theirs = model.predict(test)
        difference = paired_interval(metric, known[rows], ours[rows], theirs[rows], config.seed)
        text = "the same rows" if same else f"{len(rows):,} rows that neither was trained on"
        found |= _numbers("paired", difference, f"{reason} on {text}")
        if same:
            return found
    if name not in verdict["metrics"]:
        reason = f"the champion was judged without {name}: only `make promote` replaces it"
        return found if rows is not None else found | {"state": "turned", "reason": reason}
    kept = Interval(**verdict["metrics"][name])
    apart = _apart(interval(metric, known, ours, config.seed), kept)
    why = gap or "was measured on other data, split or seed"
    last = _numbers("apart", apart, f"{reason}'s kept figure: it {why}")
    return found | (last if rows is None else {"kept": last})


def _fair(
    config: Config,
    model: artifact.Model,
    data: dict[str, Any],
    test: Columns,
    known: np.ndarray,
    same: bool,
) -> np.ndarray | None:
    """Numbers of the hold-out rows that the champion `model` was not trained on either.

    None where the split does not tell, or too few are left to judge.
    """
    if same:
        return np.arange(len(known))
    theirs = model.identity["data"]
    if theirs.get("split") is None or theirs["split"] != data.get("split"):
        return None
    rows = np.flatnonzero(split.held(config, test, theirs["cuts"]))
    whole = not model.labels or len(np.unique(known[rows])) == len(model.labels)
    return rows if len(rows) >= FEWEST and whole else None


def _numbers(state: str, found: Interval, reason: str) -> dict[str, Any]:
    numbers = {key: v if math.isfinite(v) else None for key, v in found._asdict().items()}
    return {"state": state, "reason": reason} | numbers


def _apart(ours: Interval, theirs: Interval) -> Interval:
    """Difference of independent estimates: half-widths add as a root of squares."""
    value = ours.value - theirs.value
    down = math.hypot(ours.value - ours.low, theirs.high - theirs.value)
    up = math.hypot(ours.high - ours.value, theirs.value - theirs.low)
    return Interval(value, value - down, value + up)


def _other_question(config: Config, model: artifact.Model) -> str | None:
    """How the champion's target, task or classes differ; None where they do not."""
    identity = model.identity
    if (model.task, identity["target"]) != (config.data.task, config.data.target):
        return f"predicts {identity['target']!r} ({model.task})"
    if set(_forms(model.labels)) != set(_forms(config.data.labels)):
        return f"knows the classes {list(model.labels)}"
    return None


def _forms(labels: Sequence[str]) -> list[str]:
    return [category(label) for label in labels]


def _gap(model: artifact.Model, test: Columns) -> str | None:
    """What keeps the champion from answering these rows; None when nothing does."""
    for name, kind in model.identity["known_answers"]["types"].items():
        if name not in test:
            return f"needs the column {name!r}, which model_config.yaml does not read"
        if test[name].dtype.str != kind:
            return f"reads the column {name!r} as another type"
    return None
