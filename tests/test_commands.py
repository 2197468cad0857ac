"""README and docs, of the template and of a project, name only commands that there are."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import bake
import commands
import pytest


@pytest.fixture(scope="module")
def known(project: Path) -> dict[str, set[str]]:
    return commands.words(project / "Makefile")


def test_every_command_in_the_texts_of_a_project_is_there_with_its_keys(
    project: Path, known: dict[str, set[str]]
) -> None:
    texts = [project / "README.md", *sorted(project.glob("docs/*.md"))]
    assert len(texts) >= 4
    for path in texts:
        text = path.read_text(encoding="utf-8")
        assert commands.commands(text), path.name
        assert commands.faults(text, known) == [], path.name


def test_every_command_in_the_templates_own_texts_is_there_with_its_keys(
    known: dict[str, set[str]],
) -> None:
    """They name words of the template and of its projects."""
    ours = commands.words(bake.ROOT / "Makefile")
    either = {word: known.get(word, set()) | ours.get(word, set()) for word in {*known, *ours}}
    for path in [bake.ROOT / "README.md", *sorted(bake.ROOT.glob("docs/*.md"))]:
        assert commands.faults(path.read_text(encoding="utf-8"), either) == [], path.name


def test_the_first_words_of_a_new_project_are_no_error(project: Path) -> None:
    done = bake.run("make", "help", cwd=project)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split()[:2] == ["make", "help"]


def test_clean_removes_only_what_a_run_makes_again(project: Path, tmp_path: Path) -> None:
    """Neither what git keeps nor what other words wrote or people brought."""
    again = {
        *("data/prepared/train.parquet", "models/candidate/model.json", "reports/plots/roc.svg"),
        *(f"reports/{name}.json" for name in ("validation", "evaluation", "verdict")),
        *("reports/report.html", "reports/model_card.md", ".ruff_cache/x", ".mypy_cache/x"),
        ".pytest_cache/x",
    }
    kept = {
        *("data/starter.csv", "data/my.csv", "models/champion.json", "models/history.jsonl"),
        *("reports/metrics.json", "reports/labelled.csv", "reports/notes.md", "mlflow.db"),
        *(f"reports/{name}.json" for name in ("image", "sbom", "experiment", "search/1", "load")),
        *("dvc.lock", ".dvc/cache/files/md5/00/1", "predictions/1.jsonl", "experiment.json"),
    }
    clone = Path(shutil.copytree(project, tmp_path / "project"))
    for name in again | kept:
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        (clone / name).write_text("1", encoding="utf-8")
    before = set(bake.files(clone))
    assert bake.run("make", "clean", cwd=clone).returncode == 0
    assert before - set(bake.files(clone)) == again


@pytest.mark.parametrize(
    "planted",
    [
        "`make restart`",
        "`make monitor LOGS=predictions`",
        "`make status USERS=3`",
        "`make monitor\nnow`",
        "`python -m <package> watch`",
        "```\ngit init && make begin   # the first day\n```",
        "```\nSERVE_LOG=predictions make serve HOSTS=x\n```",
    ],
)
def test_a_command_that_is_not_there_is_found(
    planted: str, project: Path, known: dict[str, set[str]]
) -> None:
    text = (project / "README.md").read_text(encoding="utf-8")
    assert len(commands.faults(f"{text}\n{planted}\n", known)) == 1


def unsaid(folder: Path) -> list[str]:
    """Words of a Makefile that `make help` does not show, or not with their whole text."""
    done = bake.run("make", "help", cwd=folder)
    assert done.returncode == 0, done.stderr
    shown = [line.split(maxsplit=2)[1:] for line in done.stdout.splitlines() if "  make " in line]
    makefile = (folder / "Makefile").read_text(encoding="utf-8")
    told = re.findall(r"^([a-z][a-z -]*):(?!=).*?##(.*)$", makefile, re.M)
    wanted = []
    for names, text in told:
        wanted += [[name, text.strip()] for name in names.split()]
    missing = commands.words(folder / "Makefile").keys() - {word for word, *_ in shown}
    return [*sorted(missing), *(" ".join(line) for line in wanted if line not in shown)]


def test_help_shows_every_word_with_its_whole_text(project: Path, tmp_path: Path) -> None:
    assert unsaid(project) == []
    text = (project / "Makefile").read_text(encoding="utf-8")
    short = text.replace('index($$0, "##") + 2', 'index($$0, "##") + 2, 20')
    assert short != text
    (tmp_path / "Makefile").write_text(short, encoding="utf-8")
    assert any(line.startswith("load") for line in unsaid(tmp_path))


def test_a_lock_that_is_missing_is_named_with_what_to_do(project: Path, tmp_path: Path) -> None:
    (tmp_path / "requirements").mkdir()
    shutil.copy(project / "Makefile", tmp_path)
    locks = [tmp_path / f"requirements/{name}.txt" for name in ("dev", "extra", "extra-dev")]
    for lost in locks:
        for lock in locks:
            lock.touch()
        (tmp_path / "requirements/setup.sh").write_text("echo installed\n")
        assert bake.run("make", "setup", cwd=tmp_path).stdout == "installed\n"
        lost.unlink()
        done = bake.run("make", "doctor", cwd=tmp_path)
        assert done.returncode != 0
        assert f"requirements/{lost.name} is missing: git checkout" in done.stderr


def test_help_of_the_template_shows_every_word_with_its_whole_text() -> None:
    assert unsaid(bake.ROOT) == []


def unexplained(sources: dict[str, str], texts: str) -> list[str]:
    """Variables that the service reads, and does not set for its own workers, not in `texts`."""
    limits = re.findall(r"^    ([a-z_]+): .* = ", sources["settings.py"], re.M)
    read = {
        name
        for source in sources.values()
        for pair in re.findall(
            r"environ(?:\.get\(|\[)\"([A-Z_]+)\"|\"([A-Z_]+)\" (?:not )?in os\.environ", source
        )
        for name in pair
        if name and f'"{name}":' not in sources["serve.py"]
    }
    wanted = {f"SERVE_{name.upper()}" for name in limits} | read
    return sorted(name for name in wanted if not re.search(rf"\b{name}\b", texts))


def test_every_variable_that_the_service_reads_is_explained() -> None:
    tree = bake.ROOT / bake.TREE
    sources = {
        path.name: path.read_text(encoding="utf-8")
        for path in tree.glob(f"{bake.KIT}/serving/*.py")
    }
    texts = "".join(path.read_text(encoding="utf-8") for path in tree.glob("docs/*.md"))
    assert unexplained(sources, texts) == []
    planted = "    max_new: Positive = 1\n"
    other = sources | {
        "settings.py": sources["settings.py"] + planted,
        "log.py": 'os.environ.get("LOG_COLOR")',
    }
    assert unexplained(other, texts) == ["LOG_COLOR", "SERVE_MAX_NEW"]


@pytest.mark.parametrize("words", ["run DATA=x.csv", "train TARGET=y", "setup run ENCODING=cp1252"])
def test_a_run_that_is_given_a_table_says_which_word_takes_one(project: Path, words: str) -> None:
    done = bake.run("make", "-n", *words.split(), cwd=project)
    assert done.returncode != 0
    assert "`make adopt DATA=my.csv TARGET=column` takes a table" in done.stderr


@pytest.mark.parametrize("words", ["run", "run WHY=x", "score DATA=x.csv", "adopt run DATA=x.csv"])
def test_a_word_that_takes_what_it_is_given_begins(project: Path, words: str) -> None:
    done = bake.run("make", "-n", *words.split(), cwd=project, TARGET="y")
    assert done.returncode == 0, done.stderr


OWN = """.PHONY: spelling dry-run2
spelling dry-run2: setup  ## look for typing errors: [LANG=en]
\t@echo "$@ with $(PYTHON) for $(PACKAGE)"

check: spelling
"""


@pytest.fixture
def owned(project: Path, tmp_path: Path) -> Path:
    """A project with words of its own and nothing to set up."""
    clone = Path(shutil.copytree(project, tmp_path / "project"))
    (clone / "own.mk").write_text(OWN, encoding="utf-8")
    return clone


def test_words_of_own_mk_are_listed_below_those_of_the_template(project: Path, owned: Path) -> None:
    before, after = (bake.run("make", "help", cwd=folder) for folder in (project, owned))
    assert (after.returncode, after.stderr) == (0, "")
    assert "Yours" not in before.stdout
    assert after.stdout == (
        before.stdout
        + "\nYours\n  make spelling   look for typing errors: [LANG=en]\n"
        + "  make dry-run2   look for typing errors: [LANG=en]\n"
    )


def test_a_word_of_own_mk_runs_with_what_the_makefile_knows_and_adds_to_a_word(
    project: Path, owned: Path
) -> None:
    done = bake.run("make", "-n", "dry-run2", cwd=owned)
    said = f'echo "dry-run2 with .venv/bin/python for {project.name.replace("-", "_")}"'
    assert (done.returncode, done.stderr) == (0, "")
    assert said in done.stdout
    checks = bake.run("make", "-n", "check", cwd=owned)
    assert 'echo "spelling with' in checks.stdout
    assert "ruff check" in checks.stdout
    assert checks.stderr == ""


def test_a_word_of_own_mk_that_takes_the_place_of_one_of_the_template_is_warned_of(
    owned: Path,
) -> None:
    (owned / "own.mk").write_text("gate:\n\t@echo mine\n", encoding="utf-8")
    done = bake.run("make", "-n", "gate", cwd=owned)
    assert "own.mk:2: warning: overriding recipe for target 'gate'" in done.stderr
