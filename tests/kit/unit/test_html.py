from pathlib import Path

import ml_template
import pytest
from jinja2 import UndefinedError
from markupsafe import Markup
from ml_template.outside import html

KIT = Path(ml_template.__file__).parent
FOUND = {"time": "now", "state": "steady", "alarms": [], "windows": [], "health": {"p99_ms": 1.5}}
QUALITY = {"verdict": "kept", "reason": "<b>\x1b & 'x'"}


def drawn(**found: object) -> str:
    functions = {"number": str, "strongest": list, "reason": str}
    whole = FOUND | {"quality": QUALITY} | found
    return html.page("operations/monitor.html", title="<t>", found=whole, **functions)


def test_a_value_is_text_on_the_page() -> None:
    page = drawn()
    assert "<title>&lt;t&gt;</title>" in page
    assert r"</span>: &lt;b&gt;\x1b &amp; &#x27;x&#x27;</p>" in page


def test_what_a_template_drew_is_not_escaped_again() -> None:
    assert "<b>drawn</b>" in drawn(time=Markup("<b>drawn</b>"))


def test_a_value_that_the_template_lacks_is_no_gap_on_the_page() -> None:
    with pytest.raises(UndefinedError, match="reason"):
        drawn(quality={"verdict": "kept"})


def test_no_template_holds_a_tag_that_renders_a_project() -> None:
    for path in KIT.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert not {"{{", "}}", "{%", "{#"} & {text[at : at + 2] for at in range(len(text))}, path
        assert "|safe" not in text.replace(" ", ""), path
