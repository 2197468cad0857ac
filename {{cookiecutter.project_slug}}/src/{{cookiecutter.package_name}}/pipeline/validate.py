"""validate: every prepared row against model_config.yaml; a fault is named with its rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .. import schema, table
from ..config import CONFIG_FILE, InputError, load_config
from ..files import write_json
from ..places import PREPARED
from ..profile import profile

VALIDATION = Path("reports/validation.json")


def run() -> None:
    """Write reports/validation.json (checks passed, profile of the training rows), or refuse."""
    config = load_config()
    train = table.read_parquet(PREPARED / "train.parquet")
    test = table.read_parquet(PREPARED / "test.parquet")
    both = {name: np.concatenate([train[name], test[name]]) for name in train}
    found = schema.faults(both, config)
    if found:
        lines = [
            f"{config.data.path}: column {fault['column']!r} fails {fault['check']!r} in "
            f"{fault['rows']:,} rows (first: {', '.join(map(str, fault['first']))})"
            for fault in found
        ]
        lines.append(f"correct the data, or the columns in {CONFIG_FILE}")
        raise InputError("\n".join(lines))
    write_json(
        VALIDATION,
        {
            "rows": table.rows(both),
            "columns": len(config.columns),
            "profile": profile(train, config),
        },
    )
    print(f"validate: {table.rows(both):,} rows pass the checks of {len(config.columns)} columns")
