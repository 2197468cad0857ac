"""report: reports/report.html and reports/model_card.md, composed from what other stages wrote."""

from __future__ import annotations

import tomllib
from base64 import b64encode
from pathlib import Path

from ...model.artifact import PROFILE
from ...model.shapes import Evaluation, Verdict
from ...outside import html
from ...settings.config import InputError, load_config
from ...storage.files import read_json, write_text
from ...storage.places import CANDIDATE, EVALUATION, REPORT, REPORTS, VERDICT
from .card import card
from .facts import Facts, gather
from .tables import number

MODEL = CANDIDATE / "model.json"
STYLES = {"passed": "passed", "refused": "refused", "warning": "warned", "not judged": "warned"}


def run() -> None:
    """Write both files; needs an evaluation, says so where there is no verdict on it yet."""
    facts = read_facts()
    write_text(REPORTS / "model_card.md", card(facts))
    write_text(REPORT, page(facts))
    print(f"report: model {facts.evaluation['model'][:16]}, {facts.verdict} -> {REPORT}")


def page(facts: Facts) -> str:
    """The report as one HTML page, with the plots in it."""
    files = [plot["file"] for plot in facts.evaluation["plots"]]
    pictures = {name: b64encode((REPORTS / "plots" / name).read_bytes()).decode() for name in files}
    values = {"facts": facts, "pictures": pictures, "styles": STYLES, "number": number}
    title = f"{facts.project}: model {facts.evaluation['model'][:16]}"
    return html.page("pipeline/reporting/report.html", title=title, **values)


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
    return gather(
        project,
        load_config(),
        evaluation,
        _verdict(evaluation["model"]),
        manifest["identity"],
        profile["columns"],
    )


def _verdict(model: str) -> Verdict | None:
    """The verdict on this model; None where there is none, or one on an earlier model."""
    if not VERDICT.exists():
        return None
    verdict: Verdict = read_json(VERDICT, "run `make gate`")
    return verdict if verdict["model"] == model else None
