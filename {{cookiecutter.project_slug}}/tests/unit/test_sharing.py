"""The champion and its history travel by the DVC remote, and nobody's promotion is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from {{ cookiecutter.package_name }} import versioning
from {{ cookiecutter.package_name }}.champion import CHAMPION, HISTORY, MODELS
from {{ cookiecutter.package_name }}.config import InputError


class Machines:
    """Two working folders with one DVC remote."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder, self.patch, self.remote = folder, patch, folder / "remote"
        self.remote.mkdir()
        text = f"[core]\n    remote = shared\n['remote \"shared\"']\n    url = {self.remote}\n"
        for name in ("one", "two"):
            (folder / name / ".dvc").mkdir(parents=True)
            (folder / name / ".dvc/config").write_text(text, encoding="utf-8")

    def on(self, name: str) -> None:
        self.patch.chdir(self.folder / name)


@pytest.fixture
def machines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machines:
    return Machines(tmp_path, monkeypatch)


def crown(version: str) -> None:
    """A champion, its kept version and its line in the history."""
    write(MODELS / version / "model.json", version)
    write(MODELS / "candidate/model.json", "not kept")
    write(CHAMPION, version)
    write(HISTORY, (HISTORY.read_text() if HISTORY.exists() else "") + f"{version}\n")


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_a_fresh_machine_knows_the_champion(machines: Machines) -> None:
    machines.on("one")
    crown("a")
    versioning.push()
    machines.on("two")
    versioning.pull()
    assert CHAMPION.read_text() == "a"
    assert (MODELS / "a/model.json").read_text() == "a"
    assert not (MODELS / "candidate").exists()
    crown("b")
    versioning.push()
    machines.on("one")
    versioning.pull()
    assert CHAMPION.read_text() == "b"
    assert HISTORY.read_text() == "a\nb\n"


def test_two_promotions_at_once_lose_neither(
    machines: Machines, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("one", "two"):
        machines.on(name)
        crown(name)
        if name == "one":
            versioning.push()
    with pytest.raises(InputError, match="another machine promoted too"):
        versioning.push()
    versioning.pull()
    assert "champion and history stay" in capsys.readouterr().out
    assert (CHAMPION.read_text(), HISTORY.read_text()) == ("two", "two\n")
    assert (machines.remote / CHAMPION).read_text() == "one"
    assert (MODELS / "one/model.json").exists()


def test_a_version_that_is_kept_here_is_never_overwritten(machines: Machines) -> None:
    machines.on("one")
    crown("a")
    versioning.push()
    write(machines.remote / MODELS / "a/model.json", "swapped")
    versioning.pull()
    assert (MODELS / "a/model.json").read_text() == "a"


def test_a_second_push_sends_no_version_again(machines: Machines) -> None:
    machines.on("one")
    crown("a")
    versioning.push()
    write(MODELS / "a/model.json", "changed")
    versioning.push()
    assert (machines.remote / MODELS / "a/model.json").read_text() == "a"
