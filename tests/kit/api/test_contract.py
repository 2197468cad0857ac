"""Clients of the last champion are still served: models/contract.json holds what they send."""

from __future__ import annotations

import copy
import dataclasses
import json
from typing import Any
from unittest.mock import Mock

import pytest
from ml_template.model import artifact, contract
from ml_template.serving.records import Records, RefusedError

from ..conftest import ROOT, Trained
from .conftest import Service

MOST = 1000
ADVICE = f"keep the field, or, where every client has changed, remove {contract.CONTRACT}"


def names(answer: dict[str, Any]) -> set[str]:
    return set(answer["predictions"][0].get("probabilities", {}))


def test_requests_of_the_last_champion_get_valid_answers(service: Service) -> None:
    path = ROOT / contract.CONTRACT
    if not path.exists():
        pytest.skip("there is no champion yet")
    kept = json.loads(path.read_bytes())
    status, answer = service.post(kept["request"])
    assert status == 200, f"requests of champion {kept['model']} are refused: {answer}: {ADVICE}"
    assert names(answer) == set(kept["labels"]), f"the answers have other labels: {ADVICE}"


def test_a_model_keeps_its_own_contract(trained: Trained, service: Service) -> None:
    kept = json.loads(contract.text(trained.model.manifest) or "")
    status, answer = service.post(kept["request"])
    assert status == 200, answer
    assert len(answer["predictions"]) == len(kept["request"]["records"])
    assert names(answer) == set(kept["labels"])


def changed(trained: Trained, **columns: dict[str, Any] | None) -> Records:
    """What a service checks whose model has these columns too, or has them no more (None)."""
    manifest = copy.deepcopy(trained.model.manifest)
    specs = manifest["identity"]["columns"] | columns
    specs = {name: spec for name, spec in specs.items() if spec is not None}
    manifest["identity"]["columns"] = specs
    inputs = [name for name, spec in specs.items() if spec.get("feature", True)]
    encoder = Mock(inputs=inputs, state=trained.model.encoder.state)
    model: artifact.Model = dataclasses.replace(trained.model, manifest=manifest, encoder=encoder)
    return Records(model, MOST)


def request_of(trained: Trained) -> dict[str, Any]:
    identity = trained.model.identity
    return {"records": contract.records(trained.config.columns, artifact.known_rows(identity))}


def refused(trained: Trained, **columns: dict[str, Any] | None) -> set[str]:
    """Names of the fields for which today's requests would be refused."""
    with pytest.raises(RefusedError) as caught:
        changed(trained, **columns).check(request_of(trained))
    return {field.partition("].")[2] for field, _ in caught.value.faults}


def test_a_removed_or_renamed_column_is_named(trained: Trained) -> None:
    name, column = next(iter(trained.config.features.items()))
    assert refused(trained, **{name: None}) == {name}
    renamed = {name: None, "another_name": column.model_dump()}
    assert refused(trained, **renamed) == {name, "another_name"}


def test_a_narrower_column_is_named(trained: Trained) -> None:
    limited = {n: c for n, c in trained.config.columns.items() if c.max is not None}
    for name, column in limited.items():
        narrower = column.model_dump() | {"min": None, "max": (column.max or 0) - 1}
        assert refused(trained, **{name: narrower}) == {name}
    for name, column in trained.config.columns.items():
        if column.missing:
            assert refused(trained, **{name: column.model_dump() | {"missing": False}}) == {name}


def test_a_column_of_another_type_is_named(trained: Trained) -> None:
    name, column = next(iter(trained.config.features.items()))
    other = "categorical" if column.type == "boolean" else "boolean"
    assert refused(trained, **{name: {"type": other}}) == {name}


def test_a_column_that_need_not_be_sent_breaks_nobody(trained: Trained) -> None:
    more = {"type": "numeric", "feature": False}
    changed(trained, another_name=more).check(request_of(trained))
