"""What a body must be, as a schema of pydantic, and in words what is wrong with one that is not.

The schema ends at the first record that does not fit: a body of a few bytes may have any number of
faults, and only those that are told are looked for.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any

from pydantic_core import CoreSchema, PydanticCustomError, SchemaValidator, ValidationError
from pydantic_core import core_schema as cs

from ..settings.config import Column
from ..tables.arrays import parse_datetime

Fault = tuple[str, str]  # field, problem
MAX_NAME = 64
_MAX_TIME = 200  # letters: the patterns of strptime may need their square
_UNKNOWN = 'is not known: send {"records": [...]}'
_NO_COLUMN = "is no column of this model"
_PROBLEMS = {
    "bool_type": "must be true or false",
    "dict_type": "must be an object",
    "finite_number": "must be a finite number",
    "float_type": "must be a number",
    "greater_than_equal": "must be at least {ge:.15g}",
    "less_than_equal": "must be at most {le:.15g}",
    "list_type": "must be a list of records",
    "missing": "is missing",
    "string_type": "must be text",
    "too_short": "must hold at least one record",
}


class Fields:
    """The check of {"records": [...]} with these columns; those in `inputs` must be sent."""

    def __init__(self, columns: dict[str, Column], inputs: list[str]) -> None:
        self._columns = columns
        fields = {
            name: cs.typed_dict_field(_value_schema(column), required=name in inputs)
            for name, column in columns.items()
        }
        record = cs.typed_dict_schema(fields, extra_behavior="forbid")
        self.check: Callable[[Any], Any] = SchemaValidator(_body(record)).validate_python
        self._check_top = SchemaValidator(_body(cs.any_schema())).validate_python
        self._check_one = SchemaValidator(record).validate_python

    def faults(self, sent: Any) -> Iterator[Fault]:
        """Faults of a body that is refused, in order, each looked for when it is asked for."""
        yield from _wrong(self._check_top, sent, ("records",), _UNKNOWN, ())
        records = sent.get("records") if isinstance(sent, dict) else None
        for at, record in enumerate(records if isinstance(records, list) else ()):
            yield from _wrong(self._check_one, record, self._columns, _NO_COLUMN, ("records", at))


def _body(record: CoreSchema) -> CoreSchema:
    """Of {"records": [...]}."""
    records = cs.list_schema(record, strict=True, min_length=1, fail_fast=True)
    return cs.typed_dict_schema({"records": cs.typed_dict_field(records)}, extra_behavior="forbid")


def _wrong(
    validate: Callable[[Any], Any],
    sent: Any,
    names: Collection[str],
    unknown: str,
    at: tuple[int | str, ...],
) -> Iterator[Fault]:
    """Faults of one value: keys beside `names` are looked at here, for they may be very many."""
    is_object = isinstance(sent, dict)
    known = {name: sent[name] for name in names if name in sent} if is_object else sent
    try:
        validate(known)
    except ValidationError as error:
        for fault in error.errors(include_url=False, include_input=False):
            yield _path(at + fault["loc"]), _problem(fault)
    if is_object:
        yield from ((_path((*at, name)), unknown) for name in sent if name not in names)


def _value_schema(column: Column) -> CoreSchema:
    schema: CoreSchema
    if column.type == "numeric":
        schema = cs.float_schema(strict=True, allow_inf_nan=False, ge=column.min, le=column.max)
    elif column.type == "boolean":
        schema = cs.bool_schema(strict=True)
    else:
        schema = cs.str_schema(strict=True)
    if column.type == "datetime":
        schema = cs.no_info_after_validator_function(_moment(column), schema)
    return cs.nullable_schema(schema) if column.missing else schema


def _moment(column: Column) -> Callable[[str], Any]:
    format, clock = column.format, column.clock

    def parse(text: str) -> Any:
        trimmed = text.strip() if len(text) <= _MAX_TIME else ""
        moment = parse_datetime(trimmed, format, clock)
        if moment is None or not trimmed.isprintable():
            raise PydanticCustomError("datetime", "must be a time: {form}", {"form": form})
        return moment

    form = format or "ISO 8601, for example 2024-05-31T12:00:00"
    return parse


def _path(location: tuple[int | str, ...]) -> str:
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part[:MAX_NAME]}"
    return text.removeprefix(".") or "body"


def _problem(fault: Any) -> str:
    text = _PROBLEMS.get(fault["type"])
    return text.format(**fault.get("ctx", {})) if text else str(fault["msg"])
