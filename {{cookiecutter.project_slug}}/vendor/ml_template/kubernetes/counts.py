"""Counters of the pods of a track: read from /metrics, less what they were when a step began."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from ..operations import quality
from ..operations.evidence import ANSWERS, Counts, Range
from ..operations.quality import Both
from ..settings.config import InputError
from . import cluster
from .route import LARGEST, State

MEMORY = "process_resident_memory_bytes|"
LONGEST = 1 << 20  # letters of /metrics
LONGEST_LINE = 4096  # the time to read one grows with the square of its letters
MOST = 1000  # series of one pod, which stand in the state of the rollout
REQUESTS = "predict_requests_total"
LABELS = {  # of a series that is judged; and `le` of each bucket
    REQUESTS: ["code"],
    "predict_answers_total": ["label"],
    "predict_not_finite_total": [],
    MEMORY.removesuffix("|"): [],
}

Series = dict[str, float]  # "name|label" of one pod -> value
Pods = dict[str, Series]


def read(space: str, pods: list[cluster.Object]) -> Pods:
    """The series of each pod that is ready, through the proxy of the API server.

    Raises NoAnswerError where one of them cannot be read: then nothing is known.
    """
    found = {}
    for name in (str(pod["metadata"]["name"]) for pod in pods if cluster.is_ready(pod)):
        path = f"/api/v1/namespaces/{space}/pods/{name}:{cluster.PORT}/proxy/metrics"
        text = cluster.ask("get", "--raw", path)
        try:
            found[name] = series(text)
        except (ValueError, LookupError, OverflowError) as error:  # the parser raises them all
            said = cluster.shown(str(error) or type(error).__name__)
            raise cluster.NoAnswerError(f"/metrics of pod {name} cannot be read: {said}") from None
    return found


def restarts(pods: list[cluster.Object]) -> int:
    """How often containers of the pods were started again."""
    states = [s for pod in pods for s in pod.get("status", {}).get("containerStatuses", [])]
    return sum(int(state.get("restartCount", 0)) for state in states)


def series(text: str) -> Series:
    """Series in the text of /metrics that are judged, each by its name and only label.

    Raises ValueError, LookupError or OverflowError for a text that is not whole, or a label or
    number that cannot be.
    """
    lines = text.split("\n")
    if len(text) > LONGEST or max(map(len, lines)) > LONGEST_LINE or lines[-1]:
        raise ValueError("it is too long, or cut off")
    found: Series = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            bucket = sample.name.startswith("predict_") and sample.name.endswith("_bucket")
            if not bucket and sample.name not in LABELS:
                continue
            key, value = f"{sample.name}|{'|'.join(sample.labels.values())}", float(sample.value)
            once = [*sample.labels] == LABELS.get(sample.name, ["le"]) and key not in found
            if not once or len(found) == MOST or not 0 <= value <= LARGEST:
                raise ValueError(f"{key} {value}: not one count of one thing")
            found[key] = value
    families = _families(found)
    if REQUESTS not in families:
        raise ValueError(f"no {REQUESTS}")
    for name, rows in families.items():
        if not name.endswith("_bucket"):
            continue
        ends = sum(map(_edge, rows))  # not a number where one is none
        if ends != math.inf or min(_single(rows).values()) < 0:
            raise ValueError(f"{name}: its buckets do not add up")
    return found


def began_anew(now: Pods, base: Pods) -> bool:
    """Whether a counter is lower than it was: a process began anew, and its base is worthless."""
    return any(
        name != MEMORY and pod.get(name, 0.0) < before
        for key, pod in now.items()
        for name, before in base.get(key, {}).items()
    )


def counts(now: Pods, base: Pods, restarted: int = 0, quality: Range | None = None) -> Counts:
    """What the pods of `now` counted since `base`; a pod that is not in `base` began at 0.

    Of a pod that began anew the negative difference is kept: it must not vanish in a sum.
    """
    memory = max((pod.get(MEMORY, 0.0) for pod in now.values()), default=0.0)
    new: Series = {}
    for key, pod in now.items():
        known = base.get(key, {})
        for name in dict.fromkeys((*pod, *known)):
            part = pod.get(name, 0.0) - known.get(name, 0.0)
            before = new.get(name, 0.0)
            new[name] = before + part if min(before, part) >= 0 else min(before, part)
    families = _families(new)
    seconds = families.pop("predict_seconds_bucket", {})
    outputs = {
        name.removesuffix("_bucket"): _single(rows)
        for name, rows in families.items()
        if name.endswith("_bucket")
    }
    if "predict_answers_total" in families:
        outputs[ANSWERS] = families["predict_answers_total"]
    return Counts(
        codes=families.get(REQUESTS, {}),
        seconds={_edge(label): n for label, n in seconds.items()},
        not_finite=new.get("predict_not_finite_total|", 0.0),
        outputs=outputs,
        memory=memory,
        restarts=restarted,
        quality=quality,
    )


def _families(counted: Series) -> dict[str, dict[str, float]]:
    """Values by the name of a series, then by its label."""
    found: dict[str, dict[str, float]] = {}
    for name, value in counted.items():
        family, _, label = name.partition("|")
        found.setdefault(family, {})[label] = value
    return found


def _single(rows: Mapping[str, float]) -> dict[str, float]:
    """Rows of each bucket alone, from the cumulative ones."""
    below, alone = 0.0, {}
    for edge in sorted(rows, key=_edge):
        alone[edge], below = rows[edge] - below, rows[edge]
    return alone


def _edge(label: str) -> float:
    return math.inf if label == "+Inf" else float(label)


def kept(pods: Pods) -> Any:
    """`pods` for the state of a rollout: without zeros, and without what is no counter."""
    return {
        key: {name: value for name, value in pod.items() if value and name != MEMORY}
        for key, pod in pods.items()
    }


@dataclass(frozen=True)
class Look:
    """Counters of stable and canary now, restarts of the canary, quality of both on labels."""

    stable: Pods = field(default_factory=dict)
    canary: Pods = field(default_factory=dict)
    restarted: int = 0
    quality: Both = (None, None)
    unread: str = ""  # why the labels could not be read

    def began_anew(self, base: Mapping[str, Pods]) -> bool:
        """Whether a counter of either is lower than it was."""
        sides = {"stable": self.stable, "times": self.stable, "canary": self.canary}
        return any(began_anew(now, base.get(track, {})) for track, now in sides.items())

    def since(self, base: Mapping[str, Pods]) -> tuple[Counts, Counts]:
        """What stable and canary answered since the counters were `base`, by track.

        Times of stable since they were `base["times"]`, where that is given.
        """
        stable = counts(self.stable, base.get("stable", {}), quality=self.quality[0])
        if "times" in base:
            stable = replace(stable, seconds=counts(self.stable, base["times"]).seconds)
        mine = counts(self.canary, base.get("canary", {}), self.restarted, quality=self.quality[1])
        return stable, mine

    def begins(self, before: Pods | None) -> dict[str, Pods]:
        """The counters, as of now, that a step begins with.

        Where stable gets next to no requests any more, what it answered since `before` is the
        reference; but not for times, which the load of the machine makes: see `decide`.
        """
        mine = {"canary": kept(self.canary)}
        if before is None:
            return mine | {"stable": kept(self.stable)}
        return mine | {"stable": before, "times": self.times()}

    def times(self) -> Pods:
        """How long stable has taken until now."""
        return {
            key: {name: n for name, n in pod.items() if name.startswith("predict_seconds_bucket|")}
            for key, pod in kept(self.stable).items()
        }


def look(space: str, state: State) -> Look:
    """What is to be seen of the rollout `state` now; raises InputError where it cannot be read."""
    pods = cluster.pods(space, "canary")
    mine = [
        pod for pod in pods if pod["metadata"].get("labels", {}).get("model") == state.model[:16]
    ]
    usual = cluster.pods(space, "stable")
    notes = [pod["metadata"].get("annotations", {}) for pod in usual]
    model = next((note["model-digest"] for note in notes if "model-digest" in note), "")
    seen = Look(read(space, usual), read(space, mine), restarts(mine))
    try:
        return replace(seen, quality=quality.compare(model, state.model))
    except InputError as error:  # the counters are judged without them
        return replace(seen, unread=str(error))
