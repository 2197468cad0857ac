"""The rules of `deploy/monitoring`: read, judged as text, and tried on series by promtool."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import bake
import yaml
from needs import needed

RULES = "deploy/monitoring/rules.yaml"
PEOPLE = "deploy/monitoring/alertmanager.yaml"
RUNBOOK = "docs/runbook.md"
SERIES = re.compile(
    r"(?<![\w:])(up|process_\w+|predict_\w+|prediction_\w+|model_info|monitor_\w+)(?![\w:])"
)
Rule = dict[str, Any]

# For each alert: series on which it fires and series on which it is silent, and the minute to look.
# Values of a series are promtool's: `0+2x60` is 0, 2, 4 ... 120, one a minute, or every fifth where
# the first word is `5m`. JOB stands for job="PROJECT",namespace="production".
OK, BAD, WRONG = (f'predict_requests_total{{JOB,code="{code}"}}' for code in (200, 500, 422))
CANARY = 'predict_requests_total{JOB,code="200",track="canary"}'
UP, STARTED = 'up{JOB,instance="a"}', 'process_start_time_seconds{JOB,instance="a"}'
MEMORY = 'process_resident_memory_bytes{JOB,instance="a"}'
ALL, QUICK = "predict_seconds_count{JOB}", 'predict_seconds_bucket{JOB,le="0.1"}'
FINITE, DROPPED = "predict_not_finite_total{JOB}", "prediction_log_dropped_total{JOB}"
UNSEEN, ROWS = 'predict_unseen_total{JOB,column="region"}', "predict_rows_total{JOB}"
FIRST, SECOND, THIRD = (
    f'model_info{{JOB,instance="{n}",digest="{d}",track="{t}"}}'
    for n, d, t in (("a", "1", "stable"), ("b", "2", "stable"), ("b", "2", "canary"))
)
LOOKED, SINCE = (
    "monitor_last_run_timestamp_seconds{JOB}",
    "monitor_champion_since_timestamp_seconds{JOB}",
)
DRIFT, JUDGED = 'monitor_drift{JOB,column="age"}', "monitor_judged{JOB}"
QUALITY = "monitor_quality_dropped{JOB}"
ELSEWHERE = OK.replace("JOB", 'job="PROJECT",namespace="staging"')
TRAEFIK = 'traefik_service_requests_total{service="production-PROJECT-canary-http-80@k",code="%d"}'
ISTIO = 'istio_requests_total{destination_service_name="PROJECT-canary",response_code="%d"}'
Series = tuple[int, dict[str, str]]

FIRES: dict[str, list[Series]] = {
    "ServiceDown": [(5, {UP: "0x9"}), (5, {'up{job="another"}': "1x9"})],
    "ReplicaDown": [(20, {UP: "0x30", UP.replace('"a"', '"b"'): "1x30"})],
    "RestartsOften": [(20, {STARTED: "1x5 2x5 3x5 4x20"})],
    "MemoryHigh": [(20, {MEMORY: "490000000x30"})],
    "ErrorBudgetFast": [
        (70, {OK: "0+98x90", BAD: "0+2x90"}),
        (70, {OK: "0+98x90", BAD: "0+2x90", ELSEWHERE: "0+9999x90"}),
    ],
    "ErrorBudgetSteady": [(400, {OK: "0+993x500", BAD: "0+7x500"})],
    "ErrorBudgetSlow": [(5000, {"5m " + OK: "0+9985x1100", "5m " + BAD: "0+15x1100"})],
    "GatewayErrors": [
        (10, {TRAEFIK % 503: "0+9x20", TRAEFIK.replace("-canary", "") % 200: "0+999x20"}),
        (10, {ISTIO % 503: "0+2x20", ISTIO % 200: "0+98x20"}),
    ],
    "LatencyHigh": [(20, {ALL: "0+100x30", QUICK: "0+98x30"})],
    "NoTraffic": [(1510, {"5m " + OK: "0+100x280 28000x100"})],
    "RefusedMany": [(40, {OK: "0+75x60", WRONG: "0+25x60"})],
    "AnswersNotFinite": [(15, {FINITE: "0x10 1x30"})],
    "UnseenCategories": [(100, {UNSEEN: "0+6x120", ROWS: "0+100x120"})],
    "PredictionLogDropping": [(30, {DROPPED: "0+5x60"})],
    "TwoModels": [(40, {FIRST: "1x60", SECOND: "1x60"})],
    "CanaryForgotten": [(420, {"5m " + CANARY: "0+10x100"})],
    "DriftFound": [(5, {DRIFT: "1x9"})],
    "QualityDropped": [(5, {QUALITY: "1x9"})],
    "ModelStale": [(90, {SINCE: "-7862400x120"})],
    "MonitorSilent": [(40, {LOOKED: "-100000x60"}), (40, {UP: "1x60"})],
    "MonitorBlind": [(4400, {"5m " + JUDGED: "0x1000"})],
}
SILENT: dict[str, list[Series]] = {
    "ServiceDown": [(5, {UP: "0x9", UP.replace('"a"', '"b"'): "1x9"}), (1, {UP: "0x9"})],
    "ReplicaDown": [(10, {UP: "0x30"}), (20, {UP: "0x14 1x20"})],
    "RestartsOften": [(20, {STARTED: "1x5 2x5 3x30"}), (50, {STARTED: "1x3 2x3 3x3 4x60"})],
    "MemoryHigh": [(20, {MEMORY: "470000000x30"})],
    "ErrorBudgetFast": [
        (70, {OK: "0+99x90", BAD: "0+1x90"}),
        (70, {OK: "0+90x90", BAD: "0+10x60 600x30"}),  # it is over
        (70, {OK: "0+50x90", WRONG: "0+50x90"}),
        (4, {OK: "0+100x90", BAD: "0x3 5x90"}),
    ],
    "ErrorBudgetSteady": [(400, {OK: "0+995x500", BAD: "0+5x500"})],
    "ErrorBudgetSlow": [
        (5000, {"5m " + OK: "0+9995x1100", "5m " + BAD: "0+5x1100"}),
        (5000, {"5m " + OK: "0+1000x1100", "5m " + BAD: "0+90x900 81000x200"}),
    ],
    "GatewayErrors": [
        (10, {TRAEFIK % 503: "0+1x20", TRAEFIK % 200: "0+99x20"}),
        (10, {TRAEFIK % 404: "0+9x20", ISTIO % 422: "0+9x20", ISTIO % 200: "0+9x20"}),
        (10, {TRAEFIK.replace("PROJECT", "another") % 503: "0+9x20"}),
    ],
    "LatencyHigh": [
        (20, {ALL: "0+1000x30", QUICK: "0+995x30"}),
        (5, {ALL: "0+9x30", QUICK: "0x30"}),
    ],
    "NoTraffic": [(1510, {"5m " + OK: "0+100x400"}), (1510, {"5m " + OK: "7x400"})],
    "RefusedMany": [(40, {OK: "0+85x60", WRONG: "0+15x60"}), (40, {OK: "0+5x60", BAD: "0+5x60"})],
    "AnswersNotFinite": [(15, {FINITE: "3x40"})],
    "UnseenCategories": [(100, {UNSEEN: "0+4x120", ROWS: "0+100x120"})],
    "PredictionLogDropping": [(30, {DROPPED: "5x60"})],
    "TwoModels": [(40, {FIRST: "1x60", THIRD: "1x60"}), (20, {FIRST: "1x60", SECOND: "1x60"})],
    "CanaryForgotten": [
        (300, {"5m " + CANARY: "0+10x100"}),
        (420, {"5m " + CANARY: "0+10x50 500x50"}),
        (420, {"5m " + CANARY.replace("canary", "stable"): "0+10x100"}),
    ],
    "DriftFound": [(5, {DRIFT: "0x9"})],
    "QualityDropped": [(5, {QUALITY: "0x9"})],
    "ModelStale": [(90, {SINCE: "-7600000x120"})],
    "MonitorSilent": [(40, {LOOKED: "-86400x60"})],
    "MonitorBlind": [(4400, {"5m " + JUDGED: "0x400 1 0x700"}), (400, {JUDGED: "0x500"})],
}


def every_rule(text: str) -> list[Rule]:
    """Recorded shares and alerts in rules.yaml."""
    return [rule for group in yaml.safe_load(text)["spec"]["groups"] for rule in group["rules"]]


def rules(text: str) -> list[Rule]:
    """The alerts in rules.yaml."""
    return [rule for rule in every_rule(text) if "alert" in rule]


def plain(text: str) -> str:
    """The rule file of plain Prometheus in rules.yaml: what `sed` of docs/monitor.md prints."""
    return re.sub(r"^  ", "", text.partition("\nspec:\n")[2], flags=re.MULTILINE)


def sections(text: str) -> dict[str, str]:
    """The text of each section of the runbook."""
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def form_faults(text: str, runbook: str, job: str) -> list[str]:
    """What is wrong with the rules before any series is looked at."""
    faults, found = [], rules(text)
    known = sections(runbook)
    names = [rule["alert"] for rule in found]
    faults += [f"{name}: stands there twice" for name in set(names) if names.count(name) > 1]
    faults += [f"{name}: no alert" for name in known if name not in names]
    faults += [f"{name}: no series to try it on" for name in names if name not in FIRES]
    for rule in found:
        name, notes = rule["alert"], rule.get("annotations", {})
        severity = rule.get("labels", {}).get("severity")
        if not rule.get("for"):
            faults.append(f"{name}: no `for`: one bad scrape would call people")
        if severity not in ROUTES:
            faults.append(f"{name}: severity {severity!r}")
        if name not in known or notes.get("runbook") != f"{RUNBOOK}#{name.lower()}":
            faults.append(f"{name}: runbook {notes.get('runbook')!r}")
        elif not known[name].strip().lower().startswith(f"{severity}."):
            faults.append(f"{name}: the runbook does not call it a {severity}")
        if not notes.get("summary"):
            faults.append(f"{name}: no summary")
    for rule in every_rule(text):
        for series in SERIES.finditer(rule["expr"]):
            if not rule["expr"].startswith(f'{{job="{job}"', series.end()):
                faults.append(f"{series[0]} of every other service too: {rule['expr']}")
    return faults


def trial_faults(text: str, job: str, folder: Path, only: set[str] | None = None) -> list[str]:
    """Where promtool does not see an alert (of `only`) fire, or be silent, as it should."""
    needed("promtool")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "rules.yaml").write_text(plain(text), encoding="utf-8")
    checked = bake.run("promtool", "check", "rules", "rules.yaml", cwd=folder)
    if checked.returncode:
        return [checked.stderr + checked.stdout]
    faults = []
    for name, series in alone(text).items():
        if only is None or name in only:
            done = tried(name, series, job, folder)
            faults += [f"{name}: {done.stdout}{done.stderr}"] if done.returncode else []
    return faults


def alone(text: str) -> dict[str, list[Rule]]:
    """For each alert the shares that it looks at, and itself: promtool is quick with few."""
    found = every_rule(text)
    return {
        rule["alert"]: [r for r in found if r.get("record", "-") in rule["expr"].split()] + [rule]
        for rule in found
        if "alert" in rule
    }


def tried(
    name: str, needed: list[Rule], job: str, folder: Path
) -> subprocess.CompletedProcess[str]:
    """What promtool says of all trials of one alert."""
    trials = [(series, 1) for series in FIRES[name]] + [(series, 0) for series in SILENT[name]]
    slow = any(key.startswith("5m ") for (_, series), _ in trials for key in series)
    tests = {
        "rule_files": [f"{name}.rules.yaml"],
        "evaluation_interval": "5m" if slow else "1m",
        "tests": [trial(name, minute, series, wanted, job) for (minute, series), wanted in trials],
    }
    groups = {"groups": [{"name": "one", "rules": needed}]}
    for kind, content in (("rules", groups), ("tests", tests)):
        path = folder / f"{name}.{kind}.yaml"
        path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return bake.run("promtool", "test", "rules", f"{name}.tests.yaml", cwd=folder)


def trial(name: str, minute: int, series: dict[str, str], wanted: int, job: str) -> dict[str, Any]:
    """One test of promtool: whether at least one alert of that name fires."""
    here = f'job="{job}",namespace="production"'
    firing = f'ALERTS{{alertname="{name}",alertstate="firing"}}'
    return {
        "interval": "5m" if next(iter(series)).startswith("5m ") else "1m",
        "input_series": [
            {
                "series": key.removeprefix("5m ").replace("JOB", here).replace("PROJECT", job),
                "values": values,
            }
            for key, values in series.items()
        ],
        "promql_expr_test": [
            {
                "expr": f"count({firing}) > bool 0 or vector(0)",
                "eval_time": f"{minute}m",
                "exp_samples": [{"labels": "{}", "value": wanted}],
            }
        ],
    }


# Faults: what is replaced in rules.yaml, by what. Each must be found by its form or by promtool.
FAULTS = {
    "metric that is not there": ("predict_seconds_bucket", "predict_second_bucket"),
    "comparison the wrong way": ("> 0.9 * 512", "< 0.9 * 512"),
    "no `for`": ("          for: 2m\n", ""),
    "no runbook": ("            runbook: docs/runbook.md#latencyhigh\n", ""),
    "runbook section that is not there": ("runbook.md#latencyhigh", "runbook.md#latency"),
    "runbook of another alert": ("runbook.md#latencyhigh", "runbook.md#notraffic"),
    "limit ten times too high": ("(14.4 * 0.001)", "(144 * 0.001)"),
    "one window of two": (
        "and namespace:predict_errors:ratio_rate5m",
        "and namespace:predict_errors:ratio_rate1h",
    ),
    "failures count as refusals": ('code=~"4.."', 'code=~"[45].."'),
    "another bucket": ('le="0.1"', 'le="0.01"'),
    "environments in one pot": ("sum by (namespace) (rate", "sum (rate"),
    "series of every service": ("up{job=\"JOB\"} == 0\n          for", "up == 0\n          for"),
    "severity nobody routes": ("severity: page", "severity: critical"),
    "blind where there is nothing": ("or absent(monitor_last", "and absent(monitor_last"),
    "too early": ("for: 6h", "for: 6m"),
    "too late": ("for: 2m", "for: 2h"),
    "bracket left out": ("(rate(predict_unseen", "rate(predict_unseen"),
    "field nobody reads": ("annotations:", "annotation:"),
    "track left out": (',track="canary"', ""),
    "counter as a gauge": (
        'increase(predict_not_finite_total{job="JOB"}[15m])',
        'last_over_time(predict_not_finite_total{job="JOB"}[15m])',
    ),
    "milliseconds for seconds": ("26 * 3600", "26 * 3600000"),
    "alert without a trial": ("alert: MonitorBlind", "alert: MonitorAsleep"),
}  # fmt: skip


# Severity: who is told, after how long, and how often again.
ROUTES = {"page": ("pages", "10s", "1h"), "ticket": ("tickets", "1m", "24h")}
KNOWN = [  # what is not told, since another alert tells more
    {
        "source_matchers": ["alertname = ServiceDown"],
        "target_matchers": ["alertname = ReplicaDown"],
        "equal": ["namespace"],
    }
]
ROUTE_FAULTS = {
    "pages are taken for tickets": ("severity = page", "severity = pager"),
    "a page waits as a ticket does": ("group_wait: 10s", "group_wait: 1m"),
    "a page is told once a day": ("repeat_interval: 1h", "repeat_interval: 24h"),
    "tickets call people": ("receiver: tickets", "receiver: pages"),
    "nobody hears of the end": ("send_resolved: true", "send_resolved: false"),
    "another secret": ("-alerts/webhook", "-alert/webhook"),
    "pages hide each other": ("[alertname = ReplicaDown]", "[severity = page]"),
    "one namespace hides another": ("    equal: [namespace]\n", ""),
}


def route_faults(text: str, name: str, folder: Path) -> list[str]:
    """What is wrong with the routes of `text`, of the project `name`; `folder` is for amtool."""
    needed("amtool")
    (folder / "routes.yaml").write_text(text, encoding="utf-8")
    content = yaml.safe_load(text)
    top = content["route"]
    receivers = {found["name"]: found.get("slack_configs", []) for found in content["receivers"]}
    faults = []
    for severity, expected in ROUTES.items():
        words = ("config", "routes", "test", "--config.file=routes.yaml", f"severity={severity}")
        receiver = bake.run("amtool", *words, cwd=folder).stdout.strip()
        route = top | next((r for r in top["routes"] if r["receiver"] == receiver), {})
        found = (receiver, route["group_wait"], route["repeat_interval"])
        if found != expected:
            faults.append(f"{severity}: {found}")
        sent = [(to.get("api_url_file"), to.get("send_resolved")) for to in receivers[expected[0]]]
        if sent != [(f"/etc/alertmanager/secrets/{name}-alerts/webhook", True)]:
            faults.append(f"{severity}: sent by {sent}")
    if content["inhibit_rules"] != KNOWN:
        faults.append(f"not told: {content['inhibit_rules']}")
    return faults
