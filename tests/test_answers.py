"""Wrong answers are refused by both engines with the same words, and nothing is left behind."""

from __future__ import annotations

import ast
import configparser
import contextlib
import json
import keyword
import re
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import answers
import bake
import pytest
import yaml
from conftest import Twins
from cookiecutter.exceptions import FailedHookException, OutputDirExistsException

RULES = {rule["question"]: rule for rule in answers.SOURCE["_rules"]}
REFUSED = [(name, value) for name, wrong in answers.WRONG.items() for value in wrong]


def refusal_of_cookiecutter(
    questions: Path, into: Path, row: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> str:
    with pytest.raises(FailedHookException):
        bake.by_cookiecutter(questions, into, row)
    return capfd.readouterr().err


def refusal_of_copier(questions: Path, target: Path, row: dict[str, str]) -> str:
    with pytest.raises(ValueError, match="Validation error") as refused:
        bake.by_copier(questions, target, row)
    return str(refused.value)


def stored(project: Path) -> dict[str, str]:
    text = (project / ".copier-answers.yml").read_text(encoding="utf-8")
    return dict(yaml.safe_load(text))


def test_every_question_with_free_text_has_a_rule_and_a_wrong_answer() -> None:
    free = {name for name in answers.QUESTIONS if name not in answers.CHOICES}
    assert free == set(RULES)
    assert {name for name, wrong in answers.WRONG.items() if wrong} == free


@pytest.mark.parametrize(("question", "value"), REFUSED)
def test_T02_T03_wrong_answers_are_refused_alike(
    question: str,
    value: str,
    questions: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    said = refusal_of_copier(questions, tmp_path / "copier" / "new", {question: value})
    assert said == f"Validation error for question '{question}': {RULES[question]['error']}"
    into = tmp_path / "one" / "two" / "cookiecutter"
    if question == "project_slug":
        return  # the folder is made before any hook: the next test
    said = refusal_of_cookiecutter(questions, into, {question: value}, capfd)
    assert said.splitlines() == [f"ERROR: {question}: {RULES[question]['error']}"]
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    "payload",
    [
        '"; import os; os.system("touch marker"); "',
        "'; import os; os.system('touch marker'); '",
        '"""\nimport os; os.system("touch marker")\n"""',
        "\\'); import os; os.system('touch marker') #",
        "x\nimport os\nos.system('touch marker')\n",
        "$(touch marker)`touch marker`; touch marker",
    ],
)
def test_T03_no_answer_is_run_as_code(payload: str, questions: Path, tmp_path: Path) -> None:
    """Some of these are refused and some are harmless names: none is ever run."""
    for engine in (bake.by_cookiecutter, bake.by_copier):
        with contextlib.suppress(FailedHookException, ValueError):
            project = engine(questions, tmp_path / engine.__name__, {"author": payload})
            assert stored(project)["author"] == payload
    assert list(tmp_path.rglob("marker")) == []


@pytest.mark.parametrize("value", answers.WRONG["project_slug"])
def test_T02_no_folder_name_escapes_cookiecutter(
    value: str, questions: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Cookiecutter makes the folder before any hook runs, and takes it away when the hook refuses.

    What a slug with a slash may leave are empty folders inside the output folder: no file anywhere.
    """
    into = tmp_path / "one" / "two" / "output"
    value = str(tmp_path / value[1:]) if value.startswith("/") else value
    stopped = (FailedHookException, OutputDirExistsException, ValueError)
    with pytest.raises(stopped) as refused:
        bake.by_cookiecutter(questions, into, {"project_slug": value})
    if refused.type is FailedHookException:
        error = RULES["project_slug"]["error"]
        assert capfd.readouterr().err.splitlines() == [f"ERROR: project_slug: {error}"]
    left = [path for path in tmp_path.rglob("*") if path not in (into, *into.parents)]
    assert all(path.is_dir() and path.is_relative_to(into) for path in left)


def test_both_command_lines_say_the_same_of_a_wrong_answer(questions: Path, tmp_path: Path) -> None:
    wrong = "package_name=class"
    one = bake.run("cookiecutter", questions, "--no-input", wrong, cwd=tmp_path)
    two = bake.run("copier", "copy", "--defaults", "-d", wrong, questions, "new", cwd=tmp_path)
    error = RULES["package_name"]["error"]
    assert one.returncode != 0
    assert two.returncode != 0
    assert f"ERROR: package_name: {error}" in one.stderr.splitlines()
    assert f"question 'package_name': {error}" in two.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", answers.BRACES)
def test_T01_copier_refuses_braces(value: str, questions: Path, tmp_path: Path) -> None:
    said = refusal_of_copier(questions, tmp_path / "new", {"description": value})
    assert RULES["description"]["error"] in said
    assert not (tmp_path / "new").exists()


def test_T01_cookiecutter_has_rendered_braces_before_code_of_ours_runs(
    questions: Path, tmp_path: Path
) -> None:
    """A limit of Cookiecutter, kept here so that the documentation stays true: answers are code."""
    born = bake.by_cookiecutter(questions, tmp_path, {"description": "uses {{ 1 + 1 }}"})
    assert stored(born)["description"] == "uses 2"


@pytest.mark.parametrize(("question", "value"), [("licence", "GPL"), ("python_version", "3.9")])
def test_a_choice_that_is_not_offered_is_refused(
    question: str, value: str, questions: Path, tmp_path: Path
) -> None:
    typed = f"{question}={value}"
    one = bake.run("cookiecutter", questions, "--no-input", typed, cwd=tmp_path)
    two = bake.run("copier", "copy", "--defaults", "-d", typed, questions, "new", cwd=tmp_path)
    assert one.returncode != 0
    assert two.returncode != 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "name",
    ["Models", "Data", "数据", "42 models", "x", "Zoë's", "Class", "A" * 80, "  - 9 -", "NumPy"],
)
def test_the_names_that_follow_from_a_project_name_are_always_good(
    name: str, questions: Path, tmp_path: Path
) -> None:
    """Copier stops with an error, without asking, where a default breaks its own rule."""
    name = name.strip()
    born = bake.by_copier(questions, tmp_path / "copier", {"project_name": name})
    twin = bake.by_cookiecutter(questions, tmp_path / "cookiecutter", {"project_name": name})
    names = ("project_name", "project_slug", "package_name")
    assert [stored(born)[name] for name in names] == [stored(twin)[name] for name in names]


def test_reserved_package_names_are_complete(project: Path) -> None:
    """Every keyword, standard-library module and direct dependency that could pass as a name."""
    listed = "".join(path.read_text() for path in project.glob("requirements/*.in"))
    direct = [name.lower() for name in re.findall(r"^[A-Za-z][\w-]*", listed, re.MULTILINE)]
    imported = {"scikit-learn": "sklearn", "pyyaml": "yaml"}
    names = {imported.get(name, name) for name in direct if not re.search("^types-|-stubs$", name)}
    names |= {*sys.stdlib_module_names, *keyword.kwlist, *keyword.softkwlist}
    names |= {path.name for path in project.iterdir() if path.is_dir()}
    possible = {name for name in names if re.search(RULES["package_name"]["pattern"], name)}
    assert possible - set(answers.SOURCE["_reserved"]) == set()


def test_T04_every_generated_file_parses(twins: Twins) -> None:
    parse: dict[str, Callable[[str], object]] = {
        ".toml": tomllib.loads,
        ".yaml": lambda text: list(yaml.safe_load_all(text)),
        ".yml": yaml.safe_load,
        ".json": json.loads,
        ".py": ast.parse,
    }
    parsed = 0
    for name, entry in bake.tree(twins.cookiecutter).items():
        if parser := parse.get(Path(name).suffix):
            parser(entry.content.decode())
            parsed += 1
    assert parsed > 0


def test_T04_answers_arrive_whole_in_make_and_dvc(twins: Twins, tmp_path: Path) -> None:
    show = tmp_path / "show.mk"
    show.write_text('show: ; @echo "$(MLFLOW_TRACKING_URI)"\n')
    done = bake.run("make", "-f", "Makefile", "-f", show, "show", cwd=twins.cookiecutter)
    assert done.stdout.strip() == twins.answers.get("mlflow_tracking_uri", "")
    settings = configparser.ConfigParser(interpolation=None)
    settings.read(twins.cookiecutter / ".dvc" / "config", encoding="utf-8")
    remote = settings.get("'remote \"storage\"'", "url", fallback="")
    assert remote == twins.answers.get("dvc_remote", "")


def test_T04_answers_are_stored_as_given(twins: Twins) -> None:
    held = stored(twins.copier)
    assert held.items() >= twins.answers.items()
    assert set(held) == {*answers.QUESTIONS, "_commit", "_src_path"}
