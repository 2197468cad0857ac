"""Whether two models answer otherwise, from the counts of their answers by class or by bucket.

A model's buckets are made for what it answers (`serving.metrics.edges`), so those of two models
differ, and wholly where one answers wholly elsewhere. Of an edge that a side lacks, its neighbours
still tell between which counts the rows at or below it lie; only the difference that is left
wherever in there they lie counts. So other edges alone are never a shift, and other answers are
one even where the two have no edge in common.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.stats import chi2_contingency

Side = Mapping[str, float]  # rows by class, or by upper edge of the bucket
LEAST = 0.005  # smallest share of a bucket: else a few rows past a range are a shift once many came


def by_class(usual: Side, now: Side) -> list[np.ndarray]:
    """One table of counts (2, k), of every class that either has."""
    labels = sorted(set(usual) | set(now))
    return [np.array([[side.get(label, 0.0) for label in labels] for side in (usual, now)])]


def by_bucket(usual: Side, now: Side) -> list[np.ndarray]:
    """Tables of counts (2, k): one between all edges that both have, one at each other edge.

    At an edge that one side lacks: the rows at or below it and those above, for both sides as
    alike as their counts allow.
    """
    edges = np.unique([float(edge) for edge in (*usual, *now)])
    sides = [_below(side, edges) for side in (usual, now)]
    rows = np.array([[sum(usual.values())], [sum(now.values())]])
    known = np.isin(edges, [float(e) for e in usual]) & np.isin(edges, [float(e) for e in now])
    common = np.stack([least[known] for least, _ in sides])
    (low, high), (least, most) = (np.stack(side) / n for side, n in zip(sides, rows, strict=True))
    nearest = np.clip(least, low, high)
    below = np.stack([nearest, np.clip(nearest, least, most)])[:, ~known] * rows
    tables = [np.stack([at, np.maximum(rows[:, 0] - at, 0.0)], axis=1) for at in below.T]
    return [np.diff(common, prepend=0.0, append=rows), *tables]


def _below(side: Side, edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The least and the most rows (k,) that can lie at or below each of `edges` (k,)."""
    labels = sorted(side, key=float)
    own = [float(label) for label in labels]
    sums = np.cumsum([0.0, *(side[label] for label in labels)])
    up_to = np.minimum(np.searchsorted(own, edges) + 1, len(own))
    return sums[np.searchsorted(own, edges, side="right")], sums[up_to]


def psi(usual: np.ndarray, now: np.ndarray, least: float = 0.0) -> float:
    """Population stability index of two rows of counts (k,).

    An empty cell counts as half a row, and each as the share `least` at least.
    """
    full = [np.maximum(counts, 0.5) for counts in (usual, now)]
    before, after = (np.maximum(counts / counts.sum(), least) for counts in full)
    return float(np.sum((after - before) * np.log(after / before)))


def chance(table: np.ndarray) -> float:
    """p-value of "both rows have one distribution", for counts (2, k)."""
    return 1.0 if table.shape[1] < 2 else float(chi2_contingency(table).pvalue)
