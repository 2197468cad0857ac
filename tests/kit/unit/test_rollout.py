"""The route and what follows an abort, with an API server of one route in memory."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ml_template.kubernetes import (
    canary,
    cluster,
    counts,
    driver,
    ending,
    gateway,
    releases,
    route,
    stable,
    watch,
)
from ml_template.kubernetes.cluster import ConflictError
from ml_template.kubernetes.ending import ABORTED, ended
from ml_template.kubernetes.releases import Release
from ml_template.kubernetes.route import State
from ml_template.kubernetes.steps import Decision
from ml_template.operations import signatures
from ml_template.operations.evidence import Counts
from ml_template.registry import withdrawn
from ml_template.settings.config import InputError
from ml_template.settings.gates import Gates

from . import crds

SPACE = "credit-staging"
STATE = State("1" * 64, f"registry.example.com/credit@sha256:{'2' * 64}", "canary", driver="me")
SHADOW = replace(STATE, strategy="shadow", step=0)  # its pods get a copy of every request
OVER = replace(STATE, phase="aborted", reason="failed: 5 %")
WRONG = ({"step": "x"}, {"elapsed": None}, {"base": []}, {"phase": "gone"}, {"base": {"stable": 1}})
PASSED = replace(STATE, phase="passed", step=3)
OLD_IMAGE = f"registry.example.com/credit@sha256:{'3' * 64}"
RELEASE = Release(STATE.image, STATE.model, "5" * 64, "none")
OLD = Release(OLD_IMAGE, "3" * 64, "5" * 64, "none")


TAKEN = [{"type": name, "status": "True", "reason": name} for name in ("Accepted", "ResolvedRefs")]


def spec(rules: list[Any]) -> Any:
    """The spec of an HTTPRoute as an API server keeps it, with defaults in each reference."""
    value = {"metadata": {"name": "credit"}, "spec": {"rules": rules}}
    return crds.kept("HTTPRoute", value)[0]["spec"]


class Server:
    """Keeps one HTTPRoute, refuses an old version of it, and notes what else it is asked."""

    def __init__(self) -> None:
        backends = [{"name": "credit", "weight": 100}, {"name": "credit-canary", "weight": 0}]
        meta = {"name": "credit", "resourceVersion": "1", "annotations": {"owner": "example"}}
        self.route: dict[str, Any] = {"metadata": meta, "spec": spec([{"backendRefs": backends}])}
        self.route["status"] = {"parents": [{"conditions": TAKEN}]}
        self.scaled: list[str] = []
        self.patched: list[str] = []  # images of stable
        self.doubled = False  # whether each change is sent twice: it is made, and refused
        self.stumbles: list[bool] = []  # whether the next patches of the route are not answered

    def ask(self, *words: str, stdin: str | None = None) -> str:
        if words[0] == "scale":
            self.scaled.append(words[2] + (f" {words[3]}" if words[3][-2:] != "=0" else ""))
        elif words[:2] == ("patch", "deployment"):
            pod = json.loads(words[-1].removeprefix("--patch="))["spec"]["template"]
            self.patched.append(pod["spec"]["containers"][0]["image"])
        elif words[0] == "patch" and self.stumbles and self.stumbles.pop(0):
            raise InputError("no answer")
        elif words[0] == "patch":
            change = json.loads(stdin or "")
            meta = self.route["metadata"]
            if change["metadata"].pop("resourceVersion") != meta["resourceVersion"]:
                raise ConflictError("the object has been modified")
            notes = meta["annotations"] | change["metadata"]["annotations"]
            meta["annotations"] = {key: text for key, text in notes.items() if text is not None}
            self.route["spec"] = spec(change["spec"]["rules"])
            self.touch()
            if self.doubled:
                raise ConflictError("the object has been modified")
        return json.dumps(self.route)

    def found(self, kind: str) -> dict[str, Any]:
        return self.route if kind == "httproute" else {"spec": {"replicas": 1}}

    def touch(self) -> None:
        """A new version, as when a gateway writes its status."""
        meta = self.route["metadata"]
        meta["resourceVersion"] = str(int(meta["resourceVersion"]) + 1)

    @property
    def weights(self) -> list[int]:
        return [backend["weight"] for backend in self.route["spec"]["rules"][0]["backendRefs"]]


@pytest.fixture
def server(in_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    made = Server()
    monkeypatch.setattr(cluster, "ask", made.ask)
    monkeypatch.setattr(cluster, "project", lambda: "credit")
    monkeypatch.setattr(cluster, "namespace", lambda settings: SPACE)
    return made


NO_SERVICE = {"type": "ResolvedRefs", "status": "False", "reason": "BackendNotFound"}
NO_PLACE = {"type": "Accepted", "status": "False", "reason": "NoMatchingParent", "message": "web"}


@pytest.mark.parametrize(
    ("parents", "why"),
    [
        ([], "no gateway says that it takes it"),
        ([{"conditions": []}], "no gateway says that it takes it"),
        ([{"conditions": [TAKEN[0], NO_SERVICE]}], "ResolvedRefs is False: BackendNotFound"),
        ([{"conditions": [NO_PLACE]}], "Accepted is False: NoMatchingParent web"),
        ([{"conditions": TAKEN}, {"conditions": [NO_PLACE]}], "NoMatchingParent"),
        ([{"conditions": [TAKEN[0] | {"observedGeneration": 1}]}], "no gateway says"),
        ([{"conditions": [TAKEN[0] | {"observedGeneration": 2}, TAKEN[1]]}], ""),
        ([{"conditions": [TAKEN[0], {"type": "Odd", "status": "False"}]}], ""),
    ],
)
def test_a_route_that_no_gateway_takes_is_not_driven(
    parents: list[Any],
    why: str,
    drive: Callable[..., int],
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server.route["metadata"]["generation"] = 2
    server.route["status"] = {"parents": parents}
    monkeypatch.setattr(gateway, "TAKES", 0.05)
    monkeypatch.setattr(gateway, "PAUSE", 0.01)
    if not why:
        assert drive((100, 0), (105, 5), (112, 12)) == 0
        return
    with pytest.raises(InputError, match=f"httproute credit: .*{why}"):
        drive((100, 0))
    assert (route.read(SPACE).state, server.weights) == (None, [100, 0])


def test_share_state_and_mirror_are_written_in_one_step(server: Server) -> None:
    now = route.write(route.read(SPACE), 25, SHADOW)
    assert (now.weight, now.state, server.weights) == (25, SHADOW, [75, 25])
    (mirror,) = server.route["spec"]["rules"][0]["filters"]
    assert mirror["requestMirror"]["backendRef"]["name"] == "credit-canary"
    now = route.write(now, 50, STATE)
    assert server.route["spec"]["rules"][0]["filters"] == []
    assert route.write(now, 0, None).state is None
    assert server.route["metadata"]["annotations"] == {"owner": "example"}


def mirrors(server: Server) -> list[str]:
    filters = server.route["spec"]["rules"][0]["filters"]
    return [part["requestMirror"]["backendRef"]["name"] for part in filters]


def test_a_mirror_is_written_once_however_often_and_whatever_an_older_one_left_goes(
    server: Server,
) -> None:
    now = route.write(route.read(SPACE), 0, SHADOW)
    for _ in range(20):
        now = route.write(now, 0, SHADOW)
    assert mirrors(server) == ["credit-canary"]
    rule = server.route["spec"]["rules"][0]
    rule["filters"] = 16 * rule["filters"]
    server.touch()
    route.settle(SPACE, OVER)
    assert mirrors(server) == []


def test_a_mirror_that_stays_on_the_route_is_no_change_that_was_taken(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, ask = route.write(route.read(SPACE), 0, SHADOW), server.ask
    mirror = server.route["spec"]["rules"][0]["filters"]

    def keeps(*words: str, stdin: str | None = None) -> str:
        ask(*words, stdin=stdin)
        server.route["spec"]["rules"][0]["filters"] = mirror
        return json.dumps(server.route)

    monkeypatch.setattr(cluster, "ask", keeps)
    with pytest.raises(cluster.NoAnswerError, match="the change was not taken"):
        route.write(now, 0, OVER)


@pytest.mark.parametrize("state", [None, replace(OVER, told=True)])
@pytest.mark.parametrize("argo", [False, True])
@pytest.mark.parametrize("left", ["mirror", "share"])
def test_a_rollback_repairs_a_route_that_nobody_drives(
    left: str,
    argo: bool,
    state: State | None,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Argo Rollouts drives one that has no state: it is left to it."""
    monkeypatch.setattr(releases, "running", lambda space: {"stable": OLD, "canary": None})
    monkeypatch.setattr(releases, "drives", lambda space: not argo)
    now = route.write(route.read(SPACE), 0 if left == "mirror" else 25, SHADOW)
    kept = server.route["spec"]
    route.write(now, 0, state)
    server.route["spec"] = kept if left == "share" else spec(kept["rules"])
    if left == "share":
        kept["rules"][0]["filters"] = []
    server.touch()
    stable.withdraw({"ENV": "staging", "APPLY": "yes"})
    assert route.read(SPACE).rests is not (argo and state is None)
    assert route.read(SPACE).state == state


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


@pytest.mark.parametrize(
    "text",
    [
        *("{", '{"model": "1"}', '{"unknown": 1}', "[]"),
        *(json.dumps(asdict(STATE) | wrong) for wrong in WRONG),
    ],
)
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


def test_a_rollout_withdrawn_by_hand_is_ended_and_says_why(
    server: Server, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(releases, "running", lambda space: {"stable": None, "canary": None})
    route.write(route.read(SPACE), 50, STATE)
    state = stable.withdraw({"ENV": "staging", "WHY": "complaints"})
    assert state
    assert (state.phase, state.reason, server.weights) == ("aborted", "complaints", [100, 0])
    assert withdrawn.how(STATE.model).endswith(": complaints")
    assert told[0].endswith("aborted: complaints")
    with pytest.raises(InputError, match="everyone is at stable; to bring stable itself"):
        stable.withdraw({"ENV": "staging"})
    assert stable.withdraw({"ENV": "staging", "APPLY": "yes"}) is None


@pytest.mark.parametrize("left", ["not told", "pods"])
def test_an_end_that_was_not_finished_is_finished_and_stable_stays(
    left: str, server: Server, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    there = RELEASE if left == "pods" else None
    monkeypatch.setattr(releases, "running", lambda space: {"stable": RELEASE, "canary": there})
    state = replace(OVER, told=left == "pods")
    route.settle(SPACE, state)
    assert stable.withdraw({"ENV": "staging"}) == state
    assert server.scaled == ["credit-canary"]
    assert len(told) == (left == "not told")


def test_a_model_that_did_not_pass_is_not_made_stable(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(releases, "running", lambda space: {"stable": None, "canary": None})
    route.write(route.read(SPACE), 50, STATE)
    with pytest.raises(InputError, match="did not pass `make canary ENV=staging`"):
        stable.finish({"ENV": "staging"}, STATE.model)
    assert server.weights == [50, 50]
    assert server.scaled == []


@pytest.fixture
def passed(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """Everyone is at a canary that passed; its pods are six, those of stable two."""

    def get(kind: str, name: str, space: str) -> dict[str, Any]:
        counts = {"spec": {"replicas": 6 if name.endswith("-canary") else 2}}
        return server.route if kind == "httproute" else counts

    monkeypatch.setattr(releases, "running", lambda space: {"stable": OLD, "canary": RELEASE})
    monkeypatch.setattr(releases, "wait", lambda *_: None)
    monkeypatch.setattr(signatures, "serves", lambda image, model: None)
    monkeypatch.setattr(releases, "tried", lambda space: RELEASE)
    monkeypatch.setattr(cluster, "get", get)
    route.write(route.read(SPACE), 100, PASSED)
    return server


def test_stable_is_widened_before_it_gets_what_the_canary_carried(passed: Server) -> None:
    assert stable.finish({"ENV": "staging"}, STATE.model) == RELEASE.image
    assert passed.scaled == ["credit --replicas=6", "credit-canary"]
    assert passed.patched == [RELEASE.image]
    assert (route.read(SPACE).state, passed.weights) == (None, [100, 0])


@pytest.mark.parametrize("change", [{"model": "4" * 64}, {"image": OLD_IMAGE}])
def test_what_did_not_pass_itself_is_not_made_stable(
    change: dict[str, str], passed: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(releases, "tried", lambda space: replace(RELEASE, **change))
    with pytest.raises(InputError, match="is tried now, and another passed"):
        stable.finish({"ENV": "staging"}, STATE.model)
    assert passed.patched == []


def test_a_rollback_while_stable_is_moved_wins(
    passed: Server, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(releases, "wait", lambda *_: stable.withdraw({"ENV": "staging"}))
    with pytest.raises(InputError, match="the rollout was ended meanwhile"):
        stable.finish({"ENV": "staging"}, STATE.model)
    assert passed.patched == [RELEASE.image, OLD.image]
    assert (route.read(SPACE).state or STATE).phase == "aborted"


@pytest.mark.parametrize(("tried", "scaled"), [(RELEASE, ["credit-canary"]), (OLD, []), (None, [])])
def test_a_rollback_of_what_was_deployed_and_never_driven_takes_its_pods_and_leaves_stable(
    tried: Release | None, scaled: list[str], server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(releases, "running", lambda space: {"stable": OLD, "canary": tried})
    ended = stable.withdraw({"ENV": "staging"})
    assert (server.scaled, server.patched) == (scaled, [])
    assert (ended is not None) == bool(scaled)  # else stable itself goes back
    assert withdrawn.how(RELEASE.model) == ""


def test_what_does_not_verify_is_not_made_stable_by_promote_or_rollback(
    passed: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str]] = []

    def refuse(image: str, model: str) -> None:
        asked.append((image, model))
        raise InputError("no signatures found")

    monkeypatch.setattr(signatures, "serves", refuse)
    record: Any = {"image": OLD_IMAGE, "digest": OLD.model, "verdict": "5" * 64, "commit": None}
    where = {"ENV": "staging"}
    for go in (lambda: stable.finish(where, STATE.model), lambda: stable.restore(where, record)):
        with pytest.raises(InputError, match="no signatures found"):
            go()
    assert asked == [(RELEASE.image, STATE.model), (OLD_IMAGE, OLD.model)]
    assert (passed.patched, passed.scaled, passed.weights) == ([], [], [0, 100])


@pytest.mark.parametrize(
    ("old", "kept"),
    [
        (STATE, True),
        (replace(STATE, phase="passed"), True),
        (replace(STATE, image=OLD_IMAGE), False),
        (replace(STATE, image=OLD_IMAGE, phase="passed"), False),
        (replace(STATE, phase="aborted", evidence=True), True),
        (replace(STATE, phase="aborted"), True),  # people are not told yet
        (replace(STATE, phase="aborted", told=True), False),  # no evidence against the model
        (replace(OVER, image=OLD_IMAGE, evidence=True, told=True), False),  # corrected
        (replace(STATE, strategy="bluegreen"), False),
        (replace(STATE, model="4" * 64, strategy="bluegreen", phase="aborted"), False),
        (replace(STATE, step=4), False),
    ],
)
def test_only_the_rollout_of_this_very_release_is_resumed(old: State, kept: bool) -> None:
    now = route.Route(SPACE, "1", [], 0, old)
    found = canary._begun(now, RELEASE, "canary", 4)
    assert found == (old if kept else State(RELEASE.model, RELEASE.image, "canary"))


def test_others_parts_of_the_route_stay(server: Server) -> None:
    rule = server.route["spec"]["rules"][0]
    audit = {"name": "audit", "port": 80}
    rule["filters"] = [{"type": "RequestMirror", "requestMirror": {"backendRef": audit}}]
    rule["backendRefs"].append({"name": "legacy", "weight": 3})
    now = route.write(route.read(SPACE), 25, SHADOW)
    server.route["spec"]["rules"].append({"backendRefs": [{"name": "other"}]})
    server.touch()
    route.change(now, 0, STATE)
    rules = server.route["spec"]["rules"]
    assert mirrors(server) == ["audit"]
    assert server.weights == [100, 0, 3]
    assert len(rules) == 2


Answers = tuple[float, float]


@pytest.fixture
def drive(server: Server, told: list[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """`canary`, with one pod of each track that answered (stable, canary) from look to look."""
    seconds = SimpleNamespace(step=0.0, deadline=5.0)
    limits = SimpleNamespace(steps=(50,), seconds=seconds, min_requests=10, promote=False)
    monkeypatch.setattr(canary, "load_gates", lambda: SimpleNamespace(rollout=limits))
    monkeypatch.setattr(releases, "tried", lambda space: RELEASE)
    monkeypatch.setattr(canary, "_is_stable", lambda space: False)
    monkeypatch.setattr(cluster, "get", lambda kind, *_: server.found(kind))
    monkeypatch.setattr(driver.time, "sleep", lambda seconds: None)

    def go(
        *looks: Answers, strategy: str = "canary", bad: int = 0, why: str = "", **more: Any
    ) -> int:
        seen = itertools.chain(looks, itertools.repeat(looks[-1], 3))

        def look(space: str, state: State) -> counts.Look:
            stable, tried = ({"pod": {"predict_requests_total|200": n}} for n in next(seen))
            return counts.Look(stable, tried, **more)

        monkeypatch.setattr(canary, "_strategy", lambda space: strategy)
        monkeypatch.setattr(counts, "look", look)
        numbers = itertools.count(1)

        def decided(*sides: Any) -> Decision:
            return Decision("abort", "failed: 5 %") if next(numbers) == bad else judged(*sides)

        monkeypatch.setattr(driver, "decide", decided)
        return canary.run({"ENV": "staging", "WHY": why})

    return go


def judged(
    stable: Counts, tried: Counts, gates: Gates, elapsed: float, usual: dict[float, float] | None
) -> Decision:
    """Ten answers of each pass."""
    both = (stable.of(""), tried.of(""))
    return Decision("promote" if min(both) >= 10 else "hold", f"{both}")


def test_a_rollout_goes_step_by_step_and_passes(drive: Callable[..., int], server: Server) -> None:
    assert drive((100, 0), (105, 5), (112, 12)) == 0
    assert (route.read(SPACE).weight, (route.read(SPACE).state or STATE).phase) == (50, "passed")


def test_what_passed_is_promoted_at_once_where_the_gates_say_so_and_a_killed_driver_finishes_it(
    drive: Callable[..., int], server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, str]] = []
    limits = canary.load_gates()
    monkeypatch.setattr(limits.rollout, "promote", True)
    monkeypatch.setattr(ending.promote, "run", lambda where: bool(asked.append(where) or True))
    assert drive((100, 0), (105, 5), (112, 12)) == 0
    assert drive((100, 0)) == 0  # it was killed before
    assert asked == 2 * [{"ENV": "staging", "WHY": ""}]
    monkeypatch.setattr(limits.rollout, "promote", False)
    assert drive((100, 0)) == 0
    assert len(asked) == 2


@pytest.mark.parametrize(("ci", "asked"), [(False, 0), (True, 1)])
def test_the_account_of_a_rollout_in_the_cluster_promotes_nothing_and_says_how(
    ci: bool, asked: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words: list[Any] = []
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setattr(ending.lineage, "in_ci", lambda: ci)  # a runner has an account of its own
    monkeypatch.setattr(ending.promote, "run", lambda where: bool(words.append(where) or True))
    assert ending.passed(PASSED, "staging", promotes=True) == 0
    assert len(words) == asked
    said = "`make promote ENV=staging` makes it stable" in capsys.readouterr().out
    assert said != bool(asked)


def test_what_passed_and_cannot_be_promoted_stays_passed_and_that_is_an_error(
    drive: Callable[..., int], server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(settings: dict[str, str]) -> bool:
        raise InputError("gates.yaml changed")

    monkeypatch.setattr(canary.load_gates().rollout, "promote", True)
    monkeypatch.setattr(ending.promote, "run", refuse)
    with pytest.raises(InputError, match=r"gates\.yaml changed"):
        drive((100, 0), (105, 5), (112, 12))
    assert (route.read(SPACE).state or STATE).phase == "passed"


def test_an_api_server_that_stumbles_does_not_end_a_driver(
    drive: Callable[..., int], server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    server.stumbles = [False, True, False, True, False]
    assert drive((100, 0), (105, 5), (112, 12), (130, 30)) == 0
    assert capsys.readouterr().out.count("not done: no answer") == 2
    assert (route.read(SPACE).state or STATE).step == 0


def test_an_abort_is_finished_though_its_pods_cannot_be_scaled_at_once(
    drive: Callable[..., int],
    server: Server,
    told: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(space: str) -> None:
        monkeypatch.setattr(ending, "scale_down", scale_down)
        raise InputError("no answer")

    scale_down = ending.scale_down
    monkeypatch.setattr(ending, "scale_down", refuse)
    assert drive((100, 0), (105, 5), (112, 12), bad=2) == ABORTED
    assert (server.weights, server.scaled, len(told)) == ([100, 0], ["credit-canary"], 1)


def test_a_change_that_was_sent_twice_is_not_taken_for_that_of_a_rival(
    drive: Callable[..., int], server: Server, told: list[str]
) -> None:
    server.doubled = True
    assert drive((100, 0), (105, 5), (112, 12)) == 0
    state = route.read(SPACE).state
    assert state
    assert (server.weights, state.phase) == ([50, 50], "passed")
    assert route.note(SPACE, state, None)
    assert (route.read(SPACE).state, server.weights) == (None, [100, 0])
    route.settle(SPACE, OVER)
    assert route.read(SPACE).state == OVER


def test_a_stable_that_was_moved_stays_though_the_last_note_was_sent_twice(passed: Server) -> None:
    passed.doubled = True
    assert stable.finish({"ENV": "staging"}, STATE.model) == RELEASE.image
    assert (passed.patched, passed.weights) == ([RELEASE.image], [100, 0])


def test_the_counters_of_many_pods_fit_into_an_annotation(server: Server) -> None:
    pods = {
        f"credit-6d4cf56db6-{n:05}": {f"predict_seconds_bucket|{e}": n * e + 1.0 for e in range(60)}
        for n in range(150)
    }
    many = replace(STATE, base={"stable": pods, "times": pods, "canary": pods})
    assert route.write(route.read(SPACE), 25, many).state == many
    text = server.route["metadata"]["annotations"]["rollout"]
    assert len(text) < 200_000 < len(json.dumps(asdict(many)))
    few = replace(STATE, base={"stable": {"a": {"x": 1.0}}})
    route.write(route.read(SPACE), 25, few)  # as an older driver reads it
    assert json.loads(server.route["metadata"]["annotations"]["rollout"]) == asdict(few)


@pytest.mark.parametrize("packed", ["", "!", "eJw=", "e30=", "eJxjYGBgAAAABAAB"])
def test_counters_that_cannot_be_unpacked_are_a_damaged_state(packed: str, server: Server) -> None:
    text = json.dumps(asdict(STATE) | {"base": packed})
    server.route["metadata"]["annotations"]["rollout"] = text
    with pytest.raises(route.DamagedError):
        route.read(SPACE)


def test_a_resumed_rollout_gets_its_share_back(drive: Callable[..., int], server: Server) -> None:
    route.write(route.read(SPACE), 0, replace(STATE, step=0, base={"stable": {}, "canary": {}}))
    assert drive((50, 50)) == 0
    assert server.weights == [50, 50]


def test_bluegreen_waits_for_answers_of_stable_and_compares_with_them(
    drive: Callable[..., int], server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    assert drive((9000, 0), (9004, 0), (9011, 0), (9011, 11), strategy="bluegreen") == 0
    said = capsys.readouterr().out
    assert "hold: 4 of 10 answers of stable before the switch" in said
    assert "passed: (11.0, 11.0)" in said  # not of the 9,000 before


REQUESTS = "predict_requests_total|200"


@pytest.mark.parametrize(
    ("pods", "silenced"),
    [
        ({"a": 40.0, "b": 60.0}, True),
        ({"b": 60.0}, True),  # one went
        ({"a": 40.0, "c": 0.0}, True),  # and another came
        ({"a": 0.0, "b": 60.0}, True),  # or began anew
        ({"a": 40.0, "b": 61.0}, False),
        ({"b": 60.0, "c": 1.0}, False),
        ({"a": 3.0}, False),
    ],
)
def test_a_gateway_that_cannot_mirror_is_seen_though_the_pods_of_stable_change(
    pods: dict[str, float], silenced: bool
) -> None:
    seen = watch.Watch()
    for elapsed, now in ((2.0, {"a": 40.0, "b": 60.0}), (7.0, pods)):
        look = counts.Look({key: {REQUESTS: n} for key, n in now.items()})
        found = seen.fault(look, replace(SHADOW, elapsed=elapsed))
    assert ("can your gateway RequestMirror?" in found) is silenced


def test_labels_that_cannot_be_read_are_said_and_the_rest_is_judged(
    drive: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert drive((100, 0), (112, 12), unread="line 3 is damaged") == 0
    assert "no labels: line 3 is damaged" in capsys.readouterr().out


def test_canary_without_limits_takes_the_route_from_nobody(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    route.write(route.read(SPACE), 5, STATE)
    monkeypatch.setattr(canary, "load_gates", lambda: SimpleNamespace(rollout=None))
    with pytest.raises(InputError, match="rollout is switched off"):
        canary.run({"ENV": "staging"})
    assert route.read(SPACE).state == STATE


def test_what_argo_rollouts_drives_is_not_driven(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "find", lambda *_: None)
    with pytest.raises(InputError, match="Argo Rollouts drives"):
        canary._strategy(SPACE)
    monkeypatch.setattr(cluster, "find", lambda *_: {"metadata": {"name": "credit-canary"}})
    with pytest.raises(InputError, match="says no strategy: run `make deploy` again"):
        canary._strategy(SPACE)


def test_nothing_is_to_be_tried_where_the_newest_model_is_stable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(canary.champion, "read", lambda path: {"digest": RELEASE.model})
    for stable_, tried, said in (
        (RELEASE, None, True),
        (OLD, None, False),
        (RELEASE, OLD, False),
        (None, None, False),
    ):
        there = {"stable": stable_, "canary": tried}
        monkeypatch.setattr(releases, "running", lambda space, there=there: there)
        monkeypatch.setattr(releases, "unready", lambda *_: "")
        assert canary._is_stable(SPACE) is said
    monkeypatch.setattr(releases, "running", lambda space: {"stable": RELEASE, "canary": None})
    monkeypatch.setattr(releases, "unready", lambda *_: "pod a answers as model 3")
    with pytest.raises(InputError, match="but pod a answers as model 3"):
        canary._is_stable(SPACE)


def test_a_rollout_that_was_ended_is_listed_and_tried_again_for_a_reason_only(
    server: Server, told: list[str]
) -> None:
    over = replace(OVER, evidence=True)
    route.write(route.read(SPACE), 0, over)
    now = route.read(SPACE)
    ended(SPACE, "staging", over)
    assert withdrawn.how(OVER.model).endswith(": failed: 5 %")
    assert withdrawn.how(OLD.model) == ""
    ended(SPACE, "staging", replace(over, told=True))
    assert len(withdrawn.ABORTED.read_text().splitlines()) == 1
    assert canary._begun(now, RELEASE, "canary", 4) == over
    again = canary._begun(now, RELEASE, "canary", 4, "the network was at fault")
    assert (again.phase, again.step, again.reason) == ("running", -1, "the network was at fault")


def test_a_rollout_that_ended_for_want_of_data_takes_no_model_back(
    server: Server, told: list[str]
) -> None:
    route.write(route.read(SPACE), 0, OVER)
    ended(SPACE, "staging", OVER)
    assert withdrawn.how(OVER.model) == ""
    assert len(told) == 1


def test_a_model_that_was_taken_back_is_not_tried_without_a_reason(
    drive: Callable[..., int], server: Server
) -> None:
    withdrawn.abort(RELEASE.model, "failed: 5 %")
    with pytest.raises(InputError, match=r"ended in its rollout .*: failed: 5 %: nothing was done"):
        drive((100, 0))
    assert (route.read(SPACE).state, server.weights) == (None, [100, 0])
    assert drive((100, 0), (105, 5), (112, 12), why="the network was at fault") == 0


def test_a_rollout_that_runs_goes_on_though_its_model_was_taken_back_elsewhere(
    drive: Callable[..., int], server: Server
) -> None:
    withdrawn.abort(RELEASE.model, "failed: 5 %")
    route.write(route.read(SPACE), 50, replace(STATE, step=0, base={"stable": {}, "canary": {}}))
    assert drive((50, 50)) == 0


@pytest.mark.parametrize(
    ("pod", "ci", "said"), [(True, False, True), (True, True, False), (False, False, False)]
)
def test_a_job_whose_list_goes_with_it_says_how_the_end_gets_into_that_of_a_clone(
    pod: bool,
    ci: bool,
    said: bool,
    drive: Callable[..., int],
    server: Server,
    told: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ending.lineage, "in_ci", lambda: ci)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    if pod:
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    over = replace(OVER, evidence=True)
    route.settle(SPACE, over)
    ended(SPACE, "staging", over)
    assert told[0].endswith("`make push` shares it") == said
    assert ("in a clone, `make canary ENV=staging` lists it too" in told[0]) == said
    withdrawn.ABORTED.unlink()  # as in a clone
    assert drive((100, 0)) == ABORTED
    assert withdrawn.listed(over.model)


def test_an_end_that_another_machine_noted_is_listed_here_once(
    drive: Callable[..., int], server: Server
) -> None:
    route.settle(SPACE, replace(OVER, told=True, evidence=True))
    for _ in range(2):
        assert drive((100, 0)) == ABORTED
    assert len(withdrawn.ABORTED.read_text().splitlines()) == 1


@pytest.mark.parametrize(
    ("env", "model", "listed"),
    [
        ("staging", OVER.model, False),
        ("staging", "9" * 64, True),
        ("staging", None, True),
        ("production", OVER.model, True),
    ],
)
@pytest.mark.parametrize("known", [False, True])  # to people, from another machine
def test_the_champion_of_production_is_not_taken_back_for_what_a_trial_elsewhere_saw(
    known: bool,
    env: str,
    model: str | None,
    listed: bool,
    server: Server,
    told: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    present = {"digest": model} if model else None
    monkeypatch.setattr(ending.champion, "read", lambda path: present)
    over = replace(OVER, evidence=True, told=known)
    route.settle(SPACE, over)
    ended(SPACE, env, over)
    assert withdrawn.listed(OVER.model) == listed
    assert len(told) == (not known)


@pytest.mark.parametrize(
    ("state", "serving", "image"),
    [
        (PASSED, OLD, PASSED.image),
        (None, RELEASE, RELEASE.image),  # a promotion that was killed
        (None, OLD, ""),
        (replace(PASSED, phase="running"), OLD, ""),
        (replace(PASSED, model="9" * 64), OLD, ""),
    ],
)
def test_the_image_that_was_judged_is_the_one_that_passed_or_is_stable(
    state: State | None,
    serving: Release,
    image: str,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(releases, "running", lambda space: {"stable": serving, "canary": RELEASE})
    route.settle(SPACE, state)
    assert stable.passed({"ENV": "staging"}, {"digest": PASSED.model}) == image


def test_a_rollout_that_a_drain_or_a_quiet_night_ended_is_tried_again_without_a_reason(
    drive: Callable[..., int], server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    route.settle(SPACE, replace(OVER, told=True))
    monkeypatch.setattr(server, "found", lambda kind: server.route if kind[0] == "h" else NONE)
    with pytest.raises(InputError, match="its pods went with the abort: run `make deploy"):
        drive((100, 0))
    monkeypatch.undo()
    assert not withdrawn.ABORTED.exists()


NONE: dict[str, Any] = {"spec": {"replicas": 0}}


def test_an_end_is_held_against_a_model_in_its_image_until_a_reason_that_is_kept_lifts_it(
    drive: Callable[..., int], server: Server, told: list[str]
) -> None:
    withdrawn.abort(RELEASE.model, "failed: 5 %", RELEASE.image)
    assert withdrawn.how(RELEASE.model).endswith(": failed: 5 %")
    assert withdrawn.how(RELEASE.model, RELEASE.image).endswith(": failed: 5 %")
    assert withdrawn.how(RELEASE.model, OLD_IMAGE) == ""
    with pytest.raises(InputError, match="nothing was done"):
        drive((100, 0))
    assert drive((100, 0), (105, 5), (112, 12), why="the disk was full") == 0
    assert withdrawn.how(RELEASE.model) == ""  # `promote` asks for no second reason
    entry = json.loads(withdrawn.ABORTED.read_text().splitlines()[-1])
    assert (entry["why"], entry["lifted"]) == ("the disk was full", True)
    withdrawn.abort(RELEASE.model, "slow")  # an older release wrote no image: it holds for all
    assert withdrawn.how(RELEASE.model, OLD_IMAGE).endswith(": slow")
