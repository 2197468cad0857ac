"""image: the container image of the champion; the model goes in by its digest, and nothing else."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

from .. import artifact, champion
from ..config import InputError
from ..files import write_json
from ..places import IMAGE

PACKAGE = Path(__file__).parents[1].name
NAME = PACKAGE.replace("_", "-")


def image(settings: dict[str, str]) -> None:
    """TAG, PYTHON_IMAGE, MODEL=challenger or a folder, FOR=service or work (a stage).

    TAG is by default package:first 16 of the digest.

    With CI set the base is resolved to its digest first. Raises InputError without a model that
    verifies, without docker, without that digest, or when the build fails.
    """
    folder, digest, verdict, revision = _which(settings.get("MODEL") or "")
    artifact.load(folder, digest)
    engine = shutil.which("docker") or shutil.which("podman")
    if engine is None:
        raise InputError("image: neither docker nor podman is installed: install one")
    target = settings.get("FOR") or "service"
    if target == "service":
        IMAGE.unlink(missing_ok=True)
    name = NAME + ("" if target == "service" else f"-{target}")
    tag = settings.get("TAG") or f"{name}:{digest[:16]}"
    facts = {
        "PACKAGE": PACKAGE,
        "MODEL": folder.as_posix(),
        "MODEL_DIGEST": digest,
        "VERDICT": verdict,
        "REVISION": revision,
    }
    base = settings.get("PYTHON_IMAGE") or _default_base()
    facts["PYTHON_IMAGE"] = _resolved(engine, base) if "CI" in os.environ else base
    arguments = [f"--build-arg={name}={value}" for name, value in facts.items()]
    build = [engine, "build", "--target", target, "--tag", tag, *arguments, "."]
    if subprocess.run(build).returncode:
        raise InputError("image: the build failed: its message stands above")
    if target == "service":
        write_json(IMAGE, {"tag": tag, "model": digest})
    print(f"image: {tag} {'serves' if target == 'service' else 'holds'} model {digest[:16]}")


def _default_base() -> str:
    text = Path("Dockerfile").read_text(encoding="utf-8")
    found = re.search(r"^ARG PYTHON_IMAGE=(\S+)$", text, re.MULTILINE)
    if found is None:
        raise InputError("Dockerfile: ARG PYTHON_IMAGE=... is missing: name PYTHON_IMAGE=base")
    return found[1]


def _resolved(engine: str, base: str) -> str:
    """`base` by digest: what a registry says of its tag now; a tag may be another image later."""
    if "@sha256:" in base:
        return base
    if subprocess.run([engine, "pull", "--quiet", base]).returncode:
        raise InputError(f"image: {base} cannot be pulled: its message stands above")
    seen = subprocess.run([engine, "image", "inspect", base], stdout=subprocess.PIPE, check=True)
    digests = json.loads(seen.stdout)[0].get("RepoDigests") or []
    if not digests:
        raise InputError(f"image: {base} has no digest: name PYTHON_IMAGE=name@sha256:...")
    return str(digests[0])


def _which(folder: str) -> tuple[Path, str, str, str]:
    """Folder, digest, verdict and commit of the model to put into the image."""
    if folder not in ("", "challenger"):
        if Path(folder).is_absolute() or ".." in Path(folder).parts:
            raise InputError(f"MODEL={folder}: must be a folder below models/")
        return Path(folder), artifact.load(Path(folder)).digest, "", ""
    record = champion.read(champion.CHALLENGER if folder else champion.CHAMPION)
    if record is None:
        which = folder or "champion"
        raise InputError(f"image: there is no {which}: run `make run`, or name MODEL=models/...")
    champion.verify(record)
    return Path(record["model"]), record["digest"], record["verdict"], record["commit"] or ""
