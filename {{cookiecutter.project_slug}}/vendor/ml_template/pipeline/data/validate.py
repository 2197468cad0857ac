"""validate: every prepared row, and the table as a whole, against model_config.yaml.

A refusal names file, column, count and first rows; reports/validation.json holds the same, so that
a schedule can read what a person sees. The gate asks for a validation of the very rows it judges.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...settings.config import CONFIG_FILE, Config, InputError, load_config
from ...storage.files import read_json, write_json
from ...storage.places import PREPARED, VALIDATION
from ...tables import schema, table
from . import own, table_checks
from .record import PARTS, of

_AGAIN = "run `make run`"


def run() -> None:
    """Write reports/validation.json, which says what was checked, or refuse."""
    config = load_config()
    train, test = (table.read_parquet(PREPARED / f"{part}.parquet") for part in PARTS)
    parts = [train] if config.split.folds else [train, test]  # of folds each part is the table
    both = {name: np.concatenate([part[name] for part in parts]) for name in train}
    in_test = np.arange(table.rows(both)) >= table.rows(train)
    found: list[dict[str, Any]] = [*table_checks.unknown_columns(config)]
    found += [fault | {"reason": ""} for fault in schema.faults(both, config)]
    found += _counted(config, train, test)
    found += table_checks.findings(both, in_test, config)
    found += own.findings(both, config)
    if found:
        lines = [_line(config.data.path, fault) for fault in found]
        lines.append(f"correct the data, or columns and checks in {CONFIG_FILE}")
        VALIDATION.unlink(missing_ok=True)
        raise InputError("\n".join(lines))
    write_json(
        VALIDATION,
        {
            "rows": table.rows(both),
            "columns": len(config.columns),
            "of": of(config),
            "fresh_until": table_checks.fresh_until(both, config),
        },
    )
    print(f"validate: {table.rows(both):,} rows pass the checks of {len(config.columns)} columns")


def _line(path: str, fault: dict[str, Any]) -> str:
    where = f"column {fault['column']!r}" if fault["column"] else "the table"
    first = f" (first: {', '.join(map(str, fault['first']))})" if fault["first"] else ""
    reason = f": {fault['reason']}" if fault["reason"] else ""
    return f"{path}: {where} fails {fault['check']!r} in {fault['rows']:,} rows{first}{reason}"


def _counted(config: Config, train: table.Columns, test: table.Columns) -> list[dict[str, Any]]:
    """Findings where the parts are not those that `prepare` counted."""
    data = read_json(PREPARED / "data.json", _AGAIN)
    found = []
    for part, count in zip(PARTS, (table.rows(train), table.rows(test)), strict=True):
        if count != data[part]:
            reason = f"{PREPARED}/{part}.parquet has not the {data[part]:,} rows prepare wrote"
            found.append(table_checks.of_table("rows", "", count, reason))
    return found
