"""One request to a web address that a person has set.

Addresses, and headers, may hold a secret: neither is told, nor sent on to where a redirect points.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import urllib.error
import urllib.request
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

from .surroundings import is_here

SECONDS = 10.0  # from the connection to the head of the answer
HTTPS = "it must be an https:// address (http:// on this machine only)"
LOGIN = "it must be an address without user and password"


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect is the answer: whoever it points to is not who the secret is for."""

    def redirect_request(self, *_: Any) -> None:
        return None


def opener(address: str, *handlers: Any) -> urllib.request.OpenerDirector:
    """What asks at `address`: this machine is never asked through a proxy, others as it is set."""
    if is_here(urlsplit(address).hostname or ""):
        handlers = (urllib.request.ProxyHandler({}), *handlers)
    return urllib.request.build_opener(*handlers)


def post(address: str, body: Any, **headers: str) -> str:
    """Send `body` as JSON; why the server did not take it, empty when it did."""
    if fault := _unfit(address):
        return fault
    content, kind = json.dumps(body).encode(), {"Content-Type": "application/json"}
    return send("POST", address, content, kind | headers)


def _unfit(address: str) -> str:
    """Why no secret can be sent to `address`, empty where it can be."""
    if fault := unusable(address):
        return fault
    parts = urlsplit(address)
    local = parts.scheme == "http" and is_here(parts.hostname or "")
    return "" if parts.scheme == "https" or local else HTTPS


def unusable(address: str) -> str:
    """Why nothing can be sent to `address`, empty where it can be."""
    try:
        parts = urlsplit(address)
        known = bool(parts.hostname) and parts.port != 0
    except ValueError:
        known = False
    if any(not " " < letter < "\x7f" for letter in address):
        return "it holds a space or a letter that an address cannot hold"
    if not known:
        return HTTPS
    return LOGIN if "@" in parts.netloc else ""


def send(method: str, address: str, content: bytes, headers: dict[str, str]) -> str:
    """Why the server did not take `content` within SECONDS, empty when it did."""
    said: list[str] = []
    request = urllib.request.Request(address, content, headers, method=method)  # noqa: S310
    # the time of a socket begins anew with every byte: a server that drips would hold us for ever
    asked = threading.Thread(target=lambda: said.append(_answer(request)), daemon=True)
    asked.start()
    asked.join(SECONDS)
    return said[0] if said else "TimeoutError"


def read(address: str, body: bytes | None = None) -> bytes | None:
    """What is answered at `address`, to the JSON `body` where there is one, within SECONDS.

    None where nothing is, or an error.
    """
    got: list[bytes] = []
    kind = {} if body is None else {"Content-Type": "application/json"}
    request = urllib.request.Request(address, body, kind)  # noqa: S310 - who calls names it

    def ask() -> None:
        with (
            contextlib.suppress(OSError, ValueError, HTTPException),
            opener(address).open(request, timeout=SECONDS) as answer,
        ):
            got.append(answer.read())

    asked = threading.Thread(target=ask, daemon=True)
    asked.start()
    asked.join(SECONDS)
    return got[0] if got else None


def _answer(request: urllib.request.Request) -> str:
    try:
        with opener(request.full_url, _NoRedirect).open(request, timeout=SECONDS):
            return ""
    except urllib.error.HTTPError as error:
        error.close()
        moved = " (redirects are not followed)" if 300 <= error.code < 400 else ""
        return f"status {error.code}{moved}"
    except (OSError, ValueError, HTTPException) as error:  # its text may hold the address
        inner = getattr(error, "reason", None)
        return type(inner if isinstance(inner, Exception) else error).__name__


def github(path: str, body: Any) -> str:
    """POST to the API of GITHUB_REPOSITORY with GITHUB_TOKEN; why it was not taken."""
    return post(_api(path), body, Authorization=f"Bearer {os.environ['GITHUB_TOKEN']}")


def ask_github(path: str) -> Any:
    """What the API of GITHUB_REPOSITORY answers GITHUB_TOKEN; raises OSError, ValueError or, for no
    HTTP, HTTPException.
    """
    address, proof = _api(path), {"Authorization": f"Bearer {os.environ['GITHUB_TOKEN']}"}
    if fault := _unfit(address):
        raise ValueError(fault)
    request = urllib.request.Request(address, headers=proof)  # noqa: S310
    with opener(address, _NoRedirect).open(request, timeout=SECONDS) as answer:
        return json.loads(answer.read())


def _api(path: str) -> str:
    api = os.environ.get("GITHUB_API_URL") or "https://api.github.com"
    return f"{api}/repos/{os.environ['GITHUB_REPOSITORY']}/{path}"
