"""stdout and stderr as a screen of text: what is printed moves no cursor and gives CI no order.

All that this process prints passes here: of the stages, of libraries, warnings and tracebacks.
"""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

from .text import shown

# What GitHub's runner and Azure's obey: `::word` first in a line, `##[word` or `##vso[` anywhere.
_ORDER = re.compile(r"^[^\S\n]*:(?=:)|##\w*(?=\[)", re.MULTILINE)
_KEPT = 100  # letters of a line: more than an order begins with


class Screen:
    """A stream that takes text; to libraries it is no terminal, so that they send no more."""

    said = 0.0  # time.monotonic of what was printed last, on any

    def __init__(self, bare: TextIO) -> None:
        self.bare = bare
        self._line = ""  # how the line begins that is not ended yet
        if isinstance(bare, io.TextIOWrapper):
            bare.reconfigure(errors="backslashreplace")  # the console may lack a letter

    def __getattr__(self, name: str) -> Any:
        return getattr(self.bare, name)

    def isatty(self) -> bool:
        return False

    def write(self, text: str) -> int:
        before, Screen.said = self._line, time.monotonic()
        text = _ORDER.sub(r"\g<0>\\", before + shown(text))[len(before) :]
        line = (before + text).rpartition("\n")[2].lstrip()
        self._line = line if len(line) < _KEPT else f".{line[-_KEPT // 2 :]}"
        try:
            return self.bare.write(text)
        except BrokenPipeError:  # who read went away, as `head` does
            return self.drop()

    def writelines(self, lines: Iterable[str]) -> None:
        for text in lines:
            self.write(text)

    def flush(self) -> None:
        try:
            self.bare.flush()
        except BrokenPipeError:
            self.drop()

    def drop(self) -> int:
        """Nobody gets what is still to be said: what was begun is done all the same."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.bare.fileno())
        os.close(nowhere)
        return 0


def install() -> None:
    """Put a screen before stdout and stderr, where there is none yet."""
    os.environ.setdefault("PYTHON_COLORS", "0")  # of tracebacks
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is not None and not isinstance(stream, Screen):
            setattr(sys, name, Screen(stream))


def say(text: str, stream: TextIO | None = None) -> None:
    """Print a line on stdout, or `stream`; what cannot be printed hinders nobody who works.

    On stderr where stdout is gone or its disk is full; a stream that failed is not tried again.
    """
    for each in filter(None, dict.fromkeys((stream or sys.stdout, sys.stderr))):
        try:
            print(text, file=each, flush=True)
        except (OSError, ValueError):  # ValueError: it is closed
            if each is sys.stdout:
                sys.stdout = sys.stderr
            if isinstance(each, Screen):
                each.drop()  # what it holds back would fail again at the end of the process
        else:
            return


def bare(stream: Any) -> Any:
    """The stream behind the screen, for a sign that moves."""
    return stream.bare if isinstance(stream, Screen) else stream


def output(
    command: Sequence[str], seconds: float, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """A program at its end, with what it printed; its complaints pass the screen.

    After `seconds` it is ended: raises subprocess.TimeoutExpired.
    """
    done = subprocess.run(
        command,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        errors="backslashreplace",
        timeout=seconds,
    )
    print(done.stderr, end="", file=sys.stderr)
    return done


def run(command: Sequence[str], seconds: float) -> int:
    """Exit code of a program; what it prints passes the screen.

    After `seconds` it is ended: raises subprocess.TimeoutExpired.
    """
    begin = time.monotonic()
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="backslashreplace",
    ) as program:
        late = threading.Timer(seconds, program.kill)
        late.start()
        for text in program.stdout or ():
            print(text, end="", flush=True)
        program.wait()
        late.cancel()
    if program.returncode == -signal.SIGKILL and time.monotonic() - begin >= seconds:
        raise subprocess.TimeoutExpired(command, seconds)
    return program.returncode
