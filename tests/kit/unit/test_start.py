"""CI is started, and told of results, over HTTP: what reaches a server, and what is said."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from ml_template import command_line
from ml_template.operations import notify, retrain, start
from ml_template.pipeline.judgement import gate, register
from ml_template.settings import config
from ml_template.settings.config import Config, InputError, Notification

from ..conftest import ROOT

VARIABLES = (
    *("NOTIFY_WEBHOOK", "JENKINS_URL", "JENKINS_JOB", "GITHUB_REPOSITORY", "GITHUB_TOKEN"),
    "GITHUB_EVENT_NAME",
)


class Server(ThreadingHTTPServer):
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

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture(autouse=True)
def no_account(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        yield made
        made.shutdown()
        thread.join()


@pytest.fixture
def on_github(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    monkeypatch.setenv("GITHUB_API_URL", server.url)
    monkeypatch.setenv("GITHUB_REPOSITORY", "org/model")
    monkeypatch.setenv("GITHUB_TOKEN", "run-token")
    return server


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch) -> Config:
    """The configuration of the project, also where the working folder has none."""
    found = config.load_config(ROOT / "model_config.yaml")
    monkeypatch.setattr(notify, "load_config", lambda: found)
    return found


def test_a_reason_that_is_no_text_starts_it_too(on_github: Server) -> None:
    start.run({"WHY": "St\udcf6rung\n::error::x\x1b"})
    ((_, _, body),) = on_github.told
    assert body["inputs"]["why"] == r"St\xf6rung ::error::x\x1b"


def test_jenkins_is_asked_to_train_with_the_reason(
    on_github: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JENKINS_JOB", f"{on_github.url}/job/model/")
    start.run({"WHY": "drift of income & age"})
    ((path, headers, _),) = on_github.told
    assert path == "/job/model/buildWithParameters?WHY=drift+of+income+%26+age"
    assert headers["Authorization"].startswith("Basic ")


def test_github_is_asked_to_train_with_the_reason(on_github: Server) -> None:
    start.run({"WHY": "drift"})
    ((path, headers, body),) = on_github.told
    assert path == "/repos/org/model/actions/workflows/train.yml/dispatches"
    assert headers["Authorization"] == "Bearer run-token"
    assert body == {"ref": "main", "inputs": {"why": "drift"}}


def test_a_server_that_refuses_is_a_fault(on_github: Server) -> None:
    on_github.code = 403
    with pytest.raises(InputError, match="GitHub did not start: status 403"):
        start.run({"WHY": "drift"})


@pytest.mark.parametrize("address", ["http://jenkins.example.com/job/secret", "file:///secret"])
def test_a_token_is_sent_over_https_only_and_no_address_is_told(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JENKINS_JOB", address)
    with pytest.raises(InputError, match=r"Jenkins did not start.*https://") as error:
        start.run({"WHY": "drift"})
    assert "secret" not in str(error.value)


def test_without_ci_it_says_what_to_set() -> None:
    with pytest.raises(InputError, match=r"JENKINS_JOB.*`make run`"):
        start.run({"WHY": "drift"})


@pytest.mark.parametrize("event", ["", "workflow_dispatch"])
def test_training_without_a_reason_is_refused(
    event: str, on_github: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_EVENT_NAME", event)
    with pytest.raises(InputError, match="WHY"):
        start.run({"WHY": "  "})
    assert on_github.told == []


def test_a_push_starts_training_and_gives_no_reason(
    on_github: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_EVENT_NAME", "push")
    monkeypatch.setenv("JENKINS_JOB", f"{on_github.url}/job/model")
    start.run({"WHY": ""})
    ((path, _, _),) = on_github.told
    assert path == "/job/model/buildWithParameters?WHY="


@pytest.fixture
def changed(project: object, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """A champion whose code has changed; the pipelines that were run here."""
    assert gate.run()
    assert register.run()
    kept = retrain.lineage.digests
    monkeypatch.setattr(retrain.lineage, "digests", lambda config: kept(config) | {"code": "1"})
    runs: list[Any] = []
    monkeypatch.setattr(command_line, "run", lambda words: runs.append(words) or 0)
    return runs


def test_a_retraining_that_is_decided_in_ci_starts_there(
    changed: list[Any], on_github: Server
) -> None:
    assert retrain.run({}) == 0
    ((_, _, body),) = on_github.told
    assert body["inputs"]["why"] == "code changed after the champion was trained"
    assert changed == []
    assert [entry["decision"] for entry in retrain.read_journal()] == ["retrain"]
    retrain.run({})  # the same reason again is held
    assert len(on_github.told) == 1


def test_a_start_that_failed_holds_no_later_one(changed: list[Any], on_github: Server) -> None:
    on_github.code = 500
    with pytest.raises(InputError, match="status 500"):
        retrain.run({})
    on_github.code = 200
    retrain.run({})
    assert len(on_github.told) == 2
    assert changed == []


def test_jenkins_gives_the_result_back_as_a_commit_status(
    on_github: Server, configured: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notify.lineage, "commit", lambda: {"commit": "c" * 40})
    monkeypatch.setenv("JENKINS_URL", "https://jenkins.example.com")
    notify.run({"RESULT": "failure"})
    ((path, _, body),) = on_github.told
    assert path == f"/repos/org/model/statuses/{'c' * 40}"
    assert (body["state"], body["context"]) == ("failure", "jenkins")
    on_github.code = 401
    with pytest.raises(InputError, match="did not take the commit status: status 401"):
        notify.run({"RESULT": "failure"})


@pytest.mark.parametrize("runs", ["all", "failures"])
def test_people_are_told_of_the_ends_that_model_config_names(
    runs: Any, server: Server, configured: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = configured.model_copy(update={"notification": Notification(runs=runs)})
    monkeypatch.setattr(notify, "load_config", lambda: wanted)
    monkeypatch.setenv(notify.WEBHOOK, f"{server.url}/hook")
    for result in ("failure", "success"):
        notify.run({"RESULT": result, "WHY": "two\nlines"})
    texts = [body["text"] for _, _, body in server.told]
    assert len(texts) == {"all": 2, "failures": 1}[runs]
    assert texts[0].endswith("run ended with failure (two lines)")


def test_people_are_told_that_an_approval_waits(
    on_github: Server, configured: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(notify.WEBHOOK, f"{on_github.url}/hook")
    monkeypatch.setattr(notify.lineage, "commit", lambda: {"commit": "c" * 40})
    monkeypatch.setenv("JENKINS_URL", "https://jenkins.example.com")
    notify.run({"RESULT": "waiting", "WHY": "weekly"})
    (_, _, message), (_, _, status) = on_github.told
    assert message["text"].endswith("production waits for approval (weekly)")
    assert status["state"] == "pending"


@pytest.mark.parametrize("result", ["", "maybe"])
def test_a_result_that_is_none_is_refused(result: str) -> None:
    with pytest.raises(InputError, match="RESULT is needed: success, failure, waiting"):
        notify.run({"RESULT": result})
