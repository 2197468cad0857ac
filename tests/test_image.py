"""The container image: judged as text everywhere, built and run where an engine can be had."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import bake
import pytest
import service as services
from engine import HARDENED, base_image, docker, engine
from service import Service

pytestmark = pytest.mark.xdist_group("engine")  # one engine at a time
CANARY = "CANARY-5150-SECRET"


def test_T19_hadolint_has_nothing_to_say(project: Path) -> None:
    done = bake.run("hadolint", project / "Dockerfile", cwd=project)
    assert (done.returncode, done.stdout) == (0, "")


def test_T19_the_dockerfile_keeps_its_rules(project: Path) -> None:
    text = (project / "Dockerfile").read_text(encoding="utf-8")
    assert set(re.findall(r"^USER (.+)$", text, re.M)) == {"10001:10001"}
    assert re.findall(r"^FROM (\S+) AS (\w+)", text, re.M) == [
        ("${PYTHON_IMAGE}", "packages"),
        ("${PYTHON_IMAGE}", "service"),
        ("${KUBECTL_IMAGE}", "kubectl"),
        ("${PYTHON_IMAGE}", "work"),
    ]
    assert text.count("\nUSER ") == 2  # of the two that run
    assert "--require-hashes" in text
    assert not re.search(r"^(ADD|# syntax)|secret|token|password", text, re.M | re.I)
    ignored = (project / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in ignored if line and not line.startswith("#")]
    assert rules[0] == "*"


@pytest.fixture(scope="module")
def built(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The image of a trained model, built by `make image` in a folder that holds a secret."""
    with engine(tmp_path_factory.mktemp("engine")):
        base = base_image(tmp_path_factory.mktemp("base"))
        born = bake.by_cookiecutter(template, tmp_path_factory.mktemp("image"), {})
        services.train(born)
        (born / ".env").write_text(CANARY)
        (born / "src" / ".env").write_text("")
        words = [f"MODEL={services.MODEL}", "TAG=built:test", f"PYTHON_IMAGE={base}"]
        done = bake.run("make", "image", *words, cwd=born)
        assert done.returncode == 0, f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        yield "built:test"
        docker("image", "rm", "--force", "built:test")


@pytest.mark.slow
def test_T19_the_image_runs_read_only_as_nobody_with_no_capability(built: str) -> None:
    port = services.free_port()
    begin = time.monotonic()
    name = docker("run", "--detach", *HARDENED, "--publish", f"127.0.0.1:{port}:8000", built)
    try:
        process = subprocess.Popen(["docker", "wait", name], stdout=subprocess.PIPE, text=True)
        body = services.example(process, port)
        print(f"ready after {time.monotonic() - begin:.1f} s")
        running = Service(process, port, body)
        assert running.predict()[0] == 200
        identity = docker("exec", name, "sh", "-c", "id -u; grep CapEff /proc/1/status")
        assert identity.split() == ["10001", "CapEff:", "0000000000000000"]
        denied = subprocess.run(
            ["docker", "exec", name, "touch", "/app/x"], capture_output=True, check=False
        )
        assert b"Read-only file system" in denied.stderr
        docker("stop", "--time", "20", name)
        assert process.communicate(timeout=30)[0].strip() == "0"
    finally:
        docker("rm", "--force", name)


@pytest.mark.slow
def test_T19_no_secret_and_nothing_but_the_service_is_in_a_layer(built: str) -> None:
    with subprocess.Popen(["docker", "save", built], stdout=subprocess.PIPE) as saved:
        assert saved.stdout is not None
        tail = b""
        while block := saved.stdout.read(1 << 22):
            assert CANARY.encode() not in tail + block
            tail = block[-100:]
    listed = docker("run", "--rm", "--entrypoint", "ls", built, "-A", "/app", "/model").split()
    assert {"model.json", "encoder.json"} <= set(listed)
    assert not {"tests", "data", "gates.yaml", "requirements"} & set(listed)


@pytest.mark.slow
def test_the_image_says_which_model_it_is(built: str) -> None:
    facts = json.loads(docker("image", "inspect", built))[0]["Config"]
    digest = facts["Labels"]["model.digest"]
    assert f"MODEL_DIGEST={digest}" in facts["Env"]
    assert len(digest) == 64


@pytest.mark.slow
def test_T19_the_packages_of_the_service_stay_below_350_MB(built: str) -> None:
    size = docker("run", "--rm", "--entrypoint", "du", built, "-sm", "/venv").split()[0]
    print(f"packages: {size} MB")
    assert int(size) <= 350
