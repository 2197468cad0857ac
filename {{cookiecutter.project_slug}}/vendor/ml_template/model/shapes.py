"""Shapes of the reports that one word writes and others read; JSON keeps the order of keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, NotRequired, TypedDict

from ..tables.small import Count

if TYPE_CHECKING:  # whoever serves needs no gates
    from ..settings.gates import Check


Uncompared = Literal["first", "same", "absent", "other", "redefined", "turned", "damaged"]
State = Uncompared | Literal["paired", "apart"]


class Estimate(TypedDict):
    """A value within its 95 % interval."""

    value: float
    low: float
    high: float


class Numbers(TypedDict):
    """An estimate; None for what cannot be computed or is not shown."""

    value: float | None
    low: float | None
    high: float | None


class Slice(Numbers):
    """The metric of one group; without an interval, `reason` says why.

    `chance`, of a small one that lies below the whole: how often random slices are as low.
    """

    column: str
    group: str
    rows: Count
    metric: str
    chance: NotRequired[float | None]
    reason: NotRequired[str]


class Gaps(TypedDict, total=False):
    """Largest differences between groups: the last for a regression, else the others.

    `reason` says why one is None. To judge by: each rate is `of` so many rows (groups, classes),
    and its `whole` is that of all groups (classes); of errors their mean and standard deviation.
    """

    demographic_parity_difference: float | None
    equalized_odds_difference: float | None
    accuracy_gap: float | None
    error_gap: float | None
    reason: str
    of: dict[str, list[list[int]]]
    whole: dict[str, list[float]]


class Fairness(Gaps):
    """One sensitive column; a group is {group, rows, and its rates}."""

    column: str
    groups: list[dict[str, Any]]


class Bin(TypedDict):
    """Rows of like probabilities: the mean of those, and the share that came true."""

    low: float
    high: float
    rows: Count
    predicted: float | None
    observed: float | None
    reason: NotRequired[str]


class Calibration(TypedDict):
    """Expected calibration error, and its noise (see noise.py); None for a regression."""

    error: float | None
    noise: float | None
    bins: list[Bin]


class Importance(Estimate):
    """Mean drop of the headline metric when the column is shuffled, lowest and highest."""

    feature: str


class Figures(TypedDict):
    """What gates judge of a model's answers to the hold-out."""

    rows: int
    classes: Mapping[str, Count]
    metrics: dict[str, Estimate]
    slices: list[Slice]
    baseline: dict[str, float | None]
    fairness: list[Fairness]
    calibration: Calibration


class Evaluation(Figures):
    """reports/evaluation.json, by `evaluate`."""

    model: str
    data: dict[str, Any]
    task: str
    target: str
    seed: int
    replicates: int
    headline: str
    confusion: list[list[Count]]
    importance: list[Importance]
    plots: list[dict[str, str]]


class Gap(Numbers):
    """Headline metric of the candidate minus that of the champion: see rival.compare."""

    state: Literal["paired", "apart"]
    reason: str


class Rival(TypedDict):
    """What the candidate was compared with; figures where the two can be compared."""

    state: State
    champion: str | None
    reason: str
    value: NotRequired[float | None]
    low: NotRequired[float | None]
    high: NotRequired[float | None]
    kept: NotRequired[Gap]


class Lineage(TypedDict):
    """Digests of what a model was made from, its commit, and its hold-out rows by digest."""

    code: str
    config: str
    lock: str
    schema: str
    commit: str | None
    uncommitted: list[str]
    reason: str | None
    data: dict[str, Any]
    hold_out: str


class Judgement(TypedDict):
    """A verdict before it is sealed."""

    format: int
    verdict: Literal["passed", "refused"]
    model: str
    inputs: dict[str, Any]
    checks: list[Check]
    metrics: dict[str, Estimate]
    measured: dict[str, float]
    rival: Rival
    answers: NotRequired[str]  # to the hold-out, by digest; none before v0.6
    lineage: Lineage
    gates: dict[str, Any]


class Verdict(Judgement):
    """reports/verdict.json, by `gate`; `digest` is that of all the rest."""

    digest: str
