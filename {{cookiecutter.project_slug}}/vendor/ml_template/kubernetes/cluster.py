"""The cluster of the kubeconfig in use: one way to ask it, and what its refusals mean.

An answer is read by its form (forms.py): whatever has another one is no answer.
"""

from __future__ import annotations

import json
import re
import resource
import shutil
import subprocess
import tempfile
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from ..outside.text import line
from ..settings.config import InputError
from .forms import FORMS

SECONDS = 30.0  # for all that one word asks the API server
LONGEST = 8 << 20  # bytes of an answer
PORT = 8000  # of the service in its pods
TRIES = 20  # at an object that others change as well
OVERLAYS = Path("deploy/k8s/overlays")
# No cluster is named: kubectl then takes the one that would be at localhost:8080.
_UNSET = ("localhost:8080", "no configuration has been provided", "current-context is not set")
_NO_CLUSTER = (
    *_UNSET,
    "connection to the server",
    "Unable to connect to the server",
    "connect: connection refused",
    "i/o timeout",
    "context deadline exceeded",
    "no such host",
)
# its notes to itself, such as E1130 08:00:00.000000   42 memcache.go:265] "Unhandled Error" ...
_KLOG = re.compile(r"^[IWEF]\d{4} [\d:.]+ +\d+ [\w.-]+:\d+\] .*\n(?=.)", re.M)

Object = dict[str, Any]


class ConflictError(InputError):
    """The object was changed by somebody else since it was read."""


class AbsentError(InputError):
    """There is no such object."""


class ForbiddenError(InputError):
    """The account may not do this."""


class NoAnswerError(InputError):
    """The cluster did not answer, or not so that it can be read: it may at the next attempt."""


def project() -> str:
    """Name of the project: of its Deployment, Service and HTTPRoute, and of its namespaces."""
    return _named(Path.cwd())


@cache
def _named(folder: Path) -> str:
    """Read once: a file that is edited meanwhile does not end who works with a cluster."""
    facts = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
    return str(facts["project"]["name"])


def namespace(settings: dict[str, str]) -> str:
    """Namespace of ENV; raises InputError without ENV."""
    if not OVERLAYS.is_dir():
        raise InputError(f"{OVERLAYS} is missing: this project was made with deployment: none")
    if "ENV" not in settings:
        raise InputError("ENV is missing: ENV=staging or ENV=production")
    return f"{project()}-{settings['ENV']}"


def ask(*words: str, stdin: str | None = None, seconds: float | None = None) -> str:
    """What kubectl prints; raises InputError, with the remedy, where it refuses or takes longer.

    With a limit of its own (--request-timeout) it would not look for the cluster of its pod.
    """
    seconds = seconds or SECONDS
    program = shutil.which("kubectl")
    if program is None:
        raise InputError("kubectl is not installed: install it (version 1.27 or newer)")
    what = f"kubectl {' '.join(words[:3])}"
    given = None if stdin is None else stdin.encode()
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as fault:
        try:
            done = subprocess.run(
                [program, *words],
                input=given,
                stdout=said,
                stderr=fault,
                timeout=seconds,
                preexec_fn=_limited,
            )
        except subprocess.TimeoutExpired:
            raise _refusal(what, f"i/o timeout after {seconds} seconds") from None
        except OSError as error:
            raise NoAnswerError(f"{what}: it cannot be run: {error.strerror}") from None
        for file in (said, fault):
            file.seek(0)
        answer, complaint = said.read(), fault.read()
    if max(len(answer), len(complaint)) >= LONGEST:
        raise NoAnswerError(f"{what}: it said more than {LONGEST >> 20} MiB")
    if done.returncode:
        raise _refusal(what, shown(_KLOG.sub("", complaint.decode(errors="replace"))))
    try:
        return answer.decode()
    except UnicodeDecodeError as error:
        raise NoAnswerError(f"{what}: the answer is not UTF-8: {error.reason}") from None


def _limited() -> None:
    """In the process of kubectl: no file of it gets longer, its output is one."""
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    own = LONGEST if most == resource.RLIM_INFINITY else min(LONGEST, most)
    resource.setrlimit(resource.RLIMIT_FSIZE, (own, most))


def shown(text: str) -> str:
    """`text` of others as one line of a message, not long."""
    return line(text[:2000])[:300]


def get(kind: str, name: str, namespace: str) -> Object:
    """One object; raises InputError where it is absent."""
    found = find(kind, name, namespace)
    if found is None:
        raise InputError(f"{kind} {name} is not in namespace {namespace}: run `make deploy` first")
    return found


def find(kind: str, name: str, namespace: str) -> Object | None:
    """One object, None where there is none."""
    text = ask("get", kind, name, "--namespace", namespace, "--ignore-not-found", "--output=json")
    return read(text, kind) if text.strip() else None


def pods(namespace: str, track: str) -> list[Object]:
    """Pods of one track, in the order of their names."""
    selector = f"--selector=app.kubernetes.io/name={project()},track={track}"
    text = ask("get", "pods", "--namespace", namespace, selector, "--output=json")
    return sorted(read(text, "pods")["items"], key=lambda pod: str(pod["metadata"]["name"]))


def is_ready(pod: Object) -> bool:
    """Whether a pod is ready and not on its way out."""
    conditions = pod.get("status", {}).get("conditions", [])
    gone = "deletionTimestamp" in pod["metadata"]
    return not gone and any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def read(text: str, kind: str) -> Object:
    """The JSON of an answer, without the nulls that stand for nothing.

    Raises NoAnswerError unless it has the form of `kind`.
    """
    try:
        found: Object = _formed(json.loads(text), FORMS[kind], kind)
    except (ValueError, RecursionError) as error:
        raise NoAnswerError(f"kubectl gave no {kind}: {shown(str(error))}") from None
    return found


def _formed(value: Any, form: Any, where: str) -> Any:
    if isinstance(form, type):
        if type(value) is not form:
            raise ValueError(f"{where} is no {form.__name__}")
        return value
    if isinstance(form, list | tuple):
        if not isinstance(value, list) or len(value) < isinstance(form, tuple):
            raise ValueError(f"{where} is no list of what is wanted")
        return [_formed(part, form[0], f"{where}.{n}") for n, part in enumerate(value)]
    if not isinstance(value, dict):
        raise ValueError(f"{where} is no map")
    if str in form:
        return {key: _formed(part, form[str], f"{where}.{key}") for key, part in value.items()}
    made = dict(value)
    for name, part in form.items():
        key = name.removesuffix("?")
        if key != name and made.get(key) is None:
            made.pop(key, None)
        else:
            made[key] = _formed(made.get(key), part, f"{where}.{key}")
    return made


def _refusal(what: str, said: str) -> InputError:
    """The error for what kubectl said, with the remedy."""
    if "(Conflict)" in said:
        return ConflictError(f"{what}: {said}")
    if "(NotFound)" in said:
        return AbsentError(f"{what}: {said}")
    if "(Unauthorized)" in said or "must be logged in" in said:
        remedy = "log in again (a login to a cloud lasts an hour or so), or renew the kubeconfig"
        return InputError(f"{what}: the cluster does not know who asks: {remedy}: {said}")
    if "Forbidden" in said or "forbidden" in said:
        return ForbiddenError(f"{what}: your account may not do this: {said}")
    if "the server doesn't have a resource type" in said or "no matches for kind" in said:
        return InputError(
            f"{what}: the cluster lacks that API (Gateway API for HTTPRoute, Argo Rollouts for "
            f"STRATEGY=argo): install it: {said}"
        )
    if any(sign in said for sign in _NO_CLUSTER):
        remedy = "set KUBECONFIG, or look at `kubectl config current-context`"
        kind = InputError if any(sign in said for sign in _UNSET) else NoAnswerError
        return kind(f"{what}: no cluster answers: {remedy} ({said})")
    return NoAnswerError(f"{what}: {said or 'failed without a word'}")
