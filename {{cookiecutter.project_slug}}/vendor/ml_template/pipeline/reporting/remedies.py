"""What to do about a line of the verdict that is refused or warns."""

from __future__ import annotations

_BY_GATE = {  # the first part of a gate's name, or all of it
    "evidence": "run `make run`: report and model are not of one run",
    "performance": "look at Metrics and at the most important columns below: add columns that tell "
    "more, more rows, or try `make search`; a floor stands in gates.yaml",
    "performance.gain": "the model knows too little more than a guess: add columns that tell more "
    "of the target, or more rows; or another model.estimator",
    "performance.threshold": "look at Thresholds: name under model in model_config.yaml what is "
    "wanted (threshold: a number, f1, recall, precision, share or costs), or collect more rows",
    "champion": "the champion stays. Look at Candidate and champion: which rows got worse; try "
    "`make search`, or give a reason to `make promote`",
    "slices": "look at Slices: more rows of this group, or a column that tells what is different "
    "there; gates.yaml slices has the limit",
    "fairness": "look at Fairness: more rows of the group, leave out columns that stand for the "
    "sensitive one; a difference that is accepted is written into gates.yaml fairness with why",
    "calibration": "probabilities are off: fewer or smaller trees, more rows, or another "
    "model.estimator; see the plot Calibration",
    "latency": "a smaller model (fewer trees, fewer columns), or measure where it serves",
    "size": "a smaller model: fewer trees, leaves or columns",
    "lineage": "run `make run` once the code is as it shall be",
    "lineage.commit": "commit what changed, then `make gate register report`",
    "sensitive_features": "set `feature: false` for the column, or allow it in gates.yaml with why",
    "determinism": "set random_state; no clock, network or chance in features.py",
    "kit": "`make kit` names the files; restore them, or move your change into src/",
}


def remedy(gate: str, verdict: str) -> str:
    """One sentence; empty for a line that asks for nothing."""
    if verdict not in ("refused", "warning"):
        return ""
    found = _BY_GATE.get(gate) or _BY_GATE.get(gate.partition(".")[0])
    return found or "see docs/runbook.md"
