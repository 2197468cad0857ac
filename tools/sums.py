"""Write SHA256SUMS of every room of the kit, and of its top: what a project's files are held to.

python tools/sums.py           write them
python tools/sums.py --check   exit 1, naming each that is not what would be written

`sha256sum --check SHA256SUMS` reads them too. A room has its own, so that one left out is no patch.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
KIT = ROOT / "{{cookiecutter.project_slug}}/vendor/ml_template"
NAME = "SHA256SUMS"


def held() -> list[Path]:
    """The files of the kit that git holds or would hold."""
    words = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", str(KIT)]
    listed = subprocess.run(words, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [ROOT / name for name in filter(None, listed.split("\0")) if (ROOT / name).is_file()]


def sums(kit: Path, files: Iterable[Path]) -> dict[Path, str]:
    """The text of every SHA256SUMS of `kit`, which holds `files`."""
    lines: dict[Path, list[str]] = {}
    for path in sorted(set(files)):
        parts = path.relative_to(kit).parts
        home = kit / parts[0] if len(parts) > 1 else kit
        if path != home / NAME:
            found = hashlib.sha256(path.read_bytes()).hexdigest()
            lines.setdefault(home, []).append(f"{found}  {path.relative_to(home).as_posix()}\n")
    return {home / NAME: "".join(found) for home, found in lines.items()}


def stale(kit: Path, files: Iterable[Path]) -> list[Path]:
    """Each SHA256SUMS that is not what it should be."""
    return [
        path
        for path, text in sums(kit, files).items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only compare")
    check = parser.parse_args().check
    found = stale(KIT, held())
    for path in found:
        if check:
            print(f"{path.relative_to(ROOT)} is not that of its room: `make sync`", file=sys.stderr)
        else:
            path.write_text(sums(KIT, held())[path], encoding="utf-8", newline="\n")
    return int(check and bool(found))


if __name__ == "__main__":
    sys.exit(main())
