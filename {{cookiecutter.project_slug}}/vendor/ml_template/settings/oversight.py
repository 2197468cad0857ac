"""What of model_config.yaml judges data or watches the model, and makes no other one."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from .strict import Names, Share, Strict


class Notification(Strict):
    """Which ends of CI runs people are told of; refusals, drift and rollbacks always."""

    runs: Literal["all", "failures"] = "all"


class Report(Strict):
    """Counts below `min_cell` are shown as such; 0 or 1 shows every one. No gate judges by it.

    shap: Shapley values, exact for up to ten columns; see docs/data.md.
    """

    min_cell: Annotated[int, Field(ge=0)] = 10
    shap: Annotated[bool, Field(exclude_if=lambda on: not on)] = False


class Freshness(Strict):
    """The newest time in `column` may be at most `max_days` old, in validation and at the gate."""

    column: str
    max_days: Annotated[int, Field(ge=1)]


class Allow(Strict):
    """Columns for which a finding of `validate` is accepted, by the name of the check."""

    leakage: Names = ()
    personal_data: Names = ()
    formula: Names = ()


class Checks(Strict):
    """What must hold for the table as a whole; a limit that is not named is not judged."""

    min_rows: Annotated[int, Field(ge=1)] | None = None
    max_rows: Annotated[int, Field(ge=1)] | None = None
    duplicates: Share | None = None  # rows that repeat another one, of all rows
    missing: Share | None = None  # of a column that may be missing
    unseen: Share | None = None  # of a column: categories that `values` does not list
    unknown_columns: Literal["allow", "refuse"] = "allow"
    unique: tuple[Names, ...] = Field(default=(), strict=False)
    rules: Names = ()  # true in every row; see rules.py
    freshness: Freshness | None = None
    allow: Allow = Allow()

    @property
    def columns(self) -> set[str]:
        """Every column these checks name."""
        named = {name for names in self.unique for name in names}
        named |= {name for names in self.allow.model_dump().values() for name in names}
        return named | ({self.freshness.column} if self.freshness else set())


class Retrain(Strict):
    """When to train again, and what holds that back; null switches a trigger off."""

    every_days: Annotated[int, Field(ge=1)] | None = 90
    new_rows: Annotated[float, Field(gt=0)] | None = 0.2  # labels that came, of the training rows
    cooldown_days: Annotated[float, Field(ge=0)] = 1.0
    budget: Annotated[int, Field(ge=1)] = 4  # retrainings in 30 days


class Monitoring(Strict):
    """Windows of predictions, and what counts as drift or as a drop of quality."""

    window: Annotated[int, Field(ge=500)] = 1000  # rows of a window
    min_rows: Annotated[int, Field(ge=100)] = 500  # fewer rows or labels are not judged
    windows: Annotated[int, Field(ge=1)] = 3  # the newest ones that are looked at (M)
    alarms: Annotated[int, Field(ge=1)] = 2  # of them that must drift (N)
    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.01  # chance of a false alarm of a window
    min_psi: Annotated[float, Field(ge=0)] = 0.02  # a smaller effect is none; 0.09 = 0.3 sd
    max_drop: Annotated[float, Field(ge=0)] = 0.02  # of the headline metric
    retrain: Retrain = Retrain()

    @model_validator(mode="after")
    def _possible(self) -> Monitoring:
        if self.alarms > self.windows:
            raise ValueError(f"alarms {self.alarms} cannot be more than windows {self.windows}")
        return self
