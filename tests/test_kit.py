"""The kit where it stands in the tree: its tests, its types, its rooms, what others take of it."""

from __future__ import annotations

import ast
import hashlib
import re
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import bake
import pytest
import service as services
import sums
import yaml
from life import champion, make, twin

TREE = bake.ROOT / bake.TREE
KIT = TREE / bake.KIT
TESTS = bake.ROOT / "tests/kit"
# Room: the rooms it may import from, with what stands beside them at the top.
ARROWS = {
    "outside": "",
    "settings": "",
    "storage": "settings",
    "tables": "settings storage outside project",
    "model": "settings storage tables project",
    "registry": "outside settings storage model tables project",
    "pipeline": "outside settings storage tables model registry project",
    "serving": "outside settings storage tables model registry project",
    "kubernetes": "outside settings storage model registry operations project",
    "operations": "outside settings storage tables model registry serving project",
    "testing": "outside settings storage tables model pipeline serving project",
}
# Stage of dvc.yaml: the module that it runs, below pipeline/.
STAGES = {
    "sample": "data/sample.py",
    "prepare": "data/prepare.py",
    "validate": "data/validate.py",
    "train": "training/train.py",
    "evaluate": "evaluation/evaluate.py",
}
CANNOT_CHANGE_A_RESULT = {"outside", "project.py", "__init__.py"}  # what is printed; who is called


@pytest.fixture(scope="session")
def packages(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a project, with the packages of its locks."""
    born = bake.by_cookiecutter(template, tmp_path_factory.mktemp("packages"), {})
    services.set_up(born)
    return born / ".venv/bin/python"


def parts() -> dict[str, list[str]]:
    """The kit's tests in parts of about the same length."""
    units = sorted(path.name for path in (TESTS / "unit").glob("test_*.py"))
    half = [name for name in units if name < "test_i"]
    return {
        "service": ["api"],
        "units a to h": [f"unit/{name}" for name in half],
        "units i to z": [f"unit/{name}" for name in units if name not in half],
    }


@pytest.mark.slow
@pytest.mark.apart
@pytest.mark.parametrize("part", parts())
def test_the_kits_own_tests_pass(part: str, packages: Path, tmp_path: Path) -> None:
    words = ("-m", "pytest", "-c", "pytest.ini", "--confcutdir=.", f"--basetemp={tmp_path / 'kit'}")
    environment = {"PYTHONPATH": str(KIT.parent), "PYTHONDONTWRITEBYTECODE": "1"}
    done = bake.run(packages, *words, *parts()[part], cwd=TESTS, **environment)
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-5_000:]


@pytest.mark.slow
@pytest.mark.apart
def test_the_kit_is_typed_strictly(packages: Path, tmp_path: Path) -> None:
    done = bake.run(packages, "-m", "mypy", f"--cache-dir={tmp_path}", cwd=KIT.parent)
    assert done.returncode == 0, done.stdout


def imports(path: Path, late: bool = True) -> Iterator[Path]:
    """Modules and packages of the kit that a module imports; `late`: also inside its functions."""
    todo: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while todo:
        node = todo.pop()
        types_only = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        if types_only or (not late and isinstance(node, ast.FunctionDef)):
            continue
        todo += ast.iter_child_nodes(node)
        if isinstance(node, ast.ImportFrom) and node.level:
            home = path.parents[node.level - 1].joinpath(*(node.module or "").split("."))
            for name in (home, *(home / alias.name for alias in node.names)):
                for found in (name.with_suffix(".py"), name / "__init__.py"):
                    if found.is_file():
                        yield found


def room(path: Path) -> str:
    return path.relative_to(KIT).parts[0]


def reached(*begin: Path, late: bool = True) -> set[Path]:
    """All modules that are imported when these are."""
    todo, seen = [*begin], set(begin)
    while todo:
        for found in set(imports(todo.pop(), late)) - seen:
            seen.add(found)
            todo.append(found)
    return seen


@pytest.mark.parametrize("name", ARROWS)
def test_rooms_import_one_way(name: str) -> None:
    allowed = {name, *ARROWS[name].split()}
    wrong = {
        f"{path.relative_to(KIT)}: {found.relative_to(KIT)}"
        for path in (KIT / name).rglob("*.py")
        for found in imports(path)
        if room(found).removesuffix(".py") not in allowed and found != KIT / "__init__.py"
    }
    assert wrong - ROUND == set()


# The ways back: a retraining runs stages as the command line does; a release with ENV moves routes.
ROUND = {
    "operations/retrain.py: command_line.py",
    *(
        f"operations/{word}.py: kubernetes/{name}.py"
        for word in ("promote", "rollback")
        for name in ("__init__", "stable")
    ),
}


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_runs_again_when_code_changes_that_it_can_read(stage: str, project: Path) -> None:
    stages = yaml.safe_load((project / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    named = [Path(dep) for dep in stages[stage]["deps"] if isinstance(dep, str)]
    read = {
        bake.KIT / path.relative_to(KIT)
        for path in reached(KIT / "pipeline" / STAGES[stage])
        if room(path) not in CANNOT_CHANGE_A_RESULT and path.name != "__init__.py"
    }
    unseen = {path for path in read if not any(path.is_relative_to(dep) for dep in named)}
    assert unseen == set()


def test_the_image_of_the_service_holds_the_rooms_that_serve_imports_and_no_other() -> None:
    text = (TREE / "Dockerfile").read_text(encoding="utf-8")
    taken = {source.split("/")[2] for source in re.findall(r"(?m)^COPY (vendor/\S+) /app/", text)}
    needed = reached(KIT / "command_line.py", KIT / "serving/serve.py", late=False)
    assert taken == {"*.py", *(room(path) for path in needed if path.parent != KIT)}


def test_every_room_has_the_sums_of_its_files() -> None:
    """Else every project of this template calls its kit patched: `make sync` writes them."""
    assert sums.stale(KIT, sums.held()) == []


def test_sums_that_are_stale_are_named_and_only_they(template: Path, tmp_path: Path) -> None:
    kit = Path(shutil.copytree(template / bake.TREE / bake.KIT, tmp_path / "kit"))
    for name, home in {"serving/log.py": "serving", "pipeline/data/x.py": "pipeline"}.items():
        with (kit / name).open("a") as file:
            file.write("# changed\n")
        files = [path for path in kit.rglob("*") if path.is_file()]
        assert sums.stale(kit, files) == [kit / home / "SHA256SUMS"]
        for path, text in sums.sums(kit, files).items():
            path.write_text(text, encoding="utf-8")


@pytest.mark.slow
@pytest.mark.apart
def test_a_patched_kit_is_named_by_check_and_by_the_gate(lived: Path, tmp_path: Path) -> None:
    project = twin(lived, tmp_path / "project")
    log = project / bake.KIT / "serving/log.py"
    log.write_text(f"{log.read_text(encoding='utf-8')}# ours\n", encoding="utf-8")
    said = f"patched: {bake.KIT}/serving/log.py"
    assert said not in make(lived, "check")
    assert said in make(project, "check").splitlines()
    (told,) = re.findall(r"(?m)^kit .*", make(project, "gate"))
    assert told.split(maxsplit=3)[:3] == ["kit", "1", "warning"]
    assert said in told


def without_vendor(project: Path) -> None:
    """What docs/change.md tells a platform team to do once the kit is in its index."""
    shutil.rmtree(project / "vendor")
    dvc = project / "dvc.yaml"
    content = yaml.safe_load(dvc.read_text(encoding="utf-8"))
    for stage in content["stages"].values():
        kept = [dep for dep in stage["deps"] if not str(dep).startswith("vendor/")]
        stage["deps"] = list(dict.fromkeys([*kept, "requirements/extra.txt"]))
    dvc.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


@pytest.mark.slow
@pytest.mark.apart
def test_a_project_runs_on_the_kit_as_a_wheel_without_vendor(
    packages: Path, template: Path, tmp_path: Path
) -> None:
    born = bake.by_cookiecutter(template, tmp_path, {})
    source = Path(shutil.copytree(born / "vendor", tmp_path / "source"))
    words = ("--wheel", "--no-build-isolation", "--offline", "--python", packages)
    built = bake.run("uv", "build", *words, "--out-dir", tmp_path, ".", cwd=source)
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as opened:
        held = {name for name in opened.namelist() if name.startswith("ml_template/")}
    assert held == {f"ml_template/{path}" for path in bake.files(born / bake.KIT)}
    without_vendor(born)
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    with (born / "requirements/extra.txt").open("a", encoding="utf-8") as lock:
        lock.write(f"ml-template @ {wheel.as_uri()} --hash=sha256:{digest}\n")
    bake.commit(born, "The kit comes from an index")
    said = make(born, "run")
    assert len(champion(born)["digest"]) == 64
    assert re.search(r"(?m)^kit +passed", said)
    assert "Running stage" not in make(born, "run")
    installed = next(born.glob(".venv/lib/python*/site-packages/ml_template/serving/log.py"))
    installed.unlink()  # a link into the cache of uv, which is left as it is
    installed.write_text("", encoding="utf-8")
    assert "site-packages/ml_template/serving/log.py" in make(born, "check")
