"""The prediction log, read: every entry that a service wrote, whatever else is in its folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError
from pydantic.types import FiniteFloat, NonNegativeInt

from ..settings.config import InputError
from .lines import Left, objects

KEYS = {"id", "row", "time", "model", "output"}
Key = tuple[str, int]  # request id, row of the request
Entry = dict[str, Any]


def _encodable(text: str) -> str:
    text.encode()
    return text


def moment(text: str) -> datetime:
    """A time with its offset, as the log has it; ValueError where it is none."""
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError("it has no offset")
    return found


def _numbers(output: dict[str, str | float]) -> dict[str, str | float]:
    texts = {name for name, value in output.items() if isinstance(value, str)}
    if texts != output.keys() & {"label"} or texts == output.keys():
        raise ValueError("it is not numbers and perhaps a label")
    return output


_Text = Annotated[str, AfterValidator(_encodable)]


class Form(BaseModel):
    """The fields of an entry, of which some may be absent.

    `time` has its offset, `output` finite numbers and perhaps a label; `features` may hold NaN.
    Halves of letters are no text: nobody can write them.
    """

    model_config = ConfigDict(strict=True)

    id: _Text = ""
    sent: _Text = ""
    row: NonNegativeInt = 0
    time: Annotated[str, AfterValidator(moment)] = ""
    model: _Text = ""
    milliseconds: FiniteFloat = 0.0
    output: Annotated[dict[_Text, _Text | FiniteFloat], AfterValidator(_numbers)] = {}
    features: dict[_Text, _Text | int | float | bool | None] = {}


def folder(settings: Mapping[str, str]) -> Path:
    """Where the log is: LOG=folder, or predictions."""
    return Path(settings.get("LOG") or "predictions")


def entries(folder: Path, keys: set[str], left: Left) -> Iterator[tuple[str, Entry]]:
    """Where it is, and it, of each entry of the log with `keys`; other lines are counted in `left`.

    Services that share a volume write a folder each. Every field that is there is of its Form.
    Raises InputError where there is no log, or where not one line of it can be read.
    """
    paths = sorted(folder.rglob("*.jsonl"))
    if not paths:
        raise InputError(f"LOG={folder} holds no prediction log: serve with SERVE_LOG={folder}")
    before = left.lines - left.out
    for path in paths:
        for where, entry in objects(path, left):
            fault = _fault(entry, keys)
            if fault is None:
                yield where, entry
            else:
                left.note(where, fault)
    if left.out and left.lines - left.out == before:
        raise InputError(f"LOG={folder} holds no line of a prediction log{left}")


def _fault(entry: Entry, keys: set[str]) -> str | None:
    """Why `entry` is none; None where it is one."""
    absent = keys - entry.keys()
    if absent:
        return f"it has no {min(absent)}"
    try:
        Form.model_validate(entry)
    except ValidationError as error:
        return f"its {error.errors()[0]['loc'][0]} is not of the form of the log"
    return None
