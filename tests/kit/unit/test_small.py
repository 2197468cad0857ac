"""Few rows are not shown, nor what would tell them."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ml_template.pipeline.evaluation import evaluate, fairness, plots, rates, response
from ml_template.pipeline.evaluation.slices import Groups
from ml_template.pipeline.judgement import checks, evidence
from ml_template.pipeline.reporting import report, rivals
from ml_template.pipeline.training import train
from ml_template.settings.config import Config, load_config
from ml_template.settings.gates import Gates
from ml_template.settings.oversight import Report
from ml_template.storage import places
from ml_template.tables import small

from .test_gate import CASE

FEW, MORE = "fewer than 10", "10 or more"


@pytest.mark.parametrize(
    ("rows", "shown"),
    [
        ([900, 80, 1], [900, MORE, FEW]),  # the total would tell one that is hidden
        ([900, 80, 20], [900, 80, 20]),
        ([900, 80, 9, 8], [900, 80, FEW, FEW]),
        ([900, 80, 1, 1], [900, MORE, FEW, FEW]),  # and two of one row each
        ([995, 5], [MORE, FEW]),
        ([10, 10], [10, 10]),
        ([0, 50], [FEW, MORE]),
        ([3], [FEW]),
        ([], []),
    ],
)
def test_a_small_count_is_hidden_and_what_would_tell_it(
    rows: list[int], shown: list[int | str]
) -> None:
    assert small.counts(rows, 10) == shown


@pytest.mark.parametrize("least", [0, 1])
def test_it_is_switched_off_in_plain_sight(least: int) -> None:
    assert small.counts([900, 1, 0], least) == [900, 1, 0]


def test_a_configuration_without_the_key_has_the_limit() -> None:
    assert Config.model_fields["report"].default.min_cell == 10


def groups(sizes: dict[str, int]) -> Groups:
    return Groups([*sizes], np.repeat(np.arange(len(sizes)), [*sizes.values()]))


def test_a_group_of_one_row_has_no_rate_and_no_part_in_a_difference() -> None:
    sizes = {"a": 100, "b": 90, "c": 40, "d": 1}
    truth = np.arange(sum(sizes.values())) % 2
    chosen = np.concatenate([truth[:-1], 1 - truth[-1:]])  # wrong in the one row
    answers = np.eye(2)[chosen]
    every = fairness.compare("side", groups(sizes), truth, answers)
    shown = fairness.compare("side", groups(sizes), truth, answers, least=10)
    assert every["accuracy_gap"] == 1.0
    assert shown["accuracy_gap"] == 0.0
    assert [group["rows"] for group in shown["groups"]] == [100, 90, MORE, FEW]
    rates = [{v for k, v in g.items() if k not in ("group", "rows")} for g in shown["groups"]]
    assert rates[2:] == [{None}, {None}]
    assert None not in rates[0]
    assert shown["reason"] == "groups of fewer than 10 rows are not compared"


def test_a_rate_over_few_rows_is_hidden_in_a_group_that_is_shown() -> None:
    truth = np.array([1] * 2 + [0] * 58 + [1] * 30 + [0] * 30)
    shown = fairness.compare("side", groups({"a": 60, "b": 60}), truth, np.eye(2)[truth], least=10)
    first, second = shown["groups"]
    assert (first["true_positive_rate"], second["true_positive_rate"]) == (None, 1.0)
    assert first["false_positive_rate"] == 0.0


def test_errors_of_a_group_of_one_row_are_hidden() -> None:
    truth, sizes = np.zeros(71), {"a": 40, "b": 30, "c": 1}
    answers = np.concatenate([np.full(40, 1.0), np.full(30, 2.0), [90.0]])
    shown = fairness.compare("side", groups(sizes), truth, answers, least=10)
    assert [g["mean_absolute_error"] for g in shown["groups"]] == [1.0, None, None]
    assert shown["error_gap"] is None


RARE = 7  # rows of a group of the hold-out


def test_no_report_shows_a_group_of_few_rows(project: Path) -> None:
    config = load_config()
    names = [n for n in config.sensitive if config.columns[n].type == "categorical"]
    if config.data.task == "regression" or not names:
        pytest.skip("this table has no sensitive categories, or no classes")
    path = places.PREPARED / "test.parquet"
    data = pq.read_table(path)
    values = ["rare"] * RARE + data[names[0]].to_pylist()[RARE:]
    made = pa.array(values).dictionary_encode()
    at = data.column_names.index(names[0])
    pq.write_table(data.set_column(at, names[0], made), path)
    evaluate.run()
    report.run()
    record = json.loads(places.EVALUATION.read_text(encoding="utf-8"))
    (entry,) = [g for g in record["fairness"][0]["groups"] if g["group"] == "rare"]
    assert {value for key, value in entry.items() if key != "group"} == {FEW, None}
    (part,) = [s for s in record["slices"] if s["group"] == "rare"]
    assert (part["rows"], part["value"], part["low"]) == (FEW, None, None)
    for page in (places.REPORT, places.REPORTS / "model_card.md"):
        lines = re.split(r"<tr>|\n", page.read_text(encoding="utf-8"))
        line = next(text for text in lines if "rare" in text)
        assert FEW in line
        assert not re.search(r"\d", line.replace(FEW, "").partition("</tr>")[0].split("<svg")[0])


def judged(rows: int, accepted: bool = True, **rates: float) -> dict[str, dict[str, Any]]:
    """Lines of the gate by name, where the group f of CASE has so few rows and such rates."""
    case = copy.deepcopy(CASE)
    groups = [CASE["evaluation"]["fairness"][0]["groups"][1] | {"group": name} for name in "mno"]
    groups.append(groups[0] | {"group": "f", "rows": rows} | rates)
    case["evaluation"]["fairness"][0]["groups"] = groups
    case["evaluation"]["slices"][0] |= {"rows": rows}
    least = rows if accepted else 30
    for name in ("fairness", "slices"):
        case["gates"][name] = case["gates"][name] | {"min_rows": least}
    found = evidence.read_evaluation(case.pop("evaluation"))
    assert isinstance(found, evidence.Evaluation)
    config = Config.model_validate(case.pop("config"))
    rules = Gates.model_validate(case.pop("gates"))
    lines = checks.judge(evidence.Evidence(config, rules, evaluation=found, **case))
    return {line["gate"]: line for line in lines}


@pytest.mark.parametrize("rows", [1, 2, 9])
def test_the_gate_names_a_small_group_and_no_figure_of_it(rows: int) -> None:
    line = judged(rows, accepted=False)["fairness.sex=f"]
    assert (line["verdict"], line["value"]) == ("refused", FEW)
    assert "group 'f' has fewer than 10 rows, 30 are needed" in line["reason"]


@pytest.mark.parametrize(("rate", "verdict"), [(0.8, "refused"), (0.4, "passed")])
def test_the_gate_judges_a_small_group_by_figures_it_does_not_show(
    rate: float, verdict: str
) -> None:
    line = judged(5, selection_rate=rate)["fairness.sex.demographic_parity"]
    assert (line["verdict"], line["value"]) == (verdict, None)
    assert line["reason"] == "largest difference of 4 groups, one of fewer than 10 rows"
    large = judged(50, selection_rate=rate)["fairness.sex.demographic_parity"]
    assert (large["verdict"], large["value"]) == (verdict, pytest.approx(rate - 0.4))


def test_plots_of_a_regression_stand_for_several_rows(tmp_path: Path) -> None:
    truth = np.concatenate([np.linspace(0, 1, 95), [1e6]])
    plots.regression(tmp_path, truth, truth * 0.5, 10)
    for name in ("predicted.svg", "residuals.svg", "error.svg", "plots.json"):
        seen = (tmp_path / name).read_text(encoding="utf-8")
        assert "500000" not in seen
        assert "1000000" not in seen
    plotted = plots.regression(tmp_path, truth[:95], truth[:95] * 0.5, 1)
    assert [plot["text"] for plot in plotted][:2] == ["every row", "every row"]


def steps(values: list[float], rows: int) -> list[int]:
    """Rows between two points of a curve that runs over shares of the rows."""
    return np.diff(np.round(np.array(values) * rows).astype(int)).tolist()


@pytest.mark.parametrize("least", [1, 10])
def test_a_step_of_a_curve_stands_for_several_rows(tmp_path: Path, least: int) -> None:
    random = np.random.default_rng(4)
    truth = random.integers(2, size=60)
    answers = np.stack([1 - (score := random.random(60)), score], axis=1)
    made = plots.classification(tmp_path, truth, answers, ["no", "yes"], [], least)
    (gain,) = [plot for plot in made if plot["file"] == "gain.svg"]
    found = steps(gain["marks"][1]["x"], 60)
    assert sum(found) == 60
    assert min(found) == (1 if least == 1 else 10)


def test_a_class_of_few_rows_has_no_curve(tmp_path: Path) -> None:
    truth = np.array([1] * 9 + [0] * 200)
    answers = np.eye(2)[truth] * 0.8 + 0.1
    made = plots.classification(tmp_path, truth, answers, ["no", "yes"], [], 10)
    assert all(mark["kind"] == "dash" for mark in made[0]["marks"])
    assert "fewer than 10 rows" in made[0]["text"]
    enough = plots.classification(
        tmp_path, np.append(truth, 1), np.eye(2)[np.append(truth, 1)], ["no", "yes"], [], 10
    )
    assert [mark["kind"] for mark in enough[0]["marks"]] == ["dash", "line"]


def test_two_thresholds_do_not_tell_few_rows_apart() -> None:
    score = np.concatenate([np.full(100, 0.05), np.full(3, 0.35), np.full(50, 0.65)])
    positive = np.arange(153) % 2 == 0
    found = rates.thresholds(positive, score, 10)
    assert len({line["flagged"] for line in found}) == len(found) == 1
    assert found[0]["flagged"] == pytest.approx(50 / 153)
    every = rates.thresholds(positive, score, 1)
    assert {round(float(line["flagged"] or 0) * 153) for line in every} == {50, 53}


def test_a_rate_of_a_class_of_few_rows_is_hidden() -> None:
    truth = np.array([0] * 100 + [1] * 50 + [2] * 3)
    found = rates.classes(truth, truth, ["a", "b", "c"], 10)
    assert [line["recall"] for line in found] == [1.0, None, None]
    assert [line["rows"] for line in found] == [100, MORE, FEW]


def test_a_score_that_few_rows_have_has_no_bar(tmp_path: Path) -> None:
    truth = np.array([0] * 300 + [1] * 300)
    score = np.concatenate([np.full(297, 0.12), np.full(3, 0.97), np.full(300, 0.77)])
    answers = np.stack([1 - score, score], axis=1)
    made = plots.classification(tmp_path, truth, answers, ["no", "yes"], [], 10)
    (bars,) = [plot for plot in made if plot["file"] == "scores.svg"]
    assert not any(bars["marks"][0]["y"])  # 297 would tell the 3, for the total is known
    assert sum(map(bool, bars["marks"][1]["y"])) == 0
    alone = plots.classification(tmp_path, truth, answers, ["no", "yes"], [], 1)
    assert [sum(map(bool, mark["y"])) for mark in alone[3]["marks"]] == [2, 1]


class Answers:
    """A model of one column; `labels` as a model has them."""

    labels: tuple[str, ...] = ()

    def predict(self, columns: Any) -> np.ndarray:
        values = columns["x"]
        return np.array([len(v) if isinstance(v, str) else float(v) for v in values], float)


def responses(kind: str, values: list[Any]) -> list[Any]:
    made = np.array(values, dtype=object if kind == "categorical" else np.float64)
    config = minimal({"x": {"type": kind, "missing": True}})
    return response.curves(config, Answers(), {"x": made}, [{"feature": "x"}])  # type: ignore[arg-type,typeddict-item]


def test_a_response_is_drawn_at_values_that_several_rows_have() -> None:
    (plot,) = responses("categorical", ["north"] * 40 + ["south-west"] * 20 + ["Jane Roe"] * 9)
    assert plot["names"] == ["north", "south-west"]
    assert plot["marks"][0]["x"] == [5.0, 10.0]  # a longer name, a higher answer
    assert responses("categorical", ["north"] * 40 + ["Jane Roe"] * 9) == []


def test_a_response_has_no_extreme_value() -> None:
    (plot,) = responses("numeric", [*np.linspace(0, 100, 400), 9e9, 8e9, -9e9])
    assert min(plot["marks"][0]["x"]) > 4
    assert max(plot["marks"][0]["x"]) < 96
    assert responses("numeric", [*range(19)]) == []
    assert responses("numeric", [7.0] * 60) == []


def minimal(columns: dict[str, dict[str, Any]]) -> Config:
    return Config.model_validate(
        {
            "data": {
                "path": "data/x.csv",
                "target": "y",
                "task": "regression",
            },
            "columns": columns,
            "split": {},
            "model": {},
            "seed": 1,
        }
    )


@pytest.mark.parametrize(
    ("kind", "shown"), [("categorical", {"north", "south"}), ("text", {"an example"})]
)
def test_no_label_of_few_rows_is_published_as_an_example(kind: str, shown: set[str]) -> None:
    values = ["Ann Example"] * 9 + ["north"] * 10 + ["south"] * 500
    columns = {"x": np.array(values, dtype=object)}
    config = minimal({"x": {"type": kind}})
    assert set(train.probe_rows(config, columns)["x"]) == shown
    few = {"x": columns["x"][:9]}
    assert set(train.probe_rows(config, few)["x"]) == {"an example"}


def test_labels_that_are_listed_or_the_only_ones_answered_stay_examples() -> None:
    columns = {"x": np.array(["rare"] * 3 + ["usual"] * 9, dtype=object)}
    listed = minimal({"x": {"type": "categorical", "values": ["rare", "usual"]}})
    assert set(train.probe_rows(listed, columns)["x"]) == {"rare", "usual"}
    strict = minimal({"x": {"type": "categorical", "unseen": "refuse"}})
    assert set(train.probe_rows(strict, columns)["x"]) == {"usual"}


def rivals_of(ours: Any, theirs: Any, truth: Any, least: int = 10) -> tuple[list[Any], Any]:
    """Lines of the comparison of two models, and their segments by x."""
    half = len(truth) // 2
    test = {"x": np.array(["a"] * half + ["b"] * (len(truth) - half - 3) + ["rare"] * 3, object)}
    config = minimal({"x": {"type": "categorical"}})
    config = config.model_copy(update={"report": Report(min_cell=least)})
    found = rivals.compare(config, test, np.array(truth), np.array(ours), np.array(theirs))
    return [*found.tables[0].rows], found.tables[1].rows


def test_two_models_are_compared_row_by_row_and_no_single_row_is_told() -> None:
    truth = np.zeros(200)
    theirs, ours = np.ones(200), np.ones(200)
    ours[:60] = 0.25  # nearer
    ours[-1] = 99.0
    lines, parts = rivals_of(ours, theirs, truth)
    assert lines[1] == ["answered with another value", "61 (30.5%)"]
    assert lines[3][1] in (FEW, "fewer than 10")
    assert "rare" not in [part[1] for part in parts]
    assert parts[0][1] == "a"
    every, all_parts = rivals_of(ours, theirs, truth, least=1)
    assert every[3][1] == "1 (0.5%)"
    assert all_parts[0][1] == "rare"


def test_one_answer_that_differs_is_few() -> None:
    ours = np.zeros(200)
    ours[7] = 1.0
    lines, _ = rivals_of(ours, np.zeros(200), np.zeros(200))
    assert lines[1][1] == FEW
    same, _ = rivals_of(np.zeros(200), np.zeros(200), np.zeros(200), least=1)
    assert same[1][1] == "0 (0.0%)"


def test_of_classes_it_counts_which_of_the_two_is_right() -> None:
    truth = np.array([0] * 100 + [1] * 100)
    theirs = np.eye(2)[np.array([0] * 200)]
    ours = np.eye(2)[np.array([1] * 20 + [0] * 80 + [1] * 100)]
    lines, _ = rivals_of(ours, theirs, truth)
    assert [line[1] for line in lines[1:4]] == ["120 (60.0%)", "100 (50.0%)", "20 (10.0%)"]
