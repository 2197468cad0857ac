"""A clean environment for every test, a frozen template, projects rendered by both engines."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import bake
import plumbum
import pytest
from answers import SOURCE, cases
from life import make
from needs import pytest_terminal_summary as pytest_terminal_summary

collect_ignore = ["kit"]  # they run with the packages of a project: test_kit.py
# marker: the variable that asks for these tests
ASKED = {"full": "FULL_MATRIX", "cluster": "T47_KUBECONFIG"}


def replace_environment(environment: dict[str, str]) -> None:
    # Copier runs git through plumbum, which keeps a copy of the environment of its own.
    for place in (os.environ, plumbum.local.env):
        place.clear()
        place.update(environment)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests that must be asked for are left out; slow tests of a file stay together."""
    for item in items:
        if item.get_closest_marker("slow") and not item.get_closest_marker("xdist_group"):
            together = item.nodeid if item.get_closest_marker("apart") else item.path.stem
            item.add_marker(pytest.mark.xdist_group(together))
    asked = {mark for mark, variable in ASKED.items() if os.environ.get(variable)}
    out = [
        item for item in items if {mark.name for mark in item.iter_markers()} & ASKED.keys() - asked
    ]
    config.hook.pytest_deselected(items=out)
    items[:] = [item for item in items if item not in out]


@pytest.fixture(scope="session", autouse=True)
def clean_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test sees the host's settings (T10), and .venv (with uv) comes first on the PATH."""
    before = dict(os.environ)
    host = bake.host(before)
    clean = bake.scrubbed(before, tmp_path_factory.mktemp("home"))
    clean["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{clean['PATH']}"
    replace_environment(clean)
    # A run in the background has SIGINT ignored, and every program it starts with it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    replace_environment(before)
    assert bake.changed(host, bake.host(before)) == [], "T10: a test changed the host"


@pytest.fixture(scope="session")
def template(clean_environment: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The working tree as a git repository of its own, tagged v0.1.0."""
    folder = bake.freeze(tmp_path_factory.mktemp("template"))
    bake.commit(folder, "Release v0.1.0", tag="v0.1.0")
    return folder


@pytest.fixture(scope="session")
def questions(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template with next to no tree and no git: all that the questions need, and quick."""
    folder = tmp_path_factory.mktemp("questions")
    for name in ("cookiecutter.json", "copier.yml", "hooks"):
        copy = shutil.copytree if (template / name).is_dir() else shutil.copy2
        copy(template / name, folder / name)
    for name in (*SOURCE["__keep"], "LICENSE", "{{cookiecutter.__answers_file}}"):
        source, target = template / bake.TREE / name, folder / bake.TREE / name
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    return folder


@dataclass(frozen=True)
class Twins:
    """One set of answers, rendered by both engines."""

    answers: dict[str, str]
    cookiecutter: Path
    copier: Path


CASES = [
    pytest.param(case, id=f"case{number}", marks=pytest.mark.xdist_group(f"case{number}"))
    for number, case in enumerate(cases())
]


@pytest.fixture(scope="session", params=CASES)
def twins(
    request: pytest.FixtureRequest, template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Twins:
    into = tmp_path_factory.mktemp("twins")
    answers: dict[str, str] = request.param
    born = bake.by_cookiecutter(template, into / "cookiecutter", answers)
    return Twins(answers, born, bake.by_copier(template, into / "copier", answers))


@pytest.fixture(scope="session")
def project(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with the default answers; tests read it and leave it as it is."""
    return bake.by_cookiecutter(template, tmp_path_factory.mktemp("default"), {})


@pytest.fixture(scope="session")
def lived(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The default project after its first day: under git, set up and run."""
    born = bake.by_cookiecutter(template, tmp_path_factory.mktemp("lived"), {})
    bake.commit(born, "Born")
    make(born, "setup", "run")
    return born
