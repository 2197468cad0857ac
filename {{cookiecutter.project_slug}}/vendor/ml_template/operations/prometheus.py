"""What monitoring found in the text format of Prometheus: for its textfile collector, or pushed.

`monitor_last_run_timestamp_seconds` is the dead-man's switch: it stands still when monitoring does.
"""

from __future__ import annotations

import os
import sys
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from ..outside import web
from ..settings.config import InputError

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
    """The exposition format of one look; what is not known is left out."""
    registry = CollectorRegistry()
    for name, about, value in _gauges(found):
        samples = value if isinstance(value, list) else [({}, value)]
        samples = [(labels, number) for labels, number in samples if number is not None]
        if samples:
            gauge = Gauge(name, about, [*samples[0][0]], registry=registry)
        for labels, number in samples:
            (gauge.labels(**labels) if labels else gauge).set(number)
    return generate_latest(registry).decode()


def _gauges(found: dict[str, Any]) -> list[tuple[str, str, Any]]:
    """Name, help, and value of each gauge; or its values, each behind its labels."""
    quality, health, state = found["quality"], found["health"], found["state"]
    since, last = (datetime.fromisoformat(found[key]).timestamp() for key in ("since", "time"))
    none: dict[str, Any] = {"rows": 0, "results": []}
    newest = found["windows"][-1] if found["windows"] else none
    columns = [({"column": result["column"]}, result) for result in newest["results"]]
    drifts = [(column, result["column"] in found["drifting"]) for column, result in columns]
    sizes = [(column, result["psi"]) for column, result in columns]
    missing = [(column, result["missing"]) for column, result in columns]
    bounds = [bound for bound in ("value", "low", "high") if bound in quality]
    headline = [({"metric": quality["metric"], "bound": bound}, quality[bound]) for bound in bounds]
    judged, dropped = state != "not enough data", quality["verdict"] == "dropped"
    silent, p99 = health.get("silent_seconds"), health.get("p99_ms")
    return [
        ("monitor_last_run_timestamp_seconds", "When monitoring last ended well", last),
        ("monitor_champion_since_timestamp_seconds", "When the champion became champion", since),
        ("monitor_alarm", "1 where drift or a drop of quality was found", state == "alarm"),
        ("monitor_judged", "0 where there was too little data to judge", judged),
        ("monitor_window_rows", "Rows of the newest window", newest["rows"]),
        ("monitor_drift", "1 where the column drifts in N of M windows", drifts),
        ("monitor_psi", "Population stability index of the newest window", sizes),
        ("monitor_missing_ratio", "Share of missing values in the newest window", missing),
        (
            "monitor_quality",
            "Headline metric of the labelled answers, with its 95 % interval",
            headline,
        ),
        ("monitor_quality_dropped", "1 where the labels say that the model got worse", dropped),
        ("monitor_labels", "Labelled answers of the champion", quality["rows"]),
        ("monitor_log_silent_seconds", "Since the last logged prediction", silent),
        ("monitor_log_p99_milliseconds", "99th percentile of logged answers", p99),
    ]
