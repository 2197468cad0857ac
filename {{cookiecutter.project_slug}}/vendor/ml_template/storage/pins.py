"""What git pins (*.dvc, dvc.lock) is what is used: it is compared before anything reads it.

DVC itself takes a file of its cache for what it is called, and one it has seen for unchanged.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..settings.config import InputError
from ..settings.strict import read_yaml
from .files import digest

_FOLDER = ".dir"  # ends the name of a folder: the digest of the list of its files
_DIGEST = re.compile("[0-9a-f]{32}")
_NOT_OURS = (".dvc", ".git", ".venv")  # no pin of the project lies there
_HASH = "md5"  # what is pinned since DVC 3; before, line ends did not count


def check(path: Path) -> None:
    """Raise InputError where a .dvc file pins other bytes than the data file `path` holds."""
    for pin, out in _pins(path):
        tracked = _place(pin, out)
        wanted, found = str(out.get(_HASH)), _found(tracked, out.get("hash") == _HASH)
        if wanted not in found or out.get("size", _size(tracked)) != _size(tracked):
            raise InputError(
                f"{path} is not what {pin} pins (MD5 {found[0][:12]}, not {wanted[:12]}): remove "
                f"{tracked} and run `make pull`, or, where it was changed on purpose, run "
                f"`.venv/bin/dvc add {tracked}`"
            )


def _pins(path: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Each .dvc file that pins `path` or a folder above it, and what it says of that."""
    names = _names(path)
    for pin in sorted(_files_of_pins(path)):
        outs = read_yaml(pin).get("outs") or []
        if not isinstance(outs, list) or not all(isinstance(out, dict) for out in outs):
            raise InputError(f"{pin} is damaged: restore it from git")
        for out in outs:
            places = _names(_place(pin, out))[:2]
            if any(name.is_relative_to(place) for name in names for place in places):
                yield pin, out


def _files_of_pins(path: Path) -> set[Path]:
    """The .dvc files of the project, and of the folders that the data file `path` lies in."""
    found = {pin for folder in path.parents for pin in folder.glob("*.dvc")}
    for folder, below, names in os.walk("."):
        below[:] = [name for name in below if name not in _NOT_OURS]
        found.update(Path(folder, name) for name in names if name.endswith(".dvc"))
    return {Path(os.path.relpath(pin)) for pin in found if pin.is_file()}


def _names(path: Path) -> list[Path]:
    """What a file is called, without the links above it too, and what each link to it names."""
    names, real = [Path(os.path.abspath(path))], path.parent.resolve() / path.name
    while real not in names[1:]:
        names.append(real)
        if real.is_symlink():
            link = real.parent / real.readlink()
            real = link.parent.resolve() / link.name
    return names


def _place(pin: Path, out: dict[str, Any]) -> Path:
    if not isinstance(out.get("path"), str):
        raise InputError(f"{pin} names no path: restore it from git")
    return Path(os.path.normpath(pin.parent / out["path"]))


def _members(path: Path) -> list[Path]:
    """The files of a folder that DVC does not ignore, or the file itself."""
    if not path.is_dir():
        return [path]
    with redirect_stdout(sys.stdout), redirect_stderr(sys.stderr):  # as versioning does
        from dvc.fs import localfs
        from dvc.ignore import DvcIgnoreFilter
    ignored = DvcIgnoreFilter(localfs, str(Path.cwd()))
    return [Path(name) for name in ignored.find(localfs, str(path.absolute()))]


def _size(path: Path) -> int:
    return sum(each.stat().st_size for each in _members(path))


def _found(path: Path, exact: bool = True) -> list[str]:
    """What DVC calls the file or folder as it is now; not `exact`: or would have before DVC 3."""
    if path.is_dir():
        names = {each.relative_to(path.absolute()).as_posix(): each for each in _members(path)}
        files = [{_HASH: digest(names[name], _HASH), "relpath": name} for name in sorted(names)]
        return [_md5(json.dumps(files, sort_keys=True).encode()) + _FOLDER]
    alike = [] if exact else [_md5(path.read_bytes().replace(b"\r\n", b"\n"))]
    return [digest(path, _HASH), *alike]


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def distrust(cache: Any) -> None:
    """Have DVC read each file of its `cache` before it is used; what is not what it is called goes.

    DVC would look only at one that may be written: read-only stands for looked at.
    """
    seen = cache.check

    def check(name: str, *words: Any, **settings: Any) -> Any:
        kept = Path(cache.oid_to_path(name))
        if kept.is_file() and digest(kept, _HASH) != name.removesuffix(_FOLDER):
            kept.unlink()
        return seen(name, *words, **settings)

    cache.check = check


@dataclass(frozen=True)
class Pinned:
    """A file, or the list of a folder's files: `name` is its digest in git."""

    name: str
    exact: bool
    path: Path  # in the project
    kept: Path  # in the cache
    fs: Any
    place: str  # in the remote, which `fs` reads

    def is_kept(self) -> bool:
        """Whether the cache has it, and what it has is that."""
        return self.kept.is_file() and self.name in _found(self.kept, self.exact)

    def entries(self) -> list[dict[str, str]]:
        """The files of a folder by the list that is kept or, where none is, that of the remote.

        Raises InputError where the latter is not the pinned one, and for a name that leads
        elsewhere: whoever pinned the folder chose it.
        """
        if self.is_kept():
            found = self.kept.read_bytes()
        elif self.fs.exists(self.place):
            found = self.fs.cat_file(self.place)
        else:
            return []
        if _md5(found) != self.name:
            raise self.fault()
        entries = list(json.loads(found))
        for entry in entries:
            name = entry["relpath"]
            inside = "\\" not in name and not {"", ".", ".."}.intersection(name.split("/"))
            if not inside or not _DIGEST.fullmatch(entry[_HASH]):
                raise InputError(
                    f"pull: the list of {os.path.relpath(self.path)} that git pins leads elsewhere "
                    f"({entry}), and nothing is used: find out who pinned it, and pin the "
                    f"folder again as it should be"
                )
        return entries

    def fault(self) -> InputError:
        """What to say where the remote has something else in its place."""
        path = os.path.relpath(self.path)
        return InputError(
            f"pull: {path} in the remote is not what git pins (MD5 {self.name[:12]}), and is not "
            f"used: remove {self.place} there, `make push` where {path} is right, and pull again"
        )


class Store:
    """What a DVC repository pins."""

    def __init__(self, repository: Any) -> None:
        self.repository = repository
        self.outs = [out for out in repository.index.outs if out.use_cache and out.hash_info]
        self._remotes: dict[str | None, Any] = {}

    def clean(self) -> set[str]:
        """Take out of the cache what is not what it is called, and away what was made of it.

        Returns the places in a remote that is a folder of what the cache lacks: DVC removes there
        what is damaged, and says that it is missing. Raises InputError where a list of a folder's
        files is not the pinned one: DVC would go where it leads.
        """
        lacking = set()
        for pinned in self._pinned():
            if pinned.is_kept():
                continue
            if pinned.kept.is_file():
                if pinned.path.is_file() and digest(pinned.path) == digest(pinned.kept):
                    pinned.path.unlink()
                pinned.kept.unlink()
            if pinned.fs.protocol == "local" and pinned.fs.exists(pinned.place):
                lacking.add(pinned.place)
        return lacking

    def check(self, lacked: set[str]) -> None:
        """Raise InputError where the remote has, or had, something else under a pinned name.

        That is taken out of the cache again: once the remote is put right, a pull brings it.
        """
        wrong = []
        for pinned in self._pinned():
            if pinned.is_kept() or pinned.place.endswith(_FOLDER):
                continue
            if pinned.kept.is_file() or pinned.place in lacked or pinned.fs.exists(pinned.place):
                pinned.kept.unlink(missing_ok=True)
                wrong.append(pinned)
        if wrong:
            raise wrong[0].fault()

    def _pinned(self) -> Iterator[Pinned]:
        """Every pinned file; before those of a folder the list of them."""
        for out in self.outs:
            pinned = self._one(out, Path(out.fs_path), out.hash_info.value)
            yield pinned
            if pinned.place.endswith(_FOLDER):
                for entry in pinned.entries():
                    yield self._one(out, pinned.path / entry["relpath"], entry[_HASH])

    def _one(self, out: Any, path: Path, value: str) -> Pinned:
        if out.remote not in self._remotes:
            self._remotes[out.remote] = self.repository.cloud.get_remote(out.remote)
        remote, cache = self._remotes[out.remote], self.repository.cache
        exact = out.hash_info.name == _HASH
        there = remote.odb if exact else remote.legacy_odb
        here = (cache.local if exact else cache.legacy).oid_to_path(value)
        name = value.removesuffix(_FOLDER)
        return Pinned(name, exact, path, Path(here), there.fs, str(there.oid_to_path(value)))
