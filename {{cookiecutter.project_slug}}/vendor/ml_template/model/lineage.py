"""Where a model comes from: the git commit, and digests of code, configuration, locks and data."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

from .. import project
from ..settings.config import Config
from ..storage.files import digest, digest_json

KIT = Path(__file__).parents[1]
# Rooms of the kit that can change a model: dvc.yaml trains again when one of them changes.
ROOMS = ("settings", "storage", "tables", "model", "pipeline/data", "pipeline/training")
LOCKS = [Path(f"requirements/{name}.txt") for name in ("dev", "extra", "extra-dev")]
CONFIG = "config.json"  # in a model folder: model_config.yaml as it was in training
# Settings that only judge data, watch the model or steer CI: they make no other model.
NO_PART: dict[str, Any] = {
    **dict.fromkeys(("checks", "monitoring", "notification", "report"), True),
    "compute": {"runner", "gpu"},
    "data": {"memory_gb"},
}
BUILT_FROM = "IMAGE_COMMIT"  # set in the image of jobs: there is no git, and the code is fixed
# Spelled out: a setting of the user's must not hide a new file.
_STATUS = ("--porcelain", "-z", "--no-renames", "--untracked-files=normal")
COMMITTED = (
    *("src", "vendor", "model_config.yaml", "gates.yaml", "dvc.yaml", "requirements"),
    "*.sql",  # what a database is asked, in any folder
)


def digests(config: Config) -> dict[str, str]:
    """SHA-256 of what a model is made from, apart from its data: code, config, lock, schema."""
    full = config.model_dump(mode="json", exclude=NO_PART)
    return {
        "code": _code([project.folder(), *(KIT / room for room in ROOMS)]),
        "config": digest_json(full),
        "lock": digest_json({path.name: digest(path) for path in LOCKS if path.exists()}),
        "schema": digest_json({"columns": full["columns"], "data": full["data"]}),
    }


def package() -> str:
    """SHA-256 of all the code: the project's package and the kit."""
    return _code([project.folder(), KIT])


def _code(folders: list[Path]) -> str:
    """SHA-256 of every file of these folders, as DVC sees them: see .dvcignore."""
    return digest_json([_files(folder) for folder in folders])


def _files(folder: Path) -> dict[str, str]:
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {
        path.relative_to(folder).as_posix(): digest(path)
        for path in paths
        if "__pycache__" not in path.parts
    }


def commit() -> dict[str, Any]:
    """{commit, uncommitted, reason}: HEAD, the paths of COMMITTED that differ from it, and why not.

    `commit` is None where git knows no commit that holds this project; `reason` then says why.
    Without git it is the one that the image of jobs was built from.
    What a run writes does not count as uncommitted.
    """
    try:
        head = git("rev-parse", "--verify", "HEAD").strip()
        held = git("ls-tree", "--name-only", "HEAD", "--", "model_config.yaml", "gates.yaml")
        if len(held.split()) < 2:
            return _unknown("git's last commit does not hold this project: git add, git commit")
        status = git("status", *_STATUS, "--", *COMMITTED)
    except FileNotFoundError:
        built = os.environ.get(BUILT_FROM)
        if built:
            return {"commit": built, "uncommitted": [], "reason": None}
        return _unknown("git is not installed")
    except subprocess.CalledProcessError as error:
        return _unknown(_plain(error.stderr))
    except subprocess.TimeoutExpired:
        return _unknown("git did not answer within 20 s")
    paths = [entry[3:] for entry in status.split("\0") if entry]
    return {"commit": head, "uncommitted": paths, "reason": None}


def in_ci() -> bool:
    """Whether this runs in continuous integration, where lineage must be complete."""
    return os.environ.get("CI", "").lower() not in ("", "0", "false", "no")


def _unknown(reason: str) -> dict[str, Any]:
    return {"commit": None, "uncommitted": [], "reason": reason}


def git(*words: str, errors: str = "replace") -> str:
    """What git prints; raises CalledProcessError, TimeoutExpired or, without git, OSError."""
    return subprocess.run(
        ["git", "--no-optional-locks", *words],  # noqa: S607 - the git of whoever runs this
        check=True,
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors=errors,
        timeout=20,
        env=os.environ | {"LC_ALL": "C"},
    ).stdout


def _plain(message: str) -> str:
    if "not a git repository" in message:
        return "this folder is not under git: git init, git add, git commit"
    if "Needed a single revision" in message:
        return "git has no commit yet: git add, git commit"
    return " ".join(message.split())[:200] or "git failed"
