"""YAML read strictly: no repeated, unknown or coerced key; and one message for each fault."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Annotated, Any, Self

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
Names = Annotated[tuple[str, ...], Field(strict=False)]
# Left out of every dump where it is not given: older digests of a configuration stay what they are.
ABSENT = Field(exclude_if=lambda v: v is None)


class Strict(BaseModel):
    """Base of everything read from YAML: no unknown keys, no coercion, no change afterwards."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @classmethod
    def checked(cls, path: Path, content: Any) -> Self:
        """`content`, which `path` holds; raises InputError with one line per fault."""
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            raise explain(path, error) from None


MOST_BYTES = 16 << 20
MOST_DEEP = 50
MOST_VALUES = 1_000_000
MOST_SHOWN = 40
LARGEST = 2**63 - 1  # of a whole number: what other libraries take as one
_MERGE = "tag:yaml.org,2002:merge"
_COLLECTIONS = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")
_OTHER_BASE = re.compile(r"[-+]?(0[0-7_]+|.*:.*)")  # 017 is 15, and 1:30 is 90


class _Loader(yaml.CSafeLoader):
    """YAML of keys, lists and plain values."""


for _tag in (_MERGE, "tag:yaml.org,2002:value"):  # << and = as values: texts, for which it has none
    _Loader.add_constructor(_tag, lambda _, node: node.value)


def read_yaml(path: Path) -> dict[str, Any]:
    """Mapping in the YAML file `path`; raises InputError naming the file and the line."""
    try:
        with path.open("rb") as stream:
            text = stream.read(MOST_BYTES + 1)
        if len(text) > MOST_BYTES:
            raise InputError(f"{path} is larger than {MOST_BYTES >> 20} MB: is it the right file?")
        text.decode()
        _require_bounded(path, text)
        loader = _Loader(text)
        root = loader.get_single_node()
        if root is None:
            raise InputError(f"{path} is empty: restore it from git")
        _require_plain(path, loader, root)
        data = loader.construct_document(root)
    except FileNotFoundError:
        raise InputError(f"{path} is missing: restore it from git") from None
    except IsADirectoryError:
        raise InputError(f"{path} is a folder: restore the file from git") from None
    except yaml.YAMLError as error:
        raise InputError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text: {error}") from None
    if not isinstance(data, dict):
        raise InputError(f"{path} must hold keys and values, not {type(data).__name__}")
    return data


def _fault(path: Path, at: Any, what: str) -> InputError:
    """`at` is a node or an event of the file."""
    return InputError(f"{path}: line {at.start_mark.line + 1}: {what}")


def _require_bounded(path: Path, text: bytes) -> None:
    """Refuse what is nested too deep for the loader, or grows without end by its aliases."""
    open_: list[Any] = [["", 0]]  # of each open collection: its anchor, and its values so far
    sizes: dict[Any, int] = {}
    for event in yaml.parse(text, yaml.CSafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            open_.append([event.anchor, 1])
            sizes.pop(event.anchor, None)
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, size = open_.pop()
            sizes[anchor] = size
            open_[-1][1] += size
        elif isinstance(event, yaml.ScalarEvent):
            sizes[event.anchor] = 1
            open_[-1][1] += 1
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor not in sizes:
                raise _fault(path, event, f"*{event.anchor} stands before &{event.anchor} is whole")
            open_[-1][1] += sizes[event.anchor]
        if len(open_) > MOST_DEEP:
            raise _fault(path, event, f"is nested more than {MOST_DEEP} deep: close brackets")
        if open_[-1][1] > MOST_VALUES:
            raise _fault(path, event, f"more than {MOST_VALUES:,} values, with those of aliases")


def _require_plain(path: Path, loader: _Loader, root: yaml.Node) -> None:
    """Refuse keys that stand twice (the loader keeps the last) or are no words, and odd values."""
    waiting, known = [root], set()
    while waiting:
        node = waiting.pop()
        if id(node) in known or node.tag == _MERGE:
            continue
        known.add(id(node))
        if isinstance(node, yaml.ScalarNode):
            _scalar(path, loader, node)
        elif node.tag not in _COLLECTIONS:
            raise _fault(path, node, f"{_shown(node.tag)}: write a plain list, or keys and values")
        elif isinstance(node, yaml.MappingNode):
            _require_keys(path, loader, node)
            waiting += [part for pair in reversed(node.value) for part in reversed(pair)]
        else:
            waiting += reversed(node.value)


def _require_keys(path: Path, loader: _Loader, node: yaml.MappingNode) -> None:
    seen: set[Any] = set()
    for at, _ in node.value:
        if not isinstance(at, yaml.ScalarNode):
            raise _fault(path, at, "a key must be a word, not a list or keys and values")
        if at.tag == _MERGE:
            continue
        key = _scalar(path, loader, at)
        if key in seen:
            raise _fault(path, at, f"the key {key!r} is repeated")
        seen.add(key)


def _scalar(path: Path, loader: _Loader, node: yaml.ScalarNode) -> Any:
    """The value of a scalar, if it is the one that a reader sees."""
    text = _shown(node.value)
    try:
        value = loader.construct_object(node)
    except (ArithmeticError, AttributeError, LookupError, ValueError):  # of the loader's parsers
        kind = node.tag.rpartition(":")[2]
        raise _fault(path, node, f"{text} is no {kind} that can be read: correct it") from None
    if isinstance(value, int) and not -LARGEST <= value <= LARGEST:
        raise _fault(path, node, f"{text} is beyond 64 bits: write a smaller number, or 1.0e+20")
    if not isinstance(value, str | int | float | None):
        raise _fault(path, node, f"{text} is read as {type(value).__name__}: write it in quotes")
    if not isinstance(value, str) and _OTHER_BASE.fullmatch(node.value):
        raise _fault(path, node, f"{text} would be read as {value}: write that, or quotes around")
    return value


def _shown(text: str) -> str:
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}..."


_HINTS = {
    "extra_forbidden": "unknown key: correct its spelling or remove it",
    "invalid_key": "the key must be text: correct its spelling, or write it in quotes",
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
