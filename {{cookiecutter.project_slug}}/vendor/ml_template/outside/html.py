"""HTML pages from the kit's templates: no script, nothing fetched, every text escaped.

Their tags are [[ ]] and [% %]: whatever renders the files of a project reads those of others.
"""

import re
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from .text import escape


def _text(value: Any) -> Markup:
    return value if isinstance(value, Markup) else Markup(escape(str(value)))  # noqa: S704


_TAGS = ("[%", "%]", "[[", "]]", "[#", "#]")
_TEMPLATES = Environment(*_TAGS, trim_blocks=True, lstrip_blocks=True, autoescape=True)
_TEMPLATES.loader = FileSystemLoader(Path(__file__).parents[1])
_TEMPLATES.finalize, _TEMPLATES.undefined = _text, StrictUndefined


def _code(text: str) -> Markup:
    """A text of ours: what stands between backticks is for a shell or a file."""
    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", escape(text)))  # noqa: S704


_TEMPLATES.filters["code"] = _code


def drawn(svg: str) -> Markup:
    """A picture that the kit drew, every text in it escaped already."""
    return Markup(svg)  # noqa: S704


def page(template: str, **values: Any) -> str:
    """The page of a template, a path in the kit; raises UndefinedError for a value it lacks."""
    return _TEMPLATES.get_template(template).render(values) + "\n"
