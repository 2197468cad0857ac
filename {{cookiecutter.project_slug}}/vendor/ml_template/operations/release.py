"""What promote and rollback share.

With ENV the cluster goes first and the champion follows: killed in between, the same command again
finds the first done and does the rest.
"""

from __future__ import annotations

import sys
from types import ModuleType

from ..outside.screen import say
from ..registry import tracking
from ..settings.config import InputError


def stable() -> ModuleType:
    """What moves releases in a cluster: asked for with ENV, and only then is it to be there."""
    from ..kubernetes import stable

    return stable


def mirrored(done: str) -> bool:
    """Say what was done, and whether MLflow took it."""
    say(done)
    try:
        tracking.mirror()
    except InputError as error:
        say(f"{done.partition(':')[0]}: {error}", sys.stderr)
        return False
    return True
