"""Every refusal that says "run `make X`": planted, seen, healed by X, and seen no more (slow).

A message that is in neither table fails `test_every_message_is_in_a_table`.
"""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import bake
import pytest
from life import make, twin
from service import package

KIT = bake.ROOT / bake.TREE / bake.KIT
REMEDY = re.compile(r"run `make ([a-z ]+)`")
HOLE = "{}"  # what an f-string fills in


def messages(code: str) -> Iterator[str]:
    """Texts of a module that say "run `make X`" or "run `dvc X`"; no docstrings."""
    tree = ast.parse(code)
    parts = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        parts |= {id(part) for part in node.values} if isinstance(node, ast.JoinedStr) else set()
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            text = "".join(
                str(part.value) if isinstance(part, ast.Constant) else HOLE for part in node.values
            )
        elif isinstance(node, ast.Constant) and id(node) not in parts:
            text = str(node.value)
        else:
            continue
        if re.search("run `(make|dvc) ", text):
            yield text


Key = tuple[str, str]  # module, message


def collected() -> set[Key]:
    return {
        (path.relative_to(KIT).as_posix(), text)
        for path in KIT.rglob("*.py")
        for text in messages(path.read_text(encoding="utf-8"))
    }


@dataclass(frozen=True)
class Case:
    """One situation: how it is made, which words then say the message, what else it asks for.

    `words` and `further` are stages with their settings. The words end well once it is healed,
    unless `ends` is False: they have something else to say.
    """

    plant: Callable[[Path], object]
    words: str
    by_hand: Callable[[Path], object] = lambda project: None
    settings: str = ""  # what the remedy needs besides
    ends: bool = True
    says: str = ""  # how the message goes on or begins, where the module has another like it


def without(name: str) -> Callable[[Path], object]:
    return lambda project: (project / name).unlink()


def holding(name: str, text: str) -> Callable[[Path], object]:
    def plant(project: Path) -> None:
        (project / name).unlink(missing_ok=True)  # a link into the cache of DVC stays as it is
        (project / name).write_text(text, encoding="utf-8")

    return plant


def replaced(name: str, old: str, new: str) -> Callable[[Path], object]:
    def plant(project: Path) -> None:
        path = project / name.replace("PACKAGE", package(project))
        text = path.read_text(encoding="utf-8")
        assert old in text, name
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    return plant


def after(plant: Callable[[Path], object], *words: str) -> Callable[[Path], object]:
    """What is planted, and these stages then."""

    def both(project: Path) -> None:
        plant(project)
        for word in words:
            assert said(project, word)[0] == 0, word

    return both


def said(project: Path, words: str) -> tuple[int, str]:
    """Exit code and output of stages, as the Makefile runs them."""
    python = project / ".venv/bin/python"
    source = bake.code_of(project)
    command = ("-m", package(project), *shlex.split(words))
    done = bake.run(python, *command, cwd=project, PYTHONPATH=source)
    return done.returncode, done.stdout + done.stderr


DATA = "data/prepared/data.json"
TEST = "data/prepared/test.parquet"
CHAMPION = "models/champion.json"
CANDIDATE = "models/candidate/model.json"
OTHER_MODEL = replaced("model_config.yaml", "max_iter: 120", "max_iter: 130")
NEW_KEY = replaced(
    f"{bake.KIT}/settings/learning.py",
    '    estimator: str = "hist_gradient_boosting"\n',
    '    estimator: str = "hist_gradient_boosting"\n    warm: bool = False\n',
)


def without_kept(project: Path) -> None:
    """The folder of the champion loses its manifest."""
    (kept,) = (
        path for path in project.glob("models/*/model.json") if path.parent.name != "candidate"
    )
    kept.unlink()


HEALED: dict[Key, list[Case]] = {
    ("model/manifest.py", "run `make train`"): [Case(without(CANDIDATE), "evaluate")],
    (
        "model/manifest.py",
        "`make pull` fetches a kept model; the one judged last: run `make gate register`",
    ): [Case(without_kept, "score DATA=data/starter.csv OUT=out.csv")],
    ("operations/offer.py", "run `make gate`"): [Case(without("reports/verdict.json"), "offer")],
    (
        "operations/offer.py",
        "offer: this run judged model {}, the challenger is {}: nothing goes out: run "
        "`make register`",
    ): [Case(after(OTHER_MODEL, "reproduce gate"), "offer")],
    (
        "operations/promote.py",
        "{} is missing: no model passed the gate yet: run `make run`",
    ): [Case(without("models/challenger.json"), "promote")],
    (
        "operations/promote.py",
        "{} changed after model {} was judged: run `make gate register`",
    ): [
        Case(
            lambda project: (
                after(OTHER_MODEL, "reproduce gate register")(project),
                replaced("gates.yaml", "gain: 0.01", "gain: 0.02")(project),
            ),
            "promote",
        ),
        Case(  # of the champion, which is challenger too
            replaced("gates.yaml", "gain: 0.01", "gain: 0.02"), "promote WHY=again"
        ),
    ],
    ("operations/compare.py", "there is no champion: run `make run` first"): [
        Case(without(CHAMPION), "compare", ends=False)
    ],
    (
        "operations/monitor.py",
        "{} is missing: there is no champion to watch: run `make run`",
    ): [Case(without(CHAMPION), "monitor DATA=data/starter.csv")],
    ("operations/retrain.py", "run `make monitor`"): [
        Case(holding("reports/monitoring.json", "{"), "retrain", settings="DATA=data/starter.csv")
    ],
    ("operations/retrain.py", "{} is not whole: run `make monitor`"): [
        Case(holding("reports/monitoring.json", "{}"), "retrain", settings="DATA=data/starter.csv")
    ],
    ("pipeline/data/record.py", "run `make run`"): [
        Case(without("reports/validation.json"), "gate"),
        Case(holding("reports/validation.json", "{}"), "gate", says="is of other rows"),
    ],
    ("pipeline/data/validate.py", "run `make run`"): [Case(without(DATA), "validate")],
    ("pipeline/evaluation/evaluate.py", "run `make run`"): [Case(without(DATA), "evaluate")],
    (
        "pipeline/evaluation/evaluate.py",
        "{} was trained with another {} than {} and {} now hold: run `make train`",
    ): [
        Case(after(replaced("model_config.yaml", "test: 0.2", "test: 0.25"), "prepare"), "evaluate")
    ],
    ("pipeline/judgement/checks.py", "{} changed after training: run `make run`"): [
        Case(replaced("src/PACKAGE/model.py", "\n\n\n", "\n\n\n# changed\n"), "gate"),
        Case(OTHER_MODEL, "gate"),
        Case(NEW_KEY, "gate", says="model_config.yaml changed"),
    ],
    ("pipeline/judgement/gate.py", "run `make run`"): [
        Case(without(DATA), "gate"),
        Case(without("reports/evaluation.json"), "gate"),
        Case(without("reports/metrics.json"), "gate"),
    ],
    ("pipeline/judgement/gate.py", "run `dvc pull`, or `make run`"): [
        Case(without("data/starter.csv"), "gate")
    ],
    ("pipeline/judgement/register.py", "run `make gate`"): [
        Case(without("reports/verdict.json"), "register"),
        Case(replaced("gates.yaml", "gain: 0.01", "gain: 0.02"), "register", says="is stale"),
    ],
    ("pipeline/reporting/report.py", "run `make evaluate`"): [
        Case(without("reports/evaluation.json"), "report")
    ],
    ("pipeline/reporting/report.py", "run `make train`"): [
        Case(without(CANDIDATE), "report"),
        Case(without("models/candidate/profile.json"), "report"),
    ],
    ("pipeline/reporting/report.py", "run `make gate`"): [
        Case(holding("reports/verdict.json", "{"), "report")
    ],
    (
        "pipeline/reporting/report.py",
        "{} is of model {}, {} is {}: run `make evaluate`",
    ): [Case(after(OTHER_MODEL, "reproduce STAGE=train"), "report")],
    ("pipeline/reporting/summary.py", "report:   none yet: run `make report`"): [
        Case(without("reports/report.html"), "summary")
    ],
    ("pipeline/training/train.py", "run `make run`"): [Case(without(DATA), "train")],
    (
        "registry/champion.py",
        "restore it from git, or remove it and run `make gate register`",
    ): [Case(holding("models/challenger.json", "{"), "promote", without("models/challenger.json"))],
    ("registry/champion.py", "run `make gate`"): [
        Case(holding("reports/verdict.json", "{"), "summary")
    ],
    ("serving/serve.py", "there is no champion to serve: run `make run`, or name MODEL=folder"): [
        Case(without(CHAMPION), "score DATA=data/starter.csv OUT=out.csv")
    ],
    ("tables/table.py", "{} is missing: run `make run`"): [Case(without(TEST), "evaluate")],
    ("tables/table.py", "{} is damaged ({}): remove it and run `make run`"): [
        Case(holding(TEST, "no table"), "evaluate", without(TEST))
    ],
}
CLUSTER = "needs a cluster: tests/test_rollout.py goes from each state on with these words"
SIGNED = "needs a registry and cosign: tests/test_signatures.py signs and verifies"
READ_BEFORE = "not seen: gate.inputs reads the same file before, and says it: see there"
LEFT_OUT: dict[Key, str] = {
    **dict.fromkeys(
        [
            ("kubernetes/cluster.py", "{} {} is not in namespace {}: run `make deploy` first"),
            ("kubernetes/canary.py", "deployment {} says no strategy: run `make deploy` again"),
            (
                "kubernetes/canary.py",
                "canary: its pods went with the abort: run `make deploy` again",
            ),
            ("kubernetes/releases.py", "nothing is tried: run `make deploy` first"),
            ("kubernetes/releases.py", "canary: nothing is tried: run `make deploy` first"),
            (
                "kubernetes/stable.py",
                "{} is tried now, and another passed: {}: run `make canary`",
            ),
        ],
        CLUSTER,
    ),
    (
        "serving/load.py",
        "{} serves model {}, {} names {}: run `make deploy ENV={} STRATEGY=rolling` first",
    ): CLUSTER,
    **dict.fromkeys(
        [
            ("kubernetes/releases.py", "run `make sign`"),
            (
                "kubernetes/releases.py",
                "no {} is known: run `make sign`, or name IMAGE=name@sha256:...",
            ),
            ("operations/sign.py", "run `make image`"),
            ("operations/verify.py", "run `make image sign`"),
            (
                "operations/verify.py",
                "no image is known here: run `make image sign`, or name IMAGE=...",
            ),
            ("operations/signatures.py", "{}: its lineage is damaged: run `make sign` again"),
            ("operations/signatures.py", "{}: {} not attested once, for it: run `make sign` again"),
            ("operations/verify.py", "{} is not signed: run `make sign`, or name IMAGE=..."),
            ("operations/signatures.py", "{} no trusted {}: run `make sign` again"),
            (
                "operations/signatures.py",
                "{}: what cosign {} printed cannot be read ({}: {}): install cosign 2.5, and "
                "run `make sign` again",
            ),
            ("serving/load.py", "run `make sign`"),
        ],
        SIGNED,
    ),
    (
        "operations/contents.py",
        "{}: label {} is {}, not {}: run `make image` again",
    ): "needs an image to be built: tests/test_images.py",
    (
        "operations/image.py",
        "image: there is no {}: run `make run`, or name MODEL=models/...",
    ): "healed, it would build an image; serving/serve.py says the same of the same file",
    ("operations/retrain.py", "run `make gate`"): "not seen: it is caught, and means: none yet",
    ("operations/notify.py", "run `make gate`"): "said only when gate has just written the file",
    ("operations/notify.py", "run `make monitor`"): "said only when monitor has just written it",
    ("operations/quality.py", "run `make join`"): "needs labels: joining writes the file anew",
    (
        "operations/quality.py",
        "{}, nor of any model that is kept here: run `make join` with the log of this project, "
        "or remove the file",
    ): "needs the log of another project",
    **dict.fromkeys(
        [
            ("operations/notebook.py", "there is no champion yet: run `make run`"),
            (
                "operations/notebook.py",
                "{} is missing: name train or test, and run `make prepare`",
            ),
            ("operations/notebook.py", "run `make run`"),
            (
                "operations/notebook.py",
                "{} has no column {}, which model {} learned from: it is of another table: run "
                "`make run`",
            ),
        ],
        "said in a notebook: kit/unit/test_notebook.py",
    ),
    (
        "operations/promote.py",
        "model {} was not compared with the champion {}: fetch its folder (dvc pull), then "
        "run `make gate register`",
    ): "needs a remote to fetch the folder from",
    ("pipeline/judgement/evidence.py", "run `make run`"): READ_BEFORE,
    (
        "pipeline/judgement/answers.py",
        "{} answers otherwise than the gate was told: run `make gate`",
    ): "needs a model that answers otherwise later: the verdict names every file it asks",
    (
        "pipeline/judgement/checks.py",
        "to compare with it, undo that and run `make run`",
    ): "beside a passed candidate: what could be undone, if one likes",
    (
        "pipeline/reporting/remedies.py",
        "run `make run` once the code is as it shall be",
    ): "in the report, beside a refusal of the gate, which stands in the other table",
    (
        "pipeline/reporting/remedies.py",
        "run `make run`: report and model are not of one run",
    ): "in the report, beside a refusal of the gate, which stands in the other table",
    ("pipeline/reporting/report.py", "run `make search`"): "needs a search: minutes",
    ("registry/entries.py", "run `make evaluate`"): "not seen: the gate has just read the file",
    ("registry/reproduce.py", "run `make clean run`"): "needs a database: tests/test_database.py",
    (
        "registry/tracking.py",
        "{} is missing: nothing was tracked yet: run `make run`",
    ): "healed, it would serve until it is stopped: kit/unit/test_register.py",
    ("pipeline/training/search.py", "run `make run`"): "as pipeline/training/train.py: minutes",
    ("registry/book.py", "run `make register`"): "not seen: register has just kept the folder",
    ("registry/book.py", "run `make run`"): "not seen: register has just read the folder",
    (
        "storage/pins.py",
        "{} is not what {} pins (MD5 {}, not {}): remove {} and run `make pull`, or, where it was "
        "changed on purpose, run `.venv/bin/dvc add {}`",
    ): "needs a remote to pull from: tests/test_remotes.py",
}
CASES = [
    pytest.param(text, case, id=f"{module.removesuffix('.py')}-{number}-{text[:40]}")
    for (module, text), cases in HEALED.items()
    for number, case in enumerate(cases)
]


def test_every_message_is_in_a_table() -> None:
    tables = HEALED.keys() | LEFT_OUT.keys()
    assert {"in no table": collected() - tables, "not said": tables - collected()} == {
        "in no table": set(),
        "not said": set(),
    }
    assert HEALED.keys() & LEFT_OUT.keys() == set()


def test_messages_are_found_wherever_they_stand_in_the_code() -> None:
    code = '''
def f(path):
    """Says: run `make docs`."""
    raise InputError(f"{path} is gone: "
                     "run `make a`")
AGAIN = "run `make b c`"
g(x, "run `dvc pull`", "as `make d` says")
'''
    assert set(messages(code)) == {"{} is gone: run `make a`", "run `make b c`", "run `dvc pull`"}


@pytest.mark.slow
@pytest.mark.parametrize(("text", "case"), CASES)
def test_what_a_refusal_says_heals_it(text: str, case: Case, lived: Path, tmp_path: Path) -> None:
    project = twin(lived, tmp_path / "project")
    pattern = re.escape(text).replace(re.escape(HOLE), ".+")
    case.plant(project)
    _, before = said(project, case.words)
    found = re.search(pattern, before)
    assert found, before
    assert case.says in before, before
    remedies = REMEDY.findall(text) or re.findall("`make ([a-z ]+)`", text)
    case.by_hand(project)
    make(project, *remedies[0].split(), *shlex.split(case.settings))
    code, later = said(project, case.words)
    assert not re.search(pattern, later), later
    assert code == 0 or not case.ends, later
