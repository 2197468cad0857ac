"""Which types a skops archive may hold beyond those of the kit: `model.trusted` names them.

A type is made without its `__init__`, and its own `__setstate__` is called. So a function, a type
of the standard library or of a package that unpickles stays refused, whoever names it.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Iterable

from ..settings.config import CONFIG_FILE, InputError, load_config

UNPICKLES = frozenset(
    {"cloudpickle", "dill", "joblib", "loky", "numpy", "pandas", "skops", "torch"}
)


def checked(names: Iterable[str]) -> list[str]:
    """`names` ("package.module.Class"), sorted; raises InputError for one that may run code."""
    found = sorted(set(names))
    for name in found:
        if reason := _refused(name):
            raise InputError(f"{CONFIG_FILE}: model.trusted: {name} {reason}: remove it")
    return found


def agreed(where: object, names: Iterable[str]) -> None:
    """Raise InputError unless model_config.yaml names what the model at `where` wants trusted.

    For a folder whose digest nobody vouches for: it would say of itself what to trust.
    """
    if (wanted := set(names)) and (unnamed := sorted(wanted - {*load_config().model.trusted})):
        raise InputError(
            f"{where}: its model holds {', '.join(unnamed)}, which model.trusted in {CONFIG_FILE} "
            f"does not name: read these types and name them there, or train again"
        )


def _refused(name: str) -> str | None:
    module, _, kind = name.rpartition(".")
    top = module.partition(".")[0]
    if not module:
        return "is not written package.module.Class"
    if top in sys.stdlib_module_names or top in UNPICKLES:
        return "may run code when it is loaded, and is never trusted"
    try:
        found = getattr(importlib.import_module(module), kind, None)
    except ImportError as error:
        return f"cannot be imported ({error})"
    return None if inspect.isclass(found) else "is no class, and only classes are trusted"
