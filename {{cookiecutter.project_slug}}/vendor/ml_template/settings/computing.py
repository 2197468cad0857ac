"""What of model_config.yaml says how long the model is looked for, and where."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from .strict import Strict


class Search(Strict):
    """Optuna on the training folds; `trials: 0` switches it off."""

    trials: Annotated[int, Field(ge=0)] = 0
    folds: Annotated[int, Field(ge=2)] = 3
    space: dict[str, list[Any]] = Field(default_factory=dict)  # two numbers: a range; else: choices


class Compute(Strict):
    """Threads of training (more can change the last bits of a model), and where CI trains."""

    threads: Annotated[int, Field(ge=1, le=1024)] = 1
    runner: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$")] = "ubuntu-latest"
    gpu: bool = False


class Sample(Strict):
    """Size of the SYNTHETIC starter table."""

    rows: Annotated[int, Field(ge=100, le=100_000_000)] = 10_000
