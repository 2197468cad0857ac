"""model_config.yaml and gates.yaml as strict types: an unknown key or a wrong type is an error."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from .categories import category, spellings
from .computing import Compute, Sample
from .computing import Search as Search
from .hold_out import Split as Split
from .learning import ModelSpec as ModelSpec
from .oversight import Checks, Monitoring, Notification, Report
from .strict import ABSENT
from .strict import InputError as InputError
from .strict import Names as Names
from .strict import Number as Number
from .strict import Strict as Strict
from .strict import explain as explain
from .strict import read_yaml as read_yaml
from .written import How, Thousands

CONFIG_FILE = Path("model_config.yaml")
GATES_FILE = Path("gates.yaml")

MAX_LENGTH = 10_000
MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "NULL")

SPLIT_BY = ("time", "group", "column")

Task = Literal["binary", "multiclass", "regression"]
Own = Annotated[Literal["target", "words", "characters"] | None, ABSENT]
Part = Literal["hour", "weekday", "day", "month", "day_of_year"]
Parts = Annotated[tuple[Part, ...], Field(strict=False, exclude_if=lambda v: v == ())]
Instant = Annotated[bool, Field(exclude_if=lambda v: v)]
Clock = Annotated[Literal["utc", "written"], Field(exclude_if=lambda v: v == "utc")]


class Data(Strict):
    """Where the table is and what is predicted."""

    path: str
    target: str
    task: Task
    classes: Names = ()
    positive: str | None = None
    missing: Names = MISSING
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    decimal: Literal[".", ","] = "."
    thousands: Thousands = None  # of the target, where that is a number
    written: How = None  # and that too
    encoding: str = "utf-8"
    weight: Annotated[str | None, ABSENT] = None  # the column that says how much a row counts
    memory_gb: Annotated[Number, Field(gt=0)] | None = None  # a table may need; null: the machine's

    @model_validator(mode="after")
    def _labels(self) -> Data:
        if self.task == "regression":
            if self.classes or self.positive is not None:
                raise ValueError("classes and positive belong to classification: remove them")
            return self
        for key in ("thousands", "written"):
            if getattr(self, key) is not None:
                raise ValueError(f"{key} belongs to regression: it is of the target's numbers")
        if len(spellings(self.classes)) != len(self.classes) or len(self.classes) < 2:
            raise ValueError("classes must list at least two different labels")
        if self.task == "binary":
            if len(self.classes) != 2:
                raise ValueError("a binary task has two classes: for more use task: multiclass")
            if self.positive not in self.classes:
                raise ValueError(f"positive must be one of classes {list(self.classes)}")
        elif self.positive is not None:
            raise ValueError("positive belongs to a binary task: remove it")
        return self

    @property
    def is_query(self) -> bool:
        """Whether `path` holds a question to a database, which has the table."""
        return self.path.lower().endswith(".sql")

    @property
    def labels(self) -> tuple[str, ...]:
        """Class labels in the order of the probability columns; the positive one is last."""
        return tuple(sorted(self.classes, key=lambda label: label == self.positive))


class Column(Strict):
    """One column that is read and checked; `feature: false` keeps it away from the model."""

    type: Literal["numeric", "categorical", "boolean", "datetime", "text"]
    feature: bool = True
    missing: bool = False
    min: Number | None = None
    max: Number | None = None
    values: tuple[str, ...] | None = Field(default=None, strict=False)
    unseen: Literal["allow", "refuse"] = "allow"
    # letters of a text; the default is not in digests, which older champions have without it
    max_length: Annotated[int, Field(ge=1, exclude_if=lambda n: n == MAX_LENGTH)] = MAX_LENGTH
    format: str | None = None
    thousands: Thousands = None  # the sign between thousands; of , and . the other is decimal then
    written: How = None
    encoding: Own = None  # learned: by the mean target of a label, or from the terms of a text
    parts: Parts = ()  # of a moment, as features of their own
    instant: Instant = True  # is a feature too, as days since 1970
    clock: Clock = "utc"  # or written: the local time stands, the zone behind it is dropped

    @model_validator(mode="after")
    def _fits_type(self) -> Column:
        if self.type != "numeric" and (self.min is not None or self.max is not None):
            raise ValueError("min and max belong to numeric columns")
        for key in ("thousands", "written"):
            if self.type != "numeric" and getattr(self, key) is not None:
                raise ValueError(f"{key} belongs to numeric columns")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min} is above max {self.max}")
        if self.type != "categorical" and self.values is not None:
            raise ValueError("values belongs to categorical columns")
        if self.type != "datetime" and self.format is not None:
            raise ValueError("format belongs to datetime columns")
        if self.type != "datetime" and (self.parts or not self.instant or self.clock != "utc"):
            raise ValueError("parts, instant and clock belong to datetime columns")
        if twice := sorted({part for part in self.parts if self.parts.count(part) > 1}):
            raise ValueError(f"parts: {twice[0]!r} is repeated: name it once")
        if not self.instant and not self.parts:
            raise ValueError("instant: false leaves nothing of it: name parts, or feature: false")
        if not self.is_text and self.max_length != MAX_LENGTH:
            raise ValueError("max_length belongs to categorical and text columns")
        kind = {"target": "categorical", "words": "text", "characters": "text"}.get(
            self.encoding or "", self.type
        )
        if self.type != kind:
            raise ValueError(f"encoding: {self.encoding} belongs to {kind} columns")
        return self

    @property
    def is_text(self) -> bool:
        """Whether its values are texts as they were sent."""
        return self.type in ("categorical", "text")


class Metrics(Strict):
    """Which metric stands for a model, and which is measured in slices; null: that of the task."""

    headline: str | None = None
    slices: str | None = None


class Config(Strict):
    """The whole of model_config.yaml."""

    data: Data
    columns: dict[str, Column] = Field(min_length=1)
    left_out: dict[str, str] = Field(default_factory=dict)
    sensitive: Names = ()
    slices: Names = ()
    checks: Checks = Checks()
    monitoring: Monitoring = Monitoring()
    split: Split = Split()
    metrics: Annotated[Metrics, Field(exclude_if=lambda chosen: chosen == Metrics())] = Metrics()
    model: ModelSpec = ModelSpec()
    search: Search = Search()
    compute: Compute = Compute()
    notification: Notification = Notification()
    report: Report = Report()
    sample: Sample = Sample()
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 7

    @model_validator(mode="after")
    def _names(self) -> Config:
        if "__row__" in {self.data.target, *self.columns}:
            raise ValueError("the name '__row__' is taken: rename that column in the data")
        if self.data.target in self.columns:
            raise ValueError(f"columns: {self.data.target!r} is the target: remove it")
        named = {"sensitive": self.sensitive, "slices": self.slices}
        named["checks"] = tuple(sorted(self.checks.columns - {self.data.target}))
        named |= {f"split.{key}": (getattr(self.split, key),) for key in SPLIT_BY}
        for key, names in named.items():
            for name in names:
                if name is not None and name not in self.columns:
                    raise ValueError(f"{key}: {name!r} is not in columns")
        fresh = self.checks.freshness
        times = {"split.time": self.split.time, "checks.freshness": fresh.column if fresh else None}
        for key, time in times.items():
            if time and (time not in self.columns or self.columns[time].type != "datetime"):
                raise ValueError(f"{key}: {time!r} must be a datetime column")
        if self.split.column:
            self._require_mark(self.columns[self.split.column])
        if self.data.weight is not None:
            self._require_weight(self.data.weight)
        if not self.features:
            raise ValueError("columns: no column is a feature")
        if fault := self.model.misfit(self.data.task, self.data.labels):
            raise ValueError(fault)
        return self

    def _require_mark(self, column: Column) -> None:
        """Refuse a split.column that the model would see, or that cannot hold split.holds."""
        name = self.split.column
        if column.type != "categorical" or column.feature:
            raise ValueError(f"split.column: {name!r} must be categorical and feature: false")
        known = spellings(column.values or self.split.holds)
        if strange := [each for each in self.split.holds if category(each) not in known]:
            raise ValueError(f"split.holds: {strange[0]!r} is not in values of {name!r}")

    def _require_weight(self, name: str) -> None:
        """Refuse a data.weight that the model would see, or that may be missing or negative."""
        column = self.columns.get(name)
        fits = column and column.type == "numeric" and not (column.feature or column.missing)
        if not (fits and column and column.min is not None and column.min >= 0):
            how = "{type: numeric, feature: false, min: 0}"
            raise ValueError(f"data.weight: {name!r} must stand in columns as {how}, never missing")

    def data_file(self) -> Path:
        """Where the table is; raises InputError where there is no such file."""
        path = Path(self.data.path)
        if path.is_file():
            return path
        remedy = f"`dvc pull` it, or adopt it again, or correct data.path in {CONFIG_FILE}"
        raise InputError(f"{path} is missing: {remedy}")

    @property
    def features(self) -> dict[str, Column]:
        """Columns the model may see, in the order of the file."""
        return {name: column for name, column in self.columns.items() if column.feature}


def load_config(path: Path = CONFIG_FILE) -> Config:
    """The checked configuration; raises InputError with one line per fault."""
    return Config.checked(path, read_yaml(path))
