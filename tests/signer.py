"""A cosign for the drills: it vouches for the images that a file names, and for no other one."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

KEY = "cosign.pub"
COSIGN = """#!PYTHON
import base64, json, pathlib, sys

words = sys.argv[1:]
if words[0] == "version":
    print(json.dumps({"gitVersion": "v2.5.0"}))
    sys.exit()
known = json.loads(pathlib.Path("SIGNED").read_text())
image = words[-1]
name, _, digest = image.partition("@sha256:")
if image not in known or words[words.index("--key") + 1] != "KEY":
    sys.exit("Error: no signatures found error during command execution")
if words[0] == "verify":
    print(json.dumps([{"critical": {"identity": {"docker-reference": name}}}]))
else:
    lineage = words[words.index("--type") + 1].startswith("urn:")
    told = {"subject": [{"name": name, "digest": {"sha256": digest}}]}
    told["predicate"] = known[image] if lineage else {}
    print(json.dumps({"payload": base64.b64encode(json.dumps(told).encode()).decode()}))
"""


def signer(folder: Path) -> dict[str, str]:
    """Make it in `folder`: the environment in which it is found and trusted."""
    folder.mkdir(exist_ok=True)
    signed = folder / "signed.json"
    signed.write_text("{}")
    program = folder / "cosign"
    text = COSIGN.replace("PYTHON", sys.executable).replace("SIGNED", str(signed))
    program.write_text(text.replace("KEY", KEY))
    program.chmod(0o755)
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    return {"PATH": path, "COSIGN_PUBLIC_KEY": KEY}


def sign(folder: Path, image: str, model: str) -> None:
    """From now on `image` is signed, as one that serves `model`."""
    signed = folder / "signed.json"
    known = json.loads(signed.read_text())
    known[image] = {"model": model, "verdict": "", "commit": None}
    signed.write_text(json.dumps(known))
