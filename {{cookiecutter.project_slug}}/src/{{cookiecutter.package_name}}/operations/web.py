"""One POST to a web address that a person has set."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from ..config import InputError

SECONDS = 10


def post(variable: str, address: str, body: Any = None, **headers: str) -> None:
    """Send `body` as JSON to `address`, which `variable` names; raises InputError if refused.

    No address and no answer is printed: either may hold a secret.
    """
    if not address.startswith(("https://", "http://")):
        raise InputError(f"{variable} must start with https:// or http://")
    content = json.dumps(body).encode()
    kind = {"Content-Type": "application/json", **headers}
    request = urllib.request.Request(address, content, kind, method="POST")  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=SECONDS):  # noqa: S310 - checked above
            return
    except urllib.error.HTTPError as error:
        raise InputError(f"{variable}: the server answered {error.code}: check it") from None
    except OSError as error:
        reason = getattr(error, "reason", error)
        raise InputError(f"{variable}: the server cannot be reached: {reason}") from None


def github(path: str, body: Any) -> None:
    """POST to this repository's API, with the token of the run."""
    api = os.environ.get("GITHUB_API_URL", "https://api.github.com")
    address = f"{api}/repos/{os.environ['GITHUB_REPOSITORY']}/{path}"
    token = {"Authorization": f"Bearer {os.environ['GITHUB_TOKEN']}"}
    post("GITHUB_REPOSITORY", address, body, **token)
