"""Plots as SVG, equal to the byte for equal input; colours are those of the page around them.

A plot is data: {file, title, text, x, y, marks} and, where they are not found from the marks,
`xlim` and `ylim` (low, high); `names` (k,) are labels of the rows 0 to k - 1 of a plot by labels;
`time`: x is seconds since 1970.
A mark is {kind, x, y} and may have `name`, `color` (0 to 7) and `low`, `high`:
line, dash, dots (with low and high: an interval each), stairs (x: edges, one more than y).
None in y is a gap.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any
from unicodedata import east_asian_width

import numpy as np

from ...outside.text import escape

Plot = dict[str, Any]
Mark = dict[str, Any]
WIDTH, TOP, RIGHT, BOTTOM, ROW, LETTERS = 360.0, 10.0, 14.0, 46.0, 22.0, 24
LETTER = 6.2  # its width, of 12 px
LIGHT = ["#2457a7", "#b84a21", "#23795a", "#7a4fa3", "#8a6a10", "#1f7fa8", "#b34773", "#5b6472"]
DARK = ["#85b1f5", "#f0976f", "#6fcf9f", "#c3a0ea", "#dcbc5c", "#74c7ec", "#ee92b6", "#b3bac6"]


def _style(colors: Sequence[str], ink: str, soft: str, line: str) -> str:
    named = "".join(f"--c{at}:{color};" for at, color in enumerate(colors))
    return "svg{" + f"--ink:{ink};--soft:{soft};--line:{line};{named}" + "}"


ALONE = (
    "svg{font:12px system-ui,sans-serif}"
    + _style(LIGHT, "#1d2430", "#5b6472", "#dfe3e8")
    + "@media(prefers-color-scheme:dark){"
    + _style(DARK, "#e6e9ee", "#a7b0bd", "#3a4250")
    + "}"
)


def plain(label: str, most: int = LETTERS) -> str:
    """At most `most` letters that XML may hold; of the wide ones of East Asia half as many."""
    text = "".join(letter if letter.isprintable() else " " for letter in label)
    ends = list(accumulate(2 if east_asian_width(letter) in "WF" else 1 for letter in text))
    return text if not ends or ends[-1] <= most else text[: bisect_left(ends, most)] + "…"


def svg(plot: Plot, alone: bool = False) -> str:
    """The picture; `alone` with the colours that a page would give it."""
    names = plot.get("names")
    legend = [(mark["name"], mark.get("color", 0)) for mark in plot["marks"] if mark.get("name")]
    x0, x1 = plot.get("xlim") or _limits(plot["marks"], "x")
    y0, y1 = (len(names) - 0.5, -0.5) if names else plot.get("ylim") or _limits(plot["marks"], "y")
    left = 128.0 if names else 58.0
    high = ROW * len(names) if names else 200.0
    height = TOP + high + BOTTOM + 16 * ((len(legend) + 1) // 2)

    def across(value: float) -> float:
        return left + (WIDTH - left - RIGHT) * (value - x0) / ((x1 - x0) or 1)

    def down(value: float) -> float:
        return TOP + high - high * (value - y0) / ((y1 - y0) or 1)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:g} {height:g}" role="img">',
        f"<title>{escape(plot['title'])}</title><desc>{escape(plot['text'])}</desc>",
        *([f"<style>{ALONE}</style>"] if alone else []),
    ]
    for at, text in _times(x0, x1) if plot.get("time") else _ticks(x0, x1):
        parts.append(_line(f"M{across(at):.1f} {TOP:g}v{high:g}"))
        parts.append(_text(across(at), TOP + high + 16, text, "middle"))
    rows = list(enumerate(plain(name, 15) for name in names)) if names else _ticks(y0, y1)
    for at, text in rows:
        parts.append(_line(f"M{left:g} {down(at):.1f}H{WIDTH - RIGHT:g}"))
        parts.append(_text(left - 6, down(at) + 4, text, "end"))
    parts.append(_text(left, TOP + high + 34, plain(plot["x"], int((WIDTH - left) / LETTER))))
    if not names:
        turned = f' transform="rotate(-90 12 {TOP + high:g})"'
        parts.append(_text(12, TOP + high, plain(plot["y"], int(high / LETTER)), more=turned))
    for mark in plot["marks"]:
        parts += _drawn(mark, across, down)
    for at, (name, color) in enumerate(legend):
        x, y = left + 148 * (at % 2), TOP + high + BOTTOM + 12 + 16 * (at // 2)
        parts.append(f'<circle cx="{x:g}" cy="{y - 4:g}" r="4" fill="var(--c{color % 8})"/>')
        parts.append(_text(x + 9, y, plain(name, 18)))
    return "".join(parts) + "</svg>\n"


def _limits(marks: Sequence[Mark], key: str) -> tuple[float, float]:
    """Ends of all that is drawn; a little wider where they are one."""
    keys = (key, "low", "high") if key == "y" else (key,)
    known = [v for mark in marks for k in keys for v in mark.get(k, ()) if v is not None]
    if key == "y" and any(mark["kind"] == "stairs" for mark in marks):
        known.append(0)  # bars stand on the ground
    low, high = min(known, default=0.0), max(known, default=1.0)
    wide = (high - low) * 0.04 or abs(low) * 0.1 or 1.0
    return low if low == 0 else low - wide, high + wide


def _ticks(low: float, high: float) -> list[tuple[float, str]]:
    """Round numbers between the ends, about five."""
    rough = (high - low) / 5
    if not rough > 0 or not math.isfinite(rough):
        return []
    power = 10.0 ** math.floor(math.log10(rough))
    step = power * next(n for n in (1, 2, 5, 10) if n * power >= rough * 0.999)
    digits = max(0, -math.floor(math.log10(step)))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [(n * step, _short(n * step, digits)) for n in range(first, last + 1)]


def _times(low: float, high: float) -> list[tuple[float, str]]:
    """Three dates between the ends, which are seconds since 1970."""
    at = [low + (high - low) * (0.15 + 0.35 * n) for n in range(3)]
    return [(second, str(np.datetime64(int(second), "s"))[:10]) for second in at]


def _short(value: float, digits: int) -> str:
    for unit, name in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= unit:
            return f"{value / (1e3 if name == 'k' else unit):.4g}{name}"
    return f"{value + 0.0:,.{digits}f}" if digits < 6 else f"{value:.3g}"


def _line(path: str) -> str:
    return f'<path d="{path}" stroke="var(--line)"/>'


def _text(x: float, y: float, text: str, anchor: str = "start", more: str = "") -> str:
    where = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{more}'
    return f'<text {where} fill="var(--soft)">{escape(text)}</text>'


def _drawn(mark: Mark, across: Any, down: Any) -> Iterator[str]:
    color = f"var(--c{mark.get('color', 0) % 8})"
    kind, xs, ys = mark["kind"], mark["x"], mark["y"]
    if kind == "stairs":
        floor = down(0)
        for left, right, y in zip(xs, xs[1:], ys, strict=False):
            if y:
                box = f"M{across(left):.1f} {floor:.1f}V{down(y):.1f}H{across(right):.1f}"
                box += f"V{floor:.1f}z"
                yield f'<path d="{box}" fill="{color}" fill-opacity=".45" stroke="{color}"/>'
        return
    points = [(across(x), down(y)) for x, y in zip(xs, ys, strict=True) if y is not None]
    if kind in ("line", "dash") and points:
        path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        look = f'stroke="{color}" stroke-width="1.8"'
        if kind == "dash":
            look = 'stroke="var(--soft)" stroke-dasharray="4 4"'
        yield f'<path d="{path}" fill="none" {look}/>'
    if kind == "dots":
        for x, low, high in zip(xs, mark.get("low", ()), mark.get("high", ()), strict=False):
            yield f'<path d="M{across(x):.1f} {down(low):.1f}V{down(high):.1f}" stroke="{color}"/>'
        for x, y in points:
            yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{color}"/>'
