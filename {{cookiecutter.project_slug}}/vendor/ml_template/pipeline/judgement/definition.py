"""What makes the champion no measure for the candidate: data that are defined otherwise.

Another hold-out rule, another reading of the target, or a feature that gives the target away make
figures of another thing, however good they look. Another seed or size of the hold-out, more rows or
columns, and a feature that is left out do not: they would be an easy way past a better champion.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...model import artifact, lineage, measures
from ...model.shapes import Verdict
from ...settings.config import Config
from ...storage.files import read_json
from ...storage.places import PREPARED
from ...tables import table
from ..data import leakage

SIZE = {"test", "folds"}  # of the split: how much is held out, not which
READING = ("decimal", "thousands", "written", "missing")  # of the target's numbers


def changes(
    config: Config, model: artifact.Described, folder: Path, data: dict[str, Any]
) -> list[str]:
    """One phrase for each way in which the champion `model`, kept in `folder`, is of other data.

    `data` is data.json of the candidate. Empty where the two are comparable, or where the champion
    is so old that nothing tells: see `unknown`.
    """
    return [*_held_out(config, model, folder, data), *_leaks(config, model)]


def unknown(folder: Path) -> str:
    """Why nothing tells how the champion's rows were held out; empty where something does."""
    if (folder / lineage.CONFIG).exists():
        return ""
    return f"; {folder} has no {lineage.CONFIG} that says by which rule"


def judged(config: Config, model: artifact.Described, folder: Path, verdict: Verdict) -> str | None:
    """How the kept headline of the champion `model` is another figure; None where it is not."""
    name = measures.headline(config)
    if model.identity.get("weight") != config.data.weight:
        return "with rows that counted otherwise (data.weight)"
    if name not in verdict["metrics"]:
        return f"without {name}"
    if name == "neg_cost":
        before = read_json(folder / lineage.CONFIG, "restore it")["model"]["threshold"]["costs"]
        if (before["false_positive"], before["false_negative"]) != measures.costs(config):
            return "by other costs of a mistake (model.threshold)"
    return None


def lacking(config: Config, model: artifact.Described) -> list[str]:
    """Columns that the champion `model` uses and the candidate does not."""
    return [name for name in _inputs(model) if name not in config.features]


def _inputs(model: artifact.Described) -> list[str]:
    return list(model.identity["known_answers"]["types"])


def _held_out(
    config: Config, model: artifact.Described, folder: Path, data: dict[str, Any]
) -> Iterator[str]:
    if unknown(folder):
        return
    before = read_json(folder / lineage.CONFIG, "restore it")
    now = config.model_dump(mode="json")
    if config.data.task == "regression":
        reading = [{key: each["data"].get(key) for key in READING} for each in (before, now)]
        yield from _differences("data", *reading)
    theirs = model.identity["data"]
    own = [known.get("own_split") for known in (theirs, data)]
    is_own = ["split" in known and known["split"] is None for known in (theirs, data)]
    if is_own == [False, False]:
        rules = [{k: v for k, v in x["split"].items() if k not in SIZE} for x in (before, now)]
        yield from _differences("split", *rules)
    elif is_own[0] != is_own[1]:
        said = [("the rule of model_config.yaml", "a function of src/")[each] for each in is_own]
        yield f"rows were held out by {said[0]}, and are by {said[1]}"
    elif all(own) and own[0] != own[1]:
        yield "the function of src/ that holds rows out was changed"


def _differences(section: str, before: dict[str, Any], now: dict[str, Any]) -> Iterator[str]:
    """Keys of a section that have another value; a key that is not there has None."""
    for key in sorted(before.keys() | now.keys()):
        if before.get(key) != now.get(key):
            yield f"{section}.{key} was {before.get(key)!r}, is {now.get(key)!r}"


def _leaks(config: Config, model: artifact.Described) -> Iterator[str]:
    """What today's check of leakage says of columns that the champion alone uses.

    They are measured in the prepared rows, so that nobody's word is taken for it: a column that is
    in `left_out` is not there.
    """
    dropped = {name for name in lacking(config, model) if name in config.columns}
    if not dropped:
        return
    train = table.read_parquet(PREPARED / "train.parquet")
    inputs = [name for name in _inputs(model) if name in config.columns]
    seen = {name: train[name] for name in inputs if config.columns[name].type != "text"}
    for leak in leakage.find(seen, train[config.data.target], config.data.task):
        if names := [name for name in leak.columns if name in dropped]:
            yield f"it uses {', '.join(names)}: {leak}"
