"""encoding: the encoder that fits the training rows, found with scikit-learn; a part of fit."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...model.encoder import Encoder, Encoding, number
from ...model.own import Kept
from ...project import folder, function
from ...settings.config import Column
from ...tables.arrays import Columns, missing, rows, take
from .supervised import Learned

MAX_CATEGORIES = {"ordinal": 254, "onehot": 50}  # 254: histogram gradient boosting has 255 bins
_PART: dict[str, dict[str, Any]] = {
    "ordinal": {"kind": "part"},
    "onehot": {"kind": "turn", "width": 2},
}
_SOME = 8  # rows on which features.py must do alone as it does in the table


@dataclass(frozen=True)
class Own:
    """What a model keeps of the project's own transformer, and the columns of the training rows."""

    kept: Kept
    columns: Columns


def fit(
    columns: Columns,
    inputs: list[str],
    texts: set[str],
    encoding: Encoding,
    learned: Mapping[str, Learned] | None = None,
    moments: Mapping[str, Column] | None = None,
    own: Own | None = None,
) -> Encoder:
    """Encoder of the columns `inputs` and what features.py adds; `texts` are only for features.py.

    `learned` have an encoding of their own; `moments` are encoded as they say: the instant, its
    parts, or both. Raises ValueError for a column without one value, for an array features.py got
    wrong, and where nothing is left to learn from.
    """
    known = {name: columns[name] for name in inputs}
    known |= checked_features(known)
    known |= own.columns if own else {}
    state: list[dict[str, Any]] = []
    for name, values in known.items():
        if name in texts:
            continue
        if missing(values).all():
            made = name not in inputs
            remedy = "make no such column in your code" if made else "give it feature: false"
            raise ValueError(f"{name!r} is empty in all training rows: {remedy}")
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
    return Encoder(inputs, state, own.kept if own else None)


def checked_features(columns: Columns) -> Columns:
    """What features.py adds, or ValueError naming the line or the column it got wrong."""
    return checked(columns, function("features"), "features.py")


@contextmanager
def told(said: str) -> Iterator[None]:
    """A fault in code of the project, `said` where no file tells, as ValueError with its line."""
    try:
        yield
    except Exception as error:
        lines = traceback.extract_tb(error.__traceback__)
        mine = [line for line in lines if Path(line.filename).is_relative_to(folder())]
        file, line = (Path(mine[-1].filename).name, mine[-1]) if mine else (said, lines[-1])
        kind = type(error).__name__
        raise ValueError(f"{file}: line {line.lineno}: {kind}: {error}") from error


def checked(columns: Columns, add: Callable[[Columns], Columns], said: str) -> Columns:
    """What `add`, of the file `said`, adds to `columns`; raises ValueError where that is wrong."""
    some = range(min(_SOME, rows(columns)))
    with told(said):
        added = add(columns)
        alone = [add(take(columns, np.array([at]))) for at in some]
        odd = any(row.keys() != added.keys() for row in alone)
    if odd:
        raise ValueError(f"{said}: one row gets other columns than a table: return the same names")
    for name, values in added.items():
        if name in columns:
            raise ValueError(f"{said}: {name!r} is a column already: give it another name")
        if not isinstance(values, np.ndarray) or values.shape != (rows(columns),):
            raise ValueError(f"{said}: {name!r} must be an array with one value for each row")
        for at, row in zip(some, alone, strict=True):
            if not _same(row[name], values[at : at + 1]):
                raise ValueError(
                    f"{said}: {name!r} of a row depends on the other rows: one request would "
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
