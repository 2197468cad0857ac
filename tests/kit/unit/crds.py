"""What a real API server makes of a custom resource: it prunes, fills defaults in, or refuses.

crds.json holds the schemas of the newest version of each kind, from the upstream definitions
(Gateway API, Argo Rollouts, Prometheus operator; Apache-2.0) without their texts and CEL rules;
pods in them are kept as they are.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SCHEMAS: dict[str, Any] = json.loads(Path(__file__).with_name("crds.json").read_bytes())
OPEN = "x-kubernetes-preserve-unknown-fields"
TYPES: dict[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "integer": int,
}
TYPES |= {"number": (int, float)}
SIZES = (("maxItems", "minItems", list), ("maxLength", "minLength", str))


def kept(kind: str, value: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """`value` as it is kept, and the unknown fields that went; raises ValueError if refused."""
    schema = SCHEMAS.get(kind)
    if schema is None:
        return value, []
    gone: list[str] = []
    body = {key: part for key, part in value.items() if key not in ("metadata", "kind")}
    body.pop("apiVersion", None)
    made = _defaulted(_pruned(body, schema, "", gone), schema)
    if faults := [*_faults(made, schema, "")]:
        raise ValueError(f'{kind} "{value["metadata"]["name"]}" is invalid: {"; ".join(faults)}')
    return {key: value[key] for key in value if key not in body} | made, gone


def _parts(value: Any, schema: Any) -> Iterator[tuple[Any, str, Any]]:
    """Key, place and schema of each part of `value` that a schema knows."""
    if isinstance(value, dict):
        more = schema.get("additionalProperties")
        for key in value:
            known = schema.get("properties", {}).get(key, more)
            if isinstance(known, dict):
                yield key, f".{key}", known
    elif isinstance(value, list):
        for number in range(len(value)):
            yield number, f"[{number}]", schema.get("items", {})


def _pruned(value: Any, schema: Any, where: str, gone: list[str]) -> Any:
    if schema.get(OPEN) or schema.get("x-kubernetes-int-or-string"):
        return value
    known = {key: (place, part) for key, place, part in _parts(value, schema)}
    if isinstance(value, list):
        return [_pruned(value[n], part, where + at, gone) for n, (at, part) in known.items()]
    if not isinstance(value, dict):
        return value
    if schema.get("type") == "object" and not schema.keys() & {
        "properties",
        "additionalProperties",
    }:
        return {}
    gone += [
        f'unknown field "{(where + "." + key).lstrip(".")}"' for key in value if key not in known
    ]
    return {key: _pruned(value[key], part, where + at, gone) for key, (at, part) in known.items()}


def _defaulted(value: Any, schema: Any) -> Any:
    if isinstance(value, dict):
        given = {key: part for key, part in value.items() if part is not None}
        for key, part in schema.get("properties", {}).items():
            if key not in given and "default" in part:
                given[key] = json.loads(json.dumps(part["default"]))
        value = given
    made = value.copy() if isinstance(value, dict | list) else value
    for key, _, part in _parts(value, schema):
        made[key] = _defaulted(value[key], part)
    return made


def _faults(value: Any, schema: Any, where: str) -> Iterator[str]:
    kind = TYPES.get(schema.get("type", ""))
    if kind and (not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool)):
        yield f"{where}: must be of type {schema['type']}"
        return
    low, high = schema.get("minimum", -math.inf), schema.get("maximum", math.inf)
    for most, least, of in SIZES:
        bounds = schema.get(least, 0), schema.get(most, math.inf)
        if isinstance(value, of) and not bounds[0] <= len(value) <= bounds[1]:
            yield f"{where}: has {len(value)}, must have {bounds[0]} to {bounds[1]}"
    if type(value) in (int, float) and not low <= value <= high:
        yield f"{where}: {value} is out of bounds"
    if isinstance(value, str) and not re.search(schema.get("pattern", ""), value):
        yield f"{where}: should match {schema['pattern']}"
    if value not in schema.get("enum", [value]):
        yield f"{where}: Unsupported value: {value!r}"
    if isinstance(value, dict):
        missing = set(schema.get("required", ())) - value.keys()
        yield from (f"{where}.{name}: Required value" for name in sorted(missing))
    for key, place, part in _parts(value, schema):
        yield from _faults(value[key], part, where + place)
