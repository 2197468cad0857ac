"""What is being done, for a person who waits: on a terminal only, silent in CI and in pipes."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.status import Status

_shown: list[Status] = []


@contextmanager
def working(text: str) -> Iterator[None]:
    """Show `text` and a moving sign on a terminal until the block ends."""
    if os.environ.get("CI") or not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(text) as status:
        _shown.append(status)
        try:
            yield
        finally:
            _shown.remove(status)


def say(text: str) -> None:
    """Replace the text that is shown, where one is."""
    for status in _shown:
        status.update(text)
