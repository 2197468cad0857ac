"""gates.yaml as strict types, and the one function that compares a value with a limit."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Literal, TypedDict

from pydantic import model_validator

from .config import GATES_FILE
from .release_gates import Canary, Load, Positive, Ratio, Rows
from .release_gates import Ratios as Ratios
from .release_gates import Rollout as Rollout
from .strict import Names, Number, Share, Strict, read_yaml

Verdict = Literal["passed", "refused", "warning", "not applicable", "off"]
Direction = Literal[">=", "<="]
_LATER = {"load", "rollout", "canary"}  # an older gates.yaml lacks them; they judge no candidate
OPPOSITE = {">=": "below", "<=": "above"}


class Performance(Strict):
    """Floors of the hold-out metrics; older files lack `accept_too_small`."""

    gain: Positive
    floors: dict[str, Number]
    accept_too_small: bool = False


class Champion(Strict):
    """How much worse than the champion the headline metric may be; older files lack the rest.

    Where the data are defined otherwise than for the champion the two cannot be compared: a warning
    and a new beginning, or a refusal where `require_same_definition` is true.
    """

    max_drop: Positive
    require_same_definition: bool = True


class Slices(Strict):
    """How much worse than the whole its worst slice may be."""

    max_drop: Positive
    max_error_ratio: Ratio
    min_rows: Rows


class Limits(Strict):
    """Largest differences between the groups of a sensitive column."""

    demographic_parity: Share
    equalized_odds: Share
    accuracy_gap: Share
    error_gap: Positive


class Fairness(Strict):
    """Which differences between groups are accepted, and which groups are too small to judge."""

    limits: Limits
    min_rows: Rows
    accept_small_groups: Names


class Calibration(Strict):
    """Largest expected calibration error."""

    max_error: Share


class Latency(Strict):
    """Speed of the artifact in a process of its own."""

    max_p99_ms: Positive
    min_rows_per_second: Positive


class Size(Strict):
    """What the artifact costs to keep and to load."""

    max_mb: Positive
    max_load_seconds: Positive
    max_memory_mb: Positive


class Lineage(Strict):
    """Whether a commit without changes is required outside CI as well."""

    require_commit: bool


class SensitiveFeatures(Strict):
    """Sensitive columns, and others that tell them, that may be features; older files lack a key.

    `max_told`: a feature that names that share of each sensitive group, or explains that share of
    a sensitive number, tells it.
    """

    allowed: Names
    max_told: Share = 0.9


class Determinism(Strict):
    """Largest difference between two answers to the same row."""

    max_difference: Positive


class Gates(Strict):
    """The whole of gates.yaml; `false` in place of a block switches that gate off."""

    performance: Performance | None
    champion: Champion | None
    slices: Slices | None
    fairness: Fairness | None
    calibration: Calibration | None
    latency: Latency | None
    size: Size | None
    lineage: Lineage | None
    sensitive_features: SensitiveFeatures | None
    determinism: Determinism | None
    load: Load | None = Load()
    rollout: Rollout | None = Rollout()
    canary: Canary = Canary()

    @model_validator(mode="before")
    @classmethod
    def _off(cls, data: Any) -> Any:
        for name, rule in data.items():
            if rule is None:
                raise ValueError(f"{name} is empty: give it its keys, or `{name}: false`")
        return {name: None if rule is False else rule for name, rule in data.items()}

    @model_validator(mode="after")
    def _some_rule(self) -> Gates:
        if not any(rule for name, rule in self if name not in _LATER):
            raise ValueError("every gate is switched off: nothing would be judged")
        return self


def load_gates(path: Path = GATES_FILE) -> Gates:
    """The checked gates; raises InputError with one line per fault."""
    return Gates.checked(path, read_yaml(path))


def too_small(found: Check, why: str) -> Check:
    """`found`, where it refuses, as a warning: beyond its limit, and not beyond its noise."""
    if found["verdict"] != "refused":
        return found
    return found | {"verdict": "warning", "reason": f"too small to judge: {why}; {found['reason']}"}


def setting(rule: Strict, key: str) -> str:
    """`key` of a gate and its value, for a message; it says where gates.yaml does not name it."""
    value = getattr(rule, key)
    shown = str(value).lower() if isinstance(value, bool) else f"{value:g}"
    return f"{key}: {shown}{'' if key in rule.model_fields_set else ' (default)'}"


class Check(TypedDict):
    """A line of a verdict."""

    gate: str
    value: float | str | None
    limit: str | None
    verdict: Verdict
    reason: str


def fault(value: Any, lowest: float = -math.inf, highest: float = math.inf) -> str | None:
    """Why `value` is no finite number within [lowest, highest]; None when it is one."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return f"{value!r} is not a number"
    if not math.isfinite(value):
        return f"{value} is not finite"
    if not lowest <= value <= highest:
        return f"{value} is outside [{lowest}, {highest}]"
    return None


def line(gate: str, verdict: Verdict, reason: str, value: Any = None) -> Check:
    """A line of the verdict that compares no numbers."""
    kept = value if value is None or isinstance(value, str) or fault(value) is None else str(value)
    return {"gate": gate, "value": kept, "limit": None, "verdict": verdict, "reason": reason}


def short(value: Any) -> str:
    """The value of a line as it is printed."""
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return "" if value is None else str(value)


def compare(
    gate: str,
    value: Any,
    direction: Direction,
    limit: Any,
    reason: str = "",
    within: tuple[float, float] = (-math.inf, math.inf),
) -> Check:
    """The line of `value` against `limit`: passed only when both are finite numbers that agree."""
    wrong = fault(value, *within) or fault(limit)
    if wrong:
        return line(gate, "refused", wrong, value)
    holds = value >= limit if direction == ">=" else value <= limit
    if not holds:
        reason = f"{value:.4g} is {OPPOSITE[direction]} {limit:.4g}. {reason}".removesuffix(". ")
    judged = line(gate, "passed" if holds else "refused", reason, value)
    return judged | {"limit": f"{direction} {limit:.6g}"}
