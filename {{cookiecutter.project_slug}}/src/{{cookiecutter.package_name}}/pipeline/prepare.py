"""prepare: read the data file, check what each value is, and set the hold-out rows apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from .. import table
from ..config import CONFIG_FILE, Config, InputError, load_config
from ..files import digest, new_folder, write_json
from ..places import PREPARED
from ..table import Columns


def run() -> None:
    """Write data/prepared: train.parquet, test.parquet and data.json (digests and counts)."""
    config = load_config()
    path = Path(config.data.path)
    data = table.read_raw(config)
    total = data.num_rows
    data = data.filter(data[config.data.target].is_valid())
    unlabelled = total - data.num_rows
    check_target(config, data)
    columns = table.columns_of(data)
    same = equal_rows(columns)
    test = hold_out(config, columns, same)
    repeated = data.num_rows - int(same.max()) - 1
    with new_folder(PREPARED) as folder:
        table.write_parquet(folder / "train.parquet", data.filter(pa.array(~test)))
        table.write_parquet(folder / "test.parquet", data.filter(pa.array(test)))
        record = {
            "path": path.as_posix(),
            "sha256": digest(path),
            "md5": digest(path, "md5"),  # the name DVC knows the same bytes by
            "rows": total,
            "without_target": unlabelled,
            "repeated": repeated,
            "train": int((~test).sum()),
            "test": int(test.sum()),
        }
        write_json(folder / "data.json", record)
    note = f", {unlabelled:,} left out: they have no {config.data.target}" if unlabelled else ""
    if repeated:
        note += f", {repeated:,} repeat another row (equal rows are kept on one side of the split)"
    print(
        f"prepare: {total:,} rows, {len(config.columns)} columns of {path}{note} -> {PREPARED} "
        f"(train {record['train']:,}, test {record['test']:,})"
    )


def check_target(config: Config, data: pa.Table) -> None:
    """Raise InputError unless the target holds what model_config.yaml says it holds."""
    target = config.data.target
    where = f"{config.data.path}: target {target!r}"
    if data.num_rows < 20:
        raise InputError(f"{where}: {data.num_rows} rows with a value are too few: 20 are needed")
    if config.data.task == "regression":
        values = data[target].to_numpy()
        if not np.isfinite(values).all():
            table.refuse_rows(Path(config.data.path), target, ~np.isfinite(values), "is not finite")
        if (values == values[0]).all():
            raise InputError(f"{where} has one value only: there is nothing to learn")
        return
    counts = _counts(data, target)
    unknown = sorted(set(counts) - set(config.data.classes))
    if unknown:
        raise InputError(
            f"{where} holds {unknown[0]!r} ({counts[unknown[0]]:,} rows), which data.classes in "
            f"{CONFIG_FILE} does not list: add it there, or correct the data"
        )
    if len(counts) < 2:
        raise InputError(
            f"{where} has one class only ({next(iter(counts))!r}): there is nothing to learn"
        )
    rare = sorted(label for label in config.data.classes if counts.get(label, 0) < 2)
    if rare:
        raise InputError(
            f"{where}: class {rare[0]!r} has {counts.get(rare[0], 0)} rows, two are needed (one to "
            f"learn, one to test): collect more, or remove it from data.classes and the data"
        )


def _counts(data: pa.Table, name: str) -> dict[str, int]:
    pairs = data[name].value_counts().to_pylist()
    return {pair["values"]: pair["counts"] for pair in pairs}


def hold_out(config: Config, columns: Columns, same: np.ndarray) -> np.ndarray:
    """Booleans (n,): True for test rows, by time, by group, or at random (stratified by class).

    `same` are the numbers of `equal_rows`.
    """
    split, n = config.split, table.rows(columns)
    random = np.random.default_rng(config.seed)
    if split.time:
        moments = columns[split.time]
        if np.isnat(moments).any():
            table.refuse_rows(Path(config.data.path), split.time, np.isnat(moments), "is missing")
        test = moments >= np.sort(moments)[min(n - 1, round(n * (1 - split.test)))]
    elif split.group:
        groups, members = np.unique(columns[split.group].astype(str), return_inverse=True)
        chosen = random.permutation(len(groups))[: max(1, round(len(groups) * split.test))]
        test = np.isin(members, chosen)
    else:
        test = np.zeros(n, dtype=bool)
        for rows in _strata(config, columns):
            test[rows] = _drawn(same[rows], split.test, random)
    if not 0 < test.sum() < n:
        raise InputError(f"{CONFIG_FILE}: split leaves no rows to learn or none to test: change it")
    return test


def equal_rows(columns: Columns) -> np.ndarray:
    """A number (n,) for each row, the same for rows that are equal in every column."""
    frame = pd.DataFrame({name: v for name, v in columns.items() if name != table.ROW}, copy=False)
    return np.unique(pd.util.hash_pandas_object(frame, index=False), return_inverse=True)[1]


def _drawn(same: np.ndarray, share: float, random: np.random.Generator) -> np.ndarray:
    """Booleans (n,) for a share of the rows; rows with the same number stay together."""
    if (same == same[0]).all():  # equal in all that is read: they cannot stay together
        same = np.arange(len(same))
    groups, members, sizes = np.unique(same, return_inverse=True, return_counts=True)
    order = random.permutation(len(groups))
    wanted = max(1, round(len(same) * share))
    chosen = order[: max(1, int(np.searchsorted(np.cumsum(sizes[order]), wanted, "right")))]
    if len(chosen) == len(groups):
        chosen = chosen[:-1]
    return np.isin(members, chosen)


def _strata(config: Config, columns: Columns) -> list[np.ndarray]:
    if config.data.task == "regression":
        return [np.arange(table.rows(columns))]
    labels = columns[config.data.target]
    return [np.flatnonzero(labels == label) for label in config.data.labels]
