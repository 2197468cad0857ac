"""Strict records: a JSON body becomes checked records, and those become columns for the model.

Nothing is coerced and nothing of what was sent is repeated in a refusal but the name of a field.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
from pydantic_core import CoreSchema, PydanticCustomError, SchemaValidator, ValidationError
from pydantic_core import core_schema as cs

from ..arrays import Columns, category, parse_datetime, spellings
from ..artifact import Model
from ..config import Column, InputError

Record = dict[str, Any]
MAX_FAULTS = 10
_MAX_NAME = 64
_DTYPES = {"numeric": "f8", "boolean": "f8", "datetime": "M8[us]"}
_PROBLEMS = {
    "bool_type": "must be true or false",
    "dict_type": "must be an object",
    "extra_forbidden": "is no column of this model",
    "finite_number": "must be a finite number",
    "float_type": "must be a number",
    "greater_than_equal": "must be at least {ge:.15g}",
    "less_than_equal": "must be at most {le:.15g}",
    "list_type": "must be a list of records",
    "missing": "is missing",
    "string_type": "must be text",
    "too_short": "must hold at least one record",
}


class RefusedError(Exception):
    """A request that is answered with `status` and a short body; `faults` are (field, problem)."""

    def __init__(self, status: int, error: str, faults: list[tuple[str, str]] | None = None):
        super().__init__(error)
        self.status = status
        self.error = error
        self.faults = faults or []

    def body(self) -> bytes:
        """The JSON answer: what is wrong and where, never what was sent."""
        answer: dict[str, Any] = {"error": self.error}
        if self.faults:
            answer["fields"] = [{"field": f, "problem": p} for f, p in self.faults[:MAX_FAULTS]]
        return json.dumps(answer).encode()


class Records:
    """Checks of one model: its columns, the categories it knows, and the largest request."""

    def __init__(self, model: Model, max_rows: int) -> None:
        self.columns_ = column_specs(model)
        self.inputs = list(model.encoder.inputs)
        self.max_rows = max_rows
        self.markers = frozenset(model.identity.get("missing", ()))
        self.known = known_categories(model, self.columns_)
        self.unseen: Callable[[str], None] = lambda column: None
        self._texts = [name for name, column in self.columns_.items() if column.is_text]
        self._kinds = [(name, _DTYPES.get(self.columns_[name].type)) for name in self.inputs]
        self._validate = SchemaValidator(self._body()).validate_python
        self._decode = json.JSONDecoder(
            object_pairs_hook=_without_repeats, parse_constant=_no_constant
        ).decode

    def parse(self, body: bytes) -> list[Record]:
        """The checked records of a request body; raises RefusedError."""
        try:
            sent = self._decode(body.decode())
        except RecursionError:
            raise RefusedError(400, "the body is nested too deeply") from None
        except ValueError as error:
            reason = f" ({error.msg})" if isinstance(error, json.JSONDecodeError) else ""
            raise RefusedError(400, f"the body is not valid JSON{reason}") from None
        records = sent.get("records") if isinstance(sent, dict) else None
        if isinstance(records, list) and len(records) > self.max_rows:
            raise RefusedError(413, f"more than {self.max_rows} records: send them in parts")
        return self.check(sent)

    def check(self, sent: Any) -> list[Record]:
        """The records in {"records": [...]}, each value of the type of its column."""
        try:
            records: list[Record] = self._validate(sent)["records"]
        except ValidationError as error:
            found = error.errors(include_url=False, include_input=False)[:MAX_FAULTS]
            faults = [(_path(fault["loc"]), _problem(fault)) for fault in found]
            raise _misfit(faults, error.error_count()) from None
        self._check_texts(records)
        return records

    def columns(self, records: list[Record]) -> Columns:
        """Columns of the model's inputs, as the encoder takes them."""
        columns: Columns = {}
        for name, kind in self._kinds:
            values = [record[name] for record in records]
            columns[name] = np.array(values, kind or object)
        return columns

    def _check_texts(self, records: list[Record]) -> None:
        faults = []
        unseen: list[str] = []
        for name in self._texts:
            known = self.known.get(name, ())
            for at, record in enumerate(records):
                value = record.get(name)
                if value is None or value in known or (known and category(value) in known):
                    continue
                problem = self._text_problem(name, value)
                if problem:
                    faults.append((f"records[{at}].{name}", problem))
                elif name in self.known:
                    unseen.append(name)
        if faults:
            raise _misfit(faults, len(faults))
        for name in unseen:
            self.unseen(name)

    def _text_problem(self, name: str, value: str) -> str | None:
        # The table was read with markers as missing and without outer spaces: the same text
        # sent here must not mean something else.
        if len(value) > self.columns_[name].max_length:
            return f"must have at most {self.columns_[name].max_length:,} letters"
        if value in self.markers:
            return "is a marker of a missing value: send null"
        if any("\ud800" <= letter <= "\udfff" for letter in value):
            return "must be Unicode text"
        if value != value.strip():
            return "must not begin or end with a space"
        if name in self.known and self.columns_[name].unseen == "refuse":
            return "must be one of the known categories"
        return None

    def _body(self) -> CoreSchema:
        fields = {
            name: cs.typed_dict_field(_value_schema(column), required=name in self.inputs)
            for name, column in self.columns_.items()
        }
        record = cs.typed_dict_schema(fields, extra_behavior="forbid")
        records = cs.typed_dict_field(cs.list_schema(record, strict=True, min_length=1))
        return cs.typed_dict_schema({"records": records}, extra_behavior="forbid")


def _misfit(faults: list[tuple[str, str]], count: int) -> RefusedError:
    """The refusal of records with `count` faults, of which `faults` are told."""
    more = f": {count} faults, the first {MAX_FAULTS} are named" if count > MAX_FAULTS else ""
    return RefusedError(422, f"the records do not fit the columns of this model{more}", faults)


def column_specs(model: Model) -> dict[str, Column]:
    """The columns `model` was trained with, in the order of model_config.yaml."""
    try:
        specs = model.identity["columns"].items()
        return {name: Column.model_validate(spec, strict=False) for name, spec in specs}
    except (AttributeError, KeyError, ValueError) as error:
        raise InputError(
            f"model {model.digest[:16]}: its columns cannot be read ({error!r}): train again"
        ) from None


def known_categories(model: Model, columns: dict[str, Column]) -> dict[str, frozenset[str]]:
    """For each categorical column what model_config.yaml lists, else what training saw.

    Each label as it is spelled there, and in its one form (see `arrays.category`).
    """
    seen = {state["name"]: state["codes"] for state in model.encoder.state if "codes" in state}
    labels = {
        name: column.values if column.values is not None else seen.get(name, ())
        for name, column in columns.items()
        if column.type == "categorical" and (column.values is not None or name in seen)
    }
    return {name: frozenset([*found, *spellings(found)]) for name, found in labels.items()}


def _value_schema(column: Column) -> CoreSchema:
    schema: CoreSchema
    if column.type == "numeric":
        schema = cs.float_schema(strict=True, allow_inf_nan=False, ge=column.min, le=column.max)
    elif column.type == "boolean":
        schema = cs.bool_schema(strict=True)
    else:
        schema = cs.str_schema(strict=True)
    if column.type == "datetime":
        schema = cs.no_info_after_validator_function(_moment(column.format), schema)
    return cs.nullable_schema(schema) if column.missing else schema


def _moment(format: str | None) -> Callable[[str], Any]:
    def parse(text: str) -> Any:
        moment = parse_datetime(text, format)
        if moment is None or not text.isprintable():
            raise PydanticCustomError("datetime", "must be a time: {form}", {"form": form})
        return moment

    form = format or "ISO 8601, for example 2024-05-31T12:00:00"
    return parse


def _without_repeats(pairs: list[tuple[str, Any]]) -> Record:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise RefusedError(400, "a key is repeated", [(twice[:_MAX_NAME], "is repeated")])
    return found


def _no_constant(name: str) -> None:
    raise RefusedError(400, "NaN and Infinity are no JSON numbers: send null for a missing value")


def _path(location: tuple[int | str, ...]) -> str:
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part[:_MAX_NAME]}"
    return text.removeprefix(".") or "body"


def _problem(fault: Any) -> str:
    if fault["type"] == "extra_forbidden" and len(fault["loc"]) == 1:
        return 'is not known: send {"records": [...]}'
    text = _PROBLEMS.get(fault["type"])
    return text.format(**fault.get("ctx", {})) if text else str(fault["msg"])
