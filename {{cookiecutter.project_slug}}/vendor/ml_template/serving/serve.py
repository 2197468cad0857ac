"""serve: the champion, or the model in MODEL, behind HTTP in the foreground."""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import os
import signal
import socket
import tempfile
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

import numpy as np
import uvicorn
from fastapi import FastAPI

from .. import project
from ..model import artifact, manifest
from ..outside import screen
from ..settings.config import InputError
from .log import make_folder
from .protocol import Guarded
from .server import Server
from .settings import read_settings

BACKLOG = 2048  # connections that wait to be accepted
GRACE_SECONDS = 30  # for requests that are being answered when the service stops


def run(settings: dict[str, Any]) -> None:
    """HOST, PORT, WORKERS, MODEL (a folder), MODEL_DIGEST: that model and no other.

    Raises InputError unless the model answers its known answers.
    """
    host = settings.get("HOST") or "127.0.0.1"
    port, workers = settings.get("PORT", 8000), settings.get("WORKERS", 1)
    folder, expected = which(settings)
    limits = read_settings(os.environ)
    if limits.log:
        make_folder(limits.log)
    model = artifact.load(folder, expected)  # refuses here, before a port is open
    listener = listen(host, port)
    where = address(listener)
    print(f"serve: model {model.digest[:16]} on {where} (Ctrl-C stops)")
    print(f"serve: how to ask it, with a client to paste: {where}/docs", flush=True)
    try:
        if workers == 1:
            _server(model).run(sockets=[listener])
            return
        with tempfile.TemporaryDirectory() as counts:
            os.environ |= {
                "MODEL": str(folder),
                "MODEL_DIGEST": model.digest,
                "PROMETHEUS_MULTIPROC_DIR": counts,
                "SERVE_LOG_WRITERS": str(limits.log_writers * workers),
            }
            del model  # each worker has its own
            _several(workers, listener)
    except KeyboardInterrupt:
        print("serve: stopped")


def listen(host: str, port: int) -> socket.socket:
    """An open port; at `::` for IPv4 too, and where this machine has no IPv6, for IPv4 alone.

    `[::]` is `::`. Raises InputError where another has it, or the machine has no such address.
    """
    if host.startswith("[") and host.endswith("]") and ":" in host:  # as it stands in an address
        host = host[1:-1]
    both = host == "::" and socket.has_dualstack_ipv6()
    if host == "::" and not both:
        print("serve: this machine has no IPv6: at its addresses of IPv4 alone")
        host = "0.0.0.0"  # noqa: S104 - every address was asked for
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server(
            (host, port), family=family, backlog=BACKLOG, dualstack_ipv6=both
        )
    except OSError as error:
        why = str(error.strerror).partition(" (")[0]
        raise InputError(f"HOST={host} PORT={port}: {why}: choose another HOST or PORT") from None


def address(listener: socket.socket) -> str:
    """The address of an open port as a browser takes it."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _server(model: artifact.Model) -> Server:
    return Server(
        uvicorn.Config(
            application(model),
            http=Guarded,
            ws="none",
            backlog=BACKLOG,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            log_level="error",
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
    )


def _several(workers: int, listener: socket.socket) -> None:
    """Processes that share one port; when one ends, all do."""
    context = multiprocessing.get_context("spawn")
    given = (project.handed(), listener, os.getpid())
    children = [context.Process(target=_one, args=given) for _ in range(workers)]
    for child in children:
        child.start()
    listener.close()

    def end(*_: object) -> None:
        for child in children:
            child.terminate()

    signal.signal(signal.SIGTERM, end)
    try:
        wait([child.sentinel for child in children])
    finally:
        end()
        for child in children:
            child.join()
    told = (0, -signal.SIGINT, -signal.SIGTERM)
    failed = [child.exitcode for child in children if child.exitcode not in told]
    if failed:
        raise InputError(f"a worker ended with exit code {failed[0]}: its message stands above")


def _one(owner: project.Project, listener: socket.socket, parent: int) -> None:
    project.hand_over(owner)
    screen.install()
    with contextlib.suppress(KeyboardInterrupt):  # the parent says it
        model = artifact.load(Path(os.environ["MODEL"]), os.environ["MODEL_DIGEST"])
        server = _server(model)
        server.parent = parent
        server.run(sockets=[listener])


def which(settings: dict[str, str]) -> tuple[Path, str | None]:
    """Folder and digest, where one is asked for.

    Raises InputError where there is no model of that name, or no champion.
    """
    if settings.get("MODEL"):
        return manifest.named(settings["MODEL"]), settings.get("MODEL_DIGEST") or None
    from ..registry import champion  # the image holds its model and does without

    record = champion.read(champion.CHAMPION)
    if record is None:
        raise InputError("there is no champion to serve: run `make run`, or name MODEL=folder")
    return Path(record["model"]), str(record["digest"])


def application(model: artifact.Model) -> FastAPI:
    """The service of that model."""
    from .api import create

    np.seterr(all="ignore")  # outputs are checked; a warning could only repeat what was sent
    service = create(model, read_settings(os.environ))
    gc.collect()
    gc.freeze()  # what is loaded stays: looking through it would halt answers for 30 ms
    return service
