"""Candidate and champion row by row: how many answers differ, by how much, and where."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ...model import artifact, manifest
from ...model.metrics import chosen, encode_target
from ...model.shapes import Verdict
from ...outside.numbers import number
from ...registry import champion
from ...settings.config import Config
from ...storage.places import CANDIDATE, PREPARED
from ...tables import small, table
from ...tables.table import Columns
from ..data import answering
from ..evaluation.chart import Plot
from ..evaluation.figures import slice_columns
from ..evaluation.plots import bars
from ..evaluation.slices import group
from ..judgement.rival import asked
from .tables import Table

ROWS = 20_000  # of the hold-out, a sample of more
SEGMENTS = 8


class Rivals(NamedTuple):
    """What is shown of two models on the same rows."""

    tables: Sequence[Table]
    plots: Sequence[Plot]


def read(config: Config, verdict: Verdict | None) -> Rivals | None:
    """The candidate next to the champion it was judged by; None where no rows are comparable."""
    if verdict is None or "rival" not in verdict:
        return None
    rival = verdict["rival"]
    if rival["state"] != "paired" or rival["champion"] is None:
        return None
    folder = champion.folder(rival["champion"])
    if not folder.exists():
        return None
    theirs = artifact.Described(manifest.read(folder, rival["champion"])[0])
    ours = artifact.load(CANDIDATE)
    test = table.read_parquet(PREPARED / "test.parquet")
    before, _ = asked(config, folder, theirs, _of_the_same_rows(theirs, verdict), test)
    if before is None:
        return None
    if ours.labels:  # the champion may have its classes in another order
        before = before[:, [theirs.labels.index(label) for label in ours.labels]]
    rows = np.sort(np.random.default_rng(config.seed).permutation(table.rows(test))[:ROWS])
    test = table.take(test, rows)  # of folds they are all: a table of folds has fewer than ROWS
    mine = answering.held_out(config, CANDIDATE, ours, test)
    truth = encode_target(test[config.data.target], config.data.labels)
    thresholds = ours.threshold, theirs.threshold
    return compare(config, test, truth, mine, before[rows], thresholds)


def _of_the_same_rows(model: artifact.Described, verdict: Verdict) -> Verdict | None:
    """The verdict that a kept model was registered by, where it is on the rows of `verdict`."""
    by = model.manifest["verdict"]["digest"]
    found = champion.verdict({"digest": model.digest, "verdict": by})
    return found if found["lineage"]["hold_out"] == verdict["lineage"]["hold_out"] else None


def compare(
    config: Config,
    test: Columns,
    truth: np.ndarray,
    ours: np.ndarray,
    theirs: np.ndarray,
    thresholds: tuple[float | None, float | None] = (None, None),
) -> Rivals:
    """Of answers (n, k) or (n,) to the rows `test` of the classes or values `truth` (n,).

    `thresholds` are those of the two models, see artifact.Model.
    """
    least = config.report.min_cell
    if ours.ndim == 1:
        moved, gap = ours - theirs, np.abs(ours - theirs)
        better = np.abs(ours - truth) < np.abs(theirs - truth)
        worse, differs = np.abs(ours - truth) > np.abs(theirs - truth), gap > 0
    else:
        mine, other = map(chosen, (ours, theirs), thresholds)
        moved, gap = (ours - theirs)[:, -1], np.abs(ours - theirs).max(axis=1)
        differs = mine != other
        better, worse = differs & (mine == truth), differs & (other == truth)
    neither = [differs & ~better & ~worse] if len(config.data.labels) > 2 else []
    counts = [int(each.sum()) for each in (better, worse, *neither)]
    rows, what = len(truth), "value" if ours.ndim == 1 else "class"
    named = small.counts([*counts, rows - sum(counts)], least)
    change = small.counts([int(differs.sum()), rows - int(differs.sum())], least)[0]
    nearer = "nearer to the truth" if ours.ndim == 1 else "right"
    lines = [
        ["rows compared", number(rows)],
        [f"answered with another {what}", _part(change, rows)],
        [f"of these the candidate is {nearer}", _part(named[0], rows)],
        [f"of these the champion is {nearer}", _part(named[1], rows)],
        ["mean difference of the answers", number(float(gap.mean()))],
    ]
    if rows * 0.05 >= least:
        lines.append(["95 of 100 differ by less than", number(float(np.quantile(gap, 0.95)))])
    whole = Table("Answers", "", ["what", "rows"], lines, frozenset({"rows"}))
    return Rivals([whole, _segments(config, test, gap, least)], [_moved(moved, least)])


def _part(count: small.Count, rows: int) -> str:
    return f"{count:,} ({count / rows:.1%})" if isinstance(count, int) else count


def _segments(config: Config, test: Columns, gap: np.ndarray, least: int) -> Table:
    """Groups of rows whose answers differ most."""
    found = []
    for name in slice_columns(config, test):
        groups = group(name, config.columns[name].type, test[name], test[name])
        rows = np.bincount(groups.codes, minlength=len(groups.names))
        total = np.bincount(groups.codes, weights=gap, minlength=len(groups.names))
        shown = small.counts(rows[rows > 0].tolist(), least)
        for at, count in zip(np.flatnonzero(rows).tolist(), shown, strict=True):
            if isinstance(count, int):
                found.append((total[at] / count, name, groups.names[at], count))
    most = sorted(found, key=lambda each: -each[0])[:SEGMENTS]
    lines = [[name, part, f"{rows:,}", number(float(mean))] for mean, name, part, rows in most]
    head = ["column", "group", "rows", "mean difference"]
    return Table("Where they differ most", "", head, lines, frozenset(head[2:]))


def _moved(moved: np.ndarray, least: int) -> Plot:
    return {
        "title": "Candidate minus champion",
        "text": f"bars of {small.few(least)} rows are not drawn" if least > 1 else "every row",
        "x": "difference of the answers",
        "y": "rows",
        "marks": [bars(moved, least)],
    }
