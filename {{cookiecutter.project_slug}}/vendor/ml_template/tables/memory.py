"""What a table needs in memory, seen before it is read, against what this machine may use."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from ..settings.strict import InputError
from .arrow import is_written_out

if TYPE_CHECKING:
    from collections.abc import Collection

    import pyarrow.parquet as pq

GB = 1e9
TIMES = 5  # so much of its unpacked size a table takes while it is read and looked at
CELL = 8  # bytes of a number
_HEAD = 1 << 20
_PART = 64  # rows
_FEWER = "give fewer rows or columns, take a larger machine"
_CGROUPS, _OWN = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


def require_room(path: Path, unpacked: int, allowed: float | None) -> None:
    """Raise InputError where `unpacked` bytes need more than `allowed` GB (None: the machine's)."""
    need = TIMES * unpacked / GB
    limit = machine() / GB if allowed is None else allowed
    if need > limit:
        raise InputError(
            f"{path} would need about {need:,.1f} GB of memory, {limit:,.1f} GB are allowed: "
            f"{_FEWER}, or raise data.memory_gb in model_config.yaml (MEMORY_GB= for adopt)"
        )


def spent(path: Path) -> InputError:
    """What to say where memory ended while `path` was read."""
    return InputError(f"{path} needs more memory than there is: {_FEWER}")


def of_parquet(file: pq.ParquetFile, names: Collection[str]) -> int:
    """Unpacked bytes of the columns `names`: what a few repeated bytes stand for counts in full.

    Texts that come without a dictionary are read for that, a few rows at a time: their pages may
    say "as before" of a long one, which no size in the file tells.
    """
    facts = file.metadata
    size = dict.fromkeys(names, 0)
    leaves = [file.schema.column(at) for at in range(facts.num_columns)]
    parts = [(at, leaf, _owner(leaf.path, size)) for at, leaf in enumerate(leaves)]
    for number in range(facts.num_row_groups):
        group = facts.row_group(number)
        for at, leaf, name in parts:
            if name is not None:
                column = group.column(at)
                cells = max(CELL, leaf.length) * column.num_values
                size[name] += max(cells, column.total_uncompressed_size)
    for field in file.schema_arrow:
        if field.name in size and is_written_out(field.type):
            batches = file.iter_batches(_PART, columns=[field.name])
            size[field.name] = max(size[field.name], sum(batch.nbytes for batch in batches))
    return sum(size.values())


def _owner(path: str, names: Collection[str]) -> str | None:
    """The column that a leaf such as `x.list.element` belongs to, where it is one of `names`."""
    steps = path.split(".")
    prefixes = (".".join(steps[:end]) for end in range(len(steps), 0, -1))
    return next((name for name in prefixes if name in names), None)


def of_csv(path: Path, delimiter: str) -> int:
    """Bytes of the cells of a CSV file, as many for each byte as in its first ones."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(_HEAD)
    cells = head.count(delimiter.encode()) + head.count(b"\n")
    return max(size, CELL * cells * size // max(len(head), 1))


def machine() -> int:
    """Bytes this process may use: what there is, or what its cgroup (v1 or v2) leaves it."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for line in _OWN.read_text(encoding="utf-8").splitlines() if _OWN.exists() else ():
        _, kinds, place = line.split(":", 2)
        if kinds and "memory" not in kinds.split(","):
            continue
        root = _CGROUPS / "memory" if kinds else _CGROUPS
        name = "memory.limit_in_bytes" if kinds else "memory.max"
        inner = root / place.lstrip("/")
        for folder in (inner, *inner.parents):  # in a container the place is that of its host
            limit = folder / name
            if folder.is_relative_to(root) and limit.is_file():
                text = limit.read_text(encoding="utf-8").strip()
                limits += [int(text)] if text.isdecimal() else []
    return min(limits)
