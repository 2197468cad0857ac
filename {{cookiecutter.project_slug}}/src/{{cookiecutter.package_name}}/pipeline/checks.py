"""The gates: each takes the evidence and its rule from gates.yaml, and returns lines of a verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from .. import gates as rules
from ..config import CONFIG_FILE, Config, explain
from ..gates import Gates, compare, line
from ..lineage import in_ci
from ..metrics import HEADLINE, METRICS, RANGES
from .evaluate_files import EVALUATION, METRICS_FILE

Lines = list[dict[str, Any]]
Count = Annotated[int, Field(ge=0)]


class Record(BaseModel):
    """Part of a report file: numbers are finite numbers, never text or true; more keys may follow."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True, allow_inf_nan=False)
