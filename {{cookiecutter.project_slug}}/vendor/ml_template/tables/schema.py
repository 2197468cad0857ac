"""Columns, types and ranges of model_config.yaml: checks of a table, and the API in OpenAPI.

pandas and pandera are imported where a table is checked: serving does without them.
"""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any

import numpy as np

from ..settings.config import Column, Config
from .arrays import ROW, Columns

if TYPE_CHECKING:
    import pandera.pandas as pa


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


def faults(columns: Columns, config: Config) -> list[dict[str, Any]]:
    """Each failed check as {column, check, rows, first}: count and first rows of the data file.

    The types were settled when the file was read.
    """
    import pandas as pd
    import pandera.pandas as pa

    wanted = {
        name: pa.Column(None, _checks(column), nullable=column.missing, required=True)
        for name, column in config.columns.items()
    }
    arrays = [(name, columns[name]) for name in wanted]
    series = {name: pd.Series(values, dtype=values.dtype, copy=False) for name, values in arrays}
    frame = pd.DataFrame(series, copy=False)
    frame.index = pd.Index(columns[ROW], name=ROW)
    try:
        pa.DataFrameSchema(wanted, strict=False).validate(frame, lazy=True)
    except pa.errors.SchemaErrors as error:
        cases_of = error.failure_cases.groupby(["column", "check"], sort=False)
        return [
            {
                "column": str(column),
                "check": "present" if check == "not_nullable" else str(check),
                "rows": len(cases),
                "first": [int(row) for row in sorted(cases["index"])[:5]],
            }
            for (column, check), cases in cases_of
        ]
    return []


def record_schema(columns: dict[str, Column], inputs: list[str]) -> dict[str, Any]:
    """JSON schema of one record: `inputs` are required, other columns are checked and ignored."""
    values = {name: _value_schema(column) for name, column in columns.items()}
    return _object(values) | {"required": inputs}


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
        zone = "UTC where no zone is named" if column.clock == "utc" else "local, without zone"
        schema["description"] = f"time as {column.format or f'ISO 8601, {zone}'}"
        if column.format is None:
            schema["format"] = "date-time"
    return schema


def example_record(columns: dict[str, Column], known: Columns) -> dict[str, Any]:
    """A record that is accepted: the middle of the known answers; texts are made up."""
    return {name: sent(columns[name], _usual(columns[name], v)) for name, v in known.items()}


def _usual(column: Column, values: np.ndarray) -> Any:
    """One of the known `values`, or of those that `column` lists where it lists this one not."""
    middle, listed = values[len(values) // 2], column.values
    if column.type != "text" and (listed is None or middle is None or middle in listed):
        return middle
    return listed[len(listed) // 2] if listed else "an example"[: column.max_length]


def sent(column: Column, value: Any) -> Any:
    """A value of a column as JSON has it, null where it is missing."""
    if value is None or value != value:
        return None
    if column.type == "boolean":
        return bool(value)
    if column.type == "datetime":
        moment = value.astype("datetime64[us]").item()
        if column.format:
            return moment.replace(tzinfo=UTC).strftime(column.format)
        return moment.isoformat()
    return float(value) if column.type == "numeric" else value


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
    told = {"error": {"type": "string"}, "fields": {"type": "array", "items": fault}}
    refusal = _object(told) | {"required": ["error"]}
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
