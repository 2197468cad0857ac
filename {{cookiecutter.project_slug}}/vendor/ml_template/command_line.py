"""python -m <package> STAGE [STAGE...] [KEY=value...] [-v]: one stage, or several in this order."""

from __future__ import annotations

import errno
import importlib
import inspect
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout

from .outside import surroundings
from .outside.screen import install
from .project import Project, hand_over, handed, misnamed, named

# stage: (module, function, what it does)
STAGES = {
    "sample": ("pipeline.data.sample", "run", "make the SYNTHETIC starter table"),
    "reproduce": (
        "registry.versioning",
        "reproduce",
        "run a stage of dvc.yaml where it changed",
    ),
    "adopt": ("pipeline.adoption.adopt", "run", "write model_config.yaml for your own table"),
    "prepare": ("pipeline.data.prepare", "run", "read the data file, set the hold-out apart"),
    "validate": ("pipeline.data.validate", "run", "check the data against model_config.yaml"),
    "search": ("pipeline.training.search", "run", "look for better parameters on training folds"),
    "train": ("pipeline.training.train", "run", "fit the model"),
    "measure": ("pipeline.judgement.measure", "run", "size, speed, memory of MODEL=, for the gate"),
    "evaluate": ("pipeline.evaluation.evaluate", "run", "measure it on the hold-out"),
    "gate": ("pipeline.judgement.gate", "run", "say yes or no, and why"),
    "kit": ("pipeline.judgement.kit", "run", "name files of the kit that were changed here"),
    "register": ("pipeline.judgement.register", "run", "record it; what passed becomes challenger"),
    "report": ("pipeline.reporting.report", "run", "write reports/report.html and model_card.md"),
    "summary": ("pipeline.reporting.summary", "run", "say which model is champion"),
    "canary": ("kubernetes.rollout", "canary", "a release's share of the requests, step by step"),
    "decide": ("kubernetes.judge", "run", "what canary would do now"),
    "compare": ("operations.compare", "run", "a shadow's logged answers next to the champion's"),
    "offer": ("operations.release", "offer", "say what this run of CI may release, or nothing"),
    "promote": ("operations.release", "promote", "make the challenger champion (ENV=: stable too)"),
    "rollback": ("operations.release", "rollback", "go back to the last champion that verifies"),
    "serve": ("serving.serve", "run", "answer over HTTP with the champion"),
    "score": ("serving.score", "run", "answer a whole table with the champion"),
    "load": ("serving.load", "run", "a load test of the service, judged by gates.yaml"),
    "image": ("operations.image", "image", "build the container image of the champion"),
    "scan": ("operations.supply", "scan", "look for known vulnerabilities of what it holds"),
    "sign": ("operations.supply", "sign", "push the image and sign it by its digest"),
    "verify": ("operations.supply", "verify", "check who signed an image and what it serves"),
    "manifests": ("kubernetes.manifests", "run", "print what a deployment applies (ENV=)"),
    "deploy": ("kubernetes.deploy", "deploy", "bring a release to Kubernetes (ENV=, STRATEGY=)"),
    "status": ("kubernetes.deploy", "status", "what runs in ENV"),
    "abtest": ("operations.abtest", "run", "plan an experiment, assign its units, judge it"),
    "join": ("operations.join", "run", "put labels that came later to logged predictions"),
    "monitor": ("operations.monitor", "run", "drift, quality and health of what is served"),
    "retrain": ("operations.retrain", "run", "train again, if a trigger asks for it"),
    "history": ("operations.release", "history", "what was champion when, by whom, why"),
    "doctor": ("operations.doctor", "run", "what is ready, what is missing, what to set"),
    "pull": ("registry.versioning", "pull", "data and results from the DVC remote"),
    "push": ("registry.versioning", "push", "data and results to the DVC remote"),
    "notify": ("operations.notify", "run", "tell how a run of CI ended"),
    "start": ("operations.start", "run", "have CI train"),
    "moved": ("operations.moved", "run", "your edits of files that an update moved; old imports"),
    "secrets": ("operations.secret_scan", "run", "look for secrets in every file that git holds"),
}
# (stage, exit code): what people are told of, see operations/notify.py
EVENTS = {
    ("summary", 0): "run finished",
    ("gate", 1): "gate refused",
    ("monitor", 3): "drift found",
}
NO_SPACE = (errno.ENOSPC, errno.EDQUOT)  # the disk, a quota
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
    verbose = "-v" in words
    names = [word for word in words if "=" not in word and word != "-v"]
    if not names or {"-h", "--help"} & set(names):
        print(_help())
        return 0 if names else 2
    settings = dict(word.split("=", 1) for word in words if "=" in word)
    if fault := misnamed({*STAGES, "run"}):
        print(f"ERROR: {fault}", file=sys.stderr)
        return 2
    unknown = [name for name in names if name not in {*STAGES, *handed().stages, "run"}]
    if unknown:
        print(f"ERROR: there is no stage {unknown[0]!r}\n{_help()}", file=sys.stderr)
        return 2
    surroundings.settle()
    for number in (signal.SIGTERM, signal.SIGHUP):  # they leave nothing half-written either
        if signal.getsignal(number) != signal.SIG_IGN:  # as `nohup` has it
            signal.signal(number, signal.default_int_handler)
    if "DVC_STAGE" in os.environ:
        threading.Thread(target=_end_after, args=(os.getppid(),), daemon=True).start()
    try:
        return max(_run(name, settings, names == [name]) for name in _expand(names))
    except BaseException as error:
        if _interrupted(error):
            said = "interrupted: no half-written result was kept; run again to go on"
            print(f"\n{said}", file=sys.stderr)
            return 130
        if verbose or not isinstance(error, Exception):
            raise
        message = _explain(error)
        if message is None:
            raise
        print(f"ERROR: {message}", file=sys.stderr)
        return 1


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


def _run(name: str, settings: dict[str, str], alone: bool) -> int:
    """Run one stage; it takes `settings`, and `alone`, when its function has such a parameter.

    Alone: no other word was given with it. It may say False, or an exit code of its own.
    """
    from .storage.changes import settle

    settle()
    _limit_threads(name)
    if name in handed().stages:
        stage = named(f"stages: {name}", handed().stages[name])
    else:
        module, function, _ = STAGES[name]
        stage = getattr(importlib.import_module(f".{module}", __package__), function)
    known = inspect.signature(stage).parameters.keys()
    arguments = [settings] if known - {"alone"} else []
    how = {"alone": alone} if "alone" in known else {}
    # A library that put something before stdout or stderr takes it with it when the stage ends.
    with redirect_stdout(sys.stdout), redirect_stderr(sys.stderr):
        said = _shown(name, lambda: stage(*arguments, **how))
    code: int = said if type(said) is int else int(said is False)
    if (name, code) in EVENTS:
        from .operations.notify import tell

        tell(EVENTS[name, code])
    return code


def _shown(name: str, stage: Callable[[], object]) -> object:
    """Run a stage that ends by itself under a sign that it works."""
    if name not in {*RUN, "adopt", "search", "pull", "push"}:
        return stage()
    from .outside.progress import working

    with working(f"{name} ..."):
        return stage()


def _limit_threads(name: str) -> None:
    """Number of threads of numeric libraries: they read it once, when they are imported."""
    if name == "adopt" or "OMP_NUM_THREADS" in os.environ:
        return
    from .settings.config import load_config

    threads = "1" if name in ("serve", "score") else str(load_config().compute.threads)
    for library in ("OMP", "OPENBLAS", "MKL"):
        os.environ[f"{library}_NUM_THREADS"] = threads


def _explain(error: Exception) -> str | None:
    """The message for a fault that a person can put right; None for a fault of the code."""
    from .settings.config import InputError

    if isinstance(error, InputError):
        return str(error)
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}: line {error.lineno}: {error.msg}: correct it"
    if isinstance(error, ModuleNotFoundError):
        if str(error.name).startswith(f"{__package__}."):
            return (
                f"this project was made without {error.name}: where it is needed, "
                f"`copier update -d deployment=kubernetes` brings it"
            )
        return (
            f"{error}: packages of yours go to requirements/extra.in, then `make lock` and "
            f"`make setup`; {handed().package}'s own modules are read from src/"
        )
    if isinstance(error, UnicodeEncodeError) and error.reason == "surrogates not allowed":
        return f"{error.object[:200]!r} is not UTF-8 text: give it as UTF-8"
    if isinstance(error, OSError) and error.errno in NO_SPACE:
        return (
            f"no space left on the disk ({error.filename or 'while writing'}): free some, run again"
        )
    if isinstance(error, OSError) and error.errno == errno.EFBIG:
        return f"{error.filename or 'a file'} is larger than your limit allows: see `ulimit -f`"
    if isinstance(error, PermissionError) or (
        isinstance(error, OSError) and error.errno == errno.EROFS
    ):
        place = str(error.filename or "a file")
        if not os.path.lexists(place):  # a new file: its folder is what lacks the right
            place = os.path.dirname(place) or place
        return f"{place}: permission denied: make it writable for you"
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    return None


def _help() -> str:
    lines = [f"  {name:<10} {text}" for name, (_, _, text) in STAGES.items()]
    lines += [f"  {name:<10} yours: {where}" for name, where in handed().stages.items()]
    lines.append(f"  {'run':<10} {', '.join(RUN)}")
    return "\n".join([(__doc__ or "").strip(), "", *lines])
