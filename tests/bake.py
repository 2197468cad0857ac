"""Generate projects with either engine, from a frozen template and in a clean environment."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import copier
import yaml
from cookiecutter.main import cookiecutter

ROOT = Path(__file__).resolve().parents[1]
TREE = "{{cookiecutter.project_slug}}"
Answers = Mapping[str, str]

# What could steer a tool inside a test, against what only says where packages come from.
STRIPPED = re.compile(
    r"(AWS|CONDA|COOKIECUTTER|COPIER|DVC|GIT|MLFLOW|PIP|PYENV|PYTHON|UV|XDG)_|PYTHON|MAKE|MFLAGS$|CI$|VIRTUAL_ENV"
)
KEPT = re.compile(
    r"(UV|PIP)_(\w*INDEX\w*|FIND_LINKS|CACHE_DIR|CONFIG_FILE|CERT|CLIENT_CERT|NATIVE_TLS|SYSTEM_CERTS"
    r"|TRUSTED_HOST|INSECURE_HOST|PROXY|DEFAULT_TIMEOUT|HTTP_TIMEOUT)$|PYTHON_IMAGE$"
)


KIT = "vendor/ml_template"


def code_of(project: Path) -> str:
    """PYTHONPATH of a project that shares the .venv of another."""
    return os.pathsep.join(str(project / folder) for folder in ("src", "vendor"))


def scrubbed(environ: Mapping[str, str], home: Path) -> dict[str, str]:
    """The environment for tests: none of the host's settings or projects, a home of its own."""
    kept = {k: v for k, v in environ.items() if KEPT.match(k) or not STRIPPED.match(k)}
    old_home = Path(environ.get("HOME", "/"))
    for name, place in {
        "PIP_CONFIG_FILE": old_home / ".config/pip/pip.conf",
        "UV_CONFIG_FILE": old_home / ".config/uv/uv.toml",
        "UV_CACHE_DIR": old_home / ".cache/uv",
        "PIP_CACHE_DIR": old_home / ".cache/pip",
    }.items():
        if place.exists():
            kept.setdefault(name, str(place))
    git_config = home / ".gitconfig"
    settings = "[user]\nname = Example\nemail = test@example.com\n[init]\ndefaultBranch = main\n"
    git_config.write_text(settings, encoding="utf-8")
    config = {"cookiecutters_dir": str(home / "clones"), "replay_dir": str(home / "replay")}
    cookiecutter_config = home / "cookiecutter.yaml"
    cookiecutter_config.write_text(yaml.safe_dump(config), encoding="utf-8")
    return kept | {
        "COOKIECUTTER_CONFIG": str(cookiecutter_config),
        "HOME": str(home),
        "GIT_CONFIG_GLOBAL": str(git_config),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "PIP_REQUIRE_VIRTUALENV": "1",
    }


PACKAGES = (
    "import importlib.metadata as m; print(*sorted({f'{d.name} {d.version}' for d in "
    "m.distributions()}), sep='\\n')"
)
Host = dict[str, frozenset[str]]


def host(environment: Mapping[str, str]) -> Host:
    """What tests must not change, line by line: packages of two interpreters, git's settings."""
    commands = {
        "packages of the tests": [sys.executable, "-c", PACKAGES],
        "packages of python3": ["python3", "-c", PACKAGES],
        "git config --global": ["git", "config", "--global", "--list"],
        "git config --local": ["git", "-C", str(ROOT), "config", "--local", "--list"],
    }
    return {
        name: frozenset(
            subprocess.run(
                c, env=dict(environment), capture_output=True, text=True, check=False
            ).stdout.splitlines()
        )
        for name, c in commands.items()
    }


def changed(before: Host, after: Host) -> list[str]:
    """What is gone from the host and what is new, by name.

    A new package of python3 is none of the tests': pip refuses them there (`scrubbed`), so
    somebody else installed or renewed it meanwhile.
    """
    found = []
    for name, lines in before.items():
        gone, new = lines - after[name], after[name] - lines
        if name == "packages of python3":
            renewed = {line.partition(" ")[0] for line in new}
            gone = frozenset(line for line in gone if line.partition(" ")[0] not in renewed)
            new = frozenset()
        found += [f"{name}: gone: {line}" for line in sorted(gone)]
        found += [f"{name}: new: {line}" for line in sorted(new)]
    return found


def run(
    *command: str | Path, cwd: Path, text: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end on the input `text`; the caller looks at what came of it."""
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=os.environ | {"PWD": str(cwd)} | environment,
        capture_output=True,
        encoding="utf-8",
        input=text,
        check=False,
    )


def git(folder: Path, *arguments: str) -> str:
    done = run("git", *arguments, cwd=folder)
    assert done.returncode == 0, f"git {' '.join(arguments)}: {done.stderr}"
    return done.stdout.strip()


def commit(folder: Path, message: str, tag: str = "") -> None:
    """Commit all of a folder, as a repository of its own; `tag` marks a release."""
    if not (folder / ".git").exists():
        git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", message)
    if tag:
        git(folder, "tag", tag)


def freeze(target: Path) -> Path:
    """Copy the working tree (tracked and new files, nothing ignored) to an empty folder."""
    listed = git(ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    return target


@dataclass(frozen=True)
class Entry:
    """One path of a project: what it is, whether its owner may execute it, and its bytes."""

    is_folder: bool
    is_executable: bool
    content: bytes


def tree(folder: Path) -> dict[str, Entry]:
    """Everything below a folder, empty folders included, `.git` left out."""
    entries = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if not name.startswith(".git/") and name != ".git":
            is_folder = path.is_dir()
            executable = not is_folder and bool(path.stat().st_mode & 0o100)
            entries[name] = Entry(is_folder, executable, b"" if is_folder else path.read_bytes())
    return entries


def files(folder: Path) -> dict[str, bytes]:
    """The files of a project by name, its answers file left out."""
    return {
        name: entry.content
        for name, entry in tree(folder).items()
        if not entry.is_folder and name != ".copier-answers.yml"
    }


def by_cookiecutter(template: str | Path, into: Path, answers: Answers, **options: Any) -> Path:
    """Generate in-process; the project is a new folder in `into`."""
    into.mkdir(parents=True, exist_ok=True)
    settings = {"no_input": True, "output_dir": str(into), **options}
    return Path(cookiecutter(str(template), extra_context=dict(answers), **settings))


def by_copier(template: str | Path, target: Path, answers: Answers, **options: Any) -> Path:
    """Generate in-process, from HEAD of the template, with no trust given."""
    settings = {"defaults": True, "vcs_ref": "HEAD", "quiet": True, **options}
    copier.run_copy(str(template), target, data=dict(answers), **settings)
    return target


def update(project: Path, **options: Any) -> None:
    """A bare `copier update` of a project that is under git."""
    copier.run_update(project, defaults=True, overwrite=True, quiet=True, **options)


def releases(repository: Path = ROOT) -> dict[str, str]:
    """Tag and commit of each release of this template, oldest first, by title in its history."""
    log = git(repository, "log", "--reverse", "--format=%H %s")
    found = (
        re.fullmatch(r"([0-9a-f]+) Release (v\d+\.\d+\.\d+)", line) for line in log.splitlines()
    )
    return {match[2]: match[1] for match in found if match}


def release_lab(folder: Path) -> list[str]:
    """Clone this template with every release tagged and the working tree as the next; all tags."""
    git(folder.parent, "clone", "--quiet", str(ROOT), folder.name)
    tags = releases()
    for tag, sha in tags.items():
        git(folder, "tag", "--force", tag, sha)
    git(folder, "checkout", "--quiet", "-B", "main")
    git(folder, "rm", "--quiet", "-r", ".")
    freeze(folder)
    commit(folder, "The working tree", tag="v999.0.0")
    return [*tags, "v999.0.0"]
