"""Clients of `make bench`: wrk, with clients that ask again at once, or after a while."""

from __future__ import annotations

import re
import subprocess
import tempfile
from dataclasses import dataclass
from http.client import HTTPConnection

JSON = {"content-type": "application/json"}
LUA = 'wrk.method = "POST"\nwrk.headers["content-type"] = "application/json"\n'


def ask(port: int, method: str, path: str, body: str | None = None) -> int:
    """Status of the answer, 0 where there is none."""
    try:
        connection = HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request(method, path, body, JSON)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    except OSError:
        return 0


@dataclass(frozen=True)
class Speed:
    """What wrk saw: answers of 200 a second, latencies in milliseconds."""

    per_second: float
    p50: float
    p99: float
    failed: int


def wrk(
    port: int, path: str, body: str, connections: int, seconds: float, think: float = 0.0
) -> Speed:
    """Drive a service with `connections` clients that ask again once they are answered.

    With `think` each waits a random time first, so many seconds on average: 1,000 clients that
    think for one second ask close to 1,000 times a second, however slow or short an answer is.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(LUA + f"wrk.body = [==[{body}]==]\n")
        if think:
            script.write(f"function delay() return math.random(0, {round(2000 * think)}) end\n")
        script.flush()
        address = f"http://127.0.0.1:{port}{path}"
        said = subprocess.run(
            [
                *("wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--latency"),
                *("--timeout", "30s", "-s", script.name, address),
            ],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    failed = int(bad[1]) if bad else 0
    total = int(re.search(r"(\d+) requests in", said)[1])  # type: ignore[index]
    per_second = float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1])  # type: ignore[index]
    good = per_second * (total - failed) / total if total else 0.0
    return Speed(good, _milliseconds(said, "50%"), _milliseconds(said, "99%"), failed)


def _milliseconds(said: str, share: str) -> float:
    found = re.search(rf"{share}\s+([\d.]+)(us|ms|s)", said)
    assert found is not None, said
    return float(found[1]) * {"us": 0.001, "ms": 1, "s": 1000}[found[2]]
