"""scan, sign, verify: what may go into an image, and the proof that it is the one we made.

reports/image.json names the image made last: {tag, model} by `image`; `sign` adds {image}, its
name in the registry by digest. With a key nothing is told to, or asked of, a public log.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..model import lineage
from ..outside import screen
from ..registry import champion
from ..registry.champion import CHALLENGER, CHAMPION, Record
from ..settings.config import InputError
from ..storage.files import read_json, write_json
from ..storage.places import IMAGE, SBOM
from .contents import SECONDS, bill, check, engine
from .image import image_name

LOCKS = ("requirements/serve.txt", "requirements/extra.txt")
LINEAGE = "urn:model-lineage:1"  # in-toto type of {model, verdict, commit}
ATTESTED = {"cyclonedx": "list of packages (SBOM)", LINEAGE: "lineage"}
REFERENCE = re.compile(r"[a-z0-9][^\s@]*/[^\s@:/]+@sha256:[0-9a-f]{64}")


def scan() -> None:
    """Raises InputError for a known vulnerability in what the image holds, or without data.

    pip-audit says "none found" where it could not look a package up, unless it is strict.
    """
    for lock in LOCKS:
        if not Path(lock).exists():
            raise InputError(f"scan: {lock} is missing: restore it from git")
    locks = [word for lock in LOCKS for word in ("--requirement", lock)]
    options = ["--strict", "--disable-pip", "--require-hashes", "--progress-spinner", "off"]
    command = [sys.executable, "-m", "pip_audit", *options, *locks]
    command += ["--format", "json"]
    try:
        done = screen.output(command, SECONDS)
    except subprocess.TimeoutExpired:
        raise InputError(f"scan: not passed: no end within {SECONDS:.0f} s") from None
    found = json.loads(done.stdout)["dependencies"] if done.stdout.strip() else []
    for package in found:
        for fault in package.get("vulns", []):
            fixed = ", ".join(fault["fix_versions"]) or "no version"
            print(f"{package['name']} {package['version']}: {fault['id']}: fixed in {fixed}")
    if done.returncode or not found:
        raise InputError("scan: not passed: a known vulnerability, or no data on them (see above)")
    print(f"scan: no known vulnerability in {len(found)} packages")


def sign() -> None:
    """Push the image of `make image` to IMAGE_REGISTRY; sign it, its packages and its lineage.

    COSIGN_KEY is the key; without it the identity of the CI run signs. Raises InputError unless
    the model in the image is the champion or challenger, file by file, and every step succeeds.
    """
    registry = os.environ.get("IMAGE_REGISTRY", "").rstrip("/")
    if not registry:
        raise InputError("sign: IMAGE_REGISTRY is not set, such as registry.example.com/team")
    made = read_json(IMAGE, "run `make image`")
    record = _judged(made["model"], made["tag"])
    key = _key()
    docker = _program("docker")
    local = check(docker, made["tag"], record)
    with _login(docker, registry) as environment:
        name = f"{registry}/{image_name()}:{record['digest'][:16]}"
        engine(docker, "tag", local, name)
        said = engine(docker, "push", name, environment=environment)
        found = re.search(r"digest: (sha256:[0-9a-f]{64})", said)
        if found is None:
            raise InputError("sign: the registry named no digest: the image is not signed")
        image = f"{registry}/{image_name()}@{found[1]}"
        _cosign(environment, "sign", "--yes", *key, image)
        write_json(SBOM, bill(docker, image, image_name(), record))
        _attest(environment, key, "cyclonedx", SBOM, image)
        facts = {"model": record["digest"], "verdict": record["verdict"]}
        with tempfile.TemporaryDirectory() as folder:
            predicate = Path(folder) / "lineage.json"
            write_json(predicate, facts | {"commit": record["commit"]})
            _attest(environment, key, LINEAGE, predicate, image)
    write_json(IMAGE, made | {"image": image})
    print(f"sign: {image} -> {IMAGE}; its packages -> {SBOM}")


def verify(settings: dict[str, str]) -> None:
    """IMAGE=reference, else reports/image.json, else the champion's image; see `verified`."""
    found = verified(settings.get("IMAGE") or latest())
    print(f"verify: {found['image']} is signed, serves model {found['model'][:16]}")


def latest() -> str:
    """The image signed last, else the champion's; raises InputError where there is none."""
    if IMAGE.exists():
        made = read_json(IMAGE, "run `make image sign`")
        if not made.get("image"):
            raise InputError(f"{made['tag']} is not signed: run `make sign`, or name IMAGE=...")
        return str(made["image"])
    record = champion.read(CHAMPION)
    if record is None or record["image"] is None:
        raise InputError("no image is known here: run `make image sign`, or name IMAGE=...")
    return str(record["image"])


def verified(reference: str) -> Record:
    """{image, model, verdict, commit} of a signed image that serves champion or challenger.

    Raises InputError as `signed` does, and for another model.
    """
    facts = signed(reference)
    _judged(facts["model"], reference)
    return facts


def serves(reference: str, model: str) -> None:
    """Raises InputError unless the image may be deployed as the one of `model`: signed, as
    `signed` says, and for that model.
    """
    found = signed(reference)["model"]
    if found != model:
        raise InputError(f"{reference} serves model {found[:16]}, not {model[:16]}")


def signed(reference: str) -> Record:
    """{image, model, verdict, commit} of a signed image.

    Raises InputError for a tag, for a signature that is missing, of another key or identity, or
    made for another repository, and for a missing list of packages. Trusted is COSIGN_PUBLIC_KEY,
    or VERIFY_IDENTITY with VERIFY_ISSUER.
    """
    with _signature(reference) as (environment, trust):
        _attested(environment, trust, "cyclonedx", reference)
        facts = _attested(environment, trust, LINEAGE, reference)
    if not isinstance(facts, dict) or not (
        "commit" in facts and all(isinstance(facts.get(key), str) for key in ("model", "verdict"))
    ):
        raise InputError(f"{reference}: its lineage is damaged: run `make sign` again")
    return facts | {"image": reference}


def trusted(reference: str) -> None:
    """Raises InputError as `signed` does for an image of jobs: that has a signature alone."""
    with _signature(reference):
        pass


@contextlib.contextmanager
def _signature(reference: str) -> Iterator[tuple[dict[str, str], list[str]]]:
    """Where and by which words of cosign more is asked about an image whose signature is good."""
    if not REFERENCE.fullmatch(reference):
        raise InputError(f"IMAGE={reference}: name it by digest: registry/name@sha256:... (64 hex)")
    trust = _trust()
    name = reference.partition("@")[0]
    with _login(shutil.which("docker"), reference) as environment:
        said = _cosign(environment, "verify", "--output", "json", *trust, reference)
        with _read("verify", reference):
            signatures = json.loads(said)
            names = sorted({s["critical"]["identity"]["docker-reference"] for s in signatures})
        if names != [name]:
            raise InputError(f"{reference}: its signature was made for {names}, not {name}")
        yield environment, trust


def _judged(model: str, image: str) -> Record:
    """The pointer to `model`; raises InputError unless it is champion or challenger."""
    known = {each["digest"]: each for each in map(champion.read, (CHALLENGER, CHAMPION)) if each}
    if model not in known:
        names = ", ".join(digest[:16] for digest in known) or "there is none"
        raise InputError(
            f"{image} serves model {model[:16]}, which is neither champion nor challenger ({names})"
        )
    champion.judged(model)
    return known[model]


def _key() -> list[str]:
    if os.environ.get("COSIGN_KEY"):
        return ["--key", os.environ["COSIGN_KEY"], "--tlog-upload=false"]
    if not lineage.in_ci():
        raise InputError(
            "sign: set COSIGN_KEY (a file or a key service's address): no CI run signs"
        )
    return []


def _trust() -> list[str]:
    key, identity, issuer = map(
        os.environ.get, ("COSIGN_PUBLIC_KEY", "VERIFY_IDENTITY", "VERIFY_ISSUER")
    )
    if key and not identity and not issuer:
        return ["--key", key, "--private-infrastructure=true"]
    if identity and issuer and not key:
        return ["--certificate-identity", identity, "--certificate-oidc-issuer", issuer]
    raise InputError(
        "verify: say who may sign: COSIGN_PUBLIC_KEY=cosign.pub, or both VERIFY_IDENTITY and "
        "VERIFY_ISSUER; not key and identity together"
    )


def _attest(environment: dict[str, str], key: list[str], kind: str, path: Path, image: str) -> None:
    what = ("--type", kind, "--predicate", str(path))
    _cosign(environment, "attest", "--yes", "--replace=true", *key, *what, image)


def _attested(environment: dict[str, str], trust: list[str], kind: str, reference: str) -> Any:
    """The one predicate of that kind about this image under this name."""
    try:
        said = _cosign(environment, "verify-attestation", "--type", kind, *trust, reference)
    except InputError as error:
        raise InputError(f"{error} no trusted {ATTESTED[kind]}: run `make sign` again") from None
    name, _, digest = reference.partition("@sha256:")
    with _read("verify-attestation", reference):
        lines = [json.loads(line) for line in said.splitlines() if line.strip()]
        found = [json.loads(base64.b64decode(line["payload"])) for line in lines]
        about = [(each["subject"], each["predicate"]) for each in found]
    subject = {"name": name, "digest": {"sha256": digest}}
    if len(about) != 1 or about[0][0] != [subject]:
        raise InputError(
            f"{reference}: {ATTESTED[kind]} not attested once, for it: run `make sign` again"
        )
    return about[0][1]


@contextlib.contextmanager
def _read(word: str, about: str) -> Iterator[None]:
    """Raises InputError where what cosign printed for `word` has another form than expected."""
    try:
        yield
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise InputError(
            f"{about}: what cosign {word} printed cannot be read ({type(error).__name__}: "
            f"{error}): install cosign 2.5, and run `make sign` again"
        ) from None


def _cosign(environment: dict[str, str], *words: str) -> str:
    """What cosign 2 prints: others store signatures elsewhere, and would find none."""
    cosign = _program("cosign")
    with _read("version", cosign):
        version = json.loads(engine(cosign, "version", "--json"))["gitVersion"]
        number = re.match(r"v?(\d+)", version)  # Debian's says "devel"
    if number and number[1] != "2":
        raise InputError(f"cosign {version} is not version 2: install cosign 2.5")
    try:
        return engine(cosign, *words, environment=environment)
    except InputError as error:
        said = str(error).partition("Error: ")[2].partition(" error during")[0] or str(error)
        raise InputError(f"{words[-1]}: cosign {words[0]}: {said}") from None


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise InputError(f"{name} is not installed")
    return found


@contextlib.contextmanager
def _login(docker: str | None, registry: str) -> Iterator[dict[str, str]]:
    """An environment logged in as REGISTRY_USER; the login is forgotten afterwards."""
    user = os.environ.get("REGISTRY_USER")
    environment = dict(os.environ)
    if not user:
        yield environment
        return
    if docker is None:
        raise InputError("docker is not installed: REGISTRY_USER cannot log in")
    with tempfile.TemporaryDirectory() as folder:
        environment["DOCKER_CONFIG"] = folder
        words = ("login", "--username", user, "--password-stdin", registry.partition("/")[0])
        password = os.environ.get("REGISTRY_PASSWORD", "")
        engine(docker, *words, says=password, environment=environment)
        yield environment
