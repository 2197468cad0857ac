"""Projects that adopt somebody else's table (slow)."""

from __future__ import annotations

import gzip
import json
import math
import random
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import bake
import pytest
import yaml
from life import attempt, champion, make, metrics, twin
from service import stage

pytestmark = pytest.mark.slow
SHARED = bake.ROOT.parent / "shared" / "data" / "german_credit.csv"


def foreign_table(path: Path, rows: int = 1500) -> None:
    """A regression table with the traps people meet: made here, semicolons, decimal commas."""
    draw = random.Random(0)
    lines = [
        "Nº;Straße name;größe (m²);rooms-count;heating;price;price_k;land;building;fold;when sold"
    ]
    for number in range(rows):
        size, rooms = draw.uniform(30, 200), draw.randint(1, 8)
        heating = draw.choice(["gas", "oil", "?", "heat pump"])
        land = draw.uniform(10_000, 90_000)
        building = 1500 * size + 5000 * rooms + 9000 * (heating == "gas") + draw.gauss(0, 15_000)
        price = land + building
        sold = f"{2020 + number % 4}-{1 + number % 12:02d}-{1 + number % 28:02d}"
        cells = [number, f"Way {number * 7919 % rows}", size, rooms, heating, price, price / 1000,
                 land, building, number % 5, sold]  # fmt: skip
        lines.append(";".join(str(cell).replace(".", ",") for cell in cells))
    path.write_text("\ufeff" + "\r\n".join(lines) + "\r\n", encoding="utf-8")


def config(project: Path) -> dict[str, dict[str, object]]:
    """model_config.yaml as it was written."""
    found: dict[str, dict[str, object]] = yaml.safe_load(
        (project / "model_config.yaml").read_text(encoding="utf-8")
    )
    return found


def test_a_foreign_table_becomes_a_registered_model_without_what_gives_it_away(
    lived: Path, tmp_path: Path
) -> None:
    project = twin(lived, tmp_path / "project")
    source = tmp_path / "houses elsewhere.csv"
    foreign_table(source)
    said = make(project, "adopt", f"DATA={source}", "TARGET=price", "SENSITIVE=")
    assert set(config(project)["left_out"]) >= {"Nº", "price_k", "land", "building", "fold"}
    assert "price_k" in said
    assert {"größe (m²)", "rooms-count", "heating"} <= set(config(project)["columns"])
    assert (project / "model_config.yaml.bak").is_file()
    texts = [path for path in project.rglob("*") if path.is_file() and path.suffix != ".db"]
    written = [path for path in texts if not {".venv", ".git"} & set(path.parts)]
    for path in written:
        assert str(tmp_path / "houses").encode() not in path.read_bytes(), path
    make(project, "run")
    assert 0.5 < metrics(project)["r2"]["value"] < 0.999
    assert "the champion predicts 'defaulted'" in champion(project)["why"]
    make(project, "check", "test")


def dressed_table(path: Path, rows: int = 800) -> None:
    """Sales as a person keeps them in a sheet: dollars, percents, brackets, k; and packed."""
    draw = random.Random(1)
    lines = ["revenue;margin;staff;visits;profit"]
    for _ in range(rows):
        revenue, margin = draw.uniform(500, 90_000), draw.uniform(-20, 40)
        staff, visits = draw.randint(3, 4_000), draw.uniform(0.5, 90)
        profit = revenue * margin / 100 + 2 * staff + 50 * visits + draw.gauss(0, 500)
        money = f"(${-profit:,.2f})" if profit < 0 else f"${profit:,.2f}"
        cells = f"${revenue:,.0f};{margin:.1f} %;{staff:,};{visits:.1f}k"
        lines.append(f"{cells};{money}")
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")


def test_a_table_as_people_write_it_is_learned_from(lived: Path, tmp_path: Path) -> None:
    project = twin(lived, tmp_path / "project")
    dressed_table(tmp_path / "sales.csv.gz")
    said = make(project, "adopt", f"DATA={tmp_path / 'sales.csv.gz'}", "TARGET=profit")
    assert "numbers of 'profit': read '$" in said
    assert config(project)["data"]["written"] == {"units": ["$"], "negatives": ["(5)"]}
    assert (project / "data/sales.csv").is_file()
    make(project, "run")
    assert 0.9 < metrics(project)["r2"]["value"] < 0.999
    rows = "revenue;margin;staff;visits\n$12,500;12.5 %;1,200;3.5k\n"
    (tmp_path / "new.csv").write_text(rows, encoding="utf-8")
    make(project, "score", f"DATA={tmp_path / 'new.csv'}", f"OUT={tmp_path / 'out.csv'}")
    answer = float((tmp_path / "out.csv").read_text().split()[1].rpartition(",")[2])
    assert 1_000 < answer < 9_000  # 12,500 * 0.125 + 2 * 1,200 + 50 * 3.5 is 4,137.5
    (tmp_path / "new.csv").write_text(rows.replace("$12,500", "€12,500"), encoding="utf-8")
    refused = attempt(
        project, "score", f"DATA={tmp_path / 'new.csv'}", f"OUT={tmp_path / 'no.csv'}"
    )
    assert refused.returncode != 0
    assert "revenue: '€12,500' is no number, written with '$'" in refused.stderr


def hours(path: Path, start: str, rows: int, night: bool = False) -> None:
    """Demand by the hour, twice as much at noon and at weekends; or by night only."""
    draw, first = random.Random(start), datetime.fromisoformat(start)
    lines = ["when,temp,demand"]
    for at in range(rows):
        now = first + timedelta(hours=at)
        now = now.replace(hour=at % 4) if night else now
        usual = 100 + 80 * math.sin(math.pi * now.hour / 24) + 60 * (now.weekday() > 4)
        lines.append(f"{now},{draw.gauss(10, 3):.1f},{usual + draw.gauss(0, 5):.0f}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_demand_by_the_hour_is_learnt_and_requests_by_night_are_an_alarm(
    lived: Path, tmp_path: Path
) -> None:
    project = twin(lived, tmp_path / "project")
    hours(tmp_path / "hours.csv", "2024-01-01", 2000)
    said = make(project, "adopt", f"DATA={tmp_path / 'hours.csv'}", "TARGET=demand", "SENSITIVE=")
    assert "times of 'when': hour, weekday made of it" in said
    make(project, "run")
    assert metrics(project)["r2"]["value"] > 0.95
    page = (project / "reports/report.html").read_text(encoding="utf-8")
    assert "when: hour" in page
    assert champion(project)["why"].startswith("the champion predicts 'defaulted'")
    hours(tmp_path / "later.csv", "2024-04-01", 1000)
    assert "steady" in make(project, "monitor", f"DATA={tmp_path / 'later.csv'}")
    hours(tmp_path / "night.csv", "2024-04-01", 1000, night=True)
    alarm = attempt(project, "monitor", f"DATA={tmp_path / 'night.csv'}")
    assert "when: hour drifts" in alarm.stdout


def test_adopting_again_changes_the_target_and_keeps_the_old_configuration(
    lived: Path, tmp_path: Path
) -> None:
    project = twin(lived, tmp_path / "project")
    foreign_table(tmp_path / "houses.csv", 400)
    make(project, "adopt", f"DATA={tmp_path / 'houses.csv'}", "TARGET=price")
    first = (project / "model_config.yaml").read_text(encoding="utf-8")
    make(project, "adopt", "DATA=data/houses.csv", "TARGET=heating")
    assert (project / "model_config.yaml.bak").read_text(encoding="utf-8") == first
    assert config(project)["data"]["task"] == "multiclass"


def repeating_table(path: Path) -> None:
    """Sixteen kinds of rows, and what became of each; most in one of them."""
    draw = random.Random(4)
    lines = ["class,sex,age,survived"]
    for _ in range(2200):
        where = draw.choices(["1st", "2nd", "3rd", "crew"], [0.15, 0.13, 0.32, 0.4])[0]
        sex, age = (
            draw.choices("fm", [0.2, 0.8])[0],
            draw.choices(["adult", "child"], [0.95, 0.05])[0],
        )
        chance = 0.2 + 0.5 * (sex == "f") + 0.15 * (where == "1st") + 0.1 * (age == "child")
        lines.append(f"{where},{sex},{age},{'yes' if draw.random() < chance else 'no'}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def patients_table(path: Path) -> None:
    """Eight visits of each patient, whose own level is in `scale` and says nothing of others."""
    draw = random.Random(5)
    lines = ["PatientID,visit,marker,scale,status"]
    for number in range(300):
        sick, level = draw.random() < 0.45, draw.uniform(0, 1000)
        for visit in range(8):
            marker, scale = draw.gauss(0.4 * sick, 1), level + draw.gauss(0, 0.1)
            cells = f"{marker:.3f},{scale:.2f},{'sick' if sick else 'well'}"
            lines.append(f"P{number:04},{visit},{cells}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def few_table(path: Path) -> None:
    """120 people: what is known of them tells three quarters of what becomes of them."""
    draw = random.Random(6)
    lines = ["age,town,pay,left"]
    for _ in range(120):
        age, town = draw.gauss(45, 15), draw.choice(["Köln", "Wien", "Zürich"])
        gone = draw.random() < 1 / (1 + math.exp(-(age - 45) / 7 - (town == "Wien")))
        lines.append(f"{age:.1f},{town},{draw.gauss(3000, 500):.0f},{'yes' if gone else 'no'}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


# What the truth allows: expected from the chances above, by far more rows than the table has.
@pytest.mark.parametrize(
    ("write", "target", "split", "low", "high"),
    [
        (repeating_table, "survived", {"test": 0.2, "repeats": "apart"}, 0.64, 0.80),
        (patients_table, "status", {"test": 0.2, "group": "PatientID"}, 0.4, 0.7),
        (few_table, "left", {"folds": 5}, 0.75, 0.95),
    ],
)
def test_the_hold_out_tells_how_good_a_model_will_be(
    write: Callable[[Path], None],
    target: str,
    split: dict[str, object],
    low: float,
    high: float,
    lived: Path,
    tmp_path: Path,
) -> None:
    project = twin(lived, tmp_path / "project")
    write(tmp_path / "table.csv")
    make(project, "adopt", f"DATA={tmp_path / 'table.csv'}", f"TARGET={target}", "SENSITIVE=")
    assert config(project)["split"].items() >= split.items()
    stage(project, "prepare", "validate", "train", "evaluate", PYTHONPATH=bake.code_of(project))
    assert low < metrics(project)["roc_auc"]["value"] < high


@pytest.mark.parametrize(
    ("content", "words", "says"),
    [
        (b"a,b\n1,2\n", ("TARGET=c",), "no such column"),
        (b"", ("TARGET=b",), "empty"),
        (b"a,b\n" + b"1,x\n2,x\n" * 100, ("TARGET=b",), "one"),
        (b"a,b\n" + "1,ä\n2,ö\n".encode("latin-1") * 100, ("TARGET=b",), "ENCODING"),
    ],
)
def test_a_table_that_cannot_be_adopted_changes_nothing(
    content: bytes, words: tuple[str, ...], says: str, lived: Path, tmp_path: Path
) -> None:
    project = twin(lived, tmp_path / "project")
    before = (project / "model_config.yaml").read_bytes()
    (tmp_path / "bad.csv").write_bytes(content)
    done = attempt(project, "adopt", f"DATA={tmp_path / 'bad.csv'}", *words)
    assert done.returncode != 0
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert (project / "model_config.yaml").read_bytes() == before
    assert not (project / "data/bad.csv").exists()


def test_a_real_table_ends_in_a_model_or_an_honest_refusal(lived: Path, tmp_path: Path) -> None:
    if not SHARED.is_file():
        pytest.skip(f"{SHARED.name} is not beside this repository")
    project = twin(lived, tmp_path / "project")
    sensitive = "SENSITIVE=status_and_sex,age,is_foreign_worker"
    make(project, "adopt", f"DATA={SHARED}", "TARGET=target", sensitive)
    assert "_is_test" in config(project)["left_out"]
    refused = attempt(project, "run")
    assert refused.returncode != 0
    assert re.search(r"group '.*' has \d+ rows, 30 are needed", refused.stdout)
    make(project, "adopt", f"DATA={SHARED}", "TARGET=target", "SENSITIVE=")
    make(project, "run")
    assert 0.65 < metrics(project)["roc_auc"]["value"] < 0.9


def frauds(path: Path, rows: int = 8_000) -> None:
    """One row of a hundred is a fraud: at a probability of 0.5 a model finds none of them."""
    draw = random.Random(11)
    lines = ["amount,night,result"]
    for _ in range(rows):
        fraud = draw.random() < 0.01
        amount = draw.lognormvariate(4 + 2 * fraud, 1)
        night = draw.random() < (0.7 if fraud else 0.15)
        lines.append(f"{amount:.2f},{'yes' if night else 'no'},{'fraud' if fraud else 'ok'}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_what_is_rare_is_found_from_a_threshold_on_that_score_answers_by_too(
    lived: Path, tmp_path: Path
) -> None:
    project = twin(lived, tmp_path / "project")
    frauds(tmp_path / "frauds.csv")
    said = make(project, "adopt", f"DATA={tmp_path / 'frauds.csv'}", "TARGET=result")
    assert "threshold: f1: 0.94 % of the rows are fraud" in said
    assert config(project)["model"]["threshold"] == "f1"
    make(project, "run")
    assert metrics(project)["recall"]["value"] > 0.2
    assert metrics(project)["precision"]["value"] > 0.05  # five times as many as by chance
    identity = json.loads((project / "models/candidate/model.json").read_bytes())["identity"]
    report = (project / "reports/report.html").read_text(encoding="utf-8")
    assert f"{identity['threshold']['value']:.3g} (used)" in report
    rows = [f"{10 * 1.4**at:.2f},yes" for at in range(18)]
    (tmp_path / "new.csv").write_text("\n".join(["amount,night", *rows]), encoding="utf-8")
    make(project, "score", f"DATA={tmp_path / 'new.csv'}", f"OUT={tmp_path / 'out.csv'}")
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert lines[0] == "line,label,probability_ok,probability_fraud"
    answers = [line.split(",") for line in lines[1:]]
    assert {label for _, label, _, _ in answers} == {"ok", "fraud"}
    for _, label, _, chance in answers:
        assert (label == "fraud") == (float(chance) >= identity["threshold"]["value"])


def letters(path: Path, rows: int = 1500) -> None:
    """Letters to a shop: a text, a postcode of five digits, and whether somebody complained."""
    draw = random.Random(1)
    bad, good = ["late", "broken", "refund", "angry"], ["thanks", "lovely", "quick", "perfect"]
    often = {code: draw.random() for code in draw.sample(range(10_000, 99_999), 200)}
    lines = ["plz,letter,complaint"]
    for number in range(rows):
        code, share = draw.choice(list(often.items()))
        yes = draw.random() < share
        words = draw.choices(bad if yes else good, k=2) + draw.choices(bad + good, k=3)
        lines.append(f"{code},{' '.join(words)} order {number},{'yes' if yes else 'no'}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_postcodes_and_texts_become_a_model_that_learned_from_both(
    lived: Path, tmp_path: Path
) -> None:
    project = twin(lived, tmp_path / "project")
    letters(tmp_path / "letters.csv")
    said = make(project, "adopt", f"DATA={tmp_path / 'letters.csv'}", "TARGET=complaint")
    assert "learned from 'plz'" in said
    columns = config(project)["columns"]
    assert columns["plz"] == {"type": "categorical", "encoding": "target"}
    assert columns["letter"] == {"type": "text", "encoding": "words"}
    make(project, "run", "test")
    assert metrics(project)["roc_auc"]["value"] > 0.9
    report = (project / "reports/report.html").read_text(encoding="utf-8")
    assert "lovely" not in report
