"""model_config.yaml as text, with comments for the person who opens it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import yaml
from pydantic import BaseModel

from ...outside.text import shown
from ...settings.config import CONFIG_FILE, Column, Config, InputError, load_config, read_yaml
from ...tables.arrays import FALSE, TRUE
from ..data import wording
from .proposal import Proposal

WIDTH = 100
_SHARE = "test: share of the rows that is the hold-out"
_FOLDS = "so many models, each asked about rows that it did not learn from"
KEPT = ("monitoring", "compute", "notification", "report", "seed")  # they are not of one table
_PLAIN = re.compile(r"[A-Za-z_]([A-Za-z0-9_ ./()-]*[A-Za-z0-9_)])?")
_HEAD = """\
# Everything you tune. An unknown key is an error. This file is yours: updates never touch it.
# Written by `make adopt` for {path}: {rows:,} rows. Correct what it guessed wrong.
# Yours to add: data.weight, metrics.headline, report.shap and others: docs/data.md
"""
_COLUMNS = """\
# type: numeric, categorical, boolean, datetime or text (without encoding only for features.py)
# encoding: of a categorical column target = a label is the mean of the target of its rows; of a
#   text words or characters = TF-IDF of terms into a linear score; both learned from other rows
# feature: false = read and checked, never seen by the model
# missing: true = may be empty;  min, max = a value outside is refused (wider than what was seen)
# values = the known categories;  unseen: allow or refuse others
# thousands: "," = 1,200 is 1200 (then . is the decimal sign);  none = it never means thousands
# written: what stands beside the digits of every number: units: ["%"] = 12% is 12 (a value without
#   it, or with another one, is refused);  multiples: {k: 1000} = 1.2k is 1200;
#   negatives: [(5), 5-] = such are -5.  min and max are of the numbers that are read
# parts = features made of a datetime: hour, weekday, day, month, day_of_year
# instant: false = only those, not the time itself;  clock: written = local time as it stands
# max_length = letters of a category or text, 10000 unless named; a longer one is refused
"""
_CHECKS = """\
# The table as a whole: fewest rows; largest shares of repeated rows, of missing values in a column
# and of categories that are not in values. Yours to add: max_rows: 100000, unique: [[id]],
# freshness: {column: date, max_days: 30}, rules: ["a <= 2 * b"], allow: {leakage: [column]}
"""
_THRESHOLD = """\
  # threshold: from which probability on the positive class is answered: a number, or what it is
  #   chosen by on training folds: f1, balanced_accuracy, {recall: 0.9}, {precision: 0.8},
  #   {share: 0.05} of the rows, {costs: {false_positive: 1, false_negative: 10}}
"""
_WEIGHTS = "  # class_weight: balanced = rare classes count more in training: docs/data.md"
_REGRESSION = "  # target: log = its logarithm is learned;  quantile: 0.9 = no mean: docs/data.md"
_LEFT_OUT = """\
# Not read at all, and why. To use one all the same, describe it under columns; of a set that
# makes up the target, that may be the one you know before the target is known.
"""


def scalar(value: Any) -> str:
    """YAML of one value, on one line, that reads as the same value in every place."""
    if isinstance(value, str):
        if _PLAIN.fullmatch(value) and yaml.safe_load(value) == value:
            return value
        text = yaml.dump(value, default_style='"', allow_unicode=True, width=float("inf"))
        return shown(text.strip())  # what YAML writes as it is, but nobody sees
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return yaml.safe_dump(value).split("\n")[0]


def flow(value: Any) -> str:
    """YAML of nested lists and mappings on one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{scalar(k)}: {flow(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(flow(item) for item in value) + "]"
    return scalar(value)


def render(proposal: Proposal, own: Mapping[str, str]) -> str:
    """The file; `own` are the lines of keys that are kept, see `kept_text`."""
    config, target = proposal.config, proposal.target
    remarks = {
        "target": proposal.unlabelled,
        "task": target.why,
        "positive": target.positive_why,
        "missing": "read as missing",
        "written" if target.amounts.written else "thousands": target.amounts.said,
    }
    lines = [_HEAD.format(path=config.data.path, rows=proposal.rows), "data:"]
    lines += [_entry(key, flow(value), remarks.get(key, "")) for key, value in _facts(config.data)]
    lines += ["", _COLUMNS + "columns:"]
    for name, column in config.columns.items():
        lines += _column(name, column, proposal.found[name].note)
    if config.left_out:
        lines += ["", _LEFT_OUT + "left_out:"]
        lines += [_entry(name, scalar(why)) for name, why in config.left_out.items()]
    lines += ["", _CHECKS + "checks:", *(_entry(key, flow(v)) for key, v in _facts(config.checks))]
    compared = "compared group by group in evaluation and gates"
    lines += ["", f"sensitive: {flow(config.sensitive)}  # {compared}", ""]
    lines += _split(proposal)
    return "\n".join([*lines, "", *_model(proposal), *_others(config, own), ""])


def _facts(part: BaseModel) -> Iterable[tuple[str, Any]]:
    return part.model_dump(exclude_defaults=True, mode="json").items()


def _split(proposal: Proposal) -> Iterable[str]:
    """The hold-out, why it is this one, and other splits that the columns offer."""
    chosen = proposal.config.split
    split: dict[str, Any] = {"folds": chosen.folds} if chosen.folds else {"test": chosen.test}
    if proposal.split:
        yield f"# {_one_line(proposal.split)}"
    if chosen.folds:
        yield f"# {proposal.rows} rows are few: each is held out once, the model learns from all"
    elif chosen.draw:
        yield "# draw: of those tried, the one whose hold-out is like the table"
    facts = split | chosen.model_dump(exclude_defaults=True, mode="json")
    what = _FOLDS if chosen.folds else _SHARE
    yield f"split: {flow(facts)}  # {what}"
    for name, column in proposal.config.columns.items():
        others = {}
        if column.type == "datetime" and not column.missing:
            newest: dict[str, Any] = {"test": 0.2, "time": name}
            others["learn from the past and test on the newest rows"] = newest
            if chosen.group:
                others["test on the newest rows of new groups"] = newest | {"group": chosen.group}
        if proposal.found[name].is_group and name != chosen.group:
            others["keep the rows of one group on one side"] = split | {"group": name}
        yield from (f"# to {why}: split: {flow(other)}" for why, other in others.items())
    for name, found in proposal.found.items():
        if found.marks and name in proposal.config.left_out:
            yield from _marks(name, found.marks)


def _marks(name: str, marks: tuple[str, ...]) -> Iterable[str]:
    """How the split that a column holds is used."""
    column = {"type": "categorical", "feature": False, "values": marks}
    test = [mark for mark in marks if wording.HELD.fullmatch(mark)]
    test.sort(key=lambda mark: not mark.lower().startswith("test"))
    if "train" in name.lower():
        test = [mark for mark in marks if mark.lower() in FALSE]
    elif not test and set(map(str.lower, marks)) <= TRUE | FALSE:
        test = [mark for mark in marks if mark.lower() in TRUE]
    yield f"# to hold out what {_one_line(scalar(name))} says: split: " + _one_line(
        flow({"column": name, "holds": test[:1] or marks[:1]})
    )
    yield f"# and under columns, no longer under left_out:  {scalar(name)}: {flow(column)}"


def kept() -> tuple[dict[str, Any], str]:
    """What the present file says that is not about its table, or why nothing of it is kept."""
    if not CONFIG_FILE.exists():
        return {}, ""
    try:
        load_config()
    except InputError as error:
        fault = str(error).splitlines()[0]
        return {}, f"  the old one was not valid ({fault}): nothing of it is kept"
    return {key: value for key, value in read_yaml(CONFIG_FILE).items() if key in KEPT}, ""


def kept_text(values: Mapping[str, Any]) -> dict[str, str]:
    """Lines of each of these keys: those of the present file and the comments above, if plain."""
    blocks: dict[str, list[str]] = {}
    above: list[str] = []
    block: list[str] = []
    for line in CONFIG_FILE.read_text(encoding="utf-8").splitlines() if values else ():
        if line.startswith("#"):
            above.append(line)
        elif key := re.match("[a-z_]+(?=:)", line):
            block = blocks[key[0]] = [*above, line]
            above = []
        elif line.strip():
            block.append(line)
        else:
            above = []
    texts = {key: "\n".join(blocks.get(key, ())) for key in values}
    return {
        key: texts[key] if _reads_as(texts[key], {key: value}) else f"{key}: {flow(value)}"
        for key, value in values.items()
    }


def _reads_as(text: str, value: Any) -> bool:
    try:
        return bool(yaml.safe_load(text) == value)
    except yaml.YAMLError:
        return False


def _entry(key: str, value: str, remark: str = "") -> str:
    return f"  {scalar(key)}: {value}" + (f"  # {_one_line(remark)}" if remark else "")


def _one_line(text: str) -> str:
    return "".join(sign if sign.isprintable() else " " for sign in text)


def _column(name: str, column: Column, note: str) -> Iterable[str]:
    facts = dict(_facts(column))
    line = _entry(name, flow(facts))
    if len(line) <= WIDTH or not column.values:
        yield _entry(name, flow(facts), note)
        return
    values = facts.pop("values")
    yield _entry(name, flow(facts)[:-1] + ",")
    yield "    values: [" + ("  # " + _one_line(note) if note else "")
    yield from _wrapped([scalar(value) + "," for value in values])
    yield "    ]}"


def _wrapped(words: list[str]) -> Iterable[str]:
    line = "     "
    for word in words:
        if len(line) + len(word) >= WIDTH and line.strip():
            yield line
            line = "     "
        line += " " + word
    yield line


def _model(proposal: Proposal) -> Iterable[str]:
    config, why = proposal.config, _one_line(proposal.target.threshold_why)
    yield "model:"
    yield _entry("estimator", scalar(config.model.estimator), "a name of ESTIMATORS in model.py")
    yield _entry("params", flow(config.model.params))
    if config.model.threshold:
        yield _THRESHOLD + _entry("threshold", str(config.model.threshold), why)
    elif why:
        yield f"{_THRESHOLD}  # none is: {why}"
    yield _REGRESSION if config.data.task == "regression" else _WEIGHTS
    yield from ("", "search:")
    yield _entry("trials", "0", "0 = no search;  `make search` tries this many on training folds")
    yield _entry("space", flow(config.search.space))


def _others(config: Config, own: Mapping[str, str]) -> Iterable[str]:
    threads = flow(config.compute.model_dump())
    usual = {
        "compute": f"compute: {threads}  # more threads may change the last bits of a model",
        "seed": f"seed: {config.seed}",
    }
    for text in {**usual, **own}.values():
        yield from ("", text)
