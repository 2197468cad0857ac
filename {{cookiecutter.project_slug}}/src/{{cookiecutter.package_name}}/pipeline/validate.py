"""validate: every prepared row against model_config.yaml; a fault is named with its rows."""

from __future__ import annotations

import numpy as np

from .. import schema, table
from ..config import CONFIG_FILE, InputError, load_config
from ..files import write_json
from ..places import PREPARED, VALIDATION


def run() -> None:
    """Write reports/validation.json, which says what was checked, or refuse."""
    config = load_config()
    parts = [table.read_parquet(PREPARED / f"{part}.parquet") for part in ("train", "test")]
    both = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    found = schema.faults(both, config)
    if found:
        lines = [
            f"{config.data.path}: column {fault['column']!r} fails {fault['check']!r} in "
            f"{fault['rows']:,} rows (first: {', '.join(map(str, fault['first']))})"
            for fault in found
        ]
        lines.append(f"correct the data, or the columns in {CONFIG_FILE}")
        VALIDATION.unlink(missing_ok=True)
        raise InputError("\n".join(lines))
    write_json(VALIDATION, {"rows": table.rows(both), "columns": len(config.columns)})
    print(f"validate: {table.rows(both):,} rows pass the checks of {len(config.columns)} columns")
