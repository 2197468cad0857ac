"""What a run of MLflow holds of a verdict: metrics, parameters, tags, description and reports."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..model.manifest import TRAINING
from ..model.shapes import Verdict
from ..outside.text import markdown
from ..storage.files import read_json
from ..storage.places import EVALUATION, REPORT, REPORTS
from .champion import Record

CARD = REPORTS / "model_card.md"
_SHOWN = 3  # metrics of a description
_AT_ONCE = 1000  # metrics that MLflow takes in one request


def logged(verdict: Verdict, identity: Record) -> tuple[list[Any], list[Any]]:
    """Metrics and parameters of a run."""
    from mlflow.entities import Metric, Param

    now, figures = int(time.time() * 1000), dict(verdict["measured"])
    for name, estimate in verdict["metrics"].items():
        figures |= {name: estimate["value"]}
        figures |= {f"{name}_{end}": estimate[end] for end in ("low", "high")}
    params = {key: identity[key] for key in ("estimator", "task", "target", "seed", "threads")}
    params |= {key: identity[key] for key in ("device",) if key in identity}
    params |= {f"params.{key}": value for key, value in identity["params"].items()}
    metrics = [Metric(key, value, now, 0) for key, value in figures.items()]
    return metrics, [Param(key, str(value)[:6000]) for key, value in params.items()]


def epochs(folder: Path) -> Iterator[list[Any]]:
    """What a net said of each epoch as metrics, as many as MLflow takes at once."""
    from mlflow.entities import Metric

    if not (folder / TRAINING).exists():
        return
    history, now = read_json(folder / TRAINING, "train again")["epochs"], int(time.time() * 1000)
    found = [
        Metric(f"training.{name}", value, now, at)
        for at, figures in enumerate(history, start=1)
        for name, value in figures.items()
    ]
    for start in range(0, len(found), _AT_ONCE):
        yield found[start : start + _AT_ONCE]


def tags(verdict: Verdict, identity: Record) -> dict[str, str]:
    """What a run is found by, its name and its description."""
    lineage, now = verdict["lineage"], datetime.now(UTC)
    named = {
        "digest": verdict["model"],
        "verdict": verdict["verdict"],
        "verdict_digest": verdict["digest"],
        "mlflow.runName": f"{identity['estimator']} {now:%Y-%m-%d %H:%M} {verdict['model'][:8]}",
        "mlflow.note.content": note(verdict, identity),
        "mlflow.source.git.commit": lineage["commit"] or "",
    }
    named |= {f"data.{key}": lineage["data"][key] for key in ("path", "sha256", "md5")}
    return named | {key: identity[key] for key in ("code", "config", "lock", "schema")}


def note(verdict: Verdict, identity: Record) -> str:
    """The description of a run, as Markdown."""
    figures = ", ".join(
        f"{name} {found['value']:.3f} [{found['low']:.3f}, {found['high']:.3f}]"
        for name, found in list(verdict["metrics"].items())[:_SHOWN]
    )
    refused = [check["gate"] for check in verdict["checks"] if check["verdict"] == "refused"]
    by = f" by {', '.join(map(markdown, refused[:3]))}" if refused else ""
    data = verdict["lineage"]["data"]
    return (
        f"{markdown(identity['estimator'])} for {markdown(identity['target'])} "
        f"({identity['task']}), **{verdict['verdict']}**{by}.\n\n{figures}.\n\n"
        f"{markdown(data['path'])}, {data['rows']:,} rows."
    )


def reports(verdict: Verdict) -> Iterator[tuple[Path, str]]:
    """Each report on the model of `verdict` that is there, and its folder in the run."""
    if not EVALUATION.exists():
        return
    if read_json(EVALUATION, "run `make evaluate`").get("model") != verdict["model"]:
        return
    for path in sorted((REPORTS / "plots").glob("*.svg")):
        yield path, "report/plots"
    for path in (REPORT, CARD):
        if path.exists() and verdict["model"][:16] in path.read_text(encoding="utf-8"):
            yield path, "report"
