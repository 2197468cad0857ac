"""A gateway that mirrors, in a few lines: Traefik's Gateway API provider cannot."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import random
import secrets
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from cluster import Cluster

Answer = tuple[int, dict[str, str], bytes]


@dataclass
class Gateway:
    """Follows the weights and the mirror of one route; keeps the headers of every answer."""

    made: Cluster
    space: str
    name: str
    port: int = 0
    shown: list[dict[str, str]] = field(default_factory=list)
    hidden: list[dict[str, str]] = field(default_factory=list)
    others: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(8))

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        """What the client gets; a copy goes to the mirror, with the same x-request-id."""
        headers = {"x-request-id": secrets.token_hex(8)} | headers
        found = self.made.store.get("httproutes", self.space, self.name) or {}
        (rule,) = found["spec"]["rules"]
        for part in rule.get("filters", []):
            service = part["requestMirror"]["backendRef"]["name"]
            self.others.submit(self.mirrored, service, method, path, headers, body)
        backends = {backend["name"]: backend["weight"] for backend in rule["backendRefs"]}
        (service,) = random.choices([*backends], [*backends.values()])
        told = self.ask(service, method, path, headers, body)
        self.shown.append(told[1])
        return told

    def mirrored(self, *request: object) -> None:
        self.hidden.append(self.ask(*request)[1])  # type: ignore[arg-type]

    def ask(
        self, service: str, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> Answer:
        """The answer of a pod of `service` that is ready; 503 where there is none."""
        slices = [
            part["endpoints"][0]["addresses"][0]
            for part in self.made.store.all("endpointslices", self.space)
            if part["metadata"]["labels"]["kubernetes.io/service-name"] == service
            and part["endpoints"]
        ]
        if not slices:
            return 503, {}, b""
        connection = http.client.HTTPConnection(random.choice(slices), 8000, timeout=10)
        try:
            connection.request(method, path, body, headers)
            told = connection.getresponse()
            return told.status, {k.lower(): v for k, v in told.getheaders()}, told.read()
        except (OSError, http.client.HTTPException):
            return 502, {}, b""
        finally:
            connection.close()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    gateway: Gateway

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {"content-type": self.headers["content-type"]}
        status, _, content = self.gateway.answer("POST", self.path, headers, body)
        self.send_response(status)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@contextlib.contextmanager
def mirroring(made: Cluster, space: str, name: str) -> Iterator[Gateway]:
    """A gateway on a free port of the loopback."""
    gateway = Gateway(made, space, name)
    handler = type("OneHandler", (Handler,), {"gateway": gateway})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    server.block_on_close = False
    gateway.port = server.server_port
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield gateway
    finally:
        server.shutdown()
        server.server_close()
        gateway.others.shutdown()
