"""load: a load test of the service with locust, judged by the thresholds of gates.yaml."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from .. import project
from ..model import artifact
from ..outside import html, screen, web
from ..outside.progress import say
from ..registry import champion
from ..settings import gates
from ..settings.config import InputError
from ..storage.files import read_json, write_json, write_text
from ..storage.places import IMAGE
from ..tables.schema import example_record
from .records import column_specs

LOCUSTFILE = Path("tests/load/locustfile.py")
REPORT = Path("reports/load.html")
RESULT = Path("reports/load.json")
LIMITS: tuple[tuple[str, gates.Direction, str], ...] = (  # what is measured, limit in gates.yaml
    ("p95_ms", "<=", "max_p95_ms"),
    ("p99_ms", "<=", "max_p99_ms"),
    ("error_rate", "<=", "max_error_rate"),
    ("requests_per_second", ">=", "min_requests_per_second"),
)
START_SECONDS = 300.0  # until the service of our own is ready
END_SECONDS = 120.0  # until it, or locust after its time, has ended


def run(settings: dict[str, Any]) -> bool:
    """SHAPE=steady|ramp|spike, USERS, DURATION (seconds), URL of a running service or MODEL=folder.

    ENV=staging takes the service at STAGING_URL.
    Writes reports/load.html and load.json; False when a threshold is missed.
    """
    rule = gates.load_gates().load
    shape = settings.get("SHAPE", "steady")
    words = {
        "LOAD_SHAPE": shape,
        "LOAD_USERS": str(settings.get("USERS", 8)),
        "LOAD_DURATION": str(settings.get("DURATION", 30)),
    }
    there = _staging(settings["ENV"]) if settings.get("ENV") else settings.get("URL") or ""
    body = _example(settings)
    with _service(settings, there, body) as url:
        _expect(settings, url, body)
        say(f"load: {words['LOAD_DURATION']} s, {shape}, {words['LOAD_USERS']} users")
        found = _locust(url, words | {"LOAD_BODY": body.decode()})
    lines = [gates.line("load", "off", "off in gates.yaml")]
    if rule:
        lines = [gates.compare(n, found[n], sign, getattr(rule, key)) for n, sign, key in LIMITS]
    write_json(RESULT, words | found | {"lines": lines})
    said = f"{found['requests']:,} requests, {shape}, {words['LOAD_USERS']} users"
    write_text(REPORT, above(REPORT.read_text(encoding="utf-8"), lines, said))
    for line in lines:
        shown = f"{gates.short(line['value'])} {line['limit'] or line['reason']}".strip()
        print(f"load: {line['gate']}: {line['verdict']} ({shown})")
    print(f"load: {said} -> {REPORT}")
    return all(line["verdict"] != "refused" for line in lines)


def above(page: str, lines: list[gates.Check], said: str) -> str:
    """The page of locust below the verdict of the gate; raises InputError for what is no page."""
    body = re.search(r"^\s*<body[^>]*>", page, re.MULTILINE)  # its script has others
    if body is None:
        raise InputError(f"{REPORT} of locust has no body: its version is not the one of the locks")
    passed = all(line["verdict"] != "refused" for line in lines)
    values = {"passed": passed, "said": said, "lines": lines, "short": gates.short}
    verdict = html.page("serving/load.html", title="Load test", **values)
    return page[: body.end()] + verdict + page[body.end() :]


def _example(settings: dict[str, str]) -> bytes:
    """A body that the service answers: a gateway lets nothing through that would tell one.

    Of MODEL, with ENV of the image made last, else of the champion.
    """
    from .serve import which

    folder, _ = which(settings)
    if settings.get("ENV") and IMAGE.exists():
        folder = champion.folder(read_json(IMAGE, "run `make sign`")["model"])
    model = artifact.load(folder)
    record = example_record(column_specs(model), artifact.known_rows(model.identity))
    return json.dumps({"records": [record]}).encode()


def _locust(url: str, words: dict[str, str]) -> dict[str, Any]:
    """Run locust to its end; what it counted."""
    if not LOCUSTFILE.is_file():
        raise InputError(f"{LOCUSTFILE} is missing: restore it from git")
    REPORT.parent.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "locust", "--locustfile", str(LOCUSTFILE), "--host", url]
    command += ["--headless", "--skip-log", "--json", "--html", str(REPORT)]
    command += ["--exit-code-on-error", "0", "--loglevel", "ERROR"]
    seconds = int(words["LOAD_DURATION"]) + END_SECONDS
    try:
        done = screen.output(command, seconds, os.environ | words)
    except subprocess.TimeoutExpired:
        raise InputError(f"load: locust did not end within {seconds:.0f} s") from None
    try:
        entry = next(e for e in json.loads(done.stdout) if e["name"] == "/predict")
    except (ValueError, StopIteration):
        raise InputError("load: locust made no request: its message stands above") from None
    return _summary(entry)


def _summary(entry: dict[str, Any]) -> dict[str, Any]:
    """Counts and percentiles of locust's histogram {milliseconds: requests}."""
    times = sorted((float(ms), count) for ms, count in entry["response_times"].items())
    seen = np.cumsum([count for _, count in times])
    seconds = max(entry["last_request_timestamp"] - entry["start_time"], 1e-9)

    def percentile(share: float) -> float:
        return times[np.searchsorted(seen, share * seen[-1])][0] if times else float("nan")

    requests, failed = entry["num_requests"], entry["num_failures"]
    return {
        "requests": requests,
        "p50_ms": percentile(0.5),
        "p95_ms": percentile(0.95),
        "p99_ms": percentile(0.99),
        "error_rate": failed / requests if requests else 1.0,
        "requests_per_second": (requests - failed) / seconds,
    }


@contextlib.contextmanager
def _service(settings: dict[str, str], url: str, body: bytes) -> Iterator[str]:
    """Address of the service: `url`, or one of our own on a free port; it answers `body`."""
    url = url.rstrip("/")
    if url:
        if not url.startswith(("http://", "https://")) or _model(url, body) is None:
            raise InputError(
                f"URL={url}: nothing answers the example of the model there: it is "
                f"http://host:port, and MODEL=folder names another model than the champion"
            )
        yield url
        return
    host, port, url = _free()
    command = project.command("serve", HOST=host, PORT=port, MODEL=settings.get("MODEL") or "")
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    until = time.monotonic() + START_SECONDS
    try:
        while _model(url, body) is None:
            if process.poll() is not None:
                raise InputError("load: the service did not start: its message stands above")
            if time.monotonic() > until:
                raise InputError(f"load: {url}/predict names no model within {START_SECONDS:.0f} s")
            time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(END_SECONDS)
        process.kill()
        process.wait()


def _free() -> tuple[str, int, str]:
    """A free port that only this machine reaches: host, port, address; of IPv6 without IPv4."""
    from .serve import address, listen

    try:
        listener = listen("127.0.0.1", 0)
    except InputError:
        listener = listen("::1", 0)
    with listener:
        host, port = listener.getsockname()[:2]
        return host, port, address(listener)


def _staging(env: str) -> str:
    """STAGING_URL; raises InputError where it is not set, or ENV is another environment."""
    if env != "staging":
        raise InputError(f"ENV={env}: only staging is put under load: name ENV=staging")
    url = os.environ.get("STAGING_URL")
    if not url:
        raise InputError("STAGING_URL is not set: it is the address of staging at your gateway")
    return url


def _expect(settings: dict[str, str], url: str, body: bytes) -> None:
    """Raise InputError where the service of ENV is not that of the image made last."""
    if not settings.get("ENV") or not IMAGE.exists():
        return
    wanted, found = read_json(IMAGE, "run `make sign`")["model"][:16], _model(url, body)
    if found != wanted:
        raise InputError(
            f"{url} serves model {found}, {IMAGE} names {wanted}: run `make deploy "
            f"ENV={settings['ENV']} STRATEGY=rolling` first"
        )


def _model(url: str, body: bytes) -> str | None:
    """Which model answers `body` at `url`: the first 16 of its digest."""
    try:
        return str(json.loads(web.read(f"{url}/predict", body) or b"")["model"])
    except (ValueError, KeyError, TypeError):
        return None
