"""The route and what follows an abort, with an API server of one route in memory."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from {{ cookiecutter.package_name }}.config import InputError
from {{ cookiecutter.package_name }}.operations import cluster, notify, route, stable
from {{ cookiecutter.package_name }}.operations.cluster import ConflictError
from {{ cookiecutter.package_name }}.operations.rollout import ABORTED, ended
from {{ cookiecutter.package_name }}.operations.route import State

SPACE = "credit-staging"
STATE = State("1" * 64, f"registry.example.com/credit@sha256:{'2' * 64}", "canary", driver="me")
OVER = replace(STATE, phase="aborted", reason="failed: 5 %")


class Server:
    """Keeps one HTTPRoute, refuses an old version of it, and notes what else it is asked."""

    def __init__(self) -> None:
        backends = [{"name": "credit", "weight": 100}, {"name": "credit-canary", "weight": 0}]
        self.route: dict[str, Any] = {
            "metadata": {"resourceVersion": "1", "annotations": {"owner": "example"}},
            "spec": {"rules": [{"backendRefs": backends}]},
        }
        self.scaled: list[str] = []

    def ask(self, *words: str, stdin: str | None = None) -> str:
        if words[0] == "scale":
            self.scaled.append(words[2])
        elif words[0] == "patch":
            change = json.loads(words[-1].removeprefix("--patch="))
            meta = self.route["metadata"]
            if change["metadata"].pop("resourceVersion") != meta["resourceVersion"]:
                raise ConflictError("the object has been modified")
            notes = meta["annotations"] | change["metadata"]["annotations"]
            meta["annotations"] = {key: text for key, text in notes.items() if text is not None}
            self.route["spec"] = change["spec"]
            self.touch()
        return json.dumps(self.route)

    def touch(self) -> None:
        """A new version, as when a gateway writes its status."""
        meta = self.route["metadata"]
        meta["resourceVersion"] = str(int(meta["resourceVersion"]) + 1)

    @property
    def weights(self) -> list[int]:
        return [backend["weight"] for backend in self.route["spec"]["rules"][0]["backendRefs"]]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    made = Server()
    monkeypatch.setattr(cluster, "ask", made.ask)
    monkeypatch.setattr(cluster, "project", lambda: "credit")
    monkeypatch.setattr(cluster, "namespace", lambda settings: SPACE)
    return made


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What people were told."""
    texts: list[str] = []
    monkeypatch.setattr(notify, "send", texts.append)
    return texts


def test_share_state_and_mirror_are_written_in_one_step(server: Server) -> None:
    now = route.write(route.read(SPACE), 25, STATE, mirror=True)
    assert (now.weight, now.state, server.weights) == (25, STATE, [75, 25])
    (mirror,) = server.route["spec"]["rules"][0]["filters"]
    assert mirror["requestMirror"]["backendRef"]["name"] == "credit-canary"
    now = route.write(now, 50, STATE)
    assert server.route["spec"]["rules"][0]["filters"] == []
    assert route.write(now, 0, None).state is None
    assert server.route["metadata"]["annotations"] == {"owner": "example"}


def test_a_route_that_only_a_gateway_touched_is_written_again(server: Server) -> None:
    now = route.write(route.read(SPACE), 5, STATE)
    server.touch()
    assert route.change(now, 25, STATE).weight == 25


def test_a_driver_whose_route_was_taken_over_does_not_write(server: Server) -> None:
    now = route.write(route.read(SPACE), 5, STATE)
    route.write(route.read(SPACE), 5, replace(STATE, driver="another"))
    with pytest.raises(InputError, match="changed by somebody else"):
        route.change(now, 25, STATE)
    assert server.weights == [95, 5]


@pytest.mark.parametrize("text", ["{", '{"model": "1"}', '{"unknown": 1}', "[]"])
def test_a_damaged_state_is_refused_with_the_remedy(text: str, server: Server) -> None:
    server.route["metadata"]["annotations"]["rollout"] = text
    with pytest.raises(InputError, match="annotate httproute credit rollout-"):
        route.read(SPACE)


def test_a_route_without_the_canary_is_refused(server: Server) -> None:
    del server.route["spec"]["rules"][0]["backendRefs"][1]
    with pytest.raises(InputError, match="has no backend of the canary"):
        route.read(SPACE)


def test_after_an_abort_the_pods_go_and_people_are_told_once(
    server: Server, told: list[str]
) -> None:
    route.settle(SPACE, OVER)
    for _ in range(2):  # as after a driver that was killed, and once more
        state = route.read(SPACE).state
        assert state
        assert ended(SPACE, "staging", state) == ABORTED
    assert server.scaled == ["credit-canary", "credit-canary"]
    assert told == ["credit: staging: rollout of model 1111111111111111 aborted: failed: 5 %"]


def test_what_began_after_an_abort_is_not_overwritten_by_its_note(
    server: Server, told: list[str]
) -> None:
    later = replace(STATE, model="3" * 64)
    route.write(route.read(SPACE), 5, later)
    ended(SPACE, "staging", OVER)
    assert (route.read(SPACE).state, server.weights) == (later, [95, 5])


def test_a_rollout_withdrawn_by_hand_is_ended_and_says_why(server: Server, told: list[str]) -> None:
    route.write(route.read(SPACE), 50, STATE)
    state = stable.withdraw({"ENV": "staging", "WHY": "complaints"})
    assert state
    assert (state.phase, state.reason, server.weights) == ("aborted", "complaints", [100, 0])
    assert told[0].endswith("aborted: complaints")
    assert stable.withdraw({"ENV": "staging"}) is None


def test_a_model_that_did_not_pass_is_not_made_stable(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stable.deploy, "running", lambda space: {"stable": None, "canary": None})
    route.write(route.read(SPACE), 50, STATE)
    with pytest.raises(InputError, match="did not pass `make canary ENV=staging`"):
        stable.finish({"ENV": "staging"}, STATE.model)
    assert server.weights == [50, 50]
    assert server.scaled == []
