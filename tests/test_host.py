"""The tests leave the machine as they found it, and take nothing from it but its package index."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import bake
import plumbum

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
    "PYTHON_IMAGE": "x",
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
    assert Path(os.environ["COOKIECUTTER_CONFIG"]).is_relative_to(os.environ["HOME"])
    assert Path(bake.run("which", "python", cwd=bake.ROOT).stdout.strip()) == Path(sys.executable)


def test_T10_a_changed_host_is_noticed(tmp_path: Path) -> None:
    """The comparison at the end of every run of the tests (`clean_environment`) can fail."""
    environment = bake.scrubbed(dict(os.environ), tmp_path)
    before = bake.host(environment)
    assert bake.host(environment) == before
    subprocess.run(
        ["git", "config", "--global", "user.name", "Changed"], env=environment, check=True
    )
    assert bake.host(environment) != before
