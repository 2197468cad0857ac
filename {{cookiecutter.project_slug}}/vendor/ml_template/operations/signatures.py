"""Signatures of images: who made one, for which name, and what is attested of it (cosign 2)."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from typing import Any

from ..registry import champion
from ..registry.champion import CHALLENGER, CHAMPION, Record
from ..settings.config import InputError
from .contents import engine

LINEAGE = "urn:model-lineage:1"  # in-toto type of {model, verdict, commit}
ATTESTED = {"cyclonedx": "list of packages (SBOM)", LINEAGE: "lineage"}
REFERENCE = re.compile(r"([a-z0-9][^\s@]*/[^\s@:/]+)@(sha256:[0-9a-f]{64})")


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
    if not champion.texts(facts, "model", "verdict") or "commit" not in facts:
        raise InputError(f"{reference}: its lineage is damaged: run `make sign` again")
    return {**facts, "image": reference}


def trusted(reference: str) -> None:
    """Raises InputError as `signed` does for an image of jobs: that has a signature alone."""
    with _signature(reference):
        pass


@contextlib.contextmanager
def _signature(reference: str) -> Iterator[tuple[dict[str, str], list[str]]]:
    """Where and by which words of cosign more is asked about an image whose signature is good."""
    name, _ = champion.by_digest(reference, REFERENCE)
    trust = _trust()
    with login(shutil.which("docker"), reference) as environment:
        said = cosign(environment, "verify", "--output", "json", *trust, reference)
        with _read("verify", reference):
            signatures = json.loads(said)
            names = sorted({s["critical"]["identity"]["docker-reference"] for s in signatures})
        if names != [name]:
            raise InputError(f"{reference}: its signature was made for {names}, not {name}")
        yield environment, trust


def judged(model: str, image: str) -> Record:
    """The pointer to `model`; raises InputError unless it is champion or challenger."""
    known = {each["digest"]: each for each in map(champion.read, (CHALLENGER, CHAMPION)) if each}
    if model not in known:
        names = ", ".join(digest[:16] for digest in known) or "there is none"
        raise InputError(
            f"{image} serves model {model[:16]}, which is neither champion nor challenger ({names})"
        )
    champion.judged(model)
    return known[model]


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


def _attested(environment: dict[str, str], trust: list[str], kind: str, reference: str) -> Any:
    """The one predicate of that kind about this image under this name."""
    try:
        said = cosign(environment, "verify-attestation", "--type", kind, *trust, reference)
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


def cosign(environment: dict[str, str], *words: str) -> str:
    """What cosign 2 prints: others store signatures elsewhere, and would find none."""
    tool = program("cosign")
    with _read("version", tool):
        version = json.loads(engine(tool, "version", "--json"))["gitVersion"]
        number = re.match(r"v?(\d+)", version)  # Debian's says "devel"
    if number and number[1] != "2":
        raise InputError(f"cosign {version} is not version 2: install cosign 2.5")
    try:
        return engine(tool, *words, environment=environment)
    except InputError as error:
        said = str(error).partition("Error: ")[2].partition(" error during")[0] or str(error)
        raise InputError(f"{words[-1]}: cosign {words[0]}: {said}") from None


def program(name: str) -> str:
    """Where a program is; raises InputError where it is not installed."""
    found = shutil.which(name)
    if found is None:
        raise InputError(f"{name} is not installed")
    return found


@contextlib.contextmanager
def login(docker: str | None, registry: str) -> Iterator[dict[str, str]]:
    """An environment logged in as REGISTRY_USER; the login is forgotten afterwards."""
    user, environment = os.environ.get("REGISTRY_USER"), dict(os.environ)
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
