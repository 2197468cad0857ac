"""Pointers, history and contract change together, whoever is killed and however many write."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import multiprocessing
import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ml_template.model import contract
from ml_template.operations import promote, rollback
from ml_template.pipeline.judgement import gate, register
from ml_template.registry import champion
from ml_template.registry.champion import CHALLENGER, CHAMPION, HISTORY
from ml_template.settings.config import InputError
from ml_template.storage import changes, files

WRITES = {"open", "os.rename", "os.remove", "os.truncate", "os.chmod", "os.rmdir", "os.mkdir"}
FORK = multiprocessing.get_context("fork")


@pytest.fixture
def models(project: Path, new_candidate: Callable[[int], str]) -> list[str]:
    """Digests of a champion and of a challenger."""
    digests = []
    for number in (1, 2):
        digests.append(new_candidate(number))
        gate.run()
        register.run()
    return digests


def state() -> tuple[str, list[str]]:
    """The champion and all of the history; fails where the files do not belong together."""
    record = json.loads(CHAMPION.read_text())
    lines = [json.loads(line) for line in HISTORY.read_text().splitlines()]
    assert {key: lines[-1][key] for key in lines[-1] if key != "seal"} == record
    assert json.loads(contract.CONTRACT.read_text())["model"] == record["digest"][:16]
    champion.verify(champion.read(CHALLENGER) or {})
    return record["digest"], [line["digest"] for line in lines]


def killed_at(number: int, word: Callable[[], object]) -> bool:
    """Whether a process of its own, that does `word`, was killed at its write of that number."""
    process = os.fork()
    if process:
        return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 9
    left = iter(range(number))

    def write() -> None:
        if next(left, None) is None:
            os._exit(9)

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        reads = event == "open" and not (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR)
        if event in WRITES and not reads and "models" in os.path.realpath(str(arguments[0])):
            write()

    sync = os.fsync
    os.fsync = lambda handle: (write(), sync(handle))[1]  # type: ignore[assignment]
    sys.addaudithook(watch)
    with contextlib.suppress(BaseException), Path(os.devnull).open("w") as nothing:
        sys.stdout = sys.stderr = nothing
        word()
        os._exit(0)
    os._exit(1)


def words(models: list[str]) -> dict[str, tuple[Callable[[], object], str, str]]:
    """Word: how it is done, and the champion before and after."""
    return {
        "promote": (lambda: promote.run({"WHY": "better"}), models[0], models[1]),
        "rollback": (lambda: rollback.run({}), models[1], models[0]),
        "register": (register.run, "", models[1]),
    }


@pytest.mark.parametrize("name", ["promote", "rollback", "register"])
def test_killed_at_any_write_the_next_word_finds_the_old_or_the_new_whole(
    name: str, models: list[str], tmp_path: Path
) -> None:
    word, before, after = words(models)[name]
    if name == "rollback":
        promote.run({})
    if name == "register":
        for path in (CHAMPION, CHALLENGER, HISTORY, contract.CONTRACT):
            path.unlink()
        gate.run()
    shutil.copytree("models", tmp_path / "kept")
    for number in range(1000):
        shutil.rmtree("models")
        shutil.copytree(tmp_path / "kept", "models")
        killed = killed_at(number, word)
        record = champion.read(CHAMPION)  # as a reader sees it that may not write
        assert (record or {"digest": ""})["digest"] in (before, after), number
        assert champion.history()[-1:] == ([record] if record else []), number
        changes.settle()
        if record:
            assert state()[0] == record["digest"], number
        if not killed:
            break
        if not (name == "rollback" and record and record["digest"] == after):
            word()
        assert state()[0] == after, number
    assert 10 < number < 999


def test_a_change_that_cannot_be_written_is_not_begun(models: list[str]) -> None:
    before = state()
    with pytest.raises(UnicodeEncodeError), changes.changing():
        changes.replace({CHAMPION: "\udcff", HISTORY: ""})
    assert state() == before


@pytest.mark.parametrize(
    "text", ["{", "[" * 100_000, "5", "[]", '{"champion.json": 5}', "9" * 5000]
)
def test_a_change_that_was_damaged_is_named(models: list[str], text: str) -> None:
    changes.CHANGE.write_text(text)
    with pytest.raises(InputError, match=r"models/\.change\.json is damaged .*: remove it"):
        promote.run({})


@pytest.mark.parametrize(
    "begun",
    [
        ["promote"] * 4,
        ["rollback"] * 4,
        ["promote", "rollback"] * 2,
        ["promote", "promote", "rollback", "register"],
        ["register"] * 4,
    ],
    ids=str,
)
def test_of_many_writers_at_once_no_line_is_lost_and_nothing_is_mixed(
    begun: list[str], models: list[str]
) -> None:
    if "promote" not in begun:
        promote.run({})
    before, barrier = len(state()[1]), FORK.Barrier(len(begun))
    queue: Any = FORK.Queue()

    def work(name: str, why: str) -> None:
        barrier.wait()
        with contextlib.suppress(InputError):
            if name == "register":
                register.run()
            else:
                {"promote": promote, "rollback": rollback}[name].run({"WHY": why})
                queue.put(why)
        queue.put(None)

    started = [
        FORK.Process(target=work, args=(name, f"{name} {number}"))
        for number, name in enumerate(begun)
    ]
    for process in started:
        process.start()
    done, ended = [], 0
    while ended < len(started):
        why = queue.get(timeout=300)
        ended += why is None
        done += [why] if why else []
    for process in started:
        process.join()
    state()
    lines = [json.loads(line)["why"] for line in HISTORY.read_text().splitlines()[before:]]
    assert sorted(lines) == sorted(done)


def test_who_waits_too_long_is_told_who_holds_it(models: list[str]) -> None:
    with (
        files.locked(CHAMPION),
        pytest.raises(InputError, match=f"another process works there: process {os.getpid()} on"),
        files.locked(CHAMPION, seconds=0.2),
    ):
        pass


def test_a_lock_ends_with_its_process(in_folder: Path) -> None:
    path, (read, write) = in_folder / "file", os.pipe()
    process = os.fork()
    if not process:
        with files.locked(path):
            os.write(write, b"held")
            time.sleep(600)
    os.read(read, 4)
    with pytest.raises(InputError, match=f"process {process} on"), files.locked(path, seconds=0):
        pass
    os.kill(process, 9)
    os.waitpid(process, 0)
    with files.locked(path):
        pass


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_named(
    in_folder: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(InputError, match="this file system has no locks"), changes.changing():
        pass


def test_folders_that_cannot_be_flushed_stop_nothing(
    models: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: int) -> None:
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(os, "fsync", refuse)
    promote.run({})
    assert state()[0] == models[1]
