"""A champion that was judged on data defined otherwise is no measure for an honest model."""

from __future__ import annotations

import io
import json
import pickle
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from ml_template import project
from ml_template.model import bootstrap, lineage
from ml_template.pipeline.data import prepare, validate
from ml_template.pipeline.evaluation import evaluate, importance
from ml_template.pipeline.judgement import answers, definition, gate, measure, register
from ml_template.pipeline.reporting import rivals
from ml_template.pipeline.training import train
from ml_template.registry import champion, tracking
from ml_template.settings.config import InputError, load_config
from ml_template.storage import places

from ..conftest import PACKAGE, ROOT
from .conftest import write_gates

PATIENTS = 60
LEAK = "discharge_code"


def patients(path: Path) -> None:
    """Ten visits of each of PATIENTS: the status is the patient's, whom `mark` tells apart."""
    random = np.random.default_rng(3)
    of = np.repeat(np.arange(PATIENTS), 10)
    age = random.normal(50, 12, PATIENTS)
    sick = random.random(PATIENTS) < 1 / (1 + np.exp(-(age - 50) / 8))
    status = np.where(sick, "sick", "well")[of]
    code = np.where(sick[of], 1.0, 0.0) + random.normal(0, 0.2, len(of))
    columns = {
        "patient_id": [f"p{number}" for number in of],
        "age": age[of] + random.normal(0, 3, len(of)),
        "mark": random.normal(0, 1, PATIENTS)[of] + random.normal(0, 0.05, len(of)),
        "day": pd.date_range("2024-01-01", periods=len(of)).strftime("%Y-%m-%d"),
        LEAK: code,
        "noise": random.normal(0, 1, len(of)),
    }
    pd.DataFrame(columns | {"status": status}).to_csv(path, index=False)


CONFIG: dict[str, Any] = {
    "data": {
        "path": "data/patients.csv",
        "target": "status",
        "task": "binary",
        "classes": ["well", "sick"],
        "positive": "sick",
    },
    "columns": {
        "patient_id": {"type": "categorical", "feature": False},
        "age": {"type": "numeric"},
        "mark": {"type": "numeric"},
        "day": {"type": "datetime", "feature": False, "format": "%Y-%m-%d"},
        LEAK: {"type": "numeric", "feature": False},
        "noise": {"type": "numeric", "feature": False},
    },
    "split": {"test": 0.3},
    "model": {"params": {"max_iter": 20}},
}
RULES = {"champion": "{max_drop: 0.005, require_same_definition: false}"}
Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(in_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """`make run` with these sections of model_config.yaml and gates; the line of `champion`."""
    shutil.copytree(ROOT / "requirements", "requirements")
    shutil.copy(ROOT / "pyproject.toml", ".")
    Path("data").mkdir()
    patients(Path("data/patients.csv"))
    shown = {"mb": 0.1, "load_seconds": 0.1, "difference": 0.0}
    monkeypatch.setattr(measure, "measure", lambda _: shown)
    monkeypatch.setattr(evaluate, "_plots", lambda *_: [])
    monkeypatch.setattr(importance, "measure", lambda *_: [])
    monkeypatch.setattr(bootstrap, "replicates", lambda _: 200)
    monkeypatch.setattr(tracking, "mirror", lambda *_: {})
    monkeypatch.delenv("CI", raising=False)

    def made(gates: dict[str, str] = RULES, **sections: Any) -> dict[str, Any]:
        Path("model_config.yaml").write_text(yaml.safe_dump(CONFIG | sections))
        write_gates(**gates)
        for stage in (prepare, validate, train, evaluate, gate):
            stage.run()
        verdict = json.loads(places.VERDICT.read_text())
        register.run()
        return next(line for line in verdict["checks"] if line["gate"] == "champion")

    return made


def crowned() -> str:
    return str((champion.read(champion.CHAMPION) or {})["digest"])


def columns(**features: bool) -> dict[str, Any]:
    """The columns, where those named are a feature or none."""
    known = CONFIG["columns"]
    return {
        name: spec | {"feature": features.get(name, spec.get("feature", True))}
        for name, spec in known.items()
    }


@pytest.mark.parametrize(
    ("split", "words"),
    [
        ({"test": 0.3, "group": "patient_id"}, "split.group was None, is 'patient_id'"),
        ({"test": 0.3, "time": "day"}, "split.time was None, is 'day'"),
    ],
)
def test_another_rule_of_the_hold_out_begins_anew_and_says_how_to_go_back(
    run: Run, split: dict[str, Any], words: str
) -> None:
    run()
    leaky = crowned()
    line = run(split=split)
    assert line["verdict"] == "warning"
    for said in (words, "not comparable", "make run", "make rollback"):
        assert said in line["reason"]
    assert crowned() != leaky
    assert words in (champion.read(champion.CHAMPION) or {})["why"]


@pytest.mark.parametrize(
    "sections",
    [
        {"seed": 8},
        {"split": {"test": 0.25}},
        {"columns": columns(mark=False)},
        {"columns": columns(noise=True)},
    ],
)
def test_a_seed_a_share_and_other_honest_columns_do_not_get_round_the_champion(
    run: Run, sections: dict[str, Any]
) -> None:
    run()
    before = crowned()
    line = run(**sections)
    assert "not comparable" not in line["reason"]
    assert isinstance(line["value"], float)
    assert crowned() == before


def test_more_rows_do_not_get_round_the_champion(run: Run) -> None:
    run()
    before = crowned()
    path = Path("data/patients.csv")
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines, *(row.replace("p1,", "q1,") for row in lines[1:50])]))
    assert isinstance(run()["value"], float)
    assert crowned() == before


def test_gates_that_do_not_name_the_key_refuse_another_definition_and_say_so(run: Run) -> None:
    run()
    before = crowned()
    line = run({"champion": "{max_drop: 0.005}"}, split={"test": 0.3, "group": "patient_id"})
    assert line["verdict"] == "refused"
    assert "require_same_definition: true (default)" in line["reason"]
    assert "require_same_definition: false in gates.yaml" in line["reason"]
    assert crowned() == before


def test_a_champion_with_a_feature_that_the_check_of_leakage_names_is_no_measure(run: Run) -> None:
    allowed = {"allow": {"leakage": [LEAK]}}
    run(columns=columns(discharge_code=True), checks=allowed)
    leaky = crowned()
    line = run()
    assert line["verdict"] == "warning"
    assert f"it uses {LEAK}" in line["reason"]
    assert "gives the target away" in line["reason"]
    assert crowned() != leaky


def test_a_champion_with_a_better_honest_feature_refuses_and_names_it(run: Run) -> None:
    run()
    before = crowned()
    line = run(columns=columns(mark=False, age=False, noise=True))
    assert line["verdict"] == "refused"
    assert "which uses age, mark too" in line["reason"]
    assert "champion: false" in line["reason"]
    assert crowned() == before


def test_a_split_of_ones_own_that_changed_begins_anew(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = ROOT / "src" / PACKAGE / "parts.py"
    text = "import numpy as np\n\ndef by(columns, config):\n    return np.arange({}) % 3 == 0\n"
    size = "len(columns['age'])"
    module.write_text(text.format(size))
    mine = project.Project(PACKAGE, split="parts:by")
    try:
        monkeypatch.setattr(project, "_handed", [mine])
        run()
        first = crowned()
        module.write_text("# every third row\n" + text.format(size))
        assert run()["verdict"] == "passed"
        assert crowned() == first
        module.write_text(text.format(f"1, 1 + {size}"))
        assert "function of src/ that holds rows out was changed" in run()["reason"]
        assert crowned() != first
    finally:
        module.unlink()


def test_an_old_champion_without_its_configuration_is_compared_and_that_is_said(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lineage, "CONFIG", "settings.json")
    run()
    monkeypatch.setattr(lineage, "CONFIG", "config.json")
    line = run(split={"test": 0.3, "group": "patient_id"})
    assert "config.json that says by which rule" in line["reason"]
    assert isinstance(line["value"], float)


def test_a_key_of_split_that_an_older_release_did_not_know_is_no_change_where_it_is_not_used(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = definition.read_json

    def older(path: Path, remedy: str) -> Any:
        kept = read(path, remedy)
        return kept | {"split": {"test": kept["split"]["test"]}}

    run()
    monkeypatch.setattr(definition, "read_json", older)
    assert "not comparable" not in run(seed=8)["reason"]
    assert "split.group was None" in run(split={"test": 0.3, "group": "patient_id"})["reason"]


# A champion whose code was edited


@pytest.fixture
def edit(run: Run, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Write another function of features: what it returns of `columns`."""
    module = ROOT / "src" / PACKAGE / "ratios.py"
    monkeypatch.setattr(project, "_handed", [project.Project(PACKAGE, features="ratios:made")])

    def write(returned: str) -> None:
        module.write_text(f"import numpy as np\n\ndef made(columns):\n    return {returned}\n")
        sys.modules.pop(f"{PACKAGE}.ratios", None)

    yield write
    module.unlink()
    sys.modules.pop(f"{PACKAGE}.ratios", None)


USEFUL = "{'ratio': columns['age'] / 50}"
RENAMED = "{'share': columns['age'] / 50}"
OTHER = "{'ratio': 50 - columns['age']}"


@pytest.mark.parametrize(
    ("features", "seen", "verdict"),
    [(RENAMED, {}, "passed"), (OTHER, {}, "passed"), ("{}", {"age": False}, "refused")],
)
def test_a_champion_of_other_features_is_compared_on_the_same_rows(
    run: Run, edit: Callable[[str], None], features: str, seen: dict[str, bool], verdict: str
) -> None:
    edit(USEFUL)
    run(columns=columns(mark=False, noise=True))
    before = crowned()
    edit(features)
    line = run(columns=columns(mark=False, noise=True, **seen))
    assert line["verdict"] == verdict
    assert "on the same rows" in line["reason"]
    assert crowned() == before
    verdict_file = json.loads(places.VERDICT.read_text())
    assert rivals.read(load_config(), verdict_file) is not None


@pytest.mark.parametrize("lost", ["answers", "rows"])
def test_without_kept_answers_to_these_rows_its_kept_figure_counts(
    run: Run, edit: Callable[[str], None], lost: str
) -> None:
    edit(USEFUL)
    run()
    before = crowned()
    edit(RENAMED)
    if lost == "answers":  # of a release that kept none
        for path in champion.VERDICTS.glob("*.npy"):
            path.unlink()
    line = run(seed=8 if lost == "rows" else 0)
    assert "its kept figure: it was trained with another features.py" in line["reason"]
    assert isinstance(line["value"], float)
    assert crowned() == before


def npy(descr: str, shape: str, content: bytes = b"") -> bytes:
    head = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}".encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head + content


def zipped() -> bytes:
    content = io.BytesIO()
    np.savez(content, answers=np.zeros(3))
    return content.getvalue()


DAMAGE = {
    "nothing": b"",
    "a cut head": b"\x93NUMPY nothing",
    "a pickle": npy("|O", "(1,)", pickle.dumps([print])),
    "more than there is room for": npy("<f8", "(1" + "0" * 14 + ",)"),
    "a number without end": npy("<f8", "(1" + "0" * 40 + ",)"),
    "a head without end": npy("<f8", "(" + "1," * 20_000 + ")"),
    "texts": npy("<U1", "(1,)", b"a\0\0\0"),
    "an archive": zipped(),
    "a cut archive": zipped()[:40],
    "other answers": None,
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_kept_answers_that_were_changed_are_no_measure(
    in_folder: Path, monkeypatch: pytest.MonkeyPatch, damage: bytes | None
) -> None:
    kept = np.array([0.25, 0.5])
    verdict: Any = {"digest": "0" * 64, "answers": answers.digest(kept)}
    monkeypatch.setattr(answers, "VERDICTS", in_folder)
    path = in_folder / f"{'0' * 16}.npy"
    np.save(path, kept)
    assert (answers.read(verdict) == kept).all()
    if damage is None:
        np.save(path, 1 - kept)
    else:
        path.write_bytes(damage)
    with pytest.raises(InputError, match="npy was changed: restore models/"):
        answers.read(verdict)


def test_a_candidate_is_not_compared_with_kept_answers_that_were_changed(
    run: Run, edit: Callable[[str], None]
) -> None:
    edit(USEFUL)
    run()
    (path,) = champion.VERDICTS.glob("*.npy")
    path.write_bytes(b"")
    edit(RENAMED)
    with pytest.raises(InputError, match="npy was changed: restore models/"):
        run()
