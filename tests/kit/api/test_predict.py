"""The service answers as the training code does."""

from __future__ import annotations

import csv
import dataclasses
import itertools
import json
import math
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ml_template.pipeline.training import train
from ml_template.serving import metrics, score
from ml_template.tables import schema, table

from ..conftest import Trained
from .conftest import Service, sent, write_csv

ROWS = 1000


def numbers(answer: dict[str, Any]) -> np.ndarray:
    """Outputs in the shape of Model.predict."""
    predictions = answer["predictions"]
    if "value" in predictions[0]:
        return np.array([prediction["value"] for prediction in predictions])
    return np.array([list(prediction["probabilities"].values()) for prediction in predictions])


def some_rows(trained: Trained) -> table.Columns:
    return table.take(trained.test, np.resize(np.arange(table.rows(trained.test)), ROWS))


def test_t31_a_thousand_rows_get_the_same_numbers_from_training_code_batch_and_http(
    trained: Trained, service: Service, tmp_path: Path
) -> None:
    rows = some_rows(trained)
    expected = trained.model.predict(rows)
    records = sent(trained.config, rows)
    status, answer = service.post({"records": records})
    assert status == 200
    np.testing.assert_array_equal(numbers(answer), expected)

    source, target = tmp_path / "in.csv", tmp_path / "out.csv"
    write_csv(source, records, trained.config.data)
    model = str(trained.folder / train.CANDIDATE)
    score.run({"DATA": str(source), "OUT": str(target), "MODEL": model})
    with target.open(encoding="utf-8", newline="") as file:
        batch = [
            [float(p) for k, p in row.items() if k not in ("line", "label")]
            for row in csv.DictReader(file)
        ]
    np.testing.assert_array_equal(np.array(batch).reshape(expected.shape), expected)


def test_spaces_around_a_text_mean_nothing_over_http_in_a_table_and_in_training(
    trained: Trained, service: Service, tmp_path: Path
) -> None:
    columns = trained.config.features
    texts = [name for name, column in columns.items() if column.type not in ("numeric", "boolean")]
    assert texts
    record = service.example
    spaced = record | {name: f"\t {record[name]}\u00a0 " for name in texts if record[name]}
    status, answer = service.post({"records": [record, spaced]})
    assert status == 200
    one, other = numbers(answer)
    assert one.tolist() == other.tolist()
    write_csv(tmp_path / "in.csv", [record, spaced], trained.config.data)
    words = {"DATA": str(tmp_path / "in.csv"), "OUT": str(tmp_path / "out.csv")}
    score.run(words | {"MODEL": str(trained.folder / train.CANDIDATE)})
    first, second = (tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()[1:]
    assert first.partition(",")[2] == second.partition(",")[2]


def test_a_space_within_a_text_and_spaces_alone_are_no_spaces_around_it(
    trained: Trained, service: Service
) -> None:
    name = next(n for n, c in trained.config.features.items() if c.type == "categorical")
    unknown = service.post({"records": [service.example | {name: "a  b"}]})
    assert unknown[0] == 200
    empty = service.post({"records": [service.example | {name: "   "}]})
    assert empty[0] == 422
    assert "send null" in json.dumps(empty[1])


def test_one_record_gets_the_answer_it_gets_among_others(
    trained: Trained, service: Service
) -> None:
    records = sent(trained.config, table.take(trained.test, np.arange(50)))
    order = np.random.default_rng(0).permutation(50)
    together = service.post({"records": [records[at] for at in order]})[1]["predictions"]
    for at in range(10):
        alone = service.post({"records": [records[order[at]]]})[1]["predictions"]
        assert alone == [together[at]]


def test_the_label_is_the_class_of_the_highest_probability(
    trained: Trained, service: Service
) -> None:
    if trained.config.data.task == "regression":
        pytest.skip("a regression has no labels")
    records = sent(trained.config, table.take(trained.test, np.arange(100)))
    for prediction in service.post({"records": records})[1]["predictions"]:
        probabilities = prediction["probabilities"]
        assert prediction["label"] == max(probabilities, key=probabilities.__getitem__)


def test_the_example_in_the_description_works_as_it_stands(service: Service) -> None:
    status, text = service.get("/openapi.json")
    operation = json.loads(text)["paths"]["/predict"]["post"]
    body = operation["requestBody"]["content"]["application/json"]["example"]
    assert status == 200
    assert service.post(body)[0] == 200


def test_the_description_has_the_columns_and_their_ranges(
    trained: Trained, service: Service
) -> None:
    operation = json.loads(service.get("/openapi.json")[1])["paths"]["/predict"]["post"]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    record = schema["properties"]["records"]["items"]
    assert list(record["properties"]) == list(trained.config.columns)
    assert record["required"] == list(trained.config.features)
    for name, column in trained.config.columns.items():
        assert record["properties"][name].get("minimum") == column.min
        assert record["properties"][name].get("maximum") == column.max
        assert record["properties"][name].get("maxLength") == (10_000 if column.is_text else None)


def test_version_tells_where_the_model_comes_from(trained: Trained, service: Service) -> None:
    version = json.loads(service.get("/version")[1])
    assert version["digest"] == trained.model.digest
    assert version["identity"]["data"]["sha256"] == trained.model.identity["data"]["sha256"]
    assert {"code", "config", "lock", "schema", "versions"} <= version["identity"].keys()


def test_it_is_alive_ready_and_counts(service: Service) -> None:
    assert service.get("/health") == (200, '{"status":"alive"}')
    assert json.loads(service.get("/ready")[1])["ready"] is True
    service.post({"records": [service.example]})
    assert 'predict_requests_total{code="200"}' in service.get("/metrics")[1]


@pytest.mark.parametrize(
    "path", ["/health", "/ready", "/version", "/metrics", "/openapi.json", "/docs"]
)
def test_a_probe_that_asks_for_the_head_gets_it(path: str, service: Service) -> None:
    assert service.send("HEAD", path) == (200, "")
    described = json.loads(service.get("/openapi.json")[1])["paths"]
    assert "head" not in described.get(path, {})


def test_t41_probes_are_answered_while_a_large_request_is(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, release = threading.Event(), threading.Event()
    model = service.predict.model

    def slow(matrix: np.ndarray) -> np.ndarray:
        begun.set()
        assert release.wait(30)
        return model.score(matrix)

    monkeypatch.setattr(service.predict, "model", dataclasses.replace(model, score=slow))
    answers = []
    body = {"records": [service.example] * 1000}
    asking = threading.Thread(target=lambda: answers.append(service.post(body)[0]))
    asking.start()
    assert begun.wait(30)
    assert service.get("/health")[0] == service.get("/ready")[0] == 200
    release.set()
    asking.join()
    assert answers == [200]


def test_metrics_show_how_the_answers_are_spread(trained: Trained, service: Service) -> None:
    """Most answers to the hold-out lie between two edges, so that a shift can be seen."""
    name = "predict_probability" if trained.model.labels else "predict_value"
    service.post({"records": [service.example] * 3})
    text = service.get("/metrics")[1]
    assert name + '_bucket{le="+Inf"} 0.0' not in text
    if not trained.model.labels:
        outputs, marks = trained.model.predict(trained.test), metrics.edges(trained.model)
        inside = (outputs > marks[0]) & (outputs <= marks[-1])
        assert inside.mean() > 0.9
        assert 8 <= len(marks) <= 18


@pytest.mark.parametrize("cuts", [[0.0, 0.011], [3.0], [-5e6, 8e6], [0.0], []])
def test_edges_are_multiples_of_a_power_of_two(trained: Trained, cuts: list[float]) -> None:
    known = trained.model.identity["known_answers"] | {"outputs": [1.0, 2.0]}
    identity = trained.model.identity | {"known_answers": known}
    profile = {"answers": {"value": {"cuts": cuts}}}
    manifest = trained.model.manifest | {"identity": identity}
    found = metrics.edges(dataclasses.replace(trained.model, manifest=manifest, profile=profile))
    assert list(found) == sorted(set(found))
    assert len(found) <= 18
    steps = {after - before for before, after in itertools.pairwise(found)}
    assert all(math.frexp(step)[0] == 0.5 for step in steps)


@pytest.mark.parametrize(
    ("letters", "fits"),
    [("x" * 10_000, True), ("ж" * 10_000, True), ("x" * 10_001, False), ("ж" * 200_000, False)],
)
def test_a_text_has_a_limit_in_the_service_and_in_a_table(
    letters: str,
    fits: bool,
    trained: Trained,
    service: Service,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of a column whose categories are open; its champion has the limit without having it."""
    specs = {
        name: column
        for name, column in trained.config.features.items()
        if column.is_text and column.unseen == "allow"
    }
    if not specs:
        pytest.skip("needs a text")
    name = next(iter(specs))
    assert "max_length" not in trained.model.identity["columns"][name]
    monkeypatch.chdir(trained.folder)
    body = json.dumps({"records": [service.example | {name: letters}]}, ensure_ascii=False).encode()
    status, answer = service.post(body)
    problem = "must have at most 10,000 letters"
    assert status == (200 if fits else 422)
    assert fits or answer["fields"] == [{"field": f"records[0].{name}", "problem": problem}]

    records = sent(trained.config, table.take(trained.test, np.arange(3)))
    records[1][name] = letters
    source, target = tmp_path / "in.csv", tmp_path / "out.csv"
    write_csv(source, records, trained.config.data)
    settings = {"DATA": str(source), "OUT": str(target), "BAD": "skip"}
    score.run(settings | {"MODEL": str(trained.folder / train.CANDIDATE)})
    assert len(target.read_text().splitlines()) == 3 + fits
    refused = target.with_suffix(".refused.csv").read_text()
    assert refused == "line,field,problem\n" + ("" if fits else f'3,{name},"{problem}"\n')

    texts = trained.test[name].copy()
    texts[5] = letters
    found = schema.faults(trained.test | {name: texts}, trained.config)
    assert [fault["check"] for fault in found if fault["column"] == name] == (
        [] if fits else ["at most 10,000 letters"]
    )
