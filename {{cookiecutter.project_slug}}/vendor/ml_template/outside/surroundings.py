"""What libraries take for granted: a user has a name and a home, and a machine can ask itself.

Containers run as users without either; behind a proxy even this machine would be asked through it.
"""

from __future__ import annotations

import getpass
import os
import socket
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

# As libraries know it: urllib compares what stands in an address, letter by letter.
HERE = (
    *("localhost", "localhost.", "127.0.0.1", "127.1", "127.0.0.0/8", "::1", "[::1]", "[::]"),
    "0.0.0.0",  # noqa: S104 - never listened on
)
_NAMES = {"localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback"}
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
            known += [name for name in (*HERE, own_name()) if name and name not in known]
        os.environ["no_proxy"] = os.environ["NO_PROXY"] = ",".join(known)


def is_here(host: str) -> bool:
    """Whether a host, as `urlsplit` names it, is this machine: its name, or an address of it."""
    address = _address(host.strip("[]").partition("%")[0])
    if address is None:
        name = host.lower().rstrip(".")
        return name in _NAMES | {own_name()} - {""} or name.endswith(".localhost")
    address = getattr(address, "ipv4_mapped", None) or address
    return address.is_loopback or address.is_unspecified or _is_own(address)


def own_name() -> str:
    """The name of this machine, in small letters."""
    return socket.gethostname().lower().rstrip(".")


def _address(host: str) -> IPv4Address | IPv6Address | None:
    """The address that `host` is, in any of the forms that a connection takes, such as 127.1."""
    with suppress(ValueError):
        return ip_address(host)
    with suppress(OSError, ValueError):
        return IPv4Address(socket.inet_aton(host))
    return None


def _is_own(address: IPv4Address | IPv6Address) -> bool:
    """Whether an interface of this machine has that address: none else can be listened on."""
    kind = socket.AF_INET if address.version == 4 else socket.AF_INET6
    with suppress(OSError), socket.socket(kind) as probe:
        probe.bind((str(address), 0))
        return not address.is_multicast
    return False
