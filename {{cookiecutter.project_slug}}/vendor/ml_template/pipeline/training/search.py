"""search: better parameters by Optuna, judged on folds of the training rows only.

A search has two parts that know nothing of each other: two machines can share it, and find the same
as one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ...model import forms, lineage, measures, metrics
from ...outside.progress import say
from ...settings.config import CONFIG_FILE, Config, InputError, load_config
from ...storage.files import digest_json, read_json, write_json
from ...storage.places import PREPARED
from ...tables import table
from ...tables.table import Columns
from ..data import split
from . import operating
from .fit import Fold, out_of_fold

SEARCH = Path("reports/search.json")
PARTS = 2


def run(settings: dict[str, Any]) -> None:
    """Write reports/search.json and print the best parameters; train uses them by itself.

    PART=1 or 2 tries the trials of that part only and keeps them in reports/search.
    """
    config = load_config()
    if not config.search.trials:
        raise InputError(f"{CONFIG_FILE}: search.trials is 0: set a number of trials, e.g. 30")
    columns, part = table.read_parquet(PREPARED / "train.parquet"), settings.get("PART")
    if part:
        tried = tries(config, columns, part)
        print(f"search: {len(tried)} trials on {config.search.folds} folds -> {kept(part)}")
        return
    found = search(config, columns)
    write_json(SEARCH, found)
    print(
        f"search: {config.search.trials} trials on {config.search.folds} folds -> {SEARCH}\n"
        f"best {found['metric']} {found['value']:.4f} (as configured: {found['configured']:.4f}) "
        f"with {found['params']}\n`make run` trains with them while search.trials is above 0"
    )


def search(config: Config, columns: Columns) -> dict[str, Any]:
    """{metric, value, configured, params, trials}: the best of all parts and the configuration.

    `columns` are training rows; each trial is the mean of the headline metric over the folds.
    Equal arguments give equal results. Raises InputError for a range that cannot be searched.
    """
    metric = measures.headline(config)
    trials = [trial for part in range(1, PARTS + 1) for trial in tries(config, columns, part)]
    configured = _score(config, columns, folds(config, columns), metric, {})
    best = max(trials, key=lambda trial: trial["value"])
    better = best["value"] > configured
    return {
        "metric": metric,
        "value": best["value"] if better else configured,
        "configured": configured,
        "params": best["params"] if better else {},
        "trials": trials,
    }


def tries(config: Config, columns: Columns, part: int) -> list[dict[str, Any]]:
    """[{value, params}] of one part; kept, so that what another machine tried is not tried again.

    Kept trials count only for the same code, configuration, locks and data.
    """
    data = read_json(PREPARED / "data.json", "run `make run`")
    asked = digest_json([lineage.package(), lineage.digests(config), data])
    if kept(part).exists():
        found = read_json(kept(part), "remove it")
        if found["asked"] == asked:
            return list(found["trials"])
    trials = _study(config, columns, part)
    write_json(kept(part), {"asked": asked, "trials": trials})
    return trials


def kept(part: int) -> Path:
    """Where the trials of that part are kept."""
    return SEARCH.with_suffix("") / f"{part}.json"


def _study(config: Config, columns: Columns, part: int) -> list[dict[str, Any]]:
    """One study of its own seed with its share of the trials."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    metric, parts = measures.headline(config), folds(config, columns)
    count = (config.search.trials + PARTS - part) // PARTS

    def objective(trial: optuna.Trial) -> float:
        say(f"search: part {part} of {PARTS}, trial {trial.number + 1} of {count}")
        space = config.search.space.items()
        drawn = {name: _draw(trial, name, choice) for name, choice in space}
        return _score(config, columns, parts, metric, drawn)

    sampler = optuna.samplers.TPESampler(seed=config.seed + part - 1)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.optimize(objective, n_trials=count)
    return [{"value": trial.value, "params": trial.params} for trial in study.trials]


def folds(config: Config, columns: Columns) -> list[Fold]:
    """Booleans (n,) of each fold, rows to learn from and to validate on: split as the hold-out was.

    Where a column of marks made that, rows are drawn: it says nothing of folds. A fold that leaves
    nothing of a class to learn from is left out.
    """
    share = {"test": 1 / (config.search.folds + 1), "column": None, "holds": (), "folds": None}
    rule = config.split.model_copy(update=share)
    seeds = range(config.seed + 1, config.seed + 1 + config.search.folds)
    drawn = (config.model_copy(update={"split": rule, "seed": seed}) for seed in seeds)
    parts, labels = [split.once(each, columns) for each in drawn], set(config.data.labels)
    return [
        (learn, test) for learn, test in parts if labels <= {*columns[config.data.target][learn]}
    ]


def _draw(trial: Any, name: str, choice: list[Any]) -> Any:
    numbers = [type(value) in (int, float) for value in choice]
    if len(choice) != 2 or not all(numbers):
        return trial.suggest_categorical(name, choice)
    low, high = choice
    if not low < high:
        raise InputError(f"{CONFIG_FILE}: search.space.{name}: {low} is not below {high}")
    if type(low) is int and type(high) is int:
        return trial.suggest_int(name, low, high)
    return trial.suggest_float(name, low, high, log=low > 0 and high / low >= 10)


def _score(
    config: Config, columns: Columns, parts: list[Fold], metric: str, params: dict[str, Any]
) -> float:
    rule, scores = config.model.threshold, []
    for test, encoder, estimator in out_of_fold(config, columns, parts, **params):
        rows = table.take(columns, test)
        answer = forms.plain_scorer(estimator)(encoder.apply(rows))
        truth = metrics.encode_target(rows[config.data.target], config.data.labels)
        if rule and len(np.unique(truth)) < len(config.data.labels):
            continue  # whole groups may have all rows of a class: no threshold is chosen without
        weights = np.ones((1, len(truth)))
        # of every trial on the rows it is judged by: as flattering for one as for the other
        counts = measures.counted(config, rows)
        threshold = operating.pick(rule, truth, answer[:, 1], counts) if rule else None
        measured = measures.known(config, threshold, rows)[metric]
        scores.append(measured(truth, answer, weights)[0])
    told = [score for score in scores if np.isfinite(score)]
    if not told:
        raise InputError(
            f"{CONFIG_FILE}: search: {metric} cannot be computed on any of {config.search.folds} "
            f"folds, which have too few rows of a class: raise search.folds, or set trials: 0"
        )
    return float(np.mean(told))
