"""T47: what an API server says to the objects of a project. It keeps none of them."""

from __future__ import annotations

import contextlib
import copy
import json
import os
import secrets
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml
from manifest_rules import Object, Objects, of_kind, template

# Taken before the tests clean it: plugins that log in to a cloud's cluster need it.
ENVIRONMENT = dict(os.environ)
KUBECONFIG = os.environ.get("T47_KUBECONFIG", "")


@dataclass(frozen=True)
class Server:
    """An API server by its kubeconfig, and the one namespace there that is ours."""

    kubeconfig: Path
    namespace: str

    def kubectl(self, *words: str, text: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["kubectl", *words],
            env=ENVIRONMENT | {"KUBECONFIG": str(self.kubeconfig)},
            input=text,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )

    def refusals(self, objects: Objects) -> list[str]:
        """What the server says against `objects`, warnings included; it keeps none of them."""
        words = ("apply", "--server-side", "--dry-run=server", "--filename=-")
        done = self.kubectl(*words, text=self.ours(objects))
        said = [line for line in done.stderr.splitlines() if line.startswith("Warning: ")]
        return said + ([done.stderr] if done.returncode else [])

    def ours(self, objects: Objects) -> str:
        """`objects` as text, in our namespace instead of theirs."""
        text = yaml.safe_dump_all(json.loads(json.dumps(objects)))
        for space in {t["metadata"].get("namespace") for t in objects} - {None}:
            text = text.replace(space, self.namespace)
        return text

    def unsafe(self, deployment: Object) -> list[str]:
        """What is wrong with the admission of pods: one of ours passes, a privileged one never."""
        pod = copy.deepcopy(template(deployment)) | {"apiVersion": "v1", "kind": "Pod"}
        pod["metadata"] |= {"name": "t47", "namespace": deployment["metadata"]["namespace"]}
        found = self.refusals([pod])
        # valid in all else: a server looks for what cannot be before it asks whether it may be
        security = pod["spec"]["containers"][0]["securityContext"]
        security |= {"privileged": True, "allowPrivilegeEscalation": True}
        if not any("violates PodSecurity" in said for said in self.refusals([pod])):
            found.append("a privileged pod is not refused")
        return found


@contextlib.contextmanager
def server(kubeconfig: Path, objects: Objects) -> Iterator[Server]:
    """The server of `kubeconfig`, with a namespace of ours that is made like theirs.

    The namespace and its accounts are really there while the block runs: without them nothing else
    can be asked.
    """
    there = Server(kubeconfig, f"t47-{secrets.token_hex(4)}")
    needed = list(of_kind(objects, "Namespace", "ServiceAccount"))
    try:
        done = there.kubectl("apply", "--server-side", "--filename=-", text=there.ours(needed))
        assert done.returncode == 0, done.stderr
        yield there
    finally:
        words = ("delete", "namespace", there.namespace, "--ignore-not-found", "--wait=false")
        done = there.kubectl(*words)
        assert done.returncode == 0, done.stderr
