"""Checks of the table as a whole: what `schema.py` cannot see in one value.

Each check returns its findings, {check, column, rows, first, reason}: how many rows, and the first
of them by their number in the data file (1 = the first after the header).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from ...project import handed
from ...settings.config import Config
from ...tables import arrays, reading
from ...tables.table import ROW, Columns, rows, take
from . import leakage, personal, rules
from .record import today
from .wording import INDEX

Finding = dict[str, Any]
Findings = Iterator[Finding]


def findings(columns: Columns, test: np.ndarray, config: Config) -> list[Finding]:
    """Findings of every check; `test` (n,) marks the hold-out rows among `columns` (n rows)."""
    found = [finding for check in CHECKS for finding in check(columns, config)]
    found += parts(columns, test, config)
    return found + list(leaks(take(columns, ~test), config))


def finding(check: str, column: str, wrong: np.ndarray, row: np.ndarray, reason: str) -> Finding:
    """`wrong` (n,) marks the rows, `row` (n,) numbers them in the data file."""
    first = np.sort(row[wrong])[:5].astype(int).tolist()
    return {
        "check": check,
        "column": column,
        "rows": int(wrong.sum()),
        "first": first,
        "reason": reason,
    }


def row_count(columns: Columns, config: Config) -> Findings:
    """Enough rows, and not more than the table can have."""
    count, checks = rows(columns), config.checks
    for limit, wrong, word in (
        (checks.min_rows, count < (checks.min_rows or 0), "min_rows"),
        (checks.max_rows, count > (checks.max_rows or count), "max_rows"),
    ):
        if wrong:
            yield {
                "check": word, "column": "", "rows": count, "first": [],
                "reason": f"{count:,} rows, checks.{word} is {limit:,}",
            }  # fmt: skip


def unique(columns: Columns, config: Config) -> Findings:
    """No combination of these columns may stand twice."""
    for names in config.checks.unique:
        again = repeated({name: columns[name] for name in names})
        if again.any():
            what = "stands twice" if len(names) == 1 else "stand twice together"
            yield finding("unique", ", ".join(names), again, columns[ROW], what)


def duplicates(columns: Columns, config: Config) -> Findings:
    """Rows that repeat another one in every column: copies end up on both sides of the split."""
    limit = config.checks.duplicates
    if limit is None:
        return
    again = repeated({name: columns[name] for name in (*config.columns, config.data.target)})
    if again.mean() > limit:
        reason = f"{again.mean():.2%} of the rows repeat another row, {limit:.2%} may"
        yield finding("duplicates", "", again, columns[ROW], reason)


def repeated(columns: Columns) -> np.ndarray:
    """Booleans (n,): rows that repeat an earlier one; missing values are equal."""
    codes = row_codes(columns)
    order = np.argsort(codes, kind="stable")
    again = np.zeros(len(codes), dtype=bool)
    again[order[1:]] = codes[order[1:]] == codes[order[:-1]]
    return again


def row_codes(columns: Columns) -> np.ndarray:
    """64 bits (n,) that are equal for equal rows and, by chance, for next to no others."""
    import pandas as pd

    codes = np.zeros(rows(columns), dtype=np.uint64)
    for values in columns.values():
        hashed = pd.util.hash_array(values, categorize=True)
        codes = codes * np.uint64(0x9E3779B97F4A7C15) + hashed
        codes ^= codes >> np.uint64(29)
    return codes


def missing(columns: Columns, config: Config) -> Findings:
    """Columns that may be missing, but not that often."""
    limit = config.checks.missing
    for name in config.columns if limit is not None else ():
        absent = arrays.missing(columns[name])
        if config.columns[name].missing and absent.mean() > limit:
            reason = f"{absent.mean():.1%} is missing, checks.missing is {limit:.1%}"
            yield finding("missing", name, absent, columns[ROW], reason)


def unseen(columns: Columns, config: Config) -> Findings:
    """Categories that `values` does not list."""
    limit = config.checks.unseen
    for name, column in config.columns.items() if limit is not None else ():
        if column.values is None or column.unseen == "refuse":
            continue
        known = {*column.values, None}
        strange = np.array([value not in known for value in columns[name].tolist()])
        if strange.mean() > limit:
            shown = sorted({str(value) for value in columns[name][strange]})[:3]
            reason = f"{strange.mean():.1%} is not in values: {', '.join(map(repr, shown))}"
            yield finding("unseen", name, strange, columns[ROW], reason)


def cross_column(columns: Columns, config: Config) -> Findings:
    """Rules that several columns keep together."""
    for rule in config.checks.rules:
        wrong = rules.broken(rule, columns)
        if wrong.any():
            yield finding("rule", rule, wrong, columns[ROW], "is not true")


def fresh_until(columns: Columns, config: Config) -> str | None:
    """ISO day after which this table is too old to train on; None where nothing says so."""
    fresh = config.checks.freshness
    if fresh is None:
        return None
    newest = np.nanmax(columns[fresh.column].astype("M8[D]"))
    if np.isnat(newest):
        return "0001-01-01"
    last = min(newest.item().toordinal() + fresh.max_days, date.max.toordinal())
    return date.fromordinal(last).isoformat()


def freshness(columns: Columns, config: Config) -> Findings:
    """The newest row is not older than the table may be."""
    fresh, limit = config.checks.freshness, fresh_until(columns, config)
    if fresh and limit and limit < today():
        yield {
            "check": "freshness", "column": fresh.column, "rows": rows(columns), "first": [],
            "reason": f"was fresh until {limit} (newest row and {fresh.max_days} days)",
        }  # fmt: skip


def texts(columns: Columns, config: Config) -> Findings:
    """Personal data in texts, and texts that a spreadsheet would run."""
    allow = config.checks.allow
    for name, column in config.columns.items():
        if not column.is_text:
            continue
        for check, what, wrong in personal.findings(columns[name]):
            if name not in getattr(allow, check):
                reason = f"holds {what}: remove it, or list the column in checks.allow.{check}"
                yield finding(check, name, wrong, columns[ROW], reason)


def parts(columns: Columns, test: np.ndarray, config: Config) -> Findings:
    """No row, group or moment on both sides of the split."""
    row, split = columns[ROW], config.split
    both = np.isin(row, np.intersect1d(row[test], row[~test]))
    if both.any():
        yield finding("overlap", "", both, row, "stand in the training rows and in the hold-out")
    if handed().split:  # which rows stand where is the project's own affair
        return
    if split.group:
        groups = columns[split.group].astype(str)
        both = np.isin(groups, np.intersect1d(groups[test], groups[~test]))
        if both.any():
            yield finding("overlap", split.group, both, row, "a group is on both sides")
    if split.time:
        late = ~test & (columns[split.time] > columns[split.time][test].min())
        if late.any():
            yield finding("overlap", split.time, late, row, "training rows are newer than tests")


def future(columns: Columns, config: Config) -> Findings:
    """Features from after the moment of the row: they are not known when it is asked about."""
    if not config.split.time:
        return
    moment = columns[config.split.time]
    for name, column in config.features.items():
        if column.type == "datetime" and name not in (
            config.split.time,
            *config.checks.allow.leakage,
        ):
            late = columns[name] > moment
            if late.any():
                yield finding(
                    "leakage", name, late, columns[ROW], f"is later than {config.split.time}"
                )


def leaks(train: Columns, config: Config) -> Findings:
    """Features that give the target away, alone or together, in the training rows."""
    allowed = config.checks.allow.leakage
    features = {n: train[n] for n, c in config.features.items() if c.type != "text"}
    target = train[config.data.target]
    everywhere = np.ones(len(target), dtype=bool)
    for leak in leakage.find(features, target, config.data.task):
        names = [name for name in leak.columns if name not in allowed]
        if names:
            reason = f"{leak}: set feature: false, or list it in checks.allow.leakage"
            yield finding("leakage", ", ".join(leak.columns), everywhere, train[ROW], reason)


def unknown_columns(config: Config) -> Findings:
    """Columns of the data file that model_config.yaml does not name anywhere."""
    if config.checks.unknown_columns == "allow":
        return
    known = {*config.columns, *config.left_out, config.data.target}
    for name in names(Path(config.data.path), config):
        if name.strip() and name not in known and name.strip() not in known:
            yield {
                "check": "unknown_columns", "column": name, "rows": 0, "first": [],
                "reason": "is in no list: add it to columns or left_out",
            }  # fmt: skip


def names(path: Path, config: Config) -> list[str]:
    """Column names of the data file (not the index of pandas); none of neither CSV nor Parquet."""
    if path.suffix.lower() in reading.PARQUET:
        there = reading.open_parquet(path).schema_arrow.names
        return [name for name in there if not INDEX.fullmatch(name)]
    if path.suffix not in (".csv", ".tsv", ".txt"):
        return []
    return reading.header(path, config.data.delimiter, config.data.encoding)


CHECKS: tuple[Callable[[Columns, Config], Findings], ...] = (
    row_count,
    unique,
    duplicates,
    missing,
    unseen,
    cross_column,
    freshness,
    texts,
    future,
)
