"""What monitoring found as one HTML page: no script, nothing fetched, every text escaped."""

from __future__ import annotations

from typing import Any

from ..text import escape

_STYLE = """
body { margin: 0 auto; max-width: 1000px; padding: 32px 24px; color: #1d2430; background: #fff;
  font: 15px/1.5 system-ui, "Segoe UI", Roboto, sans-serif; }
h1 { font-size: 26px; margin: 0; } h2 { font-size: 17px; margin: 28px 0 6px; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th, td { padding: 5px 12px 5px 0; text-align: left; border-bottom: 1px solid #e3e6eb;
  overflow-wrap: break-word; vertical-align: top; }
td:last-child { overflow-wrap: anywhere; }
th { color: #667080; font-weight: 550; } .n { text-align: right; white-space: nowrap; }
.alarm, .drift, .dropped { color: #b3352b; font-weight: 600; }
.steady, .kept { color: #1f7a54; font-weight: 600; } p { margin: 4px 0; color: #4b5563; }
"""
_BAR = 180  # pixels of the longest bar
_FULL = 0.25  # PSI of the longest bar: the usual word for it is a large shift


def page(found: dict[str, Any]) -> str:
    """The page of one look (the content of reports/monitoring.json)."""
    title = f"Monitoring of model {found['model'][:16]}"
    body = [f"<h1>{escape(title)}</h1>", f"<p>{escape(found['time'])}</p>"]
    body.append(f'<p class="{escape(found["state"])}">{escape(found["state"].capitalize())}</p>')
    body += [f'<p class="alarm">{escape(text)}</p>' for text in found["alarms"]]
    drifts = sum(bool(part["drifting"]) for part in found["windows"])
    body.append(f"<p>{drifts} of {len(found['windows'])} windows drift.</p>")
    body += ["<h2>Quality</h2>", _quality(found["quality"])]
    body += ["<h2>Service</h2>", _health(found["health"])]
    for part in reversed(found["windows"]):
        span = f"{part['rows']:,} rows, {part['from']} to {part['to']}"
        body.append(f"<h2>{escape(span)}</h2>")
        if not part["inputs"]:
            body.append("<p>Inputs are not in the log: SERVE_LOG_FEATURES=true keeps them.</p>")
        body.append(_results(part["results"]))
    return document(title, body)


def document(title: str, body: list[str]) -> str:
    """A whole page of these parts, in the style of every report of operations."""
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(body)
        + "\n</body>\n</html>\n"
    )


def _quality(found: dict[str, Any]) -> str:
    verdict = escape(found["verdict"])
    word = f'<span class="{verdict}">{verdict.capitalize()}</span>'
    return f"<p>{word}: {escape(found['reason'])}</p>"


def _health(found: dict[str, Any]) -> str:
    if not found:
        return "<p>A table was looked at, not a service.</p>"
    cells = [(key.replace("_", " "), _number(value)) for key, value in found.items()]
    rows = "".join(f"<tr><th>{escape(k)}</th><td>{escape(v)}</td></tr>" for k, v in cells)
    return f"<table>{rows}</table>"


def _results(results: list[dict[str, Any]]) -> str:
    head = "".join(f"<th>{name}</th>" for name in ("column", "verdict", "PSI", "", "p", "missing"))
    rows = [_row(result) for result in sorted(results, key=lambda r: -(r["psi"] or 0.0))]
    return f"<table><tr>{head}<th>reason</th></tr>{''.join(rows)}</table>"


def _row(result: dict[str, Any]) -> str:
    verdict = escape(result["verdict"])
    reason = ": ".join(filter(None, [result["reason"], ", ".join(map(repr, result["values"]))]))
    cells = [
        f"<td>{escape(result['column'])}</td>",
        f'<td class="{verdict}">{verdict}</td>',
        f'<td class="n">{_number(result["psi"])}</td>',
        f"<td>{_bar(result['psi'], verdict == 'drift')}</td>",
        f'<td class="n">{_number(result["p"])}</td>',
        f'<td class="n">{_number(result["missing"])}</td>',
        f"<td>{escape(reason)}</td>",
    ]
    return f"<tr>{''.join(cells)}</tr>"


def _bar(psi: float | None, drifts: bool) -> str:
    if psi is None:
        return ""
    width = max(1.0, min(psi / _FULL, 1.0) * _BAR)
    color = "#b3352b" if drifts else "#2457a7"
    return (
        f'<svg width="{_BAR}" height="10" role="img" aria-label="PSI {psi:.3f}">'
        f'<rect width="{width:.0f}" height="10" fill="{color}"/></svg>'
    )


def _number(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    return "" if value is None else str(value)
