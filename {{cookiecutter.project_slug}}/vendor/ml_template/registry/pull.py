"""pull: data, results and models/ from the DVC remote."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..storage import pins
from . import sharing, versioning

if TYPE_CHECKING:
    from dvc.repo import Repo


def run() -> None:
    """Fetch data, results and models/ from the remote, where there is one; what it lacks stays.

    Raises InputError for what is not what git pins, and for a name that leads elsewhere: of
    neither anything is used.
    """
    versioning.exchange("pull", _fetched)


def _fetched(repository: Repo, remote: Any) -> tuple[int, int]:
    kept, store = sharing.take(remote), pins.Store(repository)
    lacked = store.clean()
    count = repository.fetch()
    store.check(lacked)
    repository.checkout(allow_missing=True)
    return count, kept
