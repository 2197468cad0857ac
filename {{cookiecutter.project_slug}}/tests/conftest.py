"""One small trained model for all tests, made from model_config.yaml and its table."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import yaml

from {{ cookiecutter.package_name }} import artifact, places, surroundings, table
from {{ cookiecutter.package_name }}.config import Config, load_config
from {{ cookiecutter.package_name }}.pipeline import prepare, sample, train, validate

ROOT = Path(__file__).parents[1]
ROWS = 4000
PARTS = ("train", "test")
surroundings.settle()  # as every word of the Makefile does


@dataclass(frozen=True)
class Trained:
    """A model trained in `folder`, its configuration and its rows."""

    folder: Path
    config: Config
    model: artifact.Model
    train: table.Columns
    test: table.Columns


def small_table(config: Config) -> None:
    """Write data/small.parquet: at most ROWS rows of the table, or of the starter table."""
    if Path(config.data.path) == sample.STARTER and not sample.STARTER.exists():
        sample.run()
    data = table.read_raw(config)
    order = np.random.default_rng(0).permutation(data.num_rows)[:ROWS]
    table.write_parquet(Path("data/small.parquet"), data.drop_columns([table.ROW]).take(order))


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trained]:
    """A folder with data, model_config.yaml and a trained model; it is the working folder."""
    folder = tmp_path_factory.mktemp("project")
    for name in ("model_config.yaml", "gates.yaml"):
        shutil.copy(ROOT / name, folder)
    for name in ("data", "requirements"):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("prepared"))
    (folder / "data").mkdir(exist_ok=True)
    with contextlib.chdir(folder):
        small_table(load_config())
        settings = yaml.safe_load(Path("model_config.yaml").read_text(encoding="utf-8"))
        settings["data"]["path"] = "data/small.parquet"
        settings["search"] = {"trials": 0}
        settings.get("checks", {}).pop("min_rows", None)
        Path("model_config.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
        for stage in (prepare, validate, train):
            stage.run()
        config = load_config()
        model = artifact.load(places.CANDIDATE)
        rows = [table.read_parquet(places.PREPARED / f"{part}.parquet") for part in PARTS]
        yield Trained(folder, config, model, *rows)


@pytest.fixture
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
