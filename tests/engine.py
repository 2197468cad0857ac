"""A container engine for tests: the one that runs here, or one of our own, or none and why."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

from needs import missing, needed

BASE = "stand-in-python:test"
KUBECTL = "stand-in-kubectl:test"
PACKAGES = "ca-certificates,netbase,python3,python3-pip,python3-venv,tzdata"
HARDENED = [
    *("--read-only", "--tmpfs", "/tmp:size=16m,noexec,nosuid", "--cap-drop", "ALL"),
    *("--security-opt", "no-new-privileges", "--memory", "512m", "--pids-limit", "100"),
]
BASE_FILE = """\
FROM bare
COPY ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
RUN rm -f /usr/lib/python3*/EXTERNALLY-MANAGED && ln -s /usr/bin/python3 /usr/local/bin/python
ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt PIP_CERT=/etc/ssl/certs/ca-certificates.crt
"""


def docker(*words: str, timeout: float = 900) -> str:
    """What docker prints; fails with all of it where docker fails."""
    done = subprocess.run(
        ["docker", *words], capture_output=True, text=True, check=False, timeout=timeout
    )
    assert done.returncode == 0, f"docker {words}\n{done.stdout}\n{done.stderr}"
    return done.stdout.strip()


@contextlib.contextmanager
def engine(folder: Path) -> Iterator[None]:
    """Docker answers inside the block."""
    needed("docker")
    if subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0:
        yield
        return
    needed("dockerd", "iptables")
    if os.geteuid() != 0:
        missing("no docker daemon answers, and only root can start one")
    socket = f"unix://{folder}/docker.sock"
    places = ["--data-root", f"{folder}/root", "--exec-root", f"{folder}/exec"]
    with (folder / "log").open("wb") as log:
        daemon = subprocess.Popen(
            ["dockerd", *places, "--pidfile", f"{folder}/pid", "--host", socket],
            stdout=log,
            stderr=log,
        )
    os.environ["DOCKER_HOST"] = socket
    try:
        deadline = time.monotonic() + 60
        while subprocess.run(["docker", "info"], capture_output=True, check=False).returncode:
            if daemon.poll() is not None or time.monotonic() > deadline:
                missing(f"dockerd does not start: {(folder / 'log').read_text()[-500:]}")
            time.sleep(0.2)
        yield
    finally:
        del os.environ["DOCKER_HOST"]
        daemon.terminate()
        daemon.wait(60)
        for left in (folder / "exec" / "netns").glob("*"):  # it outlives the daemon: an undeletable
            subprocess.run(["umount", "--lazy", str(left)], check=True)  # folder for later tests


def base_image(folder: Path) -> str:
    """An image with Python: a slim official one if it can be had, else Debian's own."""
    name = os.environ.get("PYTHON_IMAGE")
    if name:
        return name
    needed("mmdebstrap")  # or the name of an image with Python
    include = f"--include={PACKAGES}"
    archive = str(folder / "root.tar")
    subprocess.run(
        ["mmdebstrap", "--quiet", "--variant=minbase", include, "bookworm", archive], check=True
    )
    docker("import", "--change", "ENV PATH=/usr/local/bin:/usr/bin:/bin", archive, "bare")
    (folder / "root.tar").unlink()
    context = folder / "context"
    context.mkdir()
    (context / "Dockerfile").write_text(BASE_FILE)
    shutil.copy("/etc/ssl/certs/ca-certificates.crt", context)
    docker("build", "--tag", BASE, str(context))
    return BASE


def kubectl_image(folder: Path) -> str:
    """An image with /bin/kubectl: the one that is named in KUBECTL_IMAGE, else of the one here."""
    name = os.environ.get("KUBECTL_IMAGE")
    if name:
        return name
    found = needed("kubectl")
    archive = folder / "kubectl.tar"
    with tarfile.open(archive, "w", dereference=True) as files:
        files.add(found, "bin/kubectl")
    docker("import", str(archive), KUBECTL)
    archive.unlink()
    return KUBECTL
