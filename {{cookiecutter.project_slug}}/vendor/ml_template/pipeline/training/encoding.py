"""encoding: the encoder that fits the training rows, found with scikit-learn; a part of fit."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from typing import Any

import numpy as np

from ...model.encoder import Encoder, Encoding, number
from ...project import function
from ...settings.config import Column
from ...tables.arrays import Columns, missing, rows, take
from .supervised import Learned

MAX_CATEGORIES = {"ordinal": 254, "onehot": 50}  # 254: histogram gradient boosting has 255 bins
_PART: dict[str, dict[str, Any]] = {
    "ordinal": {"kind": "part"},
    "onehot": {"kind": "turn", "width": 2},
}
_SOME = 8  # rows on which features.py must do alone as it does in the table


def fit(
    columns: Columns,
    inputs: list[str],
    texts: set[str],
    encoding: Encoding,
    learned: Mapping[str, Learned] | None = None,
    moments: Mapping[str, Column] | None = None,
) -> Encoder:
    """Encoder of the columns `inputs` and what features.py adds; `texts` are only for features.py.

    `learned` have an encoding of their own; `moments` are encoded as they say: the instant, its
    parts, or both. Raises ValueError for a column without one value, for an array features.py got
    wrong, and where nothing is left to learn from.
    """
    known = {name: columns[name] for name in inputs}
    known |= checked_features(known)
    state: list[dict[str, Any]] = []
    for name, values in known.items():
        if name in texts:
            continue
        if missing(values).all():
            raise ValueError(f"{name!r} is empty in all training rows: give it feature: false")
        column = (moments or {}).get(name)
        if learned and name in learned:
            state.append({"name": name} | learned[name].state)
        elif values.dtype == object:
            state.append({"name": name} | _fit_categories(values, encoding))
        elif column is None or column.instant:
            state.append({"name": name} | _fit_number(values, encoding))
        for part in column.parts if column else ():
            state.append({"name": name, "part": part} | _PART[encoding])
    if not state:
        raise ValueError(
            "nothing but texts, which are only for features.py: give one `encoding: words`"
        )
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

    column = number(values)[:, None]
    imputer = SimpleImputer(strategy="median").fit(column)
    scaler = StandardScaler().fit(imputer.transform(column))
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
