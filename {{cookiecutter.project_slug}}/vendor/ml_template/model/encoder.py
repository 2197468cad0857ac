"""Columns to a float64 matrix: fitted with scikit-learn, applied by one small function.

The state is plain JSON. `apply` treats one row and a million rows alike, to the last bit.

ordinal: numbers stay (missing = NaN), categories become codes (missing or unseen = NaN).
onehot:  numbers are imputed with the median and standardised, each category is a 0/1 column
         (missing or unseen = all 0).
"""

from __future__ import annotations

import traceback
from typing import Any, Literal

import numpy as np

from ..project import function
from ..settings.categories import spelled, spellings
from ..tables.arrays import Columns, each, missing, rows, take

Encoding = Literal["ordinal", "onehot"]
MAX_CATEGORIES = {"ordinal": 254, "onehot": 50}  # 254: histogram gradient boosting has 255 bins
_SOME = 8  # rows on which features.py must do alone as it does in the table
_DAY = np.timedelta64(1, "D")


class Encoder:
    """State: a list of {name, kind, ...}, one for each encoded column, in matrix order."""

    def __init__(self, inputs: list[str], state: list[dict[str, Any]]) -> None:
        self.inputs = inputs
        self.state = state
        self.width = sum(column.get("width", 1) for column in state)
        labels = {column["name"]: column["codes"] for column in state if "codes" in column}
        self._features = function("features")
        self._known = {
            name: (frozenset([None, *labels[name]]), spellings(labels[name]))
            for name in inputs
            if name in labels
        }

    @property
    def categorical(self) -> list[int]:
        """Matrix columns that hold category codes (ordinal encoding only)."""
        return [at for at, column in enumerate(self.state) if column["kind"] == "ordinal"]

    @property
    def names(self) -> list[str]:
        """Name of each matrix column."""
        found = []
        for column in self.state:
            if column["kind"] == "onehot":
                found += [f"{column['name']}={label}" for label in _labels(column)]
            else:
                found.append(column["name"])
        return found

    def to_json(self) -> dict[str, Any]:
        """The whole state; `Encoder(**state)` is this encoder again."""
        return {"inputs": self.inputs, "state": self.state}

    def apply(self, columns: Columns) -> np.ndarray:
        """Matrix (n, width) float64, C order, of `columns` (arrays of n; see table.columns_of)."""
        known = {name: columns[name] for name in self.inputs}
        for name, (labels, forms) in self._known.items():
            if not labels.issuperset(known[name].tolist()):
                known[name] = _spelled(known[name], labels, forms)
        known |= self._features(known)
        if rows(known) == 1:
            return self._apply_one(known)
        matrix = np.empty((rows(known), self.width))
        at = 0
        for column in self.state:
            values = known[column["name"]]
            kind = column["kind"]
            if kind == "number":
                matrix[:, at] = _number(values)
            elif kind == "standard":
                number = _number(values)
                number = np.where(np.isnan(number), column["fill"], number)
                matrix[:, at] = (number - column["mean"]) / column["scale"]
            elif kind == "ordinal":
                code = column["codes"].get
                matrix[:, at] = [code(value, np.nan) for value in values]
            else:
                code = column["codes"].get
                index = np.array([code(value, -1) for value in values], dtype=np.intp)
                matrix[:, at : at + column["width"]] = index[:, None] == np.arange(column["width"])
            at += column.get("width", 1)
        return matrix

    def _apply_one(self, known: Columns) -> np.ndarray:
        """The same arithmetic on Python's floats: a third of the time for one row."""
        row: list[float] = []
        for column in self.state:
            kind, values = column["kind"], known[column["name"]]
            if kind == "number":
                row.append(_one_number(values))
            elif kind == "ordinal":
                row.append(column["codes"].get(values.item(), np.nan))
            elif kind == "standard":
                number = _one_number(values)
                number = column["fill"] if number != number else number
                row.append((number - column["mean"]) / column["scale"])
            else:
                index = column["codes"].get(values.item(), -1)
                row += [float(at == index) for at in range(column["width"])]
        return np.array([row], dtype=np.float64)


def _spelled(
    values: np.ndarray, labels: frozenset[str | None], forms: dict[str, str]
) -> np.ndarray:
    """Categories (n,) as training spelled them; what it knew by two spellings stays two."""
    return each(values, lambda text: text if text in labels else spelled(text, forms))


def _one_number(values: np.ndarray) -> float:
    return float((_number(values) if values.dtype.kind == "M" else values).item())


def _number(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind == "M":
        return (values - np.datetime64("1970-01-01")) / _DAY
    return values.astype(np.float64, copy=False)


def _labels(column: dict[str, Any]) -> list[str]:
    groups: dict[int, list[str]] = {}
    for label, code in column["codes"].items():
        groups.setdefault(code, []).append(label)
    return [labels[0] if len(labels) == 1 else "rare" for _, labels in sorted(groups.items())]


def fit(columns: Columns, inputs: list[str], texts: set[str], encoding: Encoding) -> Encoder:
    """Encoder of the columns `inputs` and what features.py adds; `texts` are only for features.py.

    Raises ValueError for a column without one value and for an array features.py got wrong.
    """
    known = {name: columns[name] for name in inputs}
    known |= checked_features(known)
    state = []
    for name, values in known.items():
        if name in texts:
            continue
        if missing(values).all():
            raise ValueError(f"{name!r} is empty in all training rows: give it feature: false")
        if values.dtype == object:
            state.append({"name": name} | _fit_categories(values, encoding))
        else:
            state.append({"name": name} | _fit_number(values, encoding))
    return Encoder(inputs, state)


def checked_features(columns: Columns) -> Columns:
    """What features.py adds, or ValueError naming the line or the column it got wrong."""
    some = range(min(_SOME, rows(columns)))
    features = function("features")
    try:
        added = features(columns)
        alone = [features(take(columns, np.array([at]))) for at in some]
    except Exception as error:
        line = traceback.extract_tb(error.__traceback__)[-1].lineno
        raise ValueError(f"features.py: line {line}: {type(error).__name__}: {error}") from error
    for name, values in added.items():
        if name in columns:
            raise ValueError(f"features.py: {name!r} is a column already: give it another name")
        if not isinstance(values, np.ndarray) or values.shape != (rows(columns),):
            raise ValueError(f"features.py: {name!r} must be an array with one value for each row")
        for at, row in zip(some, alone, strict=True):
            if not _same(row[name], values[at : at + 1]):
                raise ValueError(
                    f"features.py: {name!r} of a row depends on the other rows: one request would "
                    f"get another answer than the same row in a table"
                )
    return added


def _same(left: np.ndarray, right: np.ndarray) -> bool:
    """Equal to the last bit, missing values included."""
    same = (left == right) | ((left != left) & (right != right))
    return left.shape == right.shape and bool(np.all(same))


def _fit_number(values: np.ndarray, encoding: Encoding) -> dict[str, Any]:
    if encoding == "ordinal":
        return {"kind": "number"}
    from sklearn.impute import SimpleImputer
    from sklearn.preprocessing import StandardScaler

    number = _number(values)[:, None]
    imputer = SimpleImputer(strategy="median").fit(number)
    scaler = StandardScaler().fit(imputer.transform(number))
    return {
        "kind": "standard",
        "fill": float(imputer.statistics_[0]),
        "mean": float(scaler.mean_[0]),
        "scale": float(scaler.scale_[0]),
    }


def _fit_categories(values: np.ndarray, encoding: Encoding) -> dict[str, Any]:
    from sklearn.preprocessing import OrdinalEncoder

    known = values[~missing(values)]
    distinct = set(known)
    if len(distinct) <= MAX_CATEGORIES[encoding]:  # no rare ones to join: counts do not matter
        known = np.array(list(distinct), dtype=object)
    fitted = OrdinalEncoder(max_categories=MAX_CATEGORIES[encoding]).fit(known[:, None])
    labels = fitted.categories_[0]
    codes = fitted.transform(labels[:, None])[:, 0].astype(int).tolist()
    table = dict(zip(labels.tolist(), codes, strict=True))
    state: dict[str, Any] = {"kind": encoding, "codes": table}
    return state if encoding == "ordinal" else state | {"width": len(set(codes))}
