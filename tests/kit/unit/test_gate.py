from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from ml_template.model.metrics import METRICS
from ml_template.pipeline.judgement import checks, evidence, gate, measure
from ml_template.registry import champion
from ml_template.settings.config import Config, InputError
from ml_template.settings.gates import Gates, compare, load_gates
from ml_template.storage import places
from ml_template.storage.files import write_json

from ..conftest import ROOT
from .conftest import LOOSE, write_gates

MEASURE = measure.measure
RULES: dict[str, Any] = {
    "performance": {"gain": 0.01, "floors": {"accuracy": 0.7}},
    "champion": {"max_drop": 0.005},
    "slices": {"max_drop": 0.1, "max_error_ratio": 2.0, "min_rows": 50},
    "fairness": {
        "limits": {
            "demographic_parity": 0.3,
            "equalized_odds": 0.3,
            "accuracy_gap": 0.2,
            "error_gap": 0.5,
        },
        "min_rows": 30,
        "accept_small_groups": (),
    },
    "calibration": {"max_error": 0.15},
    "latency": {"max_p99_ms": 50.0, "min_rows_per_second": 1000.0},
    "size": {"max_mb": 200.0, "max_load_seconds": 10.0, "max_memory_mb": 1024.0},
    "lineage": {"require_commit": False},
    "sensitive_features": {"allowed": ()},
    "determinism": {"max_difference": 1e-9},
}
RATES = {"accuracy": 0.8, "selection_rate": 0.4, "true_positive_rate": 0.7}
CASE: dict[str, Any] = {
    "config": {
        "data": {
            "path": "data/t.csv",
            "target": "y",
            "task": "binary",
            "classes": ["no", "yes"],
            "positive": "yes",
        },
        "columns": {"x": {"type": "numeric"}, "sex": {"type": "categorical", "feature": False}},
        "sensitive": ["sex"],
        "slices": [],
    },
    "gates": RULES,
    "identity": {
        "data": {"test": 500},
        "code": "c" * 64,
        "config": "f" * 64,
        "lock": "a" * 64,
        "known_answers": {"types": {"x": "<f8"}},
    },
    "evaluation": {
        "model": "d" * 64,
        "data": {"test": 500},
        "task": "binary",
        "target": "y",
        "rows": 500,
        "headline": "roc_auc",
        "metrics": {name: {"value": 0.8, "low": 0.77, "high": 0.83} for name in METRICS["binary"]}
        | {
            name: {"value": -0.4, "low": -0.5, "high": -0.3}
            for name in ("neg_log_loss", "neg_brier_score")
        },
        "baseline": {"roc_auc": 0.5},
        "slices": [
            {
                "column": "sex",
                "group": group,
                "rows": 250,
                "metric": "roc_auc",
                "value": 0.78,
                "low": 0.7,
                "high": 0.84,
            }
            for group in ("f", "m")
        ],
        "fairness": [
            {
                "column": "sex",
                "groups": [
                    {"group": group, "rows": 250, "false_positive_rate": 0.1} | RATES
                    for group in ("f", "m")
                ],
            }
        ],
        "calibration": {"error": 0.05},
    },
    "lineage": {
        "code": "c" * 64,
        "config": "f" * 64,
        "lock": "a" * 64,
        "commit": "1" * 40,
        "uncommitted": [],
        "reason": None,
    },
    "measured": {
        "mb": 1.0,
        "load_seconds": 0.1,
        "memory_mb": 90.0,
        "p99_ms": 0.1,
        "rows_per_second": 1e5,
        "difference": 0.0,
    },
    "rival": {"state": "paired", "reason": "", "value": 0.0, "low": -0.01, "high": 0.01},
}


def judge(*path: Any, value: Any = None) -> list[dict[str, Any]]:
    """Lines of the healthy CASE, or of the one where `path` holds `value`."""
    case = copy.deepcopy(CASE)
    place: Any = case
    for key in path[:-1]:
        place = place[key]
    if path:
        place[path[-1]] = value
    found = evidence.read_evaluation(case.pop("evaluation"))
    assert isinstance(found, evidence.Evaluation), found
    config = Config.model_validate(case.pop("config"))
    gates = Gates.model_validate(case.pop("gates"))
    return checks.judge(evidence.Evidence(config, gates, evaluation=found, **case))


def refused(lines: list[dict[str, Any]]) -> list[str]:
    return [line["gate"] for line in lines if line["verdict"] == "refused"]


def test_a_healthy_candidate_passes_every_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    assert {line["verdict"] for line in judge()} == {"passed"}


AUC = ("evaluation", "metrics", "roc_auc")
SLICE = ("evaluation", "slices", 0)
GROUPS = ("evaluation", "fairness", 0, "groups", 0)


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        (AUC, {"value": 0.52, "low": 0.49, "high": 0.85}, "performance.gain"),
        (("evaluation", "baseline"), {}, "performance.gain"),
        (("evaluation", "metrics", "accuracy", "value"), 0.77, None),
        (("gates", "performance", "floors", "accuracy"), 0.81, "performance.floors.accuracy"),
        (("gates", "performance", "floors"), {"r2": 0.1}, "performance.floors.r2"),
        (("rival",), CASE["rival"] | {"value": -0.1, "low": -0.2, "high": -0.01}, "champion"),
        (("rival",), CASE["rival"] | {"value": -0.1, "low": -0.2, "high": 0.01}, None),
        (("rival",), CASE["rival"] | {"value": -0.001, "low": -0.002, "high": -0.0001}, None),
        (("rival", "value"), None, "champion"),
        (("rival", "low"), 0.1, "champion"),
        (("rival",), {"state": "damaged", "reason": "swapped"}, "champion"),
        (("rival",), {"state": "same", "reason": ""}, None),
        (("rival",), {"state": "other", "reason": ""}, None),
        (("rival",), {"state": "turned", "reason": ""}, None),
        (
            SLICE,
            CASE["evaluation"]["slices"][0] | {"value": 0.5, "low": 0.4, "high": 0.6},
            "slices.sex=f",
        ),
        ((*SLICE, "rows"), 49, None),
        ((*SLICE, "high"), 0.6, "slices.sex=f"),
        (("config", "slices"), ["x"], "slices"),
        ((*GROUPS, "selection_rate"), 0.71, "fairness.sex.demographic_parity"),
        ((*GROUPS, "true_positive_rate"), 0.3, "fairness.sex.equalized_odds"),
        ((*GROUPS, "false_positive_rate"), 0.5, "fairness.sex.equalized_odds"),
        ((*GROUPS, "accuracy"), 0.5, "fairness.sex.accuracy_gap"),
        ((*GROUPS, "rows"), 29, "fairness.sex=f"),
        ((*GROUPS, "true_positive_rate"), None, "fairness.sex=f"),
        (("evaluation", "fairness"), [], "fairness.sex"),
        (("config", "sensitive"), [], None),
        (("evaluation", "calibration", "error"), 0.16, "calibration"),
        (("evaluation", "calibration", "error"), None, "calibration"),
        (("measured", "p99_ms"), 51.0, "latency.p99_ms"),
        (("measured", "rows_per_second"), 999.0, "latency.rows_per_second"),
        (("measured", "mb"), 201.0, "size.mb"),
        (("measured", "load_seconds"), 11.0, "size.load_seconds"),
        (("measured", "memory_mb"), 1025.0, "size.memory_mb"),
        (("measured",), {}, "determinism"),
        (("measured", "difference"), 1e-8, "determinism"),
        (("measured", "difference"), float("nan"), "determinism"),
        (("lineage", "code"), "0" * 64, "lineage.code"),
        (("identity", "config"), "0" * 64, "lineage.config"),
        (("identity", "lock"), None, "lineage.lock"),
        (("identity", "known_answers", "types"), {"sex": "|O"}, "sensitive_features"),
        (("gates", "lineage", "require_commit"), True, None),
    ],
)
def test_a_gate_refuses_its_fault_and_nothing_else(
    path: tuple[Any, ...], value: Any, expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CI", raising=False)
    found = refused(judge(*path, value=value))
    assert expected in found if expected else found == []


@pytest.mark.parametrize(
    "change", [{"uncommitted": ["gates.yaml"]}, {"commit": None, "reason": "no git"}]
)
def test_without_a_clean_commit_is_a_warning_and_in_ci_a_refusal(
    change: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    origin = CASE["lineage"] | change
    monkeypatch.delenv("CI", raising=False)
    lines = {line["gate"]: line["verdict"] for line in judge("lineage", value=origin)}
    assert lines["lineage.commit"] == "warning"
    monkeypatch.setenv("CI", "true")
    assert refused(judge("lineage", value=origin)) == ["lineage.commit"]


def test_an_accepted_small_group_is_left_out_of_the_differences() -> None:
    small = [CASE["evaluation"]["fairness"][0]["groups"][0] | {"rows": 3, "selection_rate": 1.0}]
    groups = [*small, *({**small[0], "group": name, "rows": 250, **RATES} for name in "mn")]
    rule = RULES["fairness"] | {"accept_small_groups": ("sex=f",)}
    case = copy.deepcopy(CASE)
    case["evaluation"]["fairness"][0]["groups"] = groups
    assert refused(judge("evaluation", value=case["evaluation"])) == ["fairness.sex=f"]
    case["gates"]["fairness"] = rule
    found = evidence.read_evaluation(case["evaluation"])
    proof = evidence.Evidence(
        Config.model_validate(case["config"]),
        Gates.model_validate(case["gates"]),
        case["identity"],
        found,
        case["lineage"],
        case["measured"],
        case["rival"],
    )
    lines = checks.judge(proof)
    assert refused(lines) == []
    (left_out,) = (line for line in lines if line["gate"] == "fairness.sex=f")
    assert (left_out["verdict"], left_out["value"]) == ("warning", "fewer than 10")
    assert "accepted in gates.yaml" in left_out["reason"]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "0.9", True, None, [0.9], 1.5])
def test_what_is_no_number_in_range_never_passes(value: Any) -> None:
    assert compare("g", value, ">=", 0.0, within=(0, 1))["verdict"] == "refused"
    assert compare("g", value, "<=", 1.0, within=(0, 1))["verdict"] == "refused"


@pytest.mark.parametrize("direction", [">=", "<="])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_not_finite_never_passes(value: float, direction: Literal[">=", "<="]) -> None:
    assert compare("g", value, direction, 0.0)["verdict"] == "refused"


@pytest.mark.parametrize("limit", [float("nan"), float("inf"), "0.1", True, None])
def test_a_limit_that_is_no_number_never_passes(limit: Any) -> None:
    assert compare("g", 0.5, ">=", limit)["verdict"] == "refused"


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ((*AUC, "value"), float("nan"), "metrics.roc_auc.value"),
        ((*AUC, "value"), "0.8", "metrics.roc_auc.value"),
        ((*AUC, "high"), True, "metrics.roc_auc.high"),
        ((*AUC, "low"), 0.81, "does not hold"),
        (AUC, None, "metrics.roc_auc"),
        (("evaluation", "rows"), 0, "rows"),
        (("evaluation", "headline"), None, "headline"),
    ],
)
def test_a_report_with_a_fault_is_no_evidence(
    path: tuple[str, ...], value: Any, words: str
) -> None:
    case = copy.deepcopy(CASE)
    place = case
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    found = evidence.read_evaluation(case["evaluation"])
    assert isinstance(found, list)
    assert words in found[0]


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("model",), "e" * 64, "measures model"),
        (("data",), {"test": 400}, "not of the same data"),
        (("rows",), 499, "499 rows of 500"),
        (("headline",), "accuracy", "headline is 'accuracy'"),
        (("task",), "multiclass", "task is 'multiclass'"),
        (("metrics", "roc_auc"), {"value": 1.1, "low": 0.9, "high": 1.2}, "outside [0.0, 1.0]"),
        (("metrics", "made_up"), {"value": 1.0, "low": 0.9, "high": 1.2}, "no metric of a binary"),
    ],
)
def test_reports_of_something_else_are_no_evidence(
    in_folder: Path, path: tuple[str, ...], value: Any, words: str
) -> None:
    content = copy.deepcopy(CASE["evaluation"])
    place = content
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    found = evidence.read_evaluation(content)
    assert isinstance(found, evidence.Evaluation)
    Path("data/prepared").mkdir(parents=True)
    write_json(places.PREPARED / "data.json", CASE["evaluation"]["data"])
    write_json(places.METRICS_FILE, content["metrics"])
    config = Config.model_validate(CASE["config"])
    wrong = evidence.faults(found, config, "d" * 64, CASE["identity"], content)
    assert words in " ".join(wrong)


def test_metrics_other_than_the_evaluation_are_no_evidence(project: Path) -> None:
    metrics = json.loads(places.METRICS_FILE.read_text())
    write_json(places.METRICS_FILE, metrics | {"accuracy": {"value": 1.0, "low": 1.0, "high": 1.0}})
    assert not gate.run()
    assert refused(json.loads(places.VERDICT.read_text())["checks"]) == ["evidence"]


def test_the_gates_of_this_project_are_valid() -> None:
    load_gates(ROOT / "gates.yaml")


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ({}, "every gate is switched off"),
        ({"calibration": "{max_error: '0.1'}"}, "calibration.max_error: must be a number"),
        ({"calibration": "{max_error: true}"}, "calibration.max_error: must be a number"),
        ({"calibration": "{max_error: .nan}"}, "calibration.max_error"),
        ({"calibration": "{max_eror: 0.1}"}, "calibration.max_eror: unknown key"),
        ({"calibration": "{}"}, "calibration.max_error: this key is missing"),
        ({"calibration": ""}, "calibration is empty"),
        ({"calibration": "{max_error: -1.0}"}, "calibration.max_error"),
    ],
)
def test_a_fault_in_gates_yaml_is_named(in_folder: Path, rules: dict[str, str], words: str) -> None:
    write_gates(**rules)
    with pytest.raises(InputError, match=r"gates\.yaml") as caught:
        load_gates()
    assert words in str(caught.value)


def test_missing_gates_refuse(project: Path) -> None:
    Path("gates.yaml").unlink()
    with pytest.raises(InputError, match=r"gates\.yaml is missing"):
        gate.run()


def test_the_verdict_names_the_model_and_keeps_its_digest(project: Path) -> None:
    assert gate.run()
    verdict = champion.read_verdict(places.VERDICT, "")
    assert verdict["model"] == json.loads(Path("models/candidate/model.json").read_text())["digest"]
    assert verdict["verdict"] == "passed"


def test_the_same_inputs_keep_the_verdict_and_measure_nothing(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate.run()
    before = places.VERDICT.read_bytes()
    monkeypatch.setattr(measure, "measure", pytest.fail)
    assert gate.run()
    assert places.VERDICT.read_bytes() == before


def test_the_artifact_is_measured_in_a_process_of_its_own(figures: dict[str, float]) -> None:
    assert figures["difference"] == 0
    assert 0 < figures["p50_ms"] <= figures["p99_ms"]
    assert 0 < figures["mb"] < figures["memory_mb"] < measure.peak_bytes() / 1e6


def test_a_model_that_does_not_load_is_not_measured(project: Path) -> None:
    Path("models/candidate/encoder.json").write_text("{}")
    with pytest.raises(InputError, match=r"encoder\.json"):
        MEASURE(Path("models/candidate"))


def test_a_stricter_gate_changes_the_verdict(project: Path) -> None:
    assert gate.run()
    write_gates(size="{max_mb: 0.0, max_load_seconds: 100.0, max_memory_mb: 8000.0}")
    assert not gate.run()


def numbers(value: Any, *path: Any) -> Iterator[tuple[Any, ...]]:
    """Paths of the numbers with a fraction in a report."""
    if isinstance(value, float):
        yield path
    elif isinstance(value, dict | list):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from numbers(part, *path, key)


@pytest.mark.parametrize("part", ["metrics", "baseline", "slices", "fairness", "calibration"])
def test_a_figure_made_better_by_hand_is_found_out(project: Path, part: str) -> None:
    report = json.loads(places.EVALUATION.read_text())
    path = next(numbers(report[part], part), None)
    if path is None:
        pytest.skip(f"this table has no {part}")
    place = report
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] *= 1 - 1e-6
    places.EVALUATION.write_text(json.dumps(report))
    places.METRICS_FILE.write_text(json.dumps(report["metrics"]))
    assert not gate.run()
    line, _ = json.loads(places.VERDICT.read_text())["checks"]
    assert (line["gate"], line["verdict"]) == ("evidence", "refused")
    assert part in line["reason"]


@pytest.mark.parametrize("change", ["verdict", "checks"])
def test_a_verdict_changed_by_hand_does_not_verify(project: Path, change: str) -> None:
    write_gates(**LOOSE | {"size": "{max_mb: 0.0, max_load_seconds: 100.0, max_memory_mb: 8000.0}"})
    gate.run()
    verdict = json.loads(places.VERDICT.read_text())
    verdict[change] = {"verdict": "passed", "checks": verdict["checks"][:1]}[change]
    places.VERDICT.write_text(json.dumps(verdict))
    with pytest.raises(InputError, match="was changed"):
        champion.read_verdict(places.VERDICT, "judge again")


def test_a_changed_data_file_is_named(project: Path) -> None:
    source = Path(json.loads(Path("data/prepared/data.json").read_text())["path"])
    source.write_bytes(source.read_bytes() + b" ")
    with pytest.raises(InputError, match="changed after data/prepared"):
        gate.run()


@pytest.mark.parametrize(
    ("key", "why"),
    [("config", "an update of the template reads more"), ("test", "other rows: run")],
)
def test_the_gate_says_why_what_an_update_changed_is_validated_and_trained_again(
    project: Path, key: str, why: str
) -> None:
    path = project / "reports/validation.json"
    found = json.loads(path.read_text())
    found["of"][key] = "0" * 64
    path.write_text(json.dumps(found))
    with pytest.raises(InputError, match=why):
        gate.run()
