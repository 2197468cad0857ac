"""Whether a window of rows still looks like the training rows, from their stored profile.

Numbers: two-sample Kolmogorov-Smirnov at the stored cut points (Kolmogorov's asymptotic p-value;
conservative, because the largest distance may lie between two cut points). Labels: chi-square of
homogeneity, rare labels together. Numbers of few different values are labels, and what is none of
them has an exact test of its own (hypergeometric), as a distance at cut points cannot see where
between two of them it lies. The frequent ones of many are tested like that too, and the clearer of
both tests counts, at twice its p-value. Missing rate: chi-square of two rates. Each p-value is
compared with alpha divided by the number of tests in the window (Bonferroni), and counts only
together with an effect: PSI, sum of (p - q) ln(p / q) over deciles or labels (Siddiqi 2006), at
least `min_psi`.

A `reason` goes to people and to CI: it has no value of the data. `values` are for the local page.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy import stats

from ..model.profile import known, matches
from ..settings import categories
from ..settings.oversight import Monitoring, Report
from ..tables import arrays, small
from ..tables.table import Columns
from . import cycles
from .outputs import chance, psi

Result = dict[str, Any]  # column, verdict, reason, values, test, statistic, p, psi, missing
FEW = 5  # expected rows of a label; rarer ones are put together (Cochran's rule)
MISSING_EFFECT = 0.05  # smallest difference of missing rates that counts
ONE_VALUE = "it has one value only"


def compare(
    reference: dict[str, Any],
    columns: Columns,
    settings: Monitoring,
    least: int = Report().min_cell,
) -> list[Result]:
    """One result for each column of the profile `reference`, for a window `columns` of n rows.

    A label of fewer than `least` rows is not named, nor are its rows counted.

    Verdicts: drift, steady, not judged (times and texts move on by themselves), not enough data.
    Of a time whose parts the profile has, those are judged where the window is long enough.
    """
    found = []
    for name, facts in reference.items():
        values = columns.get(name)
        found.append(_column(name, facts, values, settings, least))
        for title, of, part, more in cycles.parts(name, facts, values):
            found.append(_column(title, of, part, settings, least) | more)
    tests = sum(result[key] is not None for result in found for key in ("p", "missing_p"))
    limit = settings.alpha / max(tests, 1)
    for result in found:
        _judge(result, limit, settings)
    return found


def _column(
    name: str, facts: dict[str, Any], values: np.ndarray | None, settings: Monitoring, least: int
) -> Result:
    result: Result = {"column": name, "verdict": "", "reason": "", "values": []}
    result |= dict.fromkeys(("test", "statistic", "p", "psi", "missing", "missing_p"))
    if values is None:
        return result | {"verdict": "drift", "reason": "the column is not there any more"}
    absent = arrays.missing(values)
    result["missing"] = float(absent.mean()) if len(values) else None
    if len(values) < settings.min_rows:
        reason = f"{len(values)} rows, {settings.min_rows} are needed"
        return result | {"verdict": "not enough data", "reason": reason}
    result["missing_p"] = _rates(facts["missing"], facts["rows"], int(absent.sum()), len(values))
    result["missing_before"] = facts["missing"] / max(facts["rows"], 1)
    present = values[~absent]
    if facts["kind"] in ("datetime", "text"):
        return result | {"verdict": "not judged", "reason": f"a {facts['kind']} moves on by itself"}
    if len(present) < settings.min_rows:
        reason = f"{len(present)} values, {settings.min_rows} are needed"
        return result | {"verdict": "not enough data", "reason": reason}
    if facts["kind"] == "label":
        return result | _label(facts, present, least)
    return result | _number(facts, present.astype(np.float64), settings.min_psi, least)


def _rates(before: int, rows: int, now: int, n: int) -> float:
    """P-value of equal missing rates."""
    if before + now in (0, rows + n):
        return 1.0
    return chance(np.array([[before, rows - before], [now, n - now]]))


def _number(facts: dict[str, Any], values: np.ndarray, min_psi: float, least: int) -> Result:
    shift = (values.mean() - facts["mean"]) / facts["sd"] if facts.get("sd") else 0.0
    moved: Result = {"reason": f"mean moved by {shift:+.2f} sd", "values": []}
    before, rows = known(facts)
    found = moved | (_few(before, rows, 0, values, least) if len(rows) else _many(facts, values))
    if not len(rows) and facts.get("frequent"):
        before, rows = np.array(facts["frequent"]), np.array(facts["frequent_rows"])
        frequent = moved | _few(before, rows, facts["other_rows"], values, least)
        if frequent["reason"] != moved["reason"]:
            frequent["reason"] = f"{moved['reason']}, {frequent['reason']}"
        found = max((frequent, found), key=lambda test: (test["psi"] >= min_psi, -test["p"]))
        found["p"] = min(1.0, 2 * found["p"])
    if len(facts["cuts"]) and (values == values[0]).all():
        return found | {"reason": ONE_VALUE, "values": [str(values[0])]}
    return found


def _many(facts: dict[str, Any], values: np.ndarray) -> Result:
    m, n = facts["rows"] - facts["missing"], len(values)
    cuts, before = np.array(facts["cuts"]), np.array(facts["below"], dtype=np.float64) / max(m, 1)
    below = np.searchsorted(np.sort(values), cuts, side="right") / n
    distance = float(abs(below - before).max()) if m else 1.0
    p = float(stats.kstwobign.sf(np.sqrt(m * n / (m + n)) * distance)) if m else 0.0
    coarse = slice(4, None, 5) if len(cuts) > 20 else slice(None)
    size = _size(_shares(before[coarse]) * m, _shares(below[coarse]) * n)
    return {"test": "Kolmogorov-Smirnov", "statistic": distance, "p": p, "psi": size}


def _few(before: np.ndarray, rows: np.ndarray, rest: int, values: np.ndarray, least: int) -> Result:
    """Rows (k,) of the numbers `before` (k,) and `rest` rows of none of them, then and now.

    A row whose value no other row had counts as none of them then: as many new ones are usual.
    """
    now, others = matches(before, values)
    m, n, new = int(rows.sum()) + rest, len(values), len(others)
    none = rest + int((rows == 1).sum())
    counts = np.array([[*np.where(rows == 1, 0, rows), none], [*now, new]]).T
    result = _homogeneous(counts)
    p_new = float(stats.hypergeom.sf(new - 1, m + n, none + new, n))
    result["p"] = min(1.0, 2 * min(result["p"], p_new))
    moved = counts[:, 1] / n - counts[:, 0] / m
    if rest:
        at = (abs(moved) / np.sqrt(counts[:, 0] + 1))[:-1].argmax()
        was, is_ = _part(rows[at], m, least), _part(now[at], n, least)
        reason = f"one value went from {was} to {is_}"
        result |= {"reason": reason, "values": [str(before[at])]}
    elif new and moved[-1] >= abs(moved).sum() / 4:  # half of what moved went there
        names, often = np.unique(others, return_counts=True)
        most = names[np.argsort(-often, kind="stable")][:3]
        reason = f"{new / n:.1%} are values training never had: {len(names):,} of them"
        result |= {"reason": reason, "values": [str(value) for value in most]}
    return result


def _shares(below: np.ndarray) -> np.ndarray:
    return np.diff(np.concatenate([[0.0], below, [1.0]]))


def _label(facts: dict[str, Any], values: np.ndarray, least: int) -> Result:
    now, before = _forms(Counter(values.tolist())), _forms(facts["labels"])
    rest = facts["rows"] - facts["missing"] - sum(before.values())
    counts = [(before[name], now[name]) for name in before]
    counts.append((rest, sum(count for name, count in now.items() if name not in before)))
    return _homogeneous(np.array(counts)) | _moved(before, now, rest, least)


def _forms(counts: Mapping[Any, int]) -> Counter[str]:
    """Counts of each category: a log keeps what clients sent, such as 1.0 for 1."""
    found: Counter[str] = Counter()
    for label, count in counts.items():
        found[categories.category(str(label))] += count
    return found


def _moved(before: Counter[str], now: Counter[str], rest: int, least: int) -> Result:
    """Reason and values of a column of labels: rows of each before and now, `rest` of rare ones."""
    m, n = max(sum(before.values()) + rest, 1), sum(now.values())
    unseen = {name: count for name, count in now.items() if name not in before}
    if unseen and not rest:
        often = [name for name, count in unseen.items() if count >= least]
        most = sorted(often, key=lambda name: -unseen[name])[:3]
        share = f"{sum(unseen.values()) / n:.1%}"
        reason = f"{share} are labels training did not see: {len(unseen):,} of them"
        return {"reason": reason, "values": most}
    if len(before) > 1 and len(now) == 1:
        return {"reason": ONE_VALUE, "values": list(now)}
    moved = max(before, key=lambda k: abs(before[k] / m - now[k] / n), default="")
    was, is_ = _part(before[moved], m, least), _part(now[moved], n, least)
    return {"reason": f"one label went from {was} to {is_}", "values": [moved]}


def _part(rows: int, of: int, least: int) -> str:
    """A share; of few rows only that they are few, where there is one at all."""
    return f"{small.few(least)} rows" if 0 < rows < least else f"{rows / of:.1%}"


def _homogeneous(counts: np.ndarray) -> Result:
    """PSI and chi-square of "both columns of counts (k, 2) have one distribution"."""
    table = _merged(counts)
    found = {"test": "chi-square", "statistic": 0.0, "p": 1.0, "psi": _size(*counts.T)}
    if len(table) > 1:
        test = stats.chi2_contingency(table.T, correction=False)
        found |= {"statistic": float(test.statistic), "p": float(test.pvalue)}
    return found


def _merged(counts: np.ndarray) -> np.ndarray:
    """Rows of counts, the rare ones added up, so that each has FEW expected rows on both sides."""
    totals = counts.sum(axis=0)
    share = totals.min() / max(totals.sum(), 1)
    is_rare = counts.sum(axis=1) * share < FEW
    common, together = counts[~is_rare], counts[is_rare].sum(axis=0)
    if together.sum() == 0:
        return common
    if together.sum() * share < FEW and together[1] * 20 < totals[1] and len(common):
        common[common.sum(axis=1).argmin()] += together
        return common
    return np.vstack([common, together])


def _size(before: np.ndarray, now: np.ndarray) -> float:
    """PSI of counts (k,) and counts (k,), half a row added to each: windows may be short."""
    return psi(before + 0.5, now + 0.5)


def _judge(result: Result, limit: float, settings: Monitoring) -> None:
    """Set the verdict; a missing rate may drift where the values do not."""
    effect = result.pop("effect", 0.0)
    if result["missing_p"] is not None and result["missing_p"] < limit:
        change = result["missing"] - result["missing_before"]
        if abs(change) >= MISSING_EFFECT:
            rates = f"from {result['missing_before']:.1%} to {result['missing']:.1%}"
            reason = f"the missing rate went {rates}"
            result |= {"verdict": "drift", "reason": reason, "values": []}
    if result["p"] is not None and result["verdict"] != "drift":
        drifts = result["p"] < limit and result["psi"] >= max(settings.min_psi, effect)
        result["verdict"] = "drift" if drifts else "steady"
        if not drifts:
            result |= {"reason": "", "values": []}
