"""Strict records: a JSON body becomes checked records, and those become columns for the model.

Nothing is coerced and nothing of what was sent is repeated in a refusal but the name of a field.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

import numpy as np
from pydantic_core import ValidationError

from ..model.artifact import Model
from ..model.profile import LEAST
from ..outside.text import letters
from ..settings.categories import category, spellings
from ..settings.config import Column, InputError
from ..tables.arrays import Columns
from .fields import MAX_NAME, Fault, Fields

Record = dict[str, Any]
MAX_FAULTS = 10  # are named
_COUNTED = 100  # are looked for: a body of a few bytes may have any number
_HALF = re.compile("[\ud800-\udfff]")  # of a pair, without the other half
_DTYPES = {"numeric": "f8", "boolean": "f8", "datetime": "M8[us]"}


class RefusedError(Exception):
    """A request that is answered with `status` and a short body; `faults` are (field, problem)."""

    def __init__(self, status: int, error: str, faults: list[Fault] | None = None):
        super().__init__(error)
        self.status = status
        self.error = error
        self.faults = faults or []

    def body(self) -> bytes:
        """The JSON answer: what is wrong and where, never what was sent."""
        answer: dict[str, Any] = {"error": self.error}
        if self.faults:
            answer["fields"] = [{"field": f, "problem": p} for f, p in self.faults]
        return letters(json.dumps(answer, ensure_ascii=False)).encode()


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
        self._fields = Fields(self.columns_, self.inputs)
        # float: an int of n digits would cost their square
        self._decode = json.JSONDecoder(
            object_pairs_hook=_without_repeats, parse_int=float, parse_constant=_no_constant
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
            records: list[Record] = self._fields.check(sent)["records"]
        except ValidationError:
            raise _misfit(self._fields.faults(sent)) from None
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
            known, most = self.known.get(name, ()), self.columns_[name].max_length
            for at, record in enumerate(records):
                value = record.get(name)
                if value is None or value in known:
                    continue
                record[name] = value = value.strip()  # as training and score read a table
                if value in known:
                    continue
                if known and len(value) <= most and category(value) in known:
                    continue
                problem = self._text_problem(name, value)
                if problem:
                    faults.append((f"records[{at}].{name}", problem))
                elif name in self.known:
                    unseen.append(name)
        if faults:
            raise _misfit(faults)
        for name in unseen:
            self.unseen(name)

    def _text_problem(self, name: str, value: str) -> str | None:
        # The table was read with markers as missing: the same text sent here must not mean
        # something else.
        if len(value) > self.columns_[name].max_length:
            return f"must have at most {self.columns_[name].max_length:,} letters"
        if value in self.markers:
            return "is a marker of a missing value: send null"
        if _HALF.search(value):
            return "must be Unicode text"
        if name in self.known and self.columns_[name].unseen == "refuse":
            return "must be one of the known categories"
        return None


def _misfit(faults: Iterable[Fault]) -> RefusedError:
    """The refusal of records with these faults, of which the first are named."""
    faults = iter(faults)
    named = list(islice(faults, MAX_FAULTS))
    count = len(named) + sum(1 for _ in islice(faults, _COUNTED + 1 - len(named)))
    said = f"{count}" if count <= _COUNTED else f"more than {_COUNTED}"
    more = f": {said} faults, the first {MAX_FAULTS} are named" if count > MAX_FAULTS else ""
    return RefusedError(422, f"the records do not fit the columns of this model{more}", named)


def column_specs(model: Model) -> dict[str, Column]:
    """The columns `model` was trained with, in the order of model_config.yaml."""
    try:
        specs = model.identity["columns"].items()
        return {name: Column.model_validate(spec, strict=False) for name, spec in specs}
    except (AttributeError, KeyError, ValueError) as error:
        raise InputError(
            f"model {model.digest[:16]}: its columns cannot be read ({error!r}): train again"
        ) from None


def told(model: Model, columns: dict[str, Column]) -> dict[str, Column]:
    """The columns as they are described: labels that few rows have may be persons.

    They are left out where other labels than those listed are taken anyway.
    """
    return {name: _told(model, name, column) for name, column in columns.items()}


def _told(model: Model, name: str, column: Column) -> Column:
    facts = model.profile.get("columns", {}).get(name, {})
    if column.values is None or column.unseen == "refuse" or "labels" not in facts:
        return column
    rows = {category(label): count for label, count in facts["labels"].items()}
    other = LEAST if len(rows) >= facts["distinct"] else 0  # no row has it, or few may have
    kept = tuple(v for v in column.values if rows.get(category(v), other) >= LEAST)
    return column.model_copy(update={"values": kept})


def known_categories(model: Model, columns: dict[str, Column]) -> dict[str, frozenset[str]]:
    """For each categorical column what model_config.yaml lists, else what training saw.

    Each label as it is spelled there, and in its one form (see `categories.category`).
    """
    seen = {state["name"]: state["codes"] for state in model.encoder.state if "codes" in state}
    labels = {
        name: column.values if column.values is not None else seen.get(name, ())
        for name, column in columns.items()
        if column.type == "categorical" and (column.values is not None or name in seen)
    }
    return {name: frozenset([*found, *spellings(found)]) for name, found in labels.items()}


def _without_repeats(pairs: list[tuple[str, Any]]) -> Record:
    found = dict(pairs)
    if len(found) != len(pairs):
        counts = Counter(key for key, _ in pairs)
        twice = next(key for key, count in counts.items() if count > 1)
        raise RefusedError(400, "a key is repeated", [(twice[:MAX_NAME], "is repeated")])
    return found


def _no_constant(name: str) -> None:
    raise RefusedError(400, "NaN and Infinity are no JSON numbers: send null for a missing value")
