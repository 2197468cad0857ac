"""An experiment: planned, assigned by a hash, judged once, and only where arms compare."""

from __future__ import annotations

import csv
import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ml_template.operations import abtest, effects, experiment_plan
from ml_template.operations.lines import Left
from ml_template.settings.config import InputError
from scipy.stats import binom, ttest_ind

PLANNED = {
    "EXPERIMENT": "offer",
    "METRICS": "converted,spent",
    "GUARD": "complained:0.05,stayed:-0.05",
    "BASE": 0.3,
    "EFFECT": 0.15,
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path: str, lines: list[list[Any]]) -> None:
    with Path(path).open("w", newline="") as file:
        csv.writer(file).writerows(lines)


def exposed(units: int = 1200) -> list[list[str]]:
    """Plan, assign so many units; the lines of the exposure log."""
    abtest.run(PLANNED)
    write("units.csv", [["unit"], *([f"u{n}"] for n in range(units))])
    abtest.run({"UNITS": "units.csv", "LOG": "log.csv"})
    with Path("log.csv").open(newline="") as file:
        return list(csv.reader(file))[1:]


def observed(log: list[list[str]], **change: float) -> None:
    """Write outcomes.csv; in b each metric is `change` higher."""
    rng = np.random.default_rng(7)
    rates = {"converted": 0.3, "complained": 0.1, "stayed": 0.8}
    lines = [["unit", *rates, "spent"]]
    for unit, arm, _ in log:
        more = {name: change.get(name, 0.0) * (arm == "b") for name in (*rates, "spent")}
        values = [int(rng.random() < rate + more[name]) for name, rate in rates.items()]
        lines.append([unit, *values, rng.normal(10 + more["spent"], 2)])
    write("outcomes.csv", lines)


def judged() -> tuple[int, dict[str, Any]]:
    code = abtest.run({"DATA": "outcomes.csv", "LOG": "log.csv"})
    return code, json.loads(abtest.REPORT.read_text())


def test_the_planned_size_finds_the_effect_as_often_as_planned() -> None:
    a, b = effects.sample_size((0.12 * 0.88, 0.14 * 0.86), 0.02, 0.5, 0.8, 0.05)
    assert a == b == 4436  # 7.849 (0.1056 + 0.1204) / 0.0004, one more for t instead of z
    rng = np.random.default_rng(1)
    for share in (0.5, 0.2):
        a, b = effects.sample_size((0.3 * 0.7, 0.4 * 0.6), 0.1, share, 0.8, 0.05)
        assert b / (a + b) == pytest.approx(share, abs=0.01)
        found = [
            ttest_ind(rng.random(a) < 0.3, rng.random(b) < 0.4, equal_var=False).pvalue < 0.05
            for _ in range(2000)
        ]
        assert np.mean(found) == pytest.approx(0.8, abs=0.035)


def test_the_planned_size_of_means_finds_the_effect_as_often_as_planned() -> None:
    a, b = effects.sample_size((4.0, 4.0), 0.5, 0.5, 0.9, 0.05)
    rng = np.random.default_rng(2)
    tests = ttest_ind(rng.normal(0, 2, (a, 2000)), rng.normal(0.5, 2, (b, 2000)), equal_var=False)
    assert np.mean(tests.pvalue < 0.05) == pytest.approx(0.9, abs=0.03)


@pytest.mark.parametrize(("sd", "units"), [(0.2, 4), (0.5, 17)])
def test_few_planned_units_find_the_effect_as_often_as_planned(sd: float, units: int) -> None:
    assert effects.sample_size((sd**2, sd**2), 0.5, 0.5, 0.8, 0.05) == (units, units)
    rng = np.random.default_rng(5)
    a, b = rng.normal(0, sd, (units, 4000)), rng.normal(0.5, sd, (units, 4000))
    found = ttest_ind(a, b, equal_var=False).pvalue < 0.05
    assert np.mean(found) == pytest.approx(0.8, abs=0.03)


def test_effect_and_interval_are_those_of_welch() -> None:
    rng = np.random.default_rng(3)
    a, b = rng.normal(0, 1, 40), rng.normal(0.5, 3, 25)
    found, wanted = effects.compare(a, b, 0.05), ttest_ind(b, a, equal_var=False)
    assert found.p == pytest.approx(wanted.pvalue)
    assert (found.low, found.high) == pytest.approx(tuple(wanted.confidence_interval(0.95)))


def test_arms_without_any_variance_are_compared() -> None:
    same, other = np.ones(5), np.zeros(5)
    assert effects.compare(same, same, 0.05) == (0, 0, 0, 1)
    assert effects.compare(same, other, 0.05) == (-1, -1, -1, 0)


def test_of_experiments_with_no_effect_at_most_alpha_find_one() -> None:
    rng = np.random.default_rng(4)
    wrong = uncorrected = 0
    for _ in range(2000):
        a, b = rng.normal(size=(4, 60)), rng.normal(size=(4, 60))
        ps = [effects.compare(x, y, 0.05).p for x, y in zip(a, b, strict=True)]
        wrong += min(effects.holm(ps)) < 0.05
        uncorrected += min(ps) < 0.05
    assert wrong <= binom.ppf(0.999, 2000, 0.05)
    assert uncorrected > binom.ppf(0.999, 2000, 0.05)  # what the correction is for


def test_holm_keeps_order_and_place() -> None:
    assert effects.holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert effects.holm([0.9, 0.8]) == pytest.approx([1.0, 1.0])


def test_assignment_is_sticky_and_near_its_share() -> None:
    units = [f"customer {n}" for n in range(20_000)]
    for share in (0.5, 0.1):
        arms = [effects.arm(unit, "offer", share) for unit in units]
        assert arms == [effects.arm(unit, "offer", share) for unit in units]
        low, high = binom.ppf([0.0005, 0.9995], len(units), share)
        assert low <= arms.count("b") <= high
    few = {unit for unit in units if effects.arm(unit, "offer", 0.1) == "b"}
    assert all(effects.arm(unit, "offer", 0.5) == "b" for unit in few)  # a growing share


def test_two_experiments_have_independent_arms() -> None:
    units = [f"u{n}" for n in range(10_000)]
    both = sum(
        effects.arm(unit, "one", 0.5) == effects.arm(unit, "two", 0.5) == "b" for unit in units
    )
    low, high = binom.ppf([0.0005, 0.9995], len(units), 0.25)
    assert low <= both <= high


def test_an_arm_is_the_published_formula() -> None:
    """As sha256sum says of the name, a line feed and the unit: b begins with 0 to 7."""
    assert [effects.arm(f"u{n}", "offer", 0.5) for n in range(8)] == list("abbaabba")


def test_a_unit_that_comes_again_stays_where_it_was() -> None:
    log = exposed(50)
    write("units.csv", [["unit"], ["u3"], ["new"], ["new"]])
    abtest.run({"UNITS": "units.csv", "LOG": "log.csv"})
    with Path("log.csv").open(newline="") as file:
        again = list(csv.reader(file))[1:]
    assert again[:50] == log
    assert [line[0] for line in again[50:]] == ["new"]


def test_a_planted_effect_is_found() -> None:
    observed(exposed(), converted=0.2, spent=1.0)
    code, found = judged()
    assert (code, found["state"]) == (abtest.BETTER, "better")
    assert [row["verdict"] for row in found["metrics"]] == ["higher", "higher"]
    assert found["metrics"][0]["low"] < 0.2 < found["metrics"][0]["high"]
    assert [row["verdict"] for row in found["guard"]] == ["holds", "holds"]
    page = abtest.PAGE.read_text(encoding="utf-8")
    assert "<script" not in page
    assert "Better" in page
    assert "converted, spent" in page


@pytest.mark.parametrize(("change", "state"), [(0.0, "no difference"), (-0.2, "worse")])
def test_without_a_gain_a_stays(change: float, state: str) -> None:
    observed(exposed(), converted=change)
    assert judged()[1]["state"] == state
    assert judged()[0] == abtest.STAY


@pytest.mark.parametrize(("metric", "change"), [("complained", 0.15), ("stayed", -0.2)])
def test_a_broken_guardrail_refuses_what_is_better(metric: str, change: float) -> None:
    observed(exposed(), converted=0.2, **{metric: change})
    code, found = judged()
    assert (code, found["state"]) == (abtest.STAY, "refused")
    (reason,) = found["reasons"]
    assert metric in reason


def test_before_the_planned_size_no_effect_is_told() -> None:
    observed(exposed(100), converted=0.5)
    code, found = judged()
    assert (code, found["state"], found["metrics"]) == (abtest.TOO_EARLY, "too early", [])


def test_arms_of_few_units_are_judged_and_their_figures_are_not_shown() -> None:
    abtest.run({"EXPERIMENT": "few", "METRICS": "spent", "SD": 1, "EFFECT": 5})
    write("units.csv", [["unit"], *([f"u{n}"] for n in range(12))])
    abtest.run({"UNITS": "units.csv", "LOG": "log.csv"})
    seen = experiment_plan.exposures(Path("log.csv"), Left())
    rows = [[unit, 20 * (each.arm == "b") + n % 3] for n, (unit, each) in enumerate(seen.items())]
    write("outcomes.csv", [["unit", "spent"], *rows])
    known = {str(unit): [float(spent)] for unit, spent in rows}
    every = abtest.judge(experiment_plan.load_plan(), seen, known)
    code, shown = judged()
    assert (code, shown["state"], every["state"]) == (abtest.BETTER, "better", "better")
    (told,), (kept,) = every["metrics"], shown["metrics"]
    assert told["effect"] > 15
    assert {kept[key] for key in ("a", "b", "effect", "low", "high", "p")} == {None}
    assert set(shown["exposed"].values()) <= {"fewer than 10", 10, 11}
    assert "fewer than 10 exposed" in abtest.PAGE.read_text(encoding="utf-8")


def test_the_first_verdict_stands_whatever_comes_later(capsys: pytest.CaptureFixture[str]) -> None:
    log = exposed()
    observed(log)
    assert judged()[1]["state"] == "no difference"
    report, plan = abtest.REPORT.read_bytes(), experiment_plan.load_plan()
    assert "experiment.json: commit it" in capsys.readouterr().out
    observed(log, converted=0.2)
    assert judged()[0] == abtest.STAY
    said = capsys.readouterr().out
    assert "no difference: this stands, judging again with more data is no new evidence" in said
    assert abtest.REPORT.read_bytes() == report
    abtest.run(PLANNED)  # the same plan again does not forget it
    assert experiment_plan.load_plan() == plan


def test_a_look_that_showed_no_effect_is_no_verdict() -> None:
    log = exposed()
    observed(log[:100], converted=0.2)
    assert judged()[0] == abtest.TOO_EARLY
    observed(log, converted=0.2)
    assert judged()[0] == abtest.BETTER


@pytest.mark.parametrize("values", [(1e200, -3e200), (1e-170, 2e-170)])
def test_values_that_cannot_be_compared_are_no_verdict(values: tuple[float, float]) -> None:
    log = exposed()
    rows = [[unit, n % 2, values[n % 2], n % 3, n % 2] for n, (unit, _, _) in enumerate(log)]
    write("outcomes.csv", [["unit", "converted", "spent", "complained", "stayed"], *rows])
    with pytest.raises(InputError, match="values of 'spent' are too large or too small"):
        judged()
    assert not abtest.REPORT.exists()
    assert experiment_plan.load_plan().judged is None


def test_units_that_two_processes_add_at_once_are_all_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The second comes where the first has read the log and not written it yet."""
    exposed(10)
    write("more.csv", [["unit"], *([f"m{n}"] for n in range(10))])
    write("units.csv", [["unit"], *([f"n{n}"] for n in range(10))])
    settings = {"UNITS": "more.csv", "LOG": "log.csv"}
    second = threading.Thread(target=lambda: abtest.run(settings))
    kept = experiment_plan.new_file

    def meanwhile(path: Path) -> Any:
        if not second.ident:
            second.start()
            second.join(0.5)  # without a lock it is through by then
        return kept(path)

    monkeypatch.setattr(experiment_plan, "new_file", meanwhile)
    abtest.run({"UNITS": "units.csv", "LOG": "log.csv"})
    second.join()
    assert len(experiment_plan.exposures(Path("log.csv"), Left())) == 30


@pytest.mark.parametrize("lost", ["log.csv", "outcomes.csv"])
def test_an_arm_that_loses_units_is_refused(lost: str) -> None:
    log = exposed()
    observed(log, converted=0.2)
    gone = {unit for n, (unit, arm, _) in enumerate(log) if arm == "b" and n % 4 == 0}
    with Path(lost).open(newline="") as file:
        lines = list(csv.reader(file))
    write(lost, [line for line in lines if line[0] not in gone])
    code, found = judged()
    assert (code, found["state"], found["metrics"]) == (abtest.STAY, "refused", [])
    assert "not the planned share 0.5" in found["reasons"][0]


def test_a_unit_that_saw_both_arms_is_left_out_and_counted() -> None:
    log = exposed()
    observed(log, converted=0.2)
    other = {"a": "b", "b": "a"}
    later = "2100-01-01T00:00:00"
    both = [[unit, other[arm], later] for unit, arm, _ in log[:10]]
    twice = [[unit, arm, later] for unit, arm, _ in log[10:20]]
    write("log.csv", [["unit", "arm", "time"], *both, *twice, *log])
    found = judged()[1]
    assert (found["both_arms"], sum(found["outcomes"].values())) == (10, 1190)
    assert found["exposed"] == {arm: sum(line[1] == arm for line in log) for arm in "ab"}


def test_too_many_units_that_saw_both_arms_are_refused() -> None:
    log = exposed()
    observed(log, converted=0.2)
    both = [[unit, {"a": "b", "b": "a"}[arm], "2100-01-01T00:00:00"] for unit, arm, _ in log[:10]]
    write("log.csv", [["unit", "arm", "time"], *both, *log[:500]])
    code, found = judged()
    assert (code, found["state"]) == (abtest.STAY, "refused")
    assert "10 of 500 units saw both arms" in found["reasons"][0]


def test_outcomes_of_units_that_were_not_exposed_do_not_count() -> None:
    log = exposed()
    observed([*log, ["stranger", "b", ""]])
    found = judged()[1]
    assert (found["not_exposed"], sum(found["outcomes"].values())) == (1, 1200)


def test_a_plan_does_not_change_but_may_be_repeated() -> None:
    abtest.run(PLANNED)
    before = abtest.PLAN.read_bytes()
    abtest.run(PLANNED)
    assert abtest.PLAN.read_bytes() == before
    with pytest.raises(InputError, match=r"experiment\.json: 'offer' has another plan"):
        abtest.run(PLANNED | {"EFFECT": 0.2})
    assert abtest.PLAN.read_bytes() == before
    abtest.run(PLANNED | {"EFFECT": 0.2, "EXPERIMENT": "offer-2"})
    assert experiment_plan.load_plan().experiment == "offer-2"


def test_one_that_has_begun_is_judged_before_another_is_planned_and_no_name_is_used_twice() -> None:
    abtest.run(PLANNED)
    before = abtest.PLAN.read_bytes()
    begun = experiment_plan.load_plan().log
    begun.parent.mkdir(exist_ok=True)
    begun.write_text("unit,arm,time\n", encoding="utf-8")
    with pytest.raises(InputError, match="'offer' has begun and is not judged"):
        abtest.run(PLANNED | {"EXPERIMENT": "offer-2"})
    assert abtest.PLAN.read_bytes() == before
    abtest.PLAN.unlink()
    with pytest.raises(InputError, match="units were exposed by that name before"):
        abtest.run(PLANNED)
    assert not abtest.PLAN.exists()


def test_more_metrics_need_more_units() -> None:
    abtest.run(PLANNED)
    two = experiment_plan.load_plan().units
    abtest.run(PLANNED | {"METRICS": "converted", "EXPERIMENT": "one"})
    assert experiment_plan.load_plan().units["a"] < two["a"]
    given = {key: value for key, value in PLANNED.items() if key != "BASE"}
    abtest.run(given | {"SD": 2, "EXPERIMENT": "mean"})
    assert experiment_plan.load_plan().units["a"] > 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"EFFECT": 0}, "must not be 0"),
        ({"EFFECT": 1e-170}, "too small"),
        ({"EFFECT": 1e-7}, "effect 1e-07 needs more than 10,000,000,000 units"),
        ({"SHARE": 1e-320}, "needs more than"),
        ({"EFFECT": 0.8}, r"base \+ effect is 1.1"),
        ({"BASE": None}, "give base= .* or sd="),
        ({"SD": 1}, "give base= .* or sd="),
        ({"BASE": 1.5}, "abtest: base: "),
        ({"POWER": 1}, "abtest: power: "),
        ({"SHARE": 0}, "abtest: share: "),
        ({"EXPERIMENT": "../x"}, "abtest: experiment: "),
        ({"METRICS": ""}, "abtest: metrics: must not be empty"),
        ({"METRICS": "stayed"}, "different columns"),
        ({"GUARD": "complained"}, "GUARD"),
        ({"GUARD": "complained:1,complained:-2"}, "GUARD names a column twice"),
        ({"GUARD": "complained:0"}, "must not be 0"),
        ({"DATA": "x.csv"}, "one"),
        ({"LOG": "x.csv"}, "LOG= does not go with EFFECT="),
    ],
)
def test_a_plan_that_cannot_be_is_refused(change: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        abtest.run(PLANNED | change)
    assert not abtest.PLAN.exists()


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("outcomes.csv", "spent", "cost", "outcomes.csv has no column 'spent': add it"),
        ("outcomes.csv", "u2,", "u1,", "outcomes.csv: line 4: unit 'u1' has a line already"),
        ("log.csv", "arm", "group", "log.csv has no column 'arm'"),
        ("experiment.json", '"effect"', '"offset"', "experiment.json: offset: unknown key"),
    ],
)
def test_a_fault_in_a_file_is_named(name: str, old: str, new: str, message: str) -> None:
    observed(exposed(20))
    path = Path(name)
    columns = "unit,converted,spent,complained,stayed"
    if name == "outcomes.csv":
        path.write_text(f"{columns}\n" + "".join(f"u{n},1,1,1,1\n" for n in range(20)))
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(InputError, match=message):
        judged()
    assert not abtest.REPORT.exists()


WRONG = [
    ("outcomes.csv", "u2,", "u2,many", "outcomes.csv: line 4: converted: 'many"),
    ("outcomes.csv", "u2,", " ,", "outcomes.csv: line 4: unit is empty"),
    ("outcomes.csv", "u2,", '"u2,', "outcomes.csv: line 4: it is no line"),
    ("outcomes.csv", "u2,", "\udcff,", "outcomes.csv: line 4: it is no line"),
    ("outcomes.csv", "u2,0", "u2", "outcomes.csv: line 4: stayed: '' is not a number"),
    ("log.csv", "+00:00", "today", "log.csv: line 2: time must be like"),
    ("log.csv", ",a,", ",c,", "log.csv: line 2: arm must be a or b"),
]


@pytest.mark.parametrize(("name", "old", "new", "message"), WRONG)
@pytest.mark.parametrize("units", [60, 1200])
def test_a_wrong_line_is_left_out_and_named_and_many_refuse_a_verdict(
    units: int,
    name: str,
    old: str,
    new: str,
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    exposed(units)
    path = Path(name)
    columns = "unit,converted,spent,complained,stayed"
    lines = "".join(f"u{n},{n % 2},{n % 3},0,1\n" for n in range(units))
    Path("outcomes.csv").write_text(f"{columns}\n{lines}")
    text = path.read_text().replace(old, new, 1)
    path.write_text(text, errors="surrogateescape")
    code, found = judged()
    assert sum(found["outcomes"].values()) == units - 1
    assert f"1 of {units:,} lines were left out, the first is {message}" in capsys.readouterr().out
    assert (found["state"] == "refused") == (units == 60)
    assert code == abtest.STAY


@pytest.mark.parametrize(
    ("large", "small", "message"),
    [
        ('"1,234"', "950", "line 1002: spent: '1,234' is not a number"),
        ('"1.234,56"', "950", "line 1002: spent: '1.234,56' is not a number"),
        ("1 234", "950", "line 1002: spent: '1 234' is not a number"),
        ("1.234", "950", "column 'spent' has numbers like '1.234' beside '950'.*write thousands"),
        ("1.234.567", "950", "line 1002: spent: '1.234.567' is not a number"),
    ],
)
def test_outcomes_that_may_be_thousands_are_refused_and_not_left_out(
    large: str, small: str, message: str
) -> None:
    exposed(1200)
    lines = [f"u{n},1,{large if n == 1000 else small},0,1\n" for n in range(1200)]
    Path("outcomes.csv").write_text("unit,converted,spent,complained,stayed\n" + "".join(lines))
    with pytest.raises(InputError, match=message):
        judged()
    assert not abtest.REPORT.exists()


@pytest.mark.parametrize("values", [("1.234", "1234"), ("1.2340", "9"), ("1234", "950")])
def test_outcomes_whose_signs_are_plain_are_judged(values: tuple[str, str]) -> None:
    exposed(1200)
    lines = [f"u{n},1,{values[n % 2]},0,1\n" for n in range(1200)]
    Path("outcomes.csv").write_text("unit,converted,spent,complained,stayed\n" + "".join(lines))
    assert judged()[1]["state"] != "refused"


@pytest.mark.parametrize(
    ("form", "remedy"),
    [
        ("U{}", "case, quotes, spaces or leading zeros"),
        ("'u{}'", "case, quotes, spaces or leading zeros"),
        ("customer {}", "of something else"),
    ],
)
def test_outcomes_of_which_no_unit_was_exposed_are_an_error(form: str, remedy: str) -> None:
    log = exposed(50)
    observed([[form.format(unit[1:]), arm, ""] for unit, arm, _ in log])
    with pytest.raises(InputError, match=r"none of its 50 units .* 50 in log\.csv") as error:
        judged()
    assert remedy in str(error.value)
    assert not abtest.REPORT.exists()


@pytest.mark.parametrize(
    ("form", "remedy"),
    [("U{}", "case, quotes, spaces or leading zeros"), ("x{}", "something else")],
)
def test_outcomes_of_which_hardly_a_unit_was_exposed_are_an_error(form: str, remedy: str) -> None:
    first, *others = exposed(1200)
    observed([first, *([form.format(unit[1:]), arm, ""] for unit, arm, _ in others)])
    with pytest.raises(InputError, match=rf"only 1 of its 1,200 units .* in log\.csv: .*{remedy}"):
        judged()
    assert not abtest.REPORT.exists()


@pytest.mark.parametrize("name", ["outcomes.csv", "log.csv"])
def test_a_file_with_nothing_but_its_header_is_an_error(name: str) -> None:
    observed(exposed(50))
    Path(name).write_text(Path(name).read_text().splitlines()[0] + "\n")
    with pytest.raises(InputError, match=rf"{name} has no unit: name one a line"):
        judged()


def test_outcomes_of_many_who_were_not_exposed_are_no_error() -> None:
    observed([*exposed(20), *([f"s{n}", "b", ""] for n in range(2500))])
    assert judged()[0] == abtest.TOO_EARLY


def test_a_few_outcomes_without_exposure_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    observed([*exposed(50), ["stranger", "b", ""]])
    assert judged()[0] == abtest.TOO_EARLY
    assert "1 units with an outcome were not exposed" in capsys.readouterr().out


def test_a_file_of_units_without_one_is_refused() -> None:
    abtest.run(PLANNED)
    Path("units.csv").write_bytes(b"unit\n\xff\n")
    with pytest.raises(InputError, match=r"units\.csv has no unit; 1 of 1 lines"):
        abtest.run({"UNITS": "units.csv", "LOG": "log.csv"})
    assert not Path("log.csv").exists()


@pytest.mark.parametrize("name", ["outcomes.csv", "log.csv", "experiment.json"])
def test_a_missing_file_is_named(name: str) -> None:
    observed(exposed(5))
    Path(name).unlink()
    with pytest.raises(InputError, match=name):
        judged()


def test_a_file_that_is_not_text_is_named() -> None:
    observed(exposed(5))
    Path("outcomes.csv").write_bytes(b"unit,\xff\n")
    with pytest.raises(InputError, match=r"outcomes\.csv is not UTF-8"):
        judged()
