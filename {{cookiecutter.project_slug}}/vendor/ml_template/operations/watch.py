"""What monitoring looks at: windows of inputs and answers, quality, health of the log."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..model import artifact
from ..registry import champion
from ..registry.champion import CHAMPION
from ..serving.records import column_specs
from ..settings.config import CONFIG_FILE, Config, InputError, load_config
from ..storage.files import read_json
from ..tables import table
from . import drift, quality, window
from .lines import Left

Facts = dict[str, Any]
Reasons = dict[str, str]
READ_ALIKE = {"boolean": "numeric", "text": "categorical"}


def look(settings: dict[str, str]) -> Facts:
    """All that monitoring knows: model, windows, drifting, quality, health, alarms, state."""
    config = load_config()
    record, model = current()
    _same_table(model, config, bool(settings.get("DATA")))
    windows, health, left = _served(settings, model, config)
    profile = _profile(model) if windows else {}
    judged = [_judge(part, model, profile, config) for part in windows]
    drifting = _persistent(judged, config)
    labelled = quality.measure(model, champion.verdict(record), config)
    alarms = [f"{name} drifts: {reason}" for name, reason in drifting.items()]
    if labelled["verdict"] == "dropped":
        alarms.append(f"quality dropped: {labelled['reason']}")
    if left.many:
        alarms.append(f"the log is damaged{left}")
    judgeable = any(
        result["verdict"] in ("drift", "steady") for part in judged for result in part["results"]
    )
    enough = judgeable or labelled["verdict"] == "kept"
    return {
        "model": model.digest,
        "since": record["since"],
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "windows": judged,
        "drifting": drifting,
        "quality": labelled,
        "health": health,
        "alarms": alarms,
        "state": "alarm" if alarms else "steady" if enough else "not enough data",
    }


def current() -> tuple[champion.Record, artifact.Model]:
    """The champion; raises InputError where there is none, or where it does not verify."""
    record = champion.read(CHAMPION)
    if record is None:
        raise InputError(f"{CHAMPION} is missing: there is no champion to watch: run `make run`")
    return record, artifact.load(Path(record["model"]), record["digest"])


def _served(
    settings: dict[str, str], model: artifact.Model, config: Config
) -> tuple[list[window.Window], Facts, Left]:
    if settings.get("DATA"):
        there = config.data.model_copy(update={"path": settings["DATA"]})
        data = table.read_raw(config.model_copy(update={"data": there}))
        return window.of_table(table.columns_of(data), model, config), {}, Left()
    log = window.read_log(Path(settings.get("LOG") or "predictions"), model)
    return window.of_log(log, model, config), window.health(log), log.left


def _same_table(model: artifact.Model, config: Config, whole: bool) -> None:
    """Raise InputError where the champion is of another table than model_config.yaml describes.

    That lacks some of the champion's columns once one was taken out of it, or has one of another
    type: only a table of today, `whole`, must have them all as they were.
    """
    data, made = config.data, model.identity
    told = {"target": data.target, "task": data.task, "classes": list(data.labels)}
    was = {"target": made["target"], "task": made["task"], "classes": made["labels"]}
    other = [f"{key} {was[key]!r}, not {told[key]!r}" for key in told if was[key] != told[key]]
    inputs, types = model.encoder.inputs, {n: c.type for n, c in config.columns.items()}
    before = {name: column.type for name, column in column_specs(model).items()}
    absent = [f"column {name!r}, which is not in columns" for name in inputs if name not in types]
    retyped = [
        f"column {name!r} of type {before[name]}, not {types[name]}"
        for name in inputs
        if name in types and _read_as(before[name]) != _read_as(types[name])
    ]
    if whole or 2 * len(absent + retyped) > len(inputs):
        other += [f"{found[0]} ({len(found):,} such)" for found in (absent, retyped) if found]
    if other:
        raise InputError(
            f"champion {model.digest[:16]} is of another table than {CONFIG_FILE} describes: "
            f"{'; '.join(other)}: `make run` and `make promote` make a champion of this table, or "
            f"restore {CONFIG_FILE} from git (make adopt kept it as {CONFIG_FILE}.bak)"
        )


def _read_as(kind: str) -> str:
    return READ_ALIKE.get(kind, kind)


def _profile(model: artifact.Model) -> Facts:
    path = champion.folder(model.digest) / artifact.PROFILE
    remedy = "the model is from before monitoring: `make run` makes a new one"
    profile: Facts = read_json(path, remedy)
    return profile


def _judge(part: window.Window, model: artifact.Model, profile: Facts, config: Config) -> Facts:
    """One window: every column and answer next to the profile that is kept with the model."""
    reference = dict(profile["columns"]) if part.inputs is not None else {}
    there = part.inputs or {}
    inputs = set(model.identity["known_answers"]["types"])
    reference = {name: f for name, f in reference.items() if name in inputs or name in there}
    answers = {f"answer {name}": values for name, values in part.answers.items()}
    expected = {f"answer {name}": facts for name, facts in profile["answers"].items()}
    least = config.report.min_cell
    results = drift.compare(reference | expected, there | answers, config.monitoring, least)
    return {
        "from": part.first,
        "to": part.last,
        "rows": part.rows,
        "inputs": part.inputs is not None,
        "results": results,
        "drifting": [result["column"] for result in results if result["verdict"] == "drift"],
    }


def _persistent(judged: list[Facts], config: Config) -> Reasons:
    """Columns that drift in N of the M windows (in all, where there are fewer than N)."""
    needed = min(config.monitoring.alarms, len(judged))
    counts: dict[str, int] = {}
    reasons: Reasons = {}
    for part in judged:
        for result in part["results"]:
            if result["verdict"] == "drift":
                name = result["column"]
                counts[name] = counts.get(name, 0) + 1
                reasons[name] = f"{result['reason']} ({counts[name]} of {len(judged)} windows)"
    return {name: reasons[name] for name, count in counts.items() if count >= needed}
