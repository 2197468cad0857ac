"""notebook: Jupyter on this machine alone; and what a notebook wants of the project in a line each.

from ml_template import notebook  # see notebooks/first.ipynb
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import project
from ..model import artifact, lineage
from ..outside import surroundings
from ..registry import champion as registry
from ..serving.answers import Answers
from ..settings.config import InputError
from ..storage.files import read_json
from ..storage.places import METRICS_FILE, PREPARED
from ..tables.table import read_parquet

if TYPE_CHECKING:
    import pandas as pd

FIRST = Path("notebooks/first.ipynb")
FILTER = "filter.nbstripout"


def run(settings: dict[str, Any]) -> None:
    """Open Jupyter at 127.0.0.1, PORT=8888, from where git takes outputs out of what it holds.

    Raises InputError where Jupyter is not installed.
    """
    if find_spec("jupyterlab") is None:
        raise InputError(
            "notebook: Jupyter is not installed: write jupyterlab into requirements/extra-dev.in, "
            "then `make lock` and `make setup`"
        )
    print(f"notebook: outputs {'do not get into git' if strip() else 'stay: no git here'}")
    port = f"--port={settings.get('PORT') or 8888}"
    command = [sys.executable, "-m", "jupyterlab", "--ip=127.0.0.1", port]
    sys.stdout.flush()
    os.execv(sys.executable, [*command, *([str(FIRST)] if FIRST.exists() else [])])  # noqa: S606


def strip() -> bool:
    """Have git leave outputs of notebooks out, see .gitattributes; False where there is no git."""
    try:
        lineage.git("config", f"{FILTER}.clean", f"'{sys.executable}' -m nbstripout")
        lineage.git("config", f"{FILTER}.required", "true")  # else it takes what it cannot strip
    except (OSError, subprocess.SubprocessError):
        return False
    return True


def begin(owner: project.Project) -> None:
    """Work for a project, in its folder, wherever the notebook lies."""
    project.hand_over(owner)
    os.chdir(project.folder().parents[1])
    surroundings.settle()


def rows(part: str = "train") -> pd.DataFrame:
    """The prepared rows to learn from, or those held out: part "test"."""
    return _frame(read_parquet(_part(part)))


def champion() -> artifact.Model:
    """The champion; raises InputError where there is none."""
    record = registry.read(registry.CHAMPION)
    if record is None:
        raise InputError("there is no champion yet: run `make run`")
    return artifact.load(Path(record["model"]), record["digest"])


def answers(model: artifact.Model, part: str = "test") -> pd.DataFrame:
    """What a model answers to prepared rows, as the service does: a row each."""
    columns, record = read_parquet(_part(part)), Answers(model).record
    if missing := [name for name in model.encoder.inputs if name not in columns]:
        raise InputError(
            f"{PREPARED} has no column {missing[0]!r}, which model {model.digest[:16]} learned "
            f"from: it is of another table: run `make run`"
        )
    return _frame([record(output) for output in model.predict(columns)])


def figures() -> pd.DataFrame:
    """Metrics of the last run, each with its value and interval."""
    return _frame(read_json(METRICS_FILE, "run `make run`")).T


def _part(part: str) -> Path:
    path = PREPARED / f"{part}.parquet"
    if not path.exists():
        raise InputError(f"{path} is missing: name train or test, and run `make prepare`")
    return path


def _frame(content: Any) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(content)
