"""moved: what an update cannot merge: your edits of files that went elsewhere, and old imports.

Copier deletes a file that the template has no more, with every edit of it; git still knows them.
"""

from __future__ import annotations

import ast
import difflib
import hashlib
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from .. import __all__ as public
from .. import project
from ..model import lineage
from ..storage.files import write_text

TABLE = Path(__file__).with_name("moved.txt")  # tools/moved.py of the template writes it
PACKAGE = "the_package"  # in the table, for the name of the project's package
KEPT = Path("moved")
_NO_END = "\n\\ No newline at end of file\n"
_REMEDY = "bring over what you need (`git apply` may do it), then delete it"
_LINE = re.compile(r":\d+ \d+ (?P<old>\w+) (?P<new>\w+) \w\t(?P<path>.+)")
_HISTORY = ("log", "--topo-order", "--format=", "--no-renames", "--no-color", "--relative")


def run() -> bool:
    """Name old imports, write a diff of each edit that is found first; False where there is one.

    A diff that git has had is not written again: what was brought over is deleted.
    """
    places, digests = _table(project.handed().package)
    waiting = sorted(KEPT.rglob("*.diff"))
    todo = list(old_imports(places))
    for path, diff in edits(places, digests).items():
        kept = KEPT / f"{path}.diff"
        write_text(kept, diff)
        place = places[path]
        now = "the template keeps it to itself now" if place == "-" else f"it is now {place}"
        todo.append(
            f"{path}: you had edited it, and {now}: your lines are in {kept}: "
            f"commit that, {_REMEDY}"
        )
    for line in (*todo, *(f"{kept} waits: {_REMEDY}" for kept in waiting)):
        print(f"moved: {line}")
    return not todo


def _table(package: str) -> tuple[dict[str, str], dict[str, set[str]]]:
    """By old path: the new place, or "-", and the digests of the texts that releases had."""
    lines = (line.split() for line in TABLE.read_text(encoding="utf-8").splitlines())
    rows = [(old.replace(PACKAGE, package), now, set(known)) for old, now, *known in lines]
    return {old: now for old, now, _ in rows}, {old: known for old, _, known in rows}


def of_a_release(path: str, text: str) -> bool:
    """Whether a release had this text at `path`, where this one has no file: nobody edited it."""
    package = project.handed().package
    return digest(text, package) in _table(package)[1].get(path, ())


def digest(text: str, package: str) -> str:
    """SHA-256, shortened, of a text with the project's package by its name in the table.

    Only where it is imported, or named as "package.module": any word may be its name.
    """
    name = rf'(?m)(^\s*(?:from|import) (?={package}[.\s])|"(?={package}\.)){package}'
    plain = re.sub(name, rf"\g<1>{PACKAGE}", text)
    return hashlib.sha256(plain.encode()).hexdigest()[:16]


def edits(places: dict[str, str], digests: dict[str, set[str]]) -> dict[str, str]:
    """A diff from the release's text to yours for each gone file whose last text is no release's.

    Its header names the new place. Nothing without git, or where git has had that diff.
    """
    package = project.handed().package
    found = {}
    for path, blobs in _versions([path for path in places if not Path(path).exists()]).items():
        texts = (lineage.git("cat-file", "blob", blob) for blob in blobs)
        last = next(texts)
        if digest(last, package) not in digests[path]:
            base = next((text for text in texts if digest(text, package) in digests[path]), "")
            name = path if places[path] == "-" else places[path]
            lines = (base.splitlines(keepends=True), last.splitlines(keepends=True))
            diff = difflib.unified_diff(*lines, f"a/{name}", f"b/{name}")
            ended = (line if line.endswith("\n") else f"{line}{_NO_END}" for line in diff)
            found[path] = "".join(ended)
    return found


def _versions(paths: list[str]) -> dict[str, list[str]]:
    """Blobs of each path that git had and nobody was told of yet, newest first."""
    try:
        told = lineage.git(*_HISTORY, "--name-only", "--", str(KEPT)).split("\n")
        log = lineage.git(*_HISTORY, "--raw", "--no-abbrev", "--", *paths)
    except (OSError, subprocess.CalledProcessError):
        return {}  # no git, or no commit: nothing was ever edited that could be known
    found: dict[str, dict[str, None]] = {}
    for line in filter(None, map(_LINE.fullmatch, log.splitlines())):
        path = line["path"]
        if f"{KEPT.as_posix()}/{path}.diff" not in told and not (KEPT / f"{path}.diff").exists():
            blobs = (line[key] for key in ("new", "old"))
            found.setdefault(path, {}).update({blob: None for blob in blobs if blob.strip("0")})
    return {path: list(blobs) for path, blobs in found.items()}


def old_imports(places: dict[str, str]) -> Iterator[str]:
    """A line for each import of your code that names a module which the template has moved."""
    for path in sorted(path for top in ("src", "tests") for path in Path(top).rglob("*.py")):
        try:
            nodes = list(ast.walk(ast.parse(path.read_bytes())))
        except SyntaxError:
            continue  # such as a conflict that is left: ruff names it next
        for node in nodes:
            for module, name in _imported(path, node):
                place = next((places[old] for old in _files(module, name) if old in places), None)
                if place is not None:
                    yield f"{path}:{getattr(node, 'lineno', 0)}: {_remedy(place, module, name)}"


def _imported(path: Path, node: ast.AST) -> Iterator[tuple[Path, str]]:
    """The place that an import leads to, as a path without suffix, and the name that it takes."""
    if isinstance(node, ast.Import):
        yield from ((Path("src", *alias.name.split(".")), "") for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        home = path.parents[node.level - 1] if 0 < node.level < len(path.parents) else Path("src")
        module = home.joinpath(*(node.module or "").split("."))
        yield from ((module, alias.name) for alias in node.names)


def _files(module: Path, name: str) -> Iterator[str]:
    """Files that an import may mean and that are not there: name as a module, then the module."""
    for place in (module / name, module):
        files = (place.with_suffix(".py"), place / "__init__.py")
        if not any(file.exists() for file in files):
            yield from (file.as_posix() for file in files)


def _remedy(place: str, module: Path, name: str) -> str:
    old = ".".join(module.parts[1:])
    if place == "-":
        return f"{old} is no more: the template keeps it to itself"
    new = ".".join(Path(place).with_suffix("").parts[1:]).removesuffix(".__init__")
    if name in public:
        return f"{old} has moved: from ml_template import {name}"
    if not name:
        return f"{old} has moved: import {new}"
    if new.endswith(f".{name}") and module.name != name:
        return f"{old} has moved: from {new.removesuffix(f'.{name}')} import {name}"
    return f"{old} has moved: from {new} import {name}"
