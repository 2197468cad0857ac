"""promote: make the challenger champion; with ENV its release is stable there first.

Killed in between, the same command again finds the first done and does the rest.
"""

from __future__ import annotations

from ..model.shapes import Verdict
from ..outside.screen import say
from ..registry import champion, tracking, withdrawn
from ..registry.champion import CHALLENGER, CHAMPION, Record
from ..settings.config import GATES_FILE, InputError
from ..storage.changes import changing
from ..storage.files import digest


def run(settings: dict[str, str]) -> bool:
    """Make the challenger champion, when its version and its verdict by today's gates verify.

    One that was taken back needs WHY. For the champion, only what is new is noted: WHY, IMAGE.
    """
    with changing():
        done = _promote(settings)
    say(done)
    return tracking.told("promote")


def _promote(settings: dict[str, str]) -> str:
    """What is to be said of it."""
    challenger, current = champion.read(CHALLENGER), champion.read(CHAMPION)
    if challenger is None:
        raise InputError(f"{CHALLENGER} is missing: no model passed the gate yet: run `make run`")
    champion.judged(challenger["digest"])
    verdict = champion.verify(challenger)
    name = challenger["digest"][:16]
    why, image = settings.get("WHY", ""), settings.get("IMAGE") or None
    judged = ""  # the image that was: what another one of the model did is not held against it
    if env := settings.get("ENV"):
        from ..kubernetes import stable  # with ENV alone it is to be there

        judged = stable.passed(settings, challenger)
        _allowed(verdict, challenger, current, why, judged)
        if current and not current["image"] and (image := stable.image(settings, current)):
            current |= {"image": image}  # a rollback will need it
            champion.enthrone(current)
        image = stable.finish(settings, challenger["digest"])
    if current and current["digest"] == challenger["digest"]:
        image = image or current["image"]
        if image == current["image"] and " ".join(why.split()) in ("", current["why"]):
            return f"promote: model {name} is the champion already"
    _allowed(verdict, challenger, current, why, judged)
    for check in verdict["checks"]:
        if check["verdict"] == "warning":
            say(f"promote: warning: {check['gate']}: {check['reason']}")
    champion.enthrone(champion.pointer(challenger["digest"], verdict, "promote", why, image))
    at = f" ENV={env}" if env else ""
    return f"promote: model {name} is champion\npromote: to undo it: make rollback{at}"


def _allowed(
    verdict: Verdict, challenger: Record, current: Record | None, why: str, image: str
) -> None:
    """Raise InputError unless the verdict is by today's gates and against today's champion.

    So too for a model that was taken back, in `image` where one was judged, without a reason.
    """
    name = challenger["digest"][:16]
    withdrawn.reasoned(challenger["digest"], why, image)
    if verdict["inputs"]["gates"] != digest(GATES_FILE):
        raise InputError(
            f"{GATES_FILE} changed after model {name} was judged: run `make gate register`"
        )
    if current is None or current["digest"] == challenger["digest"]:
        return
    same = verdict["inputs"]["champion"] == current["digest"]
    if not same or verdict["rival"]["state"] == "absent":  # its folder was not here
        raise InputError(
            f"model {name} was not compared with the champion {current['digest'][:16]}: "
            f"fetch its folder (dvc pull), then run `make gate register`"
        )
