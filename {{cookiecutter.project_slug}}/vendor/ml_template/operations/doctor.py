"""doctor: what is ready, what is missing and what to set; for CI also what it may do."""

from __future__ import annotations

import configparser
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

from ..model import lineage
from ..outside.text import markdown
from ..registry import book, versioning
from ..settings.config import Config, InputError, load_config
from ..storage.files import write_text
from ..storage.places import REPORTS, STARTER
from . import repository

_PATIENCE = 5.0  # seconds for an engine of containers
Line = tuple[bool, str, str]  # ready, of what, and what is so or what to set
REQUIRED = ("folder", "data", "locks")  # `make run` stops without one of them

# A push that touches none of these trains nothing; SERVICE is no part of a model, but of its image.
SERVICE = ("Dockerfile", ".dockerignore", "deploy")
TRAINS = (
    *("src", "vendor", "data", "model_config.yaml", "gates.yaml", "dvc.yaml", "dvc.lock"),
    *("requirements", "Makefile", *SERVICE),
)

# Variable, of what, what it is good for.
SETTINGS = (
    ("IMAGE_REGISTRY", "release", "such as ghcr.io/org/model: images are pushed there"),
    ("KUBERNETES", "cluster", "yes where KUBECONFIG reaches one: `make deploy`"),
    ("STAGING_URL", "staging", "its address at your gateway: `make load ENV=staging`"),
    ("PREDICTION_LOG", "watching", "where CI finds the predictions: `make monitor` every day"),
    ("JENKINS_JOB", "jenkins", "the address of its job: where CI is to train there"),
)
# What CI binds around the one step that needs it, so that `doctor` cannot see it there.
BOUND = (
    ("COSIGN_KEY", "signing", "the key of `make sign`; in CI its identity signs"),
    ("COSIGN_PUBLIC_KEY", "verifying", "the key that `make verify` trusts, or VERIFY_IDENTITY"),
    ("PUSHGATEWAY_URL", "alerts", "where `make monitor` pushes what it found"),
    ("NOTIFY_WEBHOOK", "messages", "a webhook's address: they are printed until then"),
)


def run(settings: dict[str, str]) -> bool:
    """Print what `make run` stops without, and what else can be set, a line each.

    False where something of the first is missing; never in CI, where jobs without data are skipped.
    ASK=github asks there instead how the repository is set up; False where something is not.
    Writes reports/doctor.txt and agent.txt; on GitHub also the outputs of the step, and what is not
    set to the summary of the job.
    """
    if settings.get("ASK"):
        return _asked()
    config = load_config()
    found_lines = lines(config)
    lacks = [name for ready, name, _ in found_lines if not ready and name in REQUIRED]
    _show(
        "required: make run stops without", [e for e in found_lines if e[1] in REQUIRED], "MISSING"
    )
    _show("optional: each for what it says", [e for e in found_lines if e[1] not in REQUIRED])
    said = f"make run stops without {' and '.join(lacks)}" if lacks else "make run can begin"
    print(f"doctor: {said}")
    found = "".join(f"{name}={value}\n" for name, value in facts(config).items())
    write_text(REPORTS / "doctor.txt", found)
    write_text(REPORTS / "agent.txt", "gpu" if config.compute.gpu else "cpu")
    missing = "".join(
        f"- {name}: {markdown(text)}\n" for ready, name, text in found_lines if not ready
    )
    for variable, content in {"GITHUB_OUTPUT": found, "GITHUB_STEP_SUMMARY": missing}.items():
        if variable in os.environ:
            with Path(os.environ[variable]).open("a", encoding="utf-8") as file:
                file.write(content)
    return lineage.in_ci() or not lacks


def _asked() -> bool:
    found = repository.lines()
    _show("github: what the workflows rely on", found, "MISSING")
    return all(ready for ready, *_ in found)


def _show(title: str, part: list[Line], missing: str = "not set") -> None:
    print(title)
    for ready, name, text in part:
        print(f"  {'ready' if ready else missing:<8} {name:<11} {text}")


def lines(config: Config) -> list[Line]:
    """What a person wants to know first, in this order."""
    commit = lineage.commit()
    known = commit["reason"] or f"commit {commit['commit'][:12]}"
    fault = versioning.unfit() or book.unfit(book.address())
    return [
        (commit["commit"] is not None, "git", known),
        (not fault, "folder", fault or "its path suits DVC and MLflow"),
        _data(config),
        _locks(),
        _set("MLFLOW_TRACKING_URI", "runs", "a local SQLite file keeps them"),
        _containers(),
        *(_set(*setting) for setting in (*SETTINGS, *(() if lineage.in_ci() else BOUND))),
    ]


def facts(config: Config) -> dict[str, str]:
    """What CI asks before a job: yes or no, and on which machine training runs."""
    data, *_ = _data(config)
    handed_over = bool(os.environ.get("GITHUB_ACTIONS") and os.environ.get("JENKINS_JOB"))
    return {
        "data": _yes(data),
        "train": _yes(data and not handed_over and _touched(TRAINS, True)),
        "service": _yes(_touched(SERVICE, False)),
        "search": _yes(config.search.trials > 0),
        "runner": config.compute.runner,
        "release": _yes(bool(os.environ.get("IMAGE_REGISTRY"))),
        "deploy": _yes(os.environ.get("KUBERNETES") == "yes"),
    }


def _touched(paths: tuple[str, ...], unknown: bool) -> bool:
    """Whether a push that went on from the commit BEFORE changed one of `paths`; `unknown` where
    nothing was pushed, or git has not that commit (a first or a forced push, a shallow clone).
    """
    before = os.environ.get("BEFORE", "")
    if not re.fullmatch("[0-9a-f]{40,64}", before):
        return unknown
    try:
        return bool(lineage.git("diff", "--name-only", before, "HEAD", "--", *paths))
    except (OSError, subprocess.SubprocessError):
        return unknown


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _set(variable: str, name: str, otherwise: str) -> Line:
    value = os.environ.get(variable)
    return bool(value), name, f"{variable} is set" if value else f"{variable} is not: {otherwise}"


def _containers() -> Line:
    """What builds images: its client may be there while nothing runs that it could ask."""
    here = [name for name in ("docker", "podman") if shutil.which(name)]
    for name in here:
        if _answers(name):
            return True, "containers", name
    silent = (
        f"{' and '.join(here)} is installed and does not answer: start it, or ask who may use it"
    )
    return False, "containers", silent if here else "install docker or podman: `make image`"


def _answers(engine: str) -> bool:
    try:
        asked = subprocess.run([engine, "info"], capture_output=True, timeout=_PATIENCE)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return asked.returncode == 0


def _data(config: Config) -> Line:
    path = Path(config.data.path)
    if path == STARTER:
        return True, "data", f"{path} (SYNTHETIC, made by the first run)"
    if path.exists():
        return True, "data", str(path)
    settings = _dvc_config()
    name = settings.get("core", "remote", fallback="")
    remote = settings.get(f"'remote \"{name}\"'", "url", fallback=None)
    if remote is None:
        return False, "data", f"{path} is not here, and DVC has no remote: `dvc remote add -d`"
    if "://" not in remote:
        there = Path(remote).is_dir()
        return there, "data", f"{path} from {remote}" if there else f"{remote} is no folder here"
    shown = _shown(remote)
    if remote.startswith("http") or os.environ.get("CLOUD_LOGIN"):
        return True, "data", f"{path} from {shown}: `make pull`"
    return False, "data", f"{path} is at {shown}: log in, say so with CLOUD_LOGIN=yes, `make pull`"


def _locks() -> Line:
    """Whether a process of DVC holds something, or has gone and left it so."""
    path = Path(".dvc/tmp/rwlock")
    held = [path.with_name("lock"), path.with_name("rwlock.lock")]  # by that they are there
    by_file = _dvc_config().get("core", "hardlink_lock", fallback="").lower() == "true"
    try:
        free = not path.exists() or not any(json.loads(path.read_bytes()).values())
    except (OSError, ValueError, AttributeError, RecursionError):
        free = False
    free = free and not (by_file and any(each.exists() for each in held))
    return free, "locks", "DVC is free" if free else versioning.LOCKED


def _shown(remote: str) -> str:
    """The address without user, password, query and fragment: it goes to logs and summaries."""
    try:
        parts = urlsplit(remote)
    except ValueError:
        return "an address that cannot be read"
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _dvc_config() -> configparser.ConfigParser:
    """The project's and the user's settings of DVC."""
    parser = configparser.ConfigParser(interpolation=None)
    for path in (".dvc/config", ".dvc/config.local"):
        try:
            parser.read(path, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError):  # its text may hold a password
            raise InputError(
                f"{path} is damaged: restore it, or write it again: `dvc remote add`"
            ) from None
    return parser
