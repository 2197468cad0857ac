"""T20: real images, a real registry and the real cosign; seven forged or swapped ones refused."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import bake
import pytest
import registry as registries
import service as services
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from engine import HARDENED, base_image, docker, engine
from life import attempt, champion, make, twin
from needs import UNPACKED, needed

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("signatures")]


def cosign(*words: str) -> str:
    done = bake.run(needed("cosign"), *words, cwd=Path.cwd(), COSIGN_PASSWORD="")
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a registry of its own that asks nobody."""
    with registries.registry(tmp_path_factory.mktemp("registry")) as address:
        yield address


@dataclass(frozen=True)
class Release:
    """A project whose image is built, pushed and signed, and the words that say so."""

    project: Path
    registry: str
    keys: Path
    image: str

    def environment(self, **more: str) -> dict[str, str]:
        return {
            "PATH": f"{UNPACKED}{os.pathsep}{os.environ['PATH']}",
            "IMAGE_REGISTRY": f"{self.registry}/team",
            "COSIGN_KEY": str(self.keys / "cosign.key"),
            "COSIGN_PUBLIC_KEY": str(self.keys / "cosign.pub"),
            "COSIGN_PASSWORD": "",
        } | more

    def verify(self, image: str, **more: str) -> subprocess.CompletedProcess[str]:
        return attempt(self.project, "verify", f"IMAGE={image}", **self.environment(**more))

    def refused(self, image: str, why: str, **more: str) -> None:
        done = self.verify(image, **more)
        assert done.returncode != 0, done.stdout
        assert why in done.stderr, done.stderr

    def push(self, tag: str, name: str) -> str:
        """Push the local image `tag` as `name`; its reference by digest."""
        docker("tag", tag, f"{self.registry}/{name}")
        docker("push", f"{self.registry}/{name}")
        found = json.loads(docker("image", "inspect", f"{self.registry}/{name}"))[0]["RepoDigests"]
        repository = f"{self.registry}/{name}".rpartition(":")[0]
        return str(next(each for each in found if each.startswith(f"{repository}@")))

    def derived(self, tag: str, change: str) -> str:
        """A local image like the signed one, but for one step as root."""
        context = self.keys / tag.replace(":", "-")
        context.mkdir()
        steps = f"FROM {self.image}\nUSER 0\nRUN {change}\nUSER 10001:10001\n"
        (context / "Dockerfile").write_text(steps)
        docker("build", "--tag", tag, str(context))
        return tag


@pytest.fixture(scope="module")
def release(
    lived: Path, registry: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Release]:
    """`make image sign` of a project's champion."""
    with engine(tmp_path_factory.mktemp("engine")):
        base = base_image(tmp_path_factory.mktemp("base"))
        project = twin(lived, tmp_path_factory.mktemp("release") / "project")
        keys = tmp_path_factory.mktemp("keys")
        for name in ("cosign", "other"):
            cosign("generate-key-pair", "--output-key-prefix", str(keys / name))
        unsigned = Release(project, registry, keys, "")
        begin = time.monotonic()
        make(project, "image", f"PYTHON_IMAGE={base}", **unsigned.environment())
        print(f"image: {time.monotonic() - begin:.1f} s")
        begin = time.monotonic()
        make(project, "sign", **unsigned.environment())
        print(f"push and sign: {time.monotonic() - begin:.1f} s")
        made = json.loads((project / "reports/image.json").read_bytes())
        yield Release(project, registry, keys, made["image"])


def test_the_signed_image_is_pulled_by_digest_and_runs_hardened(release: Release) -> None:
    local = docker("images", "--quiet", "--no-trunc", release.image)
    docker("image", "rm", "--force", local)
    docker("pull", release.image)
    port = services.free_port()
    publish = ("--publish", f"127.0.0.1:{port}:8000")
    name = docker("run", "--detach", *HARDENED, *publish, release.image)
    try:
        process = subprocess.Popen(["docker", "wait", name], stdout=subprocess.PIPE, text=True)
        running = services.Service(process, port, services.example(process, port))
        status, answer = running.predict()
        assert (status, answer["model"]) == (200, champion(release.project)["digest"][:16])
        docker("stop", "--time", "20", name)
        assert process.communicate(timeout=30)[0].strip() == "0"
    finally:
        docker("rm", "--force", name)


def test_what_was_signed_verifies_with_and_without_its_name(release: Release) -> None:
    begin = time.monotonic()
    done = release.verify(release.image)
    print(f"verify: {time.monotonic() - begin:.1f} s")
    assert done.returncode == 0, done.stderr
    assert champion(release.project)["digest"][:16] in done.stdout
    assert release.verify("").stdout == done.stdout


def test_the_list_of_packages_is_valid_and_names_what_the_service_imports(
    release: Release,
) -> None:
    text = (release.project / "reports/sbom.json").read_text(encoding="utf-8")
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    parts = {part["name"]: part for part in json.loads(text)["components"]}
    assert {"fastapi", "numpy", "python", "libc6"} <= set(parts)
    assert parts["numpy"]["purl"] == f"pkg:pypi/numpy@{parts['numpy']['version']}"
    assert not {"mlflow", "pip", "pytest"} & set(parts)


def test_T20_a_tag_is_refused(release: Release) -> None:
    tag = champion(release.project)["digest"][:16]
    release.refused(f"{release.image.partition('@')[0]}:{tag}", "name it by digest")


def test_T20_the_signature_of_another_key_is_refused(release: Release) -> None:
    other = str(release.keys / "other.pub")
    release.refused(release.image, "no matching signatures", COSIGN_PUBLIC_KEY=other)


def test_T20_a_key_is_no_identity(release: Release) -> None:
    identity = "https://ci.example.com/team/model/release.yml@refs/heads/main"
    trusted = {"VERIFY_IDENTITY": identity, "VERIFY_ISSUER": "https://ci.example.com"}
    release.refused(release.image, "cosign verify", COSIGN_PUBLIC_KEY="", **trusted)
    release.refused(release.image, "say who may sign", **trusted)


def test_T20_an_unsigned_image_is_refused(release: Release) -> None:
    image = release.push(release.derived("forged:unsigned", "touch /app/x"), "forged/unsigned:1")
    release.refused(image, "no signatures found")


def test_T20_a_changed_image_with_the_signature_of_the_right_one_is_refused(
    release: Release,
) -> None:
    name = release.image.partition("@")[0]
    local = release.derived("forged:changed", "cd /app/*/serving && echo >> api.py")
    image = release.push(local, f"{name.partition('/')[2]}:changed")
    here, there = (each.partition("@")[2].replace(":", "-") for each in (release.image, image))
    for kind in ("sig", "att"):
        cosign("copy", "--force", f"{name}:{here}.{kind}", f"{name}:{there}.{kind}")
    release.refused(image, "no matching signatures")


def test_T20_the_valid_signature_of_another_repository_is_refused(release: Release) -> None:
    target = f"{release.registry}/other/model"
    cosign("copy", release.image, f"{target}:1")
    release.refused(f"{target}@{release.image.partition('@')[2]}", "its signature was made for")


def test_T20_a_signed_image_without_its_list_of_packages_is_refused(release: Release) -> None:
    image = release.push(release.derived("forged:bare", "touch /app/y"), "team/bare:1")
    cosign("sign", "--yes", "--key", str(release.keys / "cosign.key"), "--tlog-upload=false", image)
    release.refused(image, "no trusted list of packages")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("printf x >> /model/encoder.json", "encoder.json"),
        ("touch /model/extra.json", "extra.json is not part of the model"),
        ("rm /model/encoder.json", "encoder.json is missing"),
    ],
)
def test_T20_an_image_with_another_model_folder_is_not_signed(
    release: Release, tmp_path: Path, change: str, why: str
) -> None:
    project = twin(release.project, tmp_path / "project")
    (project / ".venv").unlink()
    (project / ".venv").symlink_to(release.project / ".venv")
    path = project / "reports/image.json"
    made = json.loads(path.read_bytes())
    local = release.derived(f"forged:{tmp_path.name.replace('_', '-')}", change)
    path.write_text(json.dumps(made | {"tag": local}))
    done = attempt(project, "sign", **release.environment())
    assert done.returncode != 0
    assert why in done.stderr
    assert "not the model that passed the gate" in done.stderr


def test_T20_an_image_of_another_model_than_the_champion_is_refused(
    release: Release, tmp_path: Path
) -> None:
    project = twin(release.project, tmp_path / "project")
    for name in ("champion", "challenger"):
        path = project / f"models/{name}.json"
        record = json.loads(path.read_bytes()) | {"digest": "0" * 64}
        path.write_text(json.dumps(record | {"model": f"models/{'0' * 16}"}))
    for word in ("verify", "sign"):
        done = attempt(project, word, f"IMAGE={release.image}", **release.environment())
        assert done.returncode != 0
        assert "neither champion nor challenger" in done.stderr
