"""The candidate next to the champion, on the same hold-out rows."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...model import artifact, manifest, measures
from ...model.bootstrap import Interval, interval, paired_interval
from ...model.metrics import encode_target
from ...model.shapes import Gap, Lineage, Rival, State, Verdict
from ...registry import champion
from ...settings.categories import category
from ...settings.config import Config, InputError
from ...tables.table import ROW, Columns
from ..data import answering, split
from ..evaluation.figures import finite
from . import answers, definition

FEWEST = 100  # rows of a comparison where rows were added


def rows_digest(data: dict[str, Any], test: Columns) -> str:
    """Name of the hold-out rows: SHA-256 of the data's digest and the row numbers.

    Of a query it is the digest of what it gave: the same one gives other rows tomorrow. Of folds
    the rule counts too, by which each row is in one of them.
    """
    rows = np.ascontiguousarray(test[ROW], dtype="<i8").tobytes()
    rule = data["split"].encode() if data.get("folds") else b""
    known = bytes.fromhex(data.get("content", data["sha256"]))
    return hashlib.sha256(known + rows + rule).hexdigest()


def compare(
    config: Config,
    ours: np.ndarray,
    threshold: float | None,
    digest: str,
    lineage: Lineage,
    test: Columns,
) -> Rival:
    """{state, champion, reason, value, low, high}: headline of the candidate minus the champion's.

    `ours`, (n, k) or (n,), are the candidate's answers to the n rows `test`; for `threshold` see
    artifact.Described.

    States: first, same, absent, other (another question), redefined (other data, see definition),
    turned (the other class is positive, or the headline was never measured so), damaged, and the
    compared ones: paired (same rows, same resamples; where rows were added, those that neither was
    trained on) and apart (the champion's kept figure, from other rows: it may have been trained on
    these, which would flatter it). Where rows were added, `kept` has both.
    """
    try:
        record = champion.read(champion.CHAMPION)
        if record is None:
            return {"state": "first", "champion": None, "reason": "there is no champion yet"}
        theirs = record["digest"]
        if theirs == digest:
            return _rival(theirs, "same", "the candidate is the champion")
        folder = Path(record["model"])
        if not folder.exists():
            return _rival(theirs, "absent", f"{folder} is not here: fetch it to compare (dvc pull)")
        verdict = champion.verify(record)
        model = artifact.Described(manifest.read(folder, theirs)[0])
    except InputError as error:
        return {"state": "damaged", "champion": None, "reason": str(error)}
    if question := _other_question(config, model):
        reason = f"the champion {question}: not comparable, treated as the first"
        return _rival(theirs, "other", reason)
    if _forms(model.labels) != _forms(config.data.labels):
        reason = "the champion has the other class as positive: only `make promote` replaces it"
        return _rival(theirs, "turned", reason)
    if changes := definition.changes(config, model, folder, lineage["data"]):
        return _rival(theirs, "redefined", f"{'; '.join(changes)}: not comparable")
    name = measures.headline(config)
    named = [measures.known(config, at)[name] for at in (threshold, model.threshold)]
    counts = measures.counted(config, test)
    known = encode_target(test[config.data.target], config.data.labels)
    reason = f"difference to champion {theirs[:16]}"
    if lacking := definition.lacking(config, model):
        reason = f"{reason}, which uses {', '.join(lacking)} too"
    same = verdict["lineage"]["hold_out"] == lineage["hold_out"]
    before, gap = asked(config, folder, model, verdict if same else None, test)
    rows = None if before is None else _fair(config, model, lineage["data"], test, known, same)
    pairs, clusters, worth = None, split.clusters(config, test), config.split.worth
    if before is not None and rows is not None:
        whole = None if clusters is None else clusters[rows]
        part = None if counts is None else counts[rows]
        metric, champions = (measures.by_row(each, part) for each in named)
        difference = paired_interval(
            metric, known[rows], ours[rows], before[rows], config.seed, whole, worth, champions
        )
        unseen = "that neither was trained on"
        if config.split.folds:
            unseen = "by models that did not see them"
        text = "the same rows" if same else f"{len(rows):,} rows {unseen}"
        pairs = _rival(theirs, "paired", f"{reason} on {text}", difference)
        if same:
            return pairs
    if how := definition.judged(config, model, folder, verdict):
        reason = f"the champion was judged {how}: only `make promote` replaces it"
        return pairs or _rival(theirs, "turned", reason)
    figure = Interval(**verdict["metrics"][name])
    metric = measures.by_row(named[0], counts)
    apart = _apart(interval(metric, known, ours, config.seed, clusters, worth), figure)
    why = gap or "was measured on other data, split or seed"
    reason = f"{reason}: its kept figure: it {why}{definition.unknown(folder)}"
    if pairs is None:
        return _rival(theirs, "apart", reason, apart)
    value, low, high = finite(apart)
    kept: Gap = {"state": "apart", "reason": reason, "value": value, "low": low, "high": high}
    return {**pairs, "kept": kept}


def _rival(champion: str, state: State, reason: str, gap: Interval | None = None) -> Rival:
    made: Rival = {"champion": champion, "state": state, "reason": reason}
    if gap is not None:
        made["value"], made["low"], made["high"] = finite(gap)
    return made


def _fair(
    config: Config,
    model: artifact.Described,
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
    if theirs.get("folds"):  # each row has a model of the champion's that never saw it
        return np.arange(len(known))
    rows = np.flatnonzero(split.held_before(config, test, theirs["cuts"]))
    whole = not model.labels or len(np.unique(known[rows])) == len(model.labels)
    return rows if len(rows) >= FEWEST and whole else None


def _apart(ours: Interval, theirs: Interval) -> Interval:
    """Difference of independent estimates: half-widths add as a root of squares."""
    value = ours.value - theirs.value
    down = math.hypot(ours.value - ours.low, theirs.high - theirs.value)
    up = math.hypot(ours.high - ours.value, theirs.value - theirs.low)
    return Interval(value, value - down, value + up)


def _other_question(config: Config, model: artifact.Described) -> str | None:
    """How the champion's target, task or classes differ; None where they do not."""
    identity = model.identity
    if (model.task, identity["target"]) != (config.data.task, config.data.target):
        return f"predicts {identity['target']!r} ({model.task})"
    if (quantile := identity.get("quantile")) != config.model.quantile:
        return f"predicts {'the mean' if quantile is None else f'quantile {quantile:g}'}"
    if set(_forms(model.labels)) != set(_forms(config.data.labels)):
        return f"knows the classes {list(model.labels)}"
    return None


def _forms(labels: Sequence[str]) -> list[str]:
    return [category(label) for label in labels]


def asked(
    config: Config,
    folder: Path,
    model: artifact.Described,
    verdict: Verdict | None,
    test: Columns,
) -> tuple[np.ndarray | None, str | None]:
    """A kept model's answers to `test`, or None and what keeps it from giving any.

    They are those that its `verdict` names, given where that is on the same rows: the code of today
    may not be the one that it answers by.
    """
    kept = answers.read(verdict) if verdict else None
    if kept is not None:
        return kept, None
    gap = _gap(model, test)
    if gap is None:
        try:
            whole = artifact.load(folder, model.digest)
            return answering.held_out(config, folder, whole, test), None
        except InputError:  # its files are whole: manifest.read
            gap = "was trained with another features.py or other libraries, and cannot be asked"
    return None, gap


def _gap(model: artifact.Described, test: Columns) -> str | None:
    """What keeps the champion from answering these rows; None when nothing does."""
    for name, kind in model.identity["known_answers"]["types"].items():
        if name not in test:
            return f"needs the column {name!r}, which model_config.yaml does not read"
        if test[name].dtype.str != kind:
            return f"reads the column {name!r} as another type"
    return None
