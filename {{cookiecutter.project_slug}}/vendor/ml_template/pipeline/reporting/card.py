"""The model card as Markdown (after Mitchell et al. 2019, Model Cards for Model Reporting)."""

from __future__ import annotations

from collections.abc import Sequence

from ...outside.text import markdown
from .facts import Facts
from .tables import Table


def card(facts: Facts) -> str:
    """The whole card; names and labels of the table are text."""
    found = facts.evaluation
    parts = [
        f"# {markdown(facts.project)}: model {found['model'][:16]}",
        markdown(facts.sentence),
        markdown(facts.about),
        *(f"> {markdown(text)}" for text in facts.warnings),
        f"**{markdown(facts.headline)} {facts.value}**, "
        f"{', '.join(map(markdown, facts.value_notes))}, on {found['rows']:,} hold-out rows: "
        f"{markdown(facts.rows_notes[0])}.",
        f"**Verdict: {facts.verdict}** {markdown(' '.join(facts.verdict_notes))}.",
        *_section("Metrics", [facts.metrics]),
        *_section("Gates", [facts.gates]),
        *_section("Slices", [facts.slices]),
        *_section("Fairness", facts.fairness),
        *_section("Columns", [facts.features]),
        *_section("Lineage", [facts.lineage]),
        "## How it was measured",
        markdown(facts.method),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _section(title: str, tables: Sequence[Table]) -> list[str]:
    parts = [f"## {title}"]
    for table in tables:
        if table.title != title:
            parts.append(f"### {markdown(table.title)}")
        parts += [markdown(table.note), _rows(table)]
    return parts


def _rows(table: Table) -> str:
    """A Markdown table without the strips."""
    if not table.rows:
        return ""
    shown = [at for at, name in enumerate(table.head) if name]
    lines = [
        [table.head[at] for at in shown],
        *([str(row[at]) for at in shown] for row in table.rows),
    ]
    rule = "|".join("---:" if table.head[at] in table.numbers else "---" for at in shown)
    text = [f"| {' | '.join(map(markdown, line))} |" for line in lines]
    return "\n".join([text[0], f"|{rule}|", *text[1:]])
