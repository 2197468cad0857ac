"""A real registry of images, on loopback."""

from __future__ import annotations

import contextlib
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from needs import needed
from observe import until
from service import free_port

SETTINGS = """\
version: 0.1
log: {{level: error}}
storage: {{filesystem: {{rootdirectory: {folder}/data}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""
USERS = "auth: {{htpasswd: {{realm: here, path: {folder}/users}}}}\n"


@contextlib.contextmanager
def registry(folder: Path, user: str = "") -> Iterator[str]:
    """Its address. It knows `user`, a line of htpasswd, alone; without one it asks nobody."""
    port = free_port()
    settings = SETTINGS + (USERS if user else "")
    (folder / "config.yml").write_text(settings.format(folder=folder, port=port))
    (folder / "users").write_text(f"{user}\n")
    words = [needed("docker-registry"), "serve", str(folder / "config.yml")]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(words, stdout=log, stderr=log)
    try:
        there = 401 if user else 200
        until(lambda: _status(f"http://127.0.0.1:{port}/v2/") == there, 30, folder / "log")
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def _status(address: str) -> int:
    """The code of the answer, 0 without one."""
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0
