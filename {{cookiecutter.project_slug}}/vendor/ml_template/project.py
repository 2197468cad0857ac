"""What a project hands over to the kit, which never imports the project's package by name."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Project:
    """The package of a project, and where in it the functions are that the kit calls.

    A function is named "module:function", as entry points are: its module is imported when the
    function is needed, for the service does without what training needs.

    features(columns) -> columns: arrays of n rows by name; build(config, **changes) -> an estimator
    of scikit-learn; load(config, wanted) -> an Arrow table with the columns `wanted`.

    What follows need not be there; docs/data.md has an example of state, docs/extend.md of the
    others: state(config) -> a text that changes when the table does that `load` finds elsewhere;
    transformer: an object with fit(columns, target) -> state, or fit(columns), and
    transform(columns, state) -> columns;
    metrics: a list of Metric; split(columns, config) -> booleans (n,), True for the hold-out;
    checks(columns, config) -> a list of Fault; stages: word -> a function that runs before the
    gate, without arguments or with {KEY: value}.
    """

    package: str
    features: str = "features:features"
    build: str | Callable[..., Any] = "model:build"  # or the function itself, in tests
    load: str | Callable[..., Any] = "load:load"
    state: str | None = None
    transformer: str | None = None
    metrics: str | None = None
    split: str | None = None
    checks: str | None = None
    stages: Mapping[str, str] = field(default_factory=dict)


_handed: list[Project] = []  # the last one counts


def hand_over(project: Project) -> None:
    """Make `project` the one that the kit works for."""
    _handed.append(project)


def handed() -> Project:
    """The project; raises RuntimeError where none was handed over."""
    if not _handed:
        raise RuntimeError("no project: begin with python -m <package>, which hands it over")
    return _handed[-1]


def function(role: str) -> Callable[..., Any]:
    """The project's function for a role: features, build, load, state, split or checks."""
    where = getattr(handed(), role)
    found: Callable[..., Any] = where if callable(where) else named(role, where)
    return found


def named(role: str, where: str) -> Any:
    """What "module:name" of the package is; raises InputError where it is not there."""
    from .settings.strict import InputError

    module, _, name = where.partition(":")
    whole = f"{handed().package}.{module}"
    said = f"{place('__main__')}: {role}: {where!r}"
    try:
        home = importlib.import_module(whole)
    except ModuleNotFoundError as error:
        if error.name != whole:
            raise
        lacks = f"there is no {place(module)}"
    else:
        if hasattr(home, name):
            return getattr(home, name)
        lacks = f"{place(module)} has no {name!r}"
    raise InputError(f"{said}: {lacks}: write it, or name another")


def misnamed(taken: Container[str]) -> str | None:
    """Why a stage of the project's own cannot have its name, where the kit has those of `taken`."""
    for word in handed().stages:
        said = f"{place('__main__')}: stages: {word!r}"
        if word in taken:
            return f"{said} is a word of the kit: take another"
        if not re.fullmatch(r"[a-z][a-z0-9_-]*", word):
            return f"{said}: a word is made of small letters, digits, _ and -: name it so"
    return None


def place(module: str) -> str:
    """The file of a module of the package, for a message: of "module:function" too."""
    return f"src/{handed().package}/{module.partition(':')[0].replace('.', '/')}.py"


def folder() -> Path:
    """The folder of the project's package."""
    (found,) = importlib.import_module(handed().package).__path__
    return Path(found)


def command(stage: str, **settings: object) -> list[str]:
    """The command that runs a stage in a process of its own."""
    words = [f"{key}={value}" for key, value in settings.items()]
    return [sys.executable, "-m", handed().package, stage, *words]
