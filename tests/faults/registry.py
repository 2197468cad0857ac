"""The rows of the suite. This module and the plants need nothing but the standard library and YAML,

so that the template's own tests can list them; they run inside the project's environment.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .lab import Lab

Plant = Callable[["Lab"], None]


@dataclass(frozen=True)
class Fault:
    """One row: what is planted, which stages run then, and what the last of them must say.

    `code` is the exit code that refuses; `says` a regular expression; `base` the project it needs.
    A `miss` is a fault that nothing refuses, kept so that the table is honest.
    """

    id: str
    name: str
    plant: Plant
    stages: tuple[str, ...]
    says: str
    before: Plant | None = None  # what the healthy project needs as well
    base: str = "default"
    code: int = 1
    twin: bool = True  # whether the same plant is made on the adopted table as well
    miss: bool = False

    @property
    def key(self) -> str:
        """The name of its test."""
        return f"{self.id}-{self.name.replace(' ', '_')}"


FAULTS: list[Fault] = []


def fault(
    id: str, name: str, stages: str, says: str, **options: object
) -> Callable[[Plant], Plant]:
    """Register the decorated plant as a row.

    `stages` are words as on the command line, with their settings behind a +: score+DATA=in.csv.
    """

    def register(plant: Plant) -> Plant:
        row = Fault(id, name, plant, tuple(stages.split()), says, **options)  # type: ignore[arg-type]
        FAULTS.append(row)
        return plant

    return register


def load() -> list[Fault]:
    """Every row, once."""
    for name in ("data", "evidence", "model", "monitor", "release"):
        importlib.import_module(f".{name}_faults", __package__)
    return FAULTS
