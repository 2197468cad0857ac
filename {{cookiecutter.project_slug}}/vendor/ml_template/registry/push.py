"""push: data, results and models/ to the DVC remote."""

from __future__ import annotations

from . import sharing, versioning


def run() -> None:
    """Send data, results and models/ to the remote, where there is one."""
    versioning.exchange(
        "push", lambda repository, remote: (repository.push(), sharing.give(remote))
    )
