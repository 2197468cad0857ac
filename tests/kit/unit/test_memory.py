"""A table that memory cannot hold is refused before it is read; one that it can hold is not."""

from __future__ import annotations

import decimal
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
from ml_template.pipeline.adoption import source
from ml_template.serving import rows
from ml_template.settings.config import Config, InputError
from ml_template.tables import memory, reading, table

ROWS, GROUPS = 500_000, 4
NEED = memory.TIMES * 2 * 8 * ROWS * GROUPS / 1e9


@pytest.fixture(scope="module")
def bomb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small file of many rows, all alike."""
    path = tmp_path_factory.mktemp("bomb") / "x.parquet"
    part = pa.table({"x": np.zeros(ROWS, np.int8), "y": np.ones(ROWS, np.int64)})
    with pq.ParquetWriter(path, part.schema, compression="zstd") as writer:
        for _ in range(GROUPS):
            writer.write_table(part)
    assert path.stat().st_size < 100_000
    return path


def config(path: Path, memory_gb: float | None) -> Config:
    data = {"path": str(path), "target": "y", "task": "binary", "classes": ["0", "1"]}
    return Config.model_validate(
        {"data": data | {"positive": "1", "memory_gb": memory_gb}}
        | {"columns": {"x": {"type": "numeric"}}}
    )


def readings(path: Path, gb: float | None) -> dict[str, Any]:
    settings = config(path, gb)
    both = dict(settings.columns) | {"y": settings.columns["x"]}
    return {
        "adopt": lambda: source.read(path, "", gb).rows,
        "prepare and monitor": lambda: table.read_raw(settings).num_rows,
        "score": lambda: next(rows.read(path, settings.data, both, ["x", "y"])),
    }


@pytest.mark.parametrize("word", readings(Path(), None))
def test_a_small_file_of_many_rows_is_refused_before_it_is_read(
    bomb: Path, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(*_: Any, **__: Any) -> NoReturn:
        raise AssertionError("it was read")

    for name in ("read", "read_row_group", "iter_batches"):
        monkeypatch.setattr(pq.ParquetFile, name, read)
    monkeypatch.setattr(memory, "machine", lambda: int(NEED * 1e9) - 1)
    says = rf"x\.parquet would need about {NEED:.1f} GB.*data\.memory_gb.*MEMORY_GB"
    with pytest.raises(InputError, match=says):
        readings(bomb, None)[word]()
    with pytest.raises(InputError, match=r"0\.1 GB are allowed"):
        readings(bomb, 0.1)[word]()


@pytest.mark.parametrize("word", readings(Path(), None))
def test_the_key_raises_the_limit_and_this_machine_holds_it(bomb: Path, word: str) -> None:
    assert readings(bomb, NEED + 0.01)[word]()
    assert readings(bomb, None)[word]()


def test_columns_that_are_not_read_do_not_count(bomb: Path) -> None:
    file = pq.ParquetFile(bomb)
    assert memory.of_parquet(file, ["x"]) == 8 * ROWS * GROUPS
    assert memory.of_parquet(file, []) == 0


def test_a_long_text_that_repeats_is_kept_once(tmp_path: Path) -> None:
    path, text = tmp_path / "x.parquet", "a" * 1_000_000
    codes = pa.array(np.arange(100_000) % 2, pa.int32())
    texts = pa.DictionaryArray.from_arrays(codes, pa.array([text, "b"]))
    pq.write_table(
        pa.table({"x": texts.cast(pa.dictionary(pa.int32(), pa.string())), "y": codes}), path
    )
    before = pa.default_memory_pool().max_memory()
    settings = config(path, None)
    described = settings.model_copy(
        update={"columns": {"x": settings.columns["x"].model_copy(update={"type": "categorical"})}}
    )
    assert table.read_raw(described).num_rows == 100_000
    assert source.read(path, "").rows == 100_000
    sent = rows.read(path, settings.data, dict(described.columns), ["x"])
    assert (
        sum(len(str(record["x"])) > 9 for _, record in sent if isinstance(record, dict)) == 50_000
    )
    assert pa.default_memory_pool().max_memory() < max(before, 1 << 30)


LONG = "a" * 10_000
REPEATED: dict[str, pa.Array] = {
    **{str(kind): pa.array([LONG] * 500, kind) for kind in (pa.string(), pa.large_string())},
    "string_view": pa.array([LONG] * 500, pa.string_view()),
    "binary": pa.array([LONG.encode()] * 500),
    "large_binary": pa.array([LONG.encode()] * 500, pa.large_binary()),
    "texts in a list": pa.array([[LONG]] * 500),
    "texts in a struct": pa.array([{"a": LONG}] * 500, pa.struct({"a": pa.large_string()})),
}


@pytest.mark.parametrize("values", REPEATED.values(), ids=REPEATED)
def test_a_long_text_of_any_type_that_repeats_is_kept_once(
    tmp_path: Path, values: pa.Array
) -> None:
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"x": values}), path)
    read = reading.parquet_table(path, reading.open_parquet(path), ["x"], 0.001)
    assert read.nbytes < 100_000


ONE = [0] * 1000
UNPACKED: dict[str, pa.Array] = {
    "bytes of one length": pa.array([LONG.encode()] * 500, pa.binary(10_000)),
    "a list": pa.array([ONE] * 500),
    "a struct": pa.array([{f"a{at}": 0 for at in range(30)}] * 9_000),
    "json": pa.array([LONG] * 500, pa.json_()),
    "long decimals": pa.array([decimal.Decimal(1)] * 90_000, pa.decimal256(76, 0)),
}


def packed(path: Path, **columns: pa.Array) -> Path:
    pq.write_table(pa.table(columns), path, compression="zstd")
    return path


@pytest.mark.parametrize("values", UNPACKED.values(), ids=UNPACKED)
def test_a_small_file_of_any_type_counts_as_what_it_stands_for(
    tmp_path: Path, values: pa.Array
) -> None:
    path = packed(tmp_path / "x.parquet", **{"x.y": values, "z": pa.array([1] * len(values))})
    assert path.stat().st_size < 100_000
    assert memory.of_parquet(reading.open_parquet(path), ["x.y"]) > 0.9 * values.nbytes > 1e6
    assert memory.of_parquet(reading.open_parquet(path), ["z"]) < 1e6
    with pytest.raises(InputError, match=r"x\.parquet would need"):
        source.read(path, "", 0.005)


def test_texts_that_are_stored_as_differences_count_as_what_they_stand_for(tmp_path: Path) -> None:
    path, values = tmp_path / "x.parquet", pa.array([LONG] * 500)
    pq.write_table(
        pa.table({"x": values}), path, use_dictionary=False, column_encoding="DELTA_BYTE_ARRAY"
    )
    assert path.stat().st_size < 100_000
    assert memory.of_parquet(reading.open_parquet(path), ["x"]) >= values.nbytes


@pytest.mark.parametrize("word", readings(Path(), None))
def test_memory_that_ends_while_a_file_is_read_is_no_fault_of_the_file(
    tmp_path: Path, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ends(*_: Any, **__: Any) -> NoReturn:
        raise pa.ArrowMemoryError("malloc of size 99 failed")

    path = packed(tmp_path / "x.parquet", x=pa.array([1] * 50), y=pa.array([0, 1] * 25))
    assert readings(path, None)[word]()
    for name in ("read", "iter_batches"):
        monkeypatch.setattr(pq.ParquetFile, name, ends)
    with pytest.raises(InputError, match=r"x\.parquet needs more memory than there is: give fewer"):
        readings(path, None)[word]()


def test_nested_columns_count_with_all_their_parts(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    lists = pa.array([list(range(1000))] * 100)
    pq.write_table(pa.table({"x": lists, "y": [1] * 100}), path, use_dictionary=False)
    assert memory.of_parquet(pq.ParquetFile(path), ["x"]) > 8 * 1000 * 100


def test_a_csv_file_counts_by_its_cells(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    pacsv.write_csv(pa.table({"x": np.zeros(100_000, int), "y": np.arange(100_000) % 2}), path)
    assert memory.of_csv(path, ",") == pytest.approx(8 * 2 * 100_000, rel=0.01)
    with pytest.raises(InputError, match=r"x\.csv would need"):
        table.read_raw(config(path, 0.001))
    with pytest.raises(InputError, match=r"x\.csv would need"):
        source.read(path, "", 0.001)
    assert table.read_raw(config(path, None)).num_rows == 100_000


GROUPED = {
    "v2": ("0::/a/b", {"memory.max": "max", "a/memory.max": "5000", "a/b/memory.max": "max"}),
    "v2 in a container": ("0::/../../kubepods/x", {"memory.max": "5000"}),
    "v1": ("4:cpu,memory:/a", {"memory/a/memory.limit_in_bytes": "5000"}),
    "v1 in a container": ("9:memory:/docker/1", {"memory/memory.limit_in_bytes": "5000"}),
    "both": (
        "3:cpu:/a\n2:memory:/a\n0::/",
        {"memory/a/memory.limit_in_bytes": "9223372036854771712", "memory.max": "5000"},
    ),
}


@pytest.mark.parametrize(("own", "files"), GROUPED.values(), ids=GROUPED)
def test_the_limit_of_the_cgroup_counts(
    own: str, files: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "_CGROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(memory, "_OWN", tmp_path / "own")
    whole = memory.machine()
    assert whole > 1 << 28
    (tmp_path / "own").write_text(own + "\n")
    for name, text in files.items():
        path = tmp_path / "cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    assert memory.machine() == 5000
