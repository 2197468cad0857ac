"""Generated projects, really set up, checked, tested and run (slow)."""

from __future__ import annotations

import json
import os
from pathlib import Path

import bake
import pytest

pytestmark = pytest.mark.slow


def make(project: Path, *words: str, **environment: str) -> str:
    """What `make WORDS` prints; fails with all of it where make fails."""
    done = bake.run("make", *words, cwd=project, **environment)
    assert done.returncode == 0, f"make {' '.join(words)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def digests(project: Path) -> dict[str, tuple[int, bytes]]:
    """Time of change and content of what a run writes."""
    written = [project / "dvc.lock", *(project / "models").rglob("*"), *project.glob("reports/*")]
    return {
        path.relative_to(project).as_posix(): (path.stat().st_mtime_ns, path.read_bytes())
        for path in written
        if path.is_file()
    }


def path_without_uv(folder: Path) -> str:
    """The PATH with every place that holds uv replaced by links to all else it holds."""
    places = []
    for number, place in enumerate(map(Path, os.environ["PATH"].split(os.pathsep))):
        if (place / "uv").exists():
            links = folder / str(number)
            links.mkdir()
            for program in place.iterdir():
                if program.name not in {"uv", "uvx"}:
                    (links / program.name).symlink_to(program)
            places.append(links)
        else:
            places.append(place)
    return os.pathsep.join(map(str, places))


@pytest.fixture(scope="module")
def lived(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The default project after its first day: under git, set up, checked, tested and run."""
    born = bake.by_cookiecutter(template, tmp_path_factory.mktemp("default"), {})
    bake.commit(born, "Born")
    make(born, "setup", "check", "test", "run")
    return born


def test_the_default_project_trains_a_champion(lived: Path) -> None:
    champion = json.loads((lived / "models" / "champion.json").read_text(encoding="utf-8"))
    metrics = json.loads((lived / "reports" / "metrics.json").read_text(encoding="utf-8"))
    assert len(champion["digest"]) == 64
    assert metrics["roc_auc"]["low"] < metrics["roc_auc"]["value"] < metrics["roc_auc"]["high"]
    assert (lived / "reports" / "report.html").stat().st_size > 0


def test_a_second_run_does_no_work(lived: Path) -> None:
    before = digests(lived)
    said = make(lived, "run")
    assert digests(lived)["dvc.lock"] == before["dvc.lock"]
    assert {
        n for n, d in digests(lived).items() if n.startswith("models/") and d != before[n]
    } == set()
    assert "report.html" in said


def test_formatting_a_fresh_project_changes_nothing(lived: Path) -> None:
    make(lived, "format")
    assert bake.git(lived, "diff", "--stat", "--", "src", "tests") == ""


def test_it_runs_before_git_in_a_path_with_spaces_with_pip_alone(
    template: Path, tmp_path: Path
) -> None:
    born = bake.by_copier(template, tmp_path / "with a space" / "model", {})
    said = make(born, "run", PATH=path_without_uv(tmp_path))
    assert "with pip" in said
    assert (born / "models" / "champion.json").is_file()


def test_it_runs_in_a_folder_of_another_repository(template: Path, tmp_path: Path) -> None:
    bake.commit(tmp_path, "Another project")
    born = bake.by_copier(template, tmp_path / "models" / "credit", {"python_version": "3.11"})
    make(born, "run")
    assert (born / "models" / "champion.json").is_file()
