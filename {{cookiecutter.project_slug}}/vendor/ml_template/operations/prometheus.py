"""What monitoring found in the text format of Prometheus: for its textfile collector, or pushed.

`monitor_last_run_timestamp_seconds` is the dead-man's switch: it stands still when monitoring does.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from ..outside import web
from ..settings.config import InputError

Sample = tuple[str, dict[str, str], float]
PUSHGATEWAY = "PUSHGATEWAY_URL"


def gateway() -> str:
    """Address of the project's group at a Pushgateway; empty without PUSHGATEWAY_URL."""
    address = os.environ.get(PUSHGATEWAY, "")
    if not address:
        return ""
    fault = web.unusable(address)
    parts = urlsplit("" if fault else address)
    group = parts.path.partition("/metrics/job/")[2]
    if fault == web.LOGIN:
        raise InputError(f"{PUSHGATEWAY}: {fault}: what keeps others out is the network")
    if parts.scheme not in ("http", "https") or not group:
        raise InputError(
            f"{PUSHGATEWAY} must be the address of a group, such as "
            "http://pushgateway.example.com:9091/metrics/job/NAME-OF-THE-PROJECT"
        )
    return address


def push(address: str, exposition: str) -> bool:
    """Whether the group at `address` was replaced by `exposition`; the reason is printed if not."""
    refused = web.send("PUT", address, exposition.encode(), {"Content-Type": "text/plain"})
    if refused:
        print(f"monitor: {PUSHGATEWAY} did not take the metrics: {refused}", file=sys.stderr)
    return not refused


def text(found: dict[str, Any]) -> str:
    """The exposition format of the samples of one look."""
    registry, gauges = CollectorRegistry(), dict[str, Gauge]()
    for name, labels, value in samples(found):
        if name not in gauges:
            gauges[name] = Gauge(name, HELP[name], list(labels), registry=registry)
        (gauges[name].labels(**labels) if labels else gauges[name]).set(value)
    return generate_latest(registry).decode()


HELP = {
    "monitor_last_run_timestamp_seconds": "When monitoring last ended well",
    "monitor_alarm": "1 where drift or a drop of quality was found",
    "monitor_champion_since_timestamp_seconds": "When the champion became champion",
    "monitor_judged": "0 where there was too little data to judge",
    "monitor_window_rows": "Rows of the newest window",
    "monitor_drift": "1 where the column drifts in N of M windows",
    "monitor_psi": "Population stability index of the newest window",
    "monitor_missing_ratio": "Share of missing values in the newest window",
    "monitor_quality": "Headline metric of the labelled answers, with its 95 % interval",
    "monitor_quality_dropped": "1 where the labels say that the model got worse",
    "monitor_labels": "Labelled answers of the champion",
    "monitor_log_silent_seconds": "Since the last logged prediction",
    "monitor_log_p99_milliseconds": "99th percentile of logged answers",
}


def samples(found: dict[str, Any]) -> Iterator[Sample]:
    """Every sample, those of one name together."""
    since, last = (datetime.fromisoformat(found[key]).timestamp() for key in ("since", "time"))
    yield "monitor_last_run_timestamp_seconds", {}, last
    yield "monitor_champion_since_timestamp_seconds", {}, since
    yield "monitor_alarm", {}, float(found["state"] == "alarm")
    yield "monitor_judged", {}, float(found["state"] != "not enough data")
    none = {"rows": 0, "results": []}
    newest: dict[str, Any] = found["windows"][-1] if found["windows"] else none
    yield "monitor_window_rows", {}, float(newest["rows"])
    columns = [({"column": result["column"]}, result) for result in newest["results"]]
    for column, result in columns:
        yield "monitor_drift", column, float(result["column"] in found["drifting"])
    for name, key in (("monitor_psi", "psi"), ("monitor_missing_ratio", "missing")):
        for column, result in columns:
            if result[key] is not None:
                yield name, column, result[key]
    quality = found["quality"]
    for bound in ("value", "low", "high"):
        if bound in quality:
            yield "monitor_quality", {"metric": quality["metric"], "bound": bound}, quality[bound]
    yield "monitor_quality_dropped", {}, float(quality["verdict"] == "dropped")
    yield "monitor_labels", {}, float(quality["rows"])
    logged = {"silent_seconds": "silent_seconds", "p99_milliseconds": "p99_ms"}
    for name, key in logged.items():
        if found["health"].get(key) is not None:
            yield f"monitor_log_{name}", {}, found["health"][key]
