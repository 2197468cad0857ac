"""Rules for the files of the tree, so that both engines, Windows and every update can read them."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import answers
import bake
import pytest
import sync_copier
import yaml
from binaryornot.check import is_binary
from jinja2 import Environment, nodes
from jinja2.filters import FILTERS
from jinja2.tests import TESTS

ENVIRONMENT = Environment(keep_trailing_newline=True, autoescape=False)
ANSWERS_FILE = "{{cookiecutter.__answers_file}}"
DERIVED = {name for name in answers.SOURCE if name.startswith("__")}
FORBIDDEN_NODES = (nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends, nodes.Call)
WINDOWS_NAMES = re.compile(r"(CON|PRN|AUX|NUL|COM\d|LPT\d)(\.|$)", re.IGNORECASE)


def source_files(template: Path) -> Iterator[tuple[str, Path]]:
    tree = template / bake.TREE
    for path in sorted(tree.rglob("*")):
        if not path.is_dir():
            yield path.relative_to(tree).as_posix(), path


def decodes(path: Path) -> bool:
    try:
        path.read_bytes().decode()
    except UnicodeDecodeError:
        return False
    return True


def faults_of_file(path: Path) -> list[str]:
    """What would make the engines differ on this file, apart from Jinja."""
    faults = []
    if path.is_symlink():
        faults.append("is a symbolic link")
    elif is_binary(str(path)) == decodes(path):
        faults.append("is neither plain UTF-8 text nor plainly binary")
    elif decodes(path) and b"\r" in path.read_bytes():
        faults.append("has carriage returns")
    return faults


def faults_of_jinja(text: str) -> list[str]:
    """What one engine would not render as the other: names, filters, tests and statements."""
    faults = []
    for node in ENVIRONMENT.parse(text).find_all(nodes.Node):
        if isinstance(node, FORBIDDEN_NODES):
            faults.append(type(node).__name__)
        elif isinstance(node, nodes.Name) and node.name != "cookiecutter":
            faults.append(f"name {node.name}")
        elif isinstance(node, nodes.Getattr) and node.attr not in {*answers.QUESTIONS, *DERIVED}:
            faults.append(f"cookiecutter.{node.attr}")
        elif isinstance(node, nodes.Filter) and node.name not in FILTERS:
            faults.append(f"filter {node.name}")
        elif isinstance(node, nodes.Test) and node.name not in TESTS:
            faults.append(f"test {node.name}")
    return faults


def faults_of_name(name: str) -> list[str]:
    parts = re.sub(r"\{\{ ?cookiecutter\.\w+ ?\}\}", "x", name).split("/")
    return [
        part
        for part in parts
        if re.search(r'[<>:"|?*\\{}\x00-\x1f]|[ .]$', part) or WINDOWS_NAMES.match(part)
    ]


def test_files_render_alike_in_both_engines(template: Path) -> None:
    faults = {name: faults_of_file(path) for name, path in source_files(template)}
    assert {name: fault for name, fault in faults.items() if fault} == {}


def test_jinja_in_the_tree_is_known_to_both_engines(template: Path) -> None:
    faults = {
        name: faults_of_jinja(path.read_text(encoding="utf-8") + name)
        for name, path in source_files(template)
        if name != ANSWERS_FILE and decodes(path)
    }
    assert {name: fault for name, fault in faults.items() if fault} == {}


def test_names_are_legal_on_windows_and_do_not_meet_when_case_is_ignored(template: Path) -> None:
    names = [name for name, _ in source_files(template)]
    assert [name for name in names if faults_of_name(name)] == []
    assert len({name.lower() for name in names}) == len(names)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"a\r\nb\n", "carriage"),
        ("Zoë".encode("latin-1"), "neither"),
        (b"BM25 scores\n", "neither"),
        (b"PAR1 readings\n", "neither"),
    ],
)
def test_planted_files_are_found(content: bytes, fault: str, tmp_path: Path) -> None:
    planted = tmp_path / "planted.txt"
    planted.write_bytes(content)
    assert fault in " ".join(faults_of_file(planted))


@pytest.mark.parametrize(
    "text",
    [
        "{{ cookiecutter.typo }}",
        "{{ project_slug }}",
        "{{ cookiecutter.author | slugify }}",
        "{% include 'x' %}",
        "{{ cookiecutter.author.upper() }}",
        "{{ cookiecutter.author | to_nice_yaml }}",
    ],
)
def test_planted_jinja_is_found(text: str) -> None:
    try:
        assert faults_of_jinja(text)
    except Exception as error:  # an unknown filter does not even compile
        assert "No filter named" in str(error)


@pytest.mark.parametrize("name", ["a/con.txt", "b?", "{% if x %}c{% endif %}", "d./e", "f\\g"])
def test_planted_names_are_found(name: str) -> None:
    assert faults_of_name(name)


def test_T05_no_trust_is_needed_and_no_link_leads_out(template: Path) -> None:
    copier_yml = yaml.safe_load((template / "copier.yml").read_text(encoding="utf-8"))
    unsafe = {"_tasks", "_migrations", "_jinja_extensions", "_external_data", "_secret_questions"}
    assert unsafe & set(copier_yml) == set()
    tracked = [template / name for name in bake.git(template, "ls-files").splitlines()]
    assert [path for path in tracked if path.is_symlink()] == []


def test_copier_yml_is_what_cookiecutter_json_says(template: Path) -> None:
    written = (template / "copier.yml").read_text(encoding="utf-8")
    assert written == sync_copier.copier_yml(answers.SOURCE)


def test_a_changed_question_makes_copier_yml_stale() -> None:
    changed = answers.SOURCE | {"author": "Somebody Else"}
    assert sync_copier.copier_yml(changed) != sync_copier.copier_yml(answers.SOURCE)


def test_every_question_has_a_label_that_both_engines_print_as_it_is() -> None:
    labels = answers.SOURCE["__prompts__"]
    assert list(labels) == answers.QUESTIONS
    assert len(labels) <= 13
    assert [label for label in labels.values() if re.search(r"[\[\]{}]", label)] == []


def test_every_conditional_path_is_in_the_tree(template: Path) -> None:
    paths = json.loads((template / "cookiecutter.json").read_text(encoding="utf-8"))["__keep"]
    assert [path for path in paths if not (template / bake.TREE / path).exists()] == []


def test_every_file_that_users_own_is_in_the_tree(template: Path) -> None:
    owned = answers.SOURCE["_skip_if_exists"]
    assert [path for path in owned if not (template / bake.TREE / path).is_file()] == []


def test_python_in_the_template_parses_before_it_is_rendered(template: Path) -> None:
    """Hooks, `src` and `vendor` as they are; `tests` once the package name stands in imports."""
    for hook in sorted((template / "hooks").glob("*.py")):
        ast.parse(hook.read_text(encoding="utf-8"))
    for name, path in source_files(template):
        if name.endswith(".py"):
            text = path.read_text(encoding="utf-8")
            assert not (
                name.startswith(("src/", "vendor/")) and "{{" in text and "cookiecutter" in text
            ), name
            ast.parse(text.replace("{{ cookiecutter.package_name }}", "package_name"))
