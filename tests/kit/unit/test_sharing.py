"""The champion and its history travel by the DVC remote, and nobody's promotion is lost."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from ml_template.registry import pull, push, sharing, withdrawn
from ml_template.registry.champion import CHAMPION, HISTORY, MODELS
from ml_template.registry.withdrawn import ABORTED
from ml_template.settings.config import InputError


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
    push.run()
    machines.on("two")
    pull.run()
    assert CHAMPION.read_text() == "a"
    assert (MODELS / "a/model.json").read_text() == "a"
    assert not (MODELS / "candidate").exists()
    crown("b")
    push.run()
    machines.on("one")
    pull.run()
    assert CHAMPION.read_text() == "b"
    assert HISTORY.read_text() == "a\nb\n"


def test_two_promotions_at_once_lose_neither(
    machines: Machines, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("one", "two"):
        machines.on(name)
        crown(name)
        if name == "one":
            push.run()
    with pytest.raises(InputError, match="another machine promoted too"):
        push.run()
    pull.run()
    assert "champion and history stay" in capsys.readouterr().out
    assert (CHAMPION.read_text(), HISTORY.read_text()) == ("two", "two\n")
    assert (machines.remote / CHAMPION).read_text() == "one"
    assert (MODELS / "one/model.json").exists()


def test_models_taken_back_on_two_machines_are_known_to_both(machines: Machines) -> None:
    for name, digest in (("one", "1"), ("two", "2")):
        machines.on(name)
        withdrawn.abort(digest * 64, "failed: 5 %")
        push.run()
    machines.on("one")
    for _ in range(2):
        pull.run()
        push.run()
    assert all(withdrawn.listed(digest * 64) for digest in "12")
    assert (machines.remote / ABORTED).read_bytes() == ABORTED.read_bytes()
    assert len(ABORTED.read_bytes().splitlines()) == 2


def test_models_taken_back_elsewhere_are_known_where_another_was_promoted_too(
    machines: Machines,
) -> None:
    for name in ("one", "two"):
        machines.on(name)
        crown(name)
        withdrawn.abort(name, "failed: 5 %")
        if name == "one":
            push.run()
    pull.run()
    assert all(map(withdrawn.listed, ("one", "two")))
    assert CHAMPION.read_text() == "two"


def test_a_version_that_is_kept_here_is_never_overwritten(machines: Machines) -> None:
    machines.on("one")
    crown("a")
    push.run()
    write(machines.remote / MODELS / "a/model.json", "swapped")
    pull.run()
    assert (MODELS / "a/model.json").read_text() == "a"


def test_a_second_push_sends_no_version_again(machines: Machines) -> None:
    machines.on("one")
    crown("a")
    push.run()
    write(MODELS / "a/model.json", "changed")
    push.run()
    assert (machines.remote / MODELS / "a/model.json").read_text() == "a"


def files(folder: Path) -> dict[Path, bytes]:
    """All but what DVC notes for itself."""
    found = [path for path in folder.rglob("*") if path.is_file() and "tmp" not in path.parts[-2:]]
    return {path: path.read_bytes() for path in found}


@pytest.mark.parametrize(
    "name",
    [
        "/srv/evil.json",
        "../evil.json",
        "v1/../../evil.json",
        "v1/./evil.json",
        "v1//evil.json",
        ".git/config",
        "v1/.dvc/config",
        ".venv/x.pth",
        "..\\evil.json",
        "C:/evil.json",
        "C:\\evil.json",
        "v1/evil\n.json",
        "v1/evil\x1b[0m.json",
        "mlflow.json",
        "candidate/model.json",
        "linked/evil.json",
        "folder",
    ],
)
def test_a_name_that_push_does_not_write_is_refused_before_anything_is_written(
    name: str, machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    machines.on("one")
    crown("a")
    push.run()
    machines.on("two")
    (MODELS / "folder").mkdir(parents=True)
    (machines.folder / "outside").mkdir()
    (MODELS / "linked").symlink_to(machines.folder / "outside")
    before = files(machines.folder)
    find = sharing.find
    monkeypatch.setattr(sharing, "find", lambda remote: [*find(remote), name])
    with pytest.raises(InputError, match="nothing is copied"):
        pull.run()
    assert files(machines.folder) == before


@pytest.mark.parametrize("name", [".DS_Store", "v1/.DS_Store", "v1/._model.json"])
def test_a_hidden_file_in_the_remote_stays_there_and_is_named(
    name: str, machines: Machines, capsys: pytest.CaptureFixture[str]
) -> None:
    machines.on("one")
    crown("a")
    push.run()
    write(machines.remote / MODELS / name, "of a file manager")
    machines.on("two")
    pull.run()
    assert (MODELS / "a/model.json").read_text() == CHAMPION.read_text() == "a"
    assert not (MODELS / name).exists()
    assert f"'{name}'" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["v 2/größe (1).json", "v1/deep/er/a.txt", "v1/a..b", "notes.md"])
def test_other_names_of_people_travel(name: str, machines: Machines) -> None:
    machines.on("one")
    crown("a")
    write(MODELS / name, "kept")
    push.run()
    machines.on("two")
    pull.run()
    assert (MODELS / name).read_text() == "kept"


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


ROWS, CHANGED = b"a,b\n1,2\n", b"a,b\n1,3\n"
LISTED = json.dumps([{"md5": md5(ROWS), "relpath": "rows.csv"}]).encode()


def pin(machines: Machines, name: str, value: str, **objects: bytes) -> None:
    """On machine two git pins `name` by `value`; the remote holds `objects` under digests."""
    machines.on("two")
    text = f"outs:\n- md5: {value}\n  hash: md5\n  path: {Path(name).name}\n"
    write(Path(f"{name}.dvc"), text)
    for key, content in objects.items():
        place = machines.remote / "files/md5" / key[1:3] / key[3:].replace("_dir", ".dir")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)


@pytest.mark.parametrize("verify", ["", "    verify = true\n"])
@pytest.mark.parametrize("part", ["file", "entry", "list"])
@pytest.mark.parametrize("change", [CHANGED, b"", b'[{"md5": "0", "relpath": "../../evil.csv"}]'])
def test_what_is_not_what_git_pins_is_not_used_and_the_next_pull_works(
    change: bytes, part: str, verify: str, machines: Machines
) -> None:
    machines.on("two")
    config = Path(".dvc/config")
    config.write_text(config.read_text() + verify)
    row, listed = f"_{md5(ROWS)}", f"_{md5(LISTED)}_dir"
    right = {row: ROWS} if part == "file" else {row: ROWS, listed: LISTED}
    name = "data/rows.csv" if part == "file" else "data/folder"
    value = md5(ROWS) if part == "file" else f"{md5(LISTED)}.dir"
    pin(machines, name, value, **right | {listed if part == "list" else row: change})
    with pytest.raises(InputError, match=f"pull: {name}.* in the remote is not what git pins"):
        pull.run()
    assert {path.suffix for path in Path("data").rglob("*") if path.is_file()} == {".dvc"}
    pin(machines, name, value, **right)
    pull.run()
    assert (Path(name) if part == "file" else Path(name) / "rows.csv").read_bytes() == ROWS


@pytest.mark.parametrize("kind", ["copy", "hardlink", "symlink"])
def test_a_cache_that_was_changed_is_cleaned_and_so_is_what_was_made_of_it(
    kind: str, machines: Machines
) -> None:
    machines.on("two")
    config = Path(".dvc/config")
    config.write_text(config.read_text() + f"[cache]\n    type = {kind}\n")
    pin(machines, "data/rows.csv", md5(ROWS), **{f"_{md5(ROWS)}": ROWS})
    pull.run()
    kept = Path(".dvc/cache/files/md5") / md5(ROWS)[:2] / md5(ROWS)[2:]
    for path in {kept, Path("data/rows.csv")}:
        path.chmod(0o644)
        path.write_bytes(CHANGED)
    pull.run()
    assert Path("data/rows.csv").read_bytes() == kept.read_bytes() == ROWS


def test_what_the_remote_lacks_stays_away(machines: Machines) -> None:
    pin(machines, "data/rows.csv", md5(ROWS))
    pull.run()
    assert not Path("data/rows.csv").exists()


OUTSIDE = ["../evil.csv", "a/../../evil.csv", "/evil.csv", "./evil.csv", "a//b.csv", "..\\b.csv"]


@pytest.mark.parametrize("cached", [True, False])
@pytest.mark.parametrize(
    "entry",
    [
        *({"md5": md5(ROWS), "relpath": name} for name in OUTSIDE),
        {"md5": "ab/../../../../../kept", "relpath": "rows.csv"},
    ],
)
def test_a_pinned_list_of_files_that_leads_out_of_its_folder_is_refused_before_anything_is_written(
    entry: dict[str, str], cached: bool, machines: Machines
) -> None:
    content = json.dumps([entry]).encode()
    value = md5(content)
    pin(
        machines, "data/folder", f"{value}.dir", **{f"_{value}_dir": content, f"_{md5(ROWS)}": ROWS}
    )
    write(Path("kept"), "kept")
    if cached:
        kept = Path(".dvc/cache/files/md5") / value[:2] / f"{value[2:]}.dir"
        kept.parent.mkdir(parents=True)
        kept.write_bytes(content)
    before = files(machines.folder)
    with pytest.raises(InputError, match="the list of data/folder that git pins leads elsewhere"):
        pull.run()
    assert files(machines.folder) == before


def test_names_in_a_pinned_folder_may_have_dots_and_folders_of_their_own(
    machines: Machines,
) -> None:
    content = json.dumps([{"md5": md5(ROWS), "relpath": "a..b/.c/größe 1.csv"}]).encode()
    value = md5(content)
    pin(
        machines, "data/folder", f"{value}.dir", **{f"_{value}_dir": content, f"_{md5(ROWS)}": ROWS}
    )
    pull.run()
    assert Path("data/folder/a..b/.c/größe 1.csv").read_bytes() == ROWS


def test_an_output_that_no_lock_knows_is_named_with_what_to_do(machines: Machines) -> None:
    pin(machines, "data/rows.csv", md5(ROWS), **{f"_{md5(ROWS)}": ROWS})
    stage = {"cmd": "true", "outs": ["made.csv"]}
    write(Path("dvc.yaml"), json.dumps({"stages": {"make": stage}}))
    write(Path("made.csv"), "unsaved")
    with pytest.raises(InputError, match=r"pull: dvc\.lock does not know made\.csv.*move") as error:
        pull.run()
    assert "--force" not in str(error.value)
    assert Path("made.csv").read_text() == "unsaved"
    Path("made.csv").rename("kept.csv")
    pull.run()
    assert Path("data/rows.csv").read_bytes() == ROWS
