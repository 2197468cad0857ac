"""Live in a generated project: run its words, copy it, read what they left."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import bake


def attempt(project: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `make WORDS` in a project; the caller looks at the code and the output."""
    source = {"PYTHONPATH": bake.code_of(project)} if (project / ".venv").is_symlink() else {}
    return bake.run("make", *words, cwd=project, **source, **environment)


def make(project: Path, *words: str, **environment: str) -> str:
    """What `make WORDS` prints; fails with all of it where make fails."""
    done = attempt(project, *words, **environment)
    assert done.returncode == 0, f"make {' '.join(words)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def twin(project: Path, folder: Path) -> Path:
    """A copy of a project that shares its .venv."""
    shutil.copytree(project, folder, ignore=shutil.ignore_patterns(".venv"), symlinks=True)
    (folder / ".venv").symlink_to(project / ".venv")
    return folder


def champion(project: Path) -> dict[str, Any]:
    """models/champion.json."""
    found: dict[str, Any] = json.loads((project / "models/champion.json").read_bytes())
    return found


def metrics(project: Path) -> dict[str, dict[str, float]]:
    """reports/metrics.json."""
    found: dict[str, dict[str, float]] = json.loads((project / "reports/metrics.json").read_bytes())
    return found


def digests(project: Path) -> dict[str, tuple[int, bytes]]:
    """Time of change and content of what a run writes."""
    written = [project / "dvc.lock", *(project / "models").rglob("*"), *project.glob("reports/*")]
    return {
        path.relative_to(project).as_posix(): (path.stat().st_mtime_ns, path.read_bytes())
        for path in written
        if path.is_file()
    }


def path_without(folder: Path, *names: str) -> str:
    """The PATH with every place that holds one of `names` replaced by links to its others."""
    places = []
    for number, place in enumerate(map(Path, os.environ["PATH"].split(os.pathsep))):
        if any((place / name).exists() for name in names):
            links = folder / str(number)
            links.mkdir()
            for program in place.iterdir():
                if program.name not in names:
                    (links / program.name).symlink_to(program)
            places.append(links)
        else:
            places.append(place)
    return os.pathsep.join(map(str, places))
