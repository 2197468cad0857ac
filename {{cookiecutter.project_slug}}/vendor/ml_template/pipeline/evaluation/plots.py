"""Plots and tables of the hold-out: what they hold, as data, and their SVG files.

Every point, bar and line of a table stands for `least` rows or more.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...model.shapes import Bin
from ...storage.files import write_text
from ...tables import small
from . import chart, rates
from .chart import LIGHT, Mark, Plot

POINTS = 100  # of a curve; of a cloud three times as many
DATA = "plots.json"  # what the files show, for the report
BARS = 40  # of residuals
SCORES = 20  # bars of the distribution of the scores
Bins = Sequence[Bin]


def classification(
    folder: Path,
    truth: np.ndarray,
    prediction: np.ndarray,
    labels: Sequence[str],
    bins: Bins,
    least: int = 1,
    threshold: float | None = None,
    costs: rates.Costs = None,
) -> list[Plot]:
    """Write roc, precision_recall, calibration .svg, for two classes scores and gain .svg too."""
    counts = np.bincount(truth, minlength=len(labels))
    often = np.argsort(-counts, kind="stable")
    wanted = [1] if len(labels) == 2 else sorted(often[: len(LIGHT)].tolist())
    shown = [at for at in wanted if min(counts[at], len(truth) - counts[at]) >= max(least, 1)]
    curves = [_curve(truth == at, prediction[:, at], least) for at in shown]
    named = [{"name": labels[at]} if len(labels) > 2 else {} for at in shown]
    one = labels[1] if len(labels) == 2 else ""
    which = f"positive class {one}" if one else "each class against the rest"
    if len(shown) < len(labels) and not one:
        which += f", {len(shown)} of {len(labels)} classes"
    which = which if shown else f"a class has {small.few(least)} rows: no curve"
    unit = {"xlim": [-0.02, 1.02], "ylim": [-0.02, 1.02]}

    def plot(file: str, title: str, text: str, x: str, y: str, marks: list[Mark]) -> Plot:
        return {"file": file, "title": title, "text": text, "x": x, "y": y, "marks": marks} | unit

    diagonal: Mark = {"kind": "dash", "x": [0, 1], "y": [0, 1]}

    def lines(x: str, y: str) -> list[Mark]:
        return [
            {"kind": "line", "color": at, "x": _round(curve[x]), "y": _round(curve[y])} | name
            for at, (curve, name) in enumerate(zip(curves, named, strict=True))
        ]

    table = rates.thresholds(truth == 1, prediction[:, 1], least, threshold, costs) if one else []

    def used(x: str, y: str) -> list[Mark]:
        """Where the curve is in use, if the table tells of it."""
        return [
            {"kind": "dots", "color": 1, "x": [line[x]], "y": [line[y]], "name": "used"}
            for line in table
            if line["used"] and threshold is not None
        ]

    found = [
        plot(
            "roc.svg", "ROC curve", which, "false positive rate", "true positive rate",
            [diagonal, *lines("false", "true")],
        ),
        plot(
            "precision_recall.svg", "Precision and recall", which, "recall", "precision",
            [*lines("true", "precision"), *used("recall", "precision")],
        ),
        plot(*_calibration(bins, bool(one)), [diagonal, *_reliable(bins)]),
    ]  # fmt: skip
    if one:
        gain = [diagonal, *lines("flagged", "true"), *used("flagged", "recall")]
        text = "the dashed line: rows taken by chance"
        found.append(_scores(truth, prediction[:, 1], labels, least))
        x, y = "share of the rows, highest score first", f"share of all {chart.plain(one)} found"
        found.append(plot("gain.svg", "Gain", text, x, y, gain))
    tables = {
        "thresholds": table,
        "classes": [] if one else rates.classes(truth, prediction.argmax(axis=1), labels, least),
    }
    return write(folder, found, tables)


def _calibration(bins: Bins, binary: bool) -> tuple[str, str, str, str, str]:
    x = "predicted probability" if binary else "probability of the predicted class"
    most = max((b["rows"] for b in bins if isinstance(b["rows"], int)), default=0)
    text = f"on the line = as predicted; bars: rows, the highest {most:,}"
    return "calibration.svg", "Calibration", text, x, "share that came true"


def _reliable(bins: Bins) -> list[Mark]:
    """Share that came true with its 95 % interval (Wilson 1927), over bars of the rows."""
    seen = [(b, n) for b in bins if isinstance(n := b["rows"], int) and b["observed"] is not None]
    most = max((n for _, n in seen), default=1)
    bars: list[Mark] = [
        {"kind": "stairs", "color": 7, "x": [b["low"], b["high"]], "y": [0.25 * n / most]}
        for b, n in seen
    ]
    ends = [wilson(b["observed"] or 0.0, n) for b, n in seen]
    points: Mark = {"kind": "dots", "x": [b["predicted"] for b, _ in seen]}
    points |= {"y": [b["observed"] for b, _ in seen]}
    return [*bars, points | {"low": [low for low, _ in ends], "high": [high for _, high in ends]}]


def wilson(share: float, rows: int, z: float = 1.96) -> tuple[float, float]:
    """95 % interval of a share of so many rows (Wilson, JASA 22, 1927)."""
    middle = (share + z * z / (2 * rows)) / (1 + z * z / rows)
    reach = z * math.sqrt(share * (1 - share) / rows + (z / (2 * rows)) ** 2) / (1 + z * z / rows)
    return max(0.0, middle - reach), min(1.0, middle + reach)


def _scores(truth: np.ndarray, score: np.ndarray, labels: Sequence[str], least: int) -> Plot:
    rarer = int(np.bincount(truth, minlength=2).min())
    count = min(max(rarer // (2 * max(least, 1)), SCORES // 4), SCORES)  # of few rows few bars
    edges = np.linspace(0, 1, count + 1)
    at = np.minimum((score * count).astype(int), count - 1)
    marks: list[Mark] = []
    for label, color in ((0, 0), (1, 1)):
        rows = np.bincount(at[truth == label], minlength=count).tolist()
        shown = small.counts(rows, least)
        heights = [n / max(sum(rows), 1) if isinstance(n, int) else None for n in shown]
        marks.append({"kind": "stairs", "x": _round(edges), "y": _round(heights)})
        marks[-1] |= {"name": labels[label], "color": color}
    text = "share of each class by its score"
    text += f"; bars of {small.few(least)} rows are not drawn" if least > 1 else ""
    return {
        "file": "scores.svg",
        "title": "Scores by class",
        "text": text,
        "x": f"probability of {chart.plain(labels[1])}",
        "y": "share of the class",
        "marks": marks,
        "xlim": [0, 1],
    }


def regression(folder: Path, truth: np.ndarray, prediction: np.ndarray, least: int) -> list[Plot]:
    """Write predicted.svg, residuals.svg and error.svg.

    Residuals beyond their percentiles 1 and 99 are left out of the bars: single rows have them.
    """
    parts = min(3 * POINTS, max(1, len(truth) // max(least, 1)))
    order = np.argsort(prediction, kind="stable")
    rows = np.array_split(order, parts)
    predicted, true = (np.array([v[at].mean() for at in rows]) for v in (prediction, truth))
    ends = [min(true.min(), predicted.min()), max(true.max(), predicted.max())]
    residual = truth - prediction
    count = "every row" if parts == len(truth) else f"means of {len(truth) // parts:,} rows each"
    some = f"bars of {small.few(least)} rows are not drawn" if least > 1 else "every row"
    cloud: list[Mark] = [
        {"kind": "dash", "x": ends, "y": ends},
        {"kind": "dots", "x": _round(predicted), "y": _round(true)},
    ]
    left = bars(residual, least)
    found: list[Plot] = [
        {"file": "predicted.svg", "title": "Predicted and true", "text": count}
        | {"x": "predicted", "y": "true value", "marks": cloud},
        {"file": "residuals.svg", "title": "Residuals", "text": some}
        | {"x": "true value - predicted", "y": "rows", "marks": [left]},
        _error(residual, prediction, order, least),
    ]
    return write(folder, found, {"thresholds": [], "classes": []})


def bars(values: np.ndarray, least: int) -> Mark:
    """Rows of up to 40 equal parts of the range; what lies beyond the percentiles 1 and 99 is not
    shown, nor is a bar of fewer than `least` rows.
    """
    low, high = np.quantile(values, [0.01, 0.99]).tolist()
    edges = np.unique(np.linspace(low, high, BARS + 1))
    counts = np.histogram(values, bins=edges)[0].tolist() if len(edges) > 1 else []
    shown = [n if n >= max(least, 1) else None for n in counts]
    drawn = [at for at, n in enumerate(shown) if n]
    if drawn:
        edges, shown = edges[drawn[0] : drawn[-1] + 2], shown[drawn[0] : drawn[-1] + 1]
    return {"kind": "stairs", "x": _round(edges), "y": shown}


def _error(residual: np.ndarray, predicted: np.ndarray, order: np.ndarray, least: int) -> Plot:
    """Mean error of tenths of the rows by their prediction, with its 95 % interval."""
    rows = np.array_split(order, max(1, min(10, len(order) // max(least, 2))))
    size = [np.abs(residual[at]) for at in rows]
    mean = np.array([each.mean() for each in size])
    reach = np.array([1.96 * each.std() / math.sqrt(len(each)) for each in size])
    points: Mark = {"kind": "dots", "x": _round([predicted[at].mean() for at in rows])}
    points |= {"y": _round(mean), "low": _round(np.maximum(mean - reach, 0))}
    text = f"mean absolute error of {len(rows)} equal parts of the rows, 95 % interval"
    return {"file": "error.svg", "title": "Error over the range", "text": text} | {
        "x": "predicted",
        "y": "mean absolute error",
        "marks": [points | {"high": _round(mean + reach)}],
    }


def write(folder: Path, found: list[Plot], tables: dict[str, rates.Table]) -> list[Plot]:
    """Write each plot as SVG, and all of them with the `tables` as JSON."""
    for plot in found:
        write_text(folder / plot["file"], chart.svg(plot, alone=True))
    content = json.dumps({"plots": found} | tables, ensure_ascii=False, allow_nan=False)
    write_text(folder / DATA, content + "\n")
    return found


def _round(values: np.ndarray | Sequence[float | None]) -> list[float | None]:
    """Five digits: what a picture can show, on every machine."""
    return [None if v is None else float(f"{v:.5g}") for v in values]


def _curve(positive: np.ndarray, score: np.ndarray, least: int) -> dict[str, np.ndarray]:
    """Rates at up to POINTS thresholds, `least` rows or more between two of them."""
    order = np.argsort(-score, kind="stable")
    last = np.flatnonzero(np.diff(score[order], append=np.nan))  # the last row of each tie
    step = max(least, 1, len(score) / POINTS)
    ends, kept = 0, []
    for at in last.tolist():
        if at + 1 - ends >= step and len(score) - at - 1 >= least:
            ends = at + 1
            kept.append(ends)
    rows = np.array([*kept, len(score)] if kept[-1:] != [len(score)] else kept)
    hits = np.cumsum(positive[order])[rows - 1]
    true, false = hits / max(hits[-1], 1), (rows - hits) / max((rows - hits)[-1], 1)
    start, precision = np.zeros(1), hits / rows
    return {
        "true": np.concatenate([start, true]),
        "false": np.concatenate([start, false]),
        "precision": np.concatenate([precision[:1], precision]),
        "flagged": np.concatenate([start, rows / len(score)]),
    }
