"""doctor ASK=github: what a stand-in of GitHub says of a repository, and what is then missing."""

from __future__ import annotations

import copy
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from ml_template import command_line
from ml_template.operations import repository
from ml_template.settings.config import InputError

WORKFLOW = "jobs:\n  train:\n    environment: training\n  out:\n    environment: production # ask\n"
MAIN = {"total_count": 1, "branch_policies": [{"id": 1, "name": "main", "type": "branch"}]}
CUSTOM = {"protected_branches": False, "custom_branch_policies": True}
REVIEW = {
    "type": "required_reviewers",
    "prevent_self_review": True,
    "reviewers": [{"type": "Team", "reviewer": {"name": "team"}}],
}
MOVED = b"moved"
CHECKS = [{"context": "check"}, {"context": "model"}]
# As docs.github.com shows them: path below repos/org/model/ -> answer.
GOOD: dict[str, Any] = {
    "rules/branches/main": [
        {"type": "pull_request", "parameters": {"require_code_owner_review": True}},
        {"type": "non_fast_forward"},
        {"type": "deletion"},
        {"type": "required_status_checks", "parameters": {"required_status_checks": CHECKS}},
    ],
    "environments": {
        "environments": [
            {"name": "training", "protection_rules": [], "deployment_branch_policy": CUSTOM},
            {"name": "production", "protection_rules": [REVIEW, {"type": "branch_policy"}]}
            | {"deployment_branch_policy": CUSTOM},
        ]
    },
    "environments/training/deployment-branch-policies": MAIN,
    "environments/production/deployment-branch-policies": MAIN,
    "actions/secrets": {"secrets": [{"name": "NOTIFY_WEBHOOK"}]},
    "actions/variables": {"variables": [{"name": "AWS_ROLE", "value": "arn"}]},
    "actions/oidc/customization/sub": {
        "use_default": False,
        "include_claim_keys": ["repo", "context", "ref"],
    },
}


class Handler(BaseHTTPRequestHandler):
    """Answers who holds the token, and for this repository only, as GitHub does."""

    answers: dict[str, Any]

    def do_GET(self) -> None:
        path = self.path.partition("?")[0].removeprefix("/repos/org/model/")
        code = 200 if path in self.answers else 404
        code = 302 if self.answers.get(path) == MOVED else code
        if self.headers["Authorization"] != "Bearer run-token":
            code = 401
        self.send_response(code)
        if code == 302:
            self.send_header("Location", "/repos/org/model/environments")
        self.end_headers()
        answer = self.answers.get(path)
        self.wfile.write(answer if isinstance(answer, bytes) else json.dumps(answer).encode())

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture
def answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """What GitHub answers of a repository that is set up, in the folder of its project."""
    folder = tmp_path / ".github" / "workflows"
    folder.mkdir(parents=True)
    (folder / "train.yml").write_text(WORKFLOW)
    (tmp_path / ".github" / "CODEOWNERS").touch()
    monkeypatch.chdir(tmp_path)
    handler = type("Own", (Handler,), {"answers": copy.deepcopy(GOOD)})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("GITHUB_API_URL", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("GITHUB_REPOSITORY", "org/model")
        monkeypatch.setenv("GITHUB_TOKEN", "run-token")
        yield handler.answers
        server.shutdown()
        thread.join()


def missing() -> list[str]:
    return [text for ready, _, text in repository.lines() if not ready]


def test_a_repository_that_is_set_up_lacks_nothing(
    answers: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert missing() == []
    assert command_line.run(["doctor", "ASK=github"]) == 0
    said = capsys.readouterr().out
    assert "required check model" in said
    assert "MISSING" not in said


def production(answers: dict[str, Any]) -> Any:
    return answers["environments"]["environments"][1]


def checks(answers: dict[str, Any]) -> Any:
    return answers["rules/branches/main"][3]["parameters"]["required_status_checks"]


BRANCHES = "environments/production/deployment-branch-policies"
FAULTS: dict[str, Any] = {
    "required check check": lambda a: checks(a).pop(0),
    "required check model": lambda a: checks(a).pop(1),
    "a review: rule pull_request": lambda a: a["rules/branches/main"][0].update(type="creation"),
    "no forced push: rule non_fast_forward": lambda a: a["rules/branches/main"].pop(1),
    "no deletion: rule deletion": lambda a: a["rules/branches/main"].pop(2),
    "a review by the owners of .github/CODEOWNERS": lambda a: a["rules/branches/main"][0][
        "parameters"
    ].clear(),
    "environment production": lambda a: a["environments"]["environments"].pop(1),
    "only main may use it: every branch may": lambda a: production(a).update(
        deployment_branch_policy=None
    ),
    "only main may use it: main, release/* may": lambda a: a.update(
        {BRANCHES: {"branch_policies": [{"name": "main"}, {"name": "release/*"}]}}
    ),
    "required reviewers": lambda a: production(a)["protection_rules"].pop(0),
    "prevent self-review: whoever starts may not approve": lambda a: production(a)[
        "protection_rules"
    ][0].update(prevent_self_review=False),
    "REGISTRY_PASSWORD is a secret of the repository: move it to its environments": lambda a: a[
        "actions/secrets"
    ]["secrets"].append({"name": "REGISTRY_PASSWORD"}),
    "the subject of a login names context, ref, repo": lambda a: a[
        "actions/oidc/customization/sub"
    ].update(include_claim_keys=["repo", "context"]),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_not_set_up_is_said_and_fails(
    fault: str, answers: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    FAULTS[fault](answers)
    assert fault in missing()
    assert command_line.run(["doctor", "ASK=github"]) == 1
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.endswith(fault)]
    assert "MISSING" in line


def test_what_no_cloud_needs_is_not_asked_for(answers: dict[str, Any]) -> None:
    answers["actions/variables"]["variables"].clear()
    answers["actions/oidc/customization/sub"] = {"use_default": True}
    assert missing() == []


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda a: a.pop("actions/secrets"), "does not tell actions/secrets: HTTP Error 404"),
        (lambda a: a.update(environments=b"<html>"), "environments: Expecting value"),
        (lambda a: a.update(environments=[]), "answers in another form"),
        (lambda a: a.update({"actions/variables": MOVED}), "variables: HTTP Error 302"),
    ],
)
def test_what_cannot_be_read_is_an_error_that_names_it(
    spoil: Any, said: str, answers: dict[str, Any]
) -> None:
    spoil(answers)
    with pytest.raises(InputError, match=said):
        repository.lines()


def test_another_token_is_refused(answers: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "another")
    with pytest.raises(InputError, match="HTTP Error 401"):
        repository.lines()


@pytest.mark.parametrize("name", ["GITHUB_REPOSITORY", "GITHUB_TOKEN"])
def test_without_repository_or_token_nothing_is_asked(
    name: str, answers: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(name)
    with pytest.raises(InputError, match="ASK=github needs GITHUB_REPOSITORY"):
        repository.lines()


def test_a_token_goes_to_no_address_without_https(
    answers: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_API_URL", "http://api.example.com")
    with pytest.raises(InputError, match="https://"):
        repository.lines()
