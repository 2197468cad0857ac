"""A copy of a trained project as working folder, and its commands, run in this process."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import importlib
import io
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

Row = dict[str, str]
DEFAULTS = {"feature": True, "missing": False}  # of a column in model_config.yaml
CODE = ("src", "vendor")
SKIPPED = shutil.ignore_patterns(
    ".venv", ".git", "__pycache__", ".*_cache", "mlflow.db", "mlartifacts"
)


class Lab:
    """The project in `folder`; plants change its files, `say` runs its commands."""

    def __init__(self, folder: Path, package: str) -> None:
        self.folder = folder
        self.package = package
        self.random = random.Random(0)
        self._parsed: tuple[bytes, dict[str, Any]] = (b"", {})

    def say(self, *words: str) -> tuple[int, str]:
        """Exit code and output of the command line, in this process."""
        command_line: Any = importlib.import_module("ml_template.command_line")
        self.pin()
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            try:
                code = command_line.run(words)
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else 1
        return code, said.getvalue()

    def process(self, *words: str, **environment: str) -> tuple[int, str]:
        """The same in a process of its own, with the code of this copy."""
        self.pin()
        done = subprocess.run(
            [sys.executable, "-m", self.package, *words],
            cwd=self.folder,
            env=os.environ
            | {"PYTHONPATH": os.pathsep.join(str(self.folder / at) for at in CODE)}
            | environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    # Files

    def json(self, name: str) -> Any:
        return json.loads((self.folder / name).read_text(encoding="utf-8"))

    def write_json(self, name: str, value: Any) -> None:
        (self.folder / name).write_text(json.dumps(value), encoding="utf-8")

    @contextlib.contextmanager
    def edited(self, name: str) -> Iterator[Any]:
        """The content of a JSON or YAML file, written back at the end."""
        path = self.folder / name
        is_json = name.endswith(".json")
        value = json.loads(path.read_bytes()) if is_json else yaml.safe_load(path.read_bytes())
        yield value
        text = json.dumps(value) if is_json else yaml.safe_dump(value, sort_keys=False)
        path.write_text(text, encoding="utf-8")

    def replace(self, name: str, old: str, new: str) -> None:
        path = self.folder / name
        text = path.read_text(encoding="utf-8")
        assert old in text, f"{name} does not hold {old!r}"
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    def flip_byte(self, name: str) -> None:
        path = self.folder / name
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)

    def pin(self) -> None:
        """As `dvc add` does: git pins a table that was changed after its .dvc file as it is now."""
        for pin in self.folder.glob("data/*.dvc"):
            table = pin.with_suffix("")
            if table.is_file() and table.stat().st_mtime_ns > pin.stat().st_mtime_ns:
                with self.edited(pin.relative_to(self.folder).as_posix()) as pinned:
                    content = table.read_bytes()
                    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
                    pinned["outs"][0] |= {"md5": md5, "size": len(content)}

    # The table, by the roles of its columns, so that the same plant fits every table

    @property
    def config(self) -> dict[str, Any]:
        content = (self.folder / "model_config.yaml").read_bytes()
        if content != self._parsed[0]:
            self._parsed = content, yaml.safe_load(content)
        return self._parsed[1]

    @property
    def data(self) -> Path:
        return self.folder / str(self.config["data"]["path"])

    @property
    def target(self) -> str:
        return str(self.config["data"]["target"])

    def column(self, type: str, *, at: int = 0, **facts: Any) -> str:
        """The name of a column of that type, and with those facts in model_config.yaml."""
        fitting = [
            name
            for name, column in self.config["columns"].items()
            if column["type"] == type
            and all(column.get(key, DEFAULTS[key]) == wanted for key, wanted in facts.items())
        ]
        return str(fitting[at])

    @property
    def dialect(self) -> dict[str, str]:
        data = self.config["data"]
        return {"delimiter": data.get("delimiter", ","), "encoding": data.get("encoding", "utf-8")}

    def rows(self) -> list[Row]:
        with self.data.open(encoding=self.dialect["encoding"], newline="") as file:
            return list(csv.DictReader(file, delimiter=self.dialect["delimiter"]))

    def write_rows(self, rows: list[Row]) -> None:
        with self.data.open("w", encoding=self.dialect["encoding"], newline="") as file:
            writer = csv.DictWriter(file, rows[0], delimiter=self.dialect["delimiter"])
            writer.writeheader()
            writer.writerows(rows)

    def change(self, share: float, how: Callable[[Row], None]) -> list[int]:
        """Change that share of the rows, at random; returns their numbers (1 = the first)."""
        rows = self.rows()
        chosen = sorted(self.random.sample(range(len(rows)), max(1, round(share * len(rows)))))
        for at in chosen:
            how(rows[at])
        self.write_rows(rows)
        return [at + 1 for at in chosen]

    def number(self, text: str) -> float:
        return float(text.replace(self.config["data"].get("decimal", "."), "."))

    def text(self, value: float) -> str:
        return repr(value).replace(".", self.config["data"].get("decimal", "."))


def package_of(project: Path) -> str:
    (folder,) = (path for path in (project / "src").iterdir() if (path / "__main__.py").exists())
    return folder.name


class Workshop:
    """Bases (trained projects, made once each) and fresh copies of them."""

    def __init__(self, project: Path, folder: Path) -> None:
        self.project = project
        self.folder = folder
        self.package = package_of(project)
        self.count = 0
        self.bases: dict[str, Path] = {}
        self.healthy: set[object] = set()
        sys.path[:0] = [str(project / at) for at in CODE]
        os.environ |= {"DVC_NO_ANALYTICS": "1", "MLFLOW_DISABLE_TELEMETRY": "true"}
        os.environ.pop("CI", None)
        kit: Any = importlib.import_module("ml_template.project")
        kit.hand_over(importlib.import_module(f"{self.package}.__main__").PROJECT)
        tracking: Any = importlib.import_module("ml_template.registry.tracking")
        tracking.mirror = lambda *_: {}  # MLflow has rows of its own

    def base(self, name: str) -> Path:
        """The base of that name, made when it is first needed."""
        if name not in self.bases:
            from . import bases

            folder = self.folder / f"base-{name}"
            source = self.base(bases.ON[name]) if name in bases.ON else self.project
            shutil.rmtree(folder, ignore_errors=True)  # of an earlier try that failed
            shutil.copytree(source, folder, ignore=SKIPPED)
            if source == self.project:  # as on the day it was born
                for place in ("data", "models", "reports"):
                    shutil.rmtree(folder / place, ignore_errors=True)
                (folder / "dvc.lock").unlink(missing_ok=True)
                (folder / "data").mkdir()
            os.chdir(folder)
            bases.MAKERS[name](Lab(folder, self.package))
            self.bases[name] = folder
        return self.bases[name]

    @contextlib.contextmanager
    def copy(self, name: str) -> Iterator[Lab]:
        """A fresh copy of a base as working folder; removed at the end."""
        base = self.base(name)
        self.count += 1
        folder = self.folder / f"copy-{self.count}"
        shutil.copytree(base, folder, ignore=SKIPPED)
        os.chdir(folder)
        environment = dict(os.environ)
        try:
            yield Lab(folder, self.package)
        finally:
            os.environ.clear()
            os.environ.update(environment)
            os.chdir(self.folder)
            shutil.rmtree(folder)
