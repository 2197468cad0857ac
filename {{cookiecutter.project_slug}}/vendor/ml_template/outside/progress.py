"""What is being done, for a person who waits: on a terminal only, silent in CI and in pipes."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from . import screen

if TYPE_CHECKING:
    from rich.spinner import Spinner

_shown: list[Spinner] = []


def terminal() -> TextIO | None:
    """Where a sign may move: stderr without its screen; None in CI and in pipes."""
    stream: TextIO = screen.bare(sys.stderr)
    return None if os.environ.get("CI") or not stream.isatty() else stream


@contextmanager
def working(text: str) -> Iterator[None]:
    """Show `text` and a moving sign on a terminal until the block ends."""
    place = terminal()
    if place is None:
        yield
        return
    from rich.console import Console
    from rich.live import Live
    from rich.spinner import Spinner

    sign, console = Spinner("dots", text), Console(file=place)
    # What is printed meanwhile goes above the sign, where it goes to a terminal at all.
    above = bool(screen.bare(sys.stdout).isatty())
    with Live(sign, console=console, transient=True, redirect_stdout=above):
        screen.install()  # before what rich put in their place
        _shown.append(sign)
        try:
            yield
        finally:
            _shown.remove(sign)


def say(text: str) -> None:
    """Replace the text that is shown, where one is."""
    for sign in _shown:
        sign.update(text=text)
