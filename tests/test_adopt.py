"""Projects that adopt somebody else's table (slow)."""

from __future__ import annotations

import math
import random
import re
from datetime import datetime, timedelta
from pathlib import Path

import bake
import pytest
import yaml
from life import attempt, champion, make, metrics, twin

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
