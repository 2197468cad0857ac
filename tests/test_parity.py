"""Both engines render the same tree, whatever the answers, and every answer has an effect."""

from __future__ import annotations

from pathlib import Path

import answers
import bake
import pytest
from conftest import Twins


def test_T06_both_engines_give_the_same_tree(twins: Twins) -> None:
    one, other = bake.tree(twins.cookiecutter), bake.tree(twins.copier)
    assert sorted(one) == sorted(other)
    assert [name for name in one if one[name] != other[name]] == []


def test_T09_every_choice_and_every_pair_of_values_is_tried() -> None:
    tried = [{**dict.fromkeys(answers.QUESTIONS), **row} for row in answers.pairwise()]
    for name, choices in answers.CHOICES.items():
        assert {row[name] for row in tried} == set(choices)
    met = set().union(*(answers.pairs(row) for row in tried))
    for a in answers.QUESTIONS:
        for b in answers.QUESTIONS[answers.QUESTIONS.index(a) + 1 :]:
            pairs = {
                frozenset({(a, x), (b, y)}) for x in answers.values(a) for y in answers.values(b)
            }
            assert pairs <= met, f"{a} and {b}"


@pytest.mark.parametrize("question", answers.QUESTIONS)
def test_every_answer_changes_a_file(
    question: str, template: Path, project: Path, tmp_path: Path
) -> None:
    # The names that follow from an answer are held, so that only the answer itself can count.
    held = {"project_slug": project.name, "package_name": project.name.replace("-", "_")}
    for number, value in enumerate(answers.values(question)[1:]):
        row = answers.given({**held, question: value})
        changed = bake.by_cookiecutter(template, tmp_path / str(number), row)
        assert bake.files(changed) != bake.files(project), f"{question}={value}"


def test_both_command_lines_give_the_same_tree(template: Path, tmp_path: Path) -> None:
    author = "author=Zoë O'Neil"
    one = bake.run(
        "cookiecutter", template, "--no-input", "-o", "one", author, "licence=Apache-2.0",
        cwd=tmp_path,
    )  # fmt: skip
    two = bake.run(
        "copier", "copy", "--defaults", "-d", author, "-d", "licence=Apache-2.0", template, "two",
        cwd=tmp_path,
    )  # fmt: skip
    assert (one.returncode, two.returncode) == (0, 0), one.stderr + two.stderr
    (born,) = (tmp_path / "one").iterdir()
    assert bake.tree(born) == bake.tree(tmp_path / "two")
    steps = one.stdout[one.stdout.index("Example Credit Model is ready") :].split()
    assert steps == two.stderr[two.stderr.index("Example Credit Model is ready") :].split()
