"""People are told through a webhook, or on the screen; and never what they must not see."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from ml_template.operations import notify
from ml_template.pipeline.reporting import summary
from ml_template.registry import champion


class Hook(http.server.BaseHTTPRequestHandler):
    """Keeps what it is sent and answers with `status`."""

    status = 200
    texts: list[str] = []  # noqa: RUF012 - one server a test

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.texts.append(json.loads(body)["text"])
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Hook]]:
    kind = type("OneHook", (Hook,), {"texts": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), kind)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv(notify.WEBHOOK, f"http://127.0.0.1:{server.server_port}/secret")
    yield kind
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_webhook_gets_the_text(hook: type[Hook], capsys: pytest.CaptureFixture[str]) -> None:
    assert notify.send("drift found")
    assert hook.texts == ["drift found"]
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("why", "sent"),
    [
        ("<!channel> & <@U1>", "&lt;!channel&gt; &amp; &lt;@ U1&gt;"),
        ("<https://e.example|approve>", "&lt;https:// e.example|approve&gt;"),
        ("St\udcf6rung\x1b", r"St\xf6rung\x1b"),
        ("Störung 👍", "Störung 👍"),
    ],
)
def test_a_reason_calls_nobody(hook: type[Hook], why: str, sent: str, in_folder: Path) -> None:
    notify.run({"RESULT": "failure", "WHY": why})
    assert hook.texts == [f"{in_folder.name}: run ended with failure ({sent})"]


def test_a_webhook_that_fails_stops_nothing_and_its_address_is_not_told(
    hook: type[Hook], capsys: pytest.CaptureFixture[str]
) -> None:
    hook.status = 500
    assert not notify.send("drift found")
    said = capsys.readouterr()
    assert said.out == "notify: drift found\n"
    assert "status 500" in said.err
    assert "secret" not in said.out + said.err


@pytest.mark.parametrize("address", ["http://hooks.example.com/x", "file:///etc/passwd", "x"])
def test_only_https_or_this_machine_is_sent_to(
    address: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(notify.WEBHOOK, address)
    assert not notify.send("drift found")
    assert "must be an https:// address" in capsys.readouterr().err


def test_without_a_webhook_it_prints(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(notify.WEBHOOK, raising=False)
    assert not notify.send("run finished")
    assert capsys.readouterr().out == "notify: run finished\n"


def test_a_refused_group_is_not_named_to_people(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    checks = [
        {"gate": "slices.region=Ann Example", "reason": "where region is Ann Example"},
        {"gate": "size", "reason": "model files, MB"},
    ]
    verdict = {"model": "1" * 64, "checks": [check | {"verdict": "refused"} for check in checks]}
    monkeypatch.setattr(notify, "read_json", lambda *_: verdict)
    monkeypatch.delenv(notify.WEBHOOK, raising=False)
    notify.tell("gate refused")
    said = capsys.readouterr().out
    assert "slices.region: a group is refused, see reports/verdict.json; size: model files" in said
    assert "Ann" not in said


@pytest.mark.parametrize("verdict", ["refused", "passed"])
def test_a_run_that_was_refused_is_not_called_finished(
    verdict: str, in_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("reports").mkdir()
    checks = [{"gate": "performance.gain", "verdict": verdict, "reason": ""}]
    judged = {"model": "1" * 64, "verdict": verdict, "checks": checks, "metrics": {}}
    text = json.dumps(champion.sealed(judged))
    Path("reports/verdict.json").write_text(text, encoding="utf-8")
    notify.tell("run finished")
    assert ("run finished" in capsys.readouterr().out) == (verdict == "passed")
    summary.run()
    refused = "candidate: 1111111111111111: REFUSED, there is no champion: performance.gain"
    assert (refused in capsys.readouterr().out) == (verdict == "refused")
