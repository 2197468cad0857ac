"""A data file is what git pins, or is refused by name with the remedy."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from ml_template.pipeline.data import prepare
from ml_template.registry import reproduce
from ml_template.settings.config import InputError, load_config
from ml_template.storage import pins

from ..conftest import ROOT, Trained

ROWS = b"a,b\n1,2\n"
OWN, FOLDER = Path("data/own.csv"), Path("data/folder/own.csv")


def dvc(*words: str) -> None:
    subprocess.run([sys.executable, "-m", "dvc", *words, "--quiet"], check=True)


@pytest.fixture(scope="module")
def tracked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which DVC tracks a file, a folder, and a file by a name of its own."""
    folder = tmp_path_factory.mktemp("tracked")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for path in (OWN, FOLDER, Path("data/folder/deep/b.csv"), Path("data/other.csv")):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(ROWS)
        dvc("init", "--no-scm")
        dvc("add", str(OWN), str(FOLDER.parent))
        dvc("add", str(Path("data/other.csv")))
        Path("data/other.csv.dvc").rename("data/named.dvc")
    return folder


@pytest.fixture(autouse=True)
def here(tracked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy of the tracked folder as working folder."""
    shutil.copytree(tracked, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")


@pytest.mark.parametrize("path", [OWN, FOLDER, Path("data/other.csv"), Path("data/./own.csv")])
def test_what_git_pins_is_taken(path: Path) -> None:
    pins.check(path)
    pins.check(path.absolute())


def elsewhere() -> Path:
    pin = Path("pins/own.dvc")
    pin.parent.mkdir()
    pin.write_text(Path("data/own.csv.dvc").read_text().replace("own.csv", "../data/own.csv"))
    Path("data/own.csv.dvc").unlink()
    return OWN


def linked() -> Path:
    Path("second.csv").symlink_to("data/own.csv")
    Path("first.csv").symlink_to("second.csv")
    return Path("first.csv")


def in_a_linked_folder() -> Path:
    Path("tables").symlink_to("data")
    return Path("tables/own.csv")


def in_a_folder_kept_elsewhere() -> Path:
    shutil.move("data", "../kept")
    Path("data").symlink_to("../kept")
    return OWN


def in_a_linked_tracked_folder() -> Path:
    Path("tables").symlink_to("data/folder/deep")
    return Path("tables/b.csv")


@pytest.mark.parametrize(
    "lead",
    [elsewhere, linked, in_a_linked_folder, in_a_folder_kept_elsewhere, in_a_linked_tracked_folder],
)
@pytest.mark.parametrize("absolute", [True, False])
def test_a_pin_is_found_wherever_it_lies_and_whatever_leads_to_the_file(
    absolute: bool, lead: Callable[[], Path]
) -> None:
    path = lead().absolute() if absolute else lead()
    pins.check(path)
    changed(path)
    with pytest.raises(InputError, match=r"is not what .*\.dvc pins .*run `make pull`"):
        pins.check(path)


def test_a_pin_of_another_file_elsewhere_pins_nothing_here() -> None:
    Path("free").mkdir()
    shutil.copy(OWN, "free/own.csv")
    changed(OWN)
    pins.check(Path("free/own.csv"))


def test_a_change_on_purpose_of_a_file_pinned_elsewhere_is_taken_by_the_remedy() -> None:
    path = elsewhere()
    changed(path)
    dvc("add", str(path))
    pins.check(path)


def test_a_circle_of_links_ends() -> None:
    Path("a.csv").symlink_to("b.csv")
    Path("b.csv").symlink_to("a.csv")
    pins.check(Path("a.csv"))


def test_of_a_folder_what_dvc_ignores_does_not_count() -> None:
    Path(".dvcignore").write_text(".DS_Store\n*.tmp\n")
    Path("data/folder/.DS_Store").touch()
    Path("data/folder/deep/half.tmp").write_bytes(b"x")
    pins.check(FOLDER)
    pins.check(FOLDER.absolute())
    dvc("add", str(FOLDER.parent))
    pins.check(FOLDER)
    Path("data/folder/other").write_bytes(b"x")
    with pytest.raises(InputError, match=r"is not what data/folder\.dvc pins"):
        pins.check(FOLDER)


def test_what_nothing_pins_is_taken() -> None:
    Path("data/free.csv").write_bytes(ROWS)
    pins.check(Path("data/free.csv"))


def changed(path: Path) -> None:
    path.write_bytes(ROWS.replace(b"2", b"3"))


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def longer(path: Path) -> None:
    path.write_bytes(ROWS + b"3,4\n")


def with_other_line_ends(path: Path) -> None:
    path.write_bytes(ROWS.replace(b"\n", b"\r\n"))


@pytest.mark.parametrize("change", [changed, emptied, longer, with_other_line_ends])
@pytest.mark.parametrize("path", [OWN, FOLDER, Path("data/other.csv")])
def test_other_bytes_are_refused_with_the_remedy(
    path: Path, change: Callable[[Path], None]
) -> None:
    change(path)
    with pytest.raises(InputError, match=f"{path} is not what data/.* pins .*dvc add data/"):
        pins.check(path)


@pytest.mark.parametrize("beside", ["data/folder/new.csv", "data/folder/deep/b.csv"])
def test_of_a_folder_every_file_counts(beside: str) -> None:
    Path(beside).write_bytes(b"x")
    with pytest.raises(InputError, match=r"is not what data/folder\.dvc pins"):
        pins.check(FOLDER)
    pins.check(OWN)


def test_a_change_on_purpose_is_taken_after_dvc_add() -> None:
    changed(OWN)
    dvc("add", str(OWN))
    pins.check(OWN)


@pytest.mark.parametrize("ends", [b"\n", b"\r\n"])
def test_a_pin_of_dvc_2_takes_text_with_any_line_ends(ends: bytes) -> None:
    pin = Path("data/own.csv.dvc")
    lines = [line for line in pin.read_text().splitlines() if "hash:" not in line]
    pin.write_text("\n".join(line for line in lines if "size:" not in line))
    OWN.write_bytes(ROWS.replace(b"\n", ends))
    pins.check(OWN)
    changed(OWN)
    with pytest.raises(InputError):
        pins.check(OWN)


@pytest.mark.parametrize("text", ["outs: [", "outs: 3\n", "outs: [3]\n", "outs: [{md5: a}]\n"])
def test_a_damaged_pin_is_named(text: str) -> None:
    Path("data/own.csv.dvc").write_text(text)
    with pytest.raises(InputError, match=r"data/own\.csv\.dvc"):
        pins.check(OWN)


def test_a_pin_without_a_digest_pins_nothing_and_is_refused() -> None:
    Path("data/own.csv.dvc").write_text("outs: [{path: own.csv, hash: md5}]\n")
    with pytest.raises(InputError, match=r"own\.csv\.dvc pins"):
        pins.check(OWN)


@pytest.mark.parametrize("stage", [prepare.run, lambda: reproduce.run({})])
def test_no_stage_reads_what_is_not_pinned(
    stage: Callable[[], None], trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(trained.folder)
    path = Path(load_config().data.path)
    pin = path.with_name(f"{path.name}.dvc")
    out = {"md5": "a" * 32, "hash": "md5", "path": path.name}
    pin.write_text(json.dumps({"outs": [out]}))
    with pytest.raises(InputError, match=r"is not what data/small\.parquet\.dvc pins"):
        stage()
    pin.unlink()


MADE = Path("made/own.csv")
STAGE = {
    "cmd": f"mkdir -p {MADE.parent}; cp {OWN} {MADE.parent}; echo ran >> runs.txt",
    "deps": [str(OWN)],
    "outs": [str(MADE.parent)],
}
of_dvc_alone = pytest.mark.filterwarnings("ignore:_NoneStep")


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stage has run; where the cache of DVC keeps what it made."""
    config = load_config(ROOT / "model_config.yaml").model_dump(mode="json", exclude_defaults=True)
    config["data"]["path"] = str(OWN)
    Path("model_config.yaml").write_text(json.dumps(config))
    Path("dvc.yaml").write_text(json.dumps({"stages": {"evaluate": STAGE}}))
    reproduce.run({})
    shutil.rmtree(MADE.parent)
    name = hashlib.md5(ROWS, usedforsecurity=False).hexdigest()
    return Path(".dvc/cache/files/md5", name[:2], name[2:])


@of_dvc_alone
@pytest.mark.parametrize("mode", [0o444, 0o644])
@pytest.mark.parametrize("locked", [True, False])
def test_a_file_of_the_cache_that_is_not_what_it_is_called_is_never_used(
    locked: bool, mode: int, made: Path
) -> None:
    made.unlink()
    changed(made)
    made.chmod(mode)
    if not locked:
        Path("dvc.lock").unlink()  # DVC then knows it from the run that made it
    reproduce.run({})
    assert MADE.read_bytes() == made.read_bytes() == ROWS


@of_dvc_alone
def test_what_the_cache_holds_whole_is_not_made_again(made: Path) -> None:
    reproduce.run({})
    assert MADE.read_bytes() == made.read_bytes() == ROWS
    assert Path("runs.txt").read_text() == "ran\n"
