"""monitor: what is served today next to what was trained on; retrain: whether to train again.

Drift is found where a column drifts in N of the newest M windows (`monitoring` in
model_config.yaml). Retraining needs a trigger and no brake; each says its reason in
models/retraining.jsonl. It ends at the gate: only `make promote` moves the champion.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ..model import artifact, lineage, manifest
from ..outside.text import line
from ..registry import champion, withdrawn
from ..registry.champion import CHAMPION
from ..settings.config import Config, InputError, load_config, read_yaml
from ..storage.files import digest, digest_json, locked, read_json, write_json, write_text
from ..storage.places import CANDIDATE, VERDICT
from . import monitor_page, prometheus, start, watch
from .journal import JOURNAL, Entry, begun, days_since, done, note, read_journal
from .watch import Facts, Reasons

REPORT = Path("reports/monitoring.json")
PAGE = Path("reports/monitoring.html")
METRICS = Path("reports/monitoring.prom")
STEADY, ALARM, TOO_LITTLE = 0, 3, 4
PIPELINE = ("reproduce", "gate", "register", "report", "summary")


def run(settings: dict[str, str]) -> int:
    """LOG=folder of the prediction log, or DATA=table. Exit code: STEADY, ALARM or TOO_LITTLE."""
    gateway = prometheus.gateway()
    found = watch.look(settings)
    write_json(REPORT, found)
    write_text(PAGE, monitor_page.page(found))
    exposition = prometheus.text(found)
    write_text(METRICS, exposition)  # last: its time says that the look was whole
    if gateway:  # where it does not answer, the reports stand, and the alert of a silent monitor
        prometheus.push(gateway, exposition)
    for text in found["alarms"]:
        print(f"monitor: {text}")
    if found["health"].get("other_models") and not found["health"]["rows"]:
        print(
            f"monitor: the log has {found['health']['other_models']:,} answers, none of them of "
            f"the champion: serve it, or name the folder of its log with LOG="
        )
    if found["health"].get("left_out"):
        print(f"monitor: the log: {found['health']['left_out']}")
    drifts, rules = [w for w in found["windows"] if w["drifting"]], load_config().monitoring
    print(
        f"monitor: model {found['model'][:16]}: {found['state']}; {len(drifts)} of "
        f"{len(found['windows'])} windows drift (an alarm: {rules.alarms} of {rules.windows}, a "
        f"window: {rules.window:,} rows); quality: {found['quality']['reason']} -> {PAGE}"
    )
    return {"steady": STEADY, "alarm": ALARM, "not enough data": TOO_LITTLE}[found["state"]]


def retrain(settings: dict[str, str]) -> int:
    """Train again when a trigger asks for it and no brake holds; WHY=... is a trigger itself.

    Where the environment says that CI trains, it is started there instead (see start.py).
    """
    with locked(JOURNAL, seconds=0):  # two would both see that none has begun
        found = decide(settings.get("WHY", ""))
        for kind, reasons in (("trigger", found["triggers"]), ("brake", found["brakes"])):
            for name, reason in reasons.items():
                print(f"retrain: {kind} {name}: {reason}")
        asked = found["decision"] == "retrain"
        place = start.elsewhere("; ".join(found["triggers"].values())) if asked else None
        note({**found, "place": place} if place else found)  # after it started: none holds the next
        print(f"retrain: {found['decision']}{f': {place} trains' if place else ''} -> {JOURNAL}")
        return _train(found) if asked and not place else STEADY


def _train(found: Entry) -> int:
    """Train here up to the gate, note how it ended; exit code of the pipeline."""
    from ..command_line import run

    code = run(PIPELINE)
    made = champion.read(champion.CHALLENGER)
    note(
        {
            **found,
            "decision": "finished" if code == 0 or _judged() else "failed",
            "code": code,
            "made": made["digest"] if made else None,
        }
    )
    return code


def _judged() -> bool:
    """Whether the candidate is made of what is here and has its verdict: none again is needed."""
    try:
        made, _ = manifest.read(CANDIDATE)
        verdict = champion.read_verdict(VERDICT, "run `make gate`")
    except (InputError, OSError):  # it never came so far
        return False
    same = _made_of(made["identity"]) == _current(load_config())
    return same and bool(verdict["model"] == made["digest"])


def _made_of(identity: Facts) -> Reasons:
    made = {key: identity[key] for key in ("code", "config", "lock")}
    return made | {"data": identity["data"]["md5"]}


def _current(config: Config) -> Reasons:
    made = lineage.digests(config)
    return {key: made[key] for key in ("code", "config", "lock")} | {"data": _data(config)}


@dataclass(frozen=True)
class Now:
    """What triggers and brakes look at. `current`: digests of data, code, config, lock today."""

    config: Config
    model: artifact.Model
    current: Reasons
    seen: Facts | None  # the last report of `monitor`, if it was about this champion
    journal: list[Entry]
    why: str

    @property
    def made_of(self) -> Reasons:
        """The same digests as `current`, of the champion."""
        return _made_of(self.model.identity)

    @property
    def asked(self) -> str:
        """A retraining for the same digests of the same champion is the same retraining."""
        return digest_json([self.current, self.model.digest])


def decide(why: str) -> Entry:
    """{decision, triggers, brakes, asked, model, time}: retrain, held, or nothing to do."""
    config, (_, model) = load_config(), watch.current()
    current, seen = _current(config), _seen(model)
    now = Now(config, model, current, seen, read_journal(), line(why))
    triggers = {name: reason for name, look in TRIGGERS.items() if (reason := look(now))}
    brakes = {name: reason for name, look in BRAKES.items() if triggers and (reason := look(now))}
    return {
        "time": _now().isoformat(timespec="seconds"),
        "decision": "nothing to do" if not triggers else "held" if brakes else "retrain",
        "model": model.digest,
        "triggers": triggers,
        "brakes": brakes,
        "asked": now.asked,
    }


def _seen(model: artifact.Model) -> Facts | None:
    """The last report of `monitor`, if it was about this champion."""
    if not REPORT.exists():
        return None
    seen = read_json(REPORT, "run `make monitor`")
    if not isinstance(seen, dict) or not {"model", "drifting", "quality"} <= seen.keys():
        raise InputError(f"{REPORT} is not whole: run `make monitor`")
    return seen if seen["model"] == model.digest else None


def _data(config: Config) -> str:
    """MD5 of the data: as DVC tracks it, or of the file itself."""
    tracked = Path(f"{config.data.path}.dvc")
    if not tracked.exists():
        return digest(config.data_file(), "md5")
    try:
        return str(read_yaml(tracked)["outs"][0]["md5"])
    except (KeyError, IndexError, TypeError):
        raise InputError(f"{tracked} is damaged: restore it from git") from None


def _schedule(now: Now) -> str | None:
    record, days = champion.read(CHAMPION), now.config.monitoring.retrain.every_days
    if record is None or days is None:
        return None
    age = _now() - datetime.fromisoformat(record["since"])
    return f"champion for {age.days} days, {days} are the most" if age.days >= days else None


def _code(now: Now) -> str | None:
    changed = [key for key in ("code", "config", "lock") if now.made_of[key] != now.current[key]]
    return f"{', '.join(changed)} changed after the champion was trained" if changed else None


def _new_data(now: Now) -> str | None:
    changed = now.made_of["data"] != now.current["data"]
    return f"{now.config.data.path} changed after the champion was trained" if changed else None


def _drift(now: Now) -> str | None:
    found = now.seen["drifting"] if now.seen else {}
    return "; ".join(f"{name}: {reason}" for name, reason in found.items()) or None


def _quality(now: Now) -> str | None:
    dropped = now.seen is not None and now.seen["quality"]["verdict"] == "dropped"
    return now.seen["quality"]["reason"] if now.seen and dropped else None


def _volume(now: Now) -> str | None:
    share, trained = now.config.monitoring.retrain.new_rows, now.model.identity["data"]["train"]
    came = now.seen["quality"]["rows"] if now.seen else 0
    if share is None or came < share * trained:
        return None
    return f"{came:,} labels came, the champion learned from {trained:,} rows"


def _event(now: Now) -> str | None:
    return now.why or None


def _nothing_new(now: Now) -> str | None:
    same = now.made_of == now.current
    return "data, code, configuration and locks are those of the champion" if same else None


def _taken_back(now: Now) -> str | None:
    """A trigger is no reason to try again what was rolled back: a person gives one, to `start`."""
    for known, said in withdrawn.taken_back().items():
        path = champion.folder(known) / manifest.FILE
        if (
            path.exists()
            and _made_of(manifest.read(path.parent, known)[0]["identity"]) == now.current
        ):
            return f"these data, code and configuration made model {known[:16]}, which was {said}"
    return None


def _cooldown(now: Now) -> str | None:
    days = now.config.monitoring.retrain.cooldown_days
    recent = any(days_since(entry) < days for entry in done(now.journal))
    return f"the last one was less than {days:g} days ago" if recent else None


def _duplicate(now: Now) -> str | None:
    same = [entry for entry in done(now.journal) if entry["asked"] == now.asked]
    if not same:
        return None
    place = f", by {same[-1]['place']}: start it there again" if "place" in same[-1] else ""
    return f"the same data, code and configuration were tried {same[-1]['time']}{place}"


def _budget(now: Now) -> str | None:
    """One that failed was paid for as well."""
    most = now.config.monitoring.retrain.budget
    count = sum(days_since(entry) < 30 for entry in begun(now.journal))
    return f"{count} in 30 days, {most} are the most" if count >= most else None


TRIGGERS: dict[str, Callable[[Now], str | None]] = {
    "schedule": _schedule,
    "code": _code,
    "data": _new_data,
    "drift": _drift,
    "quality": _quality,
    "volume": _volume,
    "event": _event,
}
BRAKES: dict[str, Callable[[Now], str | None]] = {
    "nothing new": _nothing_new,
    "taken back": _taken_back,
    "cooldown": _cooldown,
    "duplicate": _duplicate,
    "budget": _budget,
}


def _now() -> datetime:
    return datetime.now(UTC)
