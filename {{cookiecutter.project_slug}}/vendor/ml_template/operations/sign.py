"""sign: push the image that `image` made, and sign it with its packages and its lineage.

reports/image.json names the image made last: {tag, model} by `image`; `sign` adds {image}, its
name in the registry by digest. With a key nothing is told to, or asked of, a public log.
"""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

from ..model import lineage
from ..settings.config import InputError
from ..storage.files import read_json, write_json
from ..storage.places import IMAGE, SBOM
from .contents import bill, check, engine
from .image import image_name
from .signatures import LINEAGE, cosign, judged, login, program


def run() -> None:
    """Push the image of `make image` to IMAGE_REGISTRY; sign it, its packages and its lineage.

    COSIGN_KEY is the key; without it the identity of the CI run signs. Raises InputError unless
    the model in the image is the champion or challenger, file by file, and every step succeeds.
    """
    registry = os.environ.get("IMAGE_REGISTRY", "").rstrip("/")
    if not registry:
        raise InputError("sign: IMAGE_REGISTRY is not set, such as registry.example.com/team")
    made = read_json(IMAGE, "run `make image`")
    record = judged(made["model"], made["tag"])
    own = os.environ.get("COSIGN_KEY")
    if not own and not lineage.in_ci():
        raise InputError(
            "sign: set COSIGN_KEY (a file or a key service's address): no CI run signs"
        )
    key = ["--key", own, "--tlog-upload=false"] if own else []
    docker = program("docker")
    local = check(docker, made["tag"], record)
    name = f"{registry}/{image_name()}"
    with login(docker, registry) as environment:
        tag = f"{name}:{record['digest'][:16]}"
        engine(docker, "tag", local, tag)
        said = engine(docker, "push", tag, environment=environment)
        found = re.search(r"digest: (sha256:[0-9a-f]{64})", said)
        if found is None:
            raise InputError("sign: the registry named no digest: the image is not signed")
        image = f"{name}@{found[1]}"
        cosign(environment, "sign", "--yes", *key, image)
        write_json(SBOM, bill(docker, image, image_name(), record))
        _attest(environment, key, "cyclonedx", SBOM, image)
        facts = {"model": record["digest"], "verdict": record["verdict"]}
        with tempfile.TemporaryDirectory() as folder:
            predicate = Path(folder) / "lineage.json"
            write_json(predicate, facts | {"commit": record["commit"]})
            _attest(environment, key, LINEAGE, predicate, image)
    write_json(IMAGE, made | {"image": image})
    print(f"sign: {image} -> {IMAGE}; its packages -> {SBOM}")


def _attest(environment: dict[str, str], key: list[str], kind: str, path: Path, image: str) -> None:
    what = ("--type", kind, "--predicate", str(path))
    cosign(environment, "attest", "--yes", "--replace=true", *key, *what, image)
