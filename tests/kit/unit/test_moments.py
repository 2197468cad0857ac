"""Parts of a time: what they are, that they are features, and that a normal week is no drift."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from unittest.mock import Mock

import numpy as np
import pyarrow as pa
import pytest
from ml_template.model import moments
from ml_template.model.encoder import Encoder, Encoding
from ml_template.model.profile import profile
from ml_template.operations import drift
from ml_template.pipeline.data.split import rule
from ml_template.pipeline.evaluation import importance, response
from ml_template.pipeline.training.encoding import fit
from ml_template.serving.fields import Fields
from ml_template.settings.config import Column, Config
from ml_template.settings.oversight import Monitoring
from ml_template.tables.arrays import parse_datetime
from ml_template.tables.arrow import UnfitError, typed
from ml_template.tables.schema import sent

ALL = ("hour", "weekday", "day", "month", "day_of_year")
WHEN = Column(type="datetime", missing=True, parts=ALL)
EDGES = ["0001-01-01", "9999-12-31T23:59:59.999999", "1969-12-31T23:59:59.999999", "NaT",
         "2024-02-29T14:30", "1900-03-01", "2000-12-31T00:00:59"]  # fmt: skip


def column(*values: str) -> np.ndarray:
    return np.array(values, "M8[us]")


def encoder(values: np.ndarray, encoding: Encoding, **more: Any) -> Encoder:
    wanted = WHEN.model_copy(update=more)
    return fit({"when": values}, ["when"], set(), encoding, moments={"when": wanted})


@pytest.mark.parametrize(
    ("moment", "parts"),
    [
        ("2024-02-29T14:30:59", [14.5, 4, 29, 2, 60]),  # a Thursday
        ("2023-12-31T23:59", [23 + 59 / 60, 7, 31, 12, 365]),
        ("1969-12-31T23:59:59.999999", [23 + 59 / 60, 3, 31, 12, 365]),
        ("0001-01-01", [0, 1, 1, 1, 1]),
        ("NaT", [np.nan] * 5),
    ],
)
def test_the_parts_are_those_of_a_calendar(moment: str, parts: list[float]) -> None:
    matrix = encoder(column("2024-01-01", moment), "ordinal", instant=False).apply(
        {"when": column(moment, moment)}
    )
    np.testing.assert_array_equal(matrix, [parts, parts])


def test_any_moment_has_the_parts_that_python_gives_it() -> None:
    drawn = np.random.default_rng(1).integers(-(2**55), 2**55, 3000).astype("M8[us]")
    for found, moment in zip(moments.numbers(drawn, "day_of_year"), drawn.tolist(), strict=True):
        assert found == int(moment.strftime("%j"))
    assert moments.numbers(drawn, "weekday").tolist() == [m.isoweekday() for m in drawn.tolist()]


@pytest.mark.parametrize("encoding", ["ordinal", "onehot"])
@pytest.mark.parametrize("instant", [True, False])
def test_a_row_alone_has_the_parts_it_has_in_a_batch(encoding: Encoding, instant: bool) -> None:
    drawn = np.random.default_rng(0).integers(-(2**55), 2**55, 2000).astype("M8[us]")
    values = np.concatenate([column(*EDGES), drawn])
    fitted = encoder(values, encoding, instant=instant)
    batch = fitted.apply({"when": values})
    rows = np.concatenate(
        [fitted.apply({"when": values[at : at + 1]}) for at in range(len(values))]
    )
    np.testing.assert_array_equal(rows.view("u8"), batch.view("u8"))
    assert len(fitted.names) == fitted.width == batch.shape[1]


def test_midnight_lies_beside_the_minute_before_it_for_a_linear_model() -> None:
    fitted = encoder(column("2024-01-01", "2024-01-02"), "onehot", parts=("hour",), instant=False)
    assert fitted.names == ["when: hour, sine", "when: hour, cosine"]
    late, early, noon, none = fitted.apply(
        {"when": column("2024-05-01T23:59", "2024-05-02T00:00", "2024-05-02T12:00", "NaT")}
    )
    assert np.linalg.norm(late - early) < 0.01 < 1.99 < np.linalg.norm(noon - early)
    assert none.tolist() == [0.0, 0.0]


def test_a_time_without_parts_is_encoded_as_ever() -> None:
    state = encoder(column("2024-01-01", "2024-01-02"), "ordinal", parts=()).state
    assert state == [{"name": "when", "kind": "number"}]


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ({"type": "numeric", "parts": ["hour"]}, "parts, instant and clock belong to datetime"),
        ({"type": "numeric", "clock": "written"}, "parts, instant and clock belong to datetime"),
        ({"type": "datetime", "parts": ["hours"]}, "'hour', 'weekday', 'day', 'month'"),
        ({"type": "datetime", "parts": ["hour", "hour"]}, "'hour' is repeated: name it once"),
        ({"type": "datetime", "instant": False}, "leaves nothing of it: name parts"),
    ],
)
def test_what_no_time_has_is_refused(spec: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Column.model_validate(spec)


def test_a_column_without_these_keys_is_dumped_as_before() -> None:
    assert not {"parts", "instant", "clock"} & Column(type="datetime").model_dump().keys()
    assert Column.model_validate(WHEN.model_dump(mode="json")) == WHEN


@pytest.mark.parametrize(("clock", "hours"), [("utc", [12, 13, 22]), ("written", [14, 14, 14])])
def test_the_hour_is_the_one_that_is_written_where_that_is_asked(
    clock: str, hours: list[int]
) -> None:
    texts = ["2024-07-01T14:00+02:00", "2024-01-01T14:00:00+01:00", "2024-01-01T14:00-08:00"]
    found = [parse_datetime(text, None, clock) for text in texts]
    assert [moment.hour for moment in found if isinstance(moment, datetime)] == hours


@pytest.mark.parametrize(("clock", "hour"), [("utc", 12), ("written", 14)])
def test_a_service_reads_the_hour_that_training_reads(clock: str, hour: int) -> None:
    column = Column.model_validate({"type": "datetime", "clock": clock})
    sent_to_it = {"records": [{"when": "2024-07-01T14:00:00+02:00"}]}
    (record,) = Fields({"when": column}, ["when"]).check(sent_to_it)["records"]
    assert (record["when"].hour, record["when"].tzinfo) == (hour, None)
    stored = pa.chunked_array([pa.array([1719835200], pa.timestamp("s", "Europe/Paris"))])
    read = typed(stored, "datetime", clock).to_pylist()
    assert read == [datetime(2024, 7, 1, hour)]


def test_a_zone_that_is_not_known_is_named() -> None:
    stored = pa.chunked_array([pa.array([1719835200], pa.timestamp("s", "Nowhere/Here"))])
    with pytest.raises(UnfitError, match="the zone Nowhere/Here, not known here"):
        typed(stored, "datetime", "written")
    assert typed(stored, "datetime").to_pylist() == [datetime(2024, 7, 1, 12)]


def test_an_example_of_a_form_with_a_zone_is_accepted() -> None:
    column = Column(type="datetime", format="%Y-%m-%d %H:%M:%S %z")
    example = sent(column, np.datetime64("2024-07-01T12:00"))
    found = Fields({"when": column}, ["when"]).check({"records": [{"when": example}]})
    assert found["records"] == [{"when": datetime(2024, 7, 1, 12)}]


@pytest.mark.parametrize(
    ("change", "same"),
    [({"parts": ["hour"], "instant": False}, True), ({"clock": "written"}, False)],
)
def test_what_is_made_of_a_time_moves_no_row_of_the_hold_out(
    change: dict[str, Any], same: bool
) -> None:
    plain = {**CONFIG.model_dump(), "columns": {"when": {"type": "datetime"}}}
    changed = {**plain, "columns": {"when": {"type": "datetime", **change}}}
    rules = [rule(Config.model_validate(content)) for content in (plain, changed)]
    assert (rules[0] == rules[1]) == same


CONFIG = Config.model_validate(
    {
        "data": {"path": "x.csv", "target": "y", "task": "regression"},
        "columns": {"when": {"type": "datetime", "parts": ["hour", "weekday", "month"]}},
    }
)
DRAW = np.random.default_rng(5)


def visits(start: str, days: int, a_day: int = 60) -> np.ndarray:
    """Times around noon, half as many and later ones at weekends."""
    parts = []
    for day in np.datetime64(start) + np.arange(days):
        free = not np.is_busday(day)
        hours = DRAW.normal(14 if free else 12, 4, DRAW.poisson(a_day / 2 if free else a_day))
        parts.append(day.astype("M8[us]") + (hours % 24 * 3.6e9).astype("m8[us]"))
    return np.sort(np.concatenate(parts))


BEFORE = profile({"when": visits("2024-01-01", 200)}, CONFIG)


def verdicts(now: np.ndarray) -> dict[str, str]:
    results = drift.compare(BEFORE, {"when": now}, Monitoring())
    return {result["column"]: result["verdict"] for result in results}


@pytest.mark.parametrize("start", ["2024-07-19", "2025-02-01", "2025-12-24"])
@pytest.mark.parametrize(("days", "a_day"), [(18, 60), (10, 110), (2, 600)])
def test_later_weeks_are_no_drift(start: str, days: int, a_day: int) -> None:
    found = verdicts(visits(start, days, a_day))
    assert found["when"] == "not judged"
    assert {found["when: hour"], found["when: weekday"]} <= {"steady", "not enough data"}
    assert (found["when: hour"] == "steady") == (days > 1)


@pytest.mark.parametrize(("days", "a_day"), [(18, 60), (8, 120), (3, 600)])
def test_requests_that_are_all_of_the_night_are_drift(days: int, a_day: int) -> None:
    usual = visits("2024-08-05", days, a_day)
    night = usual.astype("M8[D]") + DRAW.integers(0, 5 * 3600, len(usual)).astype("m8[s]")
    assert verdicts(np.append(night, column("NaT", "1970-01-01")))["when: hour"] == "drift"


def test_the_part_that_the_model_uses_is_important_by_its_name() -> None:
    times = visits("2024-01-01", 30)
    fitted = encoder(times, "onehot", parts=("hour", "weekday"))

    def score(matrix: np.ndarray) -> np.ndarray:
        return matrix[:, fitted.names.index("when: weekday, sine")]

    model = Mock(encoder=fitted, score=score, predict=lambda rows: score(fitted.apply(rows)))
    truth = model.predict({"when": times})
    found = importance.measure(CONFIG, [(model, np.arange(len(truth)))], {"when": times}, truth)
    dropped = {entry["feature"]: entry["value"] > 0.1 for entry in found}
    assert dropped == {"when": True, "when: weekday": True, "when: hour": False}


@pytest.mark.parametrize("encoding", ["ordinal", "onehot"])
def test_the_answer_is_drawn_over_the_hours_that_enough_rows_have(encoding: Encoding) -> None:
    times = np.append(column("2024-01-01T03:00"), visits("2024-01-01", 30))
    fitted = encoder(times, encoding, parts=("hour", "weekday"))
    at = fitted.parts["when: hour"]

    def score(matrix: np.ndarray) -> np.ndarray:  # the sine is 0 at noon and positive before
        return matrix[:, at][:, 0]

    model = Mock(encoder=fitted, score=score, predict=lambda rows: score(fitted.apply(rows)))
    model.labels = ()
    asked: list[Any] = [{"feature": "when: hour", "value": 1.0, "low": 1.0, "high": 1.0}]
    (plot,) = response.curves(CONFIG, model, {"when": times}, asked)
    (line,) = plot["marks"]
    hours, counts = np.unique(times.astype("M8[h]").astype(int) % 24, return_counts=True)
    assert 3 not in line["x"]
    assert set(line["x"]) <= set(hours[counts >= CONFIG.report.min_cell].tolist())
    if encoding == "ordinal":  # of a row within that hour
        assert [*np.floor(line["y"])] == line["x"]
    else:
        within = np.sin((np.array(line["x"]) + 0.5) * np.pi / 12)
        np.testing.assert_allclose(line["y"], within, atol=0.14)
    assert "time" not in plot


def test_weeks_without_most_of_their_days_are_drift() -> None:
    usual = visits("2024-08-05", 100)
    mondays = usual[np.is_busday(usual.astype("M8[D]"), weekmask="1000000")]
    found = verdicts(np.append(mondays, usual[:50]))
    assert (found["when: weekday"], found["when: hour"]) == ("drift", "steady")


def test_hours_of_less_than_a_day_are_not_judged() -> None:
    morning = np.datetime64("2024-08-05T08:00", "us") + np.arange(1000).astype("m8[s]") * 10
    assert verdicts(morning)["when: hour"] == "not enough data"
