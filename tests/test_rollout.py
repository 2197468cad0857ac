"""Rollouts as drills: real services behind the real Traefik, which reads the real HTTPRoute (slow).

The manifests are those of the project, put together by kubectl. With DRILL_FIGURES=file each drill
adds a line of JSON to that file.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import bake
import pytest
import yaml
from cluster import Cluster, cluster, gateway
from life import champion, make, twin
from mirror import mirroring
from service import free_port, package
from signer import sign, signer
from traffic import answered, bodies, example, sending

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("rollout")]
RULES = {
    "steps": "[10, 50, 100]",
    "seconds": "{step: 2.5, deadline: 25}",
    "min_requests": "40",
    # a canary has some forty answers here: a few that the machine delays are no reason to end it
    "ratios": "{p99: 5.0, memory: 2.0}",
}
PREDICT = "        return self.model.predict(self.records.columns(records))\n"
COUNTED = "        self.planted = getattr(self, 'planted', 0) + 1\n"
# what is planted into the code of an image: file, and what stands before (or for) the answer
BAD = {
    # by the record: a request that fails among others is asked once more by itself
    "errors": ("serving/predict.py", f"        1 / (len(str(records[-1])) % 3)\n{PREDICT}"),
    "slow": ("serving/predict.py", f"        __import__('time').sleep(0.25)\n{PREDICT}"),
    "wrong predictions": ("serving/predict.py", f"{PREDICT.rstrip()}[:, ::-1]\n"),
    # half a megabyte: memory touched for the first time is slow on some machines, and the reason
    # shall be the memory
    "leak": (
        "serving/predict.py",
        f"        self.leak = [*getattr(self, 'leak', ()), b'x' * (1 << 19)]\n{PREDICT}",
    ),
    "crash loop": (
        "serving/predict.py",
        f"{COUNTED}        self.planted < 30 or __import__('os')._exit(1)\n{PREDICT}",
    ),
    "never ready": ("features.py", "import time\n\ntime.sleep(3600)\nimport numpy as np\n"),
}
REASONS = {
    "errors": "failed: ",
    "slow": "slow: ",
    "wrong predictions": "answers otherwise than stable",
    "leak": "memory: ",
    "crash loop": "restarted",
    "never ready": "not decided within 25 seconds",
}


def digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def image(name: str) -> str:
    return f"registry.example.com/model@sha256:{digest('image ' + name)}"


def quick(gates: str) -> str:
    """The text of gates.yaml with quick steps."""
    for key, value in RULES.items():
        rule = rf"(?m)^  {key}: (?=[\[{{\d]).*(?=\n(  |\n))"
        gates = re.sub(rule, f"  {key}: {value}", gates, count=1)
    return gates


@pytest.fixture(scope="module")
def project(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The default project with quick steps, a champion and a challenger."""
    born = bake.by_cookiecutter(template, tmp_path_factory.mktemp("rollout"), {})
    gates = born / "gates.yaml"
    gates.write_text(quick(gates.read_text(encoding="utf-8")), encoding="utf-8")
    bake.commit(born, "Born")
    make(born, "setup", "run")
    config = born / "model_config.yaml"
    config.write_text(config.read_text(encoding="utf-8").replace("seed: 7", "seed: 8"), "utf-8")
    make(born, "run")
    return born


@dataclass
class World:
    """A project, the cluster it is deployed to, and the port of the gateway."""

    project: Path
    cluster: Cluster
    port: int
    example: dict[str, Any]
    trust: dict[str, str] = field(default_factory=dict)  # the environment of its signatures

    @property
    def name(self) -> str:
        return "example-credit-model"

    @property
    def space(self) -> str:
        return f"{self.name}-staging"

    def command(self, *words: str) -> list[str]:
        return [str(self.project / ".venv/bin/python"), "-m", package(self.project), *words]

    def environment(self) -> dict[str, str]:
        place = {
            "KUBECONFIG": str(self.cluster.kubeconfig),
            "PYTHONPATH": bake.code_of(self.project),
        }
        return os.environ | self.trust | place

    def signed(self, name: str, model: str) -> str:
        """The image of that name, signed as the one of `model`."""
        sign(self.cluster.kubeconfig.parent / "signer", image(name), model)
        return image(name)

    def run(
        self,
        *words: str,
        project: Path | None = None,
        seconds: float = 180,
        where: tuple[str, ...] = ("ENV=staging",),
    ) -> tuple[int, str]:
        """Exit code and output of a word, with ENV=staging unless it asks no cluster."""
        done = subprocess.run(
            self.command(*words, *where),
            cwd=project or self.project,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
        )
        return done.returncode, done.stdout

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(*words, "ENV=staging"),
            cwd=self.project,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def deploy(self, stable: str, canary: str = "", strategy: str = "") -> None:
        self.cluster.apply(yaml.safe_dump_all(self.rendered(stable, canary, strategy)))
        if not canary:
            self.scale("", 1)

    def rendered(self, stable: str, canary: str = "", strategy: str = "") -> list[dict[str, Any]]:
        """What `make deploy` applies, for releases that no record knows."""
        made = [(image(n), digest(n), digest("verdict"), "none") for n in (stable, canary) if n]
        program = (
            "from ml_template.kubernetes.manifests import render\n"
            "from ml_template.kubernetes.releases import Release\n"
            f"made = [Release(*release) for release in {made!r}]\n"
            f"print(render('staging', *made, strategy={strategy!r}, work={image('work')!r}))"
        )
        python = self.project / ".venv/bin/python"
        done = bake.run(
            python, "-c", program, cwd=self.project, PYTHONPATH=bake.code_of(self.project)
        )
        assert done.returncode == 0, done.stderr
        return [part for part in yaml.safe_load_all(done.stdout) if part]

    def scale(self, suffix: str, count: int) -> None:
        name = self.name + suffix
        meta = {"name": name, "namespace": self.space}
        self.cluster.store.add(
            {"kind": "Deployment", "metadata": meta, "spec": {"replicas": count}}
        )

    def object(self, kind: str, name: str) -> dict[str, Any]:
        return self.cluster.store.get(kind, self.space, name) or {}

    def route(self) -> tuple[int, dict[str, Any] | None]:
        """The canary's weight, and the state of the rollout."""
        found = self.object("httproutes", self.name)
        text = found["metadata"].get("annotations", {}).get("rollout")
        return weight_of(found), json.loads(text) if text else None

    def ready(self, track: str = "") -> bool:
        found = self.object("deployments", self.name + track)
        counts, wanted = found.get("status", {}), found["spec"]["replicas"]
        seen = counts.get("observedGeneration") == found["metadata"]["generation"]
        keys = ("replicas", "updatedReplicas", "readyReplicas")
        return seen and [counts.get(key) for key in keys] == [wanted] * 3

    def until(self, condition: Any, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "it did not come"
            time.sleep(0.05)

    def traffic(self, rate: float = 120) -> Any:
        return sending(bodies(self.project, self.example), self.port, rate)

    def serves(self) -> bool:
        return answered(self.port, self.example)


def weight_of(route: dict[str, Any]) -> int:
    (weight,) = (
        backend["weight"]
        for backend in route["spec"]["rules"][0]["backendRefs"]
        if backend["name"].endswith("-canary")
    )
    return int(weight)


@pytest.fixture(scope="module")
def world(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Stable serves the champion; nothing is tried."""
    folder = tmp_path_factory.mktemp("cluster")
    port = free_port()
    with cluster(folder) as made:
        made.environment = {"SERVE_DRAIN_SECONDS": "1"}
        made.images = {image("good"): project, image("next"): project}
        with gateway(made, port, folder / "traefik.log"):
            here = World(project, made, port, example(project), signer(folder / "signer"))
            here.deploy("good")
            here.until(here.serves)
            yield here


def figure(name: str, **values: Any) -> None:
    if path := os.environ.get("DRILL_FIGURES"):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"drill": name} | values) + "\n")


def rest(world: World) -> None:
    """Back to stable alone, with no state and no model that was taken back."""
    (world.project / "models/aborted.jsonl").unlink(missing_ok=True)
    world.deploy("good")
    with world.cluster.store.lock:
        found = world.object("httproutes", world.name)
        found["metadata"].get("annotations", {}).pop("rollout", None)
        key = ("gateway.networking.k8s.io/v1", "httproutes", world.space, world.name)
        world.cluster.store.put(key, found, world.cluster.store.objects[key])
    world.scale("-canary", 0)
    world.until(lambda: world.ready() and world.ready("-canary"))


@pytest.fixture(autouse=True)
def rested(world: World) -> None:
    rest(world)


def planted(world: World, kind: str, folder: Path) -> None:
    """An image with that fault in its code is tried."""
    copy = twin(world.project, folder / "image")
    file, lines = BAD[kind]
    (path,) = [*copy.glob(f"{bake.KIT}/{file}"), *copy.glob(f"src/*/{file}")]
    text = path.read_text(encoding="utf-8")
    bad = text.replace(PREDICT if file.endswith("predict.py") else "import numpy as np\n", lines)
    assert bad != text
    path.write_text(bad, encoding="utf-8")
    world.cluster.images[image(kind)] = copy
    world.deploy("good", kind, "canary")


@pytest.mark.parametrize("kind", BAD)
def test_T50_a_bad_release_goes_back_by_itself(kind: str, world: World, tmp_path: Path) -> None:
    planted(world, kind, tmp_path)
    if kind != "never ready":
        world.until(lambda: world.ready("-canary"))
    with world.traffic() as seen:
        time.sleep(2)  # so that stable is known
        begin = time.monotonic()
        code, said = world.run("canary")
        seconds = time.monotonic() - begin
        time.sleep(1)
        end = time.monotonic()
        time.sleep(1)
    assert code == 3, said
    assert REASONS[kind] in said, said
    assert "rollout of model" in said  # people were told
    weight, state = world.route()
    assert (weight, (state or {})["phase"]) == (0, "aborted")
    assert world.object("deployments", f"{world.name}-canary")["spec"]["replicas"] == 0
    assert seen.failed(end) == 0
    availability = 1 - seen.failed() / seen.total()
    assert availability > 0.9
    figure(
        f"T50 {kind}",
        seconds=seconds,
        failed=seen.failed(),
        requests=seen.total(),
        availability=availability,
        reason=(state or {})["reason"],
    )


def status(world: World, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", world.port, timeout=5)
    with contextlib.closing(connection):
        connection.request("GET", path)
        return connection.getresponse().status


def test_the_gateway_lets_requests_for_answers_through_alone_and_a_load_test_needs_no_more(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in (
        "/",
        "/health",
        "/ready",
        "/version",
        "/metrics",
        "/openapi.json",
        "/docs",
        "/predict/x",
    ):
        assert status(world, path) == 404, path
    assert status(world, "/predict") == 405
    monkeypatch.setenv("STAGING_URL", f"http://127.0.0.1:{world.port}")
    _, said = world.run("load", "DURATION=2", "USERS=2")
    assert "error_rate: passed (0 <= 0)" in said, said


def test_an_aborted_model_is_not_tried_again(world: World, tmp_path: Path) -> None:
    planted(world, "errors", tmp_path)
    with world.traffic():
        assert world.run("canary")[0] == 3
        before = len(world.cluster.store.changes)
        world.deploy("good", "errors", "canary")
        code, said = world.run("canary")
    assert code == 3
    assert "try a new model" in said
    later = world.cluster.store.changes[before:]
    assert {weight_of(route) for _, _, route in later} <= {0}


def test_a_shadow_of_a_good_release_is_promoted_and_nobody_sees_its_answers(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The shadow serves the challenger; the logs of both are compared by request afterwards."""
    copy = twin(world.project, tmp_path / "image")
    (copy / "models/champion.json").write_bytes((copy / "models/challenger.json").read_bytes())
    path = copy / bake.KIT / "serving/predict.py"
    text = path.read_text(encoding="utf-8")
    marked = text.replace("headers = [(", 'headers = [(b"x-shadow", b"yes"), (', 1)
    assert marked != text
    path.write_text(marked, encoding="utf-8")
    world.cluster.images[image("shadow")] = copy
    monkeypatch.setitem(world.cluster.environment, "SERVE_LOG", str(tmp_path / "log"))
    world.deploy("next", "shadow", "shadow")
    world.until(lambda: world.ready() and world.ready("-canary"))
    begin = len(world.cluster.store.changes)
    with (
        mirroring(world.cluster, world.space, world.name) as gate,
        replace(world, port=gate.port).traffic() as seen,
    ):
        time.sleep(1)
        assert gate.hidden == []  # nothing is mirrored before the driver does it
        code, said = world.run("canary")
    assert code == 0, said
    assert (world.route()[1] or {})["phase"] == "passed"
    assert {weight_of(route) for _, _, route in world.cluster.store.changes[begin:]} == {0}
    assert seen.failed() == 0
    assert [headers for headers in gate.shown if "x-shadow" in headers] == []
    assert len([headers for headers in gate.hidden if "x-shadow" in headers]) >= 40
    code, said = world.run("compare", f"LOG={tmp_path / 'log'}", where=())
    assert code == 0, said
    (found,) = json.loads((world.project / "reports/compare.json").read_bytes()).values()
    assert found["rows"] >= 40
    assert 0 < found["mean_difference"] < found["max_difference"]
    assert found["changed_labels"] < 0.5
    figure("shadow", requests=seen.total(), failed=seen.failed(), **found)


def test_T51_a_good_release_is_promoted_and_rolled_back_never_to_one_that_is_not_whole(
    world: World, tmp_path: Path
) -> None:
    first = champion(world.project)["digest"]
    second = json.loads((world.project / "models/challenger.json").read_bytes())["digest"]
    assert first != second
    code, said = world.run("promote", f"IMAGE={image('good')}")
    assert code == 1
    assert "did not pass" in said
    world.cluster.images[image("first")] = world.project
    world.cluster.images[image("second")] = of_challenger(world, tmp_path / "second")
    world.cluster.store.remove(("apps/v1", "deployments", world.space, world.name))
    words = ("deploy", f"IMAGE={image('first')}", f"MODEL=models/{first[:16]}")
    code, said = world.run(*words)
    assert (code, "no signatures found" in said) == (1, True), said
    assert not world.object("deployments", world.name)
    world.signed("first", first)
    code, said = world.run(*words)
    assert code == 0, said
    world.signed("second", second)
    code, said = world.run("deploy", f"IMAGE={image('second')}", f"MODEL=models/{second[:16]}")
    assert code == 0, said
    world.until(world.serves)
    with world.traffic() as seen:
        begin = time.monotonic()
        code, said = world.run("canary")
        assert code == 0, said
        assert world.route()[0] == 99
        seconds = time.monotonic() - begin
        code, said = world.run("promote", "WHY=better")
        assert code == 0, said
        assert world.route() == (0, None)
        world.until(lambda: world.ready("-canary"))
        for word in ("canary", "promote"):  # begun again, as by a job of CI that is run again
            code, said = world.run(word)
            assert code == 0, said
    assert seen.failed() == 0
    assert champion(world.project)["digest"] == second
    assert champion(world.project)["image"] == image("second")
    figure("good release", seconds=seconds, failed=seen.failed(), requests=seen.total())

    def stays(project: Path | None = None) -> None:
        code, said = world.run("rollback", "WAIT=3", project=project)
        assert code == 1, said
        assert "passed over" in said
        assert "notify: rollback: there is no earlier champion" in said
        world.until(world.ready)
        assert image_of(world) == image("second")

    copy = twin(world.project, tmp_path / "copy")
    (copy / "models" / first[:16] / "model.json").write_text("{}", encoding="utf-8")
    with world.traffic() as seen:
        stays(copy)
        folder = world.cluster.images.pop(image("first"))
        stays()
        world.cluster.images[image("first")] = folder
        world.signed("first", second)
        stays()
        world.signed("first", first)
        assert champion(world.project)["digest"] == second
        code, said = world.run("rollback", "WHY=complaints")
        assert code == 0, said
    assert seen.failed() == 0
    assert image_of(world) == image("first")
    assert (champion(world.project)["digest"], champion(world.project)["image"]) == (
        first,
        image("first"),
    )


def of_challenger(world: World, folder: Path) -> Path:
    """A copy of the project whose image serves the challenger."""
    copy = twin(world.project, folder)
    (copy / "models/champion.json").write_bytes((copy / "models/challenger.json").read_bytes())
    return copy


def test_stable_of_staging_is_replaced_without_a_canary_and_no_request_is_lost(
    world: World, tmp_path: Path
) -> None:
    second = json.loads((world.project / "models/challenger.json").read_bytes())["digest"]
    world.deploy("good")
    world.cluster.images[image("second")] = of_challenger(world, tmp_path / "second")
    world.until(world.serves)
    name = world.signed("second", second)
    words = ("STRATEGY=rolling", f"IMAGE={name}", f"MODEL=models/{second[:16]}")
    with world.traffic() as seen:
        code, said = world.run("deploy", *words)
        assert code == 0, said
        assert image_of(world) == image("second")
        code, said = world.run("canary")  # nothing is left to try
        assert code == 0, said
    assert seen.failed() == 0
    assert world.route()[0] == 0


def image_of(world: World) -> str:
    """The image of stable."""
    pod = world.object("deployments", world.name)["spec"]["template"]["spec"]
    return str(pod["containers"][0]["image"])


def drivers(world: World, since: int) -> list[str]:
    """Who wrote the state of the rollout, in this order, each once for its whole turn."""
    turns: list[str] = []
    for _, _, route in world.cluster.store.changes[since:]:
        text = route["metadata"].get("annotations", {}).get("rollout")
        if text and turns[-1:] != [json.loads(text)["driver"]]:
            turns.append(json.loads(text)["driver"])
    return turns


def test_T52_a_driver_that_is_killed_is_resumed_and_there_are_never_two_writers(
    world: World,
) -> None:
    moments = random.Random(3)
    world.deploy("good", "next", "canary")
    world.until(lambda: world.ready("-canary"))
    begin = len(world.cluster.store.changes)
    kills = 20
    with world.traffic() as seen:
        for _ in range(kills):
            process = world.start("canary")
            time.sleep(moments.uniform(0.3, 4))
            process.kill()
            process.communicate()
        code, said = world.run("canary")
    assert code == 0, said
    assert world.route()[0] == 99
    assert seen.failed() == 0
    turns = drivers(world, begin)
    assert len(turns) == len(set(turns))
    figure("T52", kills=kills, stuck=int(code != 0), split=len(turns) - len(set(turns)))


def test_T52_of_two_drivers_the_first_ends_at_its_next_write(world: World) -> None:
    world.deploy("good", "next", "canary")
    world.until(lambda: world.ready("-canary"))
    begin = len(world.cluster.store.changes)
    with world.traffic():
        first = world.start("canary")
        world.until(lambda: drivers(world, begin))
        code, said = world.run("canary")
        lost = first.communicate(timeout=60)[0]
    assert code == 0, said
    assert (first.returncode, "somebody else" in lost) == (1, True), lost
    assert len(drivers(world, begin)) == 2


def test_T52_a_driver_killed_while_it_aborts_leaves_everyone_at_stable(
    world: World, tmp_path: Path
) -> None:
    planted(world, "errors", tmp_path)
    with world.traffic():
        process = world.start("canary")
        world.until(lambda: (world.route()[1] or {}).get("phase") == "aborted")
        process.kill()
        process.communicate()
        assert world.route()[0] == 0
        assert world.run("canary")[0] == 3
    assert world.object("deployments", f"{world.name}-canary")["spec"]["replicas"] == 0


def test_T53_blue_and_green_are_switched_50_times_under_load(world: World) -> None:
    world.deploy("good", "next", "bluegreen")
    world.until(lambda: world.ready("-canary"))
    program = (
        "import time\n"
        "from ml_template.kubernetes import route\n"
        "for number in range(50):\n"
        "    begin = time.perf_counter()\n"
        f"    route.write(route.read('{world.space}'), 100 * (number % 2 == 0), None)\n"
        "    print(1000 * (time.perf_counter() - begin), flush=True)\n"
        "    time.sleep(0.3)\n"
    )
    begin = len(world.cluster.store.changes)
    with world.traffic(rate=200) as seen:
        done = subprocess.run(
            [str(world.project / ".venv/bin/python"), "-c", program],
            cwd=world.project,
            env=world.environment(),
            capture_output=True,
            text=True,
            check=True,
        )
        time.sleep(1)
    weights = [weight_of(route) for _, _, route in world.cluster.store.changes[begin:]]
    turns = [w for at, w in enumerate(weights) if at == 0 or w != weights[at - 1]]
    assert turns[-50:] == [100, 0] * 25
    assert seen.failed() == 0
    times = sorted(map(float, done.stdout.split()))
    figure("T53", switches=50, failed=0, requests=seen.total(), milliseconds=times[25])


@pytest.mark.parametrize(("kind", "code"), [("next", 0), ("errors", 3), ("silence", 4)])
def test_where_argo_drives_decide_judges_the_pods_it_made(
    kind: str, code: int, world: World, tmp_path: Path
) -> None:
    """Its pods have no Deployment of their own, and the route has no state."""
    if kind == "errors":
        planted(world, kind, tmp_path)
    else:
        world.deploy("good", "next", "canary")
    world.until(lambda: world.ready("-canary"))
    world.cluster.store.remove(("apps/v1", "deployments", world.space, f"{world.name}-canary"))
    half = (
        "from ml_template.kubernetes import route\n"
        f"route.write(route.read('{world.space}'), 50, None)"
    )
    python = str(world.project / ".venv/bin/python")
    subprocess.run([python, "-c", half], cwd=world.project, env=world.environment(), check=True)
    if kind == "silence":
        assert world.run("decide")[0] == code
        return
    before = len(world.cluster.store.asked)
    with world.traffic():
        time.sleep(1)
        found, said = world.run("decide")
    assert found == code, said
    (role,) = (part for part in world.rendered("good", "next", "argo") if part["kind"] == "Role")
    exact(set(world.cluster.store.asked[before:]), role)
    assert world.route()[1] is None


def test_bluegreen_switches_everyone_at_once_and_rollback_switches_back(world: World) -> None:
    world.deploy("good", "next", "bluegreen")
    begin = len(world.cluster.store.changes)
    with world.traffic() as seen:
        time.sleep(2)
        code, said = world.run("canary")
        assert code == 0, said
        code, said = world.run("rollback")
    assert code == 0, said
    assert "everyone is at stable" in said
    assert seen.failed() == 0
    weights = {weight_of(route) for _, _, route in world.cluster.store.changes[begin:]}
    assert weights == {0, 99}
    assert world.route()[0] == 0


def test_a_gateway_that_cannot_mirror_is_found_and_serves_again(world: World) -> None:
    """Traefik's Gateway API provider has no RequestMirror: it answers no request of such a rule."""
    world.deploy("good", "next", "shadow")
    with world.traffic() as seen:
        code, said = world.run("canary")
        time.sleep(1)
        end = time.monotonic()
        time.sleep(1)
    assert code == 3, said
    assert "can your gateway RequestMirror?" in said
    assert world.object("httproutes", world.name)["spec"]["rules"][0]["filters"] == []
    assert (seen.failed(end), seen.total(end) > 0) == (0, True)


def test_the_driver_asks_for_all_that_its_role_grants_and_for_nothing_else(
    world: World, tmp_path: Path
) -> None:
    used: set[tuple[str, str, str]] = set()
    for kind, ends in (("next", 0), ("errors", 3)):
        if kind == "errors":
            planted(world, kind, tmp_path)
        else:
            world.deploy("good", kind, "canary")
        world.until(lambda: world.ready("-canary"))
        before = len(world.cluster.store.asked)
        with world.traffic():
            code, said = world.run("canary")
        assert code == ends, said
        used |= set(world.cluster.store.asked[before:])
        rest(world)
    exact(used, world.object("roles", f"{world.name}-rollout"))


def exact(used: set[tuple[str, str, str]], role: dict[str, Any]) -> None:
    """What was asked for is what `role` grants, both ways."""
    granted = {
        (verb, resource, name)
        for rule in role["rules"]
        for verb in rule["verbs"]
        for resource in rule["resources"]
        for name in rule.get("resourceNames", [""])
    }
    named = {resource for _, resource, name in granted if name}
    asked = {(verb, part, name if part in named else "") for verb, part, name in used}
    # what kubectl asks by itself where something is not found, and does without where it may not
    assert asked - {("get", "namespaces", "")} == granted


@contextmanager
def busy(count: int) -> Iterator[None]:
    """That many processes that do nothing but take the processors' time, while the block runs."""
    command = [sys.executable, "-c", "while True: pass"]
    running = [subprocess.Popen(command) for _ in range(count)]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


TURNS = [1, *(pytest.param(turn, marks=pytest.mark.full) for turn in range(2, 11))]


def patient(world: World, folder: Path) -> Path:
    """The project with the time that a busy machine needs."""
    copy = twin(world.project, folder / "patient")
    gates = copy / "gates.yaml"
    text = gates.read_text(encoding="utf-8")
    later = text.replace(RULES["seconds"], "{step: 2.5, deadline: 300}")
    assert later != text
    gates.write_text(later, encoding="utf-8")
    return copy


@pytest.mark.parametrize("turn", TURNS)
def test_next_to_eight_busy_processes_a_healthy_release_passes(
    turn: int, world: World, tmp_path: Path
) -> None:
    project = patient(world, tmp_path)
    world.deploy("good", "next", "canary")
    world.until(lambda: world.ready("-canary"), 300)
    with busy(8), world.traffic() as seen:
        begin = time.monotonic()
        code, said = world.run("canary", project=project, seconds=900)
        seconds = time.monotonic() - begin
    (weight, state), total = world.route(), seen.total()
    reason = (state or {})["reason"]
    figure("busy next", ended=int(code == 3), seconds=seconds, requests=total, reason=reason)
    assert (code, weight) == (0, 99), said


def test_next_to_eight_busy_processes_a_slow_release_goes_back(
    world: World, tmp_path: Path
) -> None:
    project = patient(world, tmp_path)
    planted(world, "slow", tmp_path)
    world.until(lambda: world.ready("-canary"), 300)
    with busy(8), world.traffic():
        begin = time.monotonic()
        code, said = world.run("canary", project=project, seconds=900)
        seconds = time.monotonic() - begin
    assert (code, world.route()[0]) == (3, 0), said
    assert REASONS["slow"] in said, said
    figure("busy slow", seconds=seconds)
