"""report: reports/report.html and reports/model_card.md, composed from what other stages wrote."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from ...model.artifact import PROFILE
from ...model.shapes import Estimate, Evaluation, Verdict
from ...outside import html
from ...outside.numbers import number
from ...registry import champion
from ...settings.config import InputError, load_config
from ...storage.files import read_json, write_text
from ...storage.places import CANDIDATE, EVALUATION, REPORT, REPORTS, VERDICT
from ..evaluation import chart, plots, response
from . import rivals, tables
from .card import card
from .facts import Facts, gather

SEARCH = REPORTS / "search.json"
MODEL = CANDIDATE / "model.json"
STYLES = {"passed": "passed", "refused": "refused", "warning": "warned", "not judged": "warned"}


def run() -> None:
    """Write both files; needs an evaluation, says so where there is no verdict on it yet."""
    facts = read_facts()
    write_text(REPORTS / "model_card.md", card(facts))
    verdict = _verdict(facts.evaluation["model"])
    write_text(REPORT, page(facts, rivals.read(load_config(), verdict)))
    print(f"report: model {facts.evaluation['model'][:16]}, {facts.verdict} -> {REPORT}")


def page(facts: Facts, rival: rivals.Rivals | None = None) -> str:
    """The report as one HTML page, with the plots in it."""
    found = read_json(REPORTS / "plots" / plots.DATA, "run `make evaluate`")
    responses = read_json(REPORTS / "plots" / response.DATA, "run `make evaluate`")
    values = {
        "facts": facts,
        "plots": _drawn(found["plots"]),
        "responses": _drawn(responses),
        "thresholds": tables.thresholds(found["thresholds"], facts.answered),
        "classes": tables.classes(found["classes"]),
        "rival": rival and rival._replace(plots=_drawn(rival.plots)),
        "styles": STYLES,
        "number": number,
    }
    title = f"{facts.project}: model {facts.evaluation['model'][:16]}"
    return html.page("pipeline/reporting/report.html", title=title, **values)


def _drawn(found: Any) -> list[dict[str, Any]]:
    return [plot | {"svg": html.drawn(chart.svg(plot))} for plot in found]


def read_facts() -> Facts:
    """What is known of the evaluated candidate; raises InputError for files of another model."""
    evaluation: Evaluation = read_json(EVALUATION, "run `make evaluate`")
    manifest = read_json(MODEL, "run `make train`")
    if manifest["digest"] != evaluation["model"]:
        raise InputError(
            f"{EVALUATION} is of model {evaluation['model'][:16]}, {MODEL} is "
            f"{manifest['digest'][:16]}: run `make evaluate`"
        )
    profile = read_json(CANDIDATE / PROFILE, "run `make train`")
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]["name"]
    verdict = _verdict(evaluation["model"])
    return gather(
        project,
        load_config(),
        evaluation,
        verdict,
        manifest["identity"],
        profile["columns"],
        _champion(verdict, evaluation["headline"]),
        read_json(SEARCH, "run `make search`") if SEARCH.exists() else None,
    )


def _champion(verdict: Verdict | None, headline: str) -> tuple[str, Estimate] | None:
    """Name and headline of the champion that the candidate was judged by, where they are kept."""
    rival = verdict.get("rival") if verdict else None
    record = champion.read(champion.CHAMPION)
    if not rival or not record or rival["champion"] != record["digest"]:
        return None
    if rival["state"] not in ("paired", "apart"):
        return None
    found = champion.verdict(record)["metrics"].get(headline)
    return (f"champion {record['digest'][:16]}", found) if found else None


def _verdict(model: str) -> Verdict | None:
    """The verdict on this model; None where there is none, or one on an earlier model."""
    if not VERDICT.exists():
        return None
    verdict: Verdict = read_json(VERDICT, "run `make gate`")
    return verdict if verdict["model"] == model else None
