"""T18: what `make setup` installs is what the lock names, and nothing that runs by itself."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import bake
import pytest
from life import path_without

PROOF = "ran"


def wheel(index: Path, name: str, **files: str) -> str:
    """Put a wheel of `name` 1.0 with these files into a local index; its line in a lock."""
    meta = f"{name}-1.0.dist-info"
    content = {path.replace("__", "."): text for path, text in files.items()} | {
        f"{name}.py": "",
        f"{meta}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{meta}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = [f"{path},sha256={_digest(text)},{len(text)}" for path, text in content.items()]
    content[f"{meta}/RECORD"] = "\n".join([*record, f"{meta}/RECORD,,", ""])
    path = index / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for inside, text in content.items():
            archive.writestr(inside, text)
    return f"{name}==1.0 --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


@pytest.fixture
def index(project: Path, tmp_path: Path) -> Path:
    """A folder of wheels beside a folder with nothing of a project but its requirements."""
    (tmp_path / "index").mkdir()
    (tmp_path / "project/requirements").mkdir(parents=True)
    for name in ("setup.sh", "pth.sh", "extra.in", "extra-dev.in"):
        text = (project / "requirements" / name).read_text(encoding="utf-8")
        (tmp_path / "project/requirements" / name).write_text(text, encoding="utf-8")
    for name in ("extra", "extra-dev"):
        (tmp_path / f"project/requirements/{name}.txt").write_text("")
    return tmp_path / "index"


def setup(index: Path, lock: str, path: str) -> subprocess.CompletedProcess[str]:
    """Run setup.sh with that lock and no other index."""
    folder = index.parent / "project"
    (folder / "requirements/dev.txt").write_text(lock, encoding="utf-8")
    places = {f"{tool}_FIND_LINKS": str(index) for tool in ("UV", "PIP")}
    alone = {"UV_NO_INDEX": "1", "PIP_NO_INDEX": "1", "PATH": path}
    return bake.run("/bin/sh", "requirements/setup.sh", "3.11", cwd=folder, **places, **alone)


@pytest.fixture(params=["uv", pytest.param("pip", marks=pytest.mark.slow)])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A PATH with uv, and one without: then pip installs."""
    return os.environ["PATH"] if request.param == "uv" else path_without(tmp_path, "uv", "uvx")


def test_T18_what_the_lock_names_is_installed(index: Path, path: str) -> None:
    done = setup(index, wheel(index, "good"), path)
    assert done.returncode == 0, done.stderr
    assert (index.parent / "project/.venv/.ready").exists()


def test_T18_a_package_with_another_hash_than_the_lock_is_refused(index: Path, path: str) -> None:
    line = wheel(index, "good")
    changed = line[:-2] + ("1" if line[-2] == "0" else "0") + "\n"
    done = setup(index, changed, path)
    assert done.returncode != 0
    assert "hash" in done.stderr.lower()
    assert not (index.parent / "project/.venv/.ready").exists()


def test_a_setup_that_takes_long_says_that_it_goes_on(
    index: Path, path: str, tmp_path: Path
) -> None:
    """Its `sleep` takes no time, and what installs waits until a person was told three times."""
    programs, told = tmp_path / "programs", tmp_path / "told"
    programs.mkdir()
    real = {name: shutil.which(name, path=path) for name in ("sleep", "uv", "python3.11")}
    waits = f"until [ $(wc -l <{told}) -ge 4 ]; do {real['sleep']} 0.02; done"
    scripts = {"sleep": f"echo >>{told}; exec {real['sleep']} 0.02"}
    name = "uv" if real["uv"] else "python3.11"
    scripts[name] = f'case "$*" in *sync*|*venv*) {waits};; esac; exec {real[name]} "$@"'
    told.touch()
    for each, script in scripts.items():
        (programs / each).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        (programs / each).chmod(0o755)
    done = setup(index, wheel(index, "good"), f"{programs}:{path}")
    assert done.returncode == 0, done.stderr
    for seconds in (5, 10, 15):
        assert f"setup: installing the packages ({seconds} s)\n" in done.stderr


@pytest.mark.parametrize("name", ["evil__pth", "sitecustomize__py"])
def test_T18_a_locked_package_that_runs_whenever_python_starts_is_refused_before_it_does(
    index: Path, path: str, name: str
) -> None:
    proof = index / PROOF
    line = wheel(index, "bad", **{name: f"import pathlib; pathlib.Path({str(proof)!r}).touch()\n"})
    done = setup(index, line, path)
    assert done.returncode != 0
    assert f"{name.replace('__', '.')} runs whenever Python starts" in done.stderr
    assert not (index.parent / "project/.venv").exists()
    assert not proof.exists()


def test_T18_one_that_is_trusted_by_name_is_let_in(index: Path, path: str) -> None:
    extra = index.parent / "project/requirements/extra.in"
    extra.write_text(extra.read_text(encoding="utf-8") + "# allow known.pth\n", encoding="utf-8")
    done = setup(index, wheel(index, "good", known__pth="import os\n"), path)
    assert done.returncode == 0, done.stderr


def test_T18_what_is_trusted_at_a_desk_is_refused_in_the_image_of_the_service(
    index: Path, path: str
) -> None:
    requirements = index.parent / "project/requirements"
    desk = requirements / "extra-dev.in"
    desk.write_text(desk.read_text(encoding="utf-8") + "# allow known.pth\n", encoding="utf-8")
    (requirements / "extra-dev.txt").write_text(wheel(index, "good", known__pth="import os\n"))
    done = setup(index, wheel(index, "other"), path)
    assert done.returncode == 0, done.stderr
    venv = index.parent / "project/.venv"
    assert next(venv.glob("lib/python*/site-packages/good.py")).exists()
    desk.unlink()  # which the stage of the service does not copy
    refused = bake.run("/bin/sh", "requirements/pth.sh", ".venv", cwd=venv.parent)
    assert refused.returncode != 0
    assert "known.pth runs whenever Python starts" in refused.stderr
    assert "No such file" not in refused.stderr


def gone(python: Path) -> None:
    """What an upgrade of the system leaves of .venv/bin/python."""
    python.unlink()
    python.symlink_to("/no/such/folder/bin/python3.11")


def not_a_program(python: Path) -> None:
    python.unlink()
    python.write_bytes(b"\x7fELF of another machine")
    python.chmod(0o755)


def broken(python: Path) -> None:
    python.unlink()
    python.write_text("#!/bin/sh\nexit 127\n")
    python.chmod(0o755)


def not_executable(python: Path) -> None:
    python.unlink()
    python.write_text("nothing")


def folder_gone(python: Path) -> None:
    shutil.rmtree(python.parent)


@pytest.mark.parametrize("fault", [gone, not_a_program, broken, not_executable, folder_gone])
def test_a_venv_whose_python_does_not_start_is_made_anew(
    fault: Callable[[Path], None], index: Path, project: Path
) -> None:
    lock, folder = wheel(index, "good"), index.parent / "project"
    assert setup(index, lock, os.environ["PATH"]).returncode == 0
    fault(folder / ".venv/bin/python")
    shutil.copy(project / "Makefile", folder)
    places = {"UV_FIND_LINKS": str(index), "UV_NO_INDEX": "1"}
    made = bake.run("make", "setup", cwd=folder, **places)
    assert made.returncode == 0, made.stderr
    assert "is made anew" in made.stdout
    started = bake.run(folder / ".venv/bin/python", "-c", "import good", cwd=folder)
    assert started.returncode == 0, started.stderr


def of_another_version(site: Path) -> None:
    site.parent.rename(site.parents[1] / "python3.99")


def emptied(site: Path) -> None:
    for path in site.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def cut_off(site: Path) -> None:
    emptied(site)
    (site.parents[2] / ".ready").unlink()


@pytest.mark.parametrize("fault", [of_another_version, emptied, cut_off])
def test_a_venv_whose_python_has_no_packages_gets_them(
    fault: Callable[[Path], None], index: Path, project: Path, path: str
) -> None:
    lock, folder = wheel(index, "good"), index.parent / "project"
    assert setup(index, lock, path).returncode == 0
    (site,) = (folder / ".venv/lib").glob("python3*/site-packages")
    fault(site)
    shutil.copy(project / "Makefile", folder)
    places = {f"{tool}_FIND_LINKS": str(index) for tool in ("UV", "PIP")}
    alone = {"UV_NO_INDEX": "1", "PIP_NO_INDEX": "1", "PATH": path}
    made = bake.run("make", "setup", cwd=folder, **places, **alone)
    assert made.returncode == 0, made.stderr
    started = bake.run(folder / ".venv/bin/python", "-c", "import good", cwd=folder)
    assert started.returncode == 0, started.stderr
    assert "setup:" not in bake.run("make", "setup", cwd=folder, **alone).stdout


def test_a_venv_that_works_is_left_alone(index: Path, project: Path) -> None:
    lock, folder = wheel(index, "good"), index.parent / "project"
    assert setup(index, lock, os.environ["PATH"]).returncode == 0
    shutil.copy(project / "Makefile", folder)
    assert "setup:" not in bake.run("make", "setup", cwd=folder).stdout


def test_where_no_venv_is_nothing_was_looked_at(index: Path) -> None:
    script = index.parent / "project/requirements/pth.sh"
    done = bake.run("/bin/sh", script, index, cwd=index)
    assert done.returncode != 0
    assert "site-packages" in done.stderr
