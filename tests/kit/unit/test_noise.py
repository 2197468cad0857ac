"""Gates know their noise: what few rows show by chance refuses nobody, what is sick is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import yaml
from ml_template.model import bootstrap, measures
from ml_template.pipeline.evaluation import calibration, fairness, figures
from ml_template.pipeline.evaluation.slices import Groups
from ml_template.pipeline.judgement import checks, evidence
from ml_template.settings.config import Config
from ml_template.settings.gates import Gates

from ..conftest import ROOT

CONFIG: dict[str, Any] = {
    "data": {
        "path": "data/t.csv",
        "target": "y",
        "task": "binary",
        "classes": ["no", "yes"],
        "positive": "yes",
    },
    "columns": {name: {"type": "categorical"} for name in ("x", "group", "part")}
    | {"set": {"type": "categorical", "feature": False}},
    "sensitive": ["group"],
    "slices": ["part"],
}
NAMES = ("performance", "slices", "fairness", "calibration")
SEEDS = range(10)


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Quick: the share of wrong refusals does not hang on the last digits of an interval."""
    monkeypatch.setattr(bootstrap, "replicates", lambda _: 300)


class Model:
    """A well calibrated model on `rows` rows of two groups and `parts` slices; then spoilt."""

    def __init__(self, rows: int, seed: int = 0, parts: int = 4) -> None:
        random = np.random.default_rng(seed)
        self.random = random
        self.chance = 1 / (1 + np.exp(-random.normal(0, 1.8, rows)))
        self.truth = (random.random(rows) < self.chance).astype(int)
        if self.truth.all() or not self.truth.any():
            self.truth[0] = 1 - self.truth[0]
        self.group = np.arange(rows) % 2
        self.part = np.arange(rows) % parts
        self.parts = parts
        self.learned = 3 * rows

    def judged(self, gates: dict[str, Any] | None = None, **config: Any) -> list[Any]:
        """Lines of the verdict, from figures as `evaluate` makes them."""
        settings = Config.model_validate(CONFIG | config)
        answers = np.stack([1 - self.chance, self.chance], 1)
        named = ("roc_auc", "accuracy", "balanced_accuracy", "recall")
        known = {name: measures.known(settings)[name] for name in named}
        names = [str(part) for part in range(self.parts)]
        cut = {"part": Groups([*names, "missing"], self.part)}
        metrics, slices = figures.measure(settings, self.truth, answers, cut, known)
        of = Groups(["a", "b", "missing"], self.group)
        rows = len(self.truth)
        compared = fairness.compare("group", of, self.truth, answers, to_judge=True)
        found = evidence.Evaluation.model_validate(
            {
                "model": "m",
                "data": {"train": self.learned, "test": rows},
                "task": "binary",
                "target": "y",
                "rows": rows,
                "headline": "roc_auc",
                "metrics": metrics,
                "baseline": {"roc_auc": 0.5},
                "slices": slices,
                "fairness": [compared],
                "calibration": calibration.calibrate(self.truth, answers, settings.seed),
            }
        )
        rules = yaml.safe_load((ROOT / "gates.yaml").read_text())
        rules["fairness"]["min_rows"] = rules["slices"]["min_rows"] = 5
        rules |= gates or {}
        proof: Any = evidence.Evidence(
            settings,
            Gates.model_validate(rules),
            {},
            found,
            {},
            {},
            {},  # type: ignore[arg-type, typeddict-item]
        )
        return [
            line
            for name in NAMES
            for line in checks.CHECKS[name](proof, getattr(proof.gates, name))
        ]


def refused(lines: list[Any], gate: str) -> list[str]:
    return [
        line["gate"]
        for line in lines
        if line["verdict"] == "refused" and line["gate"].startswith(gate)
    ]


@pytest.mark.parametrize("rows", [24, 50, 200])
def test_healthy_models_are_seldom_refused_however_few_the_rows(rows: int) -> None:
    found = [refused(Model(rows, seed).judged(), "") for seed in SEEDS]
    assert sum(map(bool, found)) <= 1


def test_what_is_within_the_noise_does_not_pass_in_silence() -> None:
    lines = [line for seed in SEEDS for line in Model(24, seed).judged()]
    small = [line for line in lines if line["verdict"] == "warning"]
    assert {line["gate"].split(".")[0] for line in small} >= {"calibration", "fairness"}
    assert all("too small to judge" in line["reason"] for line in small)


@pytest.mark.parametrize("rows", [60, 200, 2000, 6_000])
def test_chances_that_are_far_off_are_refused_at_every_size_that_tells(rows: int) -> None:
    sick = Model(rows, 1)
    sick.chance = np.where(sick.chance > 0.5, 0.999, 0.001)
    sick.truth = (sick.random.random(rows) < np.where(sick.chance > 0.5, 0.7, 0.3)).astype(int)
    assert refused(sick.judged(), "calibration") == ["calibration"]
    assert not refused(Model(rows, 1).judged(), "calibration")


def test_a_slice_with_two_positives_is_no_evidence() -> None:
    found = []
    for seed in SEEDS:
        model = Model(300, seed)
        rare = model.part == 0
        keep = np.flatnonzero(rare & (model.truth == 1))[2:]
        model.part[keep] = 1
        found += refused(model.judged(), "slices")
    assert found == []


def test_of_forty_healthy_slices_none_is_refused_and_the_sick_one_is() -> None:
    found = [refused(Model(1200, seed, 40).judged(), "slices") for seed in SEEDS[:4]]
    assert sum(map(bool, found)) == 0
    sick = Model(4000, 2, 40)
    rows = np.flatnonzero(sick.part == 7)
    sick.chance[rows] = 1 - sick.chance[rows]
    assert refused(sick.judged(), "slices") == ["slices.part=7"]


def test_two_small_groups_that_are_treated_alike_are_not_unfair() -> None:
    found = [refused(Model(30, seed).judged(), "fairness") for seed in SEEDS]
    assert sum(map(bool, found)) <= 1


@pytest.mark.parametrize("rows", [120, 400, 2000])
def test_a_group_that_gets_other_answers_is_refused_and_it_is_said_what_to_do(rows: int) -> None:
    unfair = Model(rows, 3)
    unfair.chance = np.clip(unfair.chance + np.where(unfair.group == 1, 0.35, -0.25), 0.001, 0.999)
    lines = unfair.judged()
    assert "fairness.group.demographic_parity" in refused(lines, "fairness")
    (line,) = (each for each in lines if each["gate"] == "fairness.group.demographic_parity")
    for words in ("selection rate", "of 'a'", "of 'b'", "collect more", "fairness.limits."):
        assert words in line["reason"]


def test_nothing_is_measured_of_a_small_group_in_what_is_said() -> None:
    model = Model(200, 5)
    model.group = (np.arange(200) < 6).astype(int)
    model.chance[model.group == 1] = 0.999
    lines = [line for line in model.judged() if line["gate"].startswith("fairness.group.")]
    assert lines
    assert all(line["value"] is None for line in lines)
    assert all("0." not in line["reason"] for line in lines)


def test_a_tiny_hold_out_cannot_show_a_good_model_and_says_so() -> None:
    random = np.random.default_rng(2)
    tiny = Model(24)
    tiny.truth = np.repeat([0, 1], [18, 6])
    tiny.chance = np.clip(0.35 + 0.1 * tiny.truth + random.normal(0, 0.2, 24), 0.01, 0.99)
    lines = tiny.judged()
    assert lines[0]["gate"] == "performance.gain"
    assert lines[0]["verdict"] == "warning"
    older = tiny.judged({"performance": {"gain": 0.01, "floors": {}}})[0]
    assert older["verdict"] == "refused"
    assert "accept_too_small: false (default)" in older["reason"]


@pytest.mark.parametrize(
    ("split", "remedy"),
    [
        ({"test": 0.1}, "raise split.test"),
        ({"column": "set", "holds": ["0"]}, "add to split.holds"),
    ],
)
def test_a_small_hold_out_says_what_makes_it_larger(split: dict[str, Any], remedy: str) -> None:
    random = np.random.default_rng(2)
    tiny = Model(24)
    tiny.learned = 216
    tiny.truth = np.repeat([0, 1], [18, 6])
    tiny.chance = np.clip(0.35 + 0.1 * tiny.truth + random.normal(0, 0.2, 24), 0.01, 0.99)
    assert tiny.judged(split=split)[0]["reason"].endswith(f"the hold-out is small: {remedy}")


@pytest.mark.parametrize("rows", [100, 2000])
def test_a_model_that_learned_nothing_is_refused_for_it(rows: int) -> None:
    for seed in SEEDS[:4]:
        blind = Model(rows, seed)
        blind.chance = np.clip(0.5 + blind.random.normal(0, 0.1, rows), 0.01, 0.99)
        assert refused(blind.judged(), "performance") == ["performance.gain"]
