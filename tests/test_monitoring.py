"""T56-T58: alerts fire and are silent as they should, and the runbook says what can be done."""

from __future__ import annotations

import csv
import itertools
import json
import random
import re
import shlex
import signal
import threading
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import alerts
import bake
import commands
import life
import pytest
import yaml
from life import champion, twin
from needs import needed
from observe import Watch, until, watching
from service import Service, serving

CLUSTER = "ENV"  # the key of commands that need a cluster: the drill with one executes them


def read(project: Path, name: str) -> str:
    return (project / name).read_text(encoding="utf-8")


def test_rules_are_well_formed_and_every_alert_has_its_section_of_the_runbook(
    project: Path,
) -> None:
    text, runbook = read(project, alerts.RULES), read(project, alerts.RUNBOOK)
    assert alerts.form_faults(text, runbook, project.name) == []


def test_T57_every_alert_fires_and_is_silent_as_it_should(project: Path, tmp_path: Path) -> None:
    assert set(alerts.FIRES) == set(alerts.SILENT)
    assert alerts.trial_faults(read(project, alerts.RULES), project.name, tmp_path) == []


@pytest.mark.parametrize("fault", alerts.FAULTS)
def test_T57_a_planted_fault_in_the_rules_is_found(
    fault: str, project: Path, tmp_path: Path
) -> None:
    old, new = (part.replace("JOB", project.name) for part in alerts.FAULTS[fault])
    text = read(project, alerts.RULES)
    assert old in text
    planted = text.replace(old, new, 1)
    form = alerts.form_faults(planted, read(project, alerts.RUNBOOK), project.name)
    if form:
        return
    before, after = alerts.alone(text), alerts.alone(planted)
    touched = {name for name in after if after[name] != before[name]}
    assert alerts.trial_faults(planted, project.name, tmp_path, touched)


def test_each_severity_reaches_those_it_is_for(project: Path, tmp_path: Path) -> None:
    assert alerts.route_faults(read(project, alerts.PEOPLE), project.name, tmp_path) == []


@pytest.mark.parametrize("fault", alerts.ROUTE_FAULTS)
def test_a_planted_fault_in_the_routes_is_found(fault: str, project: Path, tmp_path: Path) -> None:
    old, new = alerts.ROUTE_FAULTS[fault]
    text = read(project, alerts.PEOPLE)
    assert old in text
    assert alerts.route_faults(text.replace(old, new, 1), project.name, tmp_path)


@pytest.mark.parametrize(
    ("column", "sent"),
    [
        ("<!channel> & <@U1>", "&lt;!channel&gt; &amp; &lt;@ U1&gt;"),
        ("<https://e.example|approve>", "&lt;https:// e.example|approve&gt;"),
        ("www.e.example", "www. e.example"),
        ("a\u202eb\x1b[2J\nc", "a?b?[2J?c"),
        ("größe 数 1", "größe 数 1"),
    ],
)
def test_the_column_of_an_alert_calls_nobody(
    column: str, sent: str, project: Path, tmp_path: Path
) -> None:
    needed("amtool")
    text = read(project, alerts.PEOPLE)
    slack = yaml.safe_load(text)["receivers"][0]["slack_configs"][0]
    assert slack["fallback"] == slack["title"]  # the usual one holds every label
    alert = {"labels": {"column": column}, "annotations": {"summary": "s", "runbook": "r"}}
    (tmp_path / "data.json").write_text(json.dumps({"alerts": [alert]}), encoding="utf-8")
    words = ("--template.glob=/dev/null", f"--template.text={slack['text']}")
    done = bake.run(
        "amtool", "template", "render", "--template.data=data.json", *words, cwd=tmp_path
    )
    assert done.stdout.strip() == f"s {sent} (r)", done.stderr


def test_the_documented_command_takes_the_rules_out_for_plain_prometheus(
    project: Path, tmp_path: Path
) -> None:
    (command,) = re.findall(r"^sed .*rules.*$", read(project, "docs/monitor.md"), re.MULTILINE)
    (tmp_path / "deploy").symlink_to(project / "deploy")
    done = bake.run("sh", "-c", command, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "rules.plain.yaml").read_text() == alerts.plain(read(project, alerts.RULES))
    assert yaml.safe_load(alerts.plain(read(project, alerts.RULES))).keys() == {"groups"}


def test_limits_in_the_rules_are_those_of_the_gates_at_birth(project: Path) -> None:
    text, gates = read(project, alerts.RULES), yaml.safe_load(read(project, "gates.yaml"))
    assert f'le="{gates["load"]["max_p99_ms"] / 1000:g}"' in text
    watched = (project / bake.KIT / "settings/oversight.py").read_text(encoding="utf-8")
    (days,) = re.findall(r"every_days: .* = (\d+)", watched)
    assert f"> {days} * 86400" in text


def test_the_dashboard_is_json_with_four_rows_and_no_panel_twice(project: Path) -> None:
    panels = json.loads(read(project, "deploy/monitoring/dashboard.json"))["panels"]
    rows = [panel["title"] for panel in panels if panel["type"] == "row"]
    assert rows == ["Service", "Model", "Drift", "Rollout"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}
    assert len(places) == len(panels)


def command_faults(runbook: str, project: Path) -> list[str]:
    """Commands of the runbook that are no words of the Makefile, or not with these keys."""
    faults = commands.faults(runbook, commands.words(project / "Makefile"))
    outside = re.findall(r"`((?:kubectl|curl|docker|python|git|ssh|helm|sudo)\b[^`]*)`", runbook)
    return faults + [f"{command}: no word of the Makefile" for command in outside]


def test_T58_every_command_of_the_runbook_is_a_word_of_the_makefile(project: Path) -> None:
    runbook = read(project, alerts.RUNBOOK)
    assert command_faults(runbook, project) == []
    for name, text in alerts.sections(runbook).items():
        assert "\n- Look: " in text, name
        assert commands.commands(text), name
    for command in commands.commands(runbook):
        done = bake.run("make", "--dry-run", *shlex.split(command)[1:], cwd=project)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "planted",
    ["make restart", "make monitor LOGS=predictions", "make monitor now", "kubectl get pods"],
)
def test_T58_a_command_that_is_not_there_is_found(planted: str, project: Path) -> None:
    runbook = read(project, alerts.RUNBOOK) + f"\n- `{planted}`\n"
    (fault,) = command_faults(runbook, project)
    assert planted in fault


@dataclass(frozen=True)
class Watched:
    """A project whose champion answers drifting traffic, and what watches it."""

    project: Path
    service: Service
    watch: Watch


@pytest.fixture(scope="module")
def watched(lived: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """The champion of a copy of the lived project, served and watched; its rows have drifted."""
    folder = tmp_path_factory.mktemp("watched")
    project = twin(lived, folder / lived.name)
    model = champion(project)["model"]
    with serving(
        project, model=model, SERVE_LOG="predictions", SERVE_LOG_FEATURES="true"
    ) as service:
        (folder / "watch").mkdir()
        address = f"127.0.0.1:{service.port}"
        with watching(project, address, folder / "watch") as watch:
            stop = threading.Event()
            thread = threading.Thread(target=traffic, args=(project, service, stop))
            thread.start()
            try:
                until(lambda: len(logged(project)) > 3000)
                look(project, watch)
                yield Watched(project, service, watch)
            finally:
                stop.set()
                thread.join()


def traffic(project: Path, service: Service, stop: threading.Event) -> None:
    """Rows of the training table whose numbers have moved, a new category, a wrong request."""
    record = json.loads(service.body)["records"][0]
    rows = table_rows(project, record)
    while not stop.is_set():
        some = random.sample(rows, 100)
        try:
            service.predict(json.dumps({"records": some}).encode())
            service.predict(json.dumps({"records": [some[0] | {"region": "purple"}]}).encode())
            service.predict(b"{}")
        except OSError:
            stop.wait(0.1)  # the service was stopped
        stop.wait(0.02)


def table_rows(project: Path, example: dict[str, Any]) -> list[dict[str, Any]]:
    """Records of the starter table, the first number of each moved by a third."""
    table = next(project.glob("data/*.csv"))
    moved = next(name for name, value in example.items() if type(value) in (int, float))
    rows = []
    with table.open(encoding="utf-8", newline="") as file:
        for row in itertools.islice(csv.DictReader(file), 3000):
            record = {name: typed(row[name], value) for name, value in example.items()}
            record[moved] = example[moved]  # it has become a constant upstream
            rows.append(record)
    return rows


def typed(text: str, like: Any) -> Any:
    if type(like) is bool:
        return text.lower() == "true"
    return float(text) if text and type(like) in (int, float) else text or None


def logged(project: Path) -> list[dict[str, Any]]:
    """Lines of the prediction log, the last one left out: it may not be whole."""
    text = "".join(path.read_text() for path in (project / "predictions").glob("*.jsonl"))
    return [json.loads(line) for line in text.splitlines()[:-1]]


def look(project: Path, watch: Watch) -> None:
    """Labels come, all of them the same; then `make monitor` looks and pushes what it found."""
    lines = [f"{line['id']},{line['row']},{'yes' if n % 2 else 'no'}" for n, line in
             enumerate(logged(project))]  # fmt: skip
    (project / "labels.csv").write_text("\n".join(["id,row,label", *lines]) + "\n")
    life.make(project, "join", "LABELS=labels.csv")
    address = f"{watch.pushgateway}/metrics/job/{project.name}"
    done = life.attempt(project, "monitor", "LOG=predictions", PUSHGATEWAY_URL=address)
    assert "drifts: it has one value only" in done.stdout, done.stdout + done.stderr
    assert "did not take" not in done.stderr


def queries(project: Path) -> list[str]:
    """Every query of the dashboard, as Grafana would send it."""
    panels = json.loads(read(project, "deploy/monitoring/dashboard.json"))["panels"]
    return [
        target["expr"]
        .replace("$job", project.name)
        .replace("$namespace", ".*")
        .replace("$__rate_interval", "15s")
        for panel in panels
        for target in panel.get("targets", [])
    ]


@pytest.mark.slow
def test_every_query_of_the_dashboard_returns_series_on_live_traffic(watched: Watched) -> None:
    asked = queries(watched.project)
    assert len(asked) >= 20
    for query in asked:
        until(lambda query=query: watched.watch.query(query))  # type: ignore[misc]


@pytest.mark.slow
@pytest.mark.parametrize("planted", ["predict_request_total", 'up{job="$job",track="beta"}'])
def test_a_query_without_series_is_found(planted: str, watched: Watched) -> None:
    assert watched.watch.query(planted) == []


@pytest.mark.slow
def test_every_series_the_rules_look_at_is_there(watched: Watched) -> None:
    text = read(watched.project, alerts.RULES)
    names = {m[0] for rule in alerts.every_rule(text) for m in alerts.SERIES.finditer(rule["expr"])}
    assert len(names) >= 15
    for name in sorted(names):
        series = f'{name}{{job="{watched.project.name}"}}'
        assert until(lambda series=series: watched.watch.query(series)), name  # type: ignore[misc]


@pytest.mark.slow
def test_T57_alerts_reach_a_webhook_with_what_they_mean_and_where_to_look(
    watched: Watched,
) -> None:
    message = until(lambda: watched.watch.told("DriftFound"))
    assert "not what the champion was trained on" in message
    assert "docs/runbook.md#driftfound" in message
    assert until(lambda: watched.watch.told("QualityDropped"))
    assert watched.watch.told("ServiceDown") == ""


@pytest.mark.slow
def test_T56_a_monitor_that_dies_is_noticed(watched: Watched) -> None:
    address = f"{watched.watch.pushgateway}/metrics/job/{watched.project.name}"
    silent = 'ALERTS{alertname="MonitorSilent"}'
    until(lambda: not watched.watch.query(silent))
    watched.watch.messages.clear()  # before the first look it was silent too
    urllib.request.urlopen(urllib.request.Request(address, method="DELETE"))
    assert until(lambda: watched.watch.told("MonitorSilent"))


@pytest.mark.slow
def test_a_service_that_dies_is_noticed(watched: Watched) -> None:
    watched.service.process.send_signal(signal.SIGTERM)
    message = until(lambda: watched.watch.told("ServiceDown"))
    assert watched.project.name in message


@pytest.mark.slow
def test_T58_the_runbook_can_be_followed(watched: Watched, tmp_path: Path) -> None:
    """Every command that needs no cluster, once with these keys, where something has happened."""
    project = twin(watched.project, tmp_path / watched.project.name)
    second_champion(project)
    failed: dict[str, str] = {}
    done_with: set[tuple[str, ...]] = {("serve",)}  # the service that is watched is that word
    for command in commands.commands(read(project, alerts.RUNBOOK)):
        _, word, *pairs = shlex.split(command)
        kind = (word, *(pair.partition("=")[0] for pair in pairs))
        if CLUSTER in kind or kind in done_with:
            continue
        done_with.add(kind)
        done = life.attempt(project, word, *pairs)
        seen = word == "monitor" and "-> reports/monitoring.html" in done.stdout
        if done.returncode and not seen:  # `monitor` may end with an alarm
            failed[command] = done.stdout + done.stderr
    assert failed == {}


def second_champion(project: Path) -> None:
    """Another model is made champion, so that there is one to go back to."""
    config, before = project / "model_config.yaml", champion(project)["digest"]
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace("max_iter: 120", "max_iter: 130"), encoding="utf-8")
    life.make(project, "run")
    life.make(project, "promote", "WHY=a test")
    assert champion(project)["digest"] != before
