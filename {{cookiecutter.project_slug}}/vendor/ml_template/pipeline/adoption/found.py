"""What was found out about one column of an unknown table."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ...settings.config import Column


@dataclass(frozen=True)
class Found:
    """What a column is: how it is declared and its values (n,), or why it is left out."""

    column: Column | None = None
    values: np.ndarray = field(default_factory=lambda: np.empty(0))
    reason: str = ""
    note: str = ""
    said: str = ""  # how the signs of its numbers are read, where a person must know
    marks: tuple[str, ...] = ()  # the values of somebody's split mark
    made: str = ""  # which features become of a time

    @property
    def is_group(self) -> bool:
        """Whether it says only which rows belong together."""
        return self.column is not None and not self.column.feature
