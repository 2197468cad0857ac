"""The answers that tests give: every choice, every pair of values, hostile text, wrong answers."""

from __future__ import annotations

import itertools
import json
import os
from typing import Any

from bake import ROOT

SOURCE: dict[str, Any] = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))
QUESTIONS = [name for name in SOURCE if not name.startswith("_")]
CHOICES = {name: SOURCE[name] for name in QUESTIONS if isinstance(SOURCE[name], list)}

# A second answer for each question with free text: hostile where the rule lets it through.
OTHER = {
    "project_name": "Zoë O'Neil's Übermodell 🚀 (v2) & co: 50 % – שלום",
    "project_slug": "a" + "-b2" * 13,
    "package_name": "p" * 40,
    "description": "Sagt voraus, wer zahlt: 予測 100 %, it's 'quoted', yes: no, ~ ! @ ^ = + ; ? /",
    "author": "Zoë O'Neil",
    "reviewers": "@org/team @zoe-oneil",
    "dvc_remote": "s3://example-bucket/models/v1",
    "mlflow_tracking_uri": "https://mlflow.example.com:8443/team-a",
}

Row = dict[str, str | None]  # None: the question is left at its default


def values(name: str) -> list[str | None]:
    return CHOICES.get(name) or [None, OTHER[name]]


def given(row: Row) -> dict[str, str]:
    return {name: value for name, value in row.items() if value is not None}


def pairs(row: Row) -> set[frozenset[tuple[str, str | None]]]:
    return {frozenset(pair) for pair in itertools.combinations(row.items(), 2)}


def pairwise() -> list[dict[str, str]]:
    """A short list of answers in which every two values of two questions meet (greedy cover)."""
    axes = {name: values(name) for name in QUESTIONS}
    two = itertools.combinations(axes, 2)
    todo = [{a: x, b: y} for a, b in two for x in axes[a] for y in axes[b]]
    rows: list[Row] = []
    seen: set[frozenset[tuple[str, str | None]]] = set()
    for start in todo:
        if pairs(start) <= seen:
            continue
        row: Row = dict(start)
        for name in (name for name in axes if name not in row):
            row[name] = max(axes[name], key=lambda v: len(pairs({**row, name: v}) - seen))
        rows.append(row)
        seen |= pairs(row)
    return [given(row) for row in rows]


def every_combination() -> list[dict[str, str]]:
    """Every combination of choices and of answers that may be empty; the other texts take turns."""
    axes = {name: values(name) for name in QUESTIONS if name in CHOICES or SOURCE[name] == ""}
    texts = {name: text for name, text in OTHER.items() if name not in axes}
    rows = [dict(zip(axes, row, strict=True)) for row in itertools.product(*axes.values())]
    return [given(row) | (texts if number % 2 else {}) for number, row in enumerate(rows)]


def cases() -> list[dict[str, str]]:
    return every_combination() if os.environ.get("FULL_MATRIX") else pairwise()


# One wrong answer or more for every rule; both engines must refuse each with the same words.
# fmt: off
NOT_TEXT = [
    'say "hi"', "back\\slash", "two\nlines", "tab\there", "nul\x00", "", " space first",
    "space last ", "a" * 201, "$(id)", "`id`", "a # b", "<b>", "a|b", "right\u202eleft",
    "no\u2028line", "del\x7f", "c1\x85", "end\n",
]
OUTSIDE = [
    "../escape", "../../../evil", "/escape", "~", "~/escape", "a/../../b", "-rf", "..", "a/b",
    "a\\b", ".", "nul\x00",
]
BRACES = [
    "{{ 1 + 1 }}", "{% raw %}", "{# gone #}", "}}", "{", "{{ cookiecutter._template }}",
]
WRONG: dict[str, list[str]] = {
    "project_name": NOT_TEXT,
    "project_slug": [
        *OUTSIDE,
        "Credit", "1credit", "credit-", "ab", "a" * 41, "a" * 200, "übung", "a b", "end\n",
    ],
    "package_name": [
        *OUTSIDE,
        "Credit", "1credit", "a-b", "a" * 41, "übung", "class", "import", "json", "logging",
        "numpy", "sklearn", "tests", "src", "data", "models", "_x", "end\n",
    ],
    "description": NOT_TEXT,
    "author": NOT_TEXT,
    "reviewers": [
        "org/team", "@", "@org/", "@org/team ", " @org/team", "@a  @b", "@a,@b", "@a\n@b", "@a\n",
        "@a # b", "@" + "a" * 200, "* @a", "-rf",
    ],
    "dvc_remote": [
        "s3://key:secret@bucket/x", "https://user:pass@example.com/x",
        "https://token@example.com/x", "relative", "../store", "~/store", "-rf", "s3://b/a b",
        "s3://b/$(id)", "s3://b/#x", "s3://b/;x", "s3://b/%x", 's3://b/"', "s3://b\n",
        "s3://" + "b" * 200, "ftp://example.com/x",
    ],
    "mlflow_tracking_uri": [
        "https://user:pass@example.com", "https://token@example.com", "http://a b",
        "http://$(id)", "http://a#b", "postgresql://u:p@example.com/db", "mlruns", "-rf", "`id`",
        "http://a\n", "http://" + "a" * 200, "databricks://user:token@x", "file:///etc",
    ],
}
# fmt: on
