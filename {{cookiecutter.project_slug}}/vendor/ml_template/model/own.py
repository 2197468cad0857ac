"""The project's own transformer: columns by what the training rows told, kept as data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypedDict

from ..project import function, handed, named, place
from ..settings.config import InputError
from ..tables.arrays import Columns


class Kept(TypedDict):
    """What a model keeps of it: its state, plain JSON, and the names of the columns it adds."""

    state: dict[str, Any]
    columns: list[str]


def transformer() -> Any:
    """The object that __main__.py names; raises InputError where it names none."""
    where = handed().transformer
    if where is None:
        raise InputError(
            f"{place('__main__')}: the model has columns of a transformer: name it, as in "
            f'transformer="usual:Usual", or train again'
        )
    found = named("transformer", where)
    return found() if isinstance(found, type) else found


def features(kept: Kept) -> Callable[[Columns], Columns]:
    """What features.py adds, and what the transformer adds to that."""
    plain, transform, names = function("features"), transformer().transform, {*kept["columns"]}

    def both(columns: Columns) -> Columns:
        added: Columns = plain(columns)
        found: Columns = transform(columns | added, kept["state"])
        if found.keys() != names:
            raise InputError(
                f"{place(str(handed().transformer))}: transform returned the columns "
                f"{sorted(found)}, and {sorted(names)} in training: return the same for any rows"
            )
        return added | found

    return both
