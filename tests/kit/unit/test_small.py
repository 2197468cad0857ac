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
from ml_template.pipeline.evaluation import evaluate, fairness, plots
from ml_template.pipeline.evaluation.slices import Groups
from ml_template.pipeline.judgement import checks, evidence
from ml_template.pipeline.reporting import report
from ml_template.pipeline.training import train
from ml_template.settings.config import Config, load_config
from ml_template.settings.gates import Gates
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
    for name in ("predicted.svg", "residuals.svg"):
        seen = (tmp_path / name).read_text(encoding="utf-8")
        assert "500000" not in seen
        assert "1000000" not in seen
    plotted = plots.regression(tmp_path, truth[:95], truth[:95] * 0.5, 1)
    assert [plot["text"] for plot in plotted] == ["every row", "every row"]


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
