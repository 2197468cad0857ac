"""The service of your model: it answers as the training code does, and keeps its clients."""

import json
from pathlib import Path

import numpy as np
import pytest
from ml_template.testing import Service, Trained, sent, take

CONTRACT = Path("models/contract.json")  # what clients of the champion send
ADVICE = f"keep the field, or, where every client has changed, remove {CONTRACT}"


def numbers(answer: dict) -> np.ndarray:
    """Answers in the shape of Trained.predict."""
    predictions = answer["predictions"]
    if "value" in predictions[0]:
        return np.array([prediction["value"] for prediction in predictions])
    return np.array([list(prediction["probabilities"].values()) for prediction in predictions])


def test_rows_get_the_same_numbers_over_http_as_from_the_training_code(
    trained: Trained, service: Service
) -> None:
    every = np.arange(len(trained.truth(trained.test)))
    rows = take(trained.test, every[:200])
    status, answer = service.post({"records": sent(trained.config, rows)})
    assert status == 200
    assert trained.same(numbers(answer), trained.predict(rows))


def test_requests_of_the_last_champion_get_valid_answers(
    service: Service, pytestconfig: pytest.Config
) -> None:
    path = pytestconfig.rootpath / CONTRACT
    if not path.exists():
        pytest.skip("there is no champion yet")
    kept = json.loads(path.read_bytes())
    status, answer = service.post(kept["request"])
    assert status == 200, f"requests of champion {kept['model']} are refused: {answer}: {ADVICE}"
    labels = set(answer["predictions"][0].get("probabilities", {}))
    assert labels == set(kept["labels"]), f"the answers have other labels: {ADVICE}"


def test_a_record_with_a_field_that_the_model_does_not_know_is_refused_with_its_name(
    service: Service,
) -> None:
    status, answer = service.post({"records": [service.example | {"no_such_field": 1}]})
    assert status == 422
    assert "no_such_field" in json.dumps(answer)
