"""Columns, types and ranges of model_config.yaml: checks of a table, and the API in OpenAPI.

pandas and pandera are imported where a table is checked: serving does without them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..settings.config import Column, Config
from .arrays import ROW, Columns

if TYPE_CHECKING:
    import pandas as pd
    import pandera.pandas as pa


def frame_schema(config: Config) -> pa.DataFrameSchema:
    """Checks of the feature and other columns; the types were settled when the file was read."""
    import pandera.pandas as pa

    columns = {
        name: pa.Column(None, _checks(column), nullable=column.missing, required=True)
        for name, column in config.columns.items()
    }
    return pa.DataFrameSchema(columns, strict=False)


def _checks(column: Column) -> list[pa.Check]:
    import pandera.pandas as pa

    checks = []
    if column.type == "numeric":
        checks.append(pa.Check(np.isfinite, error="finite"))
    if column.min is not None:
        checks.append(pa.Check.ge(column.min, error=f"at least {column.min:g}"))
    if column.max is not None:
        checks.append(pa.Check.le(column.max, error=f"at most {column.max:g}"))
    if column.is_text:
        fits = f"at most {column.max_length:,} letters"
        checks.append(pa.Check(lambda texts: texts.str.len() <= column.max_length, error=fits))
    if column.values is not None and column.unseen == "refuse":
        checks.append(pa.Check.isin(column.values, error="one of values"))
    return checks


def frame(columns: Columns, config: Config) -> pd.DataFrame:
    """The columns of model_config.yaml as a frame, indexed by the row of the data file."""
    import pandas as pd

    series = {
        name: pd.Series(columns[name], dtype=columns[name].dtype, copy=False)
        for name in config.columns
    }
    table = pd.DataFrame(series, copy=False)
    table.index = pd.Index(columns[ROW], name=ROW)
    return table


def faults(columns: Columns, config: Config) -> list[dict[str, Any]]:
    """Each failed check as {column, check, rows, first}: count and first rows of the data file."""
    import pandera.pandas as pa

    try:
        frame_schema(config).validate(frame(columns, config), lazy=True)
    except pa.errors.SchemaErrors as error:
        found = []
        for (column, check), cases in error.failure_cases.groupby(["column", "check"], sort=False):
            found.append(
                {
                    "column": str(column),
                    "check": "present" if check == "not_nullable" else str(check),
                    "rows": len(cases),
                    "first": [int(row) for row in sorted(cases["index"])[:5]],
                }
            )
        return found
    return []


def record_schema(columns: dict[str, Column], inputs: list[str]) -> dict[str, Any]:
    """JSON schema of one record: `inputs` are required, other columns are checked and ignored."""
    return {
        "type": "object",
        "properties": {name: _value_schema(column) for name, column in columns.items()},
        "required": inputs,
        "additionalProperties": False,
    }


def _value_schema(column: Column) -> dict[str, Any]:
    kind = {"numeric": "number", "boolean": "boolean"}.get(column.type, "string")
    schema: dict[str, Any] = {"type": [kind, "null"] if column.missing else kind}
    if column.min is not None:
        schema["minimum"] = column.min
    if column.max is not None:
        schema["maximum"] = column.max
    if column.values is not None and column.unseen == "refuse":
        schema["enum"] = [*column.values, None] if column.missing else list(column.values)
    elif column.values is not None:
        schema["examples"] = list(column.values)
    if column.is_text:
        schema["maxLength"] = column.max_length
    if column.type == "datetime":
        schema["description"] = f"time as {column.format or 'ISO 8601, UTC where no zone is named'}"
        if column.format is None:
            schema["format"] = "date-time"
    return schema


def example_record(columns: dict[str, Column], known: Columns) -> dict[str, Any]:
    """A record that is accepted: the middle of the known answers; texts are made up."""
    record: dict[str, Any] = {}
    for name, values in known.items():
        column = columns[name]
        if column.type == "text":
            record[name] = "an example"
            continue
        value = values[len(values) // 2]
        missing = value is None or value != value
        record[name] = None if missing else sent(column, value)
    return record


def sent(column: Column, value: Any) -> Any:
    """A value of a column, that is not missing, as JSON has it."""
    if column.type == "boolean":
        return bool(value)
    if column.type == "datetime":
        moment = value.astype("datetime64[us]").item()
        return moment.strftime(column.format) if column.format else moment.isoformat()
    return value if column.type == "categorical" else float(value)


def predict_operation(
    columns: dict[str, Column], known: Columns, labels: tuple[str, ...], max_rows: int
) -> dict[str, Any]:
    """The OpenAPI operation of POST /predict; `known` are rows of the model's inputs."""
    records = {
        "type": "array",
        "minItems": 1,
        "maxItems": max_rows,
        "items": record_schema(columns, list(known)),
    }
    body = _object({"records": records})
    content = _json(body)
    content["application/json"]["example"] = {"records": [example_record(columns, known)]}
    number = {"type": "number"}
    if labels:
        share = {"type": "number", "minimum": 0, "maximum": 1}
        probabilities = _object(dict.fromkeys(labels, share))
        answer = _object({"label": {"enum": list(labels)}, "probabilities": probabilities})
    else:
        answer = _object({"value": number})
    answers = _object(
        {"model": {"type": "string"}, "predictions": {"type": "array", "items": answer}}
    )
    fault = _object({"field": {"type": "string"}, "problem": {"type": "string"}})
    refusal = _object({"error": {"type": "string"}, "fields": {"type": "array", "items": fault}})
    refusal["required"] = ["error"]
    named = {"description": "What to name it by when its label comes", "schema": {"type": "string"}}
    answered = {"description": "One prediction for each record", "content": _json(answers)}
    return {
        "summary": "Answers for one record or many",
        "description": "Every input is required; null is a missing value where it may be missing.",
        "operationId": "predict",
        "requestBody": {"required": True, "content": content},
        "responses": {"200": answered | {"headers": {"x-request-id": named}}}
        | {code: {"description": why, "content": _json(refusal)} for code, why in REFUSALS.items()},
    }


REFUSALS = {
    "400": "No JSON, a repeated key, NaN or Infinity",
    "408": "The body did not come in time",
    "413": "Too many bytes or records",
    "415": "Not application/json, or compressed",
    "422": "A record does not fit the columns, or has no finite answer",
    "503": "Too many requests in flight: see Retry-After",
}


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
