"""retrain: train again where a trigger asks for it and no brake holds; each says its reason.

Every decision stands in models/retraining.jsonl. A retraining ends at the gate: only `make promote`
moves the champion.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, NotRequired, TypedDict

from ..model import artifact, lineage, manifest
from ..outside.text import line
from ..registry import champion, withdrawn
from ..registry.champion import MODELS
from ..settings.config import Config, InputError, load_config, read_yaml
from ..storage import changes
from ..storage.files import digest, digest_json, locked, parsed_lines, read_json, write_text
from ..storage.places import CANDIDATE, VERDICT
from . import monitor, start

JOURNAL = MODELS / "retraining.jsonl"  # every decision, and how what it began here ended
PIPELINE = ("reproduce", "gate", "report", "register", "summary")
Facts = dict[str, Any]
Digests = dict[str, str]  # of code, config, lock and data
Reason = tuple[str, str]  # name of a trigger or a brake, and what it says


class Entry(TypedDict):
    """A decision, or with `code` and `made` (a digest) how a retraining ended.

    `asked` is a digest of what it was asked for; `place` is where CI trains.
    """

    time: str
    decision: Literal["nothing to do", "held", "retrain", "finished", "failed"]
    model: str
    triggers: dict[str, str]
    brakes: dict[str, str]
    asked: str
    place: NotRequired[str]
    code: NotRequired[int]
    made: NotRequired[str | None]


def run(settings: dict[str, str]) -> int:
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
        return _train(found) if asked and not place else 0


def _train(found: Entry) -> int:
    """Train here up to the gate, note how it ended; exit code of the pipeline."""
    from .. import command_line

    code = command_line.run(PIPELINE)
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


def decide(why: str) -> Entry:
    """{decision, triggers, brakes, asked, model, time}: retrain, held, or nothing to do.

    `asked`: a retraining for the same digests of the same champion is the same retraining.
    """
    config, (record, model) = load_config(), monitor.current()
    made, current = _made_of(model.identity), _current(config)
    changed = [name for name in current if current[name] != made[name]]
    asked, journal = digest_json([current, model.digest]), read_journal()
    triggers = dict(_triggers(config, record, model, changed))
    if why := line(why):
        triggers["event"] = why
    brakes = dict(_brakes(config, current, changed, journal, asked)) if triggers else {}
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "decision": "nothing to do" if not triggers else "held" if brakes else "retrain",
        "model": model.digest,
        "triggers": triggers,
        "brakes": brakes,
        "asked": asked,
    }


def _made_of(identity: Facts) -> Digests:
    made = {key: identity[key] for key in ("code", "config", "lock")}
    return made | {"data": identity["data"]["md5"]}


def _current(config: Config) -> Digests:
    """The same digests as `_made_of`, today."""
    return _made_of(lineage.digests(config) | {"data": {"md5": _data(config)}})


def _data(config: Config) -> str:
    """MD5 of the data: as DVC tracks it, or of the file itself."""
    tracked = Path(f"{config.data.path}.dvc")
    if not tracked.exists():
        return digest(config.data_file(), "md5")
    try:
        return str(read_yaml(tracked)["outs"][0]["md5"])
    except (KeyError, IndexError, TypeError):
        raise InputError(f"{tracked} is damaged: restore it from git") from None


def _triggers(
    config: Config, record: champion.Record, model: artifact.Model, changed: list[str]
) -> Iterator[Reason]:
    """What speaks for a retraining: age, what `changed`, what the last look of `monitor` saw."""
    rules, seen = config.monitoring.retrain, _seen(model)
    most = rules.every_days
    if most is not None and (age := int(days_since(record["since"]))) >= most:
        yield "schedule", f"champion for {age} days, {most} are the most"
    if code := [name for name in changed if name != "data"]:
        yield "code", f"{', '.join(code)} changed after the champion was trained"
    if "data" in changed:
        yield "data", f"{config.data.path} changed after the champion was trained"
    if seen is None:
        return
    if seen["drifting"]:
        yield "drift", "; ".join(f"{name}: {said}" for name, said in seen["drifting"].items())
    quality, trained = seen["quality"], model.identity["data"]["train"]
    if quality["verdict"] == "dropped":
        yield "quality", quality["reason"]
    if rules.new_rows is not None and quality["rows"] >= rules.new_rows * trained:
        came = f"{quality['rows']:,} labels came"
        yield "volume", f"{came}, the champion learned from {trained:,} rows"


def _seen(model: artifact.Model) -> Facts | None:
    """The last report of `monitor`, if it was about this champion."""
    if not monitor.REPORT.exists():
        return None
    seen = read_json(monitor.REPORT, "run `make monitor`")
    if not isinstance(seen, dict) or not {"model", "drifting", "quality"} <= seen.keys():
        raise InputError(f"{monitor.REPORT} is not whole: run `make monitor`")
    return seen if seen["model"] == model.digest else None


def _brakes(
    config: Config, current: Digests, changed: list[str], journal: list[Entry], asked: str
) -> Iterator[Reason]:
    """What holds a retraining back. One that failed was paid for as well: the budget counts it.

    One that failed or was killed here is to be tried again. One that CI was asked for counts from
    its start, since it may be running: CI tells how it ended, and there it is started again.
    """
    rules = config.monitoring.retrain
    begun = [entry for entry in journal if entry["decision"] == "retrain"]
    ended = {entry["time"] for entry in journal if entry["decision"] == "finished"}
    tried = [entry for entry in begun if entry.get("place") or entry["time"] in ended]
    if not changed:
        yield "nothing new", "data, code, configuration and locks are those of the champion"
    if said := _taken_back(current):
        yield "taken back", said
    if any(days_since(entry["time"]) < rules.cooldown_days for entry in tried):
        yield "cooldown", f"the last one was less than {rules.cooldown_days:g} days ago"
    if same := [entry for entry in tried if entry["asked"] == asked]:
        place = f", by {same[-1]['place']}: start it there again" if "place" in same[-1] else ""
        when = f"{same[-1]['time']}{place}"
        yield "duplicate", f"the same data, code and configuration were tried {when}"
    count = sum(days_since(entry["time"]) < 30 for entry in begun)
    if count >= rules.budget:
        yield "budget", f"{count} in 30 days, {rules.budget} are the most"


def _taken_back(current: Digests) -> str | None:
    """A trigger is no reason to try again what was rolled back: a person gives one, to `start`."""
    for name, said in withdrawn.taken_back().items():
        folder = champion.folder(name)
        if not (folder / manifest.FILE).exists():
            continue
        if _made_of(manifest.read(folder, name)[0]["identity"]) == current:
            return f"these data, code and configuration made model {name[:16]}, which was {said}"
    return None


def read_journal() -> list[Entry]:
    """Its entries, oldest first; raises InputError where one is damaged."""
    lines = changes.content(JOURNAL)
    entries: list[Entry] = parsed_lines(lines, JOURNAL, "restore it from git")
    try:
        for entry in entries:
            _ = days_since(entry["time"]), entry["decision"], entry["asked"]
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"{JOURNAL} is damaged ({error}): restore it from git") from None
    return entries


def note(entry: Entry) -> None:
    """Add an entry; who calls holds the lock of the file."""
    lines = [json.dumps(known, ensure_ascii=False) for known in [*read_journal(), entry]]
    write_text(JOURNAL, "\n".join(lines) + "\n")


def days_since(time: str) -> float:
    """Days from `time`, in ISO 8601 with its offset, to now."""
    return (datetime.now(UTC) - datetime.fromisoformat(time)).total_seconds() / 86400
