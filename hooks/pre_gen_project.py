"""Cookiecutter only: refuse bad answers, as copier.yml does, and refuse to write over a project."""

import json
import os
import re
import sys

CONTEXT = json.loads({{ cookiecutter | tojson | tojson }})  # fmt: skip


def is_broken(rule):
    answer = CONTEXT[rule["question"]]
    reserved = CONTEXT["_reserved"] if rule.get("reserved") else []
    return not re.search(rule["pattern"], answer) or answer in reserved


def what_would_be_lost():
    """Paths in the way: only `cookiecutter -f` into an existing folder gets here with any."""
    switched_off = [path for path, keep in CONTEXT["__keep"].items() if keep != "True"]
    guarded = [".copier-answers.yml", *CONTEXT["_skip_if_exists"], *switched_off]
    return [path for path in guarded if os.path.lexists(path)]


broken = [rule for rule in CONTEXT["_rules"] if is_broken(rule)]
errors = [f"{rule['question']}: {rule['error']}" for rule in broken]
errors = errors or [
    f"{path} already exists here and would be lost: choose another folder, "
    "or update an existing project with `copier update`"
    for path in what_would_be_lost()
]
if errors:
    # The first one only, as Copier does: a wrong name makes those that follow from it wrong too.
    sys.exit(f"ERROR: {errors[0]}")
