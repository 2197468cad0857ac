"""What monitoring found as one HTML page."""

from functools import partial
from typing import Any

from ..outside import html


def page(found: dict[str, Any]) -> str:
    """The page of one look (the content of reports/monitoring.json)."""
    strongest = partial(sorted, key=lambda result: -(result["psi"] or 0.0))
    title = f"Monitoring of model {found['model'][:16]}"
    values = {"found": found, "strongest": strongest, "reason": _reason, "number": _number}
    return html.page("operations/monitor.html", title=title, **values)


def _reason(result: dict[str, Any]) -> str:
    return ": ".join(filter(None, [result["reason"], ", ".join(map(repr, result["values"]))]))


def _number(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    return "" if value is None else str(value)
