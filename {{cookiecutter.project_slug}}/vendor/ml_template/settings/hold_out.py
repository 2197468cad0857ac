"""`split` of model_config.yaml: which rows are held out.

Defaults of what came later are left out of every dump: older digests stay what they are.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from .strict import ABSENT, Names, Strict

Repeats = Literal["together", "apart"]


class Split(Strict):
    """The hold-out: a share of the rows; the newest ones by `time`, whole groups by `group`.

    time and group: the newest rows of groups that no row is learned from.
    column: the rows in which it says one of `holds`, whatever share they are.
    repeats: rows that are equal in every column stand on one side, or on both by their share.
    draw: another one holds out other rows of the same kind; `seed` does too, and more than that.
    folds: each row is held out once, from one of so many models; `test` means nothing then.
    """

    test: Annotated[float, Field(gt=0, lt=1)] = 0.2
    time: str | None = None
    group: str | None = None
    column: Annotated[str | None, ABSENT] = None
    holds: Annotated[Names, Field(exclude_if=lambda v: v == ())] = ()
    repeats: Annotated[Repeats, Field(exclude_if=lambda v: v == "together")] = "together"
    draw: Annotated[int, Field(ge=0, lt=2**16, exclude_if=lambda n: n == 0)] = 0
    folds: Annotated[int | None, Field(ge=2, le=20), ABSENT] = None

    @property
    def share(self) -> float:
        """Of the rows, what is held out at a time."""
        return 1 / self.folds if self.folds else self.test

    @property
    def worth(self) -> float:
        """How many independent rows a held-out one counts as, for an interval.

        By folds, models that share most of their rows share their errors: the variance is
        1 + 1 / (1 - share) times that of rows which one model answers (Nadeau and Bengio 2003,
        Inference for the generalization error, with 1 / share tests of this size).
        """
        return (1 - self.share) / (2 - self.share) if self.folds else 1.0

    @property
    def larger(self) -> str:
        """What holds out more rows, for a message."""
        return "add to split.holds" if self.column else "raise split.test"

    @model_validator(mode="after")
    def _one_rule(self) -> Split:
        if (self.column is None) != (self.holds == ()):
            raise ValueError("column and holds belong together: holds: [test] names the hold-out")
        drawn = (self.time, self.group, self.repeats, self.draw) != (None, None, "together", 0)
        if self.column and drawn:
            raise ValueError("column says which rows are held out: remove the other keys")
        if self.folds and "test" in self.model_fields_set:
            raise ValueError("folds hold every row out once: remove test, or folds")
        if self.folds and (self.time or self.column):
            raise ValueError(
                "folds would learn from rows later than those they answer, or from marked ones: "
                "remove folds, or time and column"
            )
        if self.repeats == "apart" and (self.time or self.group):
            raise ValueError("repeats belongs to a split by rows: remove it, or time and group")
        return self
