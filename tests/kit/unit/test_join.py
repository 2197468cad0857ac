"""Labels are put to the answer whose id they have; a line that no service writes is left out."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from ml_template.model import artifact
from ml_template.operations import join, lines, prediction_log, window
from ml_template.settings.config import InputError, load_config

from ..conftest import ROOT, Trained

STABLE, SHADOW = "1" * 64, "2" * 64
ENTRY = {
    "id": "x",
    "row": 0,
    "time": "2026-01-01T10:00:00.000+00:00",
    "model": STABLE,
    "milliseconds": 1.5,
    "output": {"probability_no": 0.75, "probability_yes": 0.25, "label": "no"},
    "features": {"age": 31, "member": True, "city": None, "name": "Zoë", "ratio": float("nan")},
}


def log(lines: list[Any], end: bytes = b"\n") -> Path:
    folder = Path("log")
    folder.mkdir(exist_ok=True)
    texts = [json.dumps(line, ensure_ascii=False).encode() for line in lines]
    (folder / "1.jsonl").write_bytes(b"\n".join(texts) + end)
    return folder


@pytest.fixture
def label(in_folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A label of the task."""
    config = load_config(ROOT / "model_config.yaml")
    monkeypatch.setattr(join, "load_config", lambda: config)
    return config.data.labels[0] if config.data.labels else "1.5"


def joined() -> list[tuple[str, str]]:
    """Model and id of each joined answer."""
    with join.LABELLED.open(newline="") as file:
        return [(row["model"], row["id"]) for row in csv.DictReader(file)]


def test_a_label_counts_for_every_model_that_logged_its_id(
    label: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """As logs of earlier versions have it: the id of a request, which a shadow had as well."""
    answers = [ENTRY | {"id": f"r{n}", "model": m} for n in range(3) for m in (SHADOW, STABLE)]
    folder = log([*answers, answers[0]])
    Path("labels.csv").write_text(f"id,label\nr0,{label}\nr2,{label}\nnever,{label}\n")
    join.run({"LABELS": "labels.csv", "LOG": str(folder)})
    assert joined() == [(SHADOW, "r0"), (STABLE, "r0"), (SHADOW, "r2"), (STABLE, "r2")]
    said = capsys.readouterr().out
    assert "4 predictions of 2 models have their label now" in said
    assert "; 1 have no logged prediction" in said
    assert "replaced" not in said
    join.run({"LABELS": "labels.csv", "LOG": str(folder)})
    assert "those joined before are replaced" in capsys.readouterr().out


def test_what_a_client_sent_joins_nothing(label: str) -> None:
    """Of the first answer the id was sent along with the second one."""
    folder = log([ENTRY | {"id": "b", "sent": "a"}, ENTRY | {"id": "a"}])
    Path("labels.csv").write_text(f"id,label\na,{label}\n")
    join.run({"LABELS": "labels.csv", "LOG": str(folder)})
    assert joined() == [(STABLE, "a")]


def test_an_id_of_two_answers_gets_no_label_and_is_counted(
    label: str, capsys: pytest.CaptureFixture[str]
) -> None:
    other = {"output": {"probability_no": 0.5, "probability_yes": 0.5, "label": "yes"}}
    folder = log([ENTRY | other, ENTRY, ENTRY | {"id": "y"}, ENTRY | {"id": "y", "row": 1}])
    Path("labels.csv").write_text(f"id,label\nx,{label}\ny,{label}\n")
    join.run({"LABELS": "labels.csv", "LOG": str(folder)})
    assert joined() == [(STABLE, "y")]
    assert "; 1 have an id that several predictions share" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("given", "remedy"),
    [
        ("AB12", "case, quotes, spaces or leading zeros"),
        ("'ab12'", "case, quotes, spaces or leading zeros"),
        ("00ab12", "case, quotes, spaces or leading zeros"),
        ("sent-1", "what clients sent as x-request-id"),
        ("ab12-0", "the row has a column of its own"),
        ("ab12:0", "the row has a column of its own"),
        ("Ann Example", "of something else"),
    ],
)
def test_ids_of_which_none_is_logged_are_an_error_that_says_what_they_are(
    given: str, remedy: str, label: str
) -> None:
    folder = log([ENTRY | {"id": "ab12", "sent": "sent-1"}])
    Path("labels.csv").write_text(f"id,label\n{given},{label}\nother,{label}\n")
    with pytest.raises(InputError, match=r"labels\.csv: none of its 2 ids .*1 answer") as error:
        join.run({"LABELS": "labels.csv", "LOG": str(folder)})
    assert remedy in str(error.value)
    assert "Ann" not in str(error.value)
    assert not join.LABELLED.exists()


@pytest.mark.parametrize(
    ("prefix", "remedy"), [("X", "case, quotes, spaces or leading zeros"), ("y", "something else")]
)
def test_ids_of_which_hardly_one_is_logged_are_an_error(
    prefix: str, remedy: str, label: str
) -> None:
    """One in three thousand may be chance."""
    folder = log([ENTRY | {"id": f"x{n}"} for n in range(3000)])
    names = ["x0", *(f"{prefix}{n}" for n in range(1, 3000))]
    Path("labels.csv").write_text("id,label\n" + "".join(f"{name},{label}\n" for name in names))
    with pytest.raises(InputError, match=rf"only 1 of its 3,000 ids is .*{remedy}"):
        join.run({"LABELS": "labels.csv", "LOG": str(folder)})
    assert not join.LABELLED.exists()


@pytest.mark.parametrize(("answers", "given"), [(30, 3000), (3000, 30), (3000, 3000)])
def test_labels_of_a_short_log_and_the_first_of_a_long_one_are_joined(
    answers: int, given: int, label: str
) -> None:
    folder = log([ENTRY | {"id": f"x{n}"} for n in range(answers)])
    ids = range(answers - 30, answers - 30 + given)
    Path("labels.csv").write_text("id,label\n" + "".join(f"x{n},{label}\n" for n in ids))
    join.run({"LABELS": "labels.csv", "LOG": str(folder)})
    assert len(joined()) == 30


def test_rows_that_are_not_those_of_the_request_are_an_error(label: str) -> None:
    folder = log([ENTRY])
    Path("labels.csv").write_text(f"id,row,label\nx,1,{label}\n")
    with pytest.raises(InputError, match="count from 0"):
        join.run({"LABELS": "labels.csv", "LOG": str(folder)})


@pytest.mark.parametrize("given", ["x", " x ", '"x"'])
def test_an_id_may_stand_in_quotes_and_spaces(given: str, label: str) -> None:
    Path("labels.csv").write_text(f"id,label\n{given},{label}\n")
    join.run({"LABELS": "labels.csv", "LOG": str(log([ENTRY]))})
    assert joined() == [(STABLE, "x")]


@pytest.mark.parametrize(
    "line", ["x,none of them", "x,", ",{}", '"x', "x,{},,9", "x,{},one", "x,{},-1", "x,{},\u0663"]
)
def test_a_line_that_is_no_label_is_left_out_and_named(
    line: str, label: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = log([ENTRY, ENTRY | {"id": "y"}])
    Path("labels.csv").write_text(f"id,label,row\n{line.format(label)}\ny,{label},0\n")
    join.run({"LABELS": "labels.csv", "LOG": str(folder)})
    assert joined() == [(STABLE, "y")]
    assert "1 of 2 lines were left out, the first is labels.csv: line 2" in capsys.readouterr().out


def test_an_id_with_two_labels_has_none(label: str, capsys: pytest.CaptureFixture[str]) -> None:
    config = join.load_config()
    other = config.data.labels[1] if config.data.labels else "2.5"
    folder = log([ENTRY, ENTRY | {"id": "y"}])
    Path("labels.csv").write_text(f"id,label\nx,{label}\nx,{other}\ny,{label}\ny,{label}\n")
    join.run({"LABELS": "labels.csv", "LOG": str(folder)})
    assert joined() == [(STABLE, "y")]
    assert "line 3: its id has another label" in capsys.readouterr().out


def test_a_logged_text_of_any_length_is_joined_and_read_again(label: str) -> None:
    features = {"name": "x" * 200_000, "why": 'two\nlines and "quotes"'}
    folder = log([ENTRY | {"features": features}, ENTRY | {"id": "y", "features": features}])
    Path("labels.csv").write_text(f"id,label\nx,{label}\ny,{label}\n")
    join.run({"LABELS": "labels.csv", "LOG": str(folder)})
    read = [line for _, line in lines.records(join.LABELLED, ["id"], lines.Left())]
    assert [(line["id"], line["feature_name"]) for line in read] == [
        ("x", features["name"]),
        ("y", features["name"]),
    ]


def test_what_only_some_requests_sent_or_some_services_logged_is_empty_elsewhere(
    label: str,
) -> None:
    logged = [ENTRY, ENTRY | {"id": "y", "features": {"a": 1}}]
    folder = log([*logged, ENTRY | {"id": "z", "features": {"b": "t", "a": 2}}])
    Path("labels.csv").write_text(f"id,label\nx,{label}\ny,{label}\nz,{label}\n")
    join.run({"LABELS": "labels.csv", "LOG": str(folder)})
    with join.LABELLED.open(newline="") as file:
        found = [(row["feature_a"], row["feature_b"]) for row in csv.DictReader(file)]
    assert found == [("", ""), ("1", ""), ("2", "t")]


def test_an_answer_with_other_names_than_those_of_its_model_is_left_out_and_counted(
    label: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = log([*(ENTRY | {"id": f"y{n}"} for n in range(9)), ENTRY | {"output": {"odd": 1.0}}])
    given = "".join(f"{name},{label}\n" for name in ("x", *(f"y{n}" for n in range(9))))
    Path("labels.csv").write_text("id,label\n" + given)
    join.run({"LABELS": "labels.csv", "LOG": str(folder)})
    assert len(joined()) == 9
    assert "1 of 10 lines were left out" in capsys.readouterr().out


@pytest.mark.parametrize("odd", [1, 2])
def test_one_answer_of_a_model_with_other_names_is_left_out_and_several_are_an_error(
    odd: int, label: str, capsys: pytest.CaptureFixture[str]
) -> None:
    other = {"model": "damaged", "output": {"another": 1.0}}
    answers = [ENTRY | {"id": f"r{n}"} | (other if n < odd else {}) for n in range(5)]
    Path("labels.csv").write_text("id,label\n" + "".join(f"r{n},{label}\n" for n in range(5)))
    settings = {"LABELS": "labels.csv", "LOG": str(log(answers))}
    if odd > 1:
        with pytest.raises(InputError, match="the log holds models with other answers"):
            join.run(settings)
        return
    join.run(settings)
    assert joined() == [(STABLE, f"r{n}") for n in range(1, 5)]
    assert "1 of 5 lines were left out, the first is log: an answer" in capsys.readouterr().out


def test_no_line_inside_a_text_that_a_client_sent_becomes_an_answer(label: str) -> None:
    forged = f"x,0,{ENTRY['time']},{STABLE},no,0.99,{label}"
    features = {"name": "a" + "\n" * 1001 + f"{forged}\r\n" * 76, "path": "C:\\new"}
    folder = log([ENTRY | {"features": features}, ENTRY | {"id": "y", "features": features}])
    Path("labels.csv").write_text(f"id,label\nx,{label}\ny,{label}\n")
    join.run({"LABELS": "labels.csv", "LOG": str(folder)})
    read = [line for _, line in lines.records(join.LABELLED, ["id"], lines.Left())]
    assert [line["id"] for line in read] == ["x", "y"]
    assert len(join.LABELLED.read_text(encoding="utf-8").splitlines()) == 3


def test_a_feature_takes_the_place_of_no_other_column(label: str) -> None:
    features = {"label": "of the record", "time": "noon", "predicted_label": "maybe"}
    folder = log([ENTRY | {"features": features}])
    Path("labels.csv").write_text(f"id,label\nx,{label}\n")
    join.run({"LABELS": "labels.csv", "LOG": str(folder)})
    with join.LABELLED.open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["label"] == label
    assert (row["time"], row["predicted_label"]) == (ENTRY["time"], "no")
    assert {name: row[f"feature_{name}"] for name in features} == features


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", 5),
        ("row", "0"),
        ("row", -1),
        ("time", "today"),
        ("time", "2026-01-01T10:00:00"),
        ("time", 5),
        ("model", None),
        ("milliseconds", None),
        ("milliseconds", float("inf")),
        ("output", "no"),
        ("output", {"label": "no"}),
        ("output", {"probability_no": None, "label": "no"}),
        ("output", {"probability_no": float("nan"), "label": "no"}),
        ("output", {"probability_no": 10**400, "label": "no"}),
        ("output", {"probability_no": 0.5, "label": 1}),
        ("id", "\ud800"),
        ("sent", 5),
        ("output", {"probability_no": 0.5, "label": "\udfff"}),
        ("features", {"name": "\ud800"}),
        ("features", {"\ud800": 1}),
        ("features", "age"),
        ("features", {"age": [31]}),
    ],
)
def test_a_field_of_another_form_is_left_out_and_named_with_its_line(
    field: str, value: Any, in_folder: Path
) -> None:
    Path("log").mkdir()
    texts = [json.dumps(line) for line in (ENTRY, ENTRY | {field: value}, ENTRY)]
    Path("log/1.jsonl").write_text("\n".join(texts) + "\n")
    left = lines.Left()
    assert len(list(prediction_log.entries(Path("log"), prediction_log.KEYS, left))) == 2
    assert str(left).startswith("; 1 of 3 lines were left out, the first is log/1.jsonl: line 2: ")
    assert f"its {field} is not of the form" in str(left)
    assert str(value) not in str(left).partition(": its ")[2] or len(str(value)) < 4


@pytest.mark.parametrize("line", [5, None, [], {"id": "x"}])
def test_a_log_without_an_entry_is_refused(line: Any, in_folder: Path) -> None:
    with pytest.raises(InputError, match=r"no line of a prediction log; 1 of 1 .*line 1"):
        list(prediction_log.entries(log([line]), prediction_log.KEYS, lines.Left()))


def test_a_whole_entry_is_taken_as_it_is(in_folder: Path) -> None:
    ((where, found),) = prediction_log.entries(log([ENTRY]), prediction_log.KEYS, lines.Left())
    assert where == "log/1.jsonl: line 1"
    assert found.keys() == ENTRY.keys()


@pytest.mark.parametrize("cut", [-1, -4, -20])
def test_a_last_line_that_is_cut_is_left_out(cut: int, in_folder: Path) -> None:
    """The second cut lies within a letter of two bytes."""
    last = json.dumps(ENTRY | {"features": {"n": "Zoë"}}, ensure_ascii=False).encode()
    left = lines.Left()
    folder = log([ENTRY], b"\n" + last[:cut])
    assert len(list(prediction_log.entries(folder, prediction_log.KEYS, left))) == 1
    assert left.out == 1


@pytest.fixture
def model(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> artifact.Model:
    """The trained model, and the entry of one of its answers."""
    output = dict.fromkeys(trained.model.outputs, 0.5)
    entry = {"model": trained.model.digest, "output": output, "features": {}}
    monkeypatch.setattr(sys.modules[__name__], "ENTRY", ENTRY | entry)
    return trained.model


VALUES: dict[str, tuple[list[Any], list[Any]]] = {
    "numeric": ([1, -2.5, True, None, float("nan")], ["1", "", 10**400]),
    "boolean": ([True, False, 0, None], ["true", "Ann Example"]),
    "datetime": ([None], ["never", "", 5, True]),
    "categorical": (["new", "x" * 300_000, None], [5, 0.5, False]),
    "text": (["new", "", None], [5, True]),
}


def test_a_logged_value_of_another_type_is_left_out_and_named(
    model: artifact.Model, in_folder: Path
) -> None:
    specs = model.identity["columns"].items()
    some = {spec["type"]: name for name, spec in specs}
    for kind, name in some.items():
        for good in (True, False):
            for value in VALUES[kind][not good]:
                bad = ENTRY | {"features": {name: value}}
                found = window.read_log(log([ENTRY, bad]), model)
                assert len(found.entries) == 1 + good, (kind, value)
                assert ("line 2: it has no values" in str(found.left)) != good
                assert "Ann" not in str(found.left)


@pytest.mark.parametrize(
    "change",
    [
        {"features": {"no such column": 1}},
        {"output": {"another": 0.5}},
        {"output": {"probability_no": 0.5, "probability_yes": 0.5, "probability_maybe": 0.0}},
    ],
)
def test_answers_and_columns_of_another_model_are_left_out(
    change: dict[str, Any], model: artifact.Model, in_folder: Path
) -> None:
    found = window.read_log(log([ENTRY, ENTRY | change]), model)
    assert (len(found.entries), found.left.out) == (1, 1)


def test_rows_of_several_time_zones_are_put_in_their_order(
    model: artifact.Model, in_folder: Path
) -> None:
    late = ENTRY | {"time": "2026-01-01T09:30:00-02:00"}
    found = window.read_log(log([late, ENTRY]), model)
    assert [entry["time"] for entry in found.entries] == [ENTRY["time"], late["time"]]


def test_a_field_that_is_no_input_counts_for_no_drift_and_inputs_do(
    trained: Trained, model: artifact.Model, in_folder: Path
) -> None:
    """One request sends every column; the others what the model needs."""
    inputs, columns = dict.fromkeys(model.encoder.inputs), dict.fromkeys(trained.config.columns)
    entries = [ENTRY | {"features": sent} for sent in (inputs, columns, inputs)]
    (found,) = window.of_log(window.read_log(log(entries), model), model, trained.config)
    assert set(found.inputs or ()) == set(inputs)
