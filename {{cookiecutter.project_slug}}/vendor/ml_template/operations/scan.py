"""scan: whether anything that goes into the image has a known vulnerability."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from ..outside import screen
from ..settings.config import InputError
from .contents import SECONDS

LOCKS = ("requirements/serve.txt", "requirements/extra.txt")
_OPTIONS = ("--strict", "--disable-pip", "--require-hashes", "--progress-spinner", "off")


def run() -> None:
    """Raises InputError for a known vulnerability in what the image holds, or without data.

    pip-audit says "none found" where it could not look a package up, unless it is strict.
    """
    for lock in LOCKS:
        if not Path(lock).exists():
            raise InputError(f"scan: {lock} is missing: restore it from git")
    locks = [word for lock in LOCKS for word in ("--requirement", lock)]
    command = [sys.executable, "-m", "pip_audit", *_OPTIONS, *locks, "--format", "json"]
    try:
        done = screen.output(command, SECONDS)
    except subprocess.TimeoutExpired:
        raise InputError(f"scan: not passed: no end within {SECONDS:.0f} s") from None
    found = json.loads(done.stdout)["dependencies"] if done.stdout.strip() else []
    for package in found:
        for fault in package.get("vulns", []):
            fixed = ", ".join(fault["fix_versions"]) or "no version"
            print(f"{package['name']} {package['version']}: {fault['id']}: fixed in {fixed}")
    if done.returncode or not found:
        raise InputError("scan: not passed: a known vulnerability, or no data on them (see above)")
    print(f"scan: no known vulnerability in {len(found)} packages")
