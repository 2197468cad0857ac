import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from ml_template.model import artifact
from ml_template.model.manifest import differences
from ml_template.settings.config import InputError
from ml_template.storage.files import digest_json
from ml_template.storage.places import CANDIDATE

from ..conftest import Trained


@pytest.fixture
def folder(trained: Trained, tmp_path: Path) -> Path:
    """A copy of the trained model."""
    return Path(shutil.copytree(trained.folder / CANDIDATE, tmp_path / "model"))


def test_a_loaded_model_answers_as_before(trained: Trained, folder: Path) -> None:
    again = artifact.load(folder, trained.model.digest)
    np.testing.assert_array_equal(again.predict(trained.test), trained.model.predict(trained.test))


def test_a_changed_byte_is_refused(folder: Path) -> None:
    path = next(folder.glob("model.[!j]*"))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match="does not match its digest"):
        artifact.load(folder)


def test_a_missing_and_an_extra_file_are_refused(folder: Path) -> None:
    (folder / "extra.bin").write_bytes(b"")
    with pytest.raises(InputError, match=r"extra\.bin is not part of the model"):
        artifact.load(folder)
    (folder / "extra.bin").unlink()
    (folder / "encoder.json").unlink()
    with pytest.raises(InputError, match=r"encoder\.json is missing"):
        artifact.load(folder)


def test_a_changed_identity_is_refused(folder: Path) -> None:
    path = folder / "model.json"
    manifest = json.loads(path.read_bytes())
    manifest["identity"]["data"]["sha256"] = "0" * 64
    path.write_text(json.dumps(manifest))
    with pytest.raises(InputError, match="identity does not match its digest"):
        artifact.load(folder)


def test_another_model_in_its_place_is_refused(folder: Path) -> None:
    with pytest.raises(InputError, match="it was swapped"):
        artifact.load(folder, "0" * 64)


def test_a_model_whose_code_changed_is_refused_by_its_known_answers(folder: Path) -> None:
    path = folder / "model.json"
    manifest = json.loads(path.read_bytes())
    outputs = np.array(manifest["identity"]["known_answers"]["outputs"])
    manifest["identity"]["known_answers"]["outputs"] = (outputs * 1.001 + 1e-6).tolist()
    manifest["digest"] = digest_json(manifest["identity"])
    path.write_text(json.dumps(manifest))
    with pytest.raises(InputError, match="answers its known rows differently"):
        artifact.load(folder)


def test_what_a_model_of_another_table_is_of_is_told() -> None:
    made = {"target": "paid", "task": "binary", "labels": ["no", "yes"], "code": "1"}
    assert differences(made, made | {"code": "2"}) == {}
    assert differences(made, made | {"target": "left", "labels": ["yes", "no"]}) == {
        "target": "target 'paid', not 'left'",
        "classes": "classes ['no', 'yes'], not ['yes', 'no']",
    }
    assert differences({"task": "binary"}, made | {"task": "regression"}) == {
        "task": "task 'binary', not 'regression'"
    }
