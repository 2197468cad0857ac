"""Plots of the test set as SVG files, equal to the byte for equal input."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ...model.shapes import Bin
from ...tables import small

COLORS = ["#2457a7", "#c4572e", "#2f8f6b", "#8a5fb0", "#b8902a", "#4a9cc7", "#b34773", "#6b7280"]
POINTS = 300  # of a curve, and of a scatter plot
STYLE = {
    "svg.fonttype": "none",  # text stays text: small files, any script, the reader's fonts
    "svg.hashsalt": "plots",
    "text.parse_math": False,  # a label with a dollar sign is a label
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.edgecolor": "#9aa1ab",
    "axes.labelcolor": "#4b5563",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e8eaee",
    "xtick.color": "#6b7280",
    "ytick.color": "#6b7280",
    "legend.frameon": False,
    "legend.fontsize": 8.5,
}

Plot = dict[str, str]
Bins = Sequence[Bin]


def classification(
    folder: Path, truth: np.ndarray, prediction: np.ndarray, labels: Sequence[str], bins: Bins
) -> list[Plot]:
    """Write roc, precision_recall and calibration .svg; returns file, title and text of each."""
    names = {at: _plain(label) for at, label in enumerate(labels)}
    often = np.argsort(-np.bincount(truth, minlength=len(labels)), kind="stable")
    shown = [1] if len(labels) == 2 else sorted(often[: len(COLORS)].tolist())
    curves = [(names[at], *_curve(truth == at, prediction[:, at])) for at in shown]
    with _axes(folder / "roc.svg", "false positive rate", "true positive rate") as axes:
        axes.plot([0, 1], [0, 1], color="#c3c8d0", linestyle="--", linewidth=1)
        _lines(axes, [(name, false, true) for name, true, false, _ in curves])
    with _axes(folder / "precision_recall.svg", "recall", "precision") as axes:
        _lines(axes, [(name, true[1:], precision[1:]) for name, true, _, precision in curves])
    share = "predicted probability" if len(labels) == 2 else "probability of the predicted class"
    with _axes(folder / "calibration.svg", share, "share that came true") as axes:
        axes.plot([0, 1], [0, 1], color="#c3c8d0", linestyle="--", linewidth=1)
        seen = [(b["predicted"], b["observed"]) for b in bins if b["predicted"] is not None]
        points = np.array(seen, dtype=np.float64).reshape(-1, 2).T
        axes.plot(*points, color=COLORS[0], marker="o", markersize=4)
    which = f"positive class {labels[1]}" if len(labels) == 2 else "each class against the rest"
    if len(shown) < len(labels) and len(labels) > 2:
        which += f", the {len(shown)} most frequent of {len(labels)}"
    return [
        {"file": "roc.svg", "title": "ROC curve", "text": which},
        {"file": "precision_recall.svg", "title": "Precision and recall", "text": which},
        {"file": "calibration.svg", "title": "Calibration", "text": "on the line = as predicted"},
    ]


def regression(folder: Path, truth: np.ndarray, prediction: np.ndarray, least: int) -> list[Plot]:
    """Write predicted.svg and residuals.svg; returns file, title, text of each.

    A point stands for `least` rows or more, and a bar of fewer is not drawn.
    """
    parts = min(POINTS, max(1, len(truth) // max(least, 1)))
    rows = np.array_split(np.argsort(prediction, kind="stable"), parts)
    predicted, true = (np.array([v[at].mean() for at in rows]) for v in (prediction, truth))
    ends = [min(true.min(), predicted.min()), max(true.max(), predicted.max())]
    counts, edges = np.histogram(truth - prediction, bins=40)
    counts[counts < least] = 0
    drawn = np.flatnonzero(counts)
    low, high = (drawn[0], drawn[-1] + 1) if len(drawn) else (0, 0)
    with _axes(folder / "predicted.svg", "predicted", "true value", unit=False) as axes:
        axes.plot(ends, ends, color="#c3c8d0", linestyle="--", linewidth=1)
        axes.scatter(predicted, true, s=9, alpha=0.5, color=COLORS[0], linewidths=0)
    with _axes(folder / "residuals.svg", "true value - predicted", "rows", unit=False) as axes:
        axes.stairs(counts[low:high], edges[low : high + 1], fill=True, color=COLORS[0], alpha=0.8)
        axes.axvline(0, color="#4b5563", linewidth=1)
    count = "every row" if parts == len(truth) else f"means of {len(truth) // parts:,} rows each"
    some = f"bars of {small.few(least)} rows are not drawn" if least > 1 else "every row"
    return [
        {"file": "predicted.svg", "title": "Predicted and true", "text": count},
        {"file": "residuals.svg", "title": "Residuals", "text": some},
    ]


@contextmanager
def _axes(path: Path, x: str, y: str, unit: bool = True) -> Iterator[Axes]:
    """Axes to draw on, written to `path` at the end; with `unit` both run from 0 to 1."""
    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # the reader's fonts may have it
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE)
        figure = Figure(figsize=(4.4, 3.7), layout="constrained")
        axes = figure.add_subplot(xlabel=x, ylabel=y)
        axes.xaxis.set_major_locator(MaxNLocator(5))
        if unit:
            axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
        yield axes
        metadata = {"Date": None, "Creator": None}
        figure.savefig(path, format="svg", metadata=metadata, transparent=True)


def _lines(axes: Axes, curves: Sequence[tuple[str, np.ndarray, np.ndarray]]) -> None:
    drawn = [
        axes.plot(x, y, color=color, linewidth=1.6)[0]
        for (_, x, y), color in zip(curves, COLORS, strict=False)
    ]
    if len(drawn) > 1:
        axes.legend(drawn, [name for name, _, _ in curves])


def _curve(positive: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """True positive rate, false positive rate and precision at up to POINTS thresholds."""
    order = np.argsort(-score, kind="stable")
    last = np.flatnonzero(np.diff(score[order], append=np.nan))  # the last row of each tie
    hits = np.concatenate([[0], np.cumsum(positive[order])[last]])
    rows = np.concatenate([[0], last + 1])
    thinned = np.unique(np.linspace(0, len(rows) - 1, POINTS).astype(int))
    hits, rows = hits[thinned], rows[thinned]
    misses = rows - hits
    return hits / max(hits[-1], 1), misses / max(misses[-1], 1), hits / np.maximum(rows, 1)


def _plain(label: str) -> str:
    """At most 24 characters that XML may hold."""
    text = "".join(letter if letter.isprintable() else " " for letter in label)
    return text if len(text) <= 24 else text[:23] + "…"
