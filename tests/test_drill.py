"""The whole loop as one test: from nothing to a bad release that goes back by itself (slow)."""

from __future__ import annotations

import shlex
from pathlib import Path

import alerts
import commands
import drill
import pytest


@pytest.mark.slow
def test_T58_the_whole_loop_runs_and_with_it_every_word_of_the_runbook_that_needs_a_cluster(
    project: Path, tmp_path: Path
) -> None:
    loop = drill.drill(tmp_path)  # raises where a step does not do what it should
    runbook = (project / alerts.RUNBOOK).read_text(encoding="utf-8")
    needed = {drill.kind(shlex.split(command)[1:]) for command in commands.commands(runbook)}
    needed = {(word, keys) for word, keys in needed if "ENV" in keys}
    assert needed
    assert needed <= loop.words
