"""T22, T23, T33: model files that must not be loaded, and models nobody can trace."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import zipfile
from pathlib import Path

from .lab import Lab
from .registry import fault

CANDIDATE = "models/candidate"
REFUSED = r"cannot be measured|is no |does not match"


class Payload:
    """Makes the file `executed` in the working folder when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch executed",)


def seal(lab: Lab, content: bytes, **model: str) -> None:
    """Put `content` in place of the model's file, with every digest made right again."""
    with lab.edited(f"{CANDIDATE}/model.json") as manifest:
        identity = manifest["identity"]
        old = identity["model"]["file"]
        identity["model"] |= model
        new = identity["model"]["file"]
        (lab.folder / CANDIDATE / old).unlink()
        (lab.folder / CANDIDATE / new).write_bytes(content)
        del identity["files"][old]
        sha = hashlib.sha256(content).hexdigest()
        identity["files"][new] = {"sha256": sha, "bytes": len(content)}
        text = json.dumps(identity, sort_keys=True, separators=(",", ":"), allow_nan=False)
        manifest["digest"] = hashlib.sha256(text.encode()).hexdigest()


SKOPS = {"form": "skops", "file": "model.skops"}


@fault("T22", "pickle named model.skops", "gate", REFUSED)
def pickled(lab: Lab) -> None:
    seal(lab, pickle.dumps(Payload()), **SKOPS)


@fault("T22", "pickle named model.treelite", "gate", REFUSED)
def pickled_trees(lab: Lab) -> None:
    seal(lab, pickle.dumps(Payload()))


@fault("T22", "pickle within a skops archive", "gate", REFUSED)
def pickle_in_archive(lab: Lab) -> None:
    schema = {
        "__class__": "system", "__module__": "os", "__loader__": "FunctionNode", "content": {},
        "protocol": 2,
    }  # fmt: skip
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("schema.json", json.dumps(schema))
        file.writestr("payload.pkl", pickle.dumps(Payload()))
    seal(lab, archive.getvalue(), **SKOPS)


@fault("T22", "archive that grows when it is read", "gate", REFUSED)
def bomb(lab: Lab) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("schema.json", b" " * (64 << 20))
    seal(lab, archive.getvalue(), **SKOPS)


@fault("T22", "unknown form", "gate", REFUSED)
def unknown_form(lab: Lab) -> None:
    seal(lab, b"{}", form="joblib", file="model.joblib")


@fault("T22", "link in place of the file", "gate", REFUSED)
def link(lab: Lab) -> None:
    name = lab.json(f"{CANDIDATE}/model.json")["identity"]["model"]["file"]
    path = lab.folder / CANDIDATE / name
    path.rename(lab.folder / "elsewhere")
    path.symlink_to(lab.folder / "elsewhere")


@fault("T22", "manifest without end", "gate", r"model.json (is damaged|is larger)")
def manifest(lab: Lab) -> None:
    (lab.folder / CANDIDATE / "model.json").write_bytes(
        b'{"format": 1, "identity": {' + b" " * (17 << 20)
    )


@fault("T22", "file that does not belong", "gate", r"stray.py is not part of the model")
def stray(lab: Lab) -> None:
    (lab.folder / CANDIDATE / "stray.py").write_text("import os; os.system('touch executed')")


@fault("T23", "byte of the model changed after the gate", "register", r"does not match its digest")
def byte(lab: Lab) -> None:
    lab.flip_byte(f"{CANDIDATE}/{lab.json(f'{CANDIDATE}/model.json')['identity']['model']['file']}")


@fault(
    "T23",
    "encoder changed after the gate",
    "register",
    r"does not match its digest",
)
def encoder(lab: Lab) -> None:
    lab.flip_byte(f"{CANDIDATE}/encoder.json")


@fault(
    "T23",
    "profile changed after the gate",
    "register",
    r"does not match its digest",
)
def profile(lab: Lab) -> None:
    lab.flip_byte(f"{CANDIDATE}/profile.json")


@fault(
    "T23", "older model in place of the candidate", "register", r"verdict.json is stale", base="two"
)
def older(lab: Lab) -> None:
    import shutil

    first = json.loads((lab.folder / "models/history.jsonl").read_text().splitlines()[0])
    shutil.rmtree(lab.folder / CANDIDATE)
    shutil.copytree(lab.folder / first["model"], lab.folder / CANDIDATE)


@fault(
    "T23",
    "only model.json of another model",
    "register",
    r"has \S+ bytes, not|does not match|is missing|is not part",
    base="two",
)
def manifest_only(lab: Lab) -> None:
    first = json.loads((lab.folder / "models/history.jsonl").read_text().splitlines()[0])
    content = (lab.folder / first["model"] / "model.json").read_bytes()
    (lab.folder / CANDIDATE / "model.json").write_bytes(content)


@fault(
    "T33",
    "configuration changed after training",
    "gate",
    r"lineage.config .*changed after training",
)
def config_changed(lab: Lab) -> None:
    with lab.edited("model_config.yaml") as config:
        config["model"]["params"]["learning_rate"] = 0.2


@fault("T33", "lock changed after training", "gate", r"lineage.lock .*changed after training")
def lock_changed(lab: Lab) -> None:
    path = lab.folder / "requirements" / "dev.txt"
    path.write_text(path.read_text() + "# another lock\n")


@fault(
    "T33", "code changed after training", "process:gate", r"lineage.code .*changed after training"
)
def code_changed(lab: Lab) -> None:
    path = Path(lab.folder / "src" / lab.package / "features.py")
    path.write_text(path.read_text() + "\n# changed\n")


def with_helper(lab: Lab) -> None:
    """model.py takes something of a module that the user added, and trains with it."""
    home = lab.folder / "src" / lab.package
    (home / "presets.py").write_text("DEPTH = 1\n")
    (home / "model.py").write_text(
        (home / "model.py").read_text() + "\n\nfrom .presets import DEPTH  # noqa: E402, F401\n"
    )
    for stage in ("train", "evaluate"):
        code, said = lab.process(stage)
        assert code == 0, said


@fault(
    "T33",
    "helper module of the users changed after training",
    "process:gate",
    r"lineage.code .*changed after training",
    before=with_helper,
)
def helper_changed(lab: Lab) -> None:
    lab.replace(f"src/{lab.package}/presets.py", "1", "2")


@fault(
    "T33",
    "key with a default is new in the type of the configuration",
    "process:gate",
    r"lineage.config .*changed after training",
)
def key_added(lab: Lab) -> None:
    lab.replace(
        "vendor/ml_template/settings/learning.py",
        '    estimator: str = "hist_gradient_boosting"\n',
        '    estimator: str = "hist_gradient_boosting"\n    warm: bool = False\n',
    )


@fault("T33", "data changed after it was prepared", "gate", r"changed after data/prepared was made")
def data_changed(lab: Lab) -> None:
    lab.write_rows(lab.rows()[1:])


@fault("T33", "no commit where CI is set", "gate", r"lineage.commit .*refused")
def no_commit(lab: Lab) -> None:
    os.environ["CI"] = "true"


@fault("T33", "no commit where one is required", "gate", r"lineage.commit .*refused")
def commit_required(lab: Lab) -> None:
    with lab.edited("gates.yaml") as gates:
        gates["lineage"]["require_commit"] = True
