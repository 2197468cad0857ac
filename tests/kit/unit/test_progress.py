import io
import sys

import pytest
from ml_template.outside import progress


class Terminal(io.StringIO):
    """A screen that keeps what is written."""

    def isatty(self) -> bool:
        return True


def shown(monkeypatch: pytest.MonkeyPatch, **environment: str) -> str:
    """What a person sees on a terminal while something works."""
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("CI", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with progress.working("train ..."):
        progress.say("train: 8,000 rows")
    return screen.getvalue()


def test_a_person_at_a_terminal_sees_what_is_being_done(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "8,000 rows" in shown(monkeypatch)


def test_ci_sees_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(monkeypatch, CI="true") == ""
