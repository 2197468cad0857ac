"""The report as one HTML page."""

from base64 import b64encode
from pathlib import Path

from ...outside import html
from .facts import Facts
from .tables import number

STYLES = {"passed": "passed", "refused": "refused", "warning": "warned", "not judged": "warned"}


def page(facts: Facts, plots: Path) -> str:
    """The whole page; the SVG files that `facts` names are read from the folder `plots`."""
    files = [plot["file"] for plot in facts.plots]
    pictures = {name: b64encode((plots / name).read_bytes()).decode() for name in files}
    values = {"facts": facts, "pictures": pictures, "styles": STYLES, "number": number}
    title = f"{facts.project}: model {facts.model[:16]}"
    return html.page("pipeline/reporting/report.html", title=title, **values)
