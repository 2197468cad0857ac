"""What an experiment found as one HTML page, in the style of the page of monitoring."""

from typing import Any

from ..outside import html

_STYLES = {"better": "steady", "holds": "steady"} | dict.fromkeys(
    ("worse", "refused", "does not hold"), "alarm"
)


def page(found: dict[str, Any]) -> str:
    """The page of one judgement (the content of reports/experiment.json)."""
    plan = found["plan"]
    values = {"found": found, "plan": plan, "styles": _STYLES, "text": _text}
    return html.page(
        "operations/experiment.html", title=f"Experiment {plan['experiment']}", **values
    )


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_text(part)}" for key, part in value.items())
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    return f"{value:,}" if isinstance(value, int) else str(value)
