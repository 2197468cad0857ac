"""Generated projects, really set up, checked, tested and run (slow)."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import time
from pathlib import Path

import bake
import commands
import pytest
from life import attempt, champion, digests, make, metrics, path_without, twin

pytestmark = pytest.mark.slow


def test_the_default_project_trains_a_champion(lived: Path) -> None:
    found = metrics(lived)
    assert len(champion(lived)["digest"]) == 64
    assert found["roc_auc"]["low"] < found["roc_auc"]["value"] < found["roc_auc"]["high"]
    assert [path for path in lived.rglob("metrics.json") if ".venv" not in path.parts] == [
        lived / "reports/metrics.json"
    ]
    page = (lived / "reports/report.html").read_text(encoding="utf-8")
    assert champion(lived)["digest"][:16] in page
    assert "<script" not in page
    assert 'src="http' not in page


def test_the_default_project_passes_its_checks_and_all_tests_of_the_template(lived: Path) -> None:
    make(lived, "check", "test", PYTEST_ADDOPTS="-m ''")


def test_a_second_run_does_no_work(lived: Path) -> None:
    before = digests(lived)
    said = make(lived, "run")
    after = digests(lived)
    changed = {name for name, entry in after.items() if entry != before.get(name)}
    assert {name for name in changed if not name.startswith("reports/")} == set()
    assert "Running stage" not in said
    assert "report.html" in said


def test_formatting_a_fresh_project_changes_nothing(lived: Path) -> None:
    make(lived, "format")
    assert bake.git(lived, "diff", "--stat", "--", "src", "tests", "vendor") == ""


def test_it_runs_before_git_in_a_path_with_spaces_with_pip_alone(
    template: Path, tmp_path: Path
) -> None:
    born = bake.by_copier(template, tmp_path / "with a space" / "model", {})
    said = make(born, "run", PATH=path_without(tmp_path, "uv", "uvx"))
    assert "with pip" in said
    assert "not under git" in said
    assert champion(born)


def test_it_runs_in_a_folder_of_another_repository_and_makes_the_same_model(
    template: Path, lived: Path, tmp_path: Path
) -> None:
    bake.commit(tmp_path, "Another project")
    born = bake.by_copier(template, tmp_path / "models" / "credit", {})
    make(born, "run")
    assert champion(born)["digest"] == champion(lived)["digest"]


def test_a_fresh_clone_without_a_remote_rebuilds_the_same_champion(
    lived: Path, tmp_path: Path
) -> None:
    origin = twin(lived, tmp_path / "origin")
    bake.commit(origin, "A run")
    bake.git(tmp_path, "clone", "--quiet", str(origin), "clone")
    clone = tmp_path / "clone"
    (clone / ".venv").symlink_to(lived / ".venv")
    assert "champion" in make(clone, "run")
    assert champion(clone)["digest"] == champion(lived)["digest"]


def test_promote_rollback_and_history_move_the_champion(lived: Path, tmp_path: Path) -> None:
    project = twin(lived, tmp_path / "project")
    config = project / "model_config.yaml"
    first = champion(project)["digest"]
    text = config.read_text(encoding="utf-8").replace("max_iter: 120", "max_iter: 130")
    config.write_text(text, encoding="utf-8")
    said = make(project, "run")
    assert re.findall(r"(?m)^Running stage '(\w+)'", said) == ["train", "evaluate"]
    assert "make promote" in said
    assert champion(project)["digest"] == first
    make(project, "promote", "WHY=a test")
    second = champion(project)["digest"]
    assert second != first
    make(project, "rollback", "WHY=another test")
    assert champion(project)["digest"] == first
    told = make(project, "history")
    assert told.index(second[:16]) < told.rindex(first[:16])
    assert "another test" in told


def test_after_a_revert_the_model_that_was_rolled_back_goes_out_for_a_reason_only(
    lived: Path, tmp_path: Path
) -> None:
    project = twin(lived, tmp_path / "project")
    config = project / "model_config.yaml"
    good = config.read_text(encoding="utf-8")
    bad = good.replace("max_iter: 120", "max_iter: 130")
    first = champion(project)["digest"]
    config.write_text(bad, encoding="utf-8")
    make(project, "run")
    assert "goes out" in make(project, "offer")
    make(project, "promote")
    second = champion(project)["digest"]
    make(project, "rollback", "WHY=wrong answers")
    config.write_text(good, encoding="utf-8")  # the commit is reverted
    make(project, "run")
    assert f"nothing to release: model {first[:16]} is the champion" in make(project, "offer")
    assert "is the champion already" in make(project, "promote")
    refused = attempt(project, "image", "MODEL=challenger", JUDGED=second)
    assert "is not the one that this run judged" in refused.stderr
    config.write_text(bad, encoding="utf-8")  # and made again
    make(project, "run")
    assert f"nothing to release: model {second[:16]} was rolled back" in make(project, "offer")
    assert "wrong answers: nothing was done" in attempt(project, "promote").stderr
    assert champion(project)["digest"] == first
    assert "goes out" in make(project, "offer", "WHY=it was the table")
    make(project, "promote", "WHY=it was the table")
    assert champion(project)["digest"] == second
    assert "it was the table" in make(project, "history")


def test_users_packages_are_locked_and_installed(lived: Path, tmp_path: Path) -> None:
    project = twin(lived, tmp_path / "project")
    extra = project / "requirements/extra.in"
    extra.write_text(extra.read_text(encoding="utf-8") + "humanize\nnumpy\n", encoding="utf-8")
    desk = project / "requirements/extra-dev.in"
    desk.write_text(desk.read_text(encoding="utf-8") + "humanize\nwcwidth\n", encoding="utf-8")
    make(project, "lock")
    locked = (project / "requirements/extra.txt").read_text(encoding="utf-8")
    theirs = (project / "requirements/dev.txt").read_text(encoding="utf-8")
    assert "humanize==" in locked
    assert "--hash=sha256:" in locked
    at_desk = (project / "requirements/extra-dev.txt").read_text(encoding="utf-8")
    assert "wcwidth==" in at_desk
    assert "wcwidth" not in locked  # the service does without it
    both = [line for line in at_desk.splitlines() if line.startswith("humanize==")]
    assert [line for line in locked.splitlines() if line.startswith("humanize==")] == both
    numpy = [line for line in locked.splitlines() if line.startswith("numpy==")]
    assert numpy
    assert all(line in theirs for line in numpy)


def test_a_search_is_part_of_training(lived: Path, tmp_path: Path) -> None:
    project = twin(lived, tmp_path / "project")
    assert "search.trials is 0" in attempt(project, "search").stderr
    config = project / "model_config.yaml"
    text = config.read_text(encoding="utf-8").replace("trials: 0", "trials: 2")
    config.write_text(text, encoding="utf-8")
    assert "2 trials on 3 folds" in make(project, "search")


def test_an_experiment_is_planned_exposed_and_judged_as_its_page_says(
    lived: Path, tmp_path: Path
) -> None:
    project = twin(lived, tmp_path / "project")
    page = (project / "docs/monitor.md").read_text(encoding="utf-8")
    plan, expose, judge = [
        shlex.split(command)[1:]
        for command in commands.commands(page)
        if command.startswith("make abtest ") and "..." not in command
    ]
    assert "needs 5,372 units of a" in make(project, *plan)
    units = [f"unit-{number}" for number in range(200)]
    (project / "units.csv").write_text("\n".join(["unit", *units]) + "\n", encoding="utf-8")
    make(project, *expose)
    (log,) = project.glob("data/exposures-*.csv")
    assert len(log.read_text(encoding="utf-8").splitlines()) == 201
    rows = [f"{unit},1,2.5,0" for unit in units]
    table = "\n".join(["unit,converted,revenue,complaints", *rows]) + "\n"
    (project / "outcomes.csv").write_text(table, encoding="utf-8")
    done = attempt(project, *judge)
    assert done.returncode == 2, done.stderr  # make's own code: too early
    assert "too early" in done.stdout + done.stderr


FAULTS = {
    "unknown key": ("seed: 7", "sed: 7", "model_config.yaml: sed: unknown key"),
    "wrong type": ("seed: 7", "seed: seven", "model_config.yaml: seed: must be a whole number"),
    "no number": ("test: 0.2", "test: many", "model_config.yaml: split.test: must be a number"),
    "not YAML": ("seed: 7", "seed: [7", "model_config.yaml is not valid YAML"),
    "no such column": ("  age: {", "  aged: {", "data/starter.csv has no column 'aged'"),
    "no such file": ("starter.csv", "none.csv", "data/none.csv is missing"),
    "no such parameter": ("max_iter: 120", "max_itr: 120", "has no parameter 'max_itr'"),
    "bad parameter": ("max_iter: 120", "max_iter: -1", "model.params: The 'max_iter' parameter"),
    "no such estimator": ("hist_gradient_boosting  #", "magic  #", "unknown 'magic'"),
    "unknown class": ('["no", "yes"]', '["nope", "yes"]', "holds 'no'"),
    "values outside": ("max: 120}", "max: 60}", "column 'age' fails 'at most 60'"),
    "missing values": (
        "income: {type: numeric, missing: true,",
        "income: {type: numeric,",
        "income",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_wrong_configuration_is_one_clear_message(
    fault: str, lived: Path, tmp_path: Path
) -> None:
    old, new, says = FAULTS[fault]
    project = twin(lived, tmp_path / "project")
    config = project / "model_config.yaml"
    text = config.read_text(encoding="utf-8")
    assert old in text
    config.write_text(text.replace(old, new), encoding="utf-8")
    done = attempt(project, "run")
    assert done.returncode != 0
    errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
    assert len(errors) == 1, done.stderr
    assert says in errors[0]
    assert "Traceback" not in done.stderr


def test_a_wrong_gate_is_named(lived: Path, tmp_path: Path) -> None:
    project = twin(lived, tmp_path / "project")
    gates = project / "gates.yaml"
    text = gates.read_text(encoding="utf-8").replace("gain: 0.01", 'gain: "low"')
    gates.write_text(text, encoding="utf-8")
    done = attempt(project, "gate")
    assert done.returncode != 0
    assert "gates.yaml: performance.gain: must be a number" in done.stderr


def test_interrupted_training_leaves_nothing_half_written(lived: Path, tmp_path: Path) -> None:
    project = twin(lived, tmp_path / "project")
    before = champion(project)["digest"]
    config = project / "model_config.yaml"
    text = config.read_text(encoding="utf-8").replace("max_iter: 120", "max_iter: 90000")
    config.write_text(text, encoding="utf-8")
    log = (tmp_path / "log").open("w+")
    process = subprocess.Popen(
        ["make", "run"],
        cwd=project,
        env=os.environ | {"PYTHONPATH": bake.code_of(project)},
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    deadline = time.monotonic() + 120
    while "Running stage 'train'" not in (tmp_path / "log").read_text(encoding="utf-8"):
        assert time.monotonic() < deadline, (tmp_path / "log").read_text(encoding="utf-8")
        time.sleep(0.2)
    time.sleep(5)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(60) != 0
    said = (tmp_path / "log").read_text(encoding="utf-8")
    assert "interrupted" in said
    assert "Traceback" not in said
    assert {path.name for path in (project / "models").glob(".*")} <= {".pointers.lock"}
    config.write_text(text.replace("max_iter: 90000", "max_iter: 120"), encoding="utf-8")
    make(project, "run")
    assert champion(project)["digest"] == before


def test_without_a_fitting_interpreter_setup_says_which_it_needs(
    project: Path, tmp_path: Path
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("python3", "python3.11", "python3.12", "python3.13"):
        (programs / name).write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
        (programs / name).chmod(0o755)
    done = bake.run("/bin/sh", "requirements/setup.sh", "3.11", cwd=project, PATH=str(programs))
    assert done.returncode != 0
    assert "Python 3.11 or newer (up to 3.13) is needed" in done.stderr
