"""adopt: look at a table nobody has described yet, and write model_config.yaml for it."""

from __future__ import annotations

import difflib
import math
import os
import re
import shutil
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...model.contract import CONTRACT
from ...registry import versioning
from ...settings.config import CONFIG_FILE, Column, Config, InputError, load_config
from ...storage.files import digest, new_file
from ...tables import arrays, small
from ...tables.table import ROW
from ..data import leakage, personal
from ..data.repeats import repeated
from . import columns, config_text, source, target

DATA = Path("data")
KEYS = ("DATA", "TARGET", "SENSITIVE", "TASK", "ENCODING", "MEMORY_GB")
LONGEST_NAME = 300
_SHOWN = 30
NEAR = 0.75  # likeness of two names, from which on one may be meant by the other
USAGE = (
    "make adopt DATA=my.csv TARGET=column [SENSITIVE=a,b] [TASK=...] [ENCODING=...] [MEMORY_GB=...]"
)

# below so many rows: parameters. Small trees and slow learning, or few rows are learnt by heart.
PARAMS: dict[float, dict[str, Any]] = {
    300: {
        "learning_rate": 0.05, "max_iter": 80, "max_leaf_nodes": 5, "min_samples_leaf": 5,
        "l2_regularization": 5.0,
    },
    2_000: {
        "learning_rate": 0.05, "max_iter": 120, "max_leaf_nodes": 6, "min_samples_leaf": 20,
        "l2_regularization": 5.0,
    },
    20_000: {
        "learning_rate": 0.06, "max_iter": 120, "max_leaf_nodes": 12, "min_samples_leaf": 20,
        "l2_regularization": 0.1,
    },
    math.inf: {
        "learning_rate": 0.08, "max_iter": 150, "max_leaf_nodes": 31, "min_samples_leaf": 40,
    },
}  # fmt: skip
MOST_TREES = 1_200  # an iteration grows a tree for each class
SPACE = {"learning_rate": [0.02, 0.2], "max_iter": [50, 300], "max_leaf_nodes": [4, 32]}


@dataclass(frozen=True)
class Proposal:
    """The configuration, and what a person should know about it."""

    config: Config
    rows: int
    remarks: dict[str, str]
    notes: dict[str, str]
    hints: list[str]
    said: dict[str, str]  # column: how the signs of its numbers are read
    rare: dict[str, list[str]]  # values of few rows that the configuration lists, by column


def run(arguments: dict[str, str]) -> None:
    """Copy DATA into data/, track it, and write model_config.yaml; the old one is kept as .bak.

    Raises InputError for whatever a person must put right first; nothing is written then.
    """
    given = _arguments(arguments)
    path = Path(given["DATA"]).expanduser()
    if re.match(r"[a-z0-9]+://", given["DATA"], re.IGNORECASE):
        raise InputError(f"DATA={given['DATA']} is an address: download the file first")
    table = source.read(path, given["ENCODING"], _memory(given["MEMORY_GB"]))
    place = _place(path)
    kept, lost = _kept()
    proposal = propose(table, place, given, kept)
    text = config_text.render(
        proposal.config,
        proposal.rows,
        proposal.remarks,
        proposal.notes,
        proposal.hints,
        config_text.kept_text(kept),
    )
    _bring_in(path, place)
    _replace_config(text)
    print("\n".join(_summary(proposal)))
    if kept or lost:
        print(lost or f"  kept from the old one: {', '.join(kept)}")
    if CONTRACT.exists():
        CONTRACT.unlink()
        print(f"  {CONTRACT} is removed: the next champion answers other requests")


def _arguments(arguments: Mapping[str, str]) -> dict[str, str]:
    for key in arguments:
        if key not in KEYS:
            raise InputError(f"{key}: unknown; use {USAGE}")
    given = {key: arguments.get(key, "").strip() for key in KEYS}
    given["TARGET"] = arguments.get("TARGET", "")
    for key in ("DATA", "TARGET"):
        if not given[key]:
            raise InputError(f"{key} is not given: {USAGE}")
    return given


def _kept() -> tuple[dict[str, Any], str]:
    """What the present configuration says that is not about its table, or why it is lost."""
    try:
        return config_text.kept(), ""
    except InputError as error:
        fault = str(error).splitlines()[0]
        return {}, f"  the old one was not valid ({fault}): nothing of it is kept"


def _memory(given: str) -> float | None:
    """GB that the table may need; None where nothing is said."""
    if not given:
        return None
    try:
        if 0 < float(given) < math.inf:
            return float(given)
    except ValueError:
        pass  # said below
    raise InputError(f"MEMORY_GB={given}: must be a number of GB above 0")


def propose(
    table: source.Source, place: Path, given: Mapping[str, str], kept: Mapping[str, Any]
) -> Proposal:
    """The configuration for `table`, whose file will stand at `place`; `kept` goes into it."""
    name = _named(table, "TARGET", given["TARGET"])
    if name == ROW:
        raise InputError(f"TARGET={name}: its name is the one of the row numbers here: rename it")
    sensitive = _sensitive(table, name, given["SENSITIVE"])
    _require_header(table, name)
    missing = columns.markers(table, name)
    wanted = target.decide(name, table, missing, given["TASK"])
    found = columns.infer_all(table, missing, name)
    left_out = {key: column.reason for key, column in found.items() if column.column is None}
    for key in sensitive:
        if key in left_out:
            raise InputError(
                f"SENSITIVE: {key!r} cannot be compared group by group: {left_out[key]}"
            )
    left_out |= _leaks(found, wanted, sensitive) | _personal(found, sensitive)
    if table.unnamed:
        left_out[""] = f"{table.unnamed} without a name"
    config = _config(table, place, name, wanted, missing, found, left_out, sensitive, kept)
    remarks = {"task": wanted.why, "positive": wanted.positive_why, "missing": "read as missing"}
    if lacking := int(sum(v is None or v != v for v in wanted.values.tolist())):
        remarks["target"] = f"{lacking:,} rows have none: they are left out"
    if wanted.said:
        remarks["thousands"] = wanted.said
    notes = {key: column.note for key, column in found.items() if column.note}
    said = {key: found[key].said for key in config.columns if found[key].said}
    notes |= {key: f"{notes[key]}; {what}" for key, what in said.items()}
    said |= {name: wanted.said} if wanted.said else {}
    return Proposal(
        config,
        table.rows,
        remarks,
        notes,
        _hints(found, config),
        said,
        _rare(found, wanted.values, config),
    )


def _named(table: source.Source, key: str, name: str) -> str:
    """The column of that name; blanks around it do not count."""
    matches = [column for column in table.columns if column.strip() == name.strip()]
    if name in table.columns or len(matches) == 1:
        return name if name in table.columns else matches[0]
    folded = {column.strip().casefold(): column for column in table.columns}
    near = [folded[c] for c in difflib.get_close_matches(name.strip().casefold(), folded, 3, NEAR)]
    known = ", ".join(map(repr, list(table.columns)[:_SHOWN]))
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"it has {known}"
    if _looks_headless(table):
        hint = "its first line looks like data: add a line with the column names"
    raise InputError(f"{key}={name}: {table.path} has no such column; {hint}")


def _looks_headless(table: source.Source) -> bool:
    numeric = ~np.isnan(source.numbers([name.strip() for name in table.columns], table.decimal))
    return bool(numeric.sum() >= 2 or numeric.mean() > 0.3)


def _require_header(table: source.Source, name: str) -> None:
    names = [column.strip() for column in table.columns]
    values = source.numbers(names, table.decimal)
    headed = np.isnan(values) | (values == np.round(values))
    if not headed.any() or (not np.isnan(source.numbers([name])[0]) and not headed.all()):
        raise InputError(
            f"{table.path}: its first line looks like data: add a line with the column names"
        )
    if longest := next((n for n in names if len(n) > LONGEST_NAME), ""):
        raise InputError(
            f"{table.path}: a column name of {len(longest)} letters ({longest[:40]!r}...): is the "
            f"first line a header? Shorten it"
        )


def _sensitive(table: source.Source, name: str, given: str) -> list[str]:
    if given in table.columns:
        parts = [given]
    else:
        parts = [part.strip() for part in given.split(",") if part.strip()]
    named = list(dict.fromkeys(_named(table, "SENSITIVE", part) for part in parts))
    if name in named:
        raise InputError(f"SENSITIVE: {name!r} is the target: name other columns")
    return named


def _leaks(
    found: Mapping[str, columns.Found], wanted: target.Target, sensitive: list[str]
) -> dict[str, str]:
    """Reason for each feature that gives the target away, alone or with others."""
    known = np.array([v is not None and v == v for v in wanted.values.tolist()])
    features = {
        name: column.values[known]
        for name, column in found.items()
        if column.values is not None and column.column is not None
        and column.column.feature and name not in sensitive
    }  # fmt: skip
    reasons: dict[str, str] = {}
    for leak in leakage.find(features, wanted.values[known], wanted.task):
        reasons |= dict.fromkeys(leak.columns, str(leak))
    return reasons


def _personal(found: Mapping[str, columns.Found], sensitive: list[str]) -> dict[str, str]:
    """Reason for each column whose texts hold personal data or formulas."""
    reasons: dict[str, str] = {}
    for name, column in found.items():
        if column.values is not None and column.values.dtype == object and name not in sensitive:
            for _, what, _ in personal.findings(column.values):
                reasons[name] = f"it holds {what}"
    return reasons


def _config(
    table: source.Source,
    place: Path,
    name: str,
    wanted: target.Target,
    missing: set[str],
    found: Mapping[str, columns.Found],
    left_out: dict[str, str],
    sensitive: list[str],
    kept: Mapping[str, Any],
) -> Config:
    described = {}
    for key, column in found.items():
        if key not in left_out and column.column is not None:
            hidden = {"feature": False} if key in sensitive else {}
            described[key] = column.column.model_copy(update=hidden)
    if not any(column.feature for column in described.values()):
        reasons = "; ".join(f"{key!r}: {why}" for key, why in list(left_out.items())[:_SHOWN])
        raise InputError(f"{table.path}: no column is left to learn {name!r} from: {reasons}")
    data = {
        "path": place.as_posix(),
        "target": name,
        "task": wanted.task,
        "classes": wanted.classes,
        "positive": wanted.positive,
        "missing": ("", *sorted((missing | table.padded(missing | {""})) - {""})),
        "delimiter": table.delimiter,
        "decimal": table.decimal,
        "thousands": wanted.thousands,
        "encoding": table.encoding,
        "memory_gb": table.memory_gb,
    }
    return Config.model_validate(
        {
            "checks": _checks(table, name, found, described),
            "data": data,
            "columns": {key: column.model_dump() for key, column in described.items()},
            "left_out": left_out,
            "sensitive": sensitive,
            "split": {"test": 0.3 if table.rows < 500 else 0.2},
            "model": {"params": _params(table.rows, len(wanted.classes))},
            "search": {"space": SPACE},
            **kept,
        }
    )


def _checks(
    table: source.Source,
    name: str,
    found: Mapping[str, columns.Found],
    described: Mapping[str, Column],
) -> dict[str, Any]:
    """Limits for the next table, with room beside what this one holds."""
    values = {key: found[key].values for key in described if described[key].type != "text"}
    here = {key: array for key, array in values.items() if array is not None}
    gappy = [array for key, array in here.items() if described[key].missing]
    gaps = [float(arrays.missing(array).mean()) for array in gappy]
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


def _params(rows: int, classes: int) -> dict[str, Any]:
    params = next(params for most, params in PARAMS.items() if rows < most)
    if classes * params["max_iter"] <= MOST_TREES:
        return params
    return params | {"learning_rate": 0.1, "max_iter": max(20, MOST_TREES // classes)}


def _rare(
    found: Mapping[str, columns.Found], labels: np.ndarray, config: Config
) -> dict[str, list[str]]:
    """Values and classes that fewer than report.min_cell rows have: they may tell of one person.

    `labels` (n,) are those of the target.
    """
    listed = {
        name: (column.values, found[name].values)
        for name, column in config.columns.items()
        if column.values
    }
    listed[config.data.target] = (config.data.classes, labels)
    rare: dict[str, list[str]] = {}
    for name, (values, there) in listed.items():
        seen = Counter(there.tolist() if values and there is not None else ())
        few = [value for value in values or () if seen[value] < config.report.min_cell]
        rare |= {name: few} if few else {}
    return rare


def _hints(found: Mapping[str, columns.Found], config: Config) -> list[str]:
    hints = []
    for key, column in config.columns.items():
        if column.type == "datetime" and not column.missing:
            split = config_text.flow({"test": config.split.test, "time": key})
            hints.append(f"to learn from the past and test on the newest rows: split: {split}")
        if found[key].group:
            split = config_text.flow({"test": config.split.test, "group": key})
            hints.append(f"to keep the rows of one group on one side: split: {split}")
    return hints


def _place(path: Path) -> Path:
    """Where the file stands in the project: where it is, if in data/ under a plain name."""
    root = DATA.resolve()
    if path.resolve().is_relative_to(root) and not path.is_symlink():
        inside = DATA / path.resolve().relative_to(root)
        if re.fullmatch(r"[A-Za-z0-9_./-]+\.(csv|tsv|txt|parquet)", inside.as_posix()):
            return inside
    plain = unicodedata.normalize("NFKD", path.stem).encode("ascii", "ignore").decode().lower()
    stem = re.sub(r"[^a-z0-9_]+", "-", plain).strip("-")[:60] or "table"
    with path.open("rb") as file:
        suffix = ".parquet" if file.read(4) == b"PAR1" else ".csv"
    return DATA / f"{'table-starter' if stem == 'starter' else stem}{suffix}"


def _bring_in(path: Path, place: Path) -> None:
    """Copy `path` to `place` and track it with DVC; a copy that cannot be tracked is removed."""
    is_new = not place.exists()
    if is_new or not os.path.samefile(path, place):
        tracked = place.with_name(place.name + ".dvc").exists()
        if not is_new and not tracked and digest(path) != digest(place):
            raise InputError(
                f"{place} is there already and is another table: rename one of the two"
            )
        with new_file(place) as temporary:
            shutil.copyfile(path, temporary)
    try:
        versioning.add(place)
    except InputError:
        if is_new:
            place.unlink()
        raise


def _replace_config(text: str) -> None:
    """Write the configuration, proven to load; the old one becomes .bak."""
    with new_file(CONFIG_FILE) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")
        load_config(temporary)
        if CONFIG_FILE.exists():
            with new_file(CONFIG_FILE.with_name(CONFIG_FILE.name + ".bak")) as old:
                shutil.copyfile(CONFIG_FILE, old)


def _summary(proposal: Proposal) -> Iterable[str]:
    config = proposal.config
    data = config.data
    yield f"adopt: {proposal.rows:,} rows -> {data.path}"
    classes = f", positive class {data.positive!r} ({proposal.remarks['positive']})"
    yield (
        f"  target {data.target!r}: {data.task} ({proposal.remarks['task']})"
        + (classes if data.positive is not None else "")
    )
    if "target" in proposal.remarks:
        yield f"  {proposal.remarks['target']}"
    yield f"  features: {len(config.features)}; sensitive: {', '.join(config.sensitive) or 'none'}"
    for name, column in config.columns.items():
        if not column.feature and name not in config.sensitive:
            yield f"  not a feature {name!r}: {proposal.notes[name]}"
    for name, what in proposal.said.items():
        yield f"  numbers of {name!r}: {what}"
    for name, reason in list(config.left_out.items())[:_SHOWN]:
        yield f"  left out {name!r}: {reason}"
    if len(config.left_out) > _SHOWN:
        yield f"  ... and {len(config.left_out) - _SHOWN} more, see left_out in {CONFIG_FILE}"
    if proposal.rare:
        few = small.few(config.report.min_cell)
        yield f"  values of {few} rows are listed in {CONFIG_FILE}, and later in {CONTRACT}:"
        for name, values in list(proposal.rare.items())[:_SHOWN]:
            more = f" and {len(values) - _SHOWN} more" if len(values) > _SHOWN else ""
            yield f"    {name!r}: {', '.join(map(repr, values[:_SHOWN]))}{more}"
        if proposal.rare.keys() - {data.target}:
            yield "    to leave them out, remove them from `values`: they are read as unseen then"
        if data.target in proposal.rare:
            yield "    classes are in every answer too: join one with another in the table"
    kept = f" (the old one is {CONFIG_FILE}.bak)" if Path(f"{CONFIG_FILE}.bak").exists() else ""
    yield f"  {CONFIG_FILE} is written{kept}: read it, then `make run`"
