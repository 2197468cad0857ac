"""How alike the hold-out and the table are."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ...settings.config import Config

PARTS = 4  # of a target that is a number: as many rows in each
UNLIKE = 3.0  # standard errors
MOST_SHOWN = 3  # classes, the ones that differ most


def distance(target: np.ndarray, test: np.ndarray) -> float:
    """How far the rows `test` (n,) of the target (n,) are from the table, in standard errors.

    The farthest share of a class; of numbers, that of a quarter of them, the mean, or the spread,
    whose third or treble counts as 3: outliers on one side only. 1 is usual for rows drawn at
    random, without regard to the target. Rows of groups differ more.
    """
    if not 0 < test.sum() < len(test):
        return float("inf")
    parts = target
    mean = spread = 0.0
    if target.dtype != object:
        parts = np.searchsorted(np.quantile(target, np.arange(1, PARTS) / PARTS), target)
        whole = target.std() or 1.0
        mean = abs(target[test].mean() - target.mean()) / whole
        spread = UNLIKE * abs(np.log(max(target[test].std() / whole, 1e-9))) / np.log(3)
    codes = pd.factorize(parts)[0]
    there, held = (np.bincount(c, minlength=codes.max() + 1) for c in (codes, codes[test]))
    share = there / len(codes)
    error = np.sqrt(np.maximum(share * (1 - share), 1e-300))
    far = np.max(abs(held / test.sum() - share) / error)
    return float(max(max(far, mean) * np.sqrt(test.sum()), spread))


def said(config: Config, target: np.ndarray, test: np.ndarray) -> str:
    """One line on the hold-out `test` (n,) beside the table; `target` are labels or values (n,)."""
    if folds := config.split.folds:
        return f"each row once, in {folds} folds; the model itself learns from all of them"
    share = f"{test.mean():.1%} of the rows"
    if config.data.task == "regression":
        held, there = target[test], target
        text = ", ".join(
            f"{name} {of(held):.4g} (table {of(there):.4g})"
            for name, of in (("mean", np.mean), ("median", np.median), ("spread", np.std))
        )
        return f"{share}; {config.data.target}: {text}"
    shares = {c: ((target[test] == c).mean(), (target == c).mean()) for c in config.data.classes}
    if config.data.positive is not None:
        shares = {config.data.positive: shares[config.data.positive]}
    far = sorted(shares, key=lambda c: -abs(shares[c][0] - shares[c][1]))[:MOST_SHOWN]
    text = ", ".join(f"{c} {shares[c][0]:.1%} (table {shares[c][1]:.1%})" for c in far)
    return f"{share}; {text}"
