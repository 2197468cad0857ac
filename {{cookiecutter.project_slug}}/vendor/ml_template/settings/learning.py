"""`model` of model_config.yaml: what is trained, and what it answers.

Defaults of what came later are left out of every dump: older digests stay what they are.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from .strict import ABSENT, Names, Number, Strict

FORMS = ("at", "recall", "precision", "share", "best")
Best = Literal["f1", "balanced_accuracy"]
_WRITE = "write a number, f1 or balanced_accuracy, or a form such as {recall: 0.9}"
Inner = Annotated[Number, Field(gt=0, lt=1)]
Wanted = Annotated[Number, Field(gt=0, le=1)]
Above = Annotated[Number, Field(gt=0)]


class Costs(Strict):
    """What a wrong answer costs, in any unit; a right one costs nothing."""

    false_positive: Above
    false_negative: Above


class Threshold(Strict):
    """The probability from which on the positive class is answered, or what it is chosen by.

    at: that number. recall, precision: wanted, with as little as can be of the other. share: of the
    rows, answered positive. best: the metric that is highest. costs: the least; beside another form
    they are only measured.
    """

    at: Inner | None = None
    recall: Wanted | None = None
    precision: Wanted | None = None
    share: Inner | None = None
    best: Best | None = None
    costs: Costs | None = None

    @model_validator(mode="before")
    @classmethod
    def _short(cls, given: Any) -> Any:
        """A number alone is `at`, a word alone is `best`."""
        if isinstance(given, str):
            if given not in get_args(Best):
                raise ValueError(f"{given!r}: {_WRITE}")
            return {"best": given}
        return given if isinstance(given, dict | Threshold) else {"at": given}

    @model_validator(mode="after")
    def _one_form(self) -> Threshold:
        named = [key for key in FORMS if getattr(self, key) is not None]
        if len(named) > 1:
            raise ValueError(f"{' and '.join(named)}: name one of them")
        if not named and self.costs is None:
            raise ValueError(f"is empty: name one of {', '.join(FORMS)} or costs")
        return self

    @property
    def form(self) -> str:
        """The key it is chosen by."""
        return next((key for key in FORMS if getattr(self, key) is not None), "costs")

    def __str__(self) -> str:
        """The rule as it stands in model_config.yaml, without costs that are only measured."""
        if self.costs and self.form == "costs":
            false = self.costs
            return f"costs {false.false_positive:g} : {false.false_negative:g}"
        value = getattr(self, self.form)
        return str(value) if self.form == "best" else f"{self.form} {value:g}"


def _weights(given: Any) -> Any:
    if given not in (None, "balanced") and not (isinstance(given, dict) and given):
        raise ValueError('write balanced, or a weight for each class, such as {"yes": 5}')
    return given


ClassWeight = Annotated[
    Annotated[
        Annotated[Literal["balanced"], Tag("word")] | Annotated[dict[str, Above], Tag("weights")],
        Discriminator(lambda given: "weights" if isinstance(given, dict) else "word"),
    ]
    | None,
    BeforeValidator(_weights),
    ABSENT,
]


Scale = Annotated[Literal["log", "log1p"] | None, ABSENT]
Quantile = Annotated[Inner | None, ABSENT]


class ModelSpec(Strict):
    """Which estimator `model.py` builds, its parameters, and how columns become numbers."""

    estimator: str = "hist_gradient_boosting"
    params: dict[str, Any] = Field(default_factory=dict)
    encoding: Literal["auto", "ordinal", "onehot"] = "auto"
    # package.module.Class that a kept model may hold beyond what the kit knows; see trust.py
    trusted: Annotated[Names, Field(exclude_if=lambda names: not names)] = ()
    threshold: Annotated[Threshold | None, ABSENT] = None
    class_weight: ClassWeight = None
    target: Scale = None  # of a regression: its logarithm is learned, and answers are in its unit
    quantile: Quantile = None  # of a regression: what that share of rows stays below, not the mean

    def misfit(self, task: str, labels: tuple[str, ...]) -> str | None:
        """Why these keys are not of such a target; None where they are."""
        if self.threshold and task != "binary":
            instead = "" if task == "regression" else ": weigh the classes by class_weight"
            return f"model.threshold belongs to a binary task{instead}"
        for key in ("target", "quantile"):
            if task != "regression" and getattr(self, key) is not None:
                return f"model.{key} belongs to regression: remove it"
        if self.class_weight and not labels:
            return "model.class_weight belongs to classification: remove it"
        named = self.class_weight if isinstance(self.class_weight, dict) else {}
        strange = [label for label in named if label not in labels]
        return f"model.class_weight: {strange[0]!r} is not in data.classes" if strange else None
