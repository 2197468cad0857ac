"""Checkov, a second opinion of manifests, in an environment of its own."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import bake
import yaml

LOCK = bake.ROOT / "requirements/checkov.txt"
# What is meant so: an image by its digest is never another one, so that no pull is needed to see
# it; jobs get what they log in with as S3, MLflow and webhooks have it, in the environment.
LEFT_OUT = "CKV_K8S_15,CKV_K8S_35"
CALLS_THE_CLUSTER = "example-credit-model-rollout"  # with the token of its service account
TOKEN = "Ensure that Service Account Tokens are only mounted where necessary"


def install(folder: Path) -> Path:
    """Checkov from the lock; the program that runs it."""
    subprocess.run(["uv", "venv", "--quiet", folder], check=True)
    sync = ("uv", "pip", "sync", "--quiet", "--require-hashes", "--python")
    subprocess.run([*sync, folder / "bin/python", LOCK], check=True)
    return folder / "bin/checkov"


def faults(program: Path, folder: Path, bundles: dict[str, list[dict[str, Any]]]) -> list[str]:
    """What it says against objects: "bundle: object: what should be". It asks nobody."""
    for name, objects in bundles.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump_all(objects), encoding="utf-8")
    words = ["--framework", "kubernetes", "--skip-download", "--skip-check", LEFT_OUT]
    words += ["--output", "json", "--quiet"]
    done = bake.run(program, "--directory", folder, *words, cwd=folder)
    found = json.loads(done.stdout)
    assert found["summary"]["parsing_errors"] == 0, done.stderr
    assert found["summary"]["passed"] > len(bundles), done.stdout
    failed = found["results"]["failed_checks"]
    return [
        f"{Path(check['file_path']).stem}: {check['resource']}: {check['check_name']}"
        for check in failed
        if not (check["check_name"] == TOKEN and CALLS_THE_CLUSTER in check["resource"])
    ]
