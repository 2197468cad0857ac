"""search: better parameters by Optuna, judged on folds of the training rows only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from .. import forms, metrics, table
from ..config import CONFIG_FILE, Config, InputError, load_config
from ..files import write_json
from ..places import PREPARED
from ..progress import say
from ..table import Columns
from .fit import fit
from .split import hold_out

SEARCH = Path("reports/search.json")


def run() -> None:
    """Write reports/search.json and print the best parameters; train uses them by itself."""
    config = load_config()
    if not config.search.trials:
        raise InputError(f"{CONFIG_FILE}: search.trials is 0: set a number of trials, e.g. 30")
    found = search(config, table.read_parquet(PREPARED / "train.parquet"))
    write_json(SEARCH, found)
    print(
        f"search: {config.search.trials} trials on {config.search.folds} folds -> {SEARCH}\n"
        f"best {found['metric']} {found['value']:.4f} (as configured: {found['configured']:.4f}) "
        f"with {found['params']}\n`make run` trains with them while search.trials is above 0"
    )


def search(config: Config, columns: Columns) -> dict[str, Any]:
    """{metric, value, configured, params, trials}: the first trial is the configuration as it is.

    `columns` are training rows; each trial is the mean of the headline metric over the folds.
    Equal arguments give equal results. Raises InputError for a range that cannot be searched.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    metric = metrics.HEADLINE[config.data.task]
    masks = list(folds(config, columns))

    def objective(trial: optuna.Trial) -> float:
        say(f"search: trial {trial.number + 1} of {config.search.trials}")
        return _score(config, columns, masks, metric, _suggest(config, trial))

    study = optuna.create_study(
        direction="maximize", sampler=optuna.samplers.TPESampler(seed=config.seed)
    )
    study.optimize(objective, n_trials=config.search.trials)
    configured = _score(config, columns, masks, metric, {})
    better = study.best_value > configured
    return {
        "metric": metric,
        "value": study.best_value if better else configured,
        "configured": configured,
        "params": study.best_params if better else {},
        "trials": [{"value": trial.value, "params": trial.params} for trial in study.trials],
    }


def folds(config: Config, columns: Columns) -> list[np.ndarray]:
    """One boolean mask (n,) a fold, True for its validation rows, split as the hold-out was."""
    split = config.split.model_copy(update={"test": 1 / (config.search.folds + 1)})
    seeds = range(config.seed + 1, config.seed + 1 + config.search.folds)
    configs = [config.model_copy(update={"split": split, "seed": seed}) for seed in seeds]
    return [hold_out(fold, columns)[0] for fold in configs]


def _suggest(config: Config, trial: Any) -> dict[str, Any]:
    return {name: _draw(trial, name, choice) for name, choice in config.search.space.items()}


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
    config: Config, columns: Columns, masks: list[np.ndarray], metric: str, params: dict[str, Any]
) -> float:
    scores = []
    for mask in masks:
        encoder, estimator = fit(config, table.take(columns, ~mask), **params)
        rows = table.take(columns, mask)
        answer = forms.plain_scorer(estimator)(encoder.apply(rows))
        truth = metrics.encode_target(rows[config.data.target], config.data.labels)
        weights = np.ones((1, len(truth)))
        scores.append(metrics.METRICS[config.data.task][metric](truth, answer, weights)[0])
    return float(np.mean(scores))
