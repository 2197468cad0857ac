"""One POST to a web address that a person has set. Addresses may hold a secret: none is told."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlsplit

SECONDS = 5.0
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}


def post(address: str, body: Any, **headers: str) -> str:
    """Send `body` as JSON; why the server did not take it, empty when it did."""
    parts = urlsplit(address)
    if parts.scheme != "https" and (parts.scheme, parts.hostname in _LOOPBACK) != ("http", True):
        return "it must be an https:// address (http:// on this machine only)"
    content, kind = json.dumps(body).encode(), {"Content-Type": "application/json"}
    request = urllib.request.Request(address, content, kind | headers)  # noqa: S310 - see above
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:  # noqa: S310
            return "" if answer.status < 300 else f"status {answer.status}"
    except urllib.error.HTTPError as error:
        return f"status {error.code}"
    except (OSError, ValueError) as error:
        return type(getattr(error, "reason", error)).__name__


def github(path: str, body: Any) -> str:
    """POST to the API of GITHUB_REPOSITORY with GITHUB_TOKEN; why it was not taken."""
    api = os.environ.get("GITHUB_API_URL") or "https://api.github.com"
    address = f"{api}/repos/{os.environ['GITHUB_REPOSITORY']}/{path}"
    return post(address, body, Authorization=f"Bearer {os.environ['GITHUB_TOKEN']}")
