"""What is applied to a cluster: an overlay of deploy/k8s with a strategy, images and lineage."""

from __future__ import annotations

import json
import os
import re
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..registry import champion
from ..settings.config import InputError
from ..storage.files import write_text
from .cluster import ask, namespace, project
from .releases import Release, wanted

HOME = Path("deploy/k8s")
STRATEGIES = ("canary", "bluegreen", "shadow", "argo")
_ARGUMENT = "/spec/template/spec/containers/0/args/1"


def run(settings: dict[str, str]) -> None:
    """Print what `deploy` would apply: ENV, STRATEGY (none: at rest) or JOB, IMAGE, MODEL, WORK.

    OUT=file writes it there.
    """
    namespace(settings)
    env, strategy = settings["ENV"], settings.get("STRATEGY") or ""
    work = settings.get("WORK") or ""
    if settings.get("JOB"):
        text = render_job(env, settings["JOB"], work)
    else:
        release = wanted(settings)
        text = render(env, release, release, checked(strategy) if strategy else "", work)
    if settings.get("OUT"):
        write_text(Path(settings["OUT"]), text)
        print(f"manifests: {env} -> {settings['OUT']}")
    else:
        print(text, end="")


def checked(strategy: str) -> str:
    """`strategy`; raises InputError where there is no such one."""
    if strategy not in STRATEGIES:
        raise InputError(f"STRATEGY={strategy}: must be one of {', '.join(STRATEGIES)}")
    return strategy


def render(
    env: str,
    stable: Release,
    canary: Release | None = None,
    strategy: str = "",
    work: str = "",
) -> str:
    """YAML of everything in `env`: stable, and `canary` by `strategy` where one is tried.

    `work` is the image of jobs. The user's files are read in place and stay as they are. Raises
    InputError where kubectl cannot put them together, or an image would be without a digest.
    """
    name = project()
    tracks = {name: stable, f"{name}-canary": canary or stable}
    if strategy == "argo":  # one Deployment, and the controller decides which pods are stable
        tracks = {name: canary or stable}
    images = {track: release.image for track, release in tracks.items()}
    patches = [_lineage(*track, strategy) for track in tracks.items()]
    if strategy == "argo":
        place = f"/spec/metrics/0/provider/job{_ARGUMENT}"
        patches.append(_environment("AnalysisTemplate", place, env))
    return _built(
        env,
        resources=[HOME / "overlays" / env],
        components=[HOME / strategy] if strategy else [],
        images=images | ({f"{name}-work": work} if work else {}),
        patches=patches,
    )


def render_job(env: str, job: str, work: str) -> str:
    """YAML of one run of `job` with the image `work`; its name ends with the time, in seconds."""
    if not work:
        raise InputError("WORK is missing: `make image FOR=work`, push it, name it by digest")
    return _built(
        env,
        resources=[HOME / "jobs" / job],
        images={f"{project()}-work": work},
        patches=[_environment("Job", _ARGUMENT, env)] if job == "rollout" else [],
        nameSuffix=f"-{datetime.now(UTC):%Y%m%d%H%M%S}",
    )


def _environment(kind: str, path: str, env: str) -> dict[str, Any]:
    """The patch that tells a job in which environment it is."""
    patch = [{"op": "replace", "path": path, "value": f"ENV={env}"}]
    return {"patch": json.dumps(patch), "target": {"kind": kind}}


def _lineage(name: str, release: Release, strategy: str) -> dict[str, Any]:
    """The patch that writes the lineage of `release` on a Deployment and its pods.

    The Deployment of the canary also says by which strategy it is tried.
    """
    labels = {"model": release.model[:16]}
    described = {"labels": labels, "annotations": release.annotations}
    way = {"strategy": strategy} if name.endswith("-canary") and strategy else {}
    patch = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": labels, "annotations": release.annotations | way},
        "spec": {"template": {"metadata": described}},
    }
    return {"patch": json.dumps(patch), "target": {"kind": "Deployment", "name": f"^{name}$"}}


def _built(env: str, images: dict[str, str], **parts: Any) -> str:
    """What `kubectl kustomize` makes of it, in a folder that is gone afterwards."""
    named = [(name, *champion.by_digest(image)) for name, image in images.items()]
    kustomization = parts | {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": namespace({"ENV": env}),
        "images": [{"name": name, "newName": new, "digest": sha} for name, new, sha in named],
    }
    with tempfile.TemporaryDirectory(prefix="kustomize-") as name:
        folder = Path(name).resolve()
        for key in ("resources", "components"):
            paths = [path.resolve() for path in parts.get(key, [])]
            kustomization[key] = [os.path.relpath(path, folder) for path in paths]
        # JSON is YAML too, and a digest of digits stays text in it.
        write_text(folder / "kustomization.yaml", json.dumps(kustomization, indent=2))
        text = ask("kustomize", str(folder))
    for image in re.findall(r"^\s*(?:- )?image: (.+)$", text, re.MULTILINE):
        if not champion.BY_DIGEST.fullmatch(image.strip("'\"")):
            raise InputError(
                f"image {image} has no digest: name WORK=registry/name@sha256:..., or write it "
                f"into `images` of {HOME / 'overlays' / env / 'kustomization.yaml'}"
            )
    return text
