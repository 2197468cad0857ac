"""image: the container image of the champion; the model goes in by its digest, and nothing else.

FOR=work: the image of jobs in the cluster, with the project and what it knows of its models.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

from .. import project
from ..model import artifact, lineage, manifest
from ..registry import champion
from ..settings.config import InputError
from ..storage.files import write_json
from ..storage.places import IMAGE
from . import contents

BASES = {"service": ("PYTHON_IMAGE",), "work": ("PYTHON_IMAGE", "KUBECTL_IMAGE")}


def run(settings: dict[str, str]) -> None:
    """TAG, PYTHON_IMAGE, KUBECTL_IMAGE, MODEL=challenger or a folder, FOR=service or work.

    FOR is the stage that is built; TAG is by default package:first 16 of the digest. With CI set
    the bases are resolved to their digests first. Raises InputError without a model that verifies
    (jobs may train the first one), without docker, without such a digest, or when the build fails.
    """
    target = settings.get("FOR", "service")
    folder, digest, verdict, revision = _which(settings.get("MODEL") or "", target)
    if digest:
        artifact.load(folder, digest)
    engine = shutil.which("docker") or shutil.which("podman")
    if engine is None:
        raise InputError("image: neither docker nor podman is installed: install one")
    serves = target == "service"
    if serves:
        IMAGE.unlink(missing_ok=True)
    else:  # the commit of the code in this folder, where git has all of it
        here = lineage.commit()
        revision = "" if here["uncommitted"] else here["commit"] or ""
    name = image_name() if serves else f"{image_name()}-{target}"
    tag = settings.get("TAG") or f"{name}:{digest[:16] or 'first'}"
    facts = {
        "PACKAGE": project.handed().package,
        "MODEL": folder.as_posix(),
        "MODEL_DIGEST": digest,
        "VERDICT": verdict,
        "REVISION": revision,
    }
    for key in BASES[target]:
        base = settings.get(key) or _default_base(key)
        facts[key] = _resolved(engine, base) if "CI" in os.environ else base
    arguments = [f"--build-arg={name}={value}" for name, value in facts.items()]
    build = [engine, "build", "--target", target, "--tag", tag, *arguments, "."]
    if not contents.shown(*build):
        raise InputError("image: the build failed: its message stands above")
    if serves:
        write_json(IMAGE, {"tag": tag, "model": digest})
    verb = "serves" if serves else "holds"
    print(f"image: {tag} {verb} {f'model {digest[:16]}' if digest else 'no model yet'}")


def image_name() -> str:
    """What the image of the service is called."""
    return project.handed().package.replace("_", "-")


def _default_base(key: str) -> str:
    text = Path("Dockerfile").read_text(encoding="utf-8")
    found = re.search(rf"^ARG {key}=(\S+)$", text, re.MULTILINE)
    if found is None:
        raise InputError(f"Dockerfile: ARG {key}=... is missing: name {key}=base")
    return found[1]


def _resolved(engine: str, base: str) -> str:
    """`base` by digest: what a registry says of its tag now; a tag may be another image later."""
    if "@sha256:" in base:
        return base
    if not contents.shown(engine, "pull", "--quiet", base):
        raise InputError(f"image: {base} cannot be pulled: its message stands above")
    (seen,) = json.loads(contents.engine(engine, "image", "inspect", base))
    digests = seen.get("RepoDigests") or []
    if not digests:
        raise InputError(f"image: {base} has no digest: name one that has: name@sha256:...")
    return str(digests[0])


def _which(folder: str, target: str) -> tuple[Path, str, str, str]:
    """Folder, digest, verdict and commit of the model to put into the image.

    All are empty where jobs may train the first one.
    """
    if folder not in ("", "challenger"):
        if Path(folder).is_absolute() or ".." in Path(folder).parts:
            raise InputError(f"MODEL={folder}: must be a folder below models/")
        return Path(folder), artifact.load(manifest.named(folder)).digest, "", ""
    record = champion.read(champion.CHALLENGER if folder else champion.CHAMPION)
    if record is None and (target == "service" or folder):
        which = folder or "champion"
        raise InputError(f"image: there is no {which}: run `make run`, or name MODEL=models/...")
    if record is None:
        return Path(), "", "", ""
    if target == "service":
        champion.judged(record["digest"])
    champion.verify(record)
    return Path(record["model"]), record["digest"], record["verdict"], record["commit"] or ""
