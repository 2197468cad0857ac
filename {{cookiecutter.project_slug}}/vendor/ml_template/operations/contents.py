"""What is inside a built image: its model, file by file, and its packages as a CycloneDX list."""

from __future__ import annotations

import json
import subprocess
import tempfile
import uuid
from pathlib import Path
from typing import Any

from ..model import manifest
from ..outside import screen
from ..registry.champion import Record
from ..settings.config import InputError

# Read in the image, where its packages are; nothing of it reaches a network or is written.
LISTING = """
import json, platform
from importlib.metadata import distributions
from pathlib import Path
status = Path("/var/lib/dpkg/status")
print(json.dumps({
    "python": platform.python_version(),
    "packages": sorted({(found.name, found.version) for found in distributions()}),
    "release": Path("/etc/os-release").read_text("utf-8"),
    "system": status.read_text("utf-8") if status.exists() else "",
}))
"""
SECONDS = 3600.0  # for what an engine, a registry or a key service is asked
CLOSED = ("--rm", "--network", "none", "--read-only", "--cap-drop", "ALL")


def engine(*command: str, says: str = "", environment: dict[str, str] | None = None) -> str:
    """What a program prints; raises InputError with the end of its message where it fails.

    One that takes longer than SECONDS fails too.
    """
    words = f"{Path(command[0]).name} {command[1]}"
    try:
        done = subprocess.run(
            command,
            input=says,
            capture_output=True,
            encoding="utf-8",
            errors="backslashreplace",
            env=environment,
            timeout=SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise InputError(f"{words} did not end within {SECONDS:.0f} s") from None
    if done.returncode:
        raise InputError(f"{words} failed: {' '.join(done.stderr.split())[-300:]}")
    return done.stdout


def shown(*command: str) -> bool:
    """Whether a program whose output people see ended well; raises InputError after SECONDS."""
    try:
        return screen.run(command, SECONDS) == 0
    except subprocess.TimeoutExpired:
        words = f"{Path(command[0]).name} {command[1]}"
        raise InputError(f"{words} did not end within {SECONDS:.0f} s") from None


def check(docker: str, tag: str, record: Record) -> str:
    """The id of the image `tag`, when its labels and every file of its model are of `record`.

    The files are copied out and judged here: no code of the image says what is in it.
    """
    facts = json.loads(engine(docker, "image", "inspect", tag))[0]
    labels = facts["Config"].get("Labels") or {}
    for label, key in (("model.digest", "digest"), ("model.verdict", "verdict")):
        if labels.get(label) != record[key]:
            raise InputError(
                f"{tag}: label {label} is {(labels.get(label) or 'missing')[:16]}, not "
                f"{record[key][:16]}: run `make image` again"
            )
    container = engine(docker, "create", "--network", "none", facts["Id"]).strip()
    try:
        with tempfile.TemporaryDirectory() as folder:
            engine(docker, "cp", f"{container}:/model", folder)
            manifest.read(Path(folder) / "model", record["digest"])
    except InputError as error:
        raise InputError(f"{tag}: not the model that passed the gate: {error}") from None
    finally:
        engine(docker, "rm", container)
    return str(facts["Id"])


def bill(docker: str, image: str, name: str, record: Record) -> Record:
    """The CycloneDX 1.6 list of what `image` (name@sha256:...) is made of; the same each time."""
    python = ("--entrypoint", "/venv/bin/python", image, "-I", "-c", LISTING)
    found = json.loads(engine(docker, "run", *CLOSED, *python))
    whole = {"type": "container", "name": name, "version": image.rpartition("@")[2]}
    model = {
        "type": "machine-learning-model",
        "name": name,
        "version": record["digest"][:16],
        "hashes": [{"alg": "SHA-256", "content": record["digest"]}],
    }
    python_itself = _part("application", "python", found["python"], "generic/python")
    packages = [
        _part("library", package, version, f"pypi/{_plain(package)}")
        for package, version in found["packages"]
    ]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, image)}",
        "version": 1,
        "metadata": {"component": whole},
        "components": [
            model,
            python_itself,
            *packages,
            *_system(found["release"], found["system"]),
        ],
    }


def _part(kind: str, name: str, version: str, place: str) -> dict[str, Any]:
    purl = f"pkg:{place}@{version.replace('+', '%2B').replace(':', '%3A')}"
    return {"type": kind, "name": name, "version": version, "purl": purl, "bom-ref": purl}


def _plain(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


def _system(release: str, status: str) -> list[dict[str, Any]]:
    """Packages of a Debian-like base, from the text of its dpkg status."""
    facts = dict(line.split("=", 1) for line in release.splitlines() if "=" in line)
    distribution = facts.get("ID", "debian").strip('"')
    parts = []
    for block in filter(None, status.split("\n\n")):
        lines = [line for line in block.splitlines() if not line.startswith(" ")]
        field = {key: value for key, _, value in (line.partition(": ") for line in lines)}
        if field.get("Status", "").endswith(" installed"):
            place = f"deb/{distribution}/{field['Package'].replace('+', '%2B')}"
            parts.append(_part("library", field["Package"], field["Version"], place))
    return parts
