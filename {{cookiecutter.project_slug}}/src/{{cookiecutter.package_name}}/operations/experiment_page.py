"""What an experiment found as one HTML page, in the style of the page of monitoring."""

from __future__ import annotations

from typing import Any

from ..text import escape
from .monitor_page import document

_GOOD = ("better", "holds")
_BAD = ("worse", "refused", "does not hold")


def page(found: dict[str, Any]) -> str:
    """The page of one judgement (the content of reports/experiment.json)."""
    plan = found["plan"]
    title = f"Experiment {plan['experiment']}"
    body = [f"<h1>{escape(title)}</h1>", f"<p>{escape(found['time'])}</p>"]
    body.append(f"<p>b next to a: {_word(found['state'])}</p>")
    body += [f'<p class="alarm">{escape(reason)}</p>' for reason in found["reasons"]]
    body += ["<h2>Units</h2>", _units(found)]
    if found["metrics"]:
        level = f"{100 * (1 - plan['alpha']):g} %"
        body.append(f"<h2>Metrics: b minus a, {level} interval of each, p corrected by Holm</h2>")
        body.append(_table(found["metrics"], "p"))
    if found["guard"]:
        body.append(f"<h2>Guardrails: one-sided limits at {level}</h2>")
        body.append(_table(found["guard"], "margin"))
    facts = [(key, _text(value)) for key, value in plan.items()]
    return document(title, [*body, "<h2>Plan</h2>", _rows(facts)])


def _units(found: dict[str, Any]) -> str:
    facts = []
    for name in "ab":
        exposed, known = _text(found["exposed"][name]), _text(found["outcomes"][name])
        text = f"{exposed} exposed, {known} with an outcome"
        facts.append((name, f"{text}, {found['plan']['units'][name]:,} needed"))
    for stage, p in found["ratio"].items():
        facts.append((f"sample ratio, {stage}", f"p = {p:.3g}"))
    facts.append(("saw both arms, left out", f"{found['both_arms']:,}"))
    facts.append(("outcome without exposure, left out", f"{found['not_exposed']:,}"))
    return _rows(facts)


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_text(part)}" for key, part in value.items())
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    return f"{value:,}" if isinstance(value, int) else str(value)


def _rows(facts: list[tuple[str, str]]) -> str:
    cells = [f"<tr><th>{escape(key)}</th><td>{escape(value)}</td></tr>" for key, value in facts]
    return f"<table>{''.join(cells)}</table>"


def _table(results: list[dict[str, Any]], last: str) -> str:
    names = ("a", "b", "effect", "low", "high", last)
    head = "".join(f'<th class="n">{name}</th>' for name in names)
    rows = []
    for result in results:
        numbers = "".join(f'<td class="n">{_figure(result[name])}</td>' for name in names)
        first, end = escape(result["metric"]), _word(result["verdict"])
        rows.append(f"<tr><td>{first}</td>{numbers}<td>{end}</td></tr>")
    return f"<table><tr><th>metric</th>{head}<th>verdict</th></tr>{''.join(rows)}</table>"


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"


def _word(verdict: str) -> str:
    style = "steady" if verdict in _GOOD else "alarm" if verdict in _BAD else ""
    return f'<span class="{style}">{escape(verdict.capitalize())}</span>'
