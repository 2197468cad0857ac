"""What libraries take for granted: a user has a name and a home, and a machine can ask itself.

Containers run as users without either; behind a proxy even this machine would be asked through it.
"""

from __future__ import annotations

import getpass
import os
from ipaddress import ip_address
from pathlib import Path

HERE = ("localhost", "127.0.0.1", "::1", "0.0.0.0", "127.0.0.0/8")  # noqa: S104 - never listened on
_BEYOND = ("http_proxy", "https_proxy", "all_proxy")


def settle() -> None:
    """Give this process, and those it starts, what its surroundings lack; what they have stays."""
    try:
        getpass.getuser()
    except (KeyError, OSError):
        os.environ["LOGNAME"] = f"user-{os.getuid()}"
    home = os.path.expanduser("~")
    needed = os.R_OK | os.X_OK | (os.W_OK if home == "/" else 0)
    if not os.path.isdir(home) or not os.access(home, needed):
        os.environ["HOME"] = str(Path(".dvc/tmp/home").absolute())  # ours alone, unlike /tmp
    if any(os.environ.get(name) or os.environ.get(name.upper()) for name in _BEYOND):
        given = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
        known = [name.strip() for name in given.split(",") if name.strip()]
        if "*" not in known:
            known += [name for name in HERE if name not in known]
        os.environ["no_proxy"] = os.environ["NO_PROXY"] = ",".join(known)


def is_here(host: str) -> bool:
    """Whether a host, as `urlsplit` names it, is this machine."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return host.rstrip(".") == "localhost" or host.rstrip(".").endswith(".localhost")
    address = getattr(address, "ipv4_mapped", None) or address
    return address.is_loopback or address.is_unspecified
