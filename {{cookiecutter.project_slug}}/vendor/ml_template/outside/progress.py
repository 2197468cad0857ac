"""What is being done, for a person who waits: a sign on a terminal, elsewhere a line at times."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import TextIO

from . import screen
from .text import line

SILENCE = 4.0  # seconds; Python has begun before
LONG = 600.0  # from then on twelve times as many: somebody reads the log of hours
_doing: list[str] = []


def terminal() -> TextIO | None:
    """Where a sign may move: stderr without its screen; None in CI and in pipes."""
    stream: TextIO = screen.bare(sys.stderr)
    return None if os.environ.get("CI") or not stream.isatty() else stream


@contextmanager
def working(text: str) -> Iterator[None]:
    """Show `text` until the block ends; in another such block, in the place of its text."""
    _doing.append(text)
    try:
        if len(_doing) > 1:
            yield
        elif place := terminal():
            with _sign(place):
                yield
        else:
            with _lines():
                yield
    finally:
        _doing.pop()


def say(text: str) -> None:
    """Replace the text that is shown, where one is."""
    if _doing:
        _doing[-1] = text


@contextmanager
def _sign(place: TextIO) -> Iterator[None]:
    from rich.console import Console
    from rich.live import Live
    from rich.spinner import Spinner
    from rich.text import Text

    sign, begin = Spinner("dots"), monotonic()

    def drawn() -> Spinner:
        sign.update(text=Text(f"{line(_doing[-1])} ({monotonic() - begin:.0f} s)"))
        return sign

    # What is printed meanwhile goes above the sign, where it goes to a terminal at all.
    above = bool(screen.bare(sys.stdout).isatty())
    console = Console(file=place)
    with Live(get_renderable=drawn, console=console, transient=True, redirect_stdout=above):
        screen.install()  # before what rich put in their place
        yield


@contextmanager
def _lines() -> Iterator[None]:
    ended = threading.Event()
    thread = threading.Thread(target=_tell, args=(ended,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _tell(ended: threading.Event) -> None:
    """Say on stderr what goes on whenever nothing was printed for a while."""
    begin = last = monotonic()
    while True:
        pause = SILENCE if last - begin < LONG else 12 * SILENCE
        if ended.wait(max(0.0, last + pause - monotonic())):
            return
        if screen.Screen.said <= last:
            screen.say(f"{line(_doing[-1])} ({monotonic() - begin:.0f} s)", sys.stderr)
            last = monotonic()
        else:
            last = screen.Screen.said
