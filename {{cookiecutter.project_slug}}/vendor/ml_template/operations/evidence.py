"""What a track answered, and how strongly two counts say that the rate of one is higher.

Rates are judged by e-values: while the canary is no worse, the expectation of one never exceeds 1,
so it ever reaches 1/a with probability at most a (Ville's inequality), however often one looks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from scipy.special import logsumexp

RATIOS = np.array([1.5, 2.0, 3.0, 6.0, 15.0, 50.0])  # how many times worse a canary may be
ANSWERS = "predict_answers"  # the one output that is counted by class, not by bucket

Range = tuple[float, float]  # low, high


@dataclass(frozen=True)
class Counts:
    """What the pods of one track answered since a step began.

    `codes`: answers by status code. `seconds`: answers within each upper bound in seconds, up to
    math.inf. `outputs`: rows by bucket or class, for each histogram of the answers. `memory`: bytes
    of the largest process, 0 = unknown; `restarts`: of its containers. `quality`: interval of the
    headline metric on labels that came, higher is better.
    """

    codes: Mapping[str, float]
    seconds: Mapping[float, float] = field(default_factory=dict)
    not_finite: float = 0.0
    outputs: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    memory: float = 0.0
    restarts: int = 0
    quality: Range | None = None

    def of(self, first: str) -> float:
        """Answers whose code begins with `first`; every one for ""."""
        return sum(n for code, n in self.codes.items() if code.startswith(first))

    @property
    def timed(self) -> float:
        """All answers whose time was taken."""
        return max(self.seconds.values(), default=0.0)


def evidence(
    bad: float | np.ndarray,
    all_: float | np.ndarray,
    stable_bad: float | np.ndarray,
    stable_all: float | np.ndarray,
) -> np.ndarray:
    """Log e-value of "the canary's rate is higher"; arrays of one shape, or numbers.

    A bad answer came from the canary with probability q, its share of all answers, or rq/(rq+1-q)
    when its rate is r times that of stable. The likelihood ratios are averaged over RATIOS.
    Source: the mixture SPRT (Robbins 1970) for counts under a known split, as in Lindon and Malek,
    "Anytime-valid inference for multinomial count data", NeurIPS 2022.
    """
    bad, all_ = np.asarray(bad, float)[..., None], np.asarray(all_, float)[..., None]
    stable_bad, stable_all = np.asarray(stable_bad)[..., None], np.asarray(stable_all)[..., None]
    share = all_ / np.maximum(all_ + stable_all, 1.0)
    known = (all_ > 0) & (stable_all > 0)
    ratios = bad * np.log(RATIOS) - (bad + stable_bad) * np.log(RATIOS * share + 1 - share)
    return logsumexp(np.where(known, ratios, 0.0), axis=-1) - math.log(len(RATIOS))
