"""What tests need besides Python: where it is, or a skip that names the package to install."""

from __future__ import annotations

import os
import re
import shutil
from collections import Counter
from pathlib import Path
from typing import NoReturn

import pytest

ROOT = Path(__file__).resolve().parents[1]
UNPACKED = ROOT / "build/tools/usr/bin"  # by `make tools`
INSTALL = (ROOT / "tools/install.sh").read_text(encoding="utf-8")
PACKAGES = dict(re.findall(r"(?m)^([\w-]+): (\S+)$", INSTALL))  # program: what brings it


def missing(why: str) -> NoReturn:
    """Skip with the reason, or fail where everything must run."""
    if os.environ.get("NO_SKIPS"):
        pytest.fail(why)
    pytest.skip(why)


def needed(*programs: str) -> str:
    """Path of the first; where one of them is missing the test is skipped."""
    places = f"{os.environ['PATH']}{os.pathsep}{UNPACKED}{os.pathsep}/usr/sbin"
    found = {program: shutil.which(program, path=places) for program in programs}
    for program, path in found.items():
        if path is None:
            package = PACKAGES.get(program)
            which = f" or install {package} (Debian's name)" if package else ""
            missing(f"{program} is missing: run `make tools`{which}")
    return str(found[programs[0]])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was skipped stands at the end, once a reason, with what would have it run."""
    reports = terminalreporter.stats.get("skipped", [])
    reasons = Counter(report.longrepr[2].removeprefix("Skipped: ") for report in reports)
    for reason, count in reasons.most_common():
        terminalreporter.write_line(f"SKIPPED: {count} tests: {reason}")
