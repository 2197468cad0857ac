"""adopt: look at a table nobody has described yet, and write model_config.yaml for it."""

from __future__ import annotations

import os
import re
import shutil
import unicodedata
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ...model.contract import CONTRACT
from ...registry import versioning
from ...settings.config import CONFIG_FILE, InputError, load_config
from ...storage.files import digest, new_file
from ...tables import small
from ..data import wording
from . import config_text, source
from .names import MOST_SHOWN
from .proposal import Proposal, propose
from .unpack import unpacked

DATA = Path("data")
USAGE = (
    "make adopt DATA=my.csv TARGET=column [SENSITIVE=a,b] [TASK=...] [ENCODING=...] [MEMORY_GB=...]"
)


def run(settings: dict[str, Any]) -> None:
    """Copy DATA into data/, track it, and write model_config.yaml; the old one is kept as .bak.

    Raises InputError for whatever a person must put right first; nothing is written then.
    """
    for key in ("DATA", "TARGET"):
        if not settings.get(key):
            raise InputError(f"{key} is not given: {USAGE}")
    path = Path(settings["DATA"].strip()).expanduser()
    if re.match(r"[a-z0-9]+://", settings["DATA"], re.IGNORECASE):
        raise InputError(f"DATA={settings['DATA']} is an address: download the file first")
    memory_gb = settings.get("MEMORY_GB")
    with unpacked(path, memory_gb) as (plain, said):
        table = source.read(plain, settings.get("ENCODING", "").strip(), memory_gb)
        _adopt(table, plain, settings, f"  {said}" if said else "")


def _adopt(table: source.Source, path: Path, settings: dict[str, Any], said: str) -> None:
    """The rest of `run`, for the table of `path`, of which `said` tells where it comes from."""
    place = _place(path)
    kept, lost = config_text.kept()
    proposal = propose(table, place, settings, kept)
    text = config_text.render(proposal, config_text.kept_text(kept))
    _bring_in(path, place)
    _replace_config(text)
    print("\n".join(filter(None, (*_summary(proposal), said))))
    if kept or lost:
        print(lost or f"  kept from the old one: {', '.join(kept)}")
    if CONTRACT.exists():
        CONTRACT.unlink()
        print(f"  {CONTRACT} is removed: the next champion answers other requests")


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
    config, target = proposal.config, proposal.target
    data = config.data
    yield f"adopt: {proposal.rows:,} rows -> {data.path}"
    positive = f", positive class {data.positive!r} ({target.positive_why})"
    yield (
        f"  target {data.target!r}: {data.task} ({target.why})"
        + (positive if data.positive is not None else "")
    )
    if target.threshold_why:
        yield f"  threshold: {target.threshold or 'none'}: {target.threshold_why}"
    if proposal.unlabelled:
        yield f"  {proposal.unlabelled}"
    yield f"  features: {len(config.features)}; sensitive: {', '.join(config.sensitive) or 'none'}"
    if may_be := [name for name in config.features if _may_be_sensitive(name)]:
        names = ",".join([*config.sensitive, *may_be])
        yield f"  may be sensitive; to keep it out: SENSITIVE={names}"
    for name, column in config.columns.items():
        if not column.feature and name not in config.sensitive:
            yield f"  not a feature {name!r}: {proposal.found[name].note}"
    yield from (
        f"  learned from {name!r}: {proposal.found[name].note}"
        for name, column in config.columns.items()
        if column.encoding
    )
    for check, names in config.checks.allow.model_dump().items():
        if names:
            yield f"  checks.allow.{check}: {', '.join(names)}: some of the texts hold it"
    said = {name: proposal.found[name].said for name in config.columns}
    said[data.target] = target.amounts.said
    yield from (f"  numbers of {name!r}: {what}" for name, what in said.items() if what)
    made = {name: proposal.found[name].made for name, column in config.features.items()}
    yield from (f"  times of {name!r}: {what}" for name, what in made.items() if what)
    for name, reason in list(config.left_out.items())[:MOST_SHOWN]:
        yield f"  left out {name!r}: {reason}"
    if len(config.left_out) > MOST_SHOWN:
        yield f"  ... and {len(config.left_out) - MOST_SHOWN} more, see left_out in {CONFIG_FILE}"
    if proposal.split:
        yield f"  hold-out: {proposal.split}"
    yield from _of_few_rows(proposal)
    kept = f" (the old one is {CONFIG_FILE}.bak)" if Path(f"{CONFIG_FILE}.bak").exists() else ""
    yield f"  {CONFIG_FILE} is written{kept}: read it, then `make run`"


def _may_be_sensitive(name: str) -> bool:
    return bool(wording.SENSITIVE.search(wording.underscored(name)))


def _of_few_rows(proposal: Proposal) -> Iterable[str]:
    """Names values and classes of fewer than report.min_cell rows: they may tell of one person."""
    config, least = proposal.config, proposal.config.report.min_cell
    listed = {
        name: (column.values, proposal.found[name].values)
        for name, column in config.columns.items()
        if column.values
    }
    listed[config.data.target] = (config.data.classes, proposal.target.values)
    rare = {}
    for name, (values, there) in listed.items():
        seen = Counter(there.tolist() if values else ())
        if under := [value for value in values or () if seen[value] < least]:
            rare[name] = under
    if not rare:
        return
    few = small.few(least)
    yield f"  values of {few} rows are listed in {CONFIG_FILE}, and later in {CONTRACT}:"
    for name, under in list(rare.items())[:MOST_SHOWN]:
        more = f" and {len(under) - MOST_SHOWN} more" if len(under) > MOST_SHOWN else ""
        yield f"    {name!r}: {', '.join(map(repr, under[:MOST_SHOWN]))}{more}"
    if rare.keys() - {config.data.target}:
        yield "    to leave them out, remove them from `values`: they are read as unseen then"
    if config.data.target in rare:
        yield "    classes are in every answer too: join one with another in the table"
