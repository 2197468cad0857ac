"""`split` of model_config.yaml: which rows are held out.

Defaults of what came later are left out of every dump: older digests stay what they are.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from .strict import Strict

Repeats = Literal["together", "apart"]


class Split(Strict):
    """The hold-out: a share of the rows; the newest ones by `time`, whole groups by `group`.

    repeats: rows that are equal in every column stand on one side, or on both by their share.
    draw: another one holds out other rows of the same kind; `seed` does too, and more than that.
    """

    test: Annotated[float, Field(gt=0, lt=1)] = 0.2
    time: str | None = None
    group: str | None = None
    repeats: Annotated[Repeats, Field(exclude_if=lambda v: v == "together")] = "together"
    draw: Annotated[int, Field(ge=0, lt=2**16, exclude_if=lambda n: n == 0)] = 0

    @model_validator(mode="after")
    def _one_rule(self) -> Split:
        if self.time and self.group:
            raise ValueError("name time or group, not both")
        if self.repeats == "apart" and (self.time or self.group):
            raise ValueError("repeats belongs to a split by rows: remove it, or time and group")
        return self
