"""The kit of a model project. What is listed in __all__ is for your code; the rest may change."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .command_line import main as main
    from .model.measures import Metric as Metric
    from .operations import notebook as notebook
    from .outside.progress import say as say
    from .pipeline.data.own import Fault as Fault
    from .pipeline.training.libraries import library as library
    from .pipeline.training.libraries import parameters as parameters
    from .project import Project as Project
    from .settings.config import CONFIG_FILE as CONFIG_FILE
    from .settings.config import Column as Column
    from .settings.config import Config as Config
    from .settings.config import InputError as InputError
    from .settings.config import load_config as load_config
    from .tables.arrays import Columns as Columns
    from .tables.reading import is_parquet as is_parquet
    from .tables.reading import read_csv as read_csv
    from .tables.reading import read_parquet as read_parquet

__version__ = "0.6.1"
_HOMES = {
    "main": "command_line",
    "Project": "project",
    "Metric": "model.measures",
    "Fault": "pipeline.data.own",
    "library": "pipeline.training.libraries",
    "parameters": "pipeline.training.libraries",
    "CONFIG_FILE": "settings.config",
    "Column": "settings.config",
    "Config": "settings.config",
    "InputError": "settings.config",
    "load_config": "settings.config",
    "say": "outside.progress",
    "notebook": "operations.notebook",  # the module itself
    "Columns": "tables.arrays",
    "is_parquet": "tables.reading",
    "read_csv": "tables.reading",
    "read_parquet": "tables.reading",
}
__all__ = [*_HOMES]


def __getattr__(name: str) -> Any:
    """Imported when it is asked for: the service and `--help` do without what training needs."""
    if name not in _HOMES:
        raise AttributeError(f"ml_template has no {name!r}: it offers {', '.join(_HOMES)}")
    home = importlib.import_module(f".{_HOMES[name]}", __name__)
    return home if _HOMES[name].endswith(f".{name}") else getattr(home, name)
