"""Yours: where the table comes from.

For a database put the query into a file, say data/query.sql, name it in `data.path` of
model_config.yaml, and replace the body of `load`, for instance:

    query = Path(config.data.path).read_text(encoding="utf-8")
    return pa.Table.from_pandas(pd.read_sql(query, connection))

A changed query runs again with `make run`; for new rows of the same query: `make clean run`.
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
