"""Write the table of files that earlier releases had and this tree has no more, for `make check`.

python tools/moved.py           write it
python tools/moved.py --check   exit 1 where it is not what would be written

A line: the old path, its new place or "-", and the digest of each text that a release had there.
"""

from __future__ import annotations

import argparse
import difflib
import re
import subprocess
import sys
from pathlib import Path

import jinja2

ROOT = Path(__file__).resolve().parents[1]
TREE = "{{cookiecutter.project_slug}}"
PACKAGE = "{{cookiecutter.package_name}}"
sys.path.insert(0, str(ROOT / TREE / "vendor"))

from ml_template.operations import moved  # noqa: E402

LISTED = ("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", TREE)
NAMED = "{{ cookiecutter.package_name }}"  # in a text; in a path it is PACKAGE
JINJA = jinja2.Environment(keep_trailing_newline=True, undefined=jinja2.StrictUndefined)
RAW = re.compile(r"{%-? raw -?%}")
ALIKE = 0.4  # share of the text that a file of another name must have in common


def git(*words: str) -> str:
    return subprocess.run(
        ["git", *words], cwd=ROOT, check=True, capture_output=True, encoding="utf-8"
    ).stdout


def held(commit: str) -> dict[str, str]:
    """Blob of each file of the tree in a commit, by its path in a project."""
    listed = git("ls-tree", "-r", "-z", "--full-tree", commit, "--", TREE).split("\0")
    entries = (entry.split("\t") for entry in filter(None, listed))
    return {path.removeprefix(f"{TREE}/"): what.split()[2] for what, path in entries}


def table() -> str:
    """The table, oldest release first in each line; raises ValueError where no release is known."""
    log = git("log", "--reverse", "--format=%H %s").splitlines()
    releases = [line.split()[0] for line in log if re.fullmatch(r"\w+ Release v[\d.]+", line)]
    if not releases:
        raise ValueError("git knows no release: fetch the whole history")
    here = {path.removeprefix(f"{TREE}/") for path in git(*LISTED).split("\0")}
    here = {path for path in here if (ROOT / TREE / path).is_file()}
    texts: dict[str, list[str]] = {}
    for blobs in map(held, releases):
        for path in sorted(blobs.keys() - here):
            text = git("cat-file", "blob", blobs[path]).replace(NAMED, moved.PACKAGE)
            if RAW.search(text):  # nothing else of the engines stands in such a file
                text = JINJA.from_string(text).render()
            texts.setdefault(path, []).append(text)
    lines = []
    for path, versions in sorted(texts.items()):
        digests = dict.fromkeys(moved.digest(text, moved.PACKAGE) for text in versions)
        old = path.replace(PACKAGE, moved.PACKAGE)
        lines.append(" ".join([old, place(path, versions[-1], here), *digests]))
    return "\n".join([*lines, ""])


def place(path: str, text: str, here: set[str]) -> str:
    """Where a file went: of those of its name the likest, else of all if it is alike; or "-"."""
    if not path.startswith("src/"):
        return "-"  # the kit's tests stay with the template
    old = Path(path)
    kit = [name for name in here if name.startswith("vendor/") and name.endswith(old.suffix)]
    named = [name for name in kit if Path(name).name == old.name]
    scores = sorted((alike(text, ROOT / TREE / name), name) for name in named or kit)
    score, found = scores[-1]
    return found if named or score > ALIKE else "-"


def alike(text: str, path: Path) -> float:
    other = path.read_text(encoding="utf-8").splitlines()
    return difflib.SequenceMatcher(None, text.splitlines(), other, autojunk=False).ratio()


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only compare")
    check = parser.parse_args().check
    text = table()
    stale = not moved.TABLE.is_file() or moved.TABLE.read_text(encoding="utf-8") != text
    if check and stale:
        print(f"{moved.TABLE.name} is not that of the releases: `make sync`", file=sys.stderr)
    elif stale:
        moved.TABLE.write_text(text, encoding="utf-8", newline="\n")
    return int(check and stale)


if __name__ == "__main__":
    sys.exit(main())
