"""Projects where real people and machines work: users without a name, odd paths, proxies, locks."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import bake
import pytest
from life import attempt, champion, path_without, twin
from needs import missing

DEAD = "http://127.0.0.1:9"
NOBODY = "mount --bind {passwd} /etc/passwd && umask 077 && exec make run"


def isolated(*words: str) -> list[str]:
    """A command with mounts of its own; skipped with the reason where that is not allowed."""
    command = ["unshare", "--mount", "--", *words]
    if not shutil.which("unshare") or bake.run(*command[:3], "true", cwd=Path("/")).returncode:
        missing("unshare --mount is not allowed here: only root may")
    return command


@pytest.mark.slow
def test_a_run_passes_without_name_home_git_and_umask_in_an_odd_path_behind_a_proxy(
    lived: Path, tmp_path: Path
) -> None:
    """One run for all: what fails says which of them it was."""
    (tmp_path / "with space %2F 100%").mkdir()
    project = twin(lived, tmp_path / "with space %2F 100%" / "project")
    for name in (".git", ".dvc/cache", "data", "models", "reports"):
        shutil.rmtree(project / name)
    for name in ("dvc.lock", "mlflow.db"):
        (project / name).unlink()
    settings = f"[cache]\n    dir = {tmp_path}/cache\n    type = symlink\n"
    (project / ".dvc/config.local").write_text(settings, encoding="utf-8")
    users = Path("/etc/passwd").read_text(encoding="utf-8").splitlines(keepends=True)
    others = [line for line in users if line.split(":")[2] != str(os.getuid())]
    (tmp_path / "passwd").write_text("".join(others), encoding="utf-8")
    (tmp_path / "bin").mkdir()
    environment = {
        **dict.fromkeys(("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"), DEAD),
        "PATH": path_without(tmp_path / "bin", "git", "uv"),
        "PYTHONPATH": bake.code_of(project),
    }
    command = isolated("sh", "-c", NOBODY.format(passwd=tmp_path / "passwd"))
    done = subprocess.run(
        command, cwd=project, env=environment, capture_output=True, encoding="utf-8", timeout=900
    )
    said = f"{done.stdout}\n{done.stderr}"
    assert done.returncode == 0, said
    assert "Traceback" not in said
    assert champion(project)["digest"] == champion(lived)["digest"]
    assert json.loads((project / "models/mlflow.json").read_bytes())["aliases"]
    assert (project / "models/candidate/encoder.json").is_symlink()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("content", "works"), [('{"write": {}, "read"', False), ("", False), ("{}", True)]
)
def test_a_lock_that_its_process_left_says_its_remedy_or_is_taken_over(
    content: str, works: bool, lived: Path, tmp_path: Path
) -> None:
    project = twin(lived, tmp_path / "project")
    for name in ("lock", "rwlock", "rwlock.lock"):
        (project / ".dvc/tmp" / name).write_text("4194300\n" if name != "rwlock" else content)
    done = attempt(project, "evaluate")
    assert (done.returncode == 0) == works, done.stderr
    if not works:
        assert "`rm -rf .dvc/tmp/rwlock* .dvc/tmp/lock`" in done.stderr
        assert "Traceback" not in done.stderr
        assert "rm -rf .dvc/tmp/rwlock" in attempt(project, "doctor").stdout


@pytest.mark.slow
def test_what_nobody_may_remove_in_the_temporary_folder_turns_no_test_red(
    lived: Path, tmp_path: Path
) -> None:
    project = twin(lived, tmp_path / "project")
    place = "tests/unit/test_temporary.py"
    (project / place).write_text("def test_a_folder(tmp_path):\n    assert tmp_path.is_dir()\n")
    temporary = tmp_path / "temporary"
    for number in range(6):  # pytest keeps three, and removes the oldest at its end
        (temporary / f"pytest-of-root/pytest-{number}/busy").mkdir(parents=True)
    (temporary / "pytest-of-root").chmod(0o700)
    busy = temporary / "pytest-of-root/pytest-0/busy"
    mounted = f'mount --bind "{tmp_path}" "{busy}" && exec "$@"'
    python = project / ".venv/bin/python"
    done = bake.run(
        *isolated("sh", "-c", mounted, "sh", str(python), "-m", "pytest", place),
        cwd=project,
        PYTHONPATH=bake.code_of(project),
        PYTEST_DEBUG_TEMPROOT=str(temporary),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert [*temporary.glob("pytest-of-root/garbage-*")], "nothing was left: the test sees nothing"


def test_a_checkout_with_line_ends_of_windows_is_the_same_project(
    project: Path, tmp_path: Path
) -> None:
    origin = Path(shutil.copytree(project, tmp_path / "origin"))
    (origin / "model.png").write_bytes(b"\x89PNG\r\n\x1a\n\r\n")
    bake.commit(origin, "Born")
    clone = ("clone", "--quiet", "--config", "core.autocrlf=true", "--config", "core.eol=crlf")
    bake.git(tmp_path, *clone, str(origin), "clone")
    assert bake.files(tmp_path / "clone") == bake.files(origin)


def test_a_job_can_write_to_its_copy_of_a_project_that_is_read_only(
    project: Path, tmp_path: Path
) -> None:
    """deploy/work.sh with folders of this test; root is not held back by modes, unless told so."""
    source = Path(shutil.copytree(project, tmp_path / "project"))
    bake.run("chmod", "-R", "a-w", source, cwd=tmp_path)
    job, programs = tmp_path / "job", tmp_path / "bin"
    job.mkdir()
    programs.mkdir()
    (programs / "python").write_text("#!/bin/sh\ntouch model_config.yaml models.new src/new\n")
    (programs / "python").chmod(0o755)
    text = (source / "deploy/work.sh").read_text(encoding="utf-8")
    script = tmp_path / "work.sh"
    script.write_text(text.replace("/project/", f"{source}/").replace("/job", str(job)))
    held = ["setpriv", "--bounding-set=-dac_override", "--"] if os.getuid() == 0 else []
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    try:
        done = bake.run(*held, "sh", script, cwd=job, PATH=path, PACKAGE="p", DVC_REMOTE="/r")
    finally:
        bake.run("chmod", "-R", "u+w", source, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "verify = true" in (job / ".dvc/config.local").read_text(encoding="utf-8")
