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
from .repeats import repeated
from .wording import INDEX

Finding = dict[str, Any]
Findings = Iterator[Finding]


def findings(columns: Columns, test: np.ndarray, config: Config) -> list[Finding]:
    """Findings of every check; `test` (n,) marks the hold-out rows among `columns` (n rows)."""
    found = [finding for check in CHECKS for finding in check(columns, config)]
    found += parts(columns, test, config)
    return found + list(leaks(take(columns, ~test), config))


def of_table(check: str, column: str, count: int, reason: str) -> Finding:
    """A finding of `count` rows, none of which is the one to look at."""
    return {"check": check, "column": column, "rows": count, "first": [], "reason": reason}


def marked(columns: Columns, check: str, column: str, wrong: np.ndarray, reason: str) -> Findings:
    """The finding of the rows that `wrong` (n,) marks, where it marks any."""
    if wrong.any():
        first = np.sort(columns[ROW][wrong])[:5].astype(int).tolist()
        yield of_table(check, column, int(wrong.sum()), reason) | {"first": first}


def row_count(columns: Columns, config: Config) -> Findings:
    """Enough rows, and not more than the table can have."""
    count, checks = rows(columns), config.checks
    for limit, wrong, word in (
        (checks.min_rows, count < (checks.min_rows or 0), "min_rows"),
        (checks.max_rows, count > (checks.max_rows or count), "max_rows"),
    ):
        if wrong:
            yield of_table(word, "", count, f"{count:,} rows, checks.{word} is {limit:,}")


def unique(columns: Columns, config: Config) -> Findings:
    """No combination of these columns may stand twice."""
    for names in config.checks.unique:
        again = repeated({name: columns[name] for name in names})
        what = "stands twice" if len(names) == 1 else "stand twice together"
        yield from marked(columns, "unique", ", ".join(names), again, what)


def duplicates(columns: Columns, config: Config) -> Findings:
    """Rows that repeat another one in every column: copies end up on both sides of the split."""
    limit = config.checks.duplicates
    if limit is None:
        return
    again = repeated({name: columns[name] for name in (*config.columns, config.data.target)})
    if again.mean() > limit:
        reason = f"{again.mean():.2%} of the rows repeat another row, {limit:.2%} may"
        yield from marked(columns, "duplicates", "", again, reason)


def missing(columns: Columns, config: Config) -> Findings:
    """Columns that may be missing, but not that often."""
    limit = config.checks.missing
    for name in config.columns if limit is not None else ():
        absent = arrays.missing(columns[name])
        if config.columns[name].missing and absent.mean() > limit:
            reason = f"{absent.mean():.1%} is missing, checks.missing is {limit:.1%}"
            yield from marked(columns, "missing", name, absent, reason)


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
            yield from marked(columns, "unseen", name, strange, reason)


def cross_column(columns: Columns, config: Config) -> Findings:
    """Rules that several columns keep together."""
    for rule in config.checks.rules:
        yield from marked(columns, "rule", rule, rules.broken(rule, columns), "is not true")


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
        reason = f"was fresh until {limit} (newest row and {fresh.max_days} days)"
        yield of_table("freshness", fresh.column, rows(columns), reason)


def texts(columns: Columns, config: Config) -> Findings:
    """Personal data in texts, and texts that a spreadsheet would run."""
    for name, column in config.columns.items():
        for check, what, wrong in personal.findings(columns[name]) if column.is_text else ():
            if name not in getattr(config.checks.allow, check):
                reason = f"holds {what}: remove it, or list the column in checks.allow.{check}"
                yield from marked(columns, check, name, wrong, reason)


def parts(columns: Columns, test: np.ndarray, config: Config) -> Findings:
    """No row, group or moment on both sides of the split."""
    split = config.split
    both = _on_both_sides(columns[ROW], test)
    what = "stand in the training rows and in the hold-out"
    yield from marked(columns, "overlap", "", both, what)
    if handed().split:  # which rows stand where is the project's own affair
        return
    if split.group:
        both = _on_both_sides(columns[split.group].astype(str), test)
        both &= ~arrays.missing(columns[split.group])
        yield from marked(columns, "overlap", split.group, both, "a group is on both sides")
    if split.time:
        late = ~test & (columns[split.time] > columns[split.time][test].min())
        what = "training rows are newer than tests"
        yield from marked(columns, "overlap", split.time, late, what)


def _on_both_sides(values: np.ndarray, test: np.ndarray) -> np.ndarray:
    return np.isin(values, values[test]) & np.isin(values, values[~test])


def future(columns: Columns, config: Config) -> Findings:
    """Features from after the moment of the row: they are not known when it is asked about."""
    time = config.split.time
    if not time:
        return
    for name, column in config.features.items():
        if column.type == "datetime" and name not in (time, *config.checks.allow.leakage):
            late = columns[name] > columns[time]
            yield from marked(columns, "leakage", name, late, f"is later than {time}")


def leaks(train: Columns, config: Config) -> Findings:
    """Features that give the target away, alone or together, in the training rows."""
    features = {n: train[n] for n, c in config.features.items() if c.type != "text"}
    target = train[config.data.target]
    everywhere = np.ones(len(target), dtype=bool)
    for leak in leakage.find(features, target, config.data.task):
        if set(leak.columns) - set(config.checks.allow.leakage):
            reason = f"{leak}: set feature: false, or list it in checks.allow.leakage"
            yield from marked(train, "leakage", ", ".join(leak.columns), everywhere, reason)


def unknown_columns(config: Config) -> Findings:
    """Columns of the data file that model_config.yaml does not name anywhere."""
    if config.checks.unknown_columns == "allow":
        return
    known = {*config.columns, *config.left_out, config.data.target}
    for name in _names(Path(config.data.path), config):
        if name.strip() and not {name, name.strip()} & known:
            remedy = "is in no list: add it to columns or left_out"
            yield of_table("unknown_columns", name, 0, remedy)


def _names(path: Path, config: Config) -> list[str]:
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
