"""The container images: judged as text everywhere, built and run where an engine can be had."""

from __future__ import annotations

import http.server
import json
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import bake
import dockerfile
import jobs
import pytest
import service as services
from cluster import cluster, gateway
from engine import HARDENED, base_image, docker, engine, kubectl_image
from life import champion
from service import Service
from signer import signer
from test_packages import wheel
from test_rollout import World, image, quick
from traffic import example

pytestmark = pytest.mark.xdist_group("engine")  # one engine at a time
LOCKS = {"packages": "serve", "work": "dev"}  # stage: the lock that only it installs
CANARY = "CANARY-5150-SECRET"


def test_T19_hadolint_has_nothing_to_say(project: Path) -> None:
    done = bake.run("hadolint", project / "Dockerfile", cwd=project)
    assert (done.returncode, done.stdout) == (0, "")


def test_T19_the_dockerfile_holds_what_it_must(project: Path) -> None:
    text = (project / "Dockerfile").read_text(encoding="utf-8")
    assert dockerfile.differences(text) == []
    assert not re.search("secret|token|password|# syntax", text, re.I)
    ignored = (project / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in ignored if line and not line.startswith("#")]
    assert rules[0] == "*"


@pytest.mark.parametrize("fault", dockerfile.FAULTS)
def test_T19_a_planted_fault_in_the_dockerfile_is_found(fault: str, project: Path) -> None:
    text = (project / "Dockerfile").read_text(encoding="utf-8")
    old, new = dockerfile.FAULTS[fault]
    assert old in text
    assert dockerfile.differences(text.replace(old, new, 1))


def test_T19_no_line_of_the_dockerfile_can_be_missing(project: Path) -> None:
    lines = (project / "Dockerfile").read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [
        lines[at]
        for at in range(len(lines))
        if not dockerfile.differences("".join(lines[:at] + lines[at + 1 :]))
    ]
    assert [line for line in kept if line.strip() and not line.startswith("#")] == []


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An image with Python, for an engine that answers until the last test of this file."""
    with engine(tmp_path_factory.mktemp("engine")):
        yield base_image(tmp_path_factory.mktemp("base"))


@dataclass(frozen=True)
class Home:
    """A project in a folder that holds a secret; its data and champion are in the DVC remote."""

    project: Path
    remote: Path


@pytest.fixture(scope="module")
def home(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Home:
    born = bake.by_cookiecutter(template, tmp_path_factory.mktemp("image"), {})
    (born / ".env").write_text(CANARY)
    (born / "src" / ".env").write_text("")
    services.set_up(born)
    services.stage(born, "sample")
    shutil.copy(born / "data/starter.csv", born.parent / "own.csv")
    own = ("adopt", "DATA=../own.csv", "TARGET=defaulted", "SENSITIVE=gender")
    services.stage(born, *own)
    (born / "model_config.yaml.bak").unlink()
    remote = jobs.shared(tmp_path_factory.mktemp("remote") / "storage")
    settings = f"[core]\n    remote = storage\n['remote \"storage\"']\n    url = {remote}\n"
    (born / ".dvc/config.local").write_text(settings)
    bake.commit(born, "Born, with a table of its own")
    services.stage(born, "prepare", "validate", "train", "evaluate", "gate", "register", "push")
    for path in (remote, *remote.rglob("*")):
        path.chmod(0o777 if path.is_dir() else 0o666)
    return Home(born, remote)


def build(project: Path, tag: str, *words: str) -> Iterator[str]:
    """The image of `make image` with these words, until it is not needed any more."""
    begin = time.monotonic()
    done = bake.run("make", "image", f"TAG={tag}", *words, cwd=project)
    assert done.returncode == 0, f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    print(f"{tag}: built in {time.monotonic() - begin:.1f} s")
    yield tag
    docker("image", "rm", "--force", tag)


@pytest.fixture(scope="module")
def built(base: str, home: Home) -> Iterator[str]:
    """The image of the service."""
    yield from build(home.project, "built:test", f"PYTHON_IMAGE={base}")


@pytest.fixture(scope="module")
def work(base: str, home: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The image of jobs."""
    bases = [f"PYTHON_IMAGE={base}", f"KUBECTL_IMAGE={kubectl_image(tmp_path_factory.mktemp('k'))}"]
    yield from build(home.project, "work:test", "FOR=work", *bases)


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


def holds_the_secret(image: str) -> bool:
    """Whether it is in a layer."""
    with subprocess.Popen(["docker", "save", image], stdout=subprocess.PIPE) as saved:
        assert saved.stdout is not None
        found, tail = False, b""
        while block := saved.stdout.read(1 << 22):
            found = found or CANARY.encode() in tail + block
            tail = block[-100:]
    return found


@pytest.mark.slow
def test_T19_no_secret_and_nothing_but_the_service_is_in_a_layer(built: str) -> None:
    assert not holds_the_secret(built)
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


@pytest.mark.slow
def test_T19_no_secret_is_in_a_layer_of_the_image_of_jobs(work: str) -> None:
    assert not holds_the_secret(work)
    listed = docker("run", "--rm", "--entrypoint", "ls", work, "-A", "/project", "/project/data")
    assert {"gates.yaml", "own.csv.dvc"} <= set(listed.split())
    assert not {".env", ".git", ".venv", "tests", "own.csv"} & set(listed.split())


def manifest(home: Home, name: str) -> Path:
    """The YAML of a Job or CronJob."""
    return home.project / "deploy/k8s" / name


def changed(home: Home, name: str, old: str, new: str, folder: Path) -> list[str]:
    """Options of docker that lay a changed copy of a file over the one in the image of jobs."""
    text = (home.project / name).read_text(encoding="utf-8")
    assert old in text
    copy = folder / name
    copy.write_text(text.replace(old, new), encoding="utf-8")
    return ["--volume", f"{copy}:/project/{name}:ro"]


@pytest.mark.slow
def test_the_training_job_fetches_the_data_and_pushes_a_new_challenger(
    work: str, home: Home, tmp_path: Path
) -> None:
    options = changed(home, "model_config.yaml", "seed: 7", "seed: 8", tmp_path)
    options += ["--volume", f"{home.remote}:/remote", "--env", "DVC_REMOTE=/remote"]
    job = jobs.shared(tmp_path / "job")
    begin = time.monotonic()
    done = jobs.run(work, manifest(home, "jobs/train/job.yaml"), {"/job": job}, *options)
    print(f"trained in {time.monotonic() - begin:.1f} s\n{done.stdout}")
    assert done.returncode == 0, f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    made = json.loads((job / "models/challenger.json").read_bytes())
    assert made["digest"] != champion(home.project)["digest"]
    assert made["commit"] == bake.git(home.project, "rev-parse", "HEAD")
    assert champion(job) == champion(home.project)
    assert json.loads((home.remote / "models/challenger.json").read_bytes()) == made
    assert (home.remote / made["model"] / "model.json").is_file()


@contextmanager
def pushgateway() -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    """Its address, and what was put there: path and text."""
    taken: list[tuple[str, bytes]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            taken.append((self.path, self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", taken
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.slow
def test_the_monitoring_job_finds_drift_in_the_mounted_log_and_pushes_it(
    work: str, home: Home, tmp_path: Path
) -> None:
    log, job = tmp_path / "predictions", jobs.shared(tmp_path / "job")
    model = champion(home.project)["model"]
    with services.serving(
        home.project, model=model, SERVE_LOG=str(log), SERVE_LOG_FEATURES="true"
    ) as running:
        assert running.predict(running.rows(600))[0] == 200
    for path in (log, *log.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    with pushgateway() as (address, taken):
        done = jobs.run(
            work,
            manifest(home, "monitor/cronjob.yaml"),
            {"/job": job, "/predictions": log},
            *("--env", f"PUSHGATEWAY_URL={address}/metrics/job/example"),
            *("--volume", f"{home.remote}:/remote", "--env", "DVC_REMOTE=/remote"),
        )
    assert done.returncode == 3, f"{done.stdout}\n{done.stderr}"  # an alarm: one row, 600 times
    found = json.loads((job / "reports/monitoring.json").read_bytes())
    assert found["model"] == champion(home.project)["digest"]
    assert (found["state"], found["windows"][0]["rows"]) == ("alarm", 600)
    assert taken == [("/metrics/job/example", (job / "reports/monitoring.prom").read_bytes())]


@pytest.mark.slow
def test_the_rollout_job_drives_a_release_with_the_token_of_its_pod(
    work: str, home: Home, tmp_path: Path
) -> None:
    port = services.free_port()
    gates = tmp_path / "gates.yaml"
    gates.write_text(quick((home.project / "gates.yaml").read_text("utf-8")), "utf-8")
    with cluster(tmp_path) as made, gateway(made, port, tmp_path / "log"):
        made.images = {image("good"): home.project, image("next"): home.project}
        known = example(home.project)
        world = World(home.project, made, port, known, signer(tmp_path / "signer"))
        world.deploy("good")
        world.until(world.serves)
        world.deploy("good", "next", "canary")
        world.until(lambda: world.ready("-canary"))
        volumes = {"/job": jobs.shared(tmp_path / "job")}
        with world.traffic() as seen, jobs.in_cluster(made, tmp_path) as options:
            options += ["--volume", f"{gates}:/project/gates.yaml:ro"]
            done = jobs.run(work, manifest(home, "jobs/rollout/job.yaml"), volumes, *options)
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        weight, state = world.route()
    assert (weight, (state or {})["phase"]) == (99, "passed")
    assert seen.failed() == 0


@pytest.mark.slow
def test_the_rollout_job_without_a_cluster_says_so(work: str, home: Home, tmp_path: Path) -> None:
    job = jobs.shared(tmp_path / "job")
    done = jobs.run(work, manifest(home, "jobs/rollout/job.yaml"), {"/job": job})
    assert done.returncode == 1
    assert "no cluster answers" in done.stderr


@pytest.fixture(scope="module")
def empty(base: str, project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose locks are empty."""
    folder = shutil.copytree(project, tmp_path_factory.mktemp("empty") / "project")
    for name in ("serve", "dev", "extra", "extra-dev"):
        (folder / f"requirements/{name}.txt").write_text("")
    return folder


def packages(
    empty: Path, base: str, stage: str, folder: Path, **files: str
) -> subprocess.CompletedProcess[str]:
    """Build `stage`; its lock has one package, which brings these files, and its base has it."""
    line = wheel(folder, "planted", **files)
    steps = f"FROM {base}\nCOPY *.whl /wheels/\nENV PIP_NO_INDEX=1 PIP_FIND_LINKS=/wheels\n"
    (folder / "Dockerfile").write_text(steps)
    docker("build", "--tag", "wheels:test", str(folder))
    for name, lock in LOCKS.items():  # an older engine builds the stages above it too
        (empty / f"requirements/{lock}.txt").write_text(line if name == stage else "")
    given = ["--build-arg=PYTHON_IMAGE=wheels:test", f"--build-arg=KUBECTL_IMAGE={base}"]
    return bake.run("docker", "build", "--target", stage, *given, ".", cwd=empty)


def test_what_only_training_needs_is_in_the_image_of_jobs_and_not_in_that_of_the_service(
    project: Path,
) -> None:
    text = (project / "Dockerfile").read_text(encoding="utf-8")
    stages = {part.partition("\n")[0].split()[-1]: part for part in text.split("\nFROM ")[1:]}
    assert "extra.txt" in stages["packages"]
    assert not [name for name in ("packages", "service") if "extra-dev" in stages[name]]
    assert not [name for name in ("packages", "service") if "extra*" in stages[name]]
    assert "-r /requirements/extra-dev.txt" in stages["work"]


@pytest.mark.slow
@pytest.mark.parametrize("stage", LOCKS)
def test_T18_a_locked_package_that_runs_by_itself_stops_the_build(
    stage: str, base: str, empty: Path, tmp_path: Path
) -> None:
    done = packages(empty, base, stage, tmp_path, evil__pth="import os\n")
    assert done.returncode != 0
    assert "evil.pth runs whenever Python starts" in done.stdout + done.stderr


@pytest.mark.slow
def test_T18_a_locked_package_that_does_not_is_built_in(
    base: str, empty: Path, tmp_path: Path
) -> None:
    done = packages(empty, base, "packages", tmp_path)
    assert done.returncode == 0, done.stderr
