"""Nothing is silent for long: a sign on a terminal, a line now and then in CI and in pipes."""

from __future__ import annotations

import importlib
import io
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from ml_template import command_line, words
from ml_template.outside import progress, screen
from ml_template.serving import rows

GOES_ON = ["notebook", "reproduce", "serve", "tracking"]  # until they are told; a run is its stages


class Terminal(io.StringIO):
    """A screen that keeps what is written."""

    def isatty(self) -> bool:
        return True


def seen(stream: io.StringIO, text: str, times: int = 1) -> bool:
    """Whether `text` comes up in time, so often."""
    until = time.monotonic() + 5
    while stream.getvalue().count(text) < times:
        if time.monotonic() > until:
            return False
        time.sleep(0.005)
    return True


def piped(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What a pipe of stderr gets from somebody who waits for no time at all."""
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(progress, "SILENCE", 0.01)
    monkeypatch.setattr(screen.Screen, "said", 0.0)
    return stream


def shown(monkeypatch: pytest.MonkeyPatch, text: str) -> str:
    """What a person sees on a terminal while something works."""
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("CI", raising=False)
    with progress.working("train ..."), progress.working("evaluate ..."):
        progress.say(text)
        assert seen(stream, text)
    return stream.getvalue()


def test_a_person_at_a_terminal_sees_what_is_being_done(monkeypatch: pytest.MonkeyPatch) -> None:
    written = shown(monkeypatch, "train: 8,000 [bold] rows")
    assert written.count("\n") == 1  # and the line is taken away again


def test_ci_gets_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = piped(monkeypatch)
    with progress.working("train ..."):
        assert seen(pipe, "train ... (0 s)\n")
        progress.say("train: 8,000 rows\x1b[31m")
        assert seen(pipe, "train: 8,000 rows\\x1b[31m (0 s)\n")
        with progress.working("measure ..."):
            assert seen(pipe, "measure ... (0 s)\n")
        before = pipe.getvalue().count("train: 8,000")
        assert seen(pipe, "train: 8,000", before + 1)
    ended = pipe.getvalue()
    time.sleep(0.05)
    assert pipe.getvalue() == ended


def test_who_prints_by_himself_is_not_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = piped(monkeypatch)
    monkeypatch.setattr(progress, "SILENCE", 0.5)
    printed = screen.Screen(io.StringIO())
    with progress.working("train ..."):
        for _ in range(40):
            printed.write("epoch\n")
            time.sleep(0.02)
    assert pipe.getvalue() == ""


def test_the_log_of_a_night_is_no_book(monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = piped(monkeypatch)
    clock, waits = [0.0], []

    def wait(seconds: float) -> bool:
        waits.append(seconds)
        clock[0] += seconds
        return clock[0] > 10 * 3600

    monkeypatch.setattr(progress, "SILENCE", 5.0)
    monkeypatch.setattr(progress, "monotonic", lambda: clock[0])
    monkeypatch.setattr(progress, "_doing", ["search ..."])
    progress._tell(SimpleNamespace(wait=wait))  # type: ignore[arg-type]
    assert waits[:100] == [5.0] * 100
    assert pipe.getvalue().count("\n") < 800


@pytest.mark.parametrize("name", [name for name in words.WORDS if name not in GOES_ON])
def test_no_word_is_silent(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = piped(monkeypatch)

    def slow() -> bool:
        return seen(pipe, f"{name} ... (0 s)\n")

    module = SimpleNamespace(run=slow)
    monkeypatch.setattr(importlib, "import_module", lambda *_: module)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert command_line._run(name, {}, True) == 0


def test_a_table_that_is_scored_says_how_far_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    say: Callable[[str], None] = told.append
    monkeypatch.setattr(rows, "say", say)
    source = tmp_path / "t.csv"
    source.write_text("a\n" + "1\n" * (2 * rows.PART), encoding="utf-8")
    values = SimpleNamespace(data=SimpleNamespace(encoding="utf-8", delimiter=","))
    values.record = lambda *_: {}
    list(rows._csv(source, values, ["a"], None))  # type: ignore[arg-type]
    assert [text.split(",")[0] for text in told] == ["score: 0 rows", "score: 5"]
    assert told[1].endswith(f"% of {source}")
