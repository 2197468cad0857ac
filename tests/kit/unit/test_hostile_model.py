"""A model that was tampered with is refused before anything in it is run or built."""

from __future__ import annotations

import io
import json
import os
import pickle
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ml_template.model import artifact
from ml_template.operations import image
from ml_template.pipeline.training.train import CANDIDATE
from ml_template.registry import champion
from ml_template.serving import serve
from ml_template.serving.records import Records
from ml_template.settings.config import InputError
from ml_template.storage.files import digest, digest_json, write_json

from ..conftest import Trained


class Payload:
    """Leaves a mark where it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.mark,)


def archive(**members: bytes) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(name.replace("_", "."), data)
    return content.getvalue()


def hostile(mark: Path) -> dict[str, bytes]:
    """Files of a model that are not what they are called."""
    pickled = pickle.dumps(Payload(mark))
    call = {"__class__": "system", "__module__": "os", "__loader__": "FunctionNode", "__id__": 1}
    reduce = {"__class__": "Path", "__module__": "pathlib", "__loader__": "ReduceNode", "__id__": 1}
    return {
        "pickle": pickled,
        "pickle in an archive": archive(schema_json=pickled),
        "a call": archive(schema_json=json.dumps(call | {"content": "x"}).encode()),
        "an unknown type": archive(schema_json=json.dumps(reduce | {"content": {}}).encode()),
        "nothing": b"",
        "a cut archive": archive(schema_json=b"{}")[:-10],
    }


def forged(folder: Path, content: bytes, form: str, name: str) -> None:
    """Put `content` into the model with digests that agree, as one who can write there would."""
    manifest = json.loads((folder / "model.json").read_bytes())
    identity = manifest["identity"]
    old = identity["model"]["file"]
    (folder / old).unlink()
    (folder / name).write_bytes(content)
    del identity["files"][old]
    identity["files"][name] = {"sha256": digest(folder / name), "bytes": len(content)}
    identity["model"] |= {"form": form, "file": name}
    manifest["digest"] = digest_json(identity)
    write_json(folder / "model.json", manifest)


@pytest.fixture
def folder(trained: Trained, tmp_path: Path) -> Path:
    """A copy of the trained model."""
    return Path(shutil.copytree(trained.folder / CANDIDATE, tmp_path / "model"))


@pytest.mark.parametrize("form", ["skops", "treelite"])
@pytest.mark.parametrize("kind", hostile(Path()))
def test_t22_a_hostile_file_is_refused_and_nothing_runs(
    kind: str, form: str, folder: Path, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    forged(folder, hostile(mark)[kind], form, f"model.{form}")
    with pytest.raises(InputError):
        artifact.load(folder)
    assert not mark.exists()


def test_t22_an_archive_that_unpacks_to_too_much_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ml_template.model.forms.MAX_UNPACKED", 1_000_000)
    forged(folder, archive(schema_json=b" " * 2_000_000), "skops", "model.skops")
    with pytest.raises(InputError, match="unpacks to more than"):
        artifact.load(folder)


def test_t22_a_link_out_of_the_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    path = folder / artifact.ENCODER
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="no plain file"):
        artifact.load(folder)


def cached(folder: Path, place: Path) -> None:
    """Make a file of the model a link to `place`, as DVC does with cache.type symlink."""
    place.parent.mkdir(parents=True)
    (folder / artifact.ENCODER).rename(place)
    (folder / artifact.ENCODER).symlink_to(place)


def test_a_link_into_a_cache_of_dvc_is_its_file(folder: Path, tmp_path: Path) -> None:
    name = digest(folder / artifact.ENCODER, "md5")
    cached(folder, tmp_path / "shared/files/md5" / name[:2] / name[2:])
    artifact.load(folder)


@pytest.mark.parametrize(
    "place", ["files/md5/00/{rest}", "files/md5/{start}/0", "md5/{start}/{rest}", "{start}/{rest}"]
)
def test_t22_a_link_to_what_only_looks_so_is_refused(
    place: str, folder: Path, tmp_path: Path
) -> None:
    name = digest(folder / artifact.ENCODER, "md5")
    cached(folder, tmp_path / place.format(start=name[:2], rest=name[2:]))
    with pytest.raises(InputError, match="no plain file"):
        artifact.load(folder)


def crowned(folder: Path, model: artifact.Model) -> None:
    """Make `model` the champion of the project in `folder`."""
    record = dict.fromkeys(("commit", "since", "by", "why", "action"), "")
    where = {"digest": model.digest, "model": f"models/{model.digest[:16]}", "verdict": "0" * 64}
    write_json(folder / champion.CHAMPION, record | where)


@pytest.mark.parametrize("change", ["a byte", "another model", "the manifest alone"])
def test_t23_t24_only_the_model_that_was_judged_is_served(
    change: str, trained: Trained, in_folder: Path
) -> None:
    kept = in_folder / champion.folder(trained.model.digest)
    shutil.copytree(trained.folder / CANDIDATE, kept)
    crowned(in_folder, trained.model)
    assert artifact.load(*serve.which({})).digest == trained.model.digest
    manifest = json.loads((kept / "model.json").read_bytes())
    if change == "a byte":
        path = kept / manifest["identity"]["model"]["file"]
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content)
    else:
        manifest["identity"]["seed"] += 1
        if change == "another model":
            manifest["digest"] = digest_json(manifest["identity"])
        write_json(kept / "model.json", manifest)
    with pytest.raises(InputError, match=r"digest|swapped"):
        artifact.load(*serve.which({}))


def test_without_a_champion_it_says_what_to_run(in_folder: Path) -> None:
    with pytest.raises(InputError, match="make run"):
        serve.which({})


@pytest.mark.parametrize("name", ["nope", "models/nope", "model_config.yaml", "models"])
def test_a_wrong_name_of_a_model_is_told_with_how_to_name_one(name: str, in_folder: Path) -> None:
    (in_folder / "models").mkdir()
    (in_folder / "model_config.yaml").touch()
    for which in (lambda: serve.which({"MODEL": name}), lambda: image.run({"MODEL": name})):
        with pytest.raises(InputError, match=f"MODEL={name}: there is no model: name a folder"):
            which()


def test_the_name_of_a_model_that_is_there_is_taken(trained: Trained) -> None:
    folder, expected = serve.which({"MODEL": str(trained.folder / CANDIDATE)})
    assert artifact.load(folder, expected).digest == trained.model.digest


@pytest.mark.parametrize("key", ["files", "model", "known_answers", "labels", "columns"])
def test_a_manifest_that_lacks_a_key_is_refused_with_a_message(folder: Path, key: str) -> None:
    manifest = json.loads((folder / "model.json").read_bytes())
    del manifest["identity"][key]
    manifest["digest"] = digest_json(manifest["identity"])
    write_json(folder / "model.json", manifest)
    with pytest.raises(InputError, match="train again"):
        Records(artifact.load(folder), 10)


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"format": 1, "identity": {"a": NaN}, "digest": "0"}']
)
def test_a_manifest_that_is_no_manifest_is_refused_with_a_message(folder: Path, text: str) -> None:
    (folder / "model.json").write_text(text)
    with pytest.raises(InputError, match=r"model\.json"):
        artifact.load(folder)


def test_a_pipe_in_place_of_the_manifest_is_not_waited_for(folder: Path) -> None:
    (folder / "model.json").unlink()
    os.mkfifo(folder / "model.json")
    with pytest.raises(InputError, match="no plain file"):
        artifact.load(folder)


POINT = {"value": 0.3, "by": "costs 1 : 5"}
NO_POINTS = {
    "below": POINT | {"value": -1},
    "above": POINT | {"value": 2},
    "a text": POINT | {"value": "0.5"},
    "a truth": POINT | {"value": True},
    "no value": {"by": "f1"},
    "no rule": {"value": 0.5},
    "a number alone": 0.5,
}


def with_threshold(folder: Path, point: Any) -> artifact.Model:
    manifest = json.loads((folder / "model.json").read_bytes())
    manifest["identity"]["threshold"] = point
    manifest["digest"] = digest_json(manifest["identity"])
    write_json(folder / "model.json", manifest)
    return artifact.load(folder)


@pytest.mark.parametrize("point", NO_POINTS.values(), ids=NO_POINTS)
def test_what_is_no_threshold_is_refused(folder: Path, point: Any) -> None:
    with pytest.raises(InputError, match="train again"):
        with_threshold(folder, point)


@pytest.mark.parametrize("value", [0, 0.3, 1, np.nextafter(1.0, 2.0)])
def test_a_threshold_may_flag_all_rows_or_none(folder: Path, value: float) -> None:
    assert with_threshold(folder, POINT | {"value": float(value)}).threshold == value
