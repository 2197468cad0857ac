"""What the report and the model card say, as plain texts and tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ...model.shapes import Estimate, Evaluation, Verdict
from ...outside.numbers import Json, interval, number, shown, title
from ...settings.config import Config
from ...storage.places import STARTER
from ...tables import small
from . import contents, tables
from .sentence import amount, answered, sentence, worth
from .tables import Table


@dataclass(frozen=True)
class Facts:
    """Everything that is said about one model, beside what its evaluation says."""

    evaluation: Evaluation
    project: str
    about: str
    sentence: str
    warnings: Sequence[str]
    verdict: str  # passed, refused or not judged
    verdict_notes: Sequence[str]
    headline: str
    value: str
    value_notes: Sequence[str]
    rows_notes: Sequence[str]
    compared: Table
    gates: Table
    metrics: Table
    slices: Table
    fairness: Sequence[Table]
    importance: Table
    profile: Table
    lineage: Table
    features: Table
    parameters: Table
    search: Table
    method: str
    answered: str  # which class is


def gather(
    project: str,
    config: Config,
    evaluation: Evaluation,
    verdict: Verdict | None,
    identity: Json,
    data: Json,
    champion: tuple[str, Estimate] | None = None,
    search: Json | None = None,
) -> Facts:
    """Facts of the evaluated model; `verdict` is the one on this model, or None.

    `identity` is that of model.json, `data` the profile of the training rows by column,
    `champion` the name and headline of the one it was judged by, `search` reports/search.json.
    """
    name = evaluation["headline"]
    best = shown(name, evaluation["metrics"][name])
    value, ends = interval(best)
    naive = shown(name, dict.fromkeys(("value", "low", "high"), evaluation["baseline"][name]))
    state, notes = _verdict(verdict)
    return Facts(
        evaluation=evaluation,
        project=project,
        about=_about(config, identity),
        sentence=f"{sentence(config, evaluation)}{worth(config, evaluation, identity)}",
        warnings=_warnings(evaluation, verdict),
        verdict=state,
        verdict_notes=notes,
        headline=title(name),
        value=value,
        value_notes=[
            f"95 % interval {ends}",
            f"naive baseline {number(naive['value'], best['high'] - best['low'])}",
        ],
        rows_notes=[
            *_held_out(config, evaluation),
            _classes(evaluation["classes"]),
        ],
        compared=tables.headline(evaluation, champion),
        gates=tables.gates(verdict),
        metrics=tables.metrics(evaluation),
        slices=tables.slices(evaluation),
        fairness=tables.fairness(evaluation["fairness"]),
        importance=tables.importance(evaluation),
        profile=contents.profile(config, data),
        lineage=contents.lineage(evaluation, verdict, identity),
        features=contents.features(config),
        parameters=contents.parameters(identity),
        search=contents.search(search),
        method=(
            f"Intervals: percentile bootstrap over the hold-out rows, {evaluation['replicates']:,} "
            f"resamples{_worth(config)}, seed {evaluation['seed']}. Names of metrics are those of "
            f"scikit-learn's scorers; errors are shown without their sign. "
            f"{answered(config, identity)}"
        ),
        answered=f"{answered(config, identity)}{_alike(config)}",
    )


def _held_out(config: Config, evaluation: Evaluation) -> Iterator[str]:
    """What the hold-out is beside the rows that were learned from."""
    data, split = evaluation["data"], config.split
    if data.get("folds"):
        yield (
            f"each answered by one of {data['folds']} models of the same recipe that did not learn "
            f"from it; the model itself learned from all of them: the recipe is judged"
        )
        if config.search.trials or config.model.threshold:
            yield "what search or threshold chose on all rows flatters these figures a little"
        return
    yield f"never seen in training ({data['train']:,} rows)"
    if data.get("split") is None:  # a split of the project's own, or marks: only they know
        return
    if split.group:
        yield f"nor any other row of the same {split.group}"
    if split.repeats == "apart":
        again = number(small.count(data["repeated"], config.report.min_cell))
        yield f"but equal ones were: {again} of {data['rows']:,} rows repeat another"
    if data.get("neither"):
        yield f"{data['neither']:,} rows are on neither side"


def _alike(config: Config) -> str:
    """What the tables of thresholds and classes do not do, and the sentence and metrics do."""
    return " Each row counts once here, not by data.weight." if config.data.weight else ""


def _worth(config: Config) -> str:
    worth = config.split.worth
    part = f" of {worth:.0%} of them, since models of folds share most of their rows"
    return part if worth < 1 else ""


def _classes(counts: Mapping[str, int | str]) -> str:
    if len(counts) <= 4:
        return ", ".join(f"{label} {number(count)}" for label, count in counts.items())
    known = [count for count in counts.values() if isinstance(count, int)]
    if len(known) < len(counts):
        return f"{len(counts)} classes, some of too few rows to be shown"
    return f"{len(counts)} classes of {min(known):,} to {max(known):,} rows"


def _about(config: Config, identity: Json) -> str:
    task = {
        "binary": f"the probability that {config.data.target} is {config.data.positive}",
        "multiclass": f"the class of {config.data.target} out of {len(config.data.labels)}",
        "regression": amount(config),
    }[config.data.task]
    return f"Predicts {task} from {len(config.features)} columns; {identity['estimator']}."


def _warnings(evaluation: Evaluation, verdict: Verdict | None) -> list[str]:
    synthetic = (
        "The data is SYNTHETIC: it was made to try this project out. Nothing here is evidence "
        "about people or credit."
    )
    warned = [] if verdict is None else [c for c in verdict["checks"] if c["verdict"] == "warning"]
    found = [f"{check['gate']}: {check['reason']}" for check in warned]
    return [synthetic, *found] if evaluation["data"]["path"] == STARTER.as_posix() else found


def _verdict(verdict: Verdict | None) -> tuple[str, list[str]]:
    if verdict is None:
        return "not judged", ["no verdict on this model yet: run make gate"]
    checks = verdict["checks"]
    refused = [check for check in checks if check["verdict"] == "refused"]
    if refused:
        names = [str(check["gate"]) for check in refused]
        more = [f"and {len(names) - 3} more"] if len(names) > 3 else []
        return "refused", [f"by {len(refused)} of {len(checks)} gate lines:", *names[:3], *more]
    passed = sum(check["verdict"] == "passed" for check in checks)
    others = len(checks) - passed
    return "passed", [f"no gate refused: {passed} passed, {others} warned or not applicable"]
