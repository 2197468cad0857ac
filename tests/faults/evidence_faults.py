"""T25, T26 and the gates: reports, limits and candidates that must not pass `gate`."""

from __future__ import annotations

from typing import Any

from .lab import Lab
from .registry import fault

EVALUATION = "reports/evaluation.json"
METRICS = "reports/metrics.json"
GATES = "gates.yaml"


def headline(lab: Lab, **changes: Any) -> None:
    """Change the headline metric in both reports."""
    with lab.edited(EVALUATION) as evaluation, lab.edited(METRICS) as metrics:
        for estimate in (
            evaluation["metrics"][evaluation["headline"]],
            metrics[evaluation["headline"]],
        ):
            estimate |= changes


@fault("T25", "metric NaN", "gate", r"evidence .*finite")
def nan(lab: Lab) -> None:
    headline(lab, value=float("nan"))


@fault("T25", "metric infinite", "gate", r"evidence .*finite")
def infinite(lab: Lab) -> None:
    headline(lab, value=float("inf"), high=float("inf"))


@fault("T25", "metric as text", "gate", r"evidence .*(number|float)")
def as_text(lab: Lab) -> None:
    headline(lab, value="0.99", low="0.98", high="0.995")


@fault("T25", "metric true", "gate", r"evidence .*(number|float)")
def as_true(lab: Lab) -> None:
    headline(lab, value=True, low=True, high=True)


@fault("T25", "metric null", "gate", r"evidence .*(number|float)")
def as_null(lab: Lab) -> None:
    headline(lab, value=None)


@fault("T25", "metric outside its range", "gate", r"evidence .*outside")
def outside(lab: Lab) -> None:
    headline(lab, value=1.2, high=1.3)


@fault("T25", "interval does not hold its value", "gate", r"evidence .*does not hold")
def reversed_interval(lab: Lab) -> None:
    headline(lab, low=0.999, high=1.0)


@fault("T25", "metric made better by hand", "gate", r"evidence .*metrics\.roc_auc\.\w+ is 0.9")
def better_by_hand(lab: Lab) -> None:
    headline(lab, value=0.97, low=0.96, high=0.98)


@fault(
    "T25", "interval made narrower by hand", "gate", r"evidence .*roc_auc\.low is .*measured again"
)
def narrower(lab: Lab) -> None:
    value = lab.json(METRICS)["roc_auc"]["value"]
    headline(lab, low=value - 1e-6)


@fault(
    "T25", "metric beside the headline made better", "gate", r"evidence .*accuracy\.value is 0.99"
)
def beside(lab: Lab) -> None:
    with lab.edited(EVALUATION) as evaluation, lab.edited(METRICS) as metrics:
        for found in (evaluation["metrics"], metrics):
            found["accuracy"] = {"value": 0.99, "low": 0.98, "high": 1.0}


@fault("T25", "bad slice made good by hand", "gate", r"evidence .*slices\[0\]\.\w+ is 0.99")
def better_slice(lab: Lab) -> None:
    with lab.edited(EVALUATION) as evaluation:
        evaluation["slices"][0] |= {"value": 0.99, "low": 0.99, "high": 0.99}


@fault("T25", "bad slice left out by hand", "gate", r"evidence .*slices is .*measured again")
def slice_left_out(lab: Lab) -> None:
    with lab.edited(EVALUATION) as evaluation:
        del evaluation["slices"][0]


@fault("T25", "groups made equal by hand", "gate", r"evidence .*fairness\[0\]\.\S+ is .*again")
def fairer(lab: Lab) -> None:
    with lab.edited(EVALUATION) as evaluation:
        groups = evaluation["fairness"][0]["groups"]
        for group in groups:
            group["selection_rate"] = groups[0]["selection_rate"]


@fault("T25", "calibration made better by hand", "gate", r"evidence .*calibration\.error is 0.001")
def calibrated(lab: Lab) -> None:
    with lab.edited(EVALUATION) as evaluation:
        evaluation["calibration"]["error"] = 0.001


@fault("T25", "naive model made worse by hand", "gate", r"evidence .*baseline\.roc_auc is 0.1")
def weaker_baseline(lab: Lab) -> None:
    with lab.edited(EVALUATION) as evaluation:
        evaluation["baseline"]["roc_auc"] = 0.1


@fault("T25", "evaluation of an earlier model renamed", "gate", r"evidence .*measured again")
def renamed(lab: Lab) -> None:
    with lab.edited("model_config.yaml") as config:
        config["model"]["params"]["max_iter"] += 5
    assert lab.say("train")[0] == 0
    with lab.edited(EVALUATION) as evaluation:
        evaluation["model"] = lab.json("models/candidate/model.json")["digest"]


@fault("T25", "metric missing", "gate", r"evidence .*is missing")
def missing(lab: Lab) -> None:
    with lab.edited(EVALUATION) as evaluation, lab.edited(METRICS) as metrics:
        del evaluation["metrics"][evaluation["headline"]], metrics[evaluation["headline"]]


@fault("T25", "key missing", "gate", r"evidence .*baseline.*missing")
def key_missing(lab: Lab) -> None:
    with lab.edited(EVALUATION) as evaluation:
        del evaluation["baseline"]


@fault("T25", "empty hold-out", "gate", r"evidence .*(greater than or equal to 1|rows)")
def empty(lab: Lab) -> None:
    with lab.edited(EVALUATION) as evaluation:
        evaluation["rows"] = 0


@fault("T25", "metrics of another model", "gate", r"evidence .*measures model 0{16}")
def another_model(lab: Lab) -> None:
    with lab.edited(EVALUATION) as evaluation:
        evaluation["model"] = "0" * 64


@fault("T25", "metrics of other data", "gate", r"evidence .*not of the same data")
def other_data(lab: Lab) -> None:
    with lab.edited(EVALUATION) as evaluation:
        evaluation["data"]["sha256"] = "0" * 64


@fault("T25", "two reports that differ", "gate", r"evidence .*different metrics")
def differ(lab: Lab) -> None:
    with lab.edited(METRICS) as metrics:
        next(iter(metrics.values()))["value"] -= 0.01


@fault("T25", "evaluation cut in half", "gate", r"evaluation.json is damaged")
def half(lab: Lab) -> None:
    path = lab.folder / EVALUATION
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@fault("T25", "no evaluation", "gate", r"evaluation.json is missing")
def no_evaluation(lab: Lab) -> None:
    (lab.folder / EVALUATION).unlink()


@fault("T25", "no gates file", "gate", r"gates.yaml is missing")
def no_gates(lab: Lab) -> None:
    (lab.folder / GATES).unlink()


@fault("T25", "unknown key in gates", "gate", r"gates.yaml: performance.gian: unknown key")
def unknown_key(lab: Lab) -> None:
    lab.replace(GATES, "  gain:", "  gian: 0.5\n  gain:")


@fault("T25", "missing key in gates", "gate", r"gates.yaml: champion: this key is missing")
def missing_key(lab: Lab) -> None:
    with lab.edited(GATES) as gates:
        del gates["champion"]


@fault("T25", "empty block in gates", "gate", r"gates.yaml: .*champion is empty")
def empty_block(lab: Lab) -> None:
    with lab.edited(GATES) as gates:
        gates["champion"] = None


@fault("T25", "repeated key in gates", "gate", r"gates.yaml: line \d+: the key 'performance'")
def repeated_key(lab: Lab) -> None:
    path = lab.folder / GATES
    path.write_text(path.read_text() + "\nperformance: false\n")


@fault("T25", "every gate off", "gate", r"gates.yaml: every gate is switched off")
def all_off(lab: Lab) -> None:
    with lab.edited(GATES) as gates:
        for name in gates:
            if name != "canary":  # limits of a rollout, no gate
                gates[name] = False


@fault("T25", "limit NaN", "gate", r"gates.yaml: performance.gain: .*finite")
def nan_limit(lab: Lab) -> None:
    with lab.edited(GATES) as gates:
        gates["performance"]["gain"] = float("nan")


@fault("T25", "limit as text", "gate", r"gates.yaml: calibration.max_error: must be a number")
def text_limit(lab: Lab) -> None:
    with lab.edited(GATES) as gates:
        gates["calibration"]["max_error"] = "0.15"


@fault("T25", "floor of an unknown metric", "gate", r"performance.floors.auc .*no such metric")
def unknown_metric(lab: Lab) -> None:
    with lab.edited(GATES) as gates:
        gates["performance"]["floors"] = {"auc": 0.5}


@fault(
    "T26",
    "gates lowered after the verdict",
    "promote",
    r"gates.yaml changed after model",
    base="challenged",
)
def lowered(lab: Lab) -> None:
    with lab.edited(GATES) as gates:
        gates["performance"]["gain"] = 0.0


@fault("T26", "gates lowered before the verdict", "gate", r"champion .*is below -0.005", base="two")
def lowered_margin_stays(lab: Lab) -> None:
    """Every floor is lowered and a much weaker model is offered: the champion still stands."""
    with lab.edited(GATES) as gates:
        gates["performance"] |= {"gain": 0.0, "floors": {}}
        gates["calibration"] = False
    weaken(lab)


def weaken(lab: Lab) -> None:
    """A candidate of one tree, trained and evaluated."""
    with lab.edited("model_config.yaml") as config:
        config["model"]["params"] |= {"max_iter": 1, "max_leaf_nodes": 2}
    for stage in ("train", "evaluate"):
        code, said = lab.say(stage)
        assert code == 0, said


@fault("G1", "worse than the champion", "gate", r"champion .*is below -0.005")
def worse(lab: Lab) -> None:
    weaken(lab)


@fault("T26", "the champion's kept answers were edited", "gate", r"\.npy was changed: restore")
def kept_answers(lab: Lab) -> None:
    """So that whoever comes next looks better."""
    weaken(lab)
    (kept,) = lab.folder.glob("models/verdicts/*.npy")
    lab.flip_byte(kept.relative_to(lab.folder).as_posix())


def append(lab: Lab, share: float = 0.1) -> None:
    """New rows: old ones, a little different."""
    name = lab.column("numeric", feature=True, missing=False)
    high = lab.config["columns"][name]["max"]
    rows = lab.rows()
    new = [dict(row) for row in lab.random.sample(rows, round(share * len(rows)))]
    for row in new:
        row[name] = lab.text(min(lab.number(row[name]) * 1.01 + 0.01, high))
    lab.write_rows(rows + new)
    for stage in ("prepare", "validate"):
        code, said = lab.say(stage)
        assert code == 0, said


@fault(
    "G1",
    "worse than the champion on a table that grew",
    "train evaluate gate",
    r"champion .*is below -0.005.* rows that neither was trained on",
    before=append,
)
def worse_on_more_rows(lab: Lab) -> None:
    """So little that figures from different rows do not show it."""
    with lab.edited("model_config.yaml") as config:
        config["model"]["params"] |= {"max_iter": 12, "max_leaf_nodes": 3}


@fault("G2", "no better than guessing", "train evaluate gate", r"performance.gain .*is below")
def guessing(lab: Lab) -> None:
    rows = lab.rows()
    labels = [row[lab.target] for row in rows]
    lab.random.shuffle(labels)
    for row, label in zip(rows, labels, strict=True):
        row[lab.target] = label
    lab.write_rows(rows)
    for stage in ("prepare", "validate"):
        code, said = lab.say(stage)
        assert code == 0, said


@fault("G3", "overconfident model", "train evaluate gate", r"calibration .*is above 0.15")
def overconfident(lab: Lab) -> None:
    with lab.edited("model_config.yaml") as config:
        config["model"]["params"] = {
            "learning_rate": 1.0, "max_iter": 300, "max_leaf_nodes": 255, "min_samples_leaf": 1,
        }  # fmt: skip


@fault(
    "G4",
    "sensitive column as a feature",
    "train evaluate gate",
    r"sensitive_features .*sensitive and a feature",
)
def sensitive_feature(lab: Lab) -> None:
    with lab.edited("model_config.yaml") as config:
        config["columns"][config["sensitive"][0]]["feature"] = True
    assert lab.say("validate")[0] == 0


@fault("G5", "sensitive column not in the evaluation", "gate", r"evidence .*fairness is \[\]")
def fairness_missing(lab: Lab) -> None:
    with lab.edited(EVALUATION) as evaluation:
        evaluation["fairness"] = []


@fault("G6", "sensitive column not in the table", "prepare", r"sensitive: .* is not in columns")
def sensitive_unknown(lab: Lab) -> None:
    with lab.edited("model_config.yaml") as config:
        config["sensitive"] = ["religion"]


@fault(
    "G7",
    "group too small to judge",
    "prepare validate train evaluate gate",
    r"fairness\.\S+=rare .*has (\d+|fewer than 10) rows",
)
def small_group(lab: Lab) -> None:
    rare_group(lab, 0.008)


def rare_group(lab: Lab, share: float) -> None:
    group = lab.config["sensitive"][0]
    lab.change(share, lambda row: row.update({group: "rare"}))
    with lab.edited("model_config.yaml") as config:
        config["columns"][group]["values"].append("rare")


@fault(
    "G7",
    "group of few rows is named without its number",
    "prepare validate train evaluate gate",
    r"fairness\.\S+=rare  +fewer than 10  +refused +group 'rare' has fewer than 10 rows",
)
def few_rows(lab: Lab) -> None:
    rare_group(lab, 0.006)


@fault(
    "G8",
    "one group gets other answers",
    "prepare validate train evaluate gate",
    r"fairness\.\S+ .*is above 0.3",
)
def unfair(lab: Lab) -> None:
    """The label follows the group, and the group is allowed as a feature."""
    group, classes = lab.config["sensitive"][0], lab.config["data"]["classes"]
    values = lab.config["columns"][group]["values"]

    target, rows = lab.target, lab.rows()
    for row in rows:
        if lab.random.random() < 0.7:
            row[target] = classes[values.index(row[group])]
    lab.write_rows(rows)
    with lab.edited("model_config.yaml") as config:
        config["columns"][group]["feature"] = True
    with lab.edited(GATES) as gates:
        gates["sensitive_features"]["allowed"] = [group]


@fault("G9", "artifact larger than allowed", "gate", r"size.mb .*is above 0.001")
def fat(lab: Lab) -> None:
    with lab.edited(GATES) as gates:
        gates["size"]["max_mb"] = 0.001


@fault(
    "G10",
    "slow features",
    "process:train process:evaluate process:gate",
    r"latency.p99_ms .*is above",
)
def slow(lab: Lab) -> None:
    path = lab.folder / "src" / lab.package / "features.py"
    text = path.read_text()
    start = text.index('"""', text.index("def features"))
    end = text.index('"""', start + 3) + 3
    path.write_text(text[:end] + "\n    __import__('time').sleep(0.08)" + text[end:])


@fault(
    "G11",
    "answers that change by chance",
    "process:train",
    r"answers its known rows differently|depends on the other rows",
)
def chance(lab: Lab) -> None:
    path = lab.folder / "src" / lab.package / "features.py"
    text = path.read_text()
    path.write_text(
        text.replace("def features(", "def _features(", 1)
        + "\n\ndef features(columns: Columns) -> Columns:\n"
        "    n = len(next(iter(columns.values())))\n"
        "    import os\n"
        "    noise = np.frombuffer(os.urandom(8 * n), dtype=np.uint64) / 2.0**64\n"
        "    return _features(columns) | {'noise': noise}\n"
    )
