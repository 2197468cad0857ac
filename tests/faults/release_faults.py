"""T24, T35 and releases: pointers, verdicts and MLflow that must not move a champion."""

from __future__ import annotations

import hashlib
import json
import shutil

from .evidence_faults import weaken
from .lab import Lab
from .registry import fault

CHALLENGER = "models/challenger.json"
CHAMPION = "models/champion.json"


def first(lab: Lab) -> dict[str, str]:
    """The first champion's line of the history."""
    line: dict[str, str] = json.loads(
        (lab.folder / "models/history.jsonl").read_text().split("\n")[0]
    )
    return line


def verdict(lab: Lab, pointer: str = CHALLENGER) -> str:
    return f"models/verdicts/{lab.json(pointer)['verdict'][:16]}.json"


@fault(
    "T24",
    "challenger moved to a model nobody judged",
    "promote",
    r"is model|was not|verdict on another",
    base="challenged",
)
def moved(lab: Lab) -> None:
    with lab.edited(CHALLENGER) as pointer:
        pointer["digest"], pointer["model"] = "0" * 64, f"models/{'0' * 16}"
    shutil.copytree(lab.folder / "models/candidate", lab.folder / f"models/{'0' * 16}")


@fault(
    "T24",
    "challenger moved to another judged model",
    "promote",
    r"verdict on another model|is champion|not compared",
    base="challenged",
)
def swapped(lab: Lab) -> None:
    champion = lab.json(CHAMPION)
    with lab.edited(CHALLENGER) as pointer:
        pointer["verdict"] = champion["verdict"]


@fault(
    "T24", "candidate trained again between gate and register", "register", r"verdict.json is stale"
)
def trained_again(lab: Lab) -> None:
    with lab.edited("model_config.yaml") as config:
        config["model"]["params"]["max_iter"] += 2
    for stage in ("train", "evaluate"):
        code, said = lab.say(stage)
        assert code == 0, said


@fault("R1", "verdict turned by hand", "promote", r"does not match its digest", base="challenged")
def turned(lab: Lab) -> None:
    with lab.edited(verdict(lab)) as content:
        content["checks"][0]["value"] = 0.999


@fault("R1", "verdict turned and sealed again", "promote", r"is not the verdict", base="challenged")
def sealed(lab: Lab) -> None:
    with lab.edited(verdict(lab)) as content:
        del content["digest"]
        content["checks"][0]["value"] = 0.999
        text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
        content["digest"] = hashlib.sha256(text.encode()).hexdigest()


@fault("R1", "verdict forged before it is kept", "register", r"register: .*refused", miss=True)
def forged(lab: Lab) -> None:
    """Who can write reports/ can write the code as well; runners of CI start with none."""
    weaken(lab)
    assert lab.say("gate")[0] == 1
    with lab.edited("reports/verdict.json") as content:
        del content["digest"]
        content["verdict"] = "passed"
        for check in content["checks"]:
            check["verdict"] = "passed"
        text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
        content["digest"] = hashlib.sha256(text.encode()).hexdigest()


@fault("R1", "verdict lost", "promote", r"verdicts/\w+.json is missing", base="challenged")
def lost(lab: Lab) -> None:
    (lab.folder / verdict(lab)).unlink()


@fault("R1", "refused model registered", "register", r"refused, not registered")
def refused(lab: Lab) -> None:
    with lab.edited("gates.yaml") as gates:
        gates["size"]["max_mb"] = 0.001
    assert lab.say("gate")[0] == 1


@fault(
    "R1",
    "champion changed after the comparison",
    "promote",
    r"was not compared with the champion",
    base="challenged",
)
def champion_changed(lab: Lab) -> None:
    with lab.edited(CHAMPION) as pointer:
        pointer["digest"], pointer["model"] = "1" * 64, f"models/{'1' * 16}"


@fault(
    "R1",
    "champion not here to compare with",
    "promote",
    r"was not compared with the champion",
    base="challenged",
)
def champion_absent(lab: Lab) -> None:
    shutil.rmtree(lab.folder / lab.json(CHAMPION)["model"])
    (lab.folder / "reports/verdict.json").unlink()  # it holds the comparison that was made before
    for stage in ("gate", "register"):
        code, said = lab.say(stage)
        assert code == 0, said


@fault("R1", "champion file cut", "gate", r"champion.json is damaged")
def champion_cut(lab: Lab) -> None:
    path = lab.folder / CHAMPION
    path.write_bytes(path.read_bytes()[:50])


@fault(
    "R1",
    "rollback to a damaged model",
    "rollback",
    r"there is no earlier champion that verifies",
    base="two",
)
def damaged(lab: Lab) -> None:
    model = first(lab)["model"]
    lab.flip_byte(f"{model}/encoder.json")


@fault(
    "R1",
    "rollback to a model that is gone",
    "rollback",
    r"there is no earlier champion that verifies",
    base="two",
)
def gone(lab: Lab) -> None:
    shutil.rmtree(lab.folder / first(lab)["model"])


@fault(
    "R1",
    "rollback without an earlier champion",
    "rollback",
    r"there is no earlier champion",
    base="two",
)
def alone(lab: Lab) -> None:
    (lab.folder / "models/history.jsonl").unlink()


@fault(
    "R1",
    "line of the history edited",
    "rollback",
    r"line 1, or one above it, was edited",
    base="two",
)
def edited(lab: Lab) -> None:
    path = lab.folder / "models/history.jsonl"
    line = first(lab)
    other = line | {"image": f"registry.example.com/other@sha256:{'6' * 64}"}
    rest = path.read_text().split("\n", 1)[1]
    path.write_text(f"{json.dumps(other)}\n{rest}")


@fault(
    "R1",
    "model that was rolled back offered again",
    "promote",
    r"was rolled back .*: nothing was done",
    base="two",
)
def again(lab: Lab) -> None:
    assert lab.say("rollback", "WHY=wrong answers")[0] == 0


@fault(
    "R1",
    "model whose rollout was ended promoted by hand",
    "promote",
    r"was ended in its rollout .*: errors",
    base="challenged",
)
def ended(lab: Lab) -> None:
    line = {"digest": lab.json(CHALLENGER)["digest"], "since": "2999-01-01T00:00:00+00:00"}
    text = json.dumps(line | {"by": "a driver", "why": "errors"})
    (lab.folder / "models/aborted.jsonl").write_text(text + "\n")


@fault(
    "R1",
    "challenger is another than the run judged",
    "offer",
    r"this run judged model \w+, the challenger is",
    base="challenged",
)
def other_challenger(lab: Lab) -> None:
    champion = lab.json(CHAMPION)
    lab.write_json(CHALLENGER, champion)


@fault("R1", "change of champion cut", "promote", r"change.json is damaged", base="challenged")
def change_cut(lab: Lab) -> None:
    (lab.folder / "models/.change.json").write_text("{")
