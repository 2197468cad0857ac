"""The pods of Jobs as containers, and the API server as a pod sees it."""

from __future__ import annotations

import contextlib
import http.server
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from cluster import Cluster, Handler
from manifest_rules import template

ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
TOKEN = "the-token-of-the-pod"


def run(
    image: str, manifest: Path, volumes: dict[str, Path], *options: str
) -> subprocess.CompletedProcess[str]:
    """Run `image` as the pod of `manifest` says, to its end; `volumes`: mountPath: a folder here.

    Mounts without a folder are in memory. Loopback is that of this machine.
    """
    pod = template(yaml.safe_load(manifest.read_text(encoding="utf-8")))["spec"]
    (container,) = pod["containers"]
    words = ["docker", "run", "--rm", "--network", "host", *hardened(pod, container)]
    for mount in container["volumeMounts"]:
        place = mount["mountPath"]
        if place not in volumes:
            words += ["--tmpfs", f"{place}:exec,mode=1777"]
            continue
        only = ":ro" if mount.get("readOnly") else ""
        words += ["--volume", f"{volumes[place]}:{place}{only}"]
    words += [*options, image, *container["args"]]
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=600)


def hardened(pod: dict[str, Any], container: dict[str, Any]) -> list[str]:
    """Docker's words for the security and the limits of a pod."""
    who, secure = pod["securityContext"], container["securityContext"]
    limits = container["resources"]["limits"]
    memory = limits["memory"].replace("Mi", "m").replace("Gi", "g")
    words = [f"--user={who['runAsUser']}:{who['runAsGroup']}", f"--memory={memory}"]
    words += [f"--cap-drop={name}" for name in secure["capabilities"]["drop"]]
    if secure["readOnlyRootFilesystem"]:
        words.append("--read-only")
    if not secure["allowPrivilegeEscalation"]:
        words.append("--security-opt=no-new-privileges")
    return words


def shared(folder: Path) -> Path:
    """A new folder that every user may write, as the group of a pod may its volumes."""
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    return folder


@contextlib.contextmanager
def in_cluster(made: Cluster, folder: Path) -> Iterator[list[str]]:
    """Options of docker with which kubectl finds the API server, by TLS and with a token."""
    account = folder / "account"
    account.mkdir()
    (account / "token").write_text(TOKEN)
    (account / "namespace").write_text("default")
    key, name = folder / "server.key", "subjectAltName=IP:127.0.0.1"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"),
            *("-subj", "/CN=drill", "-addext", name, "-keyout", key, "-out", account / "ca.crt"),
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(account / "ca.crt", key)
    handler = type("Door", (_Door,), {"store": made.store})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.daemon_threads = True
    server.block_on_close = False
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = server.server_port
    try:
        yield [
            *("--volume", f"{account}:{ACCOUNT}:ro"),
            *("--env", "KUBERNETES_SERVICE_HOST=127.0.0.1"),
            *("--env", f"KUBERNETES_SERVICE_PORT={port}"),
        ]
    finally:
        server.shutdown()
        server.server_close()


class _Door(Handler):
    """The API server for those who have the token."""

    def parse_request(self) -> bool:
        if not super().parse_request():
            return False
        if self.headers["authorization"] != f"Bearer {TOKEN}":
            self.refuse(401, "Unauthorized", "Unauthorized")
            return False
        return True
