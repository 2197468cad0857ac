"""Projects that people live in, of every release, take this one without losing an edit (slow)."""

from __future__ import annotations

from pathlib import Path

import bake
import pytest
from life import attempt, champion, make
from test_adopt import config, foreign_table

pytestmark = pytest.mark.slow
FEATURE = '        return {"rooms_twice": columns["rooms-count"] * 2}\n'
EDITS = {  # file: (what the template gave, what its users made of it)
    "features.py": (
        "        return {}  # not the starter table\n",
        '        if "rooms-count" not in columns:\n            return {}\n' + FEATURE,
    ),
    "model.py": (
        '    "linear": (LogisticRegression, Ridge),\n',
        '    "linear": (LogisticRegression, Ridge),\n    "lasso": (LogisticRegression, Lasso),\n',
    ),
    "gates.yaml": ("  max_drop: 0.005\n", "  max_drop: 0.006  # ours\n"),
}
MORE = {  # further edits of the same files
    "model.py": ("import LogisticRegression, Ridge\n", "import Lasso, LogisticRegression, Ridge\n"),
    "gates.yaml": ("  max_difference: 1.0e-9\n", "  max_difference: 2.0e-9\n"),
}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template with every release tagged, and the working tree as the newest."""
    folder = tmp_path_factory.mktemp("releases") / "lab"
    bake.release_lab(folder)
    return folder


def born(engine: str, lab: Path, folder: Path, tag: str) -> Path:
    source = f"git+file://{lab}"
    if engine == "cookiecutter":
        return bake.by_cookiecutter(source, folder, {}, checkout=tag)
    return bake.by_copier(source, folder / "project", {}, vcs_ref=tag)


def path_of(project: Path, name: str) -> Path:
    return next(p for p in (project / name, *project.glob(f"src/*/{name}")) if p.is_file())


def edit(project: Path) -> dict[str, list[str]]:
    """Make every edit; lines of each file that must still be there afterwards."""
    kept: dict[str, list[str]] = {}
    for edits in (EDITS, MORE):
        for name, (old, new) in edits.items():
            path = path_of(project, name)
            text = path.read_text(encoding="utf-8")
            assert old in text, f"{name} of this release has another line"
            path.write_text(text.replace(old, new), encoding="utf-8")
            kept.setdefault(name, []).append(new)
    extra = project / "requirements/extra.in"
    extra.write_text(extra.read_text(encoding="utf-8") + "humanize\n", encoding="utf-8")
    make(project, "lock")
    return kept


# Every release by one engine, in turn; by the other in `make test-full`.
BIRTHS = [
    pytest.param(engine, tag, marks=[pytest.mark.full] if (at + turn) % 2 else [])
    for turn, tag in enumerate(bake.releases())
    for at, engine in enumerate(("cookiecutter", "copier"))
]


@pytest.mark.apart
@pytest.mark.parametrize(("engine", "tag"), BIRTHS)
def test_T07_a_project_that_is_lived_in_takes_the_update_and_stays_green(
    engine: str, tag: str, lab: Path, tmp_path: Path
) -> None:
    project = born(engine, lab, tmp_path, tag)
    foreign_table(tmp_path / "houses.csv")
    make(project, "adopt", f"DATA={tmp_path / 'houses.csv'}", "TARGET=price", "SENSITIVE=")
    kept = edit(project)
    owned = {
        name: (project / name).read_bytes()
        for name in ("model_config.yaml", "requirements/extra.in", "requirements/extra.txt")
    }
    bake.commit(project, "Ours")
    bake.update(project)
    assert bake.git(project, "ls-files", "--unmerged") == ""
    for name, texts in kept.items():
        text = path_of(project, name).read_text(encoding="utf-8")
        assert all(part in text for part in texts), name
        assert "<<<<<<<" not in text
    assert {name: (project / name).read_bytes() for name in owned} == owned
    assert config(project)["data"]["target"] == "price"
    make(project, "check", "test")
    imported = bake.run(".venv/bin/python", "-c", "import humanize", cwd=project)
    assert imported.returncode == 0, imported.stderr


@pytest.mark.apart
def test_a_champion_of_before_answers_as_before_and_one_retraining_is_said(
    lab: Path, tmp_path: Path
) -> None:
    project = born("cookiecutter", lab, tmp_path, "v0.4.0")
    bake.commit(project, "Born")
    make(project, "run")
    bake.commit(project, "A champion")
    before = (champion(project)["digest"], answers(project))
    bake.update(project)
    assert (champion(project)["digest"], answers(project)) == before
    refused = attempt(project, "gate")
    assert refused.returncode != 0
    assert "an update of the template reads more in it): run `make run`" in refused.stderr
    bake.commit(project, "The update")
    assert "is challenger; `make promote`" in make(project, "run")
    assert champion(project)["digest"] == before[0]
    assert make(project, "validate").count("didn't change") == 3


def answers(project: Path) -> bytes:
    """What the champion says to the starter table."""
    make(project, "score", "DATA=data/starter.csv", "OUT=reports/answers.csv")
    return (project / "reports/answers.csv").read_bytes()
