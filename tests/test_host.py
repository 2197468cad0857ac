"""The tests leave the machine as they found it, and take nothing from it but its package index."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import bake
import plumbum
import pytest

PLANTED = {
    "AWS_SECRET_ACCESS_KEY": "x",
    "CI": "true",
    "CONDA_PREFIX": "x",
    "COPIER_CACHE_DIR": "x",
    "DVC_STUDIO_TOKEN": "x",
    "GIT_DIR": "x",
    "MAKEFLAGS": "-n",
    "MAKELEVEL": "2",
    "MLFLOW_TRACKING_URI": "x",
    "PIP_REQUIRE_VIRTUALENV": "1",
    "PIP_TARGET": "x",
    "PYTHONPATH": "x",
    "PYTHONDONTWRITEBYTECODE": "1",
    "UV_PYTHON": "x",
    "UV_PROJECT_ENVIRONMENT": "x",
    "VIRTUAL_ENV": "x",
    "XDG_CONFIG_HOME": "x",
}
NEEDED = {
    "PATH": "/bin",
    "LANG": "C.UTF-8",
    "PIP_INDEX_URL": "x",
    "PIP_EXTRA_INDEX_URL": "x",
    "PIP_FIND_LINKS": "x",
    "PIP_CERT": "x",
    "SSL_CERT_FILE": "x",
    "UV_CACHE_DIR": "x",
    "UV_DEFAULT_INDEX": "x",
    "UV_INDEX": "x",
    "UV_INDEX_COMPANY_PASSWORD": "x",
}


def test_T10_only_what_points_at_packages_is_kept(tmp_path: Path) -> None:
    clean = bake.scrubbed({**PLANTED, **NEEDED, "HOME": "/nowhere"}, tmp_path)
    assert {name: clean.get(name) for name in PLANTED} == dict.fromkeys(PLANTED)
    assert {name: clean.get(name) for name in NEEDED} == NEEDED
    assert clean["HOME"] == str(tmp_path)


def test_T10_tests_run_in_the_clean_environment() -> None:
    assert [name for name in os.environ if name in PLANTED] == []
    assert dict(plumbum.local.env)["HOME"] == os.environ["HOME"]
    assert os.environ["HOME"] != os.environ.get("HOST_HOME")
    assert Path(bake.run("which", "python", cwd=bake.ROOT).stdout.strip()) == Path(sys.executable)


def host(environment: dict[str, str]) -> dict[str, object]:
    """Packages of the interpreters, git configuration and dot-folders of the one who runs the tests."""

    def said(*command: str) -> str:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        return done.stdout

    home = Path(environment["HOME"])
    names = [".cookiecutters", ".cookiecutter_replay", ".config", ".local/share", ".gitconfig"]
    places = {name: home / name for name in names}
    return {
        "packages": said(sys.executable, "-m", "pip", "list") + said("python3", "-m", "pip", "list"),
        "git config": said("git", "config", "--global", "--list"),
        "repository": said("git", "-C", str(bake.ROOT), "config", "--list", "--local"),
        "home": {name: sorted(p.iterdir()) if p.is_dir() else p.exists() for name, p in places.items()},
    }
