"""verify: who signed an image, and which model it serves."""

from __future__ import annotations

from ..registry import champion
from ..registry.champion import CHAMPION, Record
from ..settings.config import InputError
from ..storage.files import read_json
from ..storage.places import IMAGE
from .signatures import judged, signed


def run(settings: dict[str, str]) -> None:
    """IMAGE=reference, else reports/image.json, else the champion's image; see `verified`."""
    found = verified(settings.get("IMAGE") or latest())
    print(f"verify: {found['image']} is signed, serves model {found['model'][:16]}")


def latest() -> str:
    """The image signed last, else the champion's; raises InputError where there is none."""
    if IMAGE.exists():
        made = read_json(IMAGE, "run `make image sign`")
        if not made.get("image"):
            raise InputError(f"{made['tag']} is not signed: run `make sign`, or name IMAGE=...")
        return str(made["image"])
    record = champion.read(CHAMPION)
    if record is None or record["image"] is None:
        raise InputError("no image is known here: run `make image sign`, or name IMAGE=...")
    return str(record["image"])


def verified(reference: str) -> Record:
    """{image, model, verdict, commit} of a signed image that serves champion or challenger.

    Raises InputError as `signed` does, and for another model.
    """
    facts = signed(reference)
    judged(facts["model"], reference)
    return facts
