"""The report as one HTML page: no script, nothing fetched, every text escaped."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Sequence
from pathlib import Path
from string import Template

from ...text import escape
from .facts import Facts
from .tables import Strip, Table, number

STYLES = {"passed": "passed", "refused": "refused", "warning": "warned", "not judged": "warned"}
WIDTH = 180  # of a strip, in pixels


def page(facts: Facts, plots: Path) -> str:
    """The whole page; the SVG files that `facts` names are read from the folder `plots`."""
    body = [
        f'<p class="project">{escape(facts.project)}</p>',
        f"<h1>Model <code>{escape(facts.model[:16])}</code></h1>",
        f'<p class="note">{escape(facts.about)}</p>',
        f'<div class="first">{"".join(_cards(facts))}</div>',
        *(f'<p class="warning">{escape(text)}</p>' for text in facts.warnings),
        _section("Gates", [_table(facts.gates)]),
        _section("Metrics", [_table(facts.metrics)]),
        _section("Plots", [f'<div class="plots">{"".join(_plots(facts, plots))}</div>']),
    ]
    if facts.confusion:
        body.append(_section("Confusion matrix", [_confusion(facts.labels, facts.confusion)]))
    body += [
        _section("Slices", [_table(facts.slices)]),
        _section(
            "Fairness", [_table(t, level=3 * (t.title != "Fairness")) for t in facts.fairness]
        ),
        _section("Feature importance", [_table(facts.importance)]),
        _section("Data", [_table(facts.profile)]),
        _section("Lineage", [_table(facts.lineage)]),
        f"<footer>{escape(facts.method)}</footer>",
    ]
    template = Template(Path(__file__).with_name("report.html").read_text(encoding="utf-8"))
    title = escape(f"{facts.project}: model {facts.model[:16]}")
    return template.substitute(title=title, body="\n".join(body))


def _section(title: str, parts: Iterable[str]) -> str:
    return f"<section><h2>{title}</h2>{''.join(parts)}</section>"


def _cards(facts: Facts) -> Iterable[str]:
    for title, value, style, notes in (
        ("Verdict", facts.verdict.capitalize(), STYLES[facts.verdict], facts.verdict_notes),
        (facts.headline, facts.value, "", facts.value_notes),
        ("Hold-out", f"{facts.rows:,} rows", "", facts.rows_notes),
    ):
        lines = "".join(f'<p class="soft">{escape(note)}</p>' for note in notes)
        big = f'<p class="big {style}">{escape(value)}</p>'
        yield f'<div class="card"><h2>{escape(title)}</h2>{big}{lines}</div>'


def _table(table: Table, level: int = 0) -> str:
    title = f"<h{level}>{escape(table.title)}</h{level}>" if level else ""
    note = f'<p class="note">{escape(table.note)}</p>' if table.note else ""
    if not table.rows:
        return title + note
    numeric = [name in table.numbers for name in table.head]
    head = "".join(
        _cell("th", name, right) for name, right in zip(table.head, numeric, strict=True)
    )
    rows = [
        "".join(_cell("td", value, right) for value, right in zip(row, numeric, strict=True))
        for row in table.rows
    ]
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    return f"{title}{note}<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(tag: str, value: str | Strip, right: bool) -> str:
    if isinstance(value, Strip):
        return f'<{tag} class="strip">{_strip(value)}</{tag}>'
    style = "number" if right else STYLES.get(value, "") if tag == "td" else ""
    return (
        f'<{tag} class="{style}">{escape(value)}</{tag}>'
        if style
        else f"<{tag}>{escape(value)}</{tag}>"
    )


def _strip(strip: Strip) -> str:
    """The interval as a line, the value as a dot, the whole test set as a thin mark."""

    def at(value: float) -> str:
        span = (strip.end - strip.start) or 1.0
        return f"{4 + (WIDTH - 8) * (value - strip.start) / span:.1f}"

    lines = f'<path d="M{at(strip.mark)} 0V14" stroke="#c3c8d0"/>'
    if strip.low is not None and strip.high is not None:
        lines += (
            f'<path d="M{at(strip.low)} 7H{at(strip.high)}" stroke="#8fabd6" stroke-width="3"/>'
        )
    if strip.value is not None:
        lines += f'<circle cx="{at(strip.value)}" cy="7" r="4" fill="#2457a7"/>'
    return f'<svg width="{WIDTH}" height="14" aria-hidden="true">{lines}</svg>'


def _plots(facts: Facts, folder: Path) -> Iterable[str]:
    for plot in facts.plots:
        picture = b64encode((folder / plot["file"]).read_bytes()).decode()
        title, text = escape(plot["title"]), escape(plot["text"])
        yield (
            f'<figure><img alt="{title}" src="data:image/svg+xml;base64,{picture}">'
            f"<figcaption>{title} <span>{text}</span></figcaption></figure>"
        )


def _confusion(labels: Sequence[str], counts: Sequence[Sequence[int | str]]) -> str:
    head = "".join(f'<th class="number">{escape(label)}</th>' for label in labels)
    rows = []
    for label, row in zip(labels, counts, strict=True):
        known = [count for count in row if isinstance(count, int)]
        total = sum(known) or 1 if len(known) == len(row) else None
        cells = "".join(_share(count, total) for count in row)
        rows.append(f"<tr><th>{escape(label)}</th>{cells}</tr>")
    note = '<p class="note">Rows: true class. Columns: predicted class.</p>'
    return f'{note}<table class="confusion"><tr><th></th>{head}</tr>{"".join(rows)}</table>'


def _share(count: int | str, total: int | None) -> str:
    """A cell, coloured by its share of the class where all of the class is shown."""
    if isinstance(count, str) or total is None:
        return f'<td class="number">{escape(number(count))}</td>'
    return (
        f'<td class="number" title="{count / total:.1%} of this class" '
        f'style="background:rgba(36,87,167,{0.04 + 0.4 * count / total:.2f})">{count:,}</td>'
    )
