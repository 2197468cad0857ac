"""Columns from which a sensitive one can be told are found; what is merely correlated is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from ml_template.pipeline.adoption import adopt
from ml_template.pipeline.data import prepare, proxies
from ml_template.pipeline.judgement import checks, evidence
from ml_template.registry import versioning
from ml_template.settings.config import Config, load_config
from ml_template.settings.gates import Gates

from .test_gate import CASE, RULES

ROWS = 900
RANDOM = np.random.default_rng(4)
SEX = np.where(RANDOM.random(ROWS) < 0.6, "male", "female").astype(object)
MALE = SEX == "male"
AGE = np.round(np.clip(RANDOM.normal(38, 14, ROWS), 1, 90))
CHILD = AGE < 16
MARRIED = RANDOM.random(ROWS) < np.where(MALE, 0.6, 0.3)
HEIGHT = RANDOM.normal(0, 7, ROWS) + np.where(MALE, 178, 165)


def texts(*values: object) -> np.ndarray:
    return np.array(values, dtype=object)


def of(yes: str, no: str) -> np.ndarray:
    return np.where(MALE, yes, no).astype(object)


COPIES = {
    "who": np.where(CHILD, "child", of("man", "woman")),
    "adult_male": (MALE & ~CHILD).astype(float),
    "is_female": (~MALE).astype(float),
    "title": np.where(MALE, "Mr", np.where(MARRIED, "Mrs", "Ms")).astype(object),
    "anrede": np.where(RANDOM.random(ROWS) < 0.03, None, of("Herr", "Frau")),
    "code": np.where(RANDOM.random(ROWS) < 0.02, "X9", of("M1", "F2")).astype(object),
    "relationship": np.where(
        MARRIED, of("Husband", "Wife"), RANDOM.choice(["single", "own child"], ROWS)
    ),
    "maiden_name": np.where(MALE, None, RANDOM.choice(["Li", "Roy", "Kaya"], ROWS)),
}
HONEST = {
    "height": HEIGHT,
    "shoe": np.round(HEIGHT / 4 + RANDOM.normal(0, 1, ROWS)),
    "job": np.where(RANDOM.random(ROWS) < 0.3, of("driver", "nurse"), "clerk").astype(object),
    "noise": RANDOM.normal(size=ROWS),
    "row": texts(*(f"r{number}" for number in range(ROWS))),
    "street": RANDOM.choice([f"s{number}" for number in range(300)], ROWS).astype(object),
    "same": np.full(ROWS, 1.0),
    "empty": np.full(ROWS, None, dtype=object),
}


@pytest.mark.parametrize("name", COPIES)
def test_a_near_copy_of_a_sensitive_column_is_found(name: str) -> None:
    (found,) = proxies.find({name: COPIES[name]}, {"sex": SEX})
    assert (found.column, found.sensitive) == (name, "sex")
    assert "tells 'sex'" in found.reason
    assert "%" in found.reason


@pytest.mark.parametrize("name", HONEST)
def test_what_is_merely_correlated_tells_nothing(name: str) -> None:
    assert proxies.find({name: HONEST[name]}, {"sex": SEX, "age": AGE}) == []


@pytest.mark.parametrize(
    "values",
    [
        2026 - AGE,
        np.array([f"{int(years // 10)}0s" for years in AGE], dtype=object),
        np.digitize(AGE, [16, 25, 40, 60]).astype(float),
        np.array([np.datetime64(f"{2026 - int(years)}-05-01") for years in AGE], dtype="M8[us]"),
    ],
)
def test_a_number_is_told_by_its_bands_and_by_another_way_to_count(values: np.ndarray) -> None:
    assert proxies.find({"x": values}, {"age": AGE})
    shuffled = np.random.default_rng(0).permutation(values)
    assert proxies.find({"x": shuffled}, {"age": AGE}) == []


def test_experience_is_correlated_with_age_and_stays() -> None:
    years = np.clip(AGE - 20 + RANDOM.normal(0, 9, ROWS), 0, None)
    assert proxies.find({"experience": years}, {"age": AGE}) == []


def test_a_finer_column_tells_a_coarse_one_and_not_the_other_way() -> None:
    nation = RANDOM.choice(["DE", "FR", "IT"], ROWS, p=[0.6, 0.25, 0.15]).astype(object)
    town = np.array([f"{each}-{RANDOM.integers(8)}" for each in nation], dtype=object)
    assert proxies.find({"town": town}, {"nation": nation})
    assert proxies.find({"nation": nation}, {"town": town}) == []


def test_a_rare_group_or_few_rows_prove_nothing() -> None:
    rare = np.where(np.arange(ROWS) < 4, "yes", "no").astype(object)
    assert proxies.find({"x": (np.arange(ROWS) < 4) * 1.0}, {"rare": rare}) == []
    few = {name: values[:40] for name, values in COPIES.items()}
    assert proxies.find(few, {"sex": SEX[:40]}) == []


def frame() -> pd.DataFrame:
    named = ("who", "adult_male")
    columns = {name: COPIES[name] for name in named} | {"sex": SEX, "height": HEIGHT.round(1)}
    chance = 1 / (1 + np.exp(-(HEIGHT - 172) / 8))
    return pd.DataFrame(columns | {"y": np.where(RANDOM.random(ROWS) < chance, "yes", "no")})


def test_adopt_leaves_near_copies_out_and_names_them(
    in_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(versioning, "add", lambda path: None)
    frame().to_csv("t.csv", index=False)
    adopt.run({"DATA": "t.csv", "TARGET": "y", "SENSITIVE": "sex"})
    config = load_config()
    assert set(config.left_out) == {"who", "adult_male"}
    assert set(config.features) == {"height"}
    said = capsys.readouterr().out
    assert "left out 'who': it tells 'sex'" in said


def test_adopt_without_sensitive_leaves_all_in_and_says_what_may_be(
    in_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(versioning, "add", lambda path: None)
    frame().to_csv("t.csv", index=False)
    adopt.run({"DATA": "t.csv", "TARGET": "y"})
    assert set(load_config().features) == {"who", "adult_male", "sex", "height"}
    assert "SENSITIVE=sex" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("allowed", "verdict", "words"),
    [
        ((), "refused", "max_told: 0.9 (default)"),
        (("who",), "warning", "allowed in gates.yaml"),
        (("sex",), None, ""),
    ],
)
def test_the_gate_refuses_a_feature_that_tells_a_sensitive_column(
    allowed: tuple[str, ...], verdict: str | None, words: str
) -> None:
    rules = RULES | {"sensitive_features": {"allowed": allowed}}
    told = proxies.find({name: COPIES[name] for name in ("who",)}, {"sex": SEX})
    found = evidence.read_evaluation(CASE["evaluation"])
    assert isinstance(found, evidence.Evaluation)
    rest = {key: CASE[key] for key in ("identity", "lineage", "measured", "rival")}
    proof = evidence.Evidence(
        config=Config.model_validate(CASE["config"]),
        gates=Gates.model_validate(rules),
        evaluation=found,
        told=told,
        **rest,
    )
    lines = [line for line in checks.judge(proof) if line["gate"] == "sensitive_features.who"]
    assert [line["verdict"] for line in lines] == ([verdict] if verdict else [])
    assert all(words in line["reason"] for line in lines)


def test_the_gate_looks_at_what_the_model_sees_in_the_prepared_rows(
    in_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(versioning, "add", lambda path: None)
    frame().to_csv("t.csv", index=False)
    adopt.run({"DATA": "t.csv", "TARGET": "y"})
    settings = yaml.safe_load(Path("model_config.yaml").read_text())
    settings["columns"]["sex"]["feature"] = False
    settings["columns"]["adult_male"]["feature"] = False
    Path("model_config.yaml").write_text(yaml.safe_dump(settings | {"sensitive": ["sex"]}))
    prepare.run()
    identity = {"known_answers": {"types": {"who": "|O", "height": "<f8"}}}
    told = evidence.told(load_config(), Gates.model_validate(RULES), identity)
    assert [proxy.column for proxy in told] == ["who"]
