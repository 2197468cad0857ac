"""models/contract.json: requests that clients of the champion send, and the form of its answers.

It is committed with the champion, and tests/api/test_service.py sends the requests to the model of
today: what would break a client is seen before it is released.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..settings.config import Column
from ..storage.files import json_text
from ..tables.arrays import Columns
from ..tables.schema import sent
from . import artifact

CONTRACT = Path("models/contract.json")
SHOWN = 20  # labels of a column
TEXT = "an example"  # texts of the table may be names


def text(manifest: Mapping[str, Any]) -> str | None:
    """The contract of the model of `manifest`; None for a model from before serving."""
    identity = manifest["identity"]
    if "columns" not in identity:
        return None
    columns = {name: Column.model_validate(spec) for name, spec in identity["columns"].items()}
    request = {"records": records(columns, artifact.known_rows(identity))}
    content = {"model": manifest["digest"][:16], "labels": identity["labels"], "request": request}
    return json_text(content)


def records(columns: Mapping[str, Column], known: Columns) -> list[dict[str, Any]]:
    """As few records as hold every value of `accepted`; the first has the model's inputs only.

    `known` are rows of the model's inputs.
    """
    values = {name: accepted(column, known.get(name, ())) for name, column in columns.items()}
    values = {name: found for name, found in values.items() if found}
    return [
        {name: found[at % len(found)] for name, found in values.items() if at or name in known}
        for at in range(1 + max(map(len, values.values())))
    ]


def accepted(column: Column, known: Any) -> list[Any]:
    """What a client may send: the `known` values, the limits, the labels, and null."""
    values: list[Any]
    if column.type == "text":
        values = [TEXT[: column.max_length]]
    elif column.type == "boolean":
        values = [False, True]
    else:
        listed = column.values  # what it leaves out may tell of one person: it is left out here too
        present = [value for value in known if value is not None and value == value]
        present = [value for value in present if listed is None or value in listed]
        values = [sent(column, value) for value in present]
    values += [limit for limit in (column.min, column.max) if limit is not None]
    values += (column.values or ())[:SHOWN]
    values += [None] if column.missing else []
    return list(dict.fromkeys(values))
