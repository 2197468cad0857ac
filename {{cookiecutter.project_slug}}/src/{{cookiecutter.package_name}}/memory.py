"""What a table needs in memory, seen before it is read, against what this machine may use."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from .strict import InputError

if TYPE_CHECKING:
    from collections.abc import Collection

    import pyarrow.parquet as pq

GB = 1e9
TIMES = 5  # so much of its unpacked size a table takes while it is read and looked at
CELL = 8  # bytes of a number
_HEAD = 1 << 20
_CGROUPS, _OWN = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


def require_room(path: Path, unpacked: int, allowed: float | None) -> None:
    """Raise InputError where `unpacked` bytes need more than `allowed` GB (None: the machine's)."""
    need = TIMES * unpacked / GB
    limit = machine() / GB if allowed is None else allowed
    if need > limit:
        raise InputError(
            f"{path} would need about {need:,.1f} GB of memory, {limit:,.1f} GB are allowed: give "
            f"fewer rows or columns, take a larger machine, or raise data.memory_gb in "
            f"model_config.yaml (MEMORY_GB= for adopt)"
        )


def of_parquet(file: pq.ParquetFile, names: Collection[str]) -> int:
    """Unpacked bytes of the columns `names`: what a few repeated bytes stand for counts in full."""
    facts = file.metadata
    size = dict.fromkeys(names, CELL * facts.num_rows)
    stored = dict.fromkeys(names, 0)
    for group in range(facts.num_row_groups):
        for at in range(facts.num_columns):
            column = facts.row_group(group).column(at)
            name = column.path_in_schema
            name = name if name in stored else name.split(".")[0]
            if name in stored:
                stored[name] += column.total_uncompressed_size
    return sum(max(size[name], stored[name]) for name in names)


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
