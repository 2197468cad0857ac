import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ml_template.pipeline.evaluation import chart, plots
from ml_template.pipeline.reporting import contents, facts, report, sentence
from ml_template.settings.config import Config, InputError

HOSTILE = '</td><script>alert("1")</script> | `x` *y* $z$'
DIGEST = "ab" * 32
INTERVAL = {"value": 0.8, "low": 0.7, "high": 0.9}
CONFIG = {
    "data": {"path": "data/x.csv", "target": HOSTILE, "task": "binary"}
    | {"classes": ["no", HOSTILE], "positive": HOSTILE},
    "columns": {"group": {"type": "categorical", "feature": False}, "a|b": {"type": "numeric"}}
    | {"person": {"type": "text", "feature": False}},
    "left_out": {"id": HOSTILE},
    "sensitive": ["group"],
}
EVALUATION: dict[str, Any] = {
    "model": DIGEST,
    "data": {"path": "data/x.csv", "sha256": "cd" * 32, "rows": 50, "train": 40, "test": 10},
    "task": "binary",
    "target": HOSTILE,
    "rows": 10,
    "seed": 7,
    "replicates": 1000,
    "classes": {"no": 6, HOSTILE: 4},
    "headline": "roc_auc",
    "metrics": {"roc_auc": INTERVAL},
    "baseline": {"roc_auc": 0.5},
    "slices": [
        {"column": "group", "group": HOSTILE, "rows": 6, "metric": "roc_auc"} | INTERVAL,
        {"column": "group", "group": "missing", "rows": 4, "metric": "roc_auc", "value": None}
        | {"low": None, "high": None, "reason": "too few rows of class 'no' (0)"},
    ],
    "fairness": [
        {"column": "group", "groups": [{"group": HOSTILE, "rows": 6, "accuracy": None}]}
        | {"accuracy_gap": None, "reason": HOSTILE}
    ],
    "calibration": {"error": 0.1, "bins": []},
    "confusion": [[5, 1], [1, 3]],
    "importance": [{"feature": "a|b", "value": 0.2, "low": 0.1, "high": 0.3}],
    "plots": [{"file": "roc.svg", "title": "ROC curve", "text": HOSTILE}],
}
IDENTITY = {key: key * 4 for key in ("config", "schema", "code", "lock", "estimator")} | {
    "seed": 7,
    "threads": 1,
    "model": {"form": "treelite", "why": "agrees"},
    "versions": {"numpy": "2.0"},
}
LABELS = {"kind": "label", "rows": 40, "missing": 2, "distinct": 2, "labels": {"Jane Roe": 38}}
NUMBERS = {"kind": "number", "rows": 40, "missing": 0, "mean": 2.0, "sd": 1.0, "edges": [1.0, 9.0]}
LINE = {"kind": "line", "x": [0, 0.5, 1], "y": [0, 0.9, 1], "name": HOSTILE}
PLOT = {"file": "roc.svg", "title": "ROC curve", "text": HOSTILE, "x": HOSTILE, "y": "true"}
PLOTS = {
    "plots": [PLOT | {"marks": [LINE]}],
    "thresholds": [{"threshold": 0.5} | dict.fromkeys(("flagged", "precision", "recall"), 0.25)],
    "classes": [{"class": HOSTILE, "rows": "fewer than 10", "precision": None, "recall": None}],
}
PLOTS["thresholds"][0]["lift"] = 2.0
RESPONSE = {"title": "a|b", "text": "mean", "x": "mean", "y": "", "names": [HOSTILE, "b"]}
RESPONSE |= {"marks": [{"kind": "dots", "x": [0.1, 0.2], "y": [0, 1]}]}
VERDICT = {
    "model": DIGEST,
    "verdict": "refused",
    "lineage": {"commit": "e" * 40, "uncommitted": [], "reason": None},
    "checks": [
        {"gate": "floor", "value": 0.7, "limit": ">= 0.5", "verdict": "passed", "reason": ""},
        {"gate": HOSTILE, "value": 3, "limit": None, "verdict": "refused", "reason": HOSTILE},
    ],
}


class Tags(HTMLParser):
    """Names of the tags and addresses of a page, and whether every tag is closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.addresses: list[str] = []
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.addresses += [value or "" for key, value in attributes if key in ("src", "href")]
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)


def write(name: str, content: Any) -> None:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    text = content if isinstance(content, str) else json.dumps(content)
    Path(name).write_text(text, encoding="utf-8")


@pytest.fixture
def project(in_folder: Path) -> Path:
    """A folder with everything the report is composed from, hostile names in it, no verdict."""
    write("pyproject.toml", '[project]\nname = "example"\n')
    write("model_config.yaml", CONFIG)  # JSON is YAML
    write("models/candidate/model.json", {"digest": DIGEST, "identity": IDENTITY})
    write("reports/evaluation.json", EVALUATION)
    profile = {"group": LABELS | {"labels": {HOSTILE: 38}}, "a|b": NUMBERS, "person": LABELS}
    write("models/candidate/profile.json", {"columns": profile})
    write("reports/plots/plots.json", PLOTS)
    write("reports/plots/responses.json", [RESPONSE])
    return in_folder


def composed() -> tuple[str, str]:
    report.run()
    return tuple(  # type: ignore[return-value]
        Path("reports", name).read_text(encoding="utf-8")
        for name in ("report.html", "model_card.md")
    )


def test_the_page_is_whole_and_fetches_nothing(project: Path) -> None:
    write("reports/verdict.json", VERDICT)
    tags = Tags(composed()[0])
    assert tags.open == []
    assert "script" not in tags.names
    assert "svg" in tags.names
    assert all(address.startswith("#") for address in tags.addresses)


def test_hostile_names_are_shown_as_text(project: Path) -> None:
    write("reports/verdict.json", VERDICT)
    page, card = composed()
    assert "<script" not in page
    assert page.count("&lt;script&gt;") >= 8
    assert not re.search(r"(?<!\\)<", card)
    rows = [line for line in card.splitlines() if line.startswith("|")]
    assert all(len(re.findall(r"(?<!\\)\|", row)) in (3, 4, 5, 6, 7) for row in rows)


def test_a_refusal_is_said_first_with_its_gate(project: Path) -> None:
    write("reports/verdict.json", VERDICT)
    page, card = composed()
    assert page.index(">Refused<") < page.index("<h2>Metrics")
    assert page.index('class="refused">refused') < page.index('class="passed">passed')
    assert "**Verdict: refused** by 1 of 2 gate lines" in card
    assert "e" * 40 in page


@pytest.mark.parametrize("verdict", [None, VERDICT | {"model": "0" * 64}], ids=["none", "older"])
def test_without_a_verdict_on_this_model_it_says_so(project: Path, verdict: Any) -> None:
    if verdict:
        write("reports/verdict.json", verdict)
    page, card = composed()
    assert "Not judged" in page
    assert "run make gate" in card
    assert "Refused" not in page


def test_the_headline_stands_with_its_interval_and_baseline(project: Path) -> None:
    page, card = composed()
    assert "95 % interval 0.70 to 0.90" in page
    assert "naive baseline 0.50" in card
    assert "too few rows of class &#x27;no&#x27; (0)" in page


@pytest.mark.parametrize(
    ("split", "more", "says"),
    [
        ({"test": 0.2}, {}, ""),
        ({"group": "group"}, {}, "nor any other row of the same group"),
        ({"repeats": "apart"}, {"repeated": 41}, "but equal ones were: 41 of 50 rows repeat"),
        ({"repeats": "apart"}, {"repeated": 4}, "equal ones were: fewer than 10 of 50 rows"),
    ],
)
def test_what_the_hold_out_is_beside_the_training_rows_is_said(
    split: dict[str, Any], more: dict[str, int], says: str, project: Path
) -> None:
    write("model_config.yaml", CONFIG | {"split": split})
    write(
        "reports/evaluation.json",
        EVALUATION | {"data": EVALUATION["data"] | {"split": "ab"} | more},
    )
    page, _ = composed()
    assert "never seen in training (40 rows)" in page
    assert says in page
    assert ("equal ones were" in page) == ("repeats" in split)


def test_texts_of_people_are_counted_not_shown(project: Path) -> None:
    page, _ = composed()
    assert "Jane Roe" not in page
    assert "2 different" in page


def test_starter_data_is_called_synthetic(project: Path) -> None:
    assert "SYNTHETIC" not in composed()[0]
    data = EVALUATION["data"] | {"path": "data/starter.csv"}
    write("reports/evaluation.json", EVALUATION | {"data": data})
    assert all("SYNTHETIC" in text for text in composed())


def test_an_evaluation_of_another_model_is_refused(project: Path) -> None:
    write("models/candidate/model.json", {"digest": "0" * 64, "identity": IDENTITY})
    with pytest.raises(InputError, match=r"evaluation.json is of model abab.*run `make evaluate`"):
        report.run()


def test_the_same_inputs_give_the_same_files(project: Path) -> None:
    assert composed() == composed()


def loss(value: float) -> dict[str, float]:
    return {"value": value, "low": value - 0.02, "high": value + 0.02}


def test_an_error_is_a_positive_number_with_digits_of_its_interval(project: Path) -> None:
    metrics = EVALUATION["metrics"] | {"neg_log_loss": loss(-0.43047), "neg_fare": loss(-4.1)}
    naive = EVALUATION["baseline"] | {"neg_log_loss": -0.58817, "neg_fare": None}
    write("reports/evaluation.json", EVALUATION | {"metrics": metrics, "baseline": naive})
    for text in composed():
        assert "log loss" in text
        assert "0.430" in text
        assert "0.410 to 0.450" in text
        assert "0.588" in text
        assert "4.080 to 4.120" in text
        assert not re.search(r"-0\.43|-4\.1", text)


def test_a_metric_that_rises_above_zero_keeps_its_sign(project: Path) -> None:
    odd = {"neg_balance": {"value": -0.5, "low": -0.9, "high": 0.4}}
    found = {"metrics": EVALUATION["metrics"] | odd, "baseline": {"roc_auc": 0.5, "neg_balance": 0}}
    write("reports/evaluation.json", EVALUATION | found)
    assert "-0.9 to 0.4" in composed()[0]


def test_what_to_do_stands_beside_what_was_refused_and_only_there(project: Path) -> None:
    checks = [VERDICT["checks"][0]]
    checks += [{"gate": "calibration", "value": 0.3, "limit": "<= 0.1", "reason": ""}]
    checks[1] |= {"verdict": "refused"}
    checks += [{"gate": "kit", "value": 1, "limit": None, "reason": "", "verdict": "warning"}]
    write("reports/verdict.json", VERDICT | {"checks": checks})
    page = composed()[0]
    rows = {row.split("<")[0]: row for row in page.split("<tr>\n<td>") if "passed" in row[:200]}
    assert "probabilities are off" in page
    assert "<code>make kit</code> names the files" in page
    assert "`make" not in page
    assert re.search(r"floor</td>.*?<td></td>\s*</tr>", page, re.DOTALL), rows


def test_the_first_sentence_says_what_and_how_good_in_words(project: Path) -> None:
    page, card = composed()
    assert "Predicts whether" in page
    assert "in 80 of 100 cases; a guess does in 50" in page
    assert "in 80 of 100 cases" in card


def test_the_page_has_a_contents_list_whose_targets_are_there(project: Path) -> None:
    page = composed()[0]
    targets = re.findall(r'href="#([^"]+)"', page)
    assert len(targets) > 8
    assert set(targets) == set(re.findall(r'<section id="([^"]+)"', page))


def test_it_is_drawn_in_the_colours_of_the_page_light_and_dark(project: Path) -> None:
    page = composed()[0]
    assert "prefers-color-scheme: dark" in page
    assert not re.search(r'(stroke|fill)="#', page)
    assert page.count("<svg ") - page.count("aria-hidden") == page.count("<title>") - 1


def test_many_columns_fold(project: Path) -> None:
    names = [f"Gesamtdarlehensrestschuldbetrag_{at}" for at in range(300)]
    entries = [{"feature": name, "value": 0.1, "low": 0.0, "high": 0.2} for name in names]
    write("reports/evaluation.json", EVALUATION | {"importance": entries})
    page = composed()[0]
    assert "<summary>270 more</summary>" in page
    assert page.index(names[29]) < page.index("<summary>270 more") < page.index(names[30])


def test_of_a_range_no_value_is_shown_that_few_rows_have(project: Path) -> None:
    wide = {"kind": "number", "rows": 4000, "missing": 0, "mean": 50.0, "sd": 9.0}
    wide |= {"edges": [-99999.0, 50.0, 88888.0], "cuts": [20.0, 50.0, 80.0]}
    profile = {"group": LABELS | {"labels": {HOSTILE: 38}}, "person": LABELS}
    for below, said in (([80, 2000, 3920], "20 to 80, mean"), ([9, 2000, 3995], "50 to 50, mean")):
        columns = profile | {"a|b": wide | {"below": below}}
        write("models/candidate/profile.json", {"columns": columns})
        page = composed()[0]
        assert said in page
        assert "99999" not in page.replace(",", "")
        assert "88888" not in page.replace(",", "")


def test_a_column_that_was_left_out_is_named_with_its_reason(project: Path) -> None:
    page = composed()[0]
    assert "left out: &lt;/td&gt;" in page[page.index('id="data"') :]


def test_a_long_reason_folds_and_is_whole(project: Path) -> None:
    reason = ", ".join(f"vendor/file_{at}.py" for at in range(40))
    check = {"gate": "kit", "value": 40, "limit": None, "verdict": "warning", "reason": reason}
    write("reports/verdict.json", VERDICT | {"checks": [*VERDICT["checks"], check]})
    page = composed()[0]
    assert f"{reason}</details>" in page
    assert f"<summary>kit: {reason[:115]}…</summary>" in page


def test_bars_stand_on_the_ground() -> None:
    bars = {"kind": "stairs", "x": [0, 1, 2], "y": [30, 40]}
    drawn = chart.svg({"title": "t", "text": "", "x": "x", "y": "y", "marks": [bars]})
    ground = re.findall(r"M[\d.]+ ([\d.]+)V", drawn)
    assert set(ground) == {"210.0"}


def test_the_threshold_in_use_stands_with_what_it_is_worth_and_what_mistakes_cost(
    project: Path,
) -> None:
    point = {"value": 0.0312, "by": "costs 1 : 10", "rows": 90, "rarer": 30}
    write(
        "models/candidate/model.json",
        {"digest": DIGEST, "identity": IDENTITY | {"threshold": point}},
    )
    found = {"precision": 0.25, "recall": 0.75, "neg_cost": -0.4}
    each = {name: {"value": v, "low": v - 0.1, "high": v + 0.1} for name, v in found.items()}
    metrics, naive = {"roc_auc": INTERVAL} | each, {"roc_auc": 0.5} | dict.fromkeys(found, 0.0)
    write("reports/evaluation.json", EVALUATION | {"metrics": metrics, "baseline": naive})
    line = PLOTS["thresholds"][0] | {"threshold": 0.0312, "used": True}
    lines = [
        line | {"cost": 0.4, "total": 1234.5},
        PLOTS["thresholds"][0] | {"cost": 1, "total": 2},
    ]
    write("reports/plots/plots.json", PLOTS | {"thresholds": lines})
    page, card = composed()
    assert "0.0312 (used)" in page
    assert "0.5 (used)" not in page
    assert "1,234.5" in page
    assert re.search("so it finds 75 of 100 rows that are .*, and of 100 .* 25 are", page)
    assert "; a row costs 0.4" in page
    assert "chosen on training folds by costs 1 : 10" in page
    assert "chosen on training folds by costs 1 : 10" in card.replace("\\", "")
    assert "<script" not in page
    assert "The most probable class is answered" not in page


def test_without_a_threshold_the_most_probable_class_is_answered(project: Path) -> None:
    page, card = composed()
    assert "The most probable class is answered." in page
    assert "The most probable class is answered" in card


def test_the_table_of_thresholds_says_that_it_counts_rows_where_the_metrics_do_not(
    project: Path,
) -> None:
    """Its recall is another than that of the sentence above it then."""
    said = "Each row counts once here, not by data.weight."
    assert said not in composed()[0]
    weight = {"case": {"type": "numeric", "feature": False, "min": 0}}
    data, columns = CONFIG["data"] | {"weight": "case"}, CONFIG["columns"] | weight
    write("model_config.yaml", CONFIG | {"data": data, "columns": columns})
    assert said in composed()[0]


def test_a_name_between_backticks_stays_as_it_is_called(project: Path) -> None:
    check = {"gate": "`a`", "value": 0.3, "limit": None, "reason": "`b`", "verdict": "refused"}
    write("reports/verdict.json", VERDICT | {"checks": [check]})
    page = composed()[0]
    assert "<td>`a`</td>" in page
    assert "<td>`b`</td>" in page


def test_whole_numbers_of_a_column_are_whole_and_others_are_not() -> None:
    facts = {"kind": "number", "rows": 90, "missing": 0, "mean": 2.0, "sd": 0.8, "edges": [1, 3]}
    rooms = facts | {"cuts": [1.0, 2.0], "below": [30, 60]}
    assert contents._values("numeric", rooms, 10) == "1 to 3, mean 2.000, sd 0.800"
    size = facts | {"cuts": [1.5, 2.5], "below": [30, 60]}
    assert contents._values("numeric", size, 10) == "1.500 to 2.500, mean 2.000, sd 0.800"


@pytest.mark.parametrize(
    ("value", "said"), [(0.9987, "99"), (1.0, "100"), (0.002, "1"), (0.0, "0"), (0.806, "81")]
)
def test_nearly_all_is_not_all(value: float, said: str) -> None:
    assert sentence._of_100(value) == said


def test_a_quantile_is_said_in_words(project: Path) -> None:
    model = {"estimator": "linear", "quantile": 0.9}
    data = CONFIG["data"] | {"task": "regression"}
    data = {key: value for key, value in data.items() if key not in ("classes", "positive")}
    config = Config.model_validate(CONFIG | {"data": data, "model": model}, strict=False)
    entry = {"value": 0.74, "low": 0.7, "high": 0.8}
    metrics = {"d2_pinball": entry, "coverage": entry | {"value": 0.88}}
    made: Any = {"headline": "d2_pinball", "metrics": metrics, "baseline": {"d2_pinball": -0.01}}
    said = sentence.sentence(config, made)
    assert "its misses cost 74 % less than those of always the same answer" in said
    assert "one too low costs 9 times one too high" in said
    assert "90 of 100 rows stay below" in facts._about(config, {"estimator": "linear"})


def test_no_text_of_a_plot_is_wider_than_its_place() -> None:
    assert chart.plain("a" * 30, 15) == "a" * 14 + "…"
    assert chart.plain("国" * 30, 15) == "国" * 7 + "…"
    assert chart.plain("国" * 7, 15) == "国" * 7
    wide = {"title": "t", "text": "x", "x": "x" * 90, "y": "y" * 90, "names": None}
    picture = chart.svg(wide | {"marks": [{"kind": "line", "x": [0, 1], "y": [0, 1]}]})
    texts = re.findall(r">([xy]+…)</text>", picture)
    room = {"x": chart.WIDTH - 58, "y": 200}
    assert {text[0] for text in texts} == {"x", "y"}
    assert all(len(text) * 6.2 <= room[text[0]] for text in texts)


def test_scores_of_a_rare_class_are_drawn_in_fewer_bars(tmp_path: Path) -> None:
    chance = np.random.default_rng(2)
    truth = np.array([0] * 325 + [1] * 75)
    score = np.clip(chance.normal(0.1 + 0.3 * truth, 0.12), 0.001, 0.999)
    answers = np.stack([1 - score, score], axis=1)
    made = plots.classification(tmp_path, truth, answers, ["no", "yes"], [], 10)
    (bars,) = [plot for plot in made if plot["file"] == "scores.svg"]
    assert any(bars["marks"][1]["y"])


def test_residuals_end_with_the_last_bar_that_is_drawn() -> None:
    chance = np.random.default_rng(2)
    values = np.concatenate([chance.normal(0, 1, 560), np.linspace(-90, -10, 40)])
    bars = plots.bars(values, 10)
    assert bars["y"][0] is not None
    assert bars["y"][-1] is not None
    assert len(bars["x"]) == len(bars["y"]) + 1
    assert min(bars["x"]) > -9
    assert plots.bars(values[:3], 10)["y"].count(None) == plots.BARS  # none is drawn
