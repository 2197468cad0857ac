"""What is inside a built image: its model, file by file, and its packages as a CycloneDX list."""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
import uuid
from email.parser import HeaderParser
from pathlib import Path

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
    from cyclonedx.model import HashAlgorithm, HashType
    from cyclonedx.model.bom import Bom, BomMetaData
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.output.json import JsonV1Dot6
    from packageurl import PackageURL

    python = ("--entrypoint", "/venv/bin/python", image, "-I", "-c", LISTING)
    found = json.loads(engine(docker, "run", *CLOSED, *python))
    urls = [
        PackageURL("generic", None, "python", found["python"]),
        *(PackageURL("pypi", None, key.replace(".", "-"), v) for key, v in found["packages"]),
        *(PackageURL("deb", *package) for package in _system(found["release"], found["system"])),
    ]
    model = Component(
        type=ComponentType.MACHINE_LEARNING_MODEL,
        name=name,
        version=record["digest"][:16],
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=record["digest"])],
        bom_ref=record["digest"],
    )
    parts = [
        model,
        *(Component(name=u.name, version=u.version, purl=u, bom_ref=u.to_string()) for u in urls),
    ]
    version = image.rpartition("@")[2]
    whole = Component(type=ComponentType.CONTAINER, name=name, version=version, bom_ref=image)
    serial = uuid.uuid5(uuid.NAMESPACE_URL, image)
    listed = Bom(components=parts, serial_number=serial, metadata=BomMetaData(component=whole))
    listed.register_dependency(whole, parts)
    written: Record = json.loads(JsonV1Dot6(listed).output_as_string())
    del written["metadata"]["timestamp"]  # of an image there is one list
    return written


def _system(release: str, status: str) -> list[tuple[str, str, str]]:
    """Distribution, name and version of the packages in the text of a Debian's dpkg status."""
    named = re.search(r'(?m)^ID="?([^"\n]+)', release)
    distribution = named[1] if named else "debian"
    blocks = map(HeaderParser().parsestr, filter(None, status.split("\n\n")))
    return [
        (distribution, block["Package"], block["Version"])
        for block in blocks
        if block.get("Status", "").endswith(" installed")
    ]
