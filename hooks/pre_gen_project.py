"""Refuse bad answers, and refuse to write over a project (Cookiecutter; copier.yml holds the same)."""

import json
import os
import re
import sys

CONTEXT = json.loads({{ cookiecutter | tojson | tojson }})  # fmt: skip


def is_bad(name, rule):
    reserved = CONTEXT["_reserved"] if rule.get("reserved") else []
    return not re.search(rule["pattern"], CONTEXT[name]) or CONTEXT[name] in reserved


def what_would_be_lost():
    """Paths in the way: only `cookiecutter -f` into an existing folder gets here with any."""
    switched_off = [path for path, keep in CONTEXT["__keep"].items() if keep != "True"]
    guarded = [".copier-answers.yml", *CONTEXT["_skip_if_exists"], *switched_off]
    return [path for path in guarded if os.path.lexists(path)]


errors = [f"{name}: {r['error']}" for name, r in CONTEXT["_rules"].items() if is_bad(name, r)]
errors = errors or [
    f"{path} already exists here and would be lost: choose another folder, "
    "or update an existing project with `copier update`"
    for path in what_would_be_lost()
]
if errors:
    sys.exit("\n".join(f"ERROR: {error}" for error in errors))
