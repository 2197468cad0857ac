"""Parquet of any writer is read alike by adopt, by training and by score, or refused by name."""

from __future__ import annotations

import datetime
import decimal
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ml_template.pipeline.adoption import columns, source, target
from ml_template.pipeline.data import table_checks
from ml_template.serving import rows
from ml_template.settings.config import Column, Config, InputError
from ml_template.tables import table

N = 40
SEVEN = [None if at == 3 else at % 7 for at in range(N)]
LETTERS = [None if at == 3 else "abc"[at % 3] for at in range(N)]
TRUTH = [None if at == 3 else at % 2 == 0 for at in range(N)]
DAY = datetime.date(2024, 2, 28)
DAYS = [None if at == 3 else DAY + datetime.timedelta(at % 9) for at in range(N)]
NOON = [day and datetime.datetime.combine(day, datetime.time(12)) for day in DAYS]
ZONED = [noon and noon.replace(tzinfo=datetime.UTC) for noon in NOON]


def coded(index: pa.DataType, values: pa.Array) -> pa.Array:
    """The values under codes of the type `index`, as pandas, R and Polars have them."""
    known = values.dictionary_encode()
    return pa.DictionaryArray.from_arrays(known.indices.cast(index), known.dictionary)


def decimals(kind: pa.DataType) -> pa.Array:
    return pa.array([None if v is None else decimal.Decimal(v) for v in SEVEN], kind)


BYTES = [text and text.encode() for text in LETTERS]
VIEWS = pa.DictionaryArray.from_arrays(
    pa.array([None if v is None else "abc".index(v) for v in LETTERS], pa.uint8()),
    pa.array(["a", "b", "c"], pa.string_view()),
)
HOLED = pa.DictionaryArray.from_arrays(
    pa.array([3 if v is None else "abc".index(v) for v in LETTERS], pa.int8()),
    pa.array(["a", "b", "c", None]),
)
KINDS: list[tuple[str, str, pa.Array]] = [
    *(("numeric", str(t), pa.array(SEVEN, t)) for t in (pa.int8(), pa.uint8(), pa.uint16())),
    *(("numeric", str(t), pa.array(SEVEN, t)) for t in (pa.uint32(), pa.uint64(), pa.float32())),
    ("numeric", "half", pa.array([None if v is None else np.float16(v) for v in SEVEN])),
    *(("numeric", str(t), decimals(t)) for t in (pa.decimal32(5, 2), pa.decimal64(9, 2))),
    *(("numeric", str(t), decimals(t)) for t in (pa.decimal128(30, 4), pa.decimal256(60, 4))),
    ("numeric", "codes of numbers", coded(pa.uint8(), pa.array(SEVEN, pa.int64()))),
    ("numeric", "codes of fractions", coded(pa.int16(), pa.array(SEVEN, pa.float64()))),
    ("numeric", "codes of decimals", coded(pa.uint16(), decimals(pa.decimal128(9, 2)))),
    *(("categorical", str(t), pa.array(LETTERS, t)) for t in (pa.string(), pa.large_string())),
    ("categorical", "view", pa.array(LETTERS, pa.string_view())),
    *(("categorical", str(t), pa.array(BYTES, t)) for t in (pa.binary(), pa.large_binary())),
    *(("categorical", str(t), pa.array(BYTES, t)) for t in (pa.binary_view(), pa.binary(1))),
    *(("categorical", f"codes {t}", coded(t, pa.array(LETTERS))) for t in (pa.int8(), pa.int64())),
    *(
        ("categorical", f"codes {t}", coded(t, pa.array(LETTERS)))
        for t in (pa.uint8(), pa.uint16())
    ),
    *(
        ("categorical", f"codes {t}", coded(t, pa.array(LETTERS)))
        for t in (pa.uint32(), pa.uint64())
    ),
    ("categorical", "codes of large", coded(pa.uint8(), pa.array(LETTERS, pa.large_string()))),
    ("categorical", "json", pa.array(LETTERS, pa.json_())),
    ("boolean", "bool", pa.array(TRUTH)),
    ("boolean", "codes of bool", coded(pa.uint8(), pa.array(TRUTH))),
    *(("datetime", u, pa.array(NOON, pa.timestamp(u))) for u in ("s", "ms", "us", "ns")),
    *(("datetime", f"UTC {u}", pa.array(ZONED, pa.timestamp(u, "UTC"))) for u in ("s", "ns")),
    ("datetime", "zone", pa.array(ZONED, pa.timestamp("ms", "Europe/Berlin"))),
    ("datetime", "offset", pa.array(ZONED, pa.timestamp("us", "+05:30"))),
    *(("datetime", str(t), pa.array(DAYS, t)) for t in (pa.date32(), pa.date64())),
    ("datetime", "codes of days", coded(pa.uint8(), pa.array(DAYS))),
]
EXPECTED = {
    "numeric": [np.nan if v is None else float(v) for v in SEVEN],
    "categorical": LETTERS,
    "boolean": [np.nan if v is None else float(v) for v in TRUTH],
}


def config(path: Path, spec: dict[str, Any]) -> Config:
    data = {"path": str(path), "target": "y", "task": "binary", "classes": ["0", "1"]}
    columns_ = {"x": {"missing": True} | spec}
    return Config.model_validate({"data": data | {"positive": "1"}, "columns": columns_})


def written(folder: Path, values: pa.Array) -> Path:
    path = folder / "x.parquet"
    labels = pa.array([at // 3 % 2 for at in range(len(values))])
    pq.write_table(pa.table({"x": values, "y": labels}), path)
    return path


def scored(path: Path, settings: Config) -> list[Any]:
    """The values of the column x that score would send."""
    found = rows.read(path, settings.data, dict(settings.columns), list(settings.columns))
    records = [record for _, record in found]
    assert all(isinstance(record, dict) for record in records), records
    return [record["x"] for record in records if isinstance(record, dict)]


@pytest.mark.parametrize(
    ("kind", "values"), [pytest.param(k, v, id=f"{k}-{name}") for k, name, v in KINDS]
)
def test_a_column_of_any_writer_is_read_alike(tmp_path: Path, kind: str, values: pa.Array) -> None:
    path = written(tmp_path, values)
    adopted = columns.infer("x", source.read(path, ""), set()).column
    assert adopted is not None
    assert (adopted.type, adopted.missing) == (kind, True)
    settings = config(path, {"type": kind})
    trained = table.columns_of(table.read_raw(settings))["x"]
    expected = EXPECTED.get(kind) or (DAYS if "date" in str(values.type) else NOON)
    if kind == "datetime":
        assert trained.tolist() == [v and datetime.datetime.fromisoformat(str(v)) for v in expected]
        sent = [v and datetime.datetime.fromisoformat(v) for v in scored(path, settings)]
        assert sent == trained.tolist()
    else:
        assert all(a == b or (a != a and b != b) for a, b in zip(trained, expected, strict=True))
        answers = [None if v is None or v != v else v for v in expected]
        assert scored(path, settings) == answers


@pytest.mark.parametrize("encoding", ["DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY", "PLAIN"])
@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.binary()])
def test_texts_that_are_stored_as_differences_are_read_alike(
    tmp_path: Path, encoding: str, kind: pa.DataType
) -> None:
    path = tmp_path / "x.parquet"
    labels = pa.array(["no" if at % 2 else "yes" for at in range(N)])
    part = pa.table({"x": pa.array(LETTERS, kind), "y": labels})
    pq.write_table(part, path, use_dictionary=False, column_encoding=encoding)
    assert columns.infer("x", source.read(path, ""), set()).column == Column(
        type="categorical", missing=True, values=("a", "b", "c")
    )
    settings = config(path, {"type": "categorical"})
    assert table.columns_of(table.read_raw(settings))["x"].tolist() == LETTERS
    assert scored(path, settings) == LETTERS


@pytest.mark.parametrize("encoding", ["DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY"])
def test_a_form_that_arrow_does_not_read_is_not_called_damaged(
    tmp_path: Path, encoding: str
) -> None:
    path = tmp_path / "x.parquet"
    part = pa.table({"x": pa.array(LETTERS).dictionary_encode(), "y": pa.array(["no"] * N)})
    pq.write_table(part, path, use_dictionary=False, column_encoding={"x": encoding})
    settings = config(path, {"type": "categorical"})
    says = r"x\.parquet holds a column in a form that Arrow does not read .*: write it again"
    for read in (lambda: source.read(path, ""), lambda: table.read_raw(settings)):
        with pytest.raises(InputError, match=says):
            read()
    with pytest.raises(InputError, match=r"x\.parquet cannot be read"):
        scored(path, settings)


MOMENTS = pa.array([0] * (N - 1) + [900_000_000_000], pa.int64())
LATIN = pa.array([b"a", b"Zo\xeb"] * (N // 2), pa.large_binary())
UNFIT: dict[str, pa.Array] = {
    "nested in a list": pa.array([[1, 2]] * N),
    "a struct": pa.array([{"a": 1}] * N),
    "a map": pa.array([[("a", 1)]] * N, pa.map_(pa.string(), pa.int64())),
    "lengths of time": pa.array([datetime.timedelta(at % 5) for at in range(N)]),
    "bytes": pa.array([b"\xff\x00"] * N),
    "bytes of one length": pa.array([b"\xff\xfe"] * N, pa.binary(2)),
    "texts of another encoding": pa.array([b"a", b"Zo\xeb"] * (N // 2)).view(pa.string()),
    "half a letter": pa.array([b"a", b"\xed\xa0\x80"] * (N // 2)).view(pa.string()),
    "large texts of another encoding": LATIN.view(pa.large_string()),
    "texts of another encoding in a view": LATIN.cast(pa.binary_view()).view(pa.string_view()),
    "times that no datetime can say": MOMENTS.cast(pa.timestamp("s")),
    "days that no date can say": pa.array([0] * (N - 1) + [2**30], pa.int32()).cast(pa.date32()),
}


@pytest.mark.parametrize("values", UNFIT.values(), ids=UNFIT)
def test_what_is_no_number_time_or_text_is_left_out_and_refused_by_name(
    tmp_path: Path, values: pa.Array
) -> None:
    path = written(tmp_path, values)
    found = columns.infer("x", source.read(path, ""), set())
    assert found.column is None
    assert found.reason.startswith("it holds")
    assert "dictionary" not in found.reason
    for kind in ("numeric", "categorical", "datetime", "boolean", "text"):
        settings = config(path, {"type": kind})
        with pytest.raises(InputError, match=r"x\.parquet: column 'x' holds"):
            table.read_raw(settings)
        with pytest.raises(InputError, match=r"x\.parquet: column 'x' holds"):
            scored(path, settings)


def test_a_target_that_is_no_utf_8_is_refused_by_name(tmp_path: Path) -> None:
    path = written(tmp_path, LATIN.view(pa.large_string()))
    with pytest.raises(InputError, match=r"target 'x' holds string that is no UTF-8 text: classes"):
        target.decide("x", source.read(path, ""), set(), "")
    whole = pa.array(["a", "Zo\u00eb \U0001f600"] * (N // 2), pa.large_string())
    found = target.decide("x", source.read(written(tmp_path, whole), ""), set(), "")
    assert sorted(found.classes) == ["Zo\u00eb \U0001f600", "a"]


def test_a_column_without_any_value_is_left_out_and_may_be_read(tmp_path: Path) -> None:
    path = written(tmp_path, pa.nulls(N))
    assert columns.infer("x", source.read(path, ""), set()).reason == "it holds no value"
    for kind in ("numeric", "categorical", "datetime", "boolean"):
        settings = config(path, {"type": kind})
        assert table.read_raw(settings)["x"].null_count == N
        assert scored(path, settings) == [None] * N


def test_clocks_and_unique_identifiers_are_texts(tmp_path: Path) -> None:
    clocks = pa.array([datetime.time(at % 3) for at in range(N)])
    path = written(tmp_path, clocks)
    assert columns.infer("x", source.read(path, ""), set()).column == Column(
        type="categorical", values=("00:00:00.000000", "01:00:00.000000", "02:00:00.000000")
    )
    assert scored(path, config(path, {"type": "categorical"}))[4] == "01:00:00.000000"
    names = [uuid.UUID(int=at // 2) for at in range(N)]
    from_storage = pa.array([name.bytes for name in names], pa.binary(16))
    path = written(tmp_path, pa.ExtensionArray.from_storage(pa.uuid(), from_storage))
    settings = config(path, {"type": "categorical"})
    assert scored(path, settings) == [str(name) for name in names]
    assert table.columns_of(table.read_raw(settings))["x"].tolist() == [str(n) for n in names]


def test_whole_numbers_beyond_those_of_a_float_are_the_nearest_float(tmp_path: Path) -> None:
    values = pa.array([2**53 + 1 + at % 7 for at in range(N)], pa.uint64())
    path = written(tmp_path, values)
    assert "too long" in columns.infer("x", source.read(path, ""), set()).reason
    settings = config(path, {"type": "numeric"})
    expected = [float(value) for value in values.to_pylist()]
    assert table.columns_of(table.read_raw(settings))["x"].tolist() == expected
    assert scored(path, settings) == expected


def test_score_says_a_time_in_the_form_of_its_column(tmp_path: Path) -> None:
    path = written(tmp_path, pa.array(NOON, pa.timestamp("ns")))
    sent = scored(path, config(path, {"type": "datetime", "format": "%d.%m.%Y %H:%M"}))
    assert (sent[0], sent[3]) == ("28.02.2024 12:00", None)


def test_what_only_arrow_in_memory_can_hold_is_read_too() -> None:
    from ml_template.tables.arrow import plain

    ends = pa.RunEndEncodedArray.from_arrays(pa.array([2, 3], pa.int32()), ["a", "b"])
    assert plain(pa.chunked_array([ends])).to_pylist() == ["a", "a", "b"]
    assert plain(pa.chunked_array([], pa.large_string())).type == pa.string()
    for values in (VIEWS, HOLED):
        assert plain(pa.chunked_array([values, values])).to_pylist() == LETTERS * 2


def test_not_a_number_is_missing_in_labels_for_score_too(tmp_path: Path) -> None:
    path = written(tmp_path, pa.array([float("nan"), *([1.5] * (N - 1))]))
    settings = config(path, {"type": "categorical"})
    assert scored(path, settings)[:2] == [None, "1.5"]
    assert table.columns_of(table.read_raw(settings))["x"][:2].tolist() == [None, "1.5"]


CODES = ["123456789012", "-40123456789", "9007199254740991", "7", "0", "0.5"]


@pytest.mark.parametrize("codes", [CODES[:-1], CODES], ids=["whole", "one is none"])
def test_long_codes_stored_as_floats_are_the_texts_of_a_csv_file(
    tmp_path: Path, codes: list[str]
) -> None:
    texts = [None if at == 3 else codes[at % len(codes)] for at in range(N)]
    path = written(tmp_path, pa.array([np.nan if v is None else float(v) for v in texts]))
    assert set(source.read(path, "").texts("x").values) == {*codes, "nan"}
    settings = config(path, {"type": "categorical"})
    assert scored(path, settings) == texts
    assert table.columns_of(table.read_raw(settings))["x"].tolist() == texts


def test_floats_that_hold_no_exact_whole_number_keep_their_form(tmp_path: Path) -> None:
    values = pa.array([1e16, 2.5e-7, float("inf"), None] * 10)
    path = written(tmp_path, values)
    sent = scored(path, config(path, {"type": "categorical"}))
    assert sent[:4] == ["1e+16", "2.5e-7", "inf", None]


def test_row_groups_without_rows_and_another_ending_are_no_matter(tmp_path: Path) -> None:
    path = tmp_path / "x.pq"
    part = pa.table({"x": SEVEN, "y": [at // 3 % 2 for at in range(N)]})
    with pq.ParquetWriter(path, part.schema) as writer:
        for rows_ in (0, N, 0):
            writer.write_table(part.slice(0, rows_))
    settings = config(path, {"type": "numeric"})
    assert source.read(path, "").rows == N
    assert table.read_raw(settings).num_rows == N
    assert len(scored(path, settings)) == N


def test_no_rows_are_named(tmp_path: Path) -> None:
    path = written(tmp_path, pa.array([], pa.dictionary(pa.uint8(), pa.string())))
    settings = config(path, {"type": "categorical"})
    with pytest.raises(InputError, match="no rows"):
        source.read(path, "")
    with pytest.raises(InputError, match="no rows"):
        table.read_raw(settings)
    assert scored(path, settings) == []


def test_a_name_that_stands_twice_is_refused_and_one_nobody_needs_is_not(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    values, labels = pa.array(SEVEN), pa.array([0, 1] * 20)
    pq.write_table(pa.Table.from_arrays([values, values, labels], ["x", "x", "y"]), path)
    settings = config(path, {"type": "numeric"})
    for read in (
        lambda: source.read(path, ""),
        lambda: table.read_raw(settings),
        lambda: scored(path, settings),
    ):
        with pytest.raises(InputError, match=r"x\.parquet: the column 'x' stands twice"):
            read()
    pq.write_table(
        pa.Table.from_arrays([values, values, values, labels], ["z", "z", "x", "y"]), path
    )
    assert table.read_raw(settings).num_rows == N
    assert len(scored(path, settings)) == N


def test_a_name_with_a_point_is_not_taken_for_a_part_of_another(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"a": SEVEN, "a.b": [9.5] * N, "x": SEVEN, "y": [0, 1] * 20}), path)
    both = {name: Column(type="numeric", missing=True) for name in ("a", "x")}
    sent = rows.read(path, config(path, {"type": "numeric"}).data, both, ["a", "x"])
    numbers = [None if v is None else float(v) for v in SEVEN]
    assert [record for _, record in sent] == [{"a": v, "x": v} for v in numbers]


def test_the_index_of_pandas_is_no_column(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    frame = pd.DataFrame({"x": pd.Categorical(LETTERS), "y": [0, 1] * 20})
    frame.sample(frac=1, random_state=1).to_parquet(path)
    found = source.read(path, "")
    assert "__index_level_0__" in found.columns
    assert "index that pandas kept" in columns.infer("__index_level_0__", found, set()).reason
    settings = config(path, {"type": "categorical"})
    assert list(table_checks.unknown_columns(settings.model_copy(deep=True))) == []
    assert table.read_raw(settings).num_rows == N
    assert len(scored(path, settings)) == N


def test_names_that_were_numbers_are_texts(tmp_path: Path) -> None:
    frame = pd.DataFrame(np.arange(80.0).reshape(40, 2) % 7).rename(columns=str)
    frame.to_parquet(tmp_path / "x.parquet")
    assert list(source.read(tmp_path / "x.parquet", "").columns) == ["0", "1"]


@pytest.mark.parametrize("magic", [b"ARROW1\0\0", b"ORC", b"Obj\x01"])
def test_other_forms_of_tables_are_named(tmp_path: Path, magic: bytes) -> None:
    (tmp_path / "x.feather").write_bytes(magic + b"\0" * 99)
    with pytest.raises(InputError, match="save its table as CSV or Parquet"):
        source.read(tmp_path / "x.feather", "")
