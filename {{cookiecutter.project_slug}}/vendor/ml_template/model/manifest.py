"""model.json of a model folder: what the model is, by digest. Read before anything is parsed.

`identity` says all that makes the model what it is; its canonical digest is the model's name
everywhere, and it holds size and digest of every other file of the folder.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..settings.config import InputError
from ..storage.files import digest, digest_json, read_json
from ..storage.places import CANDIDATE

FORMAT = 1
FILE = "model.json"
TRAINING = "training.json"  # beside it: epochs of a net, and the device
MAX_BYTES = 1 << 30  # of one file
MAX_MANIFEST_BYTES = 16 << 20
_KEPT = "`make pull` fetches a kept model; the one judged last: run `make gate register`"


def read(folder: Path, expected: str | None = None) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The manifest, and the files by name, when size and digest of every one are right.

    With `expected`, only the model of that digest. Raises InputError naming the file.
    """
    path = folder / FILE
    if path.exists() and not path.is_file():
        raise InputError(f"{path} is no plain file: restore the folder or train again")
    if path.is_file() and path.stat().st_size > MAX_MANIFEST_BYTES:
        raise InputError(f"{path} is larger than {MAX_MANIFEST_BYTES:,} bytes: it is no manifest")
    manifest = read_json(path, "run `make train`" if folder == CANDIDATE else _KEPT)
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise InputError(f"{path} is not of format {FORMAT}: train again with this code")
    identity = manifest.get("identity")
    if not isinstance(identity, dict) or canonical(identity) != manifest.get("digest"):
        raise InputError(f"{path}: identity does not match its digest: it was changed")
    if expected is not None and manifest["digest"] != expected:
        raise InputError(
            f"{path}: this is model {manifest['digest'][:16]}, not {expected[:16]}: it was swapped"
        )
    try:
        return manifest, _files(folder, identity["files"])
    except (AttributeError, KeyError, TypeError) as error:
        raise InputError(f"{path} is no manifest of a model ({error!r}): train again") from None


def differences(made: Mapping[str, Any], asked: Mapping[str, Any]) -> dict[str, str]:
    """What a model of the identity `made` is of, where that is not what is `asked`, in words.

    Keys of the answer: target, task and, where these are classes, classes. `asked` is another
    identity, or {target, task, labels} of a configuration; what either lacks is not compared.
    """
    said = {"target": "target", "task": "task", "labels": "classes"}
    both = [key for key in said if key in made and key in asked]
    return {
        said[key]: f"{said[key]} {made[key]!r}, not {asked[key]!r}"
        for key in both
        if made[key] != asked[key]
    }


def named(text: str) -> Path:
    """The folder that MODEL= names; raises InputError where there is no model in it."""
    if not (Path(text) / FILE).exists():
        raise InputError(
            f"MODEL={text}: there is no model: name a folder that has {FILE}, such as "
            f"models/candidate (`make history` says which were champion), or leave MODEL out for "
            f"the champion"
        )
    return Path(text)


def _is_cached(link: Path) -> bool:
    """Whether a link leads into a cache of DVC (cache.type symlink), which names files by MD5."""
    kept = link.resolve()
    *_, files, kind, start, rest = ("", "", "", *kept.parts)
    return (files, kind) == ("files", "md5") and start + rest == digest(kept, "md5")


def canonical(content: dict[str, Any]) -> str:
    """SHA-256 of the canonical JSON of `content`; of nothing where that has a NaN."""
    try:
        return digest_json(content)
    except ValueError:
        return ""


def _files(folder: Path, files: dict[str, Any]) -> dict[str, bytes]:
    present = {path.name for path in folder.iterdir()} - {FILE}
    for name in sorted(present ^ set(files)):
        state = "is not part of the model" if name in present else "is missing"
        raise InputError(f"{folder / name} {state}: restore the folder or train again")
    content = {}
    for name, facts in files.items():
        path = folder / name
        if not path.is_file() or (path.is_symlink() and not _is_cached(path)):
            raise InputError(f"{path} is no plain file: restore the folder or train again")
        if path.stat().st_size != facts["bytes"] or path.stat().st_size > MAX_BYTES:
            raise InputError(f"{path} has {path.stat().st_size:,} bytes, not {facts['bytes']:,}")
        content[name] = path.read_bytes()
        if hashlib.sha256(content[name]).hexdigest() != facts["sha256"]:
            raise InputError(f"{path} does not match its digest: it was changed")
    return content
