"""monitor: what is served today next to what was trained on.

Drift is found where a column drifts in N of the newest M windows (`monitoring` in
model_config.yaml). `make retrain` goes by what was found.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from ..model import artifact, manifest
from ..outside import html
from ..registry import champion
from ..registry.champion import CHAMPION
from ..serving.records import column_specs
from ..settings.config import CONFIG_FILE, Config, InputError, load_config
from ..storage.files import write_json, write_text
from ..tables import table
from . import drift, histograms, pages, prediction_log, prometheus, quality, window
from .lines import Left

REPORT = Path("reports/monitoring.json")
PAGE = Path("reports/monitoring.html")
METRICS = Path("reports/monitoring.prom")
STEADY, ALARM, TOO_LITTLE = 0, 3, 4
CODES = {"steady": STEADY, "alarm": ALARM, "not enough data": TOO_LITTLE}
READ_ALIKE = ({"boolean", "numeric"}, {"categorical", "text"}, {"datetime"})
Facts = dict[str, Any]


def run(settings: dict[str, str]) -> int:
    """LOG=folder of the prediction log, or DATA=table. Exit code: STEADY, ALARM or TOO_LITTLE."""
    gateway = prometheus.gateway()
    config = load_config()
    found = look(settings, config)
    write_json(REPORT, found)
    write_text(PAGE, page(found))
    exposition = prometheus.text(found)
    write_text(METRICS, exposition)  # last: its time says that the look was whole
    if gateway:  # where it does not answer, the reports stand, and the alert of a silent monitor
        prometheus.push(gateway, exposition)
    for text in _said(found, config):
        print(f"monitor: {text}")
    return CODES[found["state"]]


def _said(found: Facts, config: Config) -> Iterator[str]:
    """What goes to the screen."""
    health, rules = found["health"], config.monitoring
    yield from found["alarms"]
    if health.get("other_models") and not health["rows"]:
        yield (
            f"the log has {health['other_models']:,} answers, none of them of the champion: serve "
            f"it, or name the folder of its log with LOG="
        )
    if health.get("left_out"):
        yield f"the log: {health['left_out']}"
    drifts = sum(bool(part["drifting"]) for part in found["windows"])
    yield (
        f"model {found['model'][:16]}: {found['state']}; {drifts} of {len(found['windows'])} "
        f"windows drift (an alarm: {rules.alarms} of {rules.windows}, a window: "
        f"{rules.window:,} rows); quality: {found['quality']['reason']} -> {PAGE}"
    )


def look(settings: dict[str, str], config: Config) -> Facts:
    """All that monitoring knows: model, windows, drifting, quality, health, alarms, state."""
    record, model = current()
    _same_table(model, config, bool(settings.get("DATA")))
    windows, health, left = _served(settings, model, config)
    if windows and not model.profile:
        raise InputError(
            f"{champion.folder(model.digest) / artifact.PROFILE} is missing: the model is from "
            f"before monitoring: `make run` makes a new one"
        )
    judged = [_judge(part, model, config) for part in windows]
    drifting = _persistent(judged, config)
    labelled = quality.measure(model, champion.verdict(record), config)
    alarms = [f"{name} drifts: {reason}" for name, reason in drifting.items()]
    if labelled["verdict"] == "dropped":
        alarms.append(f"quality dropped: {labelled['reason']}")
    if left.many:
        alarms.append(f"the log is damaged{left}")
    verdicts = {result["verdict"] for part in judged for result in part["results"]}
    enough = verdicts & {"drift", "steady"} or labelled["verdict"] == "kept"
    return {
        "model": model.digest,
        "since": record["since"],
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "windows": judged,
        "histograms": _histograms(windows, judged, model, config),
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


def _same_table(model: artifact.Model, config: Config, whole: bool) -> None:
    """Raise InputError where the champion is of another table than model_config.yaml describes.

    That lacks some of the champion's columns once one was taken out of it, or has one of another
    type: only a table of today, `whole`, must have them all as they were.
    """
    data, inputs = config.data, model.encoder.inputs
    asked = {"target": data.target, "task": data.task, "labels": list(data.labels)}
    other = [*manifest.differences(model.identity, asked).values()]
    types = {name: column.type for name, column in config.columns.items()}
    before = {name: column.type for name, column in column_specs(model).items()}
    absent = [f"column {name!r}, which is not in columns" for name in inputs if name not in types]
    retyped = [
        f"column {name!r} of type {before[name]}, not {types[name]}"
        for name in inputs
        if name in types and not any({before[name], types[name]} <= kinds for kinds in READ_ALIKE)
    ]
    if whole or 2 * len(absent + retyped) > len(inputs):
        other += [f"{found[0]} ({len(found):,} such)" for found in (absent, retyped) if found]
    if other:
        raise InputError(
            f"champion {model.digest[:16]} is of another table than {CONFIG_FILE} describes: "
            f"{'; '.join(other)}: `make run` and `make promote` make a champion of this table, or "
            f"restore {CONFIG_FILE} from git (make adopt kept it as {CONFIG_FILE}.bak)"
        )


def _served(
    settings: dict[str, str], model: artifact.Model, config: Config
) -> tuple[list[window.Window], Facts, Left]:
    if settings.get("DATA"):
        there = config.data.model_copy(update={"path": settings["DATA"]})
        data = table.read_raw(config.model_copy(update={"data": there}))
        return window.of_table(table.columns_of(data), model, config), {}, Left()
    log = window.read_log(prediction_log.folder(settings), model)
    return window.of_log(log, model, config), window.health(log), log.left


def _judge(part: window.Window, model: artifact.Model, config: Config) -> Facts:
    """One window: every column and answer next to the profile that is kept with the model."""
    there, answers = part.inputs or {}, {f"answer {name}" for name in model.profile["answers"]}
    named = {*model.identity["known_answers"]["types"], *there} if part.inputs is not None else ()
    profiles = _profiles(model)
    reference = {name: profiles[name] for name in profiles if name in {*named, *answers}}
    results = drift.compare(reference, _columns(part), config.monitoring, config.report.min_cell)
    return {
        "from": part.first,
        "to": part.last,
        "rows": part.rows,
        "inputs": part.inputs is not None,
        "results": results,
        "drifting": [result["column"] for result in results if result["verdict"] == "drift"],
    }


def _histograms(
    windows: list[window.Window], judged: list[Facts], model: artifact.Model, config: Config
) -> dict[str, histograms.Histogram]:
    """The newest window next to training, of the columns that changed most."""
    if not windows:
        return {}
    columns = _columns(windows[-1])
    profiles = _profiles(model)
    found: dict[str, histograms.Histogram] = {}
    for result in sorted(judged[-1]["results"], key=lambda result: -(result["psi"] or 0.0)):
        name = result["column"]
        if result["psi"] is None or name not in columns or len(found) == histograms.COLUMNS:
            continue
        drawn = histograms.histogram(profiles[name], columns[name], config.report.min_cell)
        if drawn:
            found[name] = drawn
    return found


def _columns(part: window.Window) -> table.Columns:
    answers = {f"answer {name}": values for name, values in part.answers.items()}
    return (part.inputs or {}) | answers


def _profiles(model: artifact.Model) -> dict[str, Any]:
    answers = {f"answer {name}": facts for name, facts in model.profile["answers"].items()}
    return model.profile["columns"] | answers


def _persistent(judged: list[Facts], config: Config) -> dict[str, str]:
    """Columns that drift in N of the M windows (in all, where there are fewer than N), and how."""
    needed = min(config.monitoring.alarms, len(judged))
    drifts = [r for part in judged for r in part["results"] if r["verdict"] == "drift"]
    reasons = {result["column"]: result["reason"] for result in drifts}
    return {
        name: f"{reasons[name]} ({count} of {len(judged)} windows)"
        for name, count in Counter(result["column"] for result in drifts).items()
        if count >= needed
    }


def page(found: Facts) -> str:
    """The page of one look (the content of reports/monitoring.json)."""
    strongest = partial(sorted, key=lambda result: -(result["psi"] or 0.0))
    title = f"Monitoring of model {found['model'][:16]}"
    values: Facts = {"found": found, "strongest": strongest, "reason": _reason, "number": _number}
    values |= {
        "heat": pages.heat(found["windows"]),
        "quality_rows": pages.over_time(found["quality"]),
    }
    return html.page("operations/monitor.html", title=title, **values)


def _reason(result: Facts) -> str:
    return ": ".join(filter(None, [result["reason"], ", ".join(map(repr, result["values"]))]))


def _number(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    return "" if value is None else str(value)
