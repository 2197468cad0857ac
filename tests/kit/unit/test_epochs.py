"""What a net says of its training is kept with the model, shown, and told to MLflow."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ml_template.model import manifest
from ml_template.pipeline.training import epochs, train
from ml_template.registry import entries
from ml_template.settings.config import InputError
from ml_template.storage.places import CANDIDATE
from ml_template.testing import Trained
from ml_template.testing.models import using
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression

HISTORY = [{"loss": 0.7, "validation": 0.71}, {"loss": 0.5, "validation": 0.65}]


class Net(BaseEstimator):  # type: ignore[misc]
    """A net of one layer, which says what a training of PyTorch says."""

    def __init__(self, random_state: int = 0) -> None:
        self.random_state = random_state

    def fit(self, matrix: np.ndarray, truth: np.ndarray) -> Net:
        self.inner_ = LogisticRegression().fit(matrix, truth)
        self.device_, self.history_ = "cuda (a card)", HISTORY
        return self

    def predict_proba(self, matrix: np.ndarray) -> np.ndarray:
        return np.asarray(self.inner_.predict_proba(matrix))

    def dense_layers(self) -> list[Any]:
        return [(self.inner_.coef_, self.inner_.intercept_, "identity")]


@pytest.fixture
def folder(trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(trained.folder, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_epochs_and_device_are_shown_kept_and_told_to_mlflow(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with using(build=lambda config, **_: Net(config.seed)):
        train.run()
    said = capsys.readouterr().out
    assert "train: 2 epochs on cuda (a card), the last with loss 0.5, validation 0.65\n" in said
    assert "dense form" in said
    identity = json.loads((folder / CANDIDATE / manifest.FILE).read_bytes())["identity"]
    assert identity["device"] == "cuda (a card)"
    assert manifest.TRAINING in identity["files"]
    (told,) = entries.epochs(CANDIDATE)
    assert [(m.key, m.step, m.value) for m in told] == [
        ("training.loss", 1, 0.7),
        ("training.validation", 1, 0.71),
        ("training.loss", 2, 0.5),
        ("training.validation", 2, 0.65),
    ]


def test_another_estimator_has_neither(trained: Trained) -> None:
    assert "device" not in trained.model.identity
    assert manifest.TRAINING not in trained.model.identity["files"]
    assert list(entries.epochs(trained.folder / CANDIDATE)) == []


def test_mlflow_gets_no_more_at_once_than_it_takes(tmp_path: Path) -> None:
    kept = {"device": "cpu", "epochs": [{"loss": float(at)} for at in range(2345)]}
    (tmp_path / manifest.TRAINING).write_text(json.dumps(kept))
    assert [len(part) for part in entries.epochs(tmp_path)] == [1000, 1000, 345]


@pytest.mark.parametrize(
    ("history", "says"),
    [
        ([{"loss": 0.5}, {"loss": float("nan")}], "loss of epoch 2 is nan: lower the learning"),
        ({"loss": [0.5]}, "give a dict of names and numbers for each epoch"),
        ([{"a loss": 0.5}], "give a dict of names and numbers for each epoch"),
        ([{"loss": "low"}], "give a dict of names and numbers for each epoch"),
    ],
)
def test_a_history_that_is_none_is_refused(history: Any, says: str) -> None:
    net = Net().fit(np.array([[0.0], [1.0]]), np.array([0, 1]))
    net.history_ = history
    with pytest.raises(InputError) as refused:
        epochs.record(net)
    assert says in str(refused.value)


def test_a_net_that_says_nothing_was_trained_on_a_processor() -> None:
    net = Net().fit(np.array([[0.0], [1.0]]), np.array([0, 1]))
    del net.device_, net.history_
    assert epochs.record(net) == {"device": "cpu", "epochs": []}
    assert epochs.told(epochs.record(net)) == "train: 0 epochs on cpu"
