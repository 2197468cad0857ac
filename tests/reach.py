"""Which files of a generated project something uses: a walk from what tools open by themselves."""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Iterator
from pathlib import PurePosixPath

import yaml

# What opens a file without being told its name, or who reads it.
ROOTS = {
    "Makefile": "make",
    "README.md": "people",
    "LICENSE": "people",
    "pyproject.toml": "ruff, mypy and pytest",
    "vendor/pyproject.toml": "whoever builds the kit as a wheel",
    "vendor/ml_template/py.typed": "mypy",
    "vendor/ml_template/**/SHA256SUMS": "make check and the gate",
    "vendor/ml_template/SHA256SUMS": "make check and the gate",
    "dvc.yaml": "dvc",
    ".dvcignore": "dvc",
    ".dvc/config": "dvc",
    "**/.gitignore": "git",
    ".gitignore": "git",
    ".gitattributes": "git",
    "Dockerfile": "docker",
    ".dockerignore": "docker",
    ".github/CODEOWNERS": "the forge",
    ".github/workflows/*.yml": "GitHub Actions",
    ".github/actions/*/action.yml": "GitHub Actions (that each is used: pipelines.py)",
    "Jenkinsfile": "Jenkins",
    ".jenkins/*.yaml": "Jenkins (cpu or gpu, by model_config.yaml)",
    ".copier-answers.yml": "copier",
    ".pre-commit-config.yaml": "pre-commit",
    "tests/**/test_*.py": "pytest",
    "tests/**/conftest.py": "pytest",
    "tests/conftest.py": "pytest",
}

Files = dict[str, bytes]
KUSTOMIZATION = "kustomization.yaml"


def orphans(files: Files, package: str) -> list[str]:
    """Files that nothing reaches."""
    todo = [name for name in files if any(PurePosixPath(name).match(root) for root in ROOTS)]
    reached = set(todo)
    while todo:
        for name in set(mentions(todo.pop(), files, package)) - reached:
            reached.add(name)
            todo.append(name)
    return sorted(set(files) - reached)


def mentions(name: str, files: Files, package: str) -> Iterator[str]:
    """Files that one file uses: modules it imports or runs, and other files it names.

    A module is used only by an import or by `python -m`: that dvc.yaml depends on it is no use.
    """
    if name.endswith("/SHA256SUMS"):  # it lists every file, and uses none
        return
    text = files[name].decode(errors="ignore")
    folder = PurePosixPath(name).parent
    if PurePosixPath(name).name == KUSTOMIZATION:
        yield from (path for path in built_from(folder, text) if path in files)
    for other in files:
        if not (other.startswith(("src/", "vendor/")) and other.endswith(".py")) and other != name:
            path = PurePosixPath(other)
            near = path.relative_to(folder).as_posix() if path.is_relative_to(folder) else other
            by_folder = path.name == KUSTOMIZATION  # kubectl is told the name of its folder
            page = other.removeprefix("vendor/ml_template/")  # how templates name one another
            names = {f"{path.parent}/"} if by_folder else {other, near, page}
            if re.search(rf"(?<![\w.-])({'|'.join(map(re.escape, names))})(?![\w-])", text):
                yield other
    if f"-m {package}" in text:
        yield f"src/{package}/__main__.py"
    if name.endswith(".py"):
        for module in modules(name, ast.parse(text), package):
            yield from (path for path in paths_of(module) if path in files)


def built_from(folder: PurePosixPath, text: str) -> Iterator[str]:
    """Files and folders that a kustomization in `folder` is made of."""
    made = yaml.safe_load(text)
    for path in [*made.get("resources", []), *made.get("components", [])]:
        found = posixpath.normpath(folder / path)
        yield found
        yield f"{found}/{KUSTOMIZATION}"


def modules(name: str, code: ast.Module, package: str) -> Iterator[str]:
    """Dotted names that a module imports, or holds as text for a later import."""
    parents = [*PurePosixPath(name).with_suffix("").parts][:-1]
    yield ".".join(parents)
    for node in ast.walk(code):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            up = parents[: len(parents) - node.level + 1] if node.level else []
            base = ".".join([*up, *filter(None, [node.module])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield f"ml_template.{node.value}"
            if ":" in node.value:  # what a project hands over: "module:function"
                yield f"{package}.{node.value.partition(':')[0]}"
        elif isinstance(node, ast.Dict):  # words.py: a word is the module of its name in a room
            for word, made in zip(node.keys, node.values, strict=True):
                match word, made:
                    case ast.Constant(value=str(name)), ast.Call(
                        args=[ast.Constant(value=str(room)), *_]
                    ):
                        yield f"ml_template.{room}.{name}"


def paths_of(module: str) -> Iterator[str]:
    """Where a dotted name may live; the packages above it are imported with it."""
    path = re.sub("^(src|vendor)/", "", module.replace(".", "/"))
    for home in ("src/", "vendor/", "tests/", ""):
        yield f"{home}{path}.py"
        for above in [PurePosixPath(path), *PurePosixPath(path).parents][:-1]:
            yield f"{home}{above.as_posix()}/__init__.py"
