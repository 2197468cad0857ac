"""Texts, answers and settings name the same versions of the template and of Python."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import bake
import pytest

Read = Callable[[str], str]
TREE = bake.TREE
NUMBERS = {11: "eleven", 12: "twelve", 13: "thirteen"}


def read(name: str) -> str:
    return (bake.ROOT / name).read_text(encoding="utf-8")


ASKED = {
    name: choices
    for name, choices in json.loads(read("cookiecutter.json")).items()
    if not name.startswith("_")
}
PYTHONS = ASKED["python_version"]
LOW, HIGH = PYTHONS[0], PYTHONS[-1]
NEXT = f"3.{int(HIGH.split('.')[1]) + 1}"
TUPLE = f"(3, {HIGH.split('.')[1]})"
TARGET = f"py{LOW.replace('.', '')}"
TRIED = " ".join(f"python{version}" for version in reversed(PYTHONS))
NEWEST = re.findall(r"(?m)^## v([\d.]+)", read("CHANGELOG.md"))[0]
# File, what is looked for, what it must be wherever it is found, and it must be found.
SAID = [
    ("README.md", r"need Python ([\d.]+) or newer", LOW),
    ("README.md", r"the minimum: ([\d., or]+);", f"{', '.join(PYTHONS[:-1])} or {HIGH}"),
    ("README.md", r"asks (\w+) questions", NUMBERS[len(ASKED)]),
    ("README.md", r"\| Python version, licence \| ([\d.]+),", LOW),
    ("pyproject.toml", r'target-version = "(\w+)"', TARGET),
    ("pyproject.toml", r'python_version = "(.*)"', LOW),
    ("Makefile", r"--python-version (\S+)", LOW),
    (f"{TREE}/pyproject.toml", r'requires-python = ".*,<([\d.]+)"', NEXT),
    (f"{TREE}/pyproject.toml", r'target-version = "(\w+)"', TARGET),
    (f"{TREE}/requirements/setup.sh", r"(?:to|up to) (3\.\d+)\b", HIGH),
    (f"{TREE}/requirements/setup.sh", r"<= (\(3, \d+\))", TUPLE),
    (f"{TREE}/requirements/setup.sh", r",<(3\.\d+)", NEXT),
    (f"{TREE}/requirements/setup.sh", r"python3 (.*); do", TRIED),
    (f"{TREE}/vendor/pyproject.toml", r'requires-python = ">=([\d.]+)"', LOW),
    (f"{TREE}/vendor/pyproject.toml", r'target-version = "(\w+)"', TARGET),
    (f"{TREE}/vendor/pyproject.toml", r'(?m)^version = "(.*)"', NEWEST),
    (f"{TREE}/vendor/ml_template/__init__.py", r'__version__ = "(.*)"', NEWEST),
]  # fmt: skip


def wrong(read: Read) -> list[str]:
    """What a text says that is not so, and what it does not say any more."""
    found = []
    for name, pattern, known in SAID:
        said = re.findall(pattern, read(name))
        found += [f"{name}: {each}" for each in said if each != known] if said else [name]
    return found


def test_every_text_names_the_versions_that_are_so() -> None:
    assert wrong(read) == []


def test_every_version_that_answers_can_choose_is_known_to_both_engines() -> None:
    copier = read("copier.yml").split("\npython_version:")[1].split("\n\n")[0]
    assert re.findall(r"'(3\.\d+)'", copier) == [*PYTHONS, LOW]


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("README.md", f"need Python {LOW} or", "need Python 3.9 or"),
        ("README.md", f" or {HIGH};", " or 3.99;"),
        ("README.md", "asks twelve", "asks nine"),
        ("README.md", "It asks", "It wants"),
        (f"{TREE}/pyproject.toml", f"<{NEXT}", "<3.99"),
        (f"{TREE}/requirements/setup.sh", f"(up to {HIGH})", "(up to 3.99)"),
        (f"{TREE}/vendor/ml_template/__init__.py", NEWEST, "0.0.1"),
    ],
)
def test_a_text_that_was_forgotten_is_named(name: str, old: str, new: str) -> None:
    def changed(path: str) -> str:
        text = read(path)
        assert path != name or old in text
        return text.replace(old, new) if path == name else text

    assert [each.partition(":")[0] for each in wrong(changed)] == [name]
