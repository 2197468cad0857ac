"""Jupyter is for this machine alone, and what its cells show stays on it."""

from __future__ import annotations

import base64
import json
import random
import shutil
from pathlib import Path

import pytest
from ml_template.operations import notebook, secrets
from ml_template.settings.config import InputError

from ..conftest import TREE, Trained
from .test_lineage import git
from .test_secret_scan import CHECK, PLANTED, ROOT

PICTURE = base64.b64encode(random.Random(3).randbytes(3000)).decode()  # as a plot in an output


def cells(source: str, shown: str) -> str:
    output = {"output_type": "stream", "name": "stdout", "text": [f"{shown}\n"]}
    cell = {"cell_type": "code", "id": "a", "execution_count": 1, "metadata": {}}
    cell |= {"source": [source], "outputs": [output]}
    return json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


@pytest.fixture
def held(in_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder under git as a project has it, where `make notebook` was not called yet."""
    for key in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):
        monkeypatch.setenv(key, "/dev/null")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(in_folder.parent))
    monkeypatch.delenv("CI", raising=False)
    (in_folder / "requirements").mkdir()
    for name in CHECK:
        shutil.copy(ROOT / name, in_folder / name)
    shutil.copy(TREE / ".gitattributes", in_folder)
    git("init")
    git("add", "--all")
    return in_folder


def kept(folder: Path, text: str) -> str:
    """What git holds of a notebook that has this text in the folder."""
    (folder / "look.ipynb").write_text(text, encoding="utf-8")
    git("add", "--all")
    return notebook.lineage.git("cat-file", "blob", ":look.ipynb")


def test_git_takes_a_notebook_without_what_its_cells_showed(held: Path) -> None:
    text = cells("rows.head()", "Ann, 33")
    assert "Ann" in kept(held, text)  # before, nobody has told git how
    assert notebook.strip()
    assert "rows.head()" in kept(held, text)
    assert "Ann" not in kept(held, text)
    assert "Ann" in (held / "look.ipynb").read_text(encoding="utf-8")


def test_what_stays_here_is_not_looked_at_and_what_git_holds_is(held: Path) -> None:
    kept(held, cells("plot()", PLANTED))
    assert not secrets.run()
    notebook.strip()
    assert not secrets.run()  # git holds it still
    kept(held, cells("plot()", f"{PLANTED}{PICTURE}"))
    assert secrets.run()
    kept(held, cells(PLANTED, "ok"))
    assert not secrets.run()


def test_what_is_no_notebook_is_looked_at_whole(held: Path) -> None:
    (held / "look.ipynb").write_text(f"not JSON {PLANTED}", encoding="utf-8")
    git("add", "--all")
    notebook.strip()
    assert not secrets.run()


def test_without_jupyter_the_remedy_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notebook, "find_spec", lambda name: None)
    remedy = r"jupyterlab into requirements/extra-dev\.in, then `make lock` and `make setup`$"
    with pytest.raises(InputError, match=remedy):
        notebook.run({})


@pytest.mark.parametrize("port", [None, 9001])
def test_it_listens_on_this_machine_alone(
    port: int | None, held: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[list[str]] = []
    monkeypatch.setattr(notebook, "find_spec", lambda name: name)
    monkeypatch.setattr(notebook.os, "execv", lambda program, words: called.append(words))
    notebook.run({"PORT": port})
    assert called[0][1:] == ["-m", "jupyterlab", "--ip=127.0.0.1", f"--port={port or 8888}"]
    assert notebook.lineage.git("config", "filter.nbstripout.required") == "true\n"


def test_without_git_it_opens_and_says_that_outputs_stay(
    in_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(in_folder.parent))
    monkeypatch.setattr(notebook, "find_spec", lambda name: name)
    monkeypatch.setattr(notebook.os, "execv", lambda *_: None)
    notebook.run({})
    assert "no git here" in capsys.readouterr().out


def test_a_cell_that_comes_too_early_says_what_to_run(in_folder: Path) -> None:
    for cell, remedy in {
        notebook.rows: "train.parquet is missing: name train or test, and run `make prepare`",
        notebook.champion: "there is no champion yet: run `make run`",
        notebook.figures: "metrics.json is missing: run `make run`",
    }.items():
        with pytest.raises(InputError, match=remedy):
            cell()


def test_a_model_answers_to_rows_of_its_own_table_alone(
    trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(trained.folder)
    shown = notebook.answers(trained.model)
    assert len(shown) == len(notebook.rows("test"))
    assert shown["label"].isin(trained.config.data.labels).all()
    assert [f"probability_{label}" for label in trained.config.data.labels] == [*shown][1:]
    first, *_ = trained.model.encoder.inputs
    other = {name: values for name, values in trained.test.items() if name != first}
    monkeypatch.setattr(notebook, "read_parquet", lambda path: other)
    with pytest.raises(InputError, match=f"has no column '{first}', .* run `make run`"):
        notebook.answers(trained.model)
