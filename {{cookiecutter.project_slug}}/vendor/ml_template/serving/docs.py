"""/docs: what this service answers, its columns, and a client that pastes; a page without script.

It says what /openapi.json says, and has the style of the reports.
"""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ..model.artifact import Model
from ..outside.text import escape
from ..settings.config import Column
from .predict import Predict

ADDRESS = "\0"  # stands for where the service is; no text of the page holds one
FOLD = 30  # rows of a table, or labels, that stand open
_FRAME = (Path(__file__).parents[1] / "outside/frame.html").read_text(encoding="utf-8")
_ABOVE, _BELOW = _FRAME.split("[% block body %][% endblock %]")
_STYLE = re.findall(r"<style>(.*?)</style>", _FRAME, re.DOTALL)[0]
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
HEADERS = {
    "content-security-policy": f"default-src 'none'; style-src 'sha256-{_HASH}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}
_KINDS = {"numeric": "number", "boolean": "true or false", "datetime": "time"}
_LEAD = "POST one record or many to /predict; the answers come in the same order."
_RECORD = "Every feature must be there. The others may be sent: they are checked and not used."
_PYTHON = """\
import json
from urllib.request import Request, urlopen

record = {
%s}
body = json.dumps({"records": [record]}).encode()
request = Request("%s/predict", body, {"content-type": "application/json"})
print(json.load(urlopen(request))["predictions"])
"""


def curl(record: dict[str, Any], address: str) -> str:
    """A command that asks for the answer to `record`, for a shell."""
    text = json.dumps({"records": [record]}, ensure_ascii=False)
    # What ends a quotation, what a shell replaces while one types, what a copy would lose.
    sent = "".join(c if c.isprintable() and c not in "'!" else _written_out(c) for c in text)
    return f"curl -H 'content-type: application/json' -d '{sent}' '{address}/predict'"


def _written_out(letter: str) -> str:
    r"""A letter as JSON may have it: \u0027."""
    return f"\\u{ord(letter):04x}" if letter < "\U00010000" else json.dumps(letter)[1:-1]


def client(record: dict[str, Any], address: str) -> str:
    """The same in Python, without a package."""
    return _PYTHON % ("".join(f"    {n!r}: {v!r},\n" for n, v in record.items()), address)


def page(described: dict[str, Any], predict: Predict, specs: dict[str, Column]) -> str:
    """The page of an OpenAPI description of columns, see `at`."""
    operation = described["paths"]["/predict"]["post"]
    body = operation["requestBody"]["content"]["application/json"]["example"]
    checked = predict.records.check(copy.deepcopy(body))
    answer = predict.answers.body(predict.model.predict(predict.records.columns(checked)))
    record = {name: _plain(value) for name, value in body["records"][0].items()}
    columns = [
        (name, json.dumps(record[name], ensure_ascii=False) if c.feature else "", *_accepted(c))
        for name, c in specs.items()
    ]
    routes = [  # the one that people come for is first
        (f"{method.upper()} {path}", said["summary"] if path == "/predict" else said["description"])
        for path, methods in sorted(described["paths"].items(), key=lambda r: r[0] != "/predict")
        for method, said in methods.items()
    ]
    limits = predict.settings
    most = f"At most {limits.max_rows:,} records and {limits.max_bytes:,} bytes in a request."
    refusals = [(code, said["description"]) for code, said in operation["responses"].items()]
    title = escape(described["info"]["title"])
    return "".join(
        [
            _ABOVE.replace("[[ title ]]", title),
            f"<h1>{title}</h1><p class='lead'>{_LEAD}</p>",
            *("<section><h2>Ask it</h2>", *_code("curl", curl(record, ADDRESS))),
            *_code("Python", client(record, ADDRESS)),
            *_code("The answer", answer.decode()),
            f"<p class='note'>{escape(_meaning(predict.model))}</p>",
            f"</section><section><h2>Columns</h2><p class='note'>{_RECORD}</p>",
            *_table(("column", "example", "type", "may be"), columns),
            "</section><section><h2>Routes</h2>",
            *_table(("route", "what it is for"), routes),
            f"</section><section><h2>Answers of /predict</h2><p class='note'>{most}</p>",
            *_table(("status", "what it says"), refusals),
            f"</section>{_BELOW}",
        ]
    )


def at(page: str, host: str) -> str:
    """The page for who asks at `host`: only what an address consists of is taken of it."""
    return page.replace(ADDRESS, "http://" + re.sub(r"[^A-Za-z0-9.:\[\]_-]", "", host))


def _meaning(model: Model) -> str:
    """What an answer says."""
    target, share = model.identity.get("target", "the target"), model.identity.get("quantile")
    if not model.labels:
        rule = "" if share is None else f", as {100 * share:.15g} of 100 rows have it or less"
        return f"value: {target}{rule}."
    least = model.threshold
    rule = "the most probable one" if least is None else f"{model.labels[1]} from {least!r} on"
    return f"label: the class of {target}, {rule}."


def _plain(value: Any) -> Any:
    """42.0 as 42: people read it."""
    return int(value) if isinstance(value, float) and value == int(value) < 1e15 else value


def _accepted(column: Column) -> tuple[str, str]:
    """The type of a column, and which values it takes."""
    ends = (("from", column.min), ("to", column.max))
    may = [" ".join(f"{sign} {end:,.15g}" for sign, end in ends if end is not None)]
    if column.type == "datetime":
        zone = "UTC where it names no zone" if column.clock == "utc" else "local, without a zone"
        may = [column.format or f"ISO 8601, {zone}"]
    if column.values is not None:
        more = [f"{len(column.values) - FOLD:,} more"] if len(column.values) > FOLD else []
        may = [", ".join([*column.values[:FOLD], *more])]
        may += ["and others"] if column.unseen == "allow" else []
    elif column.is_text:
        may = [f"at most {column.max_length:,} letters"]
    may += ["null"] if column.missing else []
    kind = _KINDS.get(column.type, "text")
    return kind if column.feature else f"{kind}, no feature", "; ".join(filter(None, may))


def _code(title: str, text: str) -> Iterator[str]:
    text = ADDRESS.join(map(escape, text.split(ADDRESS)))
    yield f"<h3>{title}</h3><pre tabindex='0'><code>{text}</code></pre>"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    names = "".join(f"<th>{name}</th>" for name in head)
    table = "<table class='facts'>" if len(head) == 2 else "<table>"
    for fold, part in ((False, rows[:FOLD]), (True, rows[FOLD:])):
        if part:
            lines = ("".join(f"<td>{escape(text)}</td>" for text in row) for row in part)
            body = "".join(f"<tr>{line}</tr>" for line in lines)
            yield f"<details><summary>{len(part)} more</summary>" if fold else ""
            yield f"<div class='wide' tabindex='0'>{table}<tr>{names}</tr>{body}</table></div>"
            yield "</details>" if fold else ""
