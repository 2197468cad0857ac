"""The tests leave the machine as they found it, and take nothing from it but its package index."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
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


def test_T10_a_changed_host_is_named(tmp_path: Path) -> None:
    """The comparison at the end of every run of the tests (`clean_environment`) can fail."""
    environment = bake.scrubbed(dict(os.environ), tmp_path)
    before = bake.host(environment)
    assert bake.changed(before, bake.host(environment)) == []
    subprocess.run(
        ["git", "config", "--global", "user.name", "Changed"], env=environment, check=True
    )
    assert bake.changed(before, bake.host(environment)) == [
        "git config --global: gone: user.name=Example",
        "git config --global: new: user.name=Changed",
    ]


HOST = {
    "packages of the tests": frozenset({"a 1"}),
    "packages of python3": frozenset({"a 1", "b 1"}),
}


@pytest.mark.parametrize(
    ("name", "after", "said"),
    [
        ("packages of the tests", {"a 1", "b 1"}, ["new: b 1"]),
        ("packages of the tests", {"a 2"}, ["gone: a 1", "new: a 2"]),
        ("packages of python3", {"a 1"}, ["gone: b 1"]),
        # somebody else installs or renews one meanwhile
        ("packages of python3", {"a 1", "b 1", "c 1"}, []),
        ("packages of python3", {"a 1", "b 2"}, []),
    ],
)
def test_T10_packages_that_others_install_meanwhile_are_no_fault(
    name: str, after: set[str], said: list[str]
) -> None:
    found = bake.changed(HOST, HOST | {name: frozenset(after)})
    assert found == [f"{name}: {line}" for line in said]


def test_T10_no_test_can_install_into_the_python_of_the_host(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "planted-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("planted.py", "")
    real = sys.base_prefix + "/bin/python3"
    done = bake.run(real, "-m", "pip", "install", wheel.filename or "", cwd=tmp_path)
    assert done.returncode != 0
    assert "virtualenv" in done.stderr


def test_what_is_skipped_is_said_at_the_end_with_the_package_to_install(tmp_path: Path) -> None:
    """A machine with nothing but Python: each reason once, with the number of its tests."""
    (tmp_path / "conftest.py").write_text("from needs import pytest_terminal_summary\n")
    (tmp_path / "test_all.py").write_text(
        "import needs\nimport pytest\n\n\n"
        "@pytest.mark.parametrize('number', range(3))\n"
        "def test_it(number):\n    needs.needed('kubectl')\n"
    )
    words = ("-m", "pytest", "-n", "2", "-p", "no:cacheprovider", "--rootdir", tmp_path, tmp_path)
    alone = {"PATH": str(tmp_path), "PYTHONPATH": str(bake.ROOT / "tests"), "NO_SKIPS": ""}
    done = bake.run(sys.executable, *words, cwd=tmp_path, **alone)
    assert done.stdout.count("kubectl is missing") == 1
    assert "SKIPPED: 3 tests: kubectl is missing: run `make tools` or install" in done.stdout
    done = bake.run(sys.executable, *words, cwd=tmp_path, **(alone | {"NO_SKIPS": "1"}))
    assert done.returncode == 1
    assert "3 failed" in done.stdout


def test_setup_keeps_the_uv_that_stands_in_the_environment_itself(tmp_path: Path) -> None:
    """Where .venv is activated, the uv on the PATH is the one that `make setup` renews."""
    shutil.copy2(bake.ROOT / "Makefile", tmp_path)
    for name in ("requirements/dev.txt", "tests/ci/package-lock.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    made = bake.run(sys.executable, "-m", "venv", "--without-pip", ".venv", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    uv = tmp_path / ".venv/bin/uv"
    clear = 'case "$*" in venv*--clear*) rm -rf .venv ;; esac'
    uv.write_text(f'#!/bin/sh\n{clear}\necho "$1 $2" >> said\n')
    uv.chmod(0o755)
    (tmp_path / ".venv/bin/npm").symlink_to("/bin/true")
    path = f"{uv.parent}{os.pathsep}{os.environ['PATH']}"
    done = bake.run("make", "setup", cwd=tmp_path, PATH=path)
    assert done.returncode == 0, done.stderr
    assert uv.exists()
    assert "pip sync" in (tmp_path / "said").read_text(encoding="utf-8")
