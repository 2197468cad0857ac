"""secrets: look for secrets in all that git holds; what cannot be looked at has not passed."""

from __future__ import annotations

import codecs
import subprocess
import tempfile
from pathlib import Path

from .. import lineage
from ..config import InputError

BASELINE = ".secrets.baseline"
_MARKS = {  # a file that begins so is text in that encoding
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def run() -> bool:
    """Print each secret and say False where one is found.

    Raises InputError where git cannot say which files it holds, one of them cannot be read, or,
    in CI, where there is no git.
    """
    from detect_secrets.pre_commit_hook import main

    names = _held()
    if not names:
        said = "secrets: not looked for: git holds no file of this folder"
        if lineage.in_ci():
            raise InputError(f"{said}: check out the repository with its .git")
        print(f"{said} (git init, git add)")
        return True
    with tempfile.TemporaryDirectory() as folder:
        names += _as_utf8(names, Path(folder))
        return main(["--baseline", BASELINE, "--", *names]) == 0


def _held() -> list[str]:
    """Files of this folder in git's index; none where there is no git."""
    try:
        listed = lineage.git("ls-files", "-z", errors="surrogateescape")
    except (OSError, subprocess.SubprocessError) as error:
        here = Path.cwd()
        if not any((folder / ".git").exists() for folder in (here, *here.parents)):
            return []
        why = "git is not installed" if isinstance(error, FileNotFoundError) else str(error)
        said = " ".join((getattr(error, "stderr", None) or why).split())[:300]
        raise InputError(f"secrets: not looked for: git does not list the files: {said}") from None
    return list(dict.fromkeys(filter(None, listed.split("\0"))))


def _as_utf8(names: list[str], folder: Path) -> list[str]:
    """Read every file; copies in `folder` of texts that are no UTF-8, which would be passed over.

    Of a link and of another repository below this one git holds only the place.
    """
    copies: list[Path] = []
    for name in names:
        path = Path(name)
        if path.is_symlink() or path.is_dir():
            continue
        try:
            content = path.read_bytes()
        except OSError as error:
            raise InputError(
                f"secrets: not passed: git holds {name}, which cannot be read ({error.strerror}): "
                f"restore it, or take it out with `git rm --cached`"
            ) from None
        text = _other_text(content)
        if text:
            copies.append(folder / f"{len(copies)}-{path.name}")
            copies[-1].write_text(text, encoding="utf-8")
    return [str(copy) for copy in copies]


def _other_text(content: bytes) -> str:
    """The text of a file that is no UTF-8, empty for UTF-8 and for what is no text."""
    encoding = next((e for mark, e in _MARKS.items() if content.startswith(mark)), None)
    if encoding:
        return content.decode(encoding, errors="replace")
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return "" if b"\0" in content else content.decode("latin-1")
    return ""
