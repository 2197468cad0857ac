"""The pages of monitoring, experiments and load tests: one style, nothing of few rows."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import ml_template
import numpy as np
import pytest
from ml_template.model.profile import column_profile
from ml_template.operations import abtest, histograms, monitor, pages
from ml_template.serving import load
from ml_template.settings import gates
from ml_template.settings.config import InputError

KIT = Path(ml_template.__file__).parent
HOSTILE = "</td><script>x</script>"
CHANGE = {"column": HOSTILE, "verdict": "drift", "reason": "moved", "values": [], "p": 0.0}
LOCUST = '<html>`<body>`\n <body class="x">\n<p>theirs</p></body></html>'
WINDOW = {"from": "2026-01-01T00:00", "to": "2026-01-02T00:00", "rows": 900, "inputs": True}


def look(**more: Any) -> dict[str, Any]:
    results = [CHANGE | {"psi": 0.5, "missing": 0.0}]
    results.append(CHANGE | {"column": "calm", "verdict": "steady", "psi": 0.01, "missing": 0.0})
    windows = [WINDOW | {"results": results, "drifting": [HOSTILE]}] * 2
    quality = {"verdict": "kept", "reason": "well", "metric": "roc_auc", "before": 0.8}
    found = {"model": "ab" * 32, "time": "now", "state": "alarm", "alarms": [], "health": {}}
    return found | {"windows": windows, "quality": quality} | more


def test_the_strongest_change_is_the_first_row_and_has_a_cell_for_each_window() -> None:
    first, second = pages.heat(look()["windows"])
    assert (first["column"], second["column"]) == (HOSTILE, "calm")
    assert [cell["part"] for cell in first["cells"]] == [1.0, 1.0]
    assert second["cells"][0]["part"] == pytest.approx(0.04)


def test_a_column_that_is_gone_is_drawn_as_a_whole_change_and_one_not_there_as_none() -> None:
    gone = CHANGE | {"psi": None, "missing": None}
    later = [WINDOW | {"results": []}, WINDOW | {"results": [gone]}]
    (row,) = pages.heat(later)
    assert row["cells"][0] is None
    assert row["cells"][1]["part"] == 1.0
    assert row["cells"][1]["psi"] == "gone"


def test_the_page_of_a_look_is_whole_whatever_a_column_is_called() -> None:
    drawn = {"names": [HOSTILE, "b"], "before": [0.5, None], "now": [None, 0.9]}
    page = monitor.page(look(histograms={HOSTILE: drawn}))
    assert "<script" not in page
    assert page.count("&lt;script&gt;") >= 4
    assert page.count(">few<") == 2
    assert re.findall(r'href="#([^"]+)"', page) == re.findall(r'<section id="([^"]+)"', page)
    assert "Then and now" not in monitor.page(look())


def test_quality_over_time_stands_with_its_intervals_and_errors_are_positive() -> None:
    part = {"from": "2026-01-01T00:00", "to": "2026-01-02T00:00", "rows": 500}
    over = [part | {"value": -2.0, "low": -2.2, "high": -1.8}] * 2
    quality = {"metric": "neg_mean_absolute_error", "before": -1.9, "over": over}
    rows = pages.over_time(quality)
    assert [row[1:4] for row in rows] == [["500", "2.00", "1.80 to 2.20"]] * 2
    assert rows[0][4]["mark"] == 1.9
    assert pages.over_time({"metric": "roc_auc", "before": None}) == []


def shares(values: Any, now: Any, least: int = 10) -> dict[str, Any]:
    facts = column_profile(np.array(values))
    found = histograms.histogram(facts, np.array(now, np.array(values).dtype), least)
    assert found
    return found


def test_a_histogram_names_no_label_and_counts_no_value_of_few_rows() -> None:
    before = ["a"] * 60 + ["b"] * 30 + ["Jane Roe"] * 3
    found = shares(np.array(before, object), np.array(["a"] * 40 + ["b"] * 40, object))
    assert found["names"] == ["a", "b", "others"]
    assert found["before"][2] is None
    assert found["now"][2] is None
    whole = shares(np.array(before[:90], object), np.array(["a"] * 40 + ["b"] * 40, object))
    assert whole == {"names": ["a", "b"], "before": [60 / 90, 30 / 90], "now": [0.5, 0.5]}


@pytest.mark.parametrize("many", [5, 400])
def test_parts_of_numbers_have_enough_rows_and_show_no_extreme(many: int) -> None:
    values = np.append(np.tile(np.arange(many), 2000 // many), [987654.0])
    found = shares(values, values[:-1])
    assert "987654" not in " ".join(found["names"]).replace(",", "")
    assert all(share is None or share * len(values) >= 10 for share in found["before"])
    assert sum(share or 0 for share in found["now"]) > 0.5


@pytest.mark.parametrize(
    ("share", "said"),
    [(True, "+1.9 points [0.7, 3.1]"), (False, "+0.019 [0.007, 0.031]")],
)
def test_an_effect_is_said_in_words_with_its_interval(share: bool, said: str) -> None:
    entry = {"metric": "m", "effect": 0.019, "low": 0.007, "high": 0.031, "share": share}
    assert pages.effect(entry) == said
    assert pages.effect(entry | {"effect": None}) == "–"


def test_values_of_0_and_1_are_shares_and_others_are_not() -> None:
    effect = abtest.effects.Effect(0.1, 0.0, 0.2, 0.5)
    for high, share in ((1.0, True), (2.0, False)):
        arm = {"m": np.array([0.0, high])}
        assert abtest._row("m", arm, arm, effect, True)["share"] is share


def test_every_page_is_of_one_style_and_nothing_is_fetched() -> None:
    for path in KIT.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert "<script" not in text, path
        assert not re.search(r"https?://|@import|url\(", text), path
        if "[% block body %]" in text and path.name != "frame.html":
            assert text.startswith('[% extends "outside/frame.html" %]'), path
            assert "<style" not in text, path


def test_what_is_wide_scrolls_in_its_own_box() -> None:
    for path in KIT.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        for at in (found.start() for found in re.finditer("<table", text)):
            assert re.search(r'<div [^>]*class="wide" tabindex="0">$', text[:at]), path


@pytest.mark.parametrize(("value", "said"), [(9.0, "Passed"), (99.0, "Refused")])
def test_the_verdict_of_a_load_test_stands_above_locust_s(value: float, said: str) -> None:
    line = gates.compare("p95_ms", value, "<=", 50.0)
    page = load.above(LOCUST, [line], HOSTILE)
    assert page.index('<body class="x">') < page.index(f">{said}<") < page.index("<p>theirs</p>")
    assert "<script" not in page
    assert "&lt;= 50" in page
    with pytest.raises(InputError, match="has no body"):
        load.above("nothing", [line], "")
