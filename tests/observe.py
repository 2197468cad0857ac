"""Prometheus, Alertmanager, Pushgateway and a Slack-shaped webhook, started for real."""

from __future__ import annotations

import http.server
import json
import re
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import alerts
import yaml
from needs import needed
from service import free_port

PROGRAMS = ("prometheus", "prometheus-alertmanager", "prometheus-pushgateway")
Found = list[dict[str, Any]]


@dataclass
class Watch:
    """Where the programs answer, and the messages that came to the webhook."""

    prometheus: str = ""
    pushgateway: str = ""
    messages: list[str] = field(default_factory=list)

    def query(self, expression: str) -> Found:
        """Samples of an instant query, those that are not a number left out."""
        asked = urllib.parse.urlencode({"query": expression})
        try:
            text = urllib.request.urlopen(f"{self.prometheus}/api/v1/query?{asked}").read()
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{expression}\n{error.read().decode()}") from None
        result: Found = json.loads(text)["data"]["result"]
        return [sample for sample in result if sample["value"][1] != "NaN"]

    def told(self, alert: str) -> str:
        """The first message about an alert, or nothing."""
        return next((message for message in self.messages if f"firing: {alert} " in message), "")


def until(asked: Callable[[], Any], seconds: float = 60, log: Path | None = None) -> Any:
    """The first answer that is something; fails after `seconds`, with what the log says."""
    deadline = time.monotonic() + seconds
    while not (answer := asked()):
        said = f"\n{log}:\n{log.read_text(errors='replace')}" if log and log.is_file() else ""
        assert time.monotonic() < deadline, f"it did not come{said}"
        time.sleep(0.2)
    return answer


@contextmanager
def watching(project: Path, service: str, folder: Path) -> Iterator[Watch]:
    """Prometheus and its friends look at the service at HOST:PORT, with the files of the project.

    Only times are changed: rules and routes wait seconds where they say minutes.
    """
    needed(*PROGRAMS)
    watch = Watch()
    ports = {program: free_port() for program in PROGRAMS}
    watch.prometheus, manager, watch.pushgateway = (
        f"http://127.0.0.1:{ports[program]}" for program in PROGRAMS
    )
    with ExitStack() as stack:
        hook = stack.enter_context(webhook(watch.messages))
        configure(project, folder, service, watch, manager, hook)
        listen = {program: f"--web.listen-address=127.0.0.1:{ports[program]}" for program in ports}
        for program, *words in (
            ("prometheus-pushgateway",),
            (
                "prometheus-alertmanager",
                *("--config.file=alertmanager.yaml", f"--storage.path={folder}/alerts"),
                *("--cluster.listen-address=", "--log.level=error"),
            ),
            (
                "prometheus",
                *("--config.file=prometheus.yaml", f"--storage.tsdb.path={folder}/series"),
                "--log.level=error",
            ),
        ):
            stack.enter_context(running(folder, program, listen[program], *words))
        for program, port in ports.items():
            log = folder / f"{program}.log"
            until(lambda port=port: answers(f"http://127.0.0.1:{port}/-/ready"), 120, log)  # type: ignore[misc]
        yield watch


def configure(
    project: Path, folder: Path, service: str, watch: Watch, manager: str, hook: str
) -> None:
    """Write what the programs read, from the files of the project."""
    rules = alerts.plain((project / alerts.RULES).read_text(encoding="utf-8"))
    quick = re.sub(r"\bfor: \w+", "for: 5s", rules)
    (folder / "rules.yaml").write_text(quick, encoding="utf-8")
    routes = (project / "deploy/monitoring/alertmanager.yaml").read_text(encoding="utf-8")
    quick = re.sub(r"group_(wait|interval): \w+", r"group_\1: 1s", routes)
    secret = f"/etc/alertmanager/secrets/{project.name}-alerts/webhook"
    assert quick.count(secret) == 1
    (folder / "webhook").write_text(hook, encoding="utf-8")
    written = quick.replace(secret, str(folder / "webhook"))
    (folder / "alertmanager.yaml").write_text(written, encoding="utf-8")
    labels = {"namespace": f"{project.name}-production", "track": "stable"}
    gateway = watch.pushgateway.removeprefix("http://")
    config = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": ["rules.yaml"],
        "alerting": {
            "alertmanagers": [{"static_configs": [{"targets": [manager.removeprefix("http://")]}]}]
        },
        "scrape_configs": [
            {
                "job_name": project.name,
                "static_configs": [{"targets": [service], "labels": labels}],
            },
            {
                "job_name": "pushgateway",
                "honor_labels": True,
                "static_configs": [{"targets": [gateway]}],
            },
        ],
    }
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")


@contextmanager
def running(folder: Path, program: str, *words: str) -> Iterator[None]:
    """A program in the background; its output is in FOLDER/PROGRAM.log."""
    with (folder / f"{program}.log").open("wb") as log:
        process = subprocess.Popen([program, *words], cwd=folder, stdout=log, stderr=log)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def webhook(messages: list[str]) -> Iterator[str]:
    """An address that takes what Slack takes: JSON with `text` or `attachments`."""

    class Hook(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            messages.extend(f"{part['title']} {part['text']}" for part in sent["attachments"])
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/services/T0/B0/example"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def answers(address: str) -> bool:
    try:
        return bool(urllib.request.urlopen(address, timeout=5).status == 200)
    except OSError:
        return False
