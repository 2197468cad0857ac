"""YAML read strictly: no repeated, unknown or coerced key; and one message for each fault."""

from __future__ import annotations

import math
from collections.abc import Hashable
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError


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
    "too_short": "must not be empty",
}


def explain(path: Path, error: ValidationError) -> InputError:
    """One line per fault: file, key, what is wrong."""
    lines = []
    for fault in error.errors(include_url=False):
        key = ".".join(str(part) for part in fault["loc"])
        text = _HINTS.get(fault["type"], fault["msg"].removeprefix("Value error, "))
        lines.append(f"{path}: {key}: {text}" if key else f"{path}: {text}")
    return InputError("\n".join(lines))
