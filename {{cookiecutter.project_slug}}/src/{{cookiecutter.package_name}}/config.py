"""model_config.yaml and gates.yaml as strict types: an unknown key or a wrong type is an error."""

from __future__ import annotations

import math
from collections.abc import Hashable
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

CONFIG_FILE = Path("model_config.yaml")
GATES_FILE = Path("gates.yaml")

MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "NULL")

Task = Literal["binary", "multiclass", "regression"]


class InputError(Exception):
    """Something a person can put right; the message names the file, the key and the remedy."""


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError("must be a finite number")
    return value


Number = Annotated[float, AfterValidator(_finite)]
Share = Annotated[float, Field(ge=0, le=1), AfterValidator(_finite)]


class Strict(BaseModel):
    """Base of everything read from YAML: no unknown keys, no coercion, no change afterwards."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Data(Strict):
    """Where the table is and what is predicted."""

    path: str
    target: str
    task: Task
    classes: tuple[str, ...] = Field(default=(), strict=False)
    positive: str | None = None
    missing: tuple[str, ...] = Field(default=MISSING, strict=False)
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    decimal: Literal[".", ","] = "."
    encoding: str = "utf-8"

    @model_validator(mode="after")
    def _labels(self) -> Data:
        if self.task == "regression":
            if self.classes or self.positive is not None:
                raise ValueError("classes and positive belong to classification: remove them")
            return self
        if len(set(self.classes)) != len(self.classes) or len(self.classes) < 2:
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
    format: str | None = None

    @model_validator(mode="after")
    def _fits_type(self) -> Column:
        if self.type != "numeric" and (self.min is not None or self.max is not None):
            raise ValueError("min and max belong to numeric columns")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min} is above max {self.max}")
        if self.type != "categorical" and self.values is not None:
            raise ValueError("values belongs to categorical columns")
        if self.type != "datetime" and self.format is not None:
            raise ValueError("format belongs to datetime columns")
        return self


class Split(Strict):
    """The hold-out: a share of the rows; the newest ones by `time`, whole groups by `group`."""

    test: Annotated[float, Field(gt=0, lt=1)] = 0.2
    time: str | None = None
    group: str | None = None

    @model_validator(mode="after")
    def _one_rule(self) -> Split:
        if self.time and self.group:
            raise ValueError("name time or group, not both")
        return self


class ModelSpec(Strict):
    """Which estimator `model.py` builds, its parameters, and how columns become numbers."""

    estimator: str = "hist_gradient_boosting"
    params: dict[str, Any] = {}
    encoding: Literal["auto", "ordinal", "onehot"] = "auto"


class Search(Strict):
    """Optuna on the training folds; `trials: 0` switches it off."""

    trials: Annotated[int, Field(ge=0)] = 0
    folds: Annotated[int, Field(ge=2)] = 3
    space: dict[str, list[Any]] = {}  # two numbers: a range; else: choices


class Compute(Strict):
    """Threads of training (more can change the last bits of a model), and where CI trains."""

    threads: Annotated[int, Field(ge=1)] = 1
    runner: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$")] = "ubuntu-latest"
    gpu: bool = False


class Sample(Strict):
    """Size of the SYNTHETIC starter table."""

    rows: Annotated[int, Field(ge=100)] = 10_000


class Config(Strict):
    """The whole of model_config.yaml."""

    data: Data
    columns: dict[str, Column] = Field(min_length=1)
    left_out: dict[str, str] = {}
    sensitive: tuple[str, ...] = Field(default=(), strict=False)
    slices: tuple[str, ...] = Field(default=(), strict=False)
    split: Split = Split()
    model: ModelSpec = ModelSpec()
    search: Search = Search()
    compute: Compute = Compute()
    sample: Sample = Sample()
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 7

    @model_validator(mode="after")
    def _names(self) -> Config:
        if self.data.target in self.columns:
            raise ValueError(f"columns: {self.data.target!r} is the target: remove it")
        named = {"sensitive": self.sensitive, "slices": self.slices}
        named |= {f"split.{key}": (getattr(self.split, key),) for key in ("time", "group")}
        for key, names in named.items():
            for name in names:
                if name is not None and name not in self.columns:
                    raise ValueError(f"{key}: {name!r} is not in columns")
        if self.split.time and self.columns[self.split.time].type != "datetime":
            raise ValueError(f"split.time: {self.split.time!r} must be a datetime column")
        if not self.features:
            raise ValueError("columns: no column is a feature")
        return self

    def data_file(self) -> Path:
        """Where the table is; raises InputError where there is no such file."""
        path = Path(self.data.path)
        if path.is_file():
            return path
        remedy = f"run `dvc pull`, or correct data.path in {CONFIG_FILE}"
        raise InputError(f"{path} is missing: {remedy}")

    @property
    def features(self) -> dict[str, Column]:
        """Columns the model may see, in the order of the file."""
        return {name: column for name, column in self.columns.items() if column.feature}


class _Loader(yaml.CSafeLoader):
    """YAML without duplicate keys: the plain loader keeps the last one in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                mark = key_node.start_mark
                raise InputError(f"{mark.name}: line {mark.line + 1}: the key {key!r} is repeated")
            seen.add(key)
        return super().construct_mapping(node, deep)


def read_yaml(path: Path) -> dict[str, Any]:
    """Mapping in the YAML file `path`; raises InputError naming the file and the line."""
    try:
        with path.open("rb") as stream:
            data = yaml.load(stream, _Loader)  # noqa: S506 - _Loader is a safe loader
    except FileNotFoundError:
        raise InputError(f"{path} is missing: restore it from git") from None
    except yaml.YAMLError as error:
        raise InputError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text: {error}") from None
    if not isinstance(data, dict):
        raise InputError(f"{path} must hold keys and values, not {type(data).__name__}")
    return data


_HINTS = {
    "extra_forbidden": "unknown key: correct its spelling or remove it",
    "missing": "this key is missing",
    "string_type": "must be text: write it in quotes",
    "float_type": "must be a number, without quotes",
    "int_type": "must be a whole number, without quotes",
    "bool_type": "must be true or false",
}


def explain(path: Path, error: ValidationError) -> InputError:
    """One line per fault: file, key, what is wrong."""
    lines = []
    for fault in error.errors(include_url=False):
        key = ".".join(str(part) for part in fault["loc"])
        text = _HINTS.get(fault["type"], fault["msg"].removeprefix("Value error, "))
        lines.append(f"{path}: {key}: {text}" if key else f"{path}: {text}")
    return InputError("\n".join(lines))


def load_config(path: Path = CONFIG_FILE) -> Config:
    """The checked configuration; raises InputError with one line per fault."""
    try:
        return Config.model_validate(read_yaml(path))
    except ValidationError as error:
        raise explain(path, error) from None
