"""The words of the command line: what each does, the room of its module, the keys it takes."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import click


class Word(NamedTuple):
    """A word w is the function `run` of the module w in this room."""

    room: str
    does: str
    keys: str = ""


# In the order of `--help`.
WORDS = {
    "sample": Word("pipeline.data", "make the SYNTHETIC starter table"),
    "reproduce": Word("registry", "run a stage of dvc.yaml where it changed", "STAGE"),
    "adopt": Word(
        "pipeline.adoption",
        "write model_config.yaml for your own table",
        "DATA TARGET SENSITIVE TASK ENCODING MEMORY_GB",
    ),
    "prepare": Word("pipeline.data", "read the data file, set the hold-out apart"),
    "validate": Word("pipeline.data", "check the data against model_config.yaml"),
    "search": Word("pipeline.training", "look for better parameters on training folds", "PART"),
    "train": Word("pipeline.training", "fit the model"),
    "measure": Word("pipeline.judgement", "size, speed, memory of MODEL=, for the gate", "MODEL"),
    "evaluate": Word("pipeline.evaluation", "measure it on the hold-out"),
    "gate": Word("pipeline.judgement", "say yes or no, and why"),
    "kit": Word("pipeline.judgement", "name files of the kit that were changed here"),
    "register": Word("pipeline.judgement", "record it; what passed becomes challenger"),
    "report": Word("pipeline.reporting", "write reports/report.html and model_card.md"),
    "summary": Word("pipeline.reporting", "say which model is champion"),
    "canary": Word("kubernetes", "a release's share of the requests, step by step", "ENV WHY"),
    "decide": Word("kubernetes", "what canary would do now", "ENV"),
    "compare": Word("operations", "a shadow's logged answers next to the champion's", "LOG"),
    "offer": Word("operations", "say what this run of CI may release, or nothing", "WHY"),
    "promote": Word(
        "operations", "make the challenger champion (ENV=: stable too)", "ENV WHY IMAGE WAIT"
    ),
    "rollback": Word(
        "operations", "go back to the last champion that verifies", "ENV WHY WAIT APPLY"
    ),
    "serve": Word(
        "serving", "answer over HTTP with the champion", "HOST PORT WORKERS MODEL MODEL_DIGEST"
    ),
    "score": Word("serving", "answer a whole table with the champion", "DATA OUT BAD IDS MODEL"),
    "load": Word(
        "serving",
        "a load test of the service, judged by gates.yaml",
        "SHAPE USERS DURATION URL MODEL ENV",
    ),
    "image": Word(
        "operations",
        "build the container image of the champion",
        "TAG PYTHON_IMAGE KUBECTL_IMAGE MODEL FOR",
    ),
    "scan": Word("operations", "look for known vulnerabilities of what it holds"),
    "sign": Word("operations", "push the image and sign it by its digest"),
    "verify": Word("operations", "check who signed an image and what it serves", "IMAGE"),
    "manifests": Word(
        "kubernetes",
        "print what a deployment applies (ENV=)",
        "ENV STRATEGY IMAGE MODEL OUT JOB WORK",
    ),
    "deploy": Word(
        "kubernetes",
        "bring a release to Kubernetes (ENV=, STRATEGY=)",
        "ENV STRATEGY IMAGE MODEL JOB WORK APPLY WAIT",
    ),
    "status": Word("kubernetes", "what runs in ENV", "ENV"),
    "abtest": Word(
        "operations",
        "plan an experiment, assign its units, judge it",
        "EXPERIMENT METRICS GUARD EFFECT BASE SD POWER ALPHA SHARE UNITS DATA LOG",
    ),
    "join": Word("operations", "put labels that came later to logged predictions", "LABELS LOG"),
    "monitor": Word("operations", "drift, quality and health of what is served", "LOG DATA"),
    "retrain": Word("operations", "train again, if a trigger asks for it", "WHY"),
    "history": Word("operations", "what was champion when, by whom, why"),
    "doctor": Word("operations", "what is ready, what is missing, what to set", "ASK"),
    "tracking": Word("registry", "open MLflow, which has every run", "HOST PORT"),
    "notebook": Word("operations", "open Jupyter on this machine alone", "PORT"),
    "pull": Word("registry", "data and results from the DVC remote"),
    "push": Word("registry", "data and results to the DVC remote"),
    "notify": Word("operations", "tell how a run of CI ended", "RESULT WHY"),
    "start": Word("operations", "have CI train", "WHY"),
    "moved": Word("operations", "your edits of files that an update moved; old imports"),
    "secrets": Word("operations", "look for secrets in every file that git holds"),
}
# A key that is not named here is text.
KINDS: dict[str, click.ParamType[Any]] = {
    "APPLY": click.Choice(["yes", "no"]),
    "ASK": click.Choice(["github"]),
    "BAD": click.Choice(["refuse", "skip"]),
    "ENV": click.Choice(["staging", "production"]),
    "FOR": click.Choice(["service", "work"]),
    "RESULT": click.Choice(["success", "failure", "waiting"]),
    "SHAPE": click.Choice(["steady", "ramp", "spike"]),
    "STRATEGY": click.Choice(["rolling", "canary", "bluegreen", "shadow", "argo"]),
    "JOB": click.Choice(["train", "rollout"]),
    "DURATION": click.IntRange(1),
    "PART": click.IntRange(1, 2),
    "PORT": click.IntRange(1, 65535),
    "USERS": click.IntRange(1),
    "WAIT": click.IntRange(0),
    "WORKERS": click.IntRange(1, 64),
    "MEMORY_GB": click.FloatRange(0, min_open=True),
    **dict.fromkeys(["EFFECT", "BASE", "SD", "POWER", "ALPHA", "SHARE"], click.FLOAT),
    **dict.fromkeys(["DATA", "LABELS", "LOG", "OUT", "UNITS"], click.Path()),
}


def kind(key: str) -> click.ParamType[Any]:
    return KINDS.get(key, click.STRING)


def typed(key: str, text: str) -> Any:
    """The value of a key as its kind has it; raises InputError that says what it must be."""
    from .settings.strict import InputError

    try:
        value = kind(key).convert(text, None, None)
        if not isinstance(value, float) or math.isfinite(value):
            return value
    except click.BadParameter:
        pass  # said below, for every kind in the same words
    raise InputError(f"{key}={text}: must be {shape(kind(key))}")


def shape(kind: click.ParamType[Any]) -> str:
    """What a kind is like, in words."""
    match kind:
        case click.Choice():
            return " or ".join(kind.choices)
        case click.IntRange():
            return f"a whole number, {kind.min} " + (f"to {kind.max}" if kind.max else "or more")
        case click.FloatRange():
            return f"a number above {kind.min}"
    return {"float": "a number", "path": "a path"}.get(kind.name, kind.name)


def unknown(given: Iterable[str], names: Iterable[str]) -> str | None:
    """Which key none of these words takes; None where each has one that does."""
    taken = [key for name in names for key in WORDS[name].keys.split()]
    for key in given:
        if key not in taken:
            near = difflib.get_close_matches(key.upper(), taken, 1)
            takes = ", ".join(f"{name}=" for name in taken) or "no key"
            hint = f"did you mean {near[0]}=?" if near else f"what it takes: {takes}"
            return f"{key}= is not known: {hint}"
    return None
