"""docs/network.md: the class of the page is trained by PyTorch and served without it (slow)."""

from __future__ import annotations

import csv
import json
import random
import re
import sqlite3
from pathlib import Path

import bake
import pytest
import service as services
import yaml
from life import champion, make, twin

pytestmark = pytest.mark.slow
PAGE = "docs/network.md"
TORCH = "torch==2.13.0+cpu"  # the wheel for processors: without the + it brings gigabytes for GPUs
BLOCK = re.compile(r"^`([\w.]+)`:\n\n```python\n(.*?)^```$", re.M | re.S)
ANSWERS = """
import importlib, sys
from pathlib import Path
import numpy as np
from ml_template.model import artifact
from ml_template.project import hand_over
from ml_template.tables import table
package, model, rows = sys.argv[1:]
hand_over(importlib.import_module(package + ".__main__").PROJECT)
score, rows = artifact.load(Path(model)).predict, table.read_parquet(Path(rows))
whole = score(rows)
for at in range(25):
    assert np.array_equal(score(table.take(rows, np.array([at])))[0], whole[at]), at
assert not [name for name in sys.modules if name.partition(".")[0] == "torch"]
"""
TASKS = """
import importlib, sys
from types import SimpleNamespace
import numpy as np
from ml_template.model import forms
from ml_template.settings.config import InputError
network = importlib.import_module(sys.argv[1] + ".network")
draw = np.random.default_rng(0)
matrix = draw.normal(size=(1500, 5))
value = 2010 + 5 * (matrix[:, 0] * matrix[:, 1] + matrix[:, 2])
check = np.concatenate([matrix, [[1e9] * 5, [-1e9] * 5]])
compute = SimpleNamespace(threads=1, gpu=False)
for kind, labels, truth in (
    (network.Regressor, [], value),
    (network.Classifier, ["no", "yes"], (value > 2010).astype(int)),
    (network.Classifier, ["low", "middle", "high"], np.digitize(value, [2007, 2012])),
):
    told = SimpleNamespace(compute=compute, data=SimpleNamespace(labels=labels))
    network.load_config = lambda: told
    made = [kind(random_state=7, rate=0.02, epochs=40).fit(matrix, truth) for _ in range(2)]
    kept = [forms.export(net, check, edges=2) for net in made]
    assert kept[0] == kept[1], "two fits of one seed differ"
    assert (kept[0][0]["form"], kept[0][0]["limit"]) == ("dense", 1e-9), kept[0][0]
    answers = forms.plain_scorer(made[0])(matrix)
    good = answers.argmax(axis=1) == truth if labels else np.abs(answers - truth) < 3
    assert good.mean() > 0.85, (labels, good.mean())
    layers = made[0].dense_layers()
    wrong_bias, swapped = (layers[0][0], layers[0][1] + 1e-4, "relu"), (*layers[1][:2], "tanh")
    for handed in ([wrong_bias, *layers[1:]], [layers[0], swapped, *layers[2:]]):
        made[0].dense_layers = lambda: handed
        try:
            forms.export(made[0], check, edges=2)
        except InputError as refused:
            assert "answers differently" in str(refused), refused
        else:
            raise AssertionError("a fault was kept")
    if labels:  # a net without double() at its end answers in float32
        made[1].net_.float()
        made[1]._margin = lambda rows: made[1].net_(network.torch.tensor(rows).float()).detach()
        assert forms.export(made[1], matrix)[0]["limit"] == 2e-6
compute.gpu = True
try:
    network.Regressor().fit(matrix, value)
except InputError as refused:
    assert "PyTorch finds no GPU here" in str(refused)
else:
    assert network.torch.cuda.is_available()
"""


@pytest.fixture(scope="module")
def venv(lived: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment of its own: PyTorch, and by a path the packages of the lock."""
    made = tmp_path_factory.mktemp("torch") / ".venv"
    assert bake.run(lived / ".venv/bin/python", "-m", "venv", made, cwd=lived).returncode == 0
    (site,) = made.glob("lib/python*/site-packages")
    locked = lived / ".venv" / site.relative_to(made)
    (site / "project.pth").write_text(f"{locked}\n")
    words = ("-m", "pip", "install", "--quiet", "--no-compile", "--only-binary", ":all:", TORCH)
    done = bake.run(made / "bin/python", *words, cwd=made.parent)
    if "No matching distribution found for torch" in done.stderr:
        pytest.skip(f"no index here has {TORCH}, and PyPI's own brings gigabytes for GPUs")
    assert done.returncode == 0, done.stderr
    (made / ".ready").touch()
    return made


def irises(path: Path, rows: int = 900) -> None:
    """Three kinds of plants by two lengths, a soil and gaps."""
    draw = random.Random(5)
    with path.open("w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file)
        lines.writerow(["length", "width", "soil", "kind"])
        for _ in range(rows):
            kind = draw.choice(["setosa", "virginica", "øst"])
            at = {"setosa": 1.0, "virginica": 2.2, "øst": 3.1}[kind]
            length, width = draw.gauss(at, 0.4), draw.gauss(at**2 / 3, 0.5)
            soil = draw.choice(["dry", "wet", ""])
            told = "" if draw.random() < 0.05 else f"{length:.3f}"
            lines.writerow([told, f"{width:.3f}", soil, kind])


def with_network(project: Path, params: str) -> None:
    """Do what the page says."""
    package = project / "src" / services.package(project)
    found = dict(BLOCK.findall((project / PAGE).read_text(encoding="utf-8")))
    (package / "network.py").write_text(found["network.py"], encoding="utf-8")
    model = package / "model.py"
    before, head = model.read_text(encoding="utf-8"), "    # of scikit-learn\n"
    assert head in before
    model.write_text(before.replace(head, found["model.py"] + head), encoding="utf-8")
    config = project / "model_config.yaml"
    settings = yaml.safe_load(config.read_text(encoding="utf-8"))
    settings["model"] |= {"estimator": "network", "params": yaml.safe_load(params)}
    config.write_text(yaml.safe_dump(settings, allow_unicode=True), encoding="utf-8")


def put_in_place(venv: Path, lived: Path, folder: Path) -> Path:
    """A project whose .venv has PyTorch."""
    project = twin(lived, folder)
    (project / ".venv").unlink()
    (project / ".venv").symlink_to(venv)
    return project


def test_a_network_is_trained_by_pytorch_and_served_without_it(
    venv: Path, lived: Path, tmp_path: Path
) -> None:
    project = put_in_place(venv, lived, tmp_path / "project")
    irises(tmp_path / "plants.csv")
    make(project, "adopt", f"DATA={tmp_path / 'plants.csv'}", "TARGET=kind", "SENSITIVE=")
    with_network(project, "{hidden: [16], epochs: 150, rate: 0.02, patience: 10}")
    said = make(project, "run")
    assert re.search(r"train: \d+ epochs on cpu, the last with loss [\d.]+, validation", said)
    assert "dense form" in said
    folder = project / champion(project)["model"]
    identity = json.loads((folder / "model.json").read_bytes())["identity"]
    assert (identity["device"], identity["model"]["limit"]) == ("cpu", 1e-9)
    epochs = json.loads((folder / "training.json").read_bytes())["epochs"]
    assert len(epochs) < 150  # it ended where the rows held back gained no more
    with sqlite3.connect(project / "mlflow.db") as book:
        steps = "select count(*) from metrics where key = 'training.loss'"
        assert book.execute(steps).fetchone() == (len(epochs),)
    figures = json.loads((project / "reports/metrics.json").read_bytes())
    assert figures["accuracy"]["value"] > 0.9
    given = (services.package(project), folder, project / "data/prepared/test.parquet")
    locked = lived / ".venv/bin/python"  # it has no torch, as the image of the service
    path = {"PYTHONPATH": bake.code_of(project)}
    done = bake.run(locked, "-c", ANSWERS, *given, cwd=project, **path)
    assert done.returncode == 0, done.stderr
    style = bake.run(".venv/bin/python", "-m", "ruff", "check", "src", cwd=project)
    assert style.returncode == 0, style.stdout


def test_every_task_is_exact_repeatable_and_a_fault_of_the_layers_is_seen(
    venv: Path, lived: Path, tmp_path: Path
) -> None:
    project = put_in_place(venv, lived, tmp_path / "project")
    with_network(project, "{}")
    path = {"PYTHONPATH": bake.code_of(project)}
    words = (".venv/bin/python", "-c", TASKS, services.package(project))
    done = bake.run(*words, cwd=project, **path)
    assert done.returncode == 0, done.stderr
