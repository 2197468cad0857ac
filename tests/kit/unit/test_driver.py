"""What a driver does with odd answers: it holds, aborts at the deadline, and says how it ended."""

from __future__ import annotations

import errno
import io
import itertools
import json
import signal
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from ml_template.kubernetes import canary as word
from ml_template.kubernetes import (
    cluster,
    counts,
    decide,
    driver,
    ending,
    releases,
    route,
    stable,
    status,
    watch,
)
from ml_template.kubernetes.cluster import ConflictError, NoAnswerError
from ml_template.kubernetes.ending import ABORTED
from ml_template.kubernetes.route import State
from ml_template.kubernetes.steps import Decision
from ml_template.operations import notify
from ml_template.registry import withdrawn
from ml_template.settings.config import InputError

from .rollouts import GATES
from .test_rollout import RELEASE, SPACE, STATE, Server

METRICS = """\
predict_requests_total{code="200"} 40
predict_seconds_bucket{le="0.1"} 40
predict_seconds_bucket{le="+Inf"} 40
predict_not_finite_total 0
process_resident_memory_bytes 9e7
"""


class Odd(Server):
    """Answers well `after` times, then as `odd` says of the kind of the question."""

    def __init__(self) -> None:
        super().__init__()
        self.odd: dict[str, str | Exception] = {}
        self.taken = True  # whether a patch with an odd answer is made
        self.after = 14
        self.asked = 0

    def ask(self, *words: str, stdin: str | None = None) -> str:
        self.asked += 1
        kind = words[0] if words[0] != "get" else words[1]
        odd = self.odd.get(kind) if self.asked > self.after else None
        said = "" if odd is not None and not self.taken else self.usual(kind, *words, stdin=stdin)
        if isinstance(odd, Exception):
            raise odd
        return said if odd is None else odd

    def usual(self, kind: str, *words: str, stdin: str | None = None) -> str:
        if kind == "--raw":
            return METRICS
        if kind == "pods":
            model = "1" * 64 if words[-2].endswith("canary") else "3" * 64
            return json.dumps({"items": [pod(model)]})
        if kind == "deployment":
            return json.dumps(deployment("canary" if words[2].endswith("-canary") else ""))
        return super().ask(*words, stdin=stdin)


def pod(model: str, **status: Any) -> dict[str, Any]:
    meta = {"name": f"pod-{model[:1]}", "labels": {"model": model[:16]}}
    ready = {"conditions": [{"type": "Ready", "status": "True"}]}
    return {"metadata": meta | {"annotations": {"model-digest": model}}, "status": ready | status}


def deployment(strategy: str) -> dict[str, Any]:
    notes = RELEASE.annotations | ({"strategy": strategy} if strategy else {})
    containers = [{"image": RELEASE.image}]
    template = {"metadata": {"annotations": notes}, "spec": {"containers": containers}}
    meta = {"name": "credit", "annotations": notes}
    return {"metadata": meta, "spec": {"replicas": 1, "template": template}}


@pytest.fixture
def server(in_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Odd:
    """Everyone gets what the rollout needs, but for so many answers that it is ever decided."""
    made, clock = Odd(), itertools.count()
    assert GATES.rollout
    seconds = GATES.rollout.seconds.model_copy(update={"step": 10.0, "deadline": 20.0})
    limits = GATES.rollout.model_copy(update={"seconds": seconds, "min_requests": 10**6})
    monkeypatch.setattr(word, "load_gates", lambda: GATES.model_copy(update={"rollout": limits}))
    monkeypatch.setattr(cluster, "ask", made.ask)
    monkeypatch.setattr(cluster, "project", lambda: "credit")
    monkeypatch.setattr(cluster, "namespace", lambda settings: SPACE)
    monkeypatch.setattr(word, "_is_stable", lambda space: False)
    monkeypatch.setattr(driver.time, "sleep", lambda seconds: None)
    monkeypatch.setattr(driver.time, "monotonic", lambda: float(next(clock)))
    return made


def canary() -> int:
    return word.run({"ENV": "staging"})


def kept(server: Odd) -> State:
    server.odd = {}
    state = route.read(SPACE).state
    assert state
    return state


GARBAGE = ["<html>502</html>", "", '{"items": [', "null", "[]", "3", "[" * 100_000, '"ok"', "{}"]
GARBAGE += ['{"items": null}', '{"items": {}}', '{"items": [null]}', '{"items": [{}]}', "9" * 5000]
GARBAGE += [
    json.dumps({"items": [pod("1" * 64) | change]})
    for change in (
        {"metadata": None},
        {"metadata": {"name": 3}},
        {"metadata": {"name": "a", "labels": []}},
        {"metadata": {"name": "a", "annotations": {"model-digest": 1}}},
        {"status": []},
        {"status": {"conditions": "Ready"}},
        {"status": {"conditions": [{}]}},
        {"status": {"containerStatuses": [{"restartCount": "0"}]}},
    )
]
LABEL, END = '{label="', "}"
METRIC = 'predict_requests_total{code="200"} '
NOT_METRICS = ["<html>\x00 {", "", "\n", METRICS[: len(METRICS) // 2], METRICS[:-1], "{" * 9000]
NOT_METRICS += [f"{METRICS}{line}\n" for line in (METRIC + "5", "predict_requests_total 5")]
NOT_METRICS += [
    METRICS.replace(METRIC + "40", METRIC + number)
    for number in ("NaN", "+Inf", "-5", "1e999", "-0.1", "9" * 400, "1_0", "", "many", "0x10")
]
NOT_METRICS += [
    METRICS.replace('le="0.1"', f'le="{edge}"')
    for edge in ("abc", "NaN", "", "-Inf", "0.1\\", "9" * 5000)
]
NOT_METRICS += [
    METRICS.replace('predict_seconds_bucket{le="+Inf"} 40', line)
    for line in ("", 'predict_seconds_bucket{le="+Inf"} 39', 'predict_seconds_bucket{a="+Inf"} 40')
]
NOT_METRICS += [
    METRICS + "".join(f'predict_answers_total{LABEL}{n}"{END} 1\n' for n in range(2000)),
    METRICS + f"# {'x' * 4000}\n" * 300,
    METRICS + 'predict_answers_total{label="a",label="b"} 1\n',
    METRICS.replace("process_resident_memory_bytes 9e7", "process_resident_memory_bytes NaN"),
]


@pytest.mark.parametrize(
    ("kind", "odd"),
    [("pods", odd) for odd in GARBAGE]
    + [("--raw", odd) for odd in NOT_METRICS]
    + [("pods", NoAnswerError("500")), ("--raw", NoAnswerError("no UTF-8"))],
)
def test_what_cannot_be_read_is_held_and_aborted_at_the_deadline(
    kind: str, odd: str, server: Odd, told: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    server.odd[kind] = odd
    assert canary() == ABORTED
    state = kept(server)
    assert (server.weights, state.phase, state.told) == ([100, 0], "aborted", True)
    assert "not decided within 20 seconds" in state.reason
    assert server.scaled == ["credit-canary"]
    assert [text for text in told if "aborted: not decided" in text] == told
    assert len(told) == 1
    assert "hold: no data: " in capsys.readouterr().out


@pytest.mark.parametrize(
    "harmless",
    [
        json.dumps({"items": [pod("1" * 64) | {"spec": None}]}),
        json.dumps({"items": [pod("1" * 64) | {"status": None}]}),
        json.dumps({"items": [pod("1" * 64, conditions=None, containerStatuses=None)]}),
        '{"items": []}',
        '{"items": [{"metadata": {"name": "a", "labels": null, "annotations": null}}]}',
    ],
)
def test_pods_that_tell_nothing_yet_are_read(harmless: str, server: Odd) -> None:
    server.odd["pods"], server.after = harmless, 0
    assert len(cluster.pods(SPACE, "canary")) == harmless.count("metadata")


@pytest.mark.parametrize("odd", ["ok", "", '{"kind": "Status"}', "<html>", NoAnswerError("late")])
def test_a_patch_that_was_made_but_not_answered_is_not_taken_for_that_of_another(
    odd: str, server: Odd, told: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    server.odd["patch"] = odd
    heal = server.usual

    def usual(kind: str, *words: str, stdin: str | None = None) -> str:
        said = heal(kind, *words, stdin=stdin)
        if kind == "patch" and server.asked > server.after + 40:
            server.odd = {}
        return said

    server.usual = usual  # type: ignore[method-assign]
    assert canary() == ABORTED
    assert (server.weights, kept(server).phase, len(told)) == ([100, 0], "aborted", 1)
    assert "not done: " in capsys.readouterr().out


@pytest.mark.parametrize(
    "odd", ["ok", ConflictError("the object has been modified"), NoAnswerError("500"), "again"]
)
def test_an_abort_that_is_never_taken_is_told_and_ends_with_an_error(
    odd: str | Exception, server: Odd, told: list[str]
) -> None:
    server.odd["patch"], server.taken = odd, False
    if odd == "again":  # the route as it was: what was asked is not in it
        server.odd["patch"] = server.ask("get", "httproute", "credit")
    with pytest.raises(InputError, match=r"the abort of model 1+ is not written, it may get"):
        canary()
    assert len(told) == 1
    assert "is not written" in told[0]


@pytest.mark.parametrize("error", [ZeroDivisionError("x"), KeyError("\x1b[2J"), RecursionError()])
def test_a_fault_of_the_program_is_said_with_its_place_and_aborts_at_the_deadline(
    error: Exception,
    server: Odd,
    told: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def decide(*_: Any) -> None:
        raise error

    monkeypatch.setattr(driver, "decide", decide)
    assert canary() == ABORTED
    said = capsys.readouterr().out
    assert f"hold: no data: {type(error).__name__} (test_driver.py, line " in said
    assert "\x1b" not in said
    assert type(error).__name__ in kept(server).reason


def test_a_driver_that_is_told_to_end_says_so_and_the_next_one_goes_on(
    server: Odd, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(seconds: float) -> None:
        if server.weights[1]:
            raise KeyboardInterrupt

    monkeypatch.setattr(driver.time, "sleep", stop)
    with pytest.raises(KeyboardInterrupt):
        canary()
    state = kept(server)
    assert (server.weights, state.phase, state.step) == ([100, 0], "interrupted", 0)
    assert "interrupted: everyone is at stable until `make canary ENV=staging` goes on" in told[0]
    shares = []
    monkeypatch.setattr(driver.time, "sleep", lambda seconds: shares.append(server.weights[1]))
    assert canary() == ABORTED  # not decided in time
    assert set(shares) == {5}
    assert kept(server).phase == "aborted"


def unready(model: str) -> dict[str, Any]:
    return pod(model, conditions=[{"type": "Ready", "status": "False"}])


@pytest.mark.parametrize(
    ("left", "aborted"),
    [([], True), ([unready("1" * 64)], True), ([pod("4" * 64)], True), ([pod("1" * 64)], False)],
)
def test_a_share_without_a_pod_that_is_ready_is_taken_back_within_seconds(
    left: list[Any],
    aborted: bool,
    resumed: Odd,
    told: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    usual = resumed.usual

    def drained(kind: str, *words: str, stdin: str | None = None) -> str:
        if kind == "pods" and words[-2].endswith("canary"):
            return json.dumps({"items": left})
        return usual(kind, *words, stdin=stdin)

    monkeypatch.setattr(resumed, "usual", drained)
    assert canary() == ABORTED
    state = kept(resumed)
    gone = f"no pod of the canary was ready for {watch.BARE_SECONDS:g} seconds"
    assert (state.reason == gone, state.evidence) == (aborted, False)
    assert (resumed.weights, len(told)) == ([100, 0], 1)


def test_a_canary_that_was_deleted_counts_as_scaled_down_and_people_are_told(
    resumed: Odd, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = resumed.usual

    def deleted(kind: str, *words: str, stdin: str | None = None) -> str:
        if kind == "scale":
            said = 'Error from server (NotFound): deployments.apps "credit-canary" not found'
            raise cluster._refusal("kubectl scale deployment", said)
        if kind == "pods" and words[-2].endswith("canary"):
            return '{"items": []}'
        return "" if words[2:3] == ("credit-canary",) else usual(kind, *words, stdin=stdin)

    monkeypatch.setattr(resumed, "usual", deleted)
    assert canary() == ABORTED
    assert (kept(resumed).told, len(told)) == (True, 1)
    resumed.route["metadata"]["annotations"]["rollout"] = "{"
    assert canary() == ABORTED
    assert (kept(resumed).reason, len(told)) == (ending.DAMAGED, 2)


DAMAGED = ["{", "[]", '{"model": 3}', json.dumps(asdict(STATE) | {"of": "a later version"})]
DAMAGED += [
    json.dumps(asdict(STATE) | {"base": {"stable": base}})
    for base in ({"a": {"x": "1"}}, {"a": 5}, {"a": {"x": None}}, {"a": {"x": float("nan")}})
]
DAMAGED += [json.dumps(asdict(STATE) | {"elapsed": number}) for number in (10**400, 1e300, -1)]
DAMAGED += [json.dumps(asdict(STATE) | {"base": {"stable": {"a": {"x": 10**400}}}})]


@pytest.mark.parametrize("text", DAMAGED)
def test_a_state_damaged_while_it_is_driven_or_before_sends_everyone_to_stable(
    text: str, server: Odd, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def damage(seconds: float) -> None:
        if server.weights[1] and text not in server.route["metadata"]["annotations"].values():
            server.route["metadata"]["annotations"]["rollout"] = text
            server.touch()

    monkeypatch.setattr(driver.time, "sleep", damage)
    assert canary() == ABORTED
    assert (server.weights, kept(server).phase, len(told)) == ([100, 0], "aborted", 1)
    route.write(route.read(SPACE), 50, STATE)
    server.route["metadata"]["annotations"]["rollout"] = text
    assert canary() == ABORTED
    assert (server.weights, kept(server).reason) == ([100, 0], ending.DAMAGED)
    route.write(route.read(SPACE), 50, STATE)
    server.route["metadata"]["annotations"]["rollout"] = text
    assert stable.withdraw({"ENV": "staging", "WHY": "damaged"})
    assert (server.weights, kept(server).reason) == ([100, 0], "damaged")


def test_a_driver_goes_on_when_nobody_reads_what_it_says(
    server: Odd, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stdout", Gone())
    assert canary() == ABORTED
    assert (server.weights, len(told)) == ([100, 0], 1)


def test_an_abort_is_told_once_though_its_note_cannot_be_written_at_first(
    server: Odd, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write, fails = route.write, itertools.count()

    def stumbling(now: route.Route, weight: int, state: State) -> route.Route:
        if state.told and next(fails) < 3:
            raise NoAnswerError("500")
        return write(now, weight, state)

    monkeypatch.setattr(route, "write", stumbling)
    assert canary() == ABORTED
    assert (len(told), kept(server)) == (1, replace(kept(server), told=True))


def test_an_abort_that_cannot_be_listed_is_told_with_the_list_and_its_pods_go(
    server: Odd, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def unwritable(digest: str, why: str) -> None:
        raise IsADirectoryError(errno.EISDIR, "Is a directory", "models/aborted.jsonl")

    monkeypatch.setattr(withdrawn, "abort", unwritable)
    restarted = pod("1" * 64, containerStatuses=[{"restartCount": 3}])
    server.odd = {"pods": json.dumps({"items": [restarted]})}
    assert canary() == ABORTED
    assert (server.weights, kept(server).told, len(told)) == ([100, 0], True, 1)
    assert "restarted 3 times" in told[0]
    assert "it is not listed" in told[0]
    assert server.scaled


@pytest.mark.parametrize("number", ending.ENDS)
def test_a_second_signal_waits_until_the_end_is_written_and_told(
    number: int, server: Odd, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = signal.signal(number, signal.default_int_handler)
    write = route.write

    def hit(now: route.Route, weight: int, state: State) -> route.Route:
        if state.phase == "interrupted":
            signal.raise_signal(number)
        return write(now, weight, state)

    def end(seconds: float) -> None:
        signal.raise_signal(number)

    monkeypatch.setattr(route, "write", hit)
    monkeypatch.setattr(driver.time, "sleep", end)
    with pytest.raises(KeyboardInterrupt):
        canary()
    assert signal.signal(number, heard) is signal.default_int_handler
    assert (server.weights, kept(server).phase, len(told)) == ([100, 0], "interrupted", 1)


@pytest.mark.parametrize("written", [True, False])
def test_a_driver_that_is_ended_while_it_takes_over_leaves_everyone_at_stable(
    written: bool, server: Odd, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert GATES.rollout
    going = replace(STATE, strategy="canary", step=1, base={"stable": {}, "canary": {}})
    route.write(route.read(SPACE), GATES.rollout.steps[1], going)
    write, first = route.write, iter([True])

    def ended(now: route.Route, weight: int, state: State) -> route.Route:
        if not next(first, False):
            return write(now, weight, state)
        if written:
            write(now, weight, state)
        raise KeyboardInterrupt

    monkeypatch.setattr(route, "write", ended)
    with pytest.raises(KeyboardInterrupt):
        canary()
    assert (server.weights, kept(server).phase, len(told)) == ([100, 0], "interrupted", 1)


def test_counters_longer_than_a_word_of_a_command_are_written(
    server: Odd, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, int]] = []
    ask = server.ask

    def measured(*words: str, stdin: str | None = None) -> str:
        seen.append((max(map(len, words)), len(stdin or "")))
        return ask(*words, stdin=stdin)

    monkeypatch.setattr(cluster, "ask", measured)
    answers = {f"predict_answers_total|{'x' * 40}{n}": 1 for n in range(90)}
    pods = {f"pod-{n}": answers for n in range(30)}
    route.write(route.read(SPACE), 0, replace(STATE, base={"canary": pods}))
    assert max(length for length, _ in seen) < 1000
    assert max(length for _, length in seen) > 1000


def test_an_interrupt_is_written_though_the_counters_cannot_be(
    server: Odd, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write = route.write

    def refused(now: route.Route, weight: int, state: State) -> route.Route:
        if state.phase == "interrupted" and state.base:
            raise NoAnswerError("annotations: Too long: must have at most 262144 bytes")
        return write(now, weight, state)

    def end(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(route, "write", refused)
    monkeypatch.setattr(driver.time, "sleep", end)
    with pytest.raises(KeyboardInterrupt):
        canary()
    assert (server.weights, kept(server).phase, len(told)) == ([100, 0], "interrupted", 1)


def test_what_passed_is_said_and_ends_well_on_a_full_disk(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Full(io.StringIO):
        def flush(self) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(sys, "stdout", Full())
    assert ending.passed(STATE, "staging") == 0
    assert "make promote ENV=staging" in capsys.readouterr().err
    monkeypatch.setattr(sys, "stdout", Full())
    monkeypatch.setattr(sys, "stderr", Full())
    assert ending.passed(STATE, "staging") == 0


@pytest.mark.parametrize("fault", [OSError(errno.ENOSPC, "No space left"), ValueError("closed")])
def test_an_abort_is_done_and_noted_though_nothing_can_be_printed(
    fault: Exception, server: Odd, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Deaf(io.StringIO):
        def write(self, text: str) -> int:
            raise fault

    monkeypatch.delenv(notify.WEBHOOK, raising=False)
    monkeypatch.setattr(sys, "stdout", Deaf())
    monkeypatch.setattr(sys, "stderr", Deaf())
    server.odd = {"pods": "<html>"}
    assert canary() == ABORTED
    state = kept(server)
    assert (server.weights, state.phase, state.told) == ([100, 0], "aborted", True)
    assert server.scaled


def test_a_pyproject_that_is_being_merged_does_not_end_a_rollout(in_folder: Path) -> None:
    (in_folder / "pyproject.toml").write_text('[project]\nname = "credit"\n')
    assert cluster.project() == "credit"
    (in_folder / "pyproject.toml").write_text("<<<<<<< HEAD\n")
    assert cluster.project() == "credit"


def test_a_stable_pod_that_begins_anew_before_the_first_step_ends_no_rollout(
    server: Odd, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    write, look = route.write, iter([METRICS.replace(" 40", " 90"), METRICS])

    def noted(now: route.Route, weight: int, state: State) -> route.Route:
        seen.append(state.step)
        return write(now, weight, state)

    def anew(space: str, state: State) -> counts.Look:
        pods = {"pod-3": counts.series(next(look, METRICS))}
        return counts.Look(pods, {"pod-1": counts.series(METRICS)})

    ready = iter([Decision("hold", "0 of 1 pods are ready")])
    monkeypatch.setattr(
        driver.Driver, "ready", lambda *_: next(ready, Decision("promote", "1 pods are ready"))
    )
    monkeypatch.setattr(counts, "look", anew)
    monkeypatch.setattr(route, "write", noted)
    canary()
    assert max(seen) >= 0
    assert kept(server).reason != ending.DAMAGED


NO_OBJECTS = ["<html>502</html>", "", "{", "null", "[]", "3", "[" * 100_000, '"ok"', "{}"]
NO_OBJECTS += [
    "9" * 5000,
    '{"kind": "Status", "metadata": {}}',
    json.dumps({"metadata": {"name": 3}, "spec": 5}),
    json.dumps({"metadata": {"resourceVersion": 7}, "spec": {"rules": "all"}}),
    json.dumps({"items": [pod("1" * 64)]}),
]
FIRST_READS = [("httproute", 2)]
FIRST_READS += [(f"deployment credit{track}", n) for track in ("", "-canary") for n in (2, 10**6)]
GOING = replace(STATE, strategy="canary", step=1, base={"stable": {}, "canary": {}})


@pytest.fixture
def resumed(server: Odd, monkeypatch: pytest.MonkeyPatch) -> Odd:
    """A rollout whose driver was killed; the next one gets no odd answer yet."""
    assert GATES.rollout
    monkeypatch.setattr(word, "_is_stable", lambda space: releases.running(space) is None)
    route.write(route.read(SPACE), GATES.rollout.steps[1], GOING)
    return server


@pytest.mark.parametrize("odd", [*NO_OBJECTS, NoAnswerError("500"), OSError(28, "No space left")])
@pytest.mark.parametrize(("read", "times"), FIRST_READS)
def test_a_resumed_driver_whose_first_answers_are_odd_aborts_at_the_deadline_or_goes_on(
    read: str,
    times: int,
    odd: str | Exception,
    resumed: Odd,
    told: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    numbers, kind, ask = itertools.count(1), read.split()[0], resumed.ask

    def answer(*words: str, stdin: str | None = None) -> str:
        asked = " ".join(words[1:3]) if kind == "deployment" else words[1]
        if words[0] != "get" or asked != read or next(numbers) > times:
            return ask(*words, stdin=stdin)
        if isinstance(odd, Exception):
            raise odd
        return odd

    monkeypatch.setattr(cluster, "ask", answer)
    assert canary() == ABORTED  # for want of answers that decide
    state = kept(resumed)
    assert (resumed.weights, state.phase, state.step, len(told)) == ([100, 0], "aborted", 1, 1)
    assert "not decided within 20 seconds" in state.reason
    no_stable_yet = (read, odd) == ("deployment credit", "")
    assert no_stable_yet or "canary: hold: no data: " in capsys.readouterr().out


def test_a_route_that_can_never_be_read_is_told_to_people(resumed: Odd, told: list[str]) -> None:
    resumed.odd, resumed.after = {"httproute": "<html>"}, 0
    with pytest.raises(NoAnswerError, match="kubectl gave no httproute"):
        canary()
    assert len(told) == 1
    assert "what share it has is not known: kubectl gave no httproute" in told[0]


def test_where_no_cluster_is_named_that_is_said_at_once(
    resumed: Odd, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    unset = "The connection to the server localhost:8080 was refused"
    monkeypatch.setattr(cluster, "ask", Mock(side_effect=cluster._refusal("get", unset)))
    with pytest.raises(InputError, match="no cluster answers: set KUBECONFIG"):
        canary()
    assert capsys.readouterr().out.count("hold") == 2


def test_what_was_deployed_in_place_of_a_rollout_gets_no_share_by_its_state(
    resumed: Odd, told: list[str]
) -> None:
    route.write(route.read(SPACE), 0, GOING)
    resumed.odd, resumed.after = {"deployment": "<html>"}, 0
    shares = []
    resumed.touch = lambda: shares.append(resumed.weights[1])  # type: ignore[method-assign]
    assert canary() == ABORTED
    assert set(shares) == {0}


@pytest.mark.parametrize("written", [True, False])
def test_a_take_over_that_is_not_answered_at_first_gives_the_share_back_all_the_same(
    written: bool, resumed: Odd, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert GATES.rollout
    route.write(route.read(SPACE), 0, replace(GOING, phase="interrupted"))
    write, first, shares = route.write, iter([True, True]), set()

    def stumbling(now: route.Route, weight: int, state: State) -> route.Route:
        if next(first, False):
            if written:
                write(now, weight, state)
            raise NoAnswerError("500")
        return write(now, weight, state)

    monkeypatch.setattr(route, "write", stumbling)
    monkeypatch.setattr(driver.time, "sleep", lambda seconds: shares.add(resumed.weights[1]))
    assert canary() == ABORTED
    assert GATES.rollout.steps[1] in shares
    assert (resumed.weights, kept(resumed).phase, len(told)) == ([100, 0], "aborted", 1)


def test_what_nobody_deployed_is_said_at_once_where_no_rollout_runs(
    server: Odd, told: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    server.odd, server.after = {"deployment": ""}, 0
    with pytest.raises(InputError, match="Argo Rollouts drives"):
        canary()
    assert "no data" not in capsys.readouterr().out


def said(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """What `status` says of the rollout, by name."""
    capsys.readouterr()
    status.run({"ENV": "staging"})
    lines = capsys.readouterr().out.splitlines()
    pairs = (line.partition(": ") for line in lines)
    return {name: " ".join(text.split()) for name, _, text in pairs if text and " " not in name}


@pytest.fixture
def limited(resumed: Odd, monkeypatch: pytest.MonkeyPatch) -> Odd:
    monkeypatch.setattr(status, "load_gates", word.load_gates)
    return resumed


def test_status_says_who_drives_which_step_the_evidence_what_is_missing_and_how_to_undo_it(
    limited: Odd, capsys: pytest.CaptureFixture[str]
) -> None:
    assert GATES.rollout
    share = GATES.rollout.steps[1]
    going = replace(GOING, driver="ci-7", elapsed=12.0)
    route.write(route.read(SPACE), share, going)
    there = said(capsys)
    assert there["rollout"] == f"canary of model {'1' * 16}: running"
    assert there["driver"].startswith("driven by ci-7; ")
    assert there["step"] == f"2 of {len(GATES.rollout.steps)}, {share} %, for 12 seconds"
    both = "stable 40 answers, 0 failed, 0 refused; canary 40 answers, 0 failed, 0 refused"
    assert (there["evidence"], there["hold"]) == (both, "40 of 1000000 answers of stable")
    assert there["undo"] == "make rollback ENV=staging"
    route.write(route.read(SPACE), 0, replace(going, phase="interrupted", step=-1))
    there = said(capsys)
    assert there["driver"].endswith("to go on: make canary ENV=staging")
    assert there["driver"].startswith("nobody drives it")
    assert there["hold"] == "the pods of the canary, then the first step"


@pytest.mark.parametrize(
    ("state", "share", "name", "text"),
    [
        (replace(STATE, phase="passed", step=3), 99, "next", "make promote ENV=staging"),
        (replace(STATE, phase="passed", step=3), 99, "undo", "make rollback ENV=staging"),
        (
            replace(STATE, phase="aborted", reason="drained"),
            0,
            "rollout",
            f"canary of model {'1' * 16}: aborted: drained",
        ),
        (replace(STATE, phase="aborted"), 0, "again", "make deploy ENV=staging"),
        (replace(STATE, phase="aborted"), 5, "rollout", "nobody drives 5 % and 0 mirrors"),
        (
            replace(STATE, phase="aborted", evidence=True),
            0,
            "again",
            "a new model, or a corrected image",
        ),
        (None, 5, "rollout", "nobody drives 5 % and 0 mirrors"),
        (None, 0, "undo", "make rollback ENV=staging"),
    ],
)
def test_status_says_what_comes_next_and_how_to_undo_what_is_there(
    state: State | None,
    share: int,
    name: str,
    text: str,
    limited: Odd,
    capsys: pytest.CaptureFixture[str],
) -> None:
    route.write(route.read(SPACE), share, state)
    assert said(capsys)[name] == text


def test_status_tells_of_a_rollout_whose_gates_pods_or_state_cannot_be_read(
    limited: Odd, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counts, "look", Mock(side_effect=NoAnswerError("/metrics: 502")))
    there = said(capsys)
    assert (there["evidence"], there["undo"]) == (
        "cannot be read: /metrics: 502",
        "make rollback ENV=staging",
    )
    limited.route["metadata"]["annotations"]["rollout"] = "{"
    there = said(capsys)
    assert "annotation rollout is damaged" in there["rollout"]
    assert there["undo"] == "make rollback ENV=staging"


def test_decide_judges_the_last_step_as_the_driver_does(
    limited: Odd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There stable is all but idle: its times of now are no reference."""
    assert GATES.rollout
    steps = tuple(min(share, driver.MOST) for share in GATES.rollout.steps)
    times = {"": {"0.1": 5.0}}
    last = replace(GOING, step=len(steps) - 1, base={"stable": {}, "canary": {}, "usual": times})
    known: list[Any] = []
    monkeypatch.setattr(decide, "decide", lambda *sides: known.append(sides[-1]))
    for state in (last, replace(last, step=0)):
        decide.judged(SPACE, state, GATES)
    assert known == [{0.1: 5.0}, None]
