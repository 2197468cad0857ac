"""secrets: look for secrets in all that git holds; what cannot be looked at has not passed."""

from __future__ import annotations

import codecs
import json
import locale
import os
import re
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

from ..model import lineage
from ..settings.config import InputError
from . import moved

BASELINE = ".secrets.baseline"
NOTEBOOK = ".ipynb"
_MARKS = {  # a file that begins so is text in that encoding
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_LETTER = rb"[\t\r\n\x20-\x7e]"
_LETTERS = re.compile(rb"(?:%b\0){8,}|(?:\0%b){8,}|%b{8,}" % (_LETTER, _LETTER, _LETTER))
_LINK, _REPOSITORY = "120000", "160000"  # what git calls them: it holds only where they lead
# Put together here: no file holds them. A scanner that finds both has the rules that it needs.
_PLANTED = {
    "AWS Access Key": "key = 'AKIA" + "Q7XN3ZPL5VTW2RDK'",
    "Named value": "--token " + "q7Xv2" * 5,
}


def run() -> bool:
    """Print secrets and say False where one is found.

    Raises InputError where git cannot say which files it holds, one of them cannot be read, the
    scanner finds not even what is planted or, in CI, where there is no git.
    """
    from detect_secrets.pre_commit_hook import main

    held = _held()
    if not held:
        said = "secrets: not looked for: git holds no file of this folder"
        if lineage.in_ci():
            raise InputError(f"{said}: check out the repository with its .git")
        print(f"{said} (git init, git add)")
        return True
    read = {name: _read(name, mode) for name, mode in held.items()}
    contents = {name: content for name, content in read.items() if content is not None}
    whole = [name for name in contents if Path(name).exists() and not name.endswith(NOTEBOOK)]
    if main(["--baseline", BASELINE, "--", *whole]) != 0:
        return False
    return not _hidden(contents)


def _held() -> dict[str, str]:
    """Mode of each file of this folder in git's index; none where nothing was committed yet."""
    try:
        listed = lineage.git("ls-files", "--stage", "-z", errors="surrogateescape")
        if not listed and _committed():
            raise InputError(
                "secrets: not looked for: git's last commit holds this folder, its index nothing "
                "of it: `git reset`"
            )
    except (OSError, subprocess.SubprocessError) as error:
        here = Path.cwd()
        if not any((folder / ".git").exists() for folder in (here, *here.parents)):
            return {}
        why = "git is not installed" if isinstance(error, FileNotFoundError) else str(error)
        said = " ".join((getattr(error, "stderr", None) or why).split())[:300]
        raise InputError(f"secrets: not looked for: git does not list the files: {said}") from None
    entries = [entry.partition("\t") for entry in filter(None, listed.split("\0"))]
    named = [(os.fsdecode(n.encode("utf-8", "surrogateescape")), mode) for mode, _, n in entries]
    return {name: mode[:6] for name, mode in named}


def _committed() -> bool:
    """Whether git's last commit holds files of this folder."""
    try:
        lineage.git("rev-parse", "--verify", "HEAD")
    except subprocess.CalledProcessError:
        return False
    return bool(lineage.git("ls-tree", "--name-only", "HEAD"))


def _read(name: str, mode: str) -> bytes | None:
    """What git holds of `name`; raises InputError where it cannot be read.

    A file that is gone, as after an update that is not committed yet, git itself has. None of a
    link, a repository, and of what is the template's own words and gone.
    """
    if mode == _REPOSITORY or (mode == _LINK and Path(name).is_symlink()):
        return None
    try:
        if stat.S_ISREG(Path(name).lstat().st_mode):
            found = Path(name).read_bytes()
            return _stripped(name, found) if name.endswith(NOTEBOOK) else found
        why = "it is no file any more"
    except FileNotFoundError as error:
        try:
            held = lineage.git("cat-file", "blob", f":./{name}", errors="surrogateescape")
            known = moved.of_a_release(name, held)
            return None if known else held.encode("utf-8", "surrogateescape")
        except subprocess.SubprocessError:
            why = str(error.strerror)
    except OSError as error:
        why = str(error.strerror)
    raise InputError(
        f"secrets: not passed: git holds {name}, which cannot be read ({why}): "
        f"restore it, or take it out with `git rm --cached`"
    )


def _stripped(name: str, notebook: bytes) -> bytes:
    """What git holds of a notebook, and what it would take: without outputs where it strips them.

    Pictures among outputs look like secrets, and stay on this machine (see notebook.py).
    """
    held = lineage.git("cat-file", "blob", f":./{name}", errors="surrogateescape")
    try:
        lineage.git("config", "--get", "filter.nbstripout.clean")
        strip = [sys.executable, "-m", "nbstripout"]
        notebook = subprocess.run(strip, input=notebook, capture_output=True, check=True).stdout
    except subprocess.SubprocessError:
        pass  # git takes it as it is, or refuses what is no notebook: then all of it is looked at
    return held.encode("utf-8", "surrogateescape") + b"\n" + notebook


def _hidden(contents: dict[str, bytes]) -> bool:
    """Print, and say whether there are, secrets that are seen only in copies of the files.

    The scanner passes over a file by its name or encoding, and over comments of what it can parse.
    Raises InputError where it does not find what is planted beside them.
    """
    from detect_secrets.core import baseline
    from detect_secrets.core.secrets_collection import SecretsCollection
    from detect_secrets.pre_commit_hook import pretty_print_diagnostics

    known = baseline.load(json.loads(Path(BASELINE).read_bytes()), BASELINE)
    found = SecretsCollection()
    with tempfile.TemporaryDirectory() as folder:
        planted = Path(folder, "planted.txt")
        planted.write_text("\n".join(_PLANTED.values()), encoding="utf-8")
        found.scan_file(str(planted))
        if not {*_PLANTED} <= {secret.type for secret in found.data.pop(str(planted), ())}:
            raise InputError(
                f"secrets: not passed: the scanner does not find what is planted: restore "
                f"{BASELINE} and requirements/secret_words.py from git"
            )
        for name, content in contents.items():
            for copy in _copies(name, content, Path(folder)):
                found.scan_file(str(copy))
                for secret in found.data.pop(str(copy), ()):
                    secret.filename, secret.line_number = name, secret.line_number - 1
                    found[name].add(secret)
    new = found - known
    if new:
        pretty_print_diagnostics(new)
    return bool(new)


def _copies(name: str, content: bytes, folder: Path) -> list[Path]:
    """Copies in ASCII of what the scanner does not read line by line; none of what it does.

    A line before the text, and a name of no kind, keep it from being parsed; where Python does not
    read the letters, a second copy is of the kind of the file.
    """
    text, as_it_is = _text(content)
    as_it_is = as_it_is and Path(name).exists() and not name.endswith(NOTEBOOK)
    if as_it_is and not _passed_over(name):
        return []
    copies = [folder / "copy.txt", *([] if as_it_is else [folder / f"copy{Path(name).suffix}"])]
    for copy in copies:
        copy.write_text(f"copy\n{text}", encoding="ascii", errors="replace")
    return copies


def _passed_over(name: str) -> bool:
    """Whether the scanner leaves a text alone for its name, or looks only at what it parses."""
    from detect_secrets.filters.heuristic import is_non_text_file, is_swagger_file
    from detect_secrets.transformers import get_transformed_file

    if is_non_text_file(name) or is_swagger_file(name):
        return True
    with Path(name).open(encoding="utf-8") as file:
        return bool(get_transformed_file(file))


def _text(content: bytes) -> tuple[str, bool]:
    """The text of a file or, of what is none, the letters in it, and whether Python reads it so."""
    encoding = next((e for mark, e in _MARKS.items() if content.startswith(mark)), None)
    if encoding:
        return content.decode(encoding, errors="replace"), False
    if b"\0" in content:
        letters = [found.replace(b"\0", b"") for found in _LETTERS.findall(content)]
        return b"\n".join(letters).decode("ascii"), False
    try:
        return content.decode("utf-8"), content.isascii() or locale.getencoding() == "UTF-8"
    except UnicodeDecodeError:
        return content.decode("latin-1"), False
