"""gate: judge the candidate by gates.yaml, print every line and write reports/verdict.json.

The verdict names all it is based on by digest. With the same inputs the same verdict stands and
nothing is measured again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...model import lineage, manifest
from ...model.shapes import Evaluation, Judgement, Lineage, Verdict
from ...outside import text
from ...registry import champion
from ...settings.config import GATES_FILE, InputError, load_config
from ...settings.gates import line, load_gates, short
from ...storage.files import digest, read_json, write_json
from ...storage.places import CANDIDATE, EVALUATION, METRICS_FILE, PREPARED, VERDICT
from ..data import record

FORMAT = 1
_MEASURED = ("model", "test", "package")  # what the figures of a model depend on
_AGAIN = "run `make run`"


def run(alone: bool = True) -> bool:
    """Write the verdict and print it; False when the candidate is refused.

    Among other words the lines of a verdict that still stands are not shown again.
    """
    found = inputs()
    verdict = earlier()
    if verdict is None or not stands(verdict, found):
        verdict = champion.sealed(decide(found, verdict))
        write_json(VERDICT, verdict)
    elif not alone:
        state = f"model {verdict['model'][:16]} was {verdict['verdict']}"
        print(f"gate: nothing that it judges has changed: {state} (`make gate` shows every line)")
        return bool(verdict["verdict"] == "passed")
    print(table(verdict))
    return bool(verdict["verdict"] == "passed")


def inputs() -> dict[str, Any]:
    """All a verdict depends on, by digest; raises InputError for what is missing or changed."""
    config = load_config()
    load_gates()
    data = read_json(PREPARED / "data.json", _AGAIN)
    if not {"path", "sha256"} <= dict(data).keys():
        raise InputError(f"{PREPARED / 'data.json'} is incomplete: {_AGAIN}")
    source = Path(data["path"])
    if _digest(source, "run `dvc pull`, or `make run`") != data["sha256"]:
        raise InputError(f"{source} changed after data/prepared was made from it: {_AGAIN}")
    for part in record.PARTS:
        _digest(PREPARED / f"{part}.parquet", _AGAIN)
    record.require(config)
    return {
        "model": manifest.read(CANDIDATE)[0]["digest"],
        "metrics": _digest(METRICS_FILE, _AGAIN),
        "evaluation": _digest(EVALUATION, _AGAIN),
        "test": _digest(PREPARED / "test.parquet", _AGAIN),
        "data": data["sha256"],
        "gates": _digest(GATES_FILE, "restore it from git"),
        "champion": _champion(),
        "package": lineage.package(),
        "ci": lineage.in_ci(),
        "lineage": lineage.digests(config) | lineage.commit(),
    }


def stands(verdict: Verdict, found: dict[str, Any]) -> bool:
    """Whether `verdict` was made of the inputs `found`.

    Two clean commits with the same digests are one lineage; and a verdict outlives its model
    becoming champion.
    """
    before = verdict["inputs"]
    if found["champion"] == found["model"]:
        found = found | {"champion": before["champion"]}
    return _settled(before) == _settled(found)


def _settled(found: dict[str, Any]) -> dict[str, Any]:
    origin = found["lineage"]
    clean = origin["commit"] is not None and not origin["uncommitted"]
    return found | {"lineage": origin | {"commit": clean or origin["commit"]}}


def earlier() -> Verdict | None:
    """The verdict that stands in reports/, None where there is none that verifies."""
    try:
        return champion.read_verdict(VERDICT, "it is written again")
    except InputError:
        return None  # nothing is taken from it: the candidate is judged anew


def _digest(path: Path, remedy: str) -> str:
    try:
        return digest(path)
    except FileNotFoundError:
        raise InputError(f"{path} is missing: {remedy}") from None


def _champion() -> str | None:
    record = champion.read(champion.CHAMPION)
    return record["digest"] if record else None


def decide(found: dict[str, Any], verdict: Verdict | None) -> Judgement:
    """A new verdict, without its digest; figures of an earlier one that still hold are kept."""
    from ...model import artifact
    from ...tables.table import read_parquet
    from ..data import answering
    from . import answers, evidence, kit, measure, rival
    from .checks import judge

    config, gates = load_config(), load_gates()
    identity = read_json(CANDIDATE / "model.json", _AGAIN)["identity"]
    test = read_parquet(PREPARED / "test.parquet")
    hold_out = rival.rows_digest(identity["data"], test)
    origin: Lineage = found["lineage"] | {"data": identity["data"], "hold_out": hold_out}
    before = verdict if verdict and _same(verdict["inputs"], found, _MEASURED) else None
    measured = before["measured"] if before else measure.measure(CANDIDATE)
    ours = answering.held_out(config, CANDIDATE, artifact.load(CANDIDATE), test)
    if before and _same(before["inputs"], found, ("champion",)):
        compared = before["rival"]
    else:
        at = artifact.threshold(identity)
        compared = rival.compare(config, ours, at, found["model"], origin, test)
    content: Evaluation = read_json(EVALUATION, _AGAIN)
    evaluation = evidence.vouched(config, found["model"], identity, test, ours, content)
    if isinstance(evaluation, list):
        lines = [line("evidence", "refused", reason) for reason in evaluation]
    else:
        told = evidence.told(config, gates, identity)
        facts = (evaluation, origin, measured, compared, told)
        proof = evidence.Evidence(config, gates, identity, *facts)
        again = f"{EVALUATION}, measured again by the gate{_by(identity)}"
        first = line("evidence", "passed", again)
        lines = [first, *judge(proof)]
    lines.append(kit.line())
    refused = any(entry["verdict"] == "refused" for entry in lines)
    return {
        "format": FORMAT,
        "verdict": "refused" if refused else "passed",
        "model": found["model"],
        "inputs": found,
        "checks": lines,
        "metrics": {} if isinstance(evaluation, list) else content["metrics"],
        "measured": measured,
        "rival": compared,
        "answers": answers.digest(ours),
        "lineage": origin,
        "gates": gates.model_dump(mode="json"),
    }


def _by(identity: dict[str, Any]) -> str:
    """Who answered, where it is not the model that is served."""
    data = identity["data"]
    if not data.get("folds"):
        return ""
    return (
        f": each row answered by one of {data['folds']} models of the same recipe that did not "
        f"learn from it; the model that is served learned from all {data['train']:,}"
    )


def _same(left: dict[str, Any], right: dict[str, Any], keys: tuple[str, ...]) -> bool:
    return all(left.get(key) == right[key] for key in keys)


def table(verdict: Verdict) -> str:
    """Aligned columns of gate, value, limit, verdict and reason; the last line is the answer."""
    rows: list[tuple[str, ...]] = [("gate", "value", "limit", "verdict", "")]
    for check in verdict["checks"]:
        shown = (check["gate"], short(check["value"]), check["limit"] or "", check["verdict"])
        rows.append(tuple(map(text.line, (*shown, check["reason"] or ""))))
    count = sum(check["verdict"] == "refused" for check in verdict["checks"])
    state = "passed" if count == 0 else f"refused by {count} of {len(verdict['checks'])} lines"
    return f"{text.aligned(rows)}\ngate: model {verdict['model'][:16]} {state} -> {VERDICT}"
