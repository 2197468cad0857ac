"""python -m <package> STAGE [STAGE...] [KEY=value...] [-v]: one stage, or several in this order."""

from __future__ import annotations

import importlib
import inspect
import os
import signal
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext, redirect_stderr, redirect_stdout
from typing import Any

import click

from .explain import explain
from .outside import surroundings
from .outside.screen import install
from .project import Project, hand_over, handed, misnamed, named
from .words import WORDS, kind, shape, typed, unknown

# (stage, exit code): what people are told of, see operations/notify.py
EVENTS = {
    ("summary", 0): "run finished",
    ("gate", 1): "gate refused",
    ("monitor", 3): "drift found",
}
RUN = [
    "sample",
    "prepare",
    "validate",
    "train",
    "evaluate",
    "gate",
    "register",
    "report",
    "summary",
]


PARSER = click.Command(
    None,
    params=[
        click.Argument(["words"], nargs=-1),
        click.Option(["-v", "verbose"], is_flag=True),
        click.Option(["-h", "--help", "help"], is_flag=True),
    ],
    add_help_option=False,
)


def main(words: Sequence[str], project: Project) -> int:
    """Run the stages in `words` for a project, as the process that was begun for them."""
    install()
    hand_over(project)
    return run(words)


def run(words: Sequence[str]) -> int:
    """Exit code: 0 done, 1 refused or a fault a person can put right, 2 misuse, 130 interrupted.

    `monitor`, `canary`, `decide` and `abtest` also say 3 for an alarm, an aborted rollout or an
    experiment whose b is not better, and 4 for too little data to judge.
    """
    try:
        asked = PARSER.make_context("", [*words]).params
    except click.UsageError as error:
        return _misuse(error.format_message())
    names = [word for word in asked["words"] if "=" not in word]
    if asked["help"] or not names:
        print(_help(names))
        return 0 if asked["help"] else 2
    texts = dict(word.split("=", 1) for word in asked["words"] if "=" in word)
    texts = {key: text for key, text in texts.items() if text}
    if fault := misnamed({*WORDS, "run"}) or _unknown(names, texts):
        return _misuse(fault)
    surroundings.settle()
    for number in (signal.SIGTERM, signal.SIGHUP):  # they leave nothing half-written either
        if signal.getsignal(number) != signal.SIG_IGN:  # as `nohup` has it
            signal.signal(number, signal.default_int_handler)
    if "DVC_STAGE" in os.environ:
        threading.Thread(target=_end_after, args=(os.getppid(),), daemon=True).start()
    try:
        return max(_run(name, texts, names == [name]) for name in _expand(names))
    except BaseException as error:
        if _interrupted(error):
            said = "interrupted: no half-written result was kept; run again to go on"
            print(f"\n{said}", file=sys.stderr)
            return 130
        if asked["verbose"] or not isinstance(error, Exception):
            raise
        message = explain(error)
        if message is None:
            raise
        print(f"ERROR: {message}", file=sys.stderr)
        return 1


def _misuse(fault: str) -> int:
    print(f"ERROR: {fault}", file=sys.stderr)
    return 2


def _unknown(names: Sequence[str], keys: Iterable[str]) -> str | None:
    """Which of what was typed nobody knows; a stage of the project's own takes any key."""
    own = handed().stages
    for name in names:
        if name not in {*WORDS, *own, "run"}:
            return f"there is no stage {name!r}\n{_help([])}"
    words = _expand(names)
    fault = None if own.keys() & set(words) else unknown(keys, words)
    return f"{' '.join(names)}: {fault}" if fault else None


def _end_after(parent: int) -> None:
    """Interrupt this stage when the run that started it is gone: another may begin meanwhile."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGTERM)


def _interrupted(error: BaseException | None) -> bool:
    """Whether an interrupt is the reason: a library may have made another error of it."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def _expand(names: Sequence[str]) -> list[str]:
    """Stages in their order; the project's own come before every gate, whoever runs it."""
    stages = [stage for name in names for stage in (RUN if name == "run" else [name])]
    before = {"gate": [word for word in handed().stages if word not in names]}
    return [word for stage in stages for word in (*before.get(stage, ()), stage)]


def _run(name: str, settings: dict[str, Any], alone: bool) -> int:
    """Run one stage; it takes `settings`, and `alone`, when its function has such a parameter.

    A word of the kit gets the keys it takes, each of its kind; a stage of the project's own gets
    what was typed. Alone: no other word was given with it. It may say False, or an exit code.
    """
    from .storage.changes import settle

    settle()
    _limit_threads(name)
    # A library that put something before stdout or stderr takes it with it when the stage ends.
    with redirect_stdout(sys.stdout), redirect_stderr(sys.stderr), _sign(name):
        said = _call(name, settings, alone)
    code: int = said if type(said) is int else int(said is False)
    if (name, code) in EVENTS:
        from .operations.notify import tell

        tell(EVENTS[name, code])
    return code


def _call(name: str, settings: dict[str, Any], alone: bool) -> object:
    if name in handed().stages:
        stage = named(f"stages: {name}", handed().stages[name])
    else:
        stage = importlib.import_module(f".{WORDS[name].room}.{name}", __package__).run
        taken = settings.keys() & WORDS[name].keys.split()
        settings = {key: typed(key, settings[key]) for key in taken}
    known = inspect.signature(stage).parameters.keys()
    arguments = [settings] if known - {"alone"} else []
    return stage(*arguments, **({"alone": alone} if "alone" in known else {}))


def _sign(name: str) -> AbstractContextManager[None]:
    """A sign that a word works, but for those that go on until they are told, and for runs:

    each of their stages is a word of its own.
    """
    if name in {"notebook", "reproduce", "serve", "tracking", *handed().stages}:
        return nullcontext()
    from .outside.progress import working

    return working(f"{name} ...")


def _limit_threads(name: str) -> None:
    """Number of threads of numeric libraries: they read it once, when they are imported."""
    if name == "adopt" or "OMP_NUM_THREADS" in os.environ:
        return
    from .settings.config import load_config

    threads = "1" if name in ("serve", "score") else str(load_config().compute.threads)
    for library in ("OMP", "OPENBLAS", "MKL"):
        os.environ[f"{library}_NUM_THREADS"] = threads


def _help(names: Sequence[str]) -> str:
    """The list of words, or the keys of those that were named with --help."""
    asked = {name: WORDS[name] for name in names if name in WORDS} or WORDS
    lines = [f"  {name:<10} {word.does}" for name, word in asked.items()]
    if asked is WORDS:
        lines += [f"  {name:<10} yours: {where}" for name, where in handed().stages.items()]
        lines.append(f"  {'run':<10} {', '.join(RUN)}")
    else:
        keys = dict.fromkeys(key for word in asked.values() for key in word.keys.split())
        lines += [f"    {key + '=':<13} {shape(kind(key))}" for key in keys]
    return "\n".join([(__doc__ or "").strip(), "", *lines])
