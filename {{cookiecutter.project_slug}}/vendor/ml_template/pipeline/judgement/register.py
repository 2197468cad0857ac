"""register: keep a model that passed and make it challenger; and champion where there is none.

A champion that answers another question (another target, say), or was judged on data that are
defined otherwise, counts as none, but for one that a rollback brought back: only `promote` takes
its place.

Order of what is written: the kept version, its verdict, the pointers in one step, MLflow. Killed
anywhere, nothing points to something unfinished, and the next run goes on from there.
"""

from __future__ import annotations

import sys
from pathlib import Path

from ...model import manifest
from ...model.shapes import Verdict
from ...registry import champion, tracking, withdrawn
from ...registry.champion import CHALLENGER, CHAMPION, VERDICTS, Record
from ...settings.config import InputError
from ...storage.changes import changing, settle
from ...storage.files import new_folder, write_json
from ...storage.places import CANDIDATE, VERDICT
from . import answers, gate

_AGAIN = "run `make gate`"


def run(alone: bool = True) -> bool:
    """False when the candidate was refused, or MLflow could not be told.

    Alone it asks MLflow what it has; among other words only where something changed.
    """
    settle()
    verdict = champion.read_verdict(VERDICT, _AGAIN)
    if not gate.stands(verdict, gate.inputs()):
        raise InputError(f"{VERDICT} is stale: what it judged has changed: {_AGAIN}")
    passed = bool(verdict["verdict"] == "passed")
    folder = keep(verdict) if passed else CANDIDATE
    state = point(verdict) if passed else "refused, not registered"
    print(f"register: model {verdict['model'][:16]} {state}")
    return tracking.told("register", verdict, folder, alone) and passed


def keep(verdict: Verdict) -> Path:
    """Folder of the kept version, written once: the candidate with its metrics and lineage."""
    folder = champion.folder(verdict["model"])
    path = VERDICTS / f"{verdict['digest'][:16]}.json"
    if not _whole(folder, verdict["model"]):
        kept, files = manifest.read(CANDIDATE, verdict["model"])
        kept |= {"metrics": verdict["metrics"], "lineage": verdict["lineage"]}
        said = {"verdict": verdict["verdict"], "digest": verdict["digest"]}
        kept["verdict"] = said | {"checks": verdict["checks"]}
        with changing(), new_folder(folder) as new:
            for name, content in files.items():
                (new / name).write_bytes(content)
            write_json(new / manifest.FILE, kept)
            manifest.read(new, verdict["model"])
    answers.keep(verdict)
    if not path.exists():
        write_json(path, verdict)
    return folder


def _whole(folder: Path, digest: str) -> bool:
    if not folder.exists():
        return False
    try:
        manifest.read(folder, digest)
    except (InputError, OSError) as error:
        print(f"register: {error}: kept again", file=sys.stderr)
        return False
    return True


def point(verdict: Verdict) -> str:
    """Point challenger, or champion where there is none, to the kept version; says which."""
    said, pointers = _planned(verdict)
    if pointers:
        with changing():  # another process may have promoted since
            said, pointers = _planned(verdict)
            if pointers:
                champion.point(pointers)
    return said


def _planned(verdict: Verdict) -> tuple[str, dict[Path, Record]]:
    """What becomes of the model, and the pointers that change with it.

    Where it is the champion, it is challenger too: one that waited was passed by a later run. As
    challenger it stands by the verdict of today, which `make promote` asks for.
    """
    digest = verdict["model"]

    def new(why: str) -> Record:
        return champion.pointer(digest, verdict, "register", why)

    current, challenger = champion.read(CHAMPION), champion.read(CHALLENGER)
    known = challenger and (challenger["digest"], challenger["verdict"])
    stays = known == (digest, verdict["digest"])
    if current is None:
        return _crown(new("the first model"))
    if current["digest"] == digest:
        try:
            champion.verify(current)
        except InputError as error:
            return _crown(new(f"made and judged again, because {str(error).splitlines()[0]}"))
        same = current["verdict"] == verdict["digest"]
        again = {} if stays else {CHALLENGER: current if same else new("judged again")}
        return "is the champion", again
    rival = verdict["rival"]
    anew = rival["state"] in ("other", "redefined")
    other = anew and rival["champion"] == current["digest"]
    taken_back = withdrawn.how(digest)
    if other and current["action"] != "rollback" and not taken_back:
        return _crown(new(rival["reason"]))
    words = ("make promote", f"makes it champion instead of {current['digest'][:16]}")
    said = f"is challenger; `{words[0]}` {words[1]}"
    if taken_back:
        said = f'is challenger, but was {taken_back}; `{words[0]} WHY="..."` {words[1]}'
    return said, {} if stays else {CHALLENGER: new("passed the gate")}


def _crown(record: Record) -> tuple[str, dict[Path, Record]]:
    return "is challenger and champion", {CHALLENGER: record, CHAMPION: record}
