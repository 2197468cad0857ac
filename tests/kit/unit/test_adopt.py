"""A table nobody has described gets a model_config.yaml that reads it, and traps are left out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ml_template.model.contract import CONTRACT, accepted
from ml_template.pipeline.adoption import adopt, columns, source, times
from ml_template.registry import versioning
from ml_template.settings.config import Config, InputError, load_config
from ml_template.tables import table

ROWS = 200
RANDOM = np.random.default_rng(3)
TRACK = versioning.add
Cells = dict[str, list[object]]


@pytest.fixture(autouse=True)
def _untracked(in_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versioning, "add", lambda path: None)


def cells(**more: list[object]) -> Cells:
    """A table with an honest feature and the target `y`."""
    size = RANDOM.normal(size=ROWS)
    labels = np.where(size + RANDOM.normal(size=ROWS) > 1, "yes", "no")
    return {"size": [f"{value:.3f}" for value in size], **more, "y": labels.tolist()}


def write(columns: Cells, delimiter: str = ",", encoding: str = "utf-8") -> Path:
    lines = [columns.keys(), *zip(*columns.values(), strict=True)]
    path = Path("my table.csv")
    text = "\n".join(delimiter.join(map(str, line)) for line in lines) + "\n"
    path.write_bytes(text.encode(encoding))
    return path


def adopted(path: Path, target: str = "y", **more: str) -> Config:
    """The configuration `adopt` writes, once every column it names has really been read."""
    adopt.run({"DATA": str(path), "TARGET": target, **more})
    config = load_config()
    table.read_raw(config)
    return config


def cycle(*values: object) -> list[object]:
    return [values[at % len(values)] for at in range(ROWS)]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (cycle(18, 35.5, 70, "-3e2"), "numeric"),
        (cycle(1, 2, "?", "NA", ""), "numeric"),
        (cycle(7, "unknown", 9, 11), "numeric"),
        (cycle("red", "green", "blue"), "categorical"),
        (cycle("00501", "94105", "10001"), "categorical"),
        (cycle("Y", "N"), "boolean"),
        (cycle("True", "False", ""), "boolean"),
        (cycle(0, 1), "boolean"),
        (cycle("2026-01-31", "2025-12-01"), "datetime"),
        (cycle("31.01.2026 10:30", "01.12.2025 08:00"), "datetime"),
        (cycle("Jan 31 2026", "Dec 1 2025"), "datetime"),
    ],
)
def test_the_type_of_a_column_is_found(values: list[object], kind: str) -> None:
    assert adopted(write(cells(x=values))).columns["x"].type == kind


def moments(every: str, count: int = ROWS, form: str = "%Y-%m-%dT%H:%M") -> list[object]:
    step = np.datetime64("2023-03-01", "m") + np.arange(count) * np.timedelta64(1, every)
    return [moment.strftime(form) for moment in step.astype("M8[us]").tolist()]


@pytest.mark.parametrize(
    ("times", "parts"),
    [
        (moments("h"), ("hour", "weekday")),
        (moments("h")[:24] * 9, ()),  # one day
        (moments("h")[:72] * 3, ("hour",)),  # three days
        (moments("D"), ("weekday",)),  # 200 days
        (moments("D", 280), ("weekday", "month", "day_of_year")),
        (moments("D", 280, "%d.%m.%Y"), ("weekday", "month", "day_of_year")),
        ([text for text in moments("D", 280) if str(text)[8:10] == "01"] * 30, ("month",)),
        ([f"{year}-06-30" for year in range(1990, 2020)] * 10, ()),
        (moments("W", 60) * 4, ("month", "day_of_year")),
        ([*moments("h")[:-1], ""], ("hour", "weekday")),
    ],
)
def test_the_parts_that_come_again_in_a_time_are_features(
    times: list[object], parts: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    size = RANDOM.normal(size=len(times))
    labels = np.where(size + RANDOM.normal(size=len(times)) > 1, "yes", "no")
    found = adopted(write({"size": size.tolist(), "when": times, "y": labels.tolist()}))
    assert found.columns["when"].parts == parts
    assert found.columns["when"].clock == "utc"
    said = f"{', '.join(parts)} made of it" if parts else "only the instant is used"
    assert f"times of 'when': {said}" in capsys.readouterr().out
    assert said in Path("model_config.yaml").read_text(encoding="utf-8")


FORMS = """
%d.%m.%Y, %H:%M:%S|%m/%d/%Y, %I:%M:%S %p|%m/%d/%Y %I:%M%p|%d/%m/%Y %Hh%M|%Y-%m-%d %H:%M UTC
%a, %d %b %Y %H:%M:%S GMT|%d/%b/%Y:%H:%M:%S +0000|%d%b%Y:%H:%M:%S|%A, %d %B %Y %H:%M
%m/%d/%y %I:%M %p|%d/%m/%Y %H:%M|%m/%d/%Y
"""


@pytest.mark.parametrize("form", FORMS.replace("\n", "|").strip("|").split("|"))
def test_a_time_as_people_write_it_is_read(form: str) -> None:
    column = adopted(write(cells(when=moments("h", form=form)), ";")).columns["when"]
    timed = ("hour", "weekday") if "%M" in form else ("weekday",)
    assert (column.type, column.parts) == ("datetime", timed)


def test_a_time_of_day_is_read_and_said_to_be_a_guess() -> None:
    column = adopted(write(cells(opens=moments("h", form="%H:%M")))).columns["opens"]
    assert (column.type, column.format) == ("datetime", "%H:%M")
    assert "a time of day is a guess" in Path("model_config.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "unit", "says"),
    [
        ("timestamp", 1, "1677628800 looks like seconds since 1970"),
        ("created_at", 1000, "1677628800000 looks like milliseconds since 1970"),
        ("date_income", 0.001, ""),
        ("amount", 1, ""),
    ],
)
def test_seconds_since_1970_are_named_with_the_remedy(
    name: str, unit: float, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    counts = [int((1_677_628_800 + 7_200 * (at // 2)) * unit) for at in range(ROWS)]
    assert adopted(write(cells(**{name: counts}))).columns[name].type == "numeric"
    said = capsys.readouterr().out
    assert says in said if says else "since 1970" not in said


@pytest.mark.parametrize(
    ("zones", "clock"),
    [(("+01:00", "+02:00"), "written"), (("-05:00",), "written"), (("Z", "+00:00"), "utc")],
)
def test_hours_are_of_the_local_time_where_times_name_their_zone(
    zones: tuple[str, ...], clock: str
) -> None:
    times = [f"{text}{zones[at % len(zones)]}" for at, text in enumerate(moments("h"))]
    found = adopted(write(cells(when=times)))
    assert found.columns["when"].clock == clock
    read = table.columns_of(table.read_raw(found))["when"]
    assert read.astype("M8[h]").astype(int).tolist() == [
        int(hour) for hour in np.array(moments("h"), "M8[h]").astype(int)
    ]


@pytest.mark.parametrize("kind", [pa.date32(), pa.timestamp("s"), pa.timestamp("ns", "Asia/Tokyo")])
def test_stored_times_have_their_parts_too(kind: pa.DataType) -> None:
    stored = np.datetime64("2023-01-01T00:30", "s") + np.arange(ROWS) * np.timedelta64(1, "h")
    times = pa.array(stored if kind != pa.date32() else stored.astype("M8[D]")).cast(kind)
    plain = cells()
    pq.write_table(pa.table({**plain, "when": times}), "stored.parquet")
    found = adopted(Path("stored.parquet"))
    timed = ("hour", "weekday") if kind != pa.date32() else ("weekday",)
    assert found.columns["when"].parts == timed
    first = table.columns_of(table.read_raw(found))["when"][0]
    assert str(first) == {
        pa.date32(): "2023-01-01T00:00:00.000000",
        pa.timestamp("s"): "2023-01-01T00:30:00.000000",
    }.get(kind, "2023-01-01T09:30:00.000000")


@pytest.mark.parametrize(("letters", "limit"), [(10_000, 10_000), (12_345, 12_345)])
def test_a_category_longer_than_texts_usually_are_has_its_own_limit(
    letters: int, limit: int
) -> None:
    config = adopted(write(cells(x=cycle("red", "g" * letters, "blue"))))
    assert config.columns["x"].max_length == limit
    assert ("max_length:" in Path("model_config.yaml").read_text()) == (limit > 10_000)


@pytest.mark.parametrize(
    ("name", "values", "reason"),
    [
        ("Unnamed: 0", list(range(ROWS)), "numbers the rows"),
        ("PassengerId", [at * 37 % 7919 for at in range(ROWS)], "identifier"),
        ("token", [f"{at * 7919:08x}" for at in range(ROWS)], "identifier"),
        ("name", [f"person {at % 60}" for at in range(ROWS)], "people"),
        ("flat", cycle("same"), "same value"),
        ("__row__", cycle(1, 2, 3), "row numbers"),
        ("rare", [*[""] * (ROWS - 2), 4, 5], "only 2 of 200 rows"),
        ("gone", cycle(""), "no value"),
        ("_is_test", cycle("True", "False", "False"), "split mark"),
        ("part", cycle("train", "test", "train"), "split mark"),
        ("note", [f"some words about row {at} and more" for at in range(ROWS)], "free text"),
        ("paid", [f"{'$€'[at % 2]}{at * 13}.50" for at in range(ROWS)], "not of one unit"),
        ("more", [f">{at * 13}.50" for at in range(ROWS)], "plain numbers"),
        ("when", cycle("2026-01-31", "12/24/2025"), "not all of one form"),
    ],
)
def test_a_trap_is_left_out_with_its_reason(
    name: str, values: list[object], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    config = adopted(write(cells(**{name: values})))
    assert name not in config.columns
    assert reason in config.left_out[name]
    assert reason in capsys.readouterr().out


@pytest.mark.parametrize(
    ("values", "odd"),
    [
        ([*range(1000, 2200), "5 kg"], "row 1,201 holds '5 kg'"),
        ([-12, 12.5, *(f"{at % 30} kg" for at in range(200))], "written like '0 kg'"),
        (
            ["none of it", *(f"{at % 30} kg" for at in range(200))],
            "numbers like '0 kg', but row 1 holds 'none of it'",
        ),
        ([-12, 12.5, *(f"{at % 30 + 4},000 kg" for at in range(200))], "written like '4,000 kg'"),
    ],
)
def test_the_value_that_is_shown_is_the_one_at_fault(values: list[object], odd: str) -> None:
    path = write({"w": values * 2, "y": ["a", "b"] * len(values)}, ";")
    found = columns.infer("w", source.read(path, ""), set())
    assert odd in found.reason


@pytest.mark.parametrize(
    "values", [[f"0{10 + at % 30}" for at in range(ROWS)], [10 + at % 30 for at in range(ROWS)]]
)
def test_many_codes_of_digits_are_categories(values: list[object]) -> None:
    assert adopted(write(cells(zone=values))).columns["zone"].type == "categorical"


def test_columns_that_give_the_target_away_are_left_out() -> None:
    columns = cells()
    columns["copy"] = [1 if label == "yes" else 0 for label in columns["y"]]
    config = adopted(write(columns))
    assert list(config.columns) == ["size"]
    assert "copy of the target" in config.left_out["copy"]


def test_next_year_may_be_a_little_outside_of_what_was_seen_but_not_in_another_unit() -> None:
    column = adopted(write(cells(age=[20 + at % 60 for at in range(ROWS)]))).columns["age"]
    assert column.min == 0
    assert column.max is not None
    assert 100 < column.max < 1000


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(-1e308, 1e308, (None, None)), (5e-324, 5e-324, (0, 1e-323)), (-3, 0.3, (-6.3, 3.6))],
)
def test_limits_end_where_numbers_do(
    low: float, high: float, expected: tuple[float | None, float | None]
) -> None:
    assert tuple(columns.limits(low, high)) == expected


@pytest.mark.parametrize("name", ["no", "1.5", "a: b", "#x", "x y", "a.b", "größe ☃", "~", " pad "])
def test_any_column_name_survives_the_file(name: str) -> None:
    assert name in adopted(write(cells(**{name: cycle(1, 2, 3)}))).columns


def test_a_european_export_is_read() -> None:
    columns = cells(city=cycle("Köln", "Nîmes"))
    columns["size"] = [str(value).replace(".", ",") for value in columns["size"]]
    config = adopted(write(columns, ";", "cp1252"), ENCODING="cp1252")
    assert (config.data.delimiter, config.data.decimal) == (";", ",")
    assert config.columns["size"].type == "numeric"
    assert config.columns["city"].values == ("Köln", "Nîmes")


@pytest.mark.parametrize(
    ("labels", "task", "positive"),
    [
        (cycle("good", "good", "bad"), "binary", "bad"),
        (cycle("1", "0", "0"), "binary", "1"),
        (cycle("1", "1", "2"), "binary", "2"),
        (cycle("low", "mid", "top"), "multiclass", None),
        (cycle(3, 4, 5, 6), "multiclass", None),
        ([at * 1.5 for at in range(ROWS)], "regression", None),
        ([at % 30 for at in range(ROWS)], "regression", None),
    ],
)
def test_the_task_and_the_positive_class_are_chosen(
    labels: list[object], task: str, positive: str | None
) -> None:
    data = adopted(write(cells() | {"y": labels})).data
    assert (data.task, data.positive) == (task, positive)


def test_task_overrides_the_choice() -> None:
    path = write(cells() | {"y": cycle(3, 4, 5, 6)})
    assert adopted(path, TASK="regression").data.task == "regression"


@pytest.mark.parametrize(("y", "said"), [(1.5, True), (0, False)])
def test_a_regression_is_told_of_its_keys_and_none_of_them_is_set(y: float, said: bool) -> None:
    values = [f"{at * y:.1f}" for at in range(ROWS)] if y else cells()["y"]
    config = adopted(write(cells() | {"y": values}))
    assert ("target: log =" in Path("model_config.yaml").read_text(encoding="utf-8")) == said
    assert config.model.target is config.model.quantile is None


def test_a_column_that_groups_rows_is_no_feature_and_said_so(
    capsys: pytest.CaptureFixture[str],
) -> None:
    config = adopted(write(cells(rooms_no=[at % 60 for at in range(ROWS)])))
    assert not config.columns["rooms_no"].feature
    assert "not a feature 'rooms_no': identifies 60 groups" in capsys.readouterr().out


def test_a_target_named_like_the_row_numbers_is_refused() -> None:
    columns = cells()
    columns["__row__"] = columns.pop("y")
    with pytest.raises(InputError, match="rename it"):
        adopted(write(columns), "__row__")


def test_a_sensitive_column_is_kept_from_the_model() -> None:
    path = write(cells(sex=cycle("f", "m", "m")))
    config = adopted(path, SENSITIVE="sex")
    assert config.sensitive == ("sex",)
    assert not config.columns["sex"].feature
    assert adopted(path, SENSITIVE="").sensitive == ()


def test_parquet_is_read_and_what_cannot_be_learned_from_is_left_out() -> None:
    data = pa.table(
        {
            "size": RANDOM.normal(size=ROWS),
            "when": pa.array(np.arange(ROWS).astype("M8[h]").astype("M8[us]")),
            "code": pa.array([str(at % 4) + "x" for at in range(ROWS)]).dictionary_encode(),
            "list": [[1, 2]] * ROWS,
            "took": pa.array(range(ROWS), pa.duration("s")),
            "y": [at % 3 == 0 for at in range(ROWS)],
        }
    )
    pq.write_table(data, "my.parquet")
    config = adopted(Path("my.parquet"))
    found = {name: column.type for name, column in config.columns.items()}
    assert found == {"size": "numeric", "when": "datetime", "code": "categorical"}
    assert set(config.left_out) == {"list", "took"}
    assert config.data.positive == "true"


def test_the_table_is_copied_under_a_plain_name_and_its_place_is_nowhere_written() -> None:
    path = write(cells()).resolve()
    assert adopted(path).data.path == "data/my-table.csv"
    assert str(path.parent) not in Path("model_config.yaml").read_text(encoding="utf-8")


def test_adopting_again_keeps_the_old_configuration_and_the_data_in_place() -> None:
    adopted(write(cells()))
    first = Path("model_config.yaml").read_bytes()
    adopted(Path("data/my-table.csv"), TASK="multiclass")
    assert Path("model_config.yaml.bak").read_bytes() == first
    assert sorted(path.name for path in Path("data").iterdir()) == ["my-table.csv"]


OWN = """\
# no group of fewer than 25 leaves this house
report: {min_cell: 25}
seed: 11  # ours
notification:
  # agreed with operations
  runs: failures
compute: {
  threads: 2
}
"""


def test_keys_that_are_not_of_one_table_are_kept_with_their_comments(
    capsys: pytest.CaptureFixture[str],
) -> None:
    adopted(write(cells()))
    path = Path("model_config.yaml")
    path.write_text(path.read_text().split("\ncompute:")[0] + "\n" + OWN)
    Path("data/my-table.csv").unlink()
    capsys.readouterr()
    config = adopted(write(cells(x=[*cycle("red", "blue")[:-24], *["grey"] * 24])))
    assert (config.report.min_cell, config.seed, config.compute.threads) == (25, 11, 2)
    assert config.notification.runs == "failures"
    text = path.read_text()
    assert OWN.split("compute")[0].partition("seed")[0] in text
    assert "seed: 11  # ours\n" in text
    assert "  # agreed with operations\n  runs: failures\n" in text
    said = capsys.readouterr().out
    assert "kept from the old one: report, seed, notification, compute" in said
    assert "'x': 'grey'" in said  # by the limit that is kept
    adopted(Path("data/my-table.csv"))
    assert path.read_text() == text


def test_of_a_configuration_that_is_not_valid_nothing_is_kept(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("model_config.yaml").write_text("report: {min_cell: many}\n")
    assert adopted(write(cells())).report.min_cell == 10
    said = capsys.readouterr().out
    assert "nothing of it is kept" in said


def test_requests_of_the_table_before_are_removed_and_it_is_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    CONTRACT.parent.mkdir()
    CONTRACT.write_text("{}")
    adopted(write(cells()))
    assert not CONTRACT.exists()
    assert "models/contract.json is removed" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"x,y\n", "no rows"),
        (b"x,x,y\n1,2,3\n", "'x' stands twice"),
        (b"x,y\n1,a\n2\n", "Row #3"),
        (b"x,y\n\xe9,1\n", "ENCODING=latin-1"),
        (b"PK\x03\x04 y", "cannot be unpacked"),
        (b'{"x": 1}', "is JSON: save its table as CSV"),
        (b"<html><table>", "is a web page: save its table as CSV"),
        (b"x,z\n1,a\n2,b\n", "no such column"),
        (b"4.5,yes,7\n4.6,no,8\n", "add a line with the column names"),
        (b"x,y\n1,a\n2,a\n", "one value only"),
        (b"x,y\n" + b"1,a\n" * 30 + b"2,b\n", "'b' has 1 row"),
        (b"x,y\n" + b"1,a\n2,A\n" * 15, "'A' and 'a' differ in writing only"),
        (b"x,y\n" + b"1,0\n2,1\n3,1.0\n" * 9, "'1' and '1.0' differ in writing only"),
        (b"x,y\n" + b"1,0\n2,1\n" * 15 + b"3,1.0\n", "'1' and '1.0' differ in writing only"),
        (b"x,y\n" + b"1,2026-01-31\n2,2025-12-01\n3,2024-12-01\n" * 9, "holds times"),
        (b"x,y\n1,a\n2,b\n", "2 rows with a value are too few"),
        (b"# made by hand\nx,y\n1,a\n2,b\n", "line 2, 'x,y': remove the lines above it"),
        (b"# made by hand\nx\n1\n2\n", "'# made by hand', is one column"),
    ],
)
def test_a_hopeless_file_is_refused_and_nothing_is_written(content: bytes, message: str) -> None:
    Path("my.csv").write_bytes(content)
    with pytest.raises(InputError, match=message):
        adopted(Path("my.csv"))
    assert [path.name for path in Path.cwd().iterdir()] == ["my.csv"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"TARGET": "Y"}, "did you mean 'y'"),
        ({"SENSITIVE": "siez"}, "did you mean 'size'"),
        ({"SENSITIVE": "SIEZ"}, "did you mean 'size'"),
        ({"SENSITIVE": "sex"}, "no such column; it has 'size', 'y'"),
        ({"SENSITIVE": "y"}, "is the target"),
        ({"TASK": "guess"}, "choose one of"),
        ({"TASK": "regression"}, "is not a number"),
        ({"ENCODING": "klingon"}, "no such encoding"),
        ({"ENCODING": "utf-16"}, "is not utf-16 text"),
        ({"DATA": "missing.csv"}, "missing.csv is missing"),
        ({"DATA": ""}, "DATA is not given"),
    ],
)
def test_a_wrong_argument_is_named(arguments: dict[str, str], message: str) -> None:
    path = write(cells())
    with pytest.raises(InputError, match=message):
        adopt.run({"DATA": str(path), "TARGET": "y"} | arguments)


def test_values_of_few_rows_are_named_and_how_to_leave_them_out(
    capsys: pytest.CaptureFixture[str],
) -> None:
    common = cycle("red", "blue")
    config = adopted(write(cells(x=[*common[:-9], *["Ann Example"] * 9], z=common)))
    assert "Ann Example" in (config.columns["x"].values or ())
    said = capsys.readouterr().out
    assert "values of fewer than 10 rows are listed in model_config.yaml" in said
    assert "'x': 'Ann Example'\n" in said
    assert "'z'" not in said
    assert "remove them from `values`" in said
    left = config.columns["x"].model_copy(update={"values": ("red", "blue")})
    assert accepted(left, ["red", "Ann Example"]) == ["red", "blue"]


def test_classes_of_few_rows_are_named_too(capsys: pytest.CaptureFixture[str]) -> None:
    columns = cells()
    columns["y"] = [*cycle("well", "ill")[:-9], *["Huntington"] * 9]
    adopted(write(columns))
    said = capsys.readouterr().out
    assert "values of fewer than 10 rows are listed in model_config.yaml" in said
    assert "'y': 'Huntington'\n" in said
    assert "join one with another" in said
    assert "from `values`" not in said


def test_values_of_enough_rows_are_not_named(capsys: pytest.CaptureFixture[str]) -> None:
    adopted(write(cells(x=[*cycle("red", "blue")[:-10], *["grey"] * 10])))
    assert "fewer than" not in capsys.readouterr().out


def test_rows_without_a_label_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    columns = cells()
    columns["y"][:3] = ["", "", ""]
    adopted(write(columns))
    assert "3 rows have none" in capsys.readouterr().out


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # inside of DVC
def test_the_data_is_tracked_with_dvc_or_nothing_is_left_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(versioning, "add", TRACK)
    path = write(cells())
    with pytest.raises(InputError, match="DVC repository"):  # there is no DVC yet
        adopted(path)
    assert not Path("model_config.yaml").exists()
    assert not any(Path("data").glob("*.csv"))
    subprocess.run([sys.executable, "-m", "dvc", "init", "--quiet", "--no-scm"], check=True)
    adopted(path)
    assert Path("data/my-table.csv.dvc").exists()


def test_another_table_in_the_same_place_is_not_overwritten() -> None:
    Path("data").mkdir()
    Path("data/my-table.csv").write_text("precious\n", encoding="utf-8")
    with pytest.raises(InputError, match="is another table"):
        adopted(write(cells()))
    assert Path("data/my-table.csv").read_text(encoding="utf-8") == "precious\n"


def test_a_long_date_of_america_is_a_time() -> None:
    assert times.time_format(["Tuesday, July 16, 2024", "Friday, March 1, 2024"]) == (
        "%A, %B %d, %Y",
        "",
    )
