"""What adopt proposes for a table: its configuration, and what in the table speaks for it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...settings.config import Column, Config, InputError
from ...tables import arrays
from ...tables.table import ROW
from ..data import leakage, personal, proxies
from ..data.repeats import repeated
from . import hold_out, target
from .columns import infer
from .found import Found
from .missing import markers
from .names import MOST_SHOWN, named, require_header, require_no_totals, sensitive_named
from .source import Source

FEW_PERSONAL = 0.1  # share of the rows

# below so many rows: parameters. Small trees and slow learning, or few rows are learnt by heart.
KEYS = ("learning_rate", "max_iter", "max_leaf_nodes", "min_samples_leaf", "l2_regularization")
PARAMS = {
    300: (0.05, 80, 5, 5, 5.0),
    2_000: (0.05, 120, 6, 20, 5.0),
    20_000: (0.06, 120, 12, 20, 0.1),
    math.inf: (0.08, 150, 31, 40),
}
MOST_TREES = 1_200  # an iteration grows a tree for each class
SPACE = {"learning_rate": [0.02, 0.2], "max_iter": [50, 300], "max_leaf_nodes": [4, 32]}


@dataclass(frozen=True)
class Proposal:
    """The configuration, and what was found in the table: its rows, its target, other columns.

    split: why these rows are held out; nothing where there is nothing to say.
    """

    config: Config
    rows: int
    target: target.Target
    found: Mapping[str, Found]
    split: str = ""

    @property
    def unlabelled(self) -> str:
        """What to say of rows without a target; nothing where all have one."""
        lacking = int(arrays.missing(self.target.values).sum())
        return f"{lacking:,} rows have none: they are left out" if lacking else ""


def propose(
    table: Source, place: Path, given: Mapping[str, Any], kept: Mapping[str, Any]
) -> Proposal:
    """The configuration for `table`, whose file will stand at `place`; `kept` goes into it."""
    name = named(table, "TARGET", given["TARGET"])
    if name == ROW:
        raise InputError(f"TARGET={name}: its name is the one of the row numbers here: rename it")
    sensitive = sensitive_named(table, name, given.get("SENSITIVE", ""))
    require_header(table, name)
    require_no_totals(table)
    missing = markers(table, name)
    wanted = target.decide(name, table, missing, given.get("TASK", "").strip())
    found = {key: infer(key, table, missing) for key in table.columns if key != name}
    left_out = {key: column.reason for key, column in found.items() if column.column is None}
    for key in sensitive:
        if key in left_out:
            raise InputError(
                f"SENSITIVE: {key!r} cannot be compared group by group: {left_out[key]}"
            )
    told, allowed = _personal(found, sensitive)
    left_out |= _leaks(found, wanted, sensitive) | told
    left_out |= _proxies(found, left_out, sensitive)
    if table.unnamed:
        left_out[""] = f"{table.unnamed} without a name"
    columns = _columns(found, left_out, sensitive)
    if not any(column.feature for column in columns.values()):
        reasons = "; ".join(f"{key!r}: {why}" for key, why in list(left_out.items())[:MOST_SHOWN])
        raise InputError(f"{table.path}: no column is left to learn {name!r} from: {reasons}")
    config: dict[str, Any] = {
        "checks": _checks(table, name, found, columns) | ({"allow": allowed} if allowed else {}),
        "data": {
            "path": place.as_posix(),
            "target": name,
            "task": wanted.task,
            "classes": wanted.classes,
            "positive": wanted.positive,
            "missing": ("", *sorted((missing | table.padded(missing | {""})) - {""})),
            "delimiter": table.delimiter,
            "decimal": table.decimal,
            "thousands": wanted.amounts.thousands,
            "written": wanted.amounts.written and wanted.amounts.written.model_dump(),
            "encoding": table.encoding,
            "memory_gb": table.memory_gb,
        },
        "columns": {key: column.model_dump() for key, column in columns.items()},
        "left_out": left_out,
        "sensitive": sensitive,
        "split": hold_out.plan(table.rows),
        **_model(columns, table.rows, wanted.classes),
    }
    if wanted.threshold:
        config["model"]["threshold"] = wanted.threshold
    made = Config.model_validate({**config, **kept})
    chosen, why = hold_out.choose(made, found, wanted.values)
    made = made.model_copy(update={"split": chosen})
    return Proposal(made, table.rows, wanted, found, why)


def _leaks(
    found: Mapping[str, Found], wanted: target.Target, sensitive: list[str]
) -> dict[str, str]:
    """Reason for each feature that gives the target away, alone or with others."""
    known = ~arrays.missing(wanted.values)
    features = {
        name: column.values[known]
        for name, column in found.items()
        if column.column and column.column.feature and name not in sensitive
    }
    reasons: dict[str, str] = {}
    for leak in leakage.find(features, wanted.values[known], wanted.task):
        reasons |= dict.fromkeys(leak.columns, str(leak))
    return reasons


def _proxies(
    found: Mapping[str, Found], left_out: Mapping[str, str], sensitive: list[str]
) -> dict[str, str]:
    """Reason for each feature from which a sensitive column can be told."""
    features = {
        name: each.values
        for name, each in found.items()
        if each.column and each.column.feature and each.column.type != "text"
    }
    seen = {k: v for k, v in features.items() if k not in left_out and k not in sensitive}
    told = proxies.find(seen, {name: found[name].values for name in sensitive})
    return {proxy.column: proxy.reason for proxy in told}


def _personal(
    found: Mapping[str, Found], sensitive: list[str]
) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Reason for each column whose texts hold personal data or formulas; and {check: columns}.

    The latter are written texts of which few hold such: their model keeps frequent terms only.
    """
    reasons, allowed = {}, dict[str, list[str]]()
    for name, column in found.items():
        if column.column is None or column.values.dtype != object or name in sensitive:
            continue
        for check, what, wrong in personal.findings(column.values):
            if column.column.type != "text" or wrong.mean() > FEW_PERSONAL:
                reasons[name] = f"it holds {what}"
            elif name not in allowed.setdefault(check, []):
                allowed[check].append(name)
    return reasons, {
        check: kept for check, names in allowed.items() if (kept := sorted({*names} - {*reasons}))
    }


def _columns(
    found: Mapping[str, Found], left_out: Mapping[str, str], sensitive: list[str]
) -> dict[str, Column]:
    """What is not left out, and what is sensitive as no feature."""
    unseen = {"feature": False, "encoding": None}
    return {
        name: each.column.model_copy(update=unseen if name in sensitive else {})
        for name, each in found.items()
        if each.column and name not in left_out
    }


def _checks(
    table: Source, name: str, found: Mapping[str, Found], columns: Mapping[str, Column]
) -> dict[str, Any]:
    """Limits for the next table, with room beside what this one holds."""
    here = {key: found[key].values for key, column in columns.items() if column.type != "text"}
    gaps = [float(arrays.missing(found[k].values).mean()) for k, c in columns.items() if c.missing]
    again = repeated(here | {name: table.texts(name).codes}).mean()
    return {
        "min_rows": max(20, table.rows // 2),
        "duplicates": _with_room(float(again)),
        "missing": _with_room(max(gaps, default=0.0), 0.1),
        "unseen": 0.05,
        "unknown_columns": "refuse",
    }


def _with_room(share: float, room: float = 0.01) -> float:
    return min(1.0, math.ceil(100 * (share * 1.5 + room)) / 100)


def _model(
    columns: Mapping[str, Column], rows: int, classes: tuple[str, ...]
) -> dict[str, dict[str, Any]]:
    """Trees; but where nothing is learned from but texts, their linear scores are the answer."""
    if all(c.type == "text" for c in columns.values() if c.feature):
        space: dict[str, Any] = {"C" if classes else "alpha": [0.01, 10.0]}
        return {"model": {"estimator": "linear"}, "search": {"space": space}}
    return {"model": {"params": _params(rows, len(classes))}, "search": {"space": SPACE}}


def _params(rows: int, classes: int) -> dict[str, Any]:
    chosen = next(params for most, params in PARAMS.items() if rows < most)
    params: dict[str, Any] = dict(zip(KEYS, chosen, strict=False))
    if classes * params["max_iter"] <= MOST_TREES:
        return params
    return params | {"learning_rate": 0.1, "max_iter": max(20, MOST_TREES // classes)}
