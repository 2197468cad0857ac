"""Everything that says no says no: planted faults, each in a copy of one trained project (slow).

One test a row, named with its id: the project refuses the fault with the right stage and words, and
the same stages pass where it is not planted. `make test-full` plants the rows once more in a
project that adopted a table of another form.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bake
import pytest
from faults.registry import Fault, load

pytestmark = pytest.mark.slow
FULL = bool(os.environ.get("FULL_MATRIX"))
ROWS = [pytest.param(row, id=row.key) for row in load()]
TWINS = [pytest.param(row, id=row.key) for row in load() if row.twin]


class Worker:
    """One process of the project's Python that plants and answers."""

    def __init__(self, project: Path, folder: Path) -> None:
        self.errors = (folder / "errors.txt").open("w+")
        self.process = subprocess.Popen(
            [project / ".venv/bin/python", "-m", "faults.worker", project, folder],
            env=os.environ | {"PYTHONPATH": str(bake.ROOT / "tests")},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
        )

    def ask(self, **question: Any) -> dict[str, Any]:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer, f"the worker died: {self.ended()}"
        found: dict[str, Any] = json.loads(answer)
        assert "outcome" not in found or found["outcome"] != "broken", found["message"]
        return found

    def ended(self) -> str:
        if self.process.poll() is None:
            assert self.process.stdin
            self.process.stdin.close()
            self.process.wait(timeout=30)
        self.errors.seek(0)
        return self.errors.read()[-2000:]


@pytest.fixture(scope="module")
def worker(lived: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    worker = Worker(lived, tmp_path_factory.mktemp("copies"))
    yield worker
    worker.ended()


def judge(row: Fault, found: dict[str, Any]) -> None:
    said = f"{found['outcome']} by {found['by'] or 'nothing'}: {found['message']}"
    expected = "missed" if row.miss else "refused"
    assert found["outcome"] == expected, said


@pytest.mark.parametrize("row", ROWS)
def test_fault(row: Fault, worker: Worker) -> None:
    judge(row, worker.ask(key=row.key, adopted=False))


@pytest.mark.full
@pytest.mark.parametrize("row", TWINS)
def test_fault_on_an_adopted_table(row: Fault, worker: Worker) -> None:
    judge(row, worker.ask(key=row.key, adopted=True))


def test_there_are_enough_rows_and_every_name_is_taken_once() -> None:
    keys = [row.key for row in load()]
    assert len(set(keys)) == len(keys) >= 60


def test_T36_killed_at_any_moment_nothing_half_written_counts_and_the_next_run_finishes(
    worker: Worker,
) -> None:
    moments = 20 if FULL else 6
    found = worker.ask(drill="kills", moments=moments)
    found.pop("seconds")
    assert found == {"half_written": [], "not_finished": 0, "killed": moments}


def test_T36_a_full_disk_is_one_message_and_nothing_half_written_counts(worker: Worker) -> None:
    found = worker.ask(drill="full_disk")
    assert found["traces"] == []
    assert found["half_written"] == []
    assert found["refused"] == 5
    assert found["not_finished"] == 0


def test_T35_without_mlflow_the_champion_is_made_and_the_exit_code_says_so(worker: Worker) -> None:
    for name, found in worker.ask(drill="mlflow").items():
        if name != "seconds":
            assert (found["code"], found["champion"], found["said"]) == (1, True, True), found


def test_healthy_projects_of_any_seed_are_not_refused(worker: Worker) -> None:
    assert worker.ask(drill="seeds", count=20 if FULL else 2)["refused"] == []


@pytest.mark.full
@pytest.mark.parametrize("base", ["default", "adopted"])
def test_T27_T28_poison_is_refused_from_its_level_on(base: str, worker: Worker) -> None:
    found = worker.ask(drill="sweep", base=base)
    flips, outside = found["labels flipped"], found["trigger out of range"]
    assert {flips[share]["by"] for share in ("0.1", "0.2", "0.3")} == {"gate"}
    assert {point["by"] for point in outside.values()} == {"validate"}
    assert found["trigger within the range"]["0.0"]["by"] == ""


def test_T54_drift_is_found_and_chance_is_not(worker: Worker) -> None:
    found = worker.ask(drill="drift", windows=300 if FULL else 60)
    for rows in ("500", "1000", "10000", "100000"):
        assert found[rows]["0.0"] <= (0.02 if FULL else 0.05)  # 60 windows: 1 % may show as 5 %
    for rows in ("1000", "10000", "100000"):
        assert found[rows]["0.3"] >= 0.95
    assert found["400"] == ["not enough data"]


def test_T56_when_monitoring_stops_its_time_stands_still(worker: Worker) -> None:
    found = worker.ask(drill="dead_man")
    assert (found["first"], found["second"], found["still"]) == (0, 1, True)
