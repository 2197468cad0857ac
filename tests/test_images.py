"""What the drills call an image holds what the Dockerfile copies into it, and runs its command."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from images import built
from service import package

DIGEST = "1" * 64


@pytest.fixture
def home(project: Path, tmp_path: Path) -> Path:
    """A project with a champion."""
    home = shutil.copytree(project, tmp_path / "home")
    model = f"models/{DIGEST[:16]}"
    (home / model).mkdir(parents=True)
    (home / model / "model.json").write_text("{}")
    record = json.dumps({"digest": DIGEST, "model": model})
    (home / "models" / "champion.json").write_text(record)
    return home


def test_an_image_holds_code_and_one_model_and_is_started_by_its_cmd(
    home: Path, tmp_path: Path
) -> None:
    root = tmp_path / "root"
    image = built(home, root)
    assert {path.name for path in root.iterdir()} == {"app", "model", "venv"}
    assert {path.name for path in (root / "app").iterdir()} == {package(home), "ml_template"}
    assert [path.name for path in (root / "model").iterdir()] == ["model.json"]
    assert image.workdir == root / "app"
    (shell, option, words) = image.command
    assert (shell, option) == ("/bin/sh", "-c")
    assert words == (
        f'exec {root}/venv/bin/python -m "$PACKAGE" serve HOST=:: PORT=8000'
        f' MODEL={root}/model MODEL_DIGEST="$MODEL_DIGEST"'
    )
    assert image.environment["PYTHONPATH"] == f"{root}/app"
    assert image.environment["PACKAGE"] == package(home)
    assert image.environment["MODEL_DIGEST"] == DIGEST


def test_a_dockerfile_that_copies_more_is_not_taken_for_another(home: Path, tmp_path: Path) -> None:
    path = home / "Dockerfile"
    text = path.read_text(encoding="utf-8")
    more = re.sub(r"(?m)^(COPY \$\{MODEL\} /model)$", r"\1\nCOPY data /data", text)
    assert more != text
    path.write_text(more, encoding="utf-8")
    with pytest.raises(AssertionError, match="/data"):
        built(home, tmp_path / "root")
