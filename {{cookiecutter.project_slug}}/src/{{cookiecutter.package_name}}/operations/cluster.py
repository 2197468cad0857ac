"""The cluster of the kubeconfig in use: one way to ask it, and what its refusals mean."""

from __future__ import annotations

import json
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

from ..config import InputError

ENVIRONMENTS = ("staging", "production")
SECONDS = 30.0  # for all that one word asks the API server
OVERLAYS = Path("deploy/k8s/overlays")
_NO_CLUSTER = (
    "connection to the server",
    "Unable to connect to the server",
    "no configuration has been provided",
    "current-context is not set",
    "connect: connection refused",
    "i/o timeout",
    "context deadline exceeded",
    "no such host",
)

Object = dict[str, Any]


class ConflictError(InputError):
    """The object was changed by somebody else since it was read."""


def project() -> str:
    """Name of the project: of its Deployment, Service and HTTPRoute, and of its namespaces."""
    facts = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))
    return str(facts["project"]["name"])


def namespace(settings: dict[str, str]) -> str:
    """Namespace of ENV; raises InputError where ENV is neither staging nor production."""
    if not OVERLAYS.is_dir():
        raise InputError(f"{OVERLAYS} is missing: this project was made with deployment: none")
    env = settings.get("ENV") or ""
    if not env:
        raise InputError(f"ENV is missing: ENV={' or ENV='.join(ENVIRONMENTS)}")
    if env not in ENVIRONMENTS:
        raise InputError(f"ENV={env}: must be {' or '.join(ENVIRONMENTS)}")
    return f"{project()}-{env}"


def kubectl(*words: str, stdin: str | None = None, seconds: float = SECONDS) -> str:
    """What kubectl prints; raises InputError, with the remedy, where it refuses or takes longer."""
    program = shutil.which("kubectl")
    if program is None:
        raise InputError("kubectl is not installed: install it (version 1.27 or newer)")
    command = [program, *words]
    try:
        done = subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            encoding="utf-8",
            errors="backslashreplace",
            timeout=seconds,
        )
    except subprocess.TimeoutExpired as error:
        raise InputError(_meaning(words, f"i/o timeout after {error.timeout:g} seconds")) from None
    if done.returncode:
        kind = ConflictError if "(Conflict)" in done.stderr else InputError
        raise kind(_meaning(words, done.stderr.strip()))
    return done.stdout


def get(kind: str, name: str, namespace: str) -> Object:
    """One object; raises InputError where it is absent."""
    found = find(kind, name, namespace)
    if found is None:
        raise InputError(f"{kind} {name} is not in namespace {namespace}: run `make deploy` first")
    return found


def find(kind: str, name: str, namespace: str) -> Object | None:
    """One object, None where there is none."""
    text = ask("get", kind, name, "--namespace", namespace, "--ignore-not-found", "--output=json")
    return json.loads(text) if text.strip() else None


def pods(namespace: str, track: str) -> list[Object]:
    """Pods of one track, in the order of their names."""
    selector = f"--selector=app.kubernetes.io/name={project()},track={track}"
    text = ask("get", "pods", "--namespace", namespace, selector, "--output=json")
    return sorted(json.loads(text)["items"], key=lambda pod: str(pod["metadata"]["name"]))


def ask(*words: str, stdin: str | None = None) -> str:
    """`kubectl` with a limit of time; with one of its own (--request-timeout) it does not look for
    the cluster of its pod.
    """
    return kubectl(*words, stdin=stdin, seconds=SECONDS)


def _meaning(words: tuple[str, ...], said: str) -> str:
    what = f"kubectl {' '.join(words[:3])}"
    if any(sign in said for sign in _NO_CLUSTER):
        return f"{what}: no cluster answers: look at `kubectl config current-context` ({said})"
    if "Forbidden" in said or "forbidden" in said:
        return f"{what}: your account may not do this: {said}"
    if "the server doesn't have a resource type" in said or "no matches for kind" in said:
        return f"{what}: the cluster lacks that API (Gateway API for HTTPRoute): install it: {said}"
    return f"{what}: {said or 'failed without a word'}"
