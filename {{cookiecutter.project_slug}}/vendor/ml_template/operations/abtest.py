"""abtest: an experiment, planned before it begins, judged once its planned size is reached.

experiment.json is the plan: commit it before a unit is exposed. Its arm is a hash (effects.arm).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..outside import html
from ..settings.config import CONFIG_FILE, InputError, Report, load_config
from ..storage.files import locked, write_json, write_text
from . import effects, experiment
from .experiment import text
from .experiment_plan import PLAN, load_plan, log, note_verdict, write_plan
from .exposure import add, exposures, lines, outcomes
from .join import alike, few, hardly
from .lines import Left

REPORT = Path("reports/experiment.json")
PAGE = Path("reports/experiment.html")
DONE, BETTER, STAY, TOO_EARLY = 0, 0, 3, 4
CODES = {"better": BETTER, "too early": TOO_EARLY}  # of all other states STAY
# what is given: what may be given with it
WORDS = {
    "EFFECT": {"EXPERIMENT", "METRICS", "GUARD", "BASE", "SD", "POWER", "ALPHA", "SHARE"},
    "UNITS": {"LOG"},
    "DATA": {"LOG"},
}
STYLES = {"better": "steady", "holds": "steady"} | dict.fromkeys(
    ("worse", "refused", "does not hold"), "alarm"
)


def run(settings: dict[str, str]) -> int:
    """EFFECT=... plans, UNITS=units.csv assigns, DATA=outcomes.csv judges.

    Exit code of the last: BETTER; STAY (worse, no difference, not comparable, a guardrail that does
    not hold); TOO_EARLY. Raises InputError naming file, column or key, and the remedy.
    """
    given = {name for name, value in settings.items() if value}
    words = given & set(WORDS)
    if len(words) != 1:
        raise InputError("abtest needs EFFECT= (plan), UNITS= (assign) or DATA= (judge), one")
    (word,) = words
    extra = given - {word} - WORDS[word]
    if extra:
        raise InputError(f"abtest: {min(extra)}= does not go with {word}=: leave it out")
    return {"EFFECT": _plan, "UNITS": _assign, "DATA": _judge}[word](settings)


def _plan(settings: dict[str, str]) -> int:
    plan = write_plan(settings)
    a, b = plan.units.values()
    print(f"abtest: {plan.experiment}: needs {a:,} units of a and {b:,} of b -> {PLAN}: commit it")
    return DONE


def _assign(settings: dict[str, str]) -> int:
    """Add units that are not in the exposure log yet to it: they are exposed from now on."""
    plan, source = load_plan(), Path(settings["UNITS"])
    path, left, damaged = Path(settings.get("LOG") or log(plan)), Left(), Left()
    units = dict.fromkeys(unit for _, unit, _ in lines(source, ["unit"], left))
    if left.out and not units:
        raise _empty(source, left)
    with locked(path):  # two that read, then write, would lose the units of one
        known = exposures(path, damaged) if path.exists() else {}
        fresh = [unit for unit in units if unit not in known]
        add(path, ((unit, effects.arm(unit, plan.experiment, plan.share)) for unit in fresh))
    print(
        f"abtest: {len(fresh):,} units added, {len(units) - len(fresh):,} known -> {path}"
        f"{left}{damaged}"
    )
    return DONE


def _judge(settings: dict[str, str]) -> int:
    plan = load_plan()
    if plan.judged:
        print(
            f"abtest: {plan.experiment}: judged at {plan.judged.time}: {plan.judged.state}: this "
            f"stands, judging again with more data is no new evidence. Plan another experiment; "
            f"if DATA was wrong, remove `judged` from {PLAN} and say so in the commit"
        )
        return CODES.get(plan.judged.state, STAY)
    path, source = Path(settings.get("LOG") or log(plan)), Path(settings["DATA"])
    left = Left(), Left()
    seen = exposures(path, left[0])
    known = outcomes(source, (*plan.metrics, *plan.guard), left[1])
    for file, units, out in ((path, seen, left[0]), (source, known, left[1])):
        if not units:
            raise _empty(file, out)
    matched = known.keys() & seen.keys()
    if hardly(len(matched), len(known), len(seen)):
        raise InputError(
            f"{source}: {few(len(matched), len(known))} units is among the {len(seen):,} in {path}"
            f"{left[1]}{left[0]}: {alike(known.keys() - matched, set(seen))}"
        )
    report = load_config().report if CONFIG_FILE.exists() else Report()  # it needs no model
    found = experiment.judge(plan, seen, known, left, report.min_cell)
    write_json(REPORT, found)
    write_text(PAGE, _page(found))
    for reason in found["reasons"]:
        print(f"abtest: {reason}")
    strangers = found["not_exposed"]
    note = f"; {strangers:,} units with an outcome were not exposed" if strangers else ""
    print(f"abtest: {plan.experiment}: {found['state']} -> {PAGE}{note}{left[0]}{left[1]}")
    if found["metrics"]:  # an effect was seen: what is seen again is not another experiment
        note_verdict(plan, found["time"], found["state"])
        print(f"abtest: the verdict stands in {PLAN}: commit it")
    return CODES.get(found["state"], STAY)


def _empty(path: Path, left: Left) -> InputError:
    return InputError(f"{path} has no unit{left}: name one a line in the column unit")


def _page(found: dict[str, Any]) -> str:
    """The page of one judgement, in the style of the page of monitoring."""
    plan = found["plan"]
    values = {"found": found, "plan": plan, "styles": STYLES, "text": text}
    return html.page("operations/abtest.html", title=f"Experiment {plan['experiment']}", **values)
