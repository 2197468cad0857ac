"""prepare: read the data file, check what each value is, and set the hold-out rows apart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from ...project import function, handed
from ...settings.config import CONFIG_FILE, Config, InputError, load_config
from ...storage import pins
from ...storage.files import digest, digest_json, new_folder, write_json
from ...storage.places import PREPARED
from ...tables import table
from . import alike, folds, own, split
from . import record as validated
from .repeats import by_nature, repeated


def run() -> None:
    """Write data/prepared: train.parquet, test.parquet and data.json (digests and counts)."""
    config = load_config()
    path = Path(config.data.path)
    if path.is_file():
        pins.check(path)
    state = function("state")(config) if handed().state else None  # before the rows: never newer
    data = table.read_raw(config)
    total = data.num_rows
    data = data.filter(data[config.data.target].is_valid())
    unlabelled = total - data.num_rows
    _check_target(config, data)
    columns = table.columns_of(data)
    test, learn, rule, cuts = _sides(config, columns)
    neither = int((~test & ~learn).sum())
    again = int(repeated({n: v for n, v in columns.items() if n != table.ROW}).sum())
    with new_folder(PREPARED) as folder:
        table.write_parquet(folder / "train.parquet", data.filter(pa.array(learn)))
        table.write_parquet(folder / "test.parquet", data.filter(pa.array(test)))
        record = {
            "path": path.as_posix(),
            "sha256": digest(path),
            "md5": digest(path, "md5"),  # the name DVC knows the same bytes by
            "rows": total,
            "without_target": unlabelled,
            "repeated": again,
            "train": int(learn.sum()),
            "test": int(test.sum()),
            "split": rule,
            "cuts": cuts,
            **({"own_split": own.split_code()} if handed().split else {}),
        }
        if neither:
            record["neither"] = neither
        if config.split.folds:
            record["folds"] = config.split.folds
        if config.data.is_query or state is not None:  # the file does not tell which rows it gave
            record |= {"state": state, "content": digest_json(validated.files(folder))}
        write_json(folder / "data.json", record)
    note = _note(config, record)
    print(
        f"prepare: {total:,} rows, {len(config.columns)} columns of {path}{note} -> {PREPARED} "
        f"(train {record['train']:,}, test {record['test']:,})"
    )
    print(f"prepare: hold-out: {alike.said(config, columns[config.data.target], test)}")
    for warning in _unlike(config, columns, test, again):
        print(f"prepare: warning: {warning}")


def _sides(
    config: Config, columns: table.Columns
) -> tuple[np.ndarray, np.ndarray, str | None, list[split.Cut] | list[folds.Cuts] | None]:
    """Booleans (n,) of the hold-out and of what is learned from; the rule and the cuts of it.

    A split of the project's own, or marks, alone know what they would hold out of another table:
    they have neither rule nor cuts.
    """
    if handed().split:
        if config.split.folds:
            raise InputError(f"{CONFIG_FILE}: split.folds: src/ has a split of its own: remove one")
        test = own.hold_out(config, columns)
        return test, ~test, None, None
    if config.split.folds:
        numbers, parts = folds.folded(config, columns)
        every = np.ones_like(numbers, dtype=bool)
        return every, every, split.rule(config), parts
    test, cuts = split.hold_out(config, columns)
    learn = split.learned(config, columns, test, cuts)
    if config.split.column:
        return test, learn, None, None
    return test, learn, split.rule(config), cuts


def _note(config: Config, record: dict[str, Any]) -> str:
    """What is to be said of rows beside how many there are."""
    note = ""
    if lacking := record["without_target"]:
        note += f", {lacking:,} left out: they have no {config.data.target}"
    if neither := record.get("neither"):
        note += (
            f", {neither:,} left out: later rows of groups to learn from, or earlier ones to test"
        )
    if again := record["repeated"]:
        note += f", {again:,} repeat another row{_where(config)}"
    return note


def _by_rows(config: Config) -> bool:
    """Whether rows are held out by what they are, which split.repeats and split.draw are about."""
    by = config.split
    return not (handed().split or by.time or by.group or by.column)


def _where(config: Config) -> str:
    """Where equal rows stand."""
    if not _by_rows(config):
        return ""
    side = "on both sides" if config.split.repeats == "apart" else "kept on one side"
    return f" (equal rows are {side} of the split)"


def _unlike(config: Config, columns: table.Columns, test: np.ndarray, again: int) -> Iterator[str]:
    """What makes the hold-out another table than the one it is of, and what to do."""
    target = columns[config.data.target]
    may_repeat = again > 0 or config.data.task == "regression"  # numbers tell equal rows apart
    if may_repeat and _by_rows(config) and config.split.repeats == "together":
        plain = {name: columns[name] for name in config.columns}
        if why := by_nature(plain, target, config.split.share):
            yield (
                f"{why}: the hold-out is whole kinds of rows, none of which is learned from; set "
                f"repeats: apart under split in {CONFIG_FILE} to hold out a share of each kind"
            )
    if handed().split or config.split.time or config.split.column or config.split.folds:
        return  # another draw would change nothing
    if (far := alike.distance(target, test)) > alike.UNLIKE:
        yield (
            f"the hold-out is not like the table: {config.data.target} is {far:.1f} standard "
            f"errors away; set draw: {config.split.draw + 1} under split in {CONFIG_FILE} for "
            f"others"
        )


def _check_target(config: Config, data: pa.Table) -> None:
    """Raise InputError unless the target holds what model_config.yaml says it holds."""
    target = config.data.target
    where = f"{config.data.path}: target {target!r}"
    if data.num_rows < 20:
        raise InputError(f"{where}: {data.num_rows} rows with a value are too few: 20 are needed")
    if config.data.task == "regression":
        values = data[target].to_numpy()
        if (wrong := ~np.isfinite(values)).any():
            table.refuse_rows(Path(config.data.path), target, wrong, "is not finite")
        if (values == values[0]).all():
            raise InputError(f"{where} has one value only: there is nothing to learn")
        return
    counts = {each["values"]: each["counts"] for each in data[target].value_counts().to_pylist()}
    if unknown := sorted(set(counts) - set(config.data.classes)):
        raise InputError(
            f"{where} holds {unknown[0]!r} ({counts[unknown[0]]:,} rows), which data.classes in "
            f"{CONFIG_FILE} does not list: add it there, or correct the data"
        )
    if len(counts) < 2:
        raise InputError(
            f"{where} has one class only ({next(iter(counts))!r}): there is nothing to learn"
        )
    if rare := sorted(label for label in config.data.classes if counts.get(label, 0) < 2):
        raise InputError(
            f"{where}: class {rare[0]!r} has {counts.get(rare[0], 0)} rows, two are needed (one to "
            f"learn, one to test): collect more, or remove it from data.classes and the data"
        )
