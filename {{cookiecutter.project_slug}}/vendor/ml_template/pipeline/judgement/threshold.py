"""Whether the threshold does what it was chosen for, and what accuracy alone hides without one."""

from __future__ import annotations

from typing import Any

from ...model import measures
from ...settings import gates as rules
from ...settings.config import CONFIG_FILE
from ...settings.gates import compare, line
from .evidence import Evidence, Lines

GATE = "performance.threshold"
FEW = 30  # rows of a class: the rates of fewer are known to a fifth at best
GUESS = 0.55  # balanced accuracy of a model that hardly ever answers one of the classes
ROUNDING = 1e-9
NO_BETTER = 0.01  # of accuracy, than to answer one class always


def answered(evidence: Evidence) -> Lines:
    """One line for two classes, where there is something to say of which one is answered."""
    if evidence.config.data.task != "binary":
        return []
    if "threshold" not in evidence.identity:
        return _hidden(evidence)
    point = evidence.identity["threshold"]
    where = f"{evidence.config.data.positive!r} from {point['value']:.4g} on, by {point['by']}"
    if evidence.config.split.folds and "rows" in point:
        where += ", chosen on the rows that judge it, which flatters it a little"
    found = _wanted(evidence, point, where)
    rarer = point.get("rarer", FEW)
    if (isinstance(rarer, str) or rarer < FEW) and found["verdict"] != "refused":
        why = f"chosen on {rarer} rows of a class: another draw of rows gives another threshold"
        return [found | {"verdict": "warning", "reason": f"{found['reason']}; {why}"}]
    return [found]


def _wanted(evidence: Evidence, point: dict[str, Any], where: str) -> rules.Check:
    """Whether the hold-out has the recall or precision that is wanted, or costs worth a model."""
    rule = evidence.config.model.threshold
    name = measures.WANTED.get(rule.form) if rule else None
    if not rule or not name:
        return line(GATE, "passed", where, point["value"])
    estimate, wanted = evidence.evaluation.metrics[name], getattr(rule, rule.form)
    reason = f"{name}, {where}, 95 % interval [{estimate.low:.4g}, {estimate.high:.4g}]"
    if rule.form == "costs":
        wanted = evidence.evaluation.baseline.get(name)
        reason += "; the limit is what always the same answer costs, the cheaper one"
    elif point.get(name, wanted) < wanted - ROUNDING:
        reason = f"{name} {wanted:g} is nowhere reached on the training folds, {where}: want less"
        return line(GATE, "refused", reason, point[name])
    found = compare(GATE, estimate.value, ">=", wanted, reason)
    if found["verdict"] == "refused" and wanted is not None and estimate.high >= wanted:
        return found | {"verdict": "passed", "reason": f"{reason}: not shown to be less"}
    return found


def _hidden(evidence: Evidence) -> list[rules.Check]:
    metrics, naive = evidence.evaluation.metrics, evidence.evaluation.baseline.get("accuracy")
    balanced, accuracy = metrics["balanced_accuracy"].value, metrics["accuracy"].value
    if naive is None or balanced >= GUESS or accuracy > naive + NO_BETTER:
        return []
    negative, positive = evidence.config.data.labels
    lacks = positive if metrics["recall"].value < 1 / 2 else negative
    reason = (
        f"{lacks!r} is hardly ever answered (balanced accuracy {balanced:.3g}): accuracy "
        f"{accuracy:.4g} is no better than never to answer it, {naive:.4g}. Write threshold: "
        f"{'f1' if lacks == positive else 'balanced_accuracy'} under model in {CONFIG_FILE}, or "
        f"costs, or threshold: 0.5 if it is meant so"
    )
    return [line(GATE, "warning", reason, balanced)]
