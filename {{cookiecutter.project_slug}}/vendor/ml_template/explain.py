"""What is said of an error that ends a word."""

from __future__ import annotations

import errno
import os

from .project import handed

NO_SPACE = (errno.ENOSPC, errno.EDQUOT)  # the disk, a quota


def explain(error: Exception) -> str | None:
    """The message for a fault that a person can put right; None for a fault of the code."""
    from .settings.config import InputError

    if isinstance(error, InputError):
        return str(error)
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}: line {error.lineno}: {error.msg}: correct it"
    if isinstance(error, ModuleNotFoundError):
        if str(error.name).startswith(f"{__package__}."):
            return (
                f"this project was made without {error.name}: where it is needed, "
                f"`copier update -d deployment=kubernetes` brings it"
            )
        return (
            f"{error}: packages of yours go to requirements/extra.in (extra-dev.in where only "
            f"training needs them), then `make lock` and `make setup`; {handed().package}'s own "
            f"modules are read from src/"
        )
    if isinstance(error, UnicodeEncodeError) and error.reason == "surrogates not allowed":
        return f"{error.object[:200]!r} is not UTF-8 text: give it as UTF-8"
    if isinstance(error, OSError) and error.errno in NO_SPACE:
        return (
            f"no space left on the disk ({error.filename or 'while writing'}): free some, run again"
        )
    if isinstance(error, OSError) and error.errno == errno.EFBIG:
        return f"{error.filename or 'a file'} is larger than your limit allows: see `ulimit -f`"
    if isinstance(error, PermissionError) or (
        isinstance(error, OSError) and error.errno == errno.EROFS
    ):
        place = str(error.filename or "a file")
        if not os.path.lexists(place):  # a new file: its folder is what lacks the right
            place = os.path.dirname(place) or place
        return f"{place}: permission denied: make it writable for you"
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    return None
