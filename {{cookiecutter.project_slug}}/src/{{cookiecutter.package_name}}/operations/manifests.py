"""What is applied to a cluster: an overlay of deploy/k8s with a strategy, images and lineage."""

from __future__ import annotations

import json
import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import champion
from ..config import InputError
from ..files import read_json, write_text
from .cluster import kubectl, namespace, project

HOME = Path("deploy/k8s")
STRATEGIES = ("canary", "bluegreen", "shadow")
SIGNED = Path("reports/image.json")  # of `make sign`: {image, model}
_BY_DIGEST = re.compile(r"([^\s@]+)@(sha256:[0-9a-f]{64})")


@dataclass(frozen=True)
class Release:
    """An image by digest, and what it serves: digest of model and verdict, commit of the code."""

    image: str
    model: str
    verdict: str
    revision: str

    @property
    def annotations(self) -> dict[str, str]:
        """What each of its pods says of itself."""
        return {
            "model-digest": self.model,
            "verdict": self.verdict,
            "revision": self.revision,
        }


def run(settings: dict[str, str]) -> None:
    """Print what `deploy` would apply: ENV, STRATEGY (none: at rest), IMAGE, MODEL, OUT=file."""
    namespace(settings)
    strategy, release = settings.get("STRATEGY") or "", wanted(settings)
    text = render(settings["ENV"], release, release, checked(strategy) if strategy else "")
    if settings.get("OUT"):
        write_text(Path(settings["OUT"]), text)
        print(f"manifests: {settings['ENV']} -> {settings['OUT']}")
    else:
        print(text, end="")


def checked(strategy: str) -> str:
    """`strategy`; raises InputError where there is no such one."""
    if strategy not in STRATEGIES:
        raise InputError(f"STRATEGY={strategy}: must be one of {', '.join(STRATEGIES)}")
    return strategy


def wanted(settings: dict[str, str]) -> Release:
    """The release that is asked for: IMAGE, else the last signed one, else the champion's.

    Raises InputError where no image is known, or where no record says which model it serves:
    MODEL=models/<first 16 of the digest> says it then.
    """
    signed = read_json(SIGNED, "run `make sign`") if SIGNED.exists() else {}
    records = [r for r in map(champion.read, (champion.CHALLENGER, champion.CHAMPION)) if r]
    records += reversed(champion.history())
    image = (
        settings.get("IMAGE")
        or signed.get("image")
        or next((record["image"] for record in records if record["image"]), None)
    )
    if image is None:
        raise InputError("no image is known: run `make sign`, or name IMAGE=name@sha256:...")
    by_digest(image)
    name = Path(settings.get("MODEL") or "").name
    if not name and image == signed.get("image"):
        name = signed["model"][:16]
    for record in records:
        if record["digest"][:16] == name or (not name and record["image"] == image):
            commit = record["commit"] or "none"
            return Release(image, record["digest"], record["verdict"], commit)
    which = f"model {name}" if name else f"the model of IMAGE={image}"
    raise InputError(
        f"{which} is neither challenger nor champion, nor was it: name MODEL=models/<16 hex>"
    )


def by_digest(image: str) -> tuple[str, str]:
    """Name and digest of `image`; raises InputError where it is named by a tag."""
    found = _BY_DIGEST.fullmatch(image)
    if found is None:
        raise InputError(f"IMAGE={image}: name it by digest: registry/name@sha256:... (64 hex)")
    return found[1], found[2]


def render(env: str, stable: Release, canary: Release | None = None, strategy: str = "") -> str:
    """YAML of everything in `env`: stable, and `canary` by `strategy` where one is tried.

    The user's files are read in place and stay as they are. Raises InputError where kubectl
    cannot put them together.
    """
    overlay = HOME / "overlays" / env
    components = [HOME / strategy] if strategy else []
    tracks = {"": stable, "-canary": canary or stable}
    return _built(
        {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "namespace": namespace({"ENV": env}),
            "resources": [overlay],
            "components": components,
            "images": [_image(project() + suffix, r.image) for suffix, r in tracks.items()],
            "patches": [_lineage(project() + suffix, r) for suffix, r in tracks.items()],
        }
    )


def _image(name: str, image: str) -> dict[str, str]:
    new, digest = by_digest(image)
    return {"name": name, "newName": new, "digest": digest}


def _lineage(name: str, release: Release) -> dict[str, Any]:
    """The patch that writes the lineage of `release` on a Deployment and its pods."""
    labels = {"model": release.model[:16]}
    described = {"labels": labels, "annotations": release.annotations}
    patch = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, **described},
        "spec": {"template": {"metadata": described}},
    }
    return {"patch": json.dumps(patch), "target": {"kind": "Deployment", "name": f"^{name}$"}}


def _built(kustomization: dict[str, Any]) -> str:
    """What `kubectl kustomize` makes of it, in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="kustomize-") as name:
        folder = Path(name).resolve()
        above = {
            key: [os.path.relpath(path.resolve(), folder) for path in kustomization[key]]
            for key in ("resources", "components")
        }
        # JSON is YAML too, and a digest of digits stays text in it.
        write_text(folder / "kustomization.yaml", json.dumps(kustomization | above, indent=2))
        return kubectl("kustomize", str(folder))
