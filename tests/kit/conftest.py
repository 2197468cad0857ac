"""The kit where it stands in the tree, and one small model of the starter table for all tests.

The kit runs from the tree and for a project of its own: what the tree gives to users, as it is.
"""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from ml_template import project
from ml_template.outside import surroundings
from ml_template.testing import Trained as Trained
from ml_template.testing import service as service
from ml_template.testing import trained_in

TREE = Path(__file__).parents[2] / "{{cookiecutter.project_slug}}"
ROOT = Path(tempfile.mkdtemp(prefix="kit-"))  # a project of the kit's tests
atexit.register(shutil.rmtree, ROOT)
PACKAGE = "example_model"


def born() -> None:
    """Make ROOT a project, as far as the kit reads one; processes that tests start see it too."""
    shutil.copytree(TREE / "src/{{cookiecutter.package_name}}", ROOT / "src" / PACKAGE)
    shutil.copytree(TREE / "requirements", ROOT / "requirements")
    for name in ("model_config.yaml", "gates.yaml", ".secrets.baseline"):
        shutil.copy(TREE / name, ROOT)
    (ROOT / "pyproject.toml").write_text('[project]\nname = "example-model"\n', encoding="utf-8")
    sys.path[:0] = [str(ROOT / "src")]
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT / "src"), str(TREE / "vendor")])
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"  # the tree holds what users get and nothing else
    project.hand_over(project.Project(PACKAGE))
    surroundings.settle()  # as every word of the Makefile does


born()


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trained]:
    """A folder with data, model_config.yaml and a trained model; it is the working folder."""
    with trained_in(ROOT, tmp_path_factory.mktemp("project")) as made:
        yield made


@pytest.fixture
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
