"""An image without an engine: what the service stage of a Dockerfile holds and runs, in a folder.

Packages are those of the project's .venv: the stage would install its smaller lock.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import string
from dataclasses import dataclass
from pathlib import Path

from life import champion
from service import package


@dataclass(frozen=True)
class Image:
    """The command of an image, where it is run, and with what environment."""

    command: list[str]
    workdir: Path
    environment: dict[str, str]


def built(project: Path, root: Path) -> Image:
    """The image that serves the champion of `project`, with `root` as its file system."""
    record = champion(project)
    holds = {
        "/venv": project / ".venv",
        "/app": project / "src",
        "/model": project / record["model"],
    }
    dockerfile = (project / "Dockerfile").read_text(encoding="utf-8")
    stage = service_stage(dockerfile)
    copied = [line.split()[-1] for line in stage["COPY"]]
    assert sorted(copied) == sorted(holds), copied
    root.mkdir(parents=True)
    for place, source in holds.items():
        if place == "/venv":
            (root / "venv").symlink_to(source.resolve())
        else:
            shutil.copytree(source, root / place[1:])
    for source, place in kit_of(dockerfile):
        for path in project.glob(source):
            if path.is_dir():
                shutil.copytree(path, root / place)
            else:
                (root / place).mkdir(parents=True, exist_ok=True)
                shutil.copy(path, root / place)

    def inside(text: str) -> str:
        """`text` with the paths of the image in `root`."""
        return re.sub(rf"(?<![\w./])({'|'.join(holds)})\b", lambda found: f"{root}{found[1]}", text)

    facts = {"PACKAGE": package(project), "MODEL_DIGEST": record["digest"]}
    pairs = [pair.partition("=") for line in stage["ENV"] for pair in shlex.split(line)]
    environment = {name: string.Template(inside(text)).substitute(facts) for name, _, text in pairs}
    (command,), (workdir,) = stage["CMD"], stage["WORKDIR"]
    return Image([inside(word) for word in json.loads(command)], Path(inside(workdir)), environment)


def kit_of(dockerfile: str) -> list[tuple[str, str]]:
    """What the image takes of the kit, and where it lies there, below the root."""
    return re.findall(r"(?m)^COPY (vendor/\S+) /(app/\S+?)/?$", dockerfile)


def service_stage(dockerfile: str) -> dict[str, list[str]]:
    """Instruction -> what stands after each, in the stage `service`."""
    joined = dockerfile.replace("\\\n", " ")
    (text,) = re.findall(r"(?ms)^FROM \S+ AS service$(.*?)(?=^FROM |\Z)", joined)
    stage: dict[str, list[str]] = {}
    for instruction, rest in re.findall(r"(?m)^([A-Z]+) (.*)$", text):
        stage.setdefault(instruction, []).append(rest)
    return stage
