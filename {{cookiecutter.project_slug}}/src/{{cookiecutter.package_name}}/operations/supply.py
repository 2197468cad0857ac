"""scan and sign: what an image is made of, and the proof that this is the image we made."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from .. import champion
from ..config import InputError
from ..files import write_json

LOCKS = ["requirements/serve.txt", "requirements/extra.txt"]
SBOM = Path("reports/sbom.json")
IMAGE = Path("reports/image.json")
PACKAGE = Path(__file__).parents[1].name


def scan() -> None:
    """Write the list of packages; raises InputError for a known vulnerability, or without data.

    pip-audit says "none found" where it could not look anything up, unless it is strict.
    """
    for lock in LOCKS:
        if not Path(lock).exists():
            raise InputError(f"scan: {lock} is missing: restore it from git")
    SBOM.parent.mkdir(exist_ok=True)
    SBOM.unlink(missing_ok=True)
    locks = [word for lock in LOCKS for word in ("--requirement", lock)]
    options = ["--strict", "--disable-pip", "--require-hashes", *locks]
    command = [sys.executable, "-m", "pip_audit", *options, "--format", "cyclonedx-json"]
    done = subprocess.run([*command, "--output", str(SBOM)])
    found = json.loads(SBOM.read_bytes()) if SBOM.exists() else {}
    if done.returncode or not found.get("components"):
        SBOM.unlink(missing_ok=True)
        raise InputError("scan: not passed: a known vulnerability, or no data on them (see above)")
    print(f"scan: no known vulnerability in {len(found['components'])} packages -> {SBOM}")


def sign(settings: dict[str, str]) -> None:
    """Push the image of `make image` to IMAGE_REGISTRY, sign it and its SBOM by digest.

    REGISTRY_USER and REGISTRY_PASSWORD log in first. Without COSIGN_KEY cosign signs with the
    identity of the run. Raises InputError without engine, cosign, registry or SBOM, or where one of
    the steps fails. Writes reports/image.json.
    """
    registry = os.environ.get("IMAGE_REGISTRY", "").rstrip("/")
    if not registry:
        raise InputError("sign: IMAGE_REGISTRY is not set, such as ghcr.io/org/model")
    if not SBOM.exists():
        raise InputError(f"sign: {SBOM} is missing: run `make scan`")
    engine, cosign = _program("docker", "podman"), _program("cosign")
    record = champion.read(champion.CHAMPION)
    if record is None:
        raise InputError("sign: there is no champion: run `make run`")
    name = f"{registry}/{PACKAGE.replace('_', '-')}"
    local = settings.get("TAG") or f"{PACKAGE.replace('_', '-')}:{record['digest'][:16]}"
    if os.environ.get("REGISTRY_USER"):
        login = ("login", "--username", os.environ["REGISTRY_USER"], "--password-stdin")
        _do(engine, *login, registry.split("/")[0], says=os.environ.get("REGISTRY_PASSWORD", ""))
    _do(engine, "tag", local, f"{name}:{record['digest'][:16]}")
    said = _do(engine, "push", f"{name}:{record['digest'][:16]}")
    found = re.search(r"digest: (sha256:[0-9a-f]{64})", said)
    if found is None:
        raise InputError("sign: the registry named no digest: the image is not signed")
    image = f"{name}@{found[1]}"
    key = ["--key", os.environ["COSIGN_KEY"]] if os.environ.get("COSIGN_KEY") else []
    _do(cosign, "sign", "--yes", *key, image)
    _do(cosign, "attest", "--yes", *key, "--type", "cyclonedx", "--predicate", str(SBOM), image)
    write_json(IMAGE, {"image": image, "model": record["digest"]})
    print(f"sign: {image} -> {IMAGE}")


def _program(*names: str) -> str:
    found = next((path for name in names if (path := shutil.which(name))), None)
    if found is None:
        raise InputError(f"sign: {' or '.join(names)} is not installed")
    return found


def _do(*command: str, says: str = "") -> str:
    done = subprocess.run(command, input=says, capture_output=True, text=True)
    if done.returncode:
        raise InputError(f"sign: {' '.join(command[:2])} failed: {done.stderr.strip()[-300:]}")
    return done.stdout
