"""notify and retrain: what reaches a server, and what is said where there is none."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from {{ cookiecutter.package_name }}.config import InputError
from {{ cookiecutter.package_name }}.operations import notify, retrain

VARIABLES = ("SLACK_WEBHOOK", "JENKINS_URL", "JENKINS_JOB", "GITHUB_REPOSITORY", "GITHUB_TOKEN")


class Server(HTTPServer):
    """Keeps what it is told: path, headers, body; answers with `code`."""

    code = 200

    def __init__(self) -> None:
        self.told: list[tuple[str, Any, Any]] = []
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.told.append((self.path, self.headers, json.loads(body)))
        self.send_response(self.server.code)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture(autouse=True)
def no_account(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as made:
        thread = threading.Thread(target=made.serve_forever, daemon=True)
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def test_without_a_webhook_it_prints(capsys: pytest.CaptureFixture[str]) -> None:
    notify.run({"RESULT": "failure", "WHY": "a drill"})
    assert "ended with failure (a drill)" in capsys.readouterr().out


def test_slack_gets_one_line(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLACK_WEBHOOK", f"{server.url}/hook")
    notify.run({"RESULT": "success", "WHY": "two\nlines"})
    ((path, _, body),) = server.told
    assert path == "/hook"
    assert body["text"].endswith("run ended with success (two lines)")


def test_jenkins_gives_the_result_back_as_a_commit_status(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notify.lineage, "commit", lambda: {"commit": "c" * 40})
    monkeypatch.setenv("JENKINS_URL", "https://jenkins.example.com")
    monkeypatch.setenv("GITHUB_API_URL", server.url)
    monkeypatch.setenv("GITHUB_REPOSITORY", "org/model")
    monkeypatch.setenv("GITHUB_TOKEN", "run-token")
    notify.run({"RESULT": "failure"})
    ((path, headers, body),) = server.told
    assert path == f"/repos/org/model/statuses/{'c' * 40}"
    assert headers["Authorization"] == "Bearer run-token"
    assert (body["state"], body["context"]) == ("failure", "jenkins")


@pytest.mark.parametrize("result", ["", "maybe"])
def test_a_result_that_is_none_is_refused(result: str) -> None:
    with pytest.raises(InputError, match="RESULT=success or RESULT=failure"):
        notify.run({"RESULT": result})


@pytest.mark.parametrize(
    ("address", "message"),
    [("file:///etc/passwd", "must start with"), ("http://127.0.0.1:9/hook", "cannot be reached")],
)
def test_an_address_that_does_not_work_is_named_but_not_printed(
    address: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLACK_WEBHOOK", address)
    with pytest.raises(InputError, match=f"SLACK_WEBHOOK.*{message}") as error:
        notify.run({"RESULT": "success"})
    assert address not in str(error.value)


def test_a_server_that_refuses_is_a_fault(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.code = 403
    monkeypatch.setenv("SLACK_WEBHOOK", server.url)
    with pytest.raises(InputError, match="answered 403"):
        notify.run({"RESULT": "success"})


def test_jenkins_is_asked_to_train_with_the_reason(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JENKINS_JOB", f"{server.url}/job/model/")
    monkeypatch.setenv("GITHUB_REPOSITORY", "org/model")
    retrain.run({"WHY": "drift of income & age"})
    ((path, headers, _),) = server.told
    assert path == "/job/model/buildWithParameters?WHY=drift+of+income+%26+age"
    assert headers["Authorization"].startswith("Basic ")


def test_github_is_asked_to_train_with_the_reason(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_API_URL", server.url)
    monkeypatch.setenv("GITHUB_REPOSITORY", "org/model")
    monkeypatch.setenv("GITHUB_TOKEN", "run-token")
    retrain.run({"WHY": "drift"})
    ((path, _, body),) = server.told
    assert path == "/repos/org/model/actions/workflows/train.yml/dispatches"
    assert body == {"ref": "main", "inputs": {"why": "drift"}}


def test_without_ci_it_says_what_to_run(capsys: pytest.CaptureFixture[str]) -> None:
    retrain.run({"WHY": "drift"})
    assert "`make run`" in capsys.readouterr().out


def test_training_without_a_reason_is_refused() -> None:
    with pytest.raises(InputError, match="WHY"):
        retrain.run({"WHY": "  "})
