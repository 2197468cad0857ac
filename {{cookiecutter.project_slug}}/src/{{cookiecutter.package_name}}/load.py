"""Yours: where the table comes from.

For a database put the query into data/<name>.sql, name it in `data.path` of model_config.yaml, and
replace the body of `load`: docs/data.md has a whole example. `make run` then asks the database each
time, and goes on where it gave other rows.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ml_template import Column, Config, is_parquet, read_csv, read_parquet

if TYPE_CHECKING:
    import pyarrow as pa


def load(config: Config, wanted: dict[str, Column]) -> pa.Table:
    """The columns `wanted` (the target too) as an Arrow table; types are converted afterwards."""
    read = read_parquet if is_parquet(Path(config.data.path)) else read_csv
    return read(config, wanted)
